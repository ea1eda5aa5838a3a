"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fitting_room.util.files import (
    beside,
    link_or_copy,
    naming,
    remove_unfinished,
    sha256_of,
    sync,
    sync_folder,
    work_folder,
    write_atomically,
)


@pytest.mark.parametrize(("data", "expected"), [(b"\0\xff", b"\0\xff"), ("häh", "häh".encode())])
def test_a_file_is_written_and_replaced(tmp_path: Path, data: bytes | str, expected: bytes) -> None:
    path = tmp_path / "file"
    for content in ("before", data):
        write_atomically(path, content)
    assert path.read_bytes() == expected
    assert list(tmp_path.iterdir()) == [path]
    sync(path)
    assert sha256_of(path) == hashlib.sha256(expected).hexdigest()


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_what_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(*(os, "fsync") if fails == "fsync" else (Path, "replace"), full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"half")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_gets_a_second_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    (tmp_path / "one").write_text("content")

    def cannot(*_: object) -> None:
        raise OSError("no links here")

    if not links:
        monkeypatch.setattr(os, "link", cannot)
    link_or_copy(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "other").read_text() == "content"
    assert (tmp_path / "one").stat().st_nlink == (2 if links else 1)


def test_a_name_that_is_as_long_as_can_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127)
    write_atomically(path, b"whole")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    other = path.with_name("é" * 126 + "e")
    assert beside(path, "lock") != beside(other, "lock")
    assert beside(tmp_path / "shop", "lock").name == ".shop.lock"


@pytest.mark.parametrize("name", ["head", "*", "[ab]", "a?", ".*", "x" * 255])
def test_what_a_killed_process_left_of_a_file_is_removed_and_nothing_else(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    for other in (path, tmp_path / "other"):
        beside(other, "new-0123abcd").write_text("half")
        other.write_text("whole")
    remove_unfinished(path)
    assert {p.name for p in tmp_path.iterdir()} == {name, "other", ".other.new-0123abcd"}


def test_an_error_without_a_name_gets_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No space.*here"), naming(tmp_path / "here"):
        raise OSError(28, "No space left on device")
    with pytest.raises(OSError, match="there"), naming(tmp_path / "here"):
        raise OSError(28, "No space left on device", "there")
    with pytest.raises(OSError, match=r"^a sentence$"), naming(tmp_path / "here"):
        raise OSError("a sentence")


WORKING = """
import os, sys
from pathlib import Path
from fitting_room.util.files import work_folder

with work_folder(Path(sys.argv[1]), ".new-") as folder:
    (folder / "half").write_text("half")
    print("at work", flush=True)
    sys.stdin.readline()
    os._exit(9)
"""


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_stays(
    tmp_path: Path,
) -> None:
    arguments = [sys.executable, "-c", WORKING, str(tmp_path)]
    with subprocess.Popen(arguments, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        with work_folder(tmp_path, ".new-") as folder:
            (folder / "file").write_text("mine")
            assert len(list(tmp_path.iterdir())) == 2
        assert len(list(tmp_path.glob(".new-*/half"))) == 1
        process.stdin.write("end\n")
        process.stdin.flush()
        process.wait(60)
    (tmp_path / ".newer").mkdir()
    with work_folder(tmp_path, ".new-") as folder:
        assert {p.name for p in tmp_path.iterdir()} == {folder.name, ".newer"}
    assert [p.name for p in tmp_path.iterdir()] == [".newer"]


def test_a_folder_without_a_way_to_the_disk_is_no_error(tmp_path: Path) -> None:
    sync_folder(tmp_path)
    sync_folder(tmp_path / "not there")
