"""`fitting-room add` and `fitting-room remove`: what they print and their exit status."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fitting_room.facade import FittingRoom
from fitting_room.index.data import current_version
from fitting_room.index.index import Index
from fitting_room.settings import Settings
from tests.cli.conftest import make_shop
from tests.conftest import picture_bytes

EDIT_KEYS = {"items", "seconds", "added", "replaced", "removed", "rejected", "unknown"}


@pytest.fixture
def edited(index: Path, tmp_path: Path) -> Path:
    """An index that a test may change."""
    return Path(shutil.copytree(index, tmp_path / "edited"))


@pytest.fixture
def cyan(tmp_path: Path) -> Path:
    path = tmp_path / "cyan.png"
    path.write_bytes(picture_bytes("cyan", (61, 80), kind="PNG"))
    return path


def test_adding_and_searching(run: Any, edited: Path, cyan: Path) -> None:
    ran = run("add", cyan, "--index", edited, "--set", "gender=Women", "--set", "price=12")
    assert (ran.status, ran.out.startswith(f"11 items in {edited} after ")) == (0, True)
    assert ran.out.endswith(" s: 1 added\n")
    assert "The next build of the catalogue makes the index what the catalogue says." in ran.err
    (found,) = run("search", cyan, "--index", edited, "--where", "price=12", "--json").lines
    assert [match["id"] for match in found["matches"]] == ["cyan"]
    assert Path(found["matches"][0]["path"]).read_bytes() == cyan.read_bytes()
    info = run("info", "--index", edited)
    assert "changed     by hand since: 1 added\n" in info.out
    (manifest,) = run("info", "--index", edited, "--json").lines
    assert manifest["edits"] == {"added": 1, "replaced": 0, "removed": 0, "gone": []}


def test_json_has_what_was_done(run: Any, edited: Path, cyan: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    ran = run(
        "add", cyan, broken, "--index", edited, "--id", "1", "--id", "b", "--replace", "--json"
    )
    (edit,) = ran.lines
    assert set(edit) == EDIT_KEYS
    assert (ran.status, edit["replaced"], edit["added"], edit["items"]) == (0, ["1"], [], 10)
    ((name, reason),) = edit["rejected"]
    assert name == str(broken)
    assert f"Skipped {broken}: {reason}" in ran.err
    (edit,) = run("remove", "1", "7", "--index", edited, "--json").lines
    assert (edit["removed"], edit["items"]) == (["1", "7"], 8)


def test_where_nothing_could_be_added_the_status_is_1(run: Any, edited: Path, cyan: Path) -> None:
    version = current_version(edited)
    broken = cyan.with_name("broken.jpg")
    broken.write_bytes(b"no picture")
    ran = run("add", broken, "--index", edited)
    assert ran.status == 1
    assert f"Skipped {broken}: " in ran.err
    assert "nothing changed" in ran.out
    ran = run("add", cyan, "--id", "3", "--index", edited)
    assert (ran.status, ran.out) == (1, "")
    assert "3 is there already" in ran.err
    (cyan.parent / "empty").mkdir()
    assert "no pictures found" in run("add", cyan.parent / "empty", "--index", edited).err
    assert current_version(edited) == version


def test_removing(run: Any, edited: Path) -> None:
    ran = run("remove", "3", "nothing", "--index", edited)
    assert (ran.status, ran.out) == (1, "")
    assert "there is no item nothing" in ran.err
    ran = run("remove", "3", "nothing", "--index", edited, "--ignore-missing")
    assert ran.status == 0
    assert ran.out.startswith(f"9 items in {edited} after ")
    assert "There is no item nothing." in ran.err
    assert "by hand since: 1 removed" in run("info", "--index", edited).out


def test_a_build_says_what_it_undoes(run: Any, cyan: Path, tmp_path: Path) -> None:
    shop, index = make_shop(tmp_path / "shop"), tmp_path / "index"
    run("build", shop, "--index", index)
    purple = cyan.with_name("purple.png")
    purple.write_bytes(picture_bytes("purple", (62, 80), kind="PNG"))
    run("add", cyan, purple, "--index", index)
    run("remove", "3", "--index", index)
    ran = run("build", shop, "--index", index)
    assert (
        "2 items that were added by hand are gone, 1 that was replaced or removed is as before: "
        "a build makes the index what the catalogue says." in ran.err
    )
    (summary,) = run("build", shop, "--index", index, "--json").lines
    assert (summary["added_gone"], summary["gone_back"]) == (0, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["add", "--index", "i"],
        ["add", "a.jpg"],
        ["add", "a.jpg", "--index", "i", "--set", "gender"],
        ["remove", "--index", "i"],
        ["remove", "3"],
    ],
    ids=" ".join,
)
def test_wrong_usage(run: Any, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert "usage: fitting-room" in ran.err


def test_one_value_in_a_column(run: Any, edited: Path, cyan: Path) -> None:
    ran = run("add", cyan, "--index", edited, "--set", "gender=Men", "--set", "gender=Women")
    assert ran.status == 2
    assert "--set gender: an item has one value in a column" in ran.err


def test_in_python(edited: Path, cyan: Path, settings: Settings) -> None:
    room = FittingRoom.open(edited, settings)
    more = room.add([str(cyan)], ids=["4711"], attributes={"gender": "Women"})
    assert more.edit is not None
    assert more.edit.added == ("4711",)
    assert (len(room.index), len(more.index)) == (10, 11)  # what was opened stays
    assert more.search(cyan, n=1)[0].id == "4711"
    assert room.search(cyan, n=1)[0].id != "4711"
    less = room.remove(["4711"])
    assert len(less.index) == 10
    assert len(more.reopened().index) == len(Index.open(edited)) == 10


def test_info_checks_the_added_pictures(run: Any, edited: Path, cyan: Path) -> None:
    run("add", cyan, cyan, "--index", edited, "--id", "a", "--id", "b")
    assert run("info", "--index", edited).status == 0
    (kept,) = (edited / "added").iterdir()
    kept.write_bytes(picture_bytes("red", kind="PNG"))
    ran = run("info", "--index", edited)
    assert ran.status == 1
    assert ran.err.count("is missing or damaged") == 2
    kept.unlink()
    assert "the added picture of b is missing" in run("info", "--index", edited, "--json").err


def test_an_evaluation_shows_added_items(
    run: Any, edited: Path, cyan: Path, tmp_path: Path
) -> None:
    run("add", cyan, "--index", edited, "--set", "gender=Women")
    queries = tmp_path / "queries.csv"
    queries.write_text("picture,gender\ncyan.png,Men\n", "utf-8")
    ran = run(
        "evaluate", queries, "--index", edited, "--columns", "gender",
        "--report", tmp_path / "report.html",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert "data:image/jpeg" in (tmp_path / "report.html").read_text("utf-8")
