"""The benchmarks on a machine that has the project and no data beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from tests.conftest import PROJECT

#: What others import, and what has no options of a script.
NO_SCRIPTS = {
    "__init__", "ann_data", "ann_libraries", "ann_ours", "at_hand", "common", "crowds", "plots",
    "serving", "visitor",
}  # fmt: skip
#: Runs every script for its help, in one process: what they import is imported once.
HELP = """
import contextlib, io, runpy, sys
sys.path[:0] = ["benchmarks"]
for path in sys.argv[1:]:
    sys.argv, said = [path, "--help"], io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as end:
            assert not end.code, (path, end.code)
    for option in ("--json", "--quick"):
        print(path, option, option in said.getvalue())
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with nothing beside it: its scripts, and the rest of it by links."""
    folder = tmp_path_factory.mktemp("alone") / "project"
    shutil.copytree(PROJECT / "benchmarks", folder / "benchmarks")
    for name in ("data", "fitting_room", "app.py", "tests"):
        (folder / name).symlink_to(PROJECT / name)
    return folder


def run(
    folder: Path, *command: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), **(env or {})}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_every_script_starts_and_has_json_and_a_quick_form(alone: Path) -> None:
    pytest.importorskip("psutil")
    scripts = sorted(
        path.relative_to(alone).as_posix()
        for path in (alone / "benchmarks").glob("*.py")
        if path.stem not in NO_SCRIPTS
    )
    ended = run(alone, "-c", HELP, *scripts)
    assert ended.returncode == 0, ended.stderr
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert {path for path, _, _ in lines} == set(scripts)
    without = {(path, option) for path, option, has in lines if has == "False"}
    assert without == {
        ("benchmarks/run.py", "--json"), ("benchmarks/document.py", "--json"),
        ("benchmarks/document.py", "--quick"),
    }  # fmt: skip


def test_pictures_are_made_of_the_demo_and_that_is_said(alone: Path) -> None:
    command = (
        "benchmarks/embed.py --quick --json --backbone efficientnet_lite0 --pictures 4 --slow 1 "
        "--prepared 8 --no-int8"
    )
    ended = run(alone, *command.split())
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert "demo" in result["data"]["catalogue"]
    assert "no photographs" in result["data"]["photographs"]
    assert "--quick" in result["data"]["size"]
    assert result["data"]["catalogue"] in ended.stderr
    assert result["machine"]["processor"]
    assert [part["pictures"] for part in result["speed"]] == ["catalogue", "street"]
    assert all(way["pictures a second"] > 0 for part in result["speed"] for way in part["ways"])
    made = alone / "cache" / "benchmarks"
    with zipfile.ZipFile(made / "catalogue" / "images.zip") as archive:
        assert len(archive.namelist()) == 950
    again = run(alone, "benchmarks/street_on_demo.py", "--help")
    assert "made of the demo" not in again.stderr


def test_an_index_that_is_there_is_taken_and_named(
    alone: Path, demo_fitting_room: FittingRoom, settings: Settings
) -> None:
    index = settings.index_folder
    ended = run(alone, "benchmarks/likeness.py", "--quick", "--json", "--index", str(index))
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert "950 items of efficientnet_lite0" in result["data"]["index"]
    assert {line["ranked by"] for line in result["likeness"]} == {"usual", "colours", "random"}


def test_an_index_that_is_missing_is_built_of_the_demo_with_a_line(alone: Path) -> None:
    """Who is asked for the index builds nothing here: that takes twenty seconds."""
    code = (
        "import sys; sys.path[:0] = ['benchmarks']\n"
        "import fitting_room, at_hand\n"
        "built = []\n"
        "fitting_room.FittingRoom.build = lambda source, to, **how: built.append((source, to))\n"
        "at_hand._described = lambda path: path.name\n"
        "from pathlib import Path\n"
        "path = at_hand.index(Path('cache/nowhere'))\n"
        "assert built == [(at_hand.DEMO, path)], built\n"
        "assert at_hand.used['index'] == 'demo'\n"
    )
    ended = run(alone, "-c", code)
    assert ended.returncode == 0, ended.stderr
    assert "no index at cache/nowhere" in ended.stderr
