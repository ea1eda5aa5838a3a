"""A damaged index is refused, or answers as before: never anything else."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitting_room.index import ann, data, items_file
from fitting_room.index.arrays import MAX_HEADER, form_of
from fitting_room.index.data import current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import DESCRIPTORS, ITEMS, MANIFEST, VECTORS, IndexUnusable
from fitting_room.index.salvage import salvage
from fitting_room.index.verifier import Verifier
from tests.index.damage import KINDS, REFUSED, SAME, answers, forge, make, outcomes
from tests.index.made import random_rows, write


@pytest.fixture(autouse=True)
def _candidates_in_small_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ann, "FEW_ITEMS", 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an index that no test changes for good."""
    return make(tmp_path_factory.mktemp("made") / "index", "float32")


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_told_or_changes_nothing(kind: str, tmp_path: Path) -> None:
    seen = Counter(outcomes(make(tmp_path / "index", kind), 25, seed=1))
    assert {what for _, what in seen} <= {SAME, REFUSED}, seen
    assert sum(seen.values()) > 100


@pytest.mark.parametrize("kind", ["pca", "network", "ann"])
def test_whoever_writes_right_checksums_causes_no_traceback_either(
    kind: str, tmp_path: Path
) -> None:
    """What he writes is an index of his own, with answers of its own."""
    seen = Counter(outcomes(make(tmp_path / "index", kind), 10, seed=2, forged=True))
    assert not [what for _, what in seen if what.startswith("TRACEBACK")], seen


# --- headers ----------------------------------------------------------------------------------


def test_a_header_is_read_or_refused_at_any_changed_byte(tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    np.save(path, np.zeros((12, 5), np.float32))
    whole = path.read_bytes()[:MAX_HEADER]
    assert form_of(whole) == ("<f4", False, (12, 5), 128)
    for place in range(128):
        for bit in range(8):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            try:
                form = form_of(bytes(changed))
            except ValueError:
                continue
            assert form != ("<f4", False, (12, 5), 128)  # which is compared with what is expected


@pytest.mark.parametrize("shape", [(), (7,), (7, 1), (2, 3)])
def test_every_shape_that_numpy_writes_is_read(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "array.npy"
    np.save(path, np.zeros(shape, np.uint8))
    form = form_of(path.read_bytes()[:MAX_HEADER])
    assert (form.kind, form.shape, form.end) == ("|u1", shape, path.stat().st_size)


# --- the items' table ---------------------------------------------------------------------------


def test_a_small_table_that_stands_for_gigabytes_is_refused(tmp_path: Path) -> None:
    count, folder = 5_000, tmp_path / "index"
    write(folder, random_rows(0, count, 2))
    path = current_version(folder) / ITEMS
    ids = pa.array([str(i) for i in range(count)])
    image = pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), ["x" * 655_360])
    pq.write_table(pa.table({"id": ids, "image": image}), path, store_schema=False)
    assert path.stat().st_size < 1_000_000
    forge(path.parent, ITEMS)
    before = pa.default_memory_pool().max_memory()
    with pytest.raises(IndexUnusable, match="would hold 3,2"):
        Index.open(folder)
    assert pa.default_memory_pool().max_memory() - before < 100e6


@pytest.mark.parametrize("packing", ["zstd", "gzip", "brotli"])
def test_a_table_that_is_packed_more_tightly_than_ours_is_refused(
    made: Path, packing: str, tmp_path: Path
) -> None:
    path = tmp_path / ITEMS
    table = pq.read_table(current_version(made) / ITEMS)
    pq.write_table(table, path, compression=packing)
    with pytest.raises(ValueError, match="packed in another way"):
        items_file.read_items(path, table.num_rows, table.num_rows)


def test_a_table_of_other_things_than_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ITEMS
    pq.write_table(pa.table({"id": ["a"], "image": ["b"], "more": [[1, 2]]}), path)
    with pytest.raises(ValueError, match="other things than text"):
        items_file.read_items(path, 1, 1)


# --- large files ------------------------------------------------------------------------------


@pytest.fixture
def large(made: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Arrays count as large. Gives a function that flips a bit of a file; afterwards all are as
    they were."""
    monkeypatch.setattr(data, "CHECKED_AT_ONCE", 0)
    version = current_version(made)
    whole = {name: (version / name).read_bytes() for name in (VECTORS, DESCRIPTORS)}

    def flip(name: str, place: int, bit: int = 0) -> None:
        changed = bytearray(whole[name])
        changed[place] ^= 1 << bit
        (version / name).write_bytes(changed)

    yield flip
    for name, content in whole.items():
        (version / name).write_bytes(content)


def query(seed: int = 3) -> np.ndarray:
    return random_rows(seed, 1, 12)


@pytest.mark.parametrize("name", [VECTORS, DESCRIPTORS])
def test_after_the_first_answer_damage_ends_the_use_of_an_index(
    made: Path, large: Any, name: str
) -> None:
    large(name, 300)  # of a number's last bits: the answer is all but the same
    index = Index.open(made)
    assert index.data.verifier is not None
    assert set(index.data.verifier.files) == {VECTORS, DESCRIPTORS}
    index.search(query(), 3)
    for _ in range(2):
        with pytest.raises(IndexUnusable, match=f"{name} is not what was written.*Build it again"):
            index.wait_until_verified()
    for use in (lambda: index.search(query(), 3), index.verify, index.require_sound):
        with pytest.raises(IndexUnusable, match="damaged"):
            use()
    with pytest.raises(IndexUnusable, match="damaged"):
        index.similarities(index.features(np.array([0]))[0], np.array([1]))


def test_a_sound_index_is_read_once_and_stays_in_use(made: Path, large: Any) -> None:
    index = Index.open(made)
    (before,) = index.search(query(), 3)
    index.wait_until_verified()
    index.wait_until_verified()
    (after,) = index.search(query(), 3)
    np.testing.assert_array_equal(before.rows, after.rows)


def test_a_row_that_is_like_everything_is_found_in_the_first_answer(made: Path, large: Any) -> None:
    """A flipped exponent made a likeness of 1.0 to every query."""
    found = 0
    for number in range(40):
        large(VECTORS, 128 + 4 * number * 7 + 3, 6)
        index = Index.open(made)
        try:
            index.search(query(), 120)
        except IndexUnusable:
            found += 1
            with pytest.raises(IndexUnusable):  # and it is remembered
                index.require_sound()
    assert found == 40


def test_what_is_no_number_is_found(made: Path, large: Any) -> None:
    version = current_version(made)
    content = bytearray((version / VECTORS).read_bytes())
    content[128 + 48 : 128 + 52] = np.float32(np.nan).tobytes()
    (version / VECTORS).write_bytes(content)
    with pytest.raises(IndexUnusable, match="damaged"):
        Index.open(made).search(query(), 3)


def test_files_that_a_newer_version_took_the_place_of_are_no_damage(tmp_path: Path) -> None:
    folder = make(tmp_path / "index", "float32")
    entries = Index.open(folder).manifest.files
    verifier = Verifier(folder, tmp_path / "gone", entries)
    verifier.wait()
    assert verifier.damage is None


def test_verifying_stops(made: Path, large: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def digest(self: Verifier, path: Path) -> str:
        reading.set()
        assert go_on.wait(20)
        return "wrong"

    monkeypatch.setattr(Verifier, "_digest", digest)
    index = Index.open(made)
    index.start_verifying()
    verifier = index.data.verifier
    assert verifier is not None
    assert reading.wait(20)
    verifier._stopped.set()
    go_on.set()
    verifier.stop()
    assert verifier.damage is None


# --- what is left of a damaged index --------------------------------------------------------------


def test_what_is_sound_of_an_index_is_told_file_by_file(tmp_path: Path) -> None:
    folder = make(tmp_path / "index", "head")
    version = current_version(folder)
    assert salvage(folder).faults == {}
    for name, reusable, head in (
        ("trained.npy", True, True),
        ("map.npy", True, True),
        ("head.safetensors", True, False),
        (VECTORS, False, True),
        (ITEMS, False, True),
        (MANIFEST, False, False),
    ):
        whole = (version / name).read_bytes()
        (version / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) + b" ")
        found = salvage(folder)
        (version / name).write_bytes(whole)
        assert list(found.faults) == [name]
        assert (found.index is not None, found.head is not None) == (reusable, head), name
    assert answers(folder)
