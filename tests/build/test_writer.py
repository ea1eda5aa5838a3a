"""Putting a version of an index in place of another."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fitting_room.index.data import CURRENT, current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import ITEMS, MANIFEST, VECTORS, IndexUnusable
from tests.conftest import PROJECT
from tests.index.made import random_rows, table, write


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder of an index of 12 items with 5 numbers each."""
    folder = tmp_path / "index"
    write(folder, random_rows(1, 12, 5))
    return folder


def build_number(number: int, dimension: int = 16) -> tuple[np.ndarray, pd.DataFrame]:
    """Vectors and items that both tell which build they are of."""
    vectors = np.tile(np.eye(dimension, dtype=np.float32)[number % dimension], (8, 1))
    return vectors, table(8, build=[str(number % dimension)] * 8)


def test_an_open_index_outlives_its_replacement(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    old = write(folder, *build_number(1))
    new = write(folder, *build_number(2))
    for index, number in ((old, 1), (new, 2), (Index.open(folder), 2)):
        (hits,) = index.search(np.eye(16, dtype=np.float32)[number], 3)
        assert hits.similarities.tolist() == [1, 1, 1]
        assert set(index.items["build"]) == {str(number)}


def test_a_reader_never_sees_parts_of_two_builds(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    write(folder, *build_number(0))
    begun, end = threading.Event(), threading.Event()

    def replace_again_and_again() -> None:
        number = 0
        while not end.is_set() and number < 2_000:
            number += 1
            write(folder, *build_number(number))
            begun.set()

    writer = threading.Thread(target=replace_again_and_again)
    writer.start()
    seen: set[str] = set()
    try:
        assert begun.wait(20)
        for _ in range(40):
            index = Index.open(folder)
            (number,) = set(index.items["build"])
            np.testing.assert_array_equal(index.vectors, build_number(int(number))[0])
            seen.add(number)
    finally:
        end.set()
        writer.join()
    assert len(seen) > 3
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


KILLED = """
import os, signal, sys
from pathlib import Path
from fitting_room.build import writer
from tests.build.test_writer import build_number
from tests.index.made import write

folder, name, calls = sys.argv[1:]
whole = getattr(writer, name)
left = [int(calls)]

def killing(*given, **options):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*given, **options)

setattr(writer, name, killing)
write(Path(folder), *build_number(2))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("name", "calls", "number"),
    [("new_array", 0, 1), ("sync", 2, 1), ("write_atomically", 0, 1), ("remove_leftovers", 0, 2)],
)
def test_a_kill_leaves_the_old_version_or_the_new_one(
    tmp_path: Path, name: str, calls: int, number: int
) -> None:
    folder = tmp_path / "index"
    write(folder, *build_number(1))
    arguments = [sys.executable, "-c", KILLED, str(folder), name, str(calls)]
    killed = subprocess.run(arguments, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    index = Index.open(folder)
    index.verify()
    assert set(index.items["build"]) == {str(number)}
    write(folder, *build_number(3))
    assert {p.name for p in folder.iterdir()} == {CURRENT, current_version(folder).name}


def test_a_file_that_somebody_put_into_a_version_is_not_lost(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    write(folder, *build_number(1))
    notes = current_version(folder) / "notes.txt"
    notes.write_text("precious")
    write(folder, *build_number(2))
    assert notes.read_text() == "precious"
    assert [path.name for path in notes.parent.iterdir()] == ["notes.txt"]


def test_a_file_of_another_program_called_current_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / CURRENT).write_text("MANIFEST-000001")
    with pytest.raises(IndexUnusable, match="something else"):
        write(tmp_path / "index", *build_number(1))
    assert (tmp_path / "index" / CURRENT).read_text() == "MANIFEST-000001"


def test_a_folder_with_something_else_is_not_touched(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "wedding.jpg").write_bytes(b"precious")
    with pytest.raises(IndexUnusable, match="something else"):
        write(photos, random_rows(0, 5, 3))
    assert (photos / "wedding.jpg").read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_web_app_with_a_manifest_of_its_own_is_not_touched(tmp_path: Path) -> None:
    """``manifest.json`` is the name of a file of every web app and browser extension."""
    app = tmp_path / "app"
    app.mkdir()
    (app / MANIFEST).write_text('{"name": "My shop", "icons": []}')
    (app / "index.js").write_text("precious")
    with pytest.raises(IndexUnusable, match="something else"):
        write(app, random_rows(0, 5, 3))
    assert (app / "index.js").read_text() == "precious"


def test_what_was_put_beside_an_index_into_its_folder_is_not_lost(made: Path) -> None:
    (made / "notes.txt").write_text("precious")
    try:
        write(made, random_rows(2, 9, 5))
    except IndexUnusable:
        assert len(Index.open(made)) == 12  # refusing is right, too
    assert (made / "notes.txt").read_text() == "precious"


def test_a_file_is_not_replaced_by_an_index(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(IndexUnusable):
        write(tmp_path / "notes.txt", random_rows(0, 5, 3))
    assert (tmp_path / "notes.txt").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_becomes_an_index(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    assert len(write(tmp_path / "index", random_rows(0, 5, 3))) == 5


def test_a_damaged_index_is_replaced(made: Path) -> None:
    for name in (MANIFEST, VECTORS, ITEMS, CURRENT):
        path = made / name if name == CURRENT else current_version(made) / name
        path.write_bytes(b"\xff")
        assert len(write(made, random_rows(0, 5, 3))) == 5
    assert [path.name for path in made.parent.iterdir()] == ["index"]


def test_what_a_file_manager_leaves_in_an_index_is_no_obstacle(made: Path) -> None:
    (made / ".DS_Store").write_bytes(b"\0")
    (made / "Thumbs.db").write_bytes(b"\0")
    assert len(write(made, random_rows(2, 9, 5))) == 9
