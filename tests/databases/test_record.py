"""What a database keeps of an index beside its rows, which anybody may have written."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fitting_room.databases import record as records
from fitting_room.databases.record import STATISTICS_FILE, Statistics, make_record, open_record
from fitting_room.index.codes import ENCODER_FILE, JointEncoder
from fitting_room.index.data import CURRENT
from fitting_room.index.index import Index
from fitting_room.index.manifest import MANIFEST, VECTORS, Counts, IndexUnusable
from tests.index.made import write

#: Changes the files of a record, by their names.
Change = Callable[[dict[str, bytes]], None]


@pytest.fixture
def sample(tmp_path: Path) -> Index:
    vectors = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    return write(tmp_path / "sample", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@pytest.fixture
def statistics() -> Statistics:
    counts = Counts(rows=40, items=30, pictures=30)
    return Statistics(counts, 30, {"colour": {"Rot": 20, "Bläu": 10}}, ["shirt"])


@pytest.fixture
def record(sample: Index, statistics: Statistics) -> bytes:
    encoder = JointEncoder.learn(sample.store.block(np.arange(30)))
    return make_record(sample, encoder, statistics)


def changed(record: bytes, change: Change) -> bytes:
    with zipfile.ZipFile(io.BytesIO(record)) as file:
        files = {name: file.read(name) for name in file.namelist()}
    change(files)
    return zipped(files)


def zipped(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return archive.getvalue()


def test_what_was_kept_is_opened_again(
    record: bytes, sample: Index, statistics: Statistics, tmp_path: Path
) -> None:
    opened, encoder, kept = open_record(record, place(tmp_path))
    assert kept == statistics
    assert list(kept.values["colour"]) == ["Rot", "Bläu"]
    assert opened.items.equals(sample.items)
    assert np.array_equal(opened.vectors[:], sample.vectors[:])
    assert encoder.embedding.shape == (8, 8)


def test_a_sample_keeps_no_file_beside_it(record: bytes, sample: Index) -> None:
    assert record
    assert not (sample.folder / ENCODER_FILE).exists()


def place(folder: Path) -> Path:
    (folder / "opened").mkdir()
    return folder / "opened"


def _rename(old: str, new: str) -> Change:
    return lambda files: files.update({new: files.pop(old)})


def _say(name: str, data: bytes) -> Change:
    return lambda files: files.update({name: data})


def _statistics(**values: object) -> Change:
    def change(files: dict[str, bytes]) -> None:
        said = json.loads(files[STATISTICS_FILE])
        files[STATISTICS_FILE] = json.dumps({**said, **values}).encode()

    return change


@pytest.mark.parametrize(
    "change",
    [
        _say("../outside.txt", b"x"),
        _say("/tmp/outside.txt", b"x"),
        _say("notes.txt", b"x"),
        _rename(MANIFEST, "manifest.txt"),
        lambda files: files.pop(ENCODER_FILE),
        lambda files: files.pop(CURRENT),
        lambda files: files.pop(VECTORS),
        _say(CURRENT, b"../../elsewhere"),
        _say(CURRENT, b"v-000000000000\n" + b"x" * 1_000),
        _say(MANIFEST, b"{"),
        _say(VECTORS, b"\x93NUMPY"),
        _say(ENCODER_FILE, b"no tensors"),
        _say(STATISTICS_FILE, b"[]"),
        _say(STATISTICS_FILE, b"[" * 100_000),
        _say(STATISTICS_FILE, b"\xff"),
        _statistics(counts={"rows": "many"}),
        _statistics(counts={"rows": -1, "items": 1, "pictures": 1}),
        _statistics(next_row=None),
        _statistics(values=[1, 2]),
        _statistics(values={"colour": {"Red": "many"}}),
        _statistics(words=3),
    ],
)
def test_a_record_of_other_things_is_refused(record: bytes, change: Change, tmp_path: Path) -> None:
    folder = place(tmp_path)
    with pytest.raises((ValueError, IndexUnusable)):
        open_record(changed(record, change), folder)
    assert not list(tmp_path.parent.rglob("outside.txt"))


@pytest.mark.parametrize("kept", [0, 10, 1_000, -20, -1])
def test_a_record_that_was_cut_is_refused(record: bytes, kept: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be unpacked"):
        open_record(record[:kept], place(tmp_path))


def test_a_damaged_byte_is_seen(record: bytes, tmp_path: Path) -> None:
    for number, at in enumerate(range(100, len(record) - 2_000, len(record) // 7)):
        damaged = bytearray(record)
        damaged[at] ^= 0xFF
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises((ValueError, IndexUnusable)):
            open_record(bytes(damaged), folder)


def test_too_much_is_not_unpacked(
    record: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MAX_UNPACKED", 2**20)
    bomb = changed(record, _say(VECTORS, bytes(2**21)))
    assert len(bomb) < 2**17
    folder = place(tmp_path)
    with pytest.raises(ValueError, match="more than"):
        open_record(bomb, folder)
    assert not list(folder.iterdir())
    monkeypatch.setattr(records, "MAX_RECORD", 100)
    with pytest.raises(ValueError, match="at most"):
        open_record(record, folder)


def test_a_name_that_is_there_twice_is_refused(record: bytes, tmp_path: Path) -> None:
    archive = io.BytesIO(record)
    with pytest.warns(UserWarning), zipfile.ZipFile(archive, "a") as file:
        file.writestr(CURRENT, "v-000000000000")
    with pytest.raises(ValueError, match="other files"):
        open_record(archive.getvalue(), place(tmp_path))
