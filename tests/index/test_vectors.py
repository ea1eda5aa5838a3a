"""How rows lie on disk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fitting_room.imaging.features import normalise
from fitting_room.index.vectors import (
    FLOAT16,
    FLOAT32,
    INT8,
    STORAGES,
    Rows,
    RowsWriter,
    release,
    stored,
    taken,
)

numbers = st.floats(-1, 1, width=32, allow_subnormal=False)
some_rows = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=numbers
)


def back(rows: np.ndarray, storage: str) -> np.ndarray:
    return Rows(*stored(rows, storage))[:]


@given(some_rows, st.sampled_from(STORAGES))
def test_rows_come_back_as_exactly_as_the_storage_allows(rows: np.ndarray, storage: str) -> None:
    found = back(rows, storage)
    assert found.dtype == np.float32
    most = np.abs(rows).max(axis=1, keepdims=True)
    # Of int8 half a step is rounding; giving the row its length back is sqrt(9) halves at most.
    bounds = {FLOAT32: 0 * most, FLOAT16: most * 2**-11 + 2**-24, INT8: 2 * most / 127 + 1e-7}
    assert (np.abs(found - rows) <= bounds[storage] * (1 + 1e-5)).all()


@given(some_rows, st.sampled_from(STORAGES))
def test_storing_again_what_was_read_changes_nothing(rows: np.ndarray, storage: str) -> None:
    once = back(rows, storage)
    values, _ = stored(rows, storage)
    again, _ = stored(once, storage)
    np.testing.assert_array_equal(again, values)


@pytest.mark.parametrize(("storage", "least"), [(FLOAT16, 0.9999999), (INT8, 0.9998)])
def test_a_direction_is_kept(storage: str, least: float) -> None:
    rows = normalise(np.random.default_rng(0).normal(size=(100, 128)))
    assert (normalise(back(rows, storage)) * rows).sum(axis=1).min() >= least


@pytest.mark.parametrize("storage", STORAGES)
def test_a_row_keeps_its_length(storage: str) -> None:
    rows = normalise(np.random.default_rng(0).normal(size=(500, 128)))
    lengths = np.linalg.norm(back(rows, storage), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-3 if storage == FLOAT16 else 2e-5)


def test_some_rows_are_taken_out_like_those_of_an_array() -> None:
    rows = normalise(np.random.default_rng(0).normal(size=(7, 5)))
    kept = Rows(*stored(rows, INT8))
    everything = np.asarray(kept)
    for some in (3, slice(2, 5), np.array([6, 0, 6]), np.arange(7) % 2 == 0):
        np.testing.assert_array_equal(kept[some], everything[some])
    assert kept.shape == (7, 5)
    assert len(kept) == 7


@pytest.mark.parametrize(("count", "width"), [(10, None), (10, 4), (70_001, 3)])
def test_blocks_make_one_file(tmp_path: Path, count: int, width: int | None) -> None:
    shape = (count,) if width is None else (count, width)
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with RowsWriter(tmp_path / "rows.npy", np.float32, count, width) as writer:
        for block in np.array_split(rows, 3):
            writer.append(block)
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy", mmap_mode="r"), rows)


def test_a_file_of_too_few_rows_or_of_others_is_an_error(tmp_path: Path) -> None:
    few = RowsWriter(tmp_path / "rows.npy", np.float32, 3, 2)
    with pytest.raises(ValueError, match="2 rows for 3 items"), few:
        few.append(np.zeros((2, 2), np.float32))
    other = RowsWriter(tmp_path / "rows.npy", np.float32, 3, 2)
    with pytest.raises(ValueError, match="for a file of"), other:
        other.append(np.zeros((3, 5), np.float32))


@pytest.mark.parametrize("count", [0, 1, 5, 2_500])
def test_some_rows_are_gathered_a_few_at_a_time(tmp_path: Path, count: int) -> None:
    rows = np.random.default_rng(0).random((3_000, 4), np.float32)
    np.save(tmp_path / "rows.npy", rows)
    wanted = np.random.default_rng(1).permutation(3_000)[:count]
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for some in (rows, mapped, Rows(mapped)):
        np.testing.assert_array_equal(taken(some, wanted), rows[wanted])


def test_rows_that_were_let_go_are_read_again(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((5_000, 40), np.float32)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for array in (mapped, mapped[3:], Rows(mapped.view()), rows):
        before = np.array(array[:10])
        release(array)
        np.testing.assert_array_equal(array[:10], before)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_rows_that_were_let_go_take_no_memory(tmp_path: Path) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    np.save(tmp_path / "rows.npy", np.ones((4_000, 4_096), np.float32))  # 64 MB
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    before = resident()
    assert mapped.sum() > 0
    assert resident() - before > 48 * 2**20
    release(mapped)
    assert resident() - before < 16 * 2**20
