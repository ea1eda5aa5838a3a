"""Marks of look-alikes: kept, undone, bounded, and told of where they are damaged."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from fitting_room.index import marks
from fitting_room.index.manifest import MARKS
from fitting_room.index.marks import DIFFERENT, KEEP, Marks, MarksError, read_marks, set_mark
from fitting_room.util.files import beside

HOSTILE_ID = '=cmd()\n"<script>\udc80'


def test_nothing_is_marked_at_first(tmp_path: Path) -> None:
    assert read_marks(tmp_path).of(["1", "2"]) is None
    assert read_marks(tmp_path / "nowhere").marks == ()


def test_a_mark_is_kept_changed_and_taken_back(tmp_path: Path) -> None:
    set_mark(tmp_path, ["1", HOSTILE_ID], KEEP)
    set_mark(tmp_path, ["3", "4"], DIFFERENT)
    assert read_marks(tmp_path).of([HOSTILE_ID, "1"]) == KEEP
    set_mark(tmp_path, ["1", HOSTILE_ID], DIFFERENT)
    assert read_marks(tmp_path).of(["1", HOSTILE_ID]) == DIFFERENT
    assert len(read_marks(tmp_path)) == 2
    set_mark(tmp_path, ["1", HOSTILE_ID], None)
    assert read_marks(tmp_path).of(["1", HOSTILE_ID]) is None
    assert read_marks(tmp_path).of(["4", "3"]) == DIFFERENT


def test_a_mark_outlives_items_that_go_and_not_ones_that_come() -> None:
    known = Marks().with_mark(["1", "2", "3"], KEEP)
    assert known.of(["1", "3"]) == KEEP
    assert known.of(["1", "2", "3", "4"]) is None
    assert known.with_mark(["1", "3"], None).of(["1", "3"]) is None
    assert known.of([]) is None


@pytest.mark.parametrize(("ids", "word"), [(["1"], KEEP), (["1", "1"], KEEP), (["1", "2"], "ok")])
def test_what_is_no_mark_is_refused(tmp_path: Path, ids: list[str], word: str) -> None:
    with pytest.raises(ValueError, match="is no mark"):
        set_mark(tmp_path, ids, word)


def values(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


def write(path: Path, **changed: Any) -> None:
    """A file with a right checksum, by somebody who knows how to make one."""
    new = {**values(path), **changed}
    del new["checksum"]
    path.write_text(json.dumps({**new, "checksum": marks._checksum(new)}), "utf-8")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"null", b'{"format": "fitting-room-marks"}',
        b'{"format": "fitting-room-marks", "format_version": 1, "marks": []}', b"9" * 10_000,
    ],
)  # fmt: skip
def test_a_damaged_file_is_told_of_and_never_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MARKS).write_bytes(content)
    for use in (read_marks, lambda folder: set_mark(folder, ["1", "2"], KEEP)):
        with pytest.raises(MarksError, match="remove it to begin anew"):
            use(tmp_path)
    assert (tmp_path / MARKS).read_bytes() == content


@pytest.mark.parametrize(
    "listed",
    [
        {}, [1], [{}], [{"ids": "ab", "mark": KEEP}], [{"ids": ["1", 2], "mark": KEEP}],
        [{"ids": ["1"], "mark": KEEP}], [{"ids": ["1", "2"], "mark": "<b>"}],
        [{"ids": ["1", "2"], "mark": []}],
        [{"ids": ["1", "2"], "mark": KEEP}] * (marks.MAX_MARKS + 1),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_damage(tmp_path: Path, listed: object) -> None:
    set_mark(tmp_path, ["1", "2"], KEEP)
    write(tmp_path / MARKS, marks=listed)
    with pytest.raises(MarksError, match="is not what was written"):
        read_marks(tmp_path)


def test_a_changed_byte_and_a_newer_version_are_damage(tmp_path: Path) -> None:
    path = tmp_path / MARKS
    set_mark(tmp_path, ["1", "2"], KEEP)
    whole = path.read_text("utf-8")
    path.write_text(whole.replace('"1"', '"7"'), "utf-8")
    with pytest.raises(MarksError, match="is not what was written"):
        read_marks(tmp_path)
    path.write_text(whole, "utf-8")
    write(path, format_version=2)
    with pytest.raises(MarksError, match="is not what was written"):
        read_marks(tmp_path)


def test_only_a_file_of_bounded_size_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / MARKS
    with monkeypatch.context() as patch:
        patch.setattr(marks, "MAX_BYTES", 300)
        set_mark(tmp_path, ["1", "2"], KEEP)
        with pytest.raises(MarksError, match="too many marks"):
            set_mark(tmp_path, ["3" * 200, "4"], KEEP)
        path.write_bytes(b" " * 301)
        with pytest.raises(MarksError, match="too large"):
            read_marks(tmp_path)
    path.unlink()
    (tmp_path / "elsewhere").write_bytes(b"{}")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MarksError, match="is no file"):
        read_marks(tmp_path)
    path.unlink()
    if hasattr(os, "mkfifo"):
        os.mkfifo(path)  # to read it would wait for ever
        with pytest.raises(MarksError, match="is no file"):
            read_marks(tmp_path)


def test_who_marks_at_the_same_time_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "PATIENCE", 0.05)
    with (
        FileLock(beside(tmp_path / MARKS, "lock")),
        pytest.raises(MarksError, match="Somebody else"),
    ):
        set_mark(tmp_path, ["1", "2"], KEEP)
    set_mark(tmp_path, ["1", "2"], KEEP)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(MarksError, match="could not be kept"):
        set_mark(tmp_path / "nowhere", ["1", "2"], KEEP)
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MarksError):
        read_marks(tmp_path / "file")
