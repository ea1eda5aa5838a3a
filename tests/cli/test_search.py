"""`fitting-room search`: what it prints, its exit status, and errors for people."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from fitting_room.cli import main
from fitting_room.embedding.backbones import select
from fitting_room.facade import FittingRoom
from fitting_room.index.data import current_version
from fitting_room.settings import Settings
from tests.conftest import SAMPLES, picture_bytes

# --- search -----------------------------------------------------------------------------------


def test_search_prints_one_json_line_a_picture(run: Any, catalogue: Path, index: Path) -> None:
    queries = [catalogue / "images" / "2.jpg", catalogue / "images" / "7.jpg"]
    ran = run("search", *queries, "--index", index, "-n", 3, "--json", "--plain")
    assert ran.status == 0
    assert [line["query"] for line in ran.lines] == [str(query) for query in queries]
    for line, query in zip(ran.lines, queries, strict=True):
        assert set(line) == {"query", "matches"}
        assert len(line["matches"]) == 3
        same, *others = line["matches"]
        assert all(set(match) == {"id", "path", "similarity"} for match in others)
        assert same.pop("same_picture") is True
        assert set(same) == {"id", "path", "similarity"}
        assert line["matches"][0]["id"] == query.stem
        assert line["matches"][0]["path"] == str(query)
        assert line["matches"][0]["similarity"] == pytest.approx(1, abs=1e-4)


def test_search_in_words_has_rank_similarity_id_and_name(
    run: Any, catalogue: Path, index: Path
) -> None:
    ran = run("search", catalogue / "images" / "2.jpg", "--index", index, "--plain")
    query, first, *others = ran.out.splitlines()
    assert query == str(catalogue / "images" / "2.jpg")
    assert first.split() == ["1", "1.000", "2", "Green", "shïrt"]
    assert len(others) == 9


def test_search_takes_every_picture_of_a_folder_and_below(
    run: Any, catalogue: Path, index: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "queries"
    (folder / "deep" / "er").mkdir(parents=True)
    shutil.copy(catalogue / "images" / "2.jpg", folder / "b.JPG")
    shutil.copy(catalogue / "images" / "3.jpg", folder / "deep" / "er" / "c.jpeg")
    (folder / "a.png").write_bytes(picture_bytes("red", kind="PNG"))
    (folder / "notes.txt").write_text("no picture")
    ran = run("search", folder, catalogue / "images" / "5.jpg", "--index", index, "-n", 1, "--json")
    assert ran.status == 0
    assert [(Path(line["query"]).name, line["matches"][0]["id"]) for line in ran.lines] == [
        ("a.png", "1"),
        ("b.JPG", "2"),
        ("c.jpeg", "3"),
        ("5.jpg", "5"),
    ]


def test_search_measures_similarity_by_its_options(run: Any, catalogue: Path, index: Path) -> None:
    def similarities(*arguments: object) -> list[float]:
        query = catalogue / "images" / "1.jpg"
        ran = run("search", query, "--index", index, "--json", *arguments)
        assert ran.status == 0
        return [match["similarity"] for match in ran.lines[0]["matches"]]

    usual, shape, colour = (
        similarities(),
        similarities("--colour", 0),
        similarities("--colour", "1.0"),
    )
    assert len({tuple(usual), tuple(shape), tuple(colour)}) == 3
    assert colour[-1] < 0.1 < shape[-1]  # red is not at all like any other of these colours
    assert similarities("--metric", "jaccard", "--colour", 0) != shape
    assert similarities("--plain") != usual  # the packaged head


def test_search_for_a_variety_and_for_good_ones_alone(
    run: Any, demo_fitting_room: FittingRoom, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITTING_ROOM_CACHE", str(settings.cache))
    index, dress = str(demo_fitting_room.index.folder), str(SAMPLES / "red-dress.jpg")

    def ids(*options: str) -> list[str]:
        ran = run("search", dress, "--index", index, "-n", "30", "--json", *options)
        return [match["id"] for match in ran.lines[0]["matches"]]

    assert ids("--diversity", "0.5") == [
        match.id for match in demo_fitting_room.search(dress, 30, diversity=0.5)
    ]
    good = ids("--only-good")
    assert good == [match.id for match in demo_fitting_room.search(dress, 30, only_good=True)]
    assert len(good) < 30


def test_search_in_the_order_of_a_column(
    run: Any, demo_fitting_room: FittingRoom, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITTING_ROOM_CACHE", str(settings.cache))
    index, dress = str(demo_fitting_room.index.folder), str(SAMPLES / "red-dress.jpg")
    for order, descending in ((["--sort", "year"], False), (["--sort", "-year"], True)):
        ran = run("search", dress, "--index", index, "--json", *order)
        found = demo_fitting_room.search(dress, 12, sort_by="year", descending=descending)
        assert [match["id"] for match in ran.lines[0]["matches"]] == [match.id for match in found]
    ran = run("search", dress, "--index", index, "--sort", "gender")
    assert (ran.status, ran.out) == (2, "")
    assert "'gender' holds no numbers to sort by. These do: year." in ran.err


def test_search_folds_and_tells_copies_from_look_alikes(
    run: Any, with_copies: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITTING_ROOM_CACHE", str(settings.cache))
    index = with_copies.parent / "index"
    FittingRoom.build(with_copies, index, settings=settings)
    query = with_copies / "images" / "10724.webp"
    ran = run("search", query, "--index", index, "-n", 3, "--fold", "--json")
    first, *others = ran.lines[0]["matches"]
    assert set(first["others"]) == set(first["copies"]) == {"70", "80", "90"}
    assert not any("others" in match for match in others)
    lines = run("search", query, "--index", index, "-n", 3, "--fold").out.splitlines()
    assert lines[1].endswith("Garment 10724  (and 3 of the same picture)")
    assert not any("(and" in line for line in lines[2:])


def test_search_goes_on_after_a_bad_picture(run: Any, catalogue: Path, index: Path) -> None:
    good, bad = catalogue / "images" / "2.jpg", catalogue / "styles.csv"
    ran = run("search", bad, catalogue / "nowhere.jpg", good, "--index", index, "--json")
    assert ran.status == 0
    assert [set(line) for line in ran.lines] == [
        {"query", "error"},
        {"query", "error"},
        {"query", "matches"},
    ]
    assert [line["query"] for line in ran.lines] == [
        str(bad),
        str(catalogue / "nowhere.jpg"),
        str(good),
    ]
    assert str(bad) in ran.err
    assert "There is no such file." in ran.err


def test_search_without_any_good_picture_fails(
    run: Any, catalogue: Path, index: Path, tmp_path: Path
) -> None:
    ran = run("search", catalogue / "styles.csv", "--index", index, "--json")
    assert (ran.status, set(ran.lines[0])) == (1, {"query", "error"})
    ran = run("search", tmp_path, "--index", index, "--json")
    assert (ran.status, ran.out) == (1, "")
    assert "no pictures found" in ran.err


def test_search_keeps_to_the_filters(run: Any, catalogue: Path, index: Path) -> None:
    def ids_where(*conditions: str) -> list[str]:
        arguments = [part for condition in conditions for part in ("--where", condition)]
        query = catalogue / "images" / "1.jpg"
        ran = run("search", query, "--index", index, "--json", *arguments)
        assert ran.status == 0
        return sorted((match["id"] for match in ran.lines[0]["matches"]), key=int)

    assert ids_where("gender=Men") == ["2", "4", "6", "8", "10"]
    assert ids_where("baseColour=Red", "baseColour=Green") == ["1", "2"]
    assert ids_where("baseColour=Red", "baseColour=Green", "gender=Men") == ["2"]
    assert ids_where("productDisplayName=Red shïrt") == ["1"]


def test_a_filter_that_nothing_passes_is_an_empty_answer(
    run: Any, catalogue: Path, index: Path
) -> None:
    query = catalogue / "images" / "1.jpg"
    ran = run("search", query, "--index", index, "--json", "--where", "gender=Dogs")
    assert (ran.status, ran.lines) == (0, [{"query": str(query), "matches": []}])
    assert "gender=Dogs" in ran.err


@pytest.mark.parametrize(
    "condition", ["gender", "=Men", "gender=", "", "colour=Red", "image=1.jpg"]
)
def test_a_filter_that_makes_no_sense_is_wrong_usage(
    run: Any, catalogue: Path, index: Path, condition: str
) -> None:
    query = catalogue / "images" / "1.jpg"
    ran = run("search", query, "--index", index, "--json", "--where", condition)
    assert (ran.status, ran.out) == (2, "")
    assert condition.partition("=")[0] in ran.err


def test_an_unknown_column_is_wrong_usage_whatever_the_picture(
    run: Any, catalogue: Path, index: Path
) -> None:
    ran = run("search", catalogue / "nowhere.jpg", "--index", index, "--where", "colour=Red")
    assert ran.status == 2
    assert "baseColour" in ran.err


def test_search_in_an_unusable_index_fails_in_words(
    run: Any, catalogue: Path, index: Path, tmp_path: Path
) -> None:
    query = catalogue / "images" / "1.jpg"
    damaged = shutil.copytree(index, tmp_path / "damaged")
    (current_version(damaged) / "items.parquet").write_bytes(b"garbage")
    for place in (tmp_path / "nowhere", damaged):
        ran = run("search", query, "--index", place, "--json")
        assert (ran.status, ran.out) == (1, "")
        assert str(place) in ran.err
        assert "uild" in ran.err


def test_an_index_with_local_weights_is_searched_with_the_same_file(
    run: Any, catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITTING_ROOM_ENGINE", "torch")  # needs no conversion, which is quicker
    packaged = select("efficientnet_lite0").weights.path
    assert packaged is not None
    mine = tmp_path / "mine.pth"
    mine.write_bytes(packaged.read_bytes() + b"\0")  # another file, which reads the same
    index, query = tmp_path / "index", catalogue / "images" / "4.jpg"
    assert run("build", catalogue, "--index", index, "--weights", mine).status == 0
    without = run("search", query, "--index", index)
    assert without.status == 1
    assert "--weights" in without.err
    other = run("search", query, "--index", index, "--weights", packaged)
    assert other.status == 1
    ran = run("search", query, "--index", index, "--weights", mine, "-n", 1, "--json")
    assert ran.lines[0]["matches"][0]["id"] == "4"


def test_names_that_are_not_utf_8_do_not_stop_a_search(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as those of files that came from an old Windows machine."""
    folder = tmp_path / "queries"
    folder.mkdir()
    name = os.fsdecode(b"caf\xe9.jpg")
    try:
        (folder / name).write_bytes(picture_bytes("red"))
    except (OSError, UnicodeError):
        pytest.skip("this file system knows no such names")
    (folder / "z.jpg").write_bytes(picture_bytes("green"))
    for form in (["--json"], []):
        out = io.TextIOWrapper(io.BytesIO(), "utf-8")
        monkeypatch.setattr(sys, "stdout", out)
        assert main(["search", str(folder), "--index", str(index), "-n", "1", *form]) == 0
        out.flush()
        lines = out.buffer.getvalue().decode("utf-8").splitlines()  # type: ignore[attr-defined]
        assert len(lines) == (2 if form else 4)
        if form:
            assert [Path(json.loads(line)["query"]).name for line in lines] == [name, "z.jpg"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_names_that_the_terminal_cannot_show_do_not_stop_a_search(
    catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """A pipe on Windows takes no more than its code page."""
    shop = shutil.copytree(catalogue, tmp_path / "shop")
    text = (shop / "styles.csv").read_text("utf-8")
    (shop / "styles.csv").write_text(text.replace("Red shïrt", "赤いシャツ"), "utf-8")
    query = shop / "images" / "1.jpg"
    assert main(["build", str(shop), "--index", str(tmp_path / "index")]) == 0
    for form in ([], ["--json"]):
        out = io.TextIOWrapper(io.BytesIO(), encoding)
        monkeypatch.setattr(sys, "stdout", out)
        command = ["search", str(query), "--index", str(tmp_path / "index"), "-n", "2", *form]
        assert main(command) == 0
        out.flush()
        lines = out.buffer.getvalue().decode(encoding).splitlines()  # type: ignore[attr-defined]
        assert len(lines) == (1 if form else 3)
        if form:
            assert json.loads(lines[0])["matches"][0]["id"] == "1"


# --- what pictures there are, and what is said of them ----------------------------------------


def test_a_note_on_a_picture_goes_to_stderr(
    run: Any, catalogue: Path, index: Path, tmp_path: Path
) -> None:
    cut, blank = tmp_path / "cut.jpg", tmp_path / "blank.png"
    cut.write_bytes((catalogue / "images" / "1.jpg").read_bytes()[:-2])
    blank.write_bytes(picture_bytes("white", kind="PNG"))
    ran = run("search", cut, blank, "--index", index, "--json")
    assert ran.status == 0
    assert len(ran.lines) == 2
    assert f"{cut}: The file ends too early." in ran.err
    assert f"{blank}: The picture is blank" in ran.err


def test_of_a_folder_every_kind_of_jpeg_is_taken_and_what_is_left_out_is_named(
    run: Any, index: Path, tmp_path: Path
) -> None:
    for name in ("a.jfif", "b.JPE", "c.jpg"):
        (tmp_path / name).write_bytes(picture_bytes("red"))
    for name in ("d.jxl", "e.PSD", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    ran = run("search", tmp_path, "--index", index, "--json")
    assert ran.status == 0
    assert [Path(line["query"]).name for line in ran.lines] == ["a.jfif", "b.JPE", "c.jpg"]
    assert f"{tmp_path / 'd.jxl'}: left out" in ran.err
    assert f"{tmp_path / 'e.PSD'}: left out" in ran.err
    assert "notes.txt" not in ran.err


def test_a_folder_of_jfif_alone_is_searched(run: Any, index: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jfif").write_bytes(picture_bytes("red"))
    assert run("search", tmp_path, "--index", index).status == 0


# --- words ------------------------------------------------------------------------------------


def test_words_alone_find_items(run: Any, index: Path) -> None:
    ran = run("search", "--text", "green shirt xyzzy", "--index", index, "-n", 2, "--json")
    assert ran.status == 0
    (line,) = ran.lines
    assert line["query"] == "green shirt xyzzy"
    assert "2" in [match["id"] for match in line["matches"]]  # Green shïrt
    assert [wish["words"] for wish in line["understood"]] == ["green", "shirt"]
    assert line["not_understood"] == ["xyzzy"]
    assert "Nothing in this catalogue is called “xyzzy”." in ran.err


def test_words_beside_a_picture_are_weighed(run: Any, catalogue: Path, index: Path) -> None:
    query = catalogue / "images" / "2.jpg"

    def first(*arguments: object) -> str:
        ran = run("search", query, "--index", index, "-n", 1, "--plain", *arguments)
        assert ran.status == 0
        return str(ran.out.splitlines()[-1].split()[2])

    assert first() == "2"
    assert first("--text", "not green", "--text-weight", 1) != "2"
    assert first("--text", "not green", "--text-weight", 0) == "2"


def test_words_that_say_nothing_are_a_failure(run: Any, index: Path) -> None:
    ran = run("search", "--text", "xyzzy", "--index", index)
    assert ran.status == 1
    assert "say nothing of the items" in ran.err


def test_a_search_for_nothing_is_told_what_to_name(run: Any, index: Path) -> None:
    ran = run("search", "--index", index)
    assert ran.status == 2
    assert "--text" in ran.err
