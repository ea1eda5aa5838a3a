"""``fitting-room verify``, and what other commands say of a damaged index."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fitting_room.index import data
from fitting_room.index.data import current_version
from fitting_room.index.manifest import MARKS
from fitting_room.index.marks import KEEP, set_mark


@pytest.fixture
def copy(index: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(index, tmp_path / "copy"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def test_a_sound_index_is_said_to_be_sound(run: Any, index: Path) -> None:
    ran = run("verify", "--index", index)
    assert (ran.status, ran.err) == (0, "")
    assert "files were read, and all are as they were written" in ran.out
    (values,) = run("verify", "--index", index, "--json").lines
    assert values == {"sound": True, "files": values["files"], "faults": {}, "pictures": []}


def test_every_damaged_file_is_named(run: Any, copy: Path) -> None:
    for name in ("vectors.npy", "map.npy"):
        flip(current_version(copy) / name)
    (current_version(copy) / "descriptors.npy").unlink()
    ran = run("verify", "--index", copy)
    assert (ran.status, ran.out) == (1, "")
    for name in ("vectors.npy", "map.npy", "descriptors.npy"):
        assert f"{name} is damaged" in ran.err
    assert f"fitting-room build CATALOGUE --index {copy}" in ran.err
    ran = run("verify", "--index", copy, "--json")
    (values,) = ran.lines
    assert (ran.status, values["sound"]) == (1, False)
    assert set(values["faults"]) == {"vectors.npy", "map.npy", "descriptors.npy"}


def test_without_an_index_verify_says_how_to_build_one(run: Any, tmp_path: Path) -> None:
    ran = run("verify", "--index", tmp_path / "nowhere")
    assert ran.status == 1
    assert "there is no index here" in ran.err


def test_a_search_in_a_large_index_says_afterwards_that_it_is_damaged(
    run: Any, copy: Path, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "CHECKED_AT_ONCE", 0)
    content = bytearray((current_version(copy) / "vectors.npy").read_bytes())
    content[-4] ^= 1  # the last bit of a number
    (current_version(copy) / "vectors.npy").write_bytes(content)
    ran = run("search", catalogue / "images" / "2.jpg", "--index", copy)
    assert ran.status == 1
    assert "vectors.npy is not what was written" in ran.err


def test_a_build_says_that_it_repaired(run: Any, copy: Path, catalogue: Path) -> None:
    flip(current_version(copy) / "map.npy")
    ran = run("build", catalogue, "--index", copy)
    assert ran.status == 0
    assert "The index was damaged (map.npy) and was repaired" in ran.err
    assert run("verify", "--index", copy).status == 0


def test_damaged_marks_are_named_and_a_build_leaves_them(
    run: Any, copy: Path, catalogue: Path
) -> None:
    set_mark(copy, ["1", "2"], KEEP)
    assert run("verify", "--index", copy).status == 0
    flip(copy / MARKS)
    damaged = (copy / MARKS).read_bytes()
    ran = run("verify", "--index", copy)
    assert ran.status == 1
    assert "is not what was written" in ran.err
    (values,) = run("verify", "--index", copy, "--json").lines
    assert not values["sound"]
    assert MARKS in values["marks"]
    assert run("build", catalogue, "--index", copy).status == 0
    assert (copy / MARKS).read_bytes() == damaged
