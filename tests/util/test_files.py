"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from fitting_room.util.files import link_or_copy, sha256_of, sync, write_atomically


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
