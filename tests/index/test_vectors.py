"""How rows lie on disk."""

from __future__ import annotations

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
    PCA,
    STORAGES,
    Rows,
    mapped_array,
    mapped_rows,
    new_array,
    stored,
)

numbers = st.floats(-1, 1, width=32, allow_subnormal=False)
some_rows = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=numbers
)


def back(rows: np.ndarray, storage: str) -> np.ndarray:
    return Rows(*stored(rows, storage))[:]


@given(some_rows, st.sampled_from(STORAGES))
def test_rows_come_back_as_exactly_as_the_storage_allows(rows: np.ndarray, storage: str) -> None:
    read = back(rows, storage)
    assert read.dtype == np.float32
    most = np.abs(rows).max(axis=1, keepdims=True)
    # Of int8 half a step is rounding; giving the row its length back is sqrt(9) halves at most.
    bounds = {FLOAT32: 0 * most, FLOAT16: most * 2**-11 + 2**-24, INT8: 2 * most / 127 + 1e-7}
    assert (np.abs(read - rows) <= bounds[storage] * (1 + 1e-5)).all()


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


@pytest.mark.parametrize("storage", STORAGES)
def test_rows_are_written_block_by_block_and_mapped(tmp_path: Path, storage: str) -> None:
    rows = normalise(np.random.default_rng(0).normal(size=(10, 4)))
    path = tmp_path / "rows.npy"
    writable = mapped_rows(path, storage, rows.shape, new_array)
    for start in range(0, 10, 4):
        writable[start : start + 4] = rows[start : start + 4]
    del writable
    assert (tmp_path / "rows-scales.npy").exists() == (storage == INT8)
    mapped = mapped_rows(path, storage, rows.shape)
    np.testing.assert_array_equal(mapped[:], back(rows, storage))
    with pytest.raises(ValueError, match=r"rows\.npy holds \w+ \(10, 4\)"):
        mapped_rows(path, storage, (10, 5))
    with pytest.raises(ValueError, match=r"rows\.npy holds"):
        mapped_array(path, np.uint16, (10, 4))


# --- reduction --------------------------------------------------------------------------------


@given(st.integers(0, 2**16), st.integers(2, 9))
def test_what_all_directions_are_kept_of_is_restored(seed: int, dimension: int) -> None:
    generator = np.random.default_rng(seed)
    rows = normalise(generator.normal(0.3, 1, (24, dimension)))
    pca = PCA.fit(rows, dimension)
    np.testing.assert_allclose(pca.restored(pca(rows)), rows, atol=2e-3)


def test_what_few_directions_are_kept_of_is_restored_nearly() -> None:
    generator = np.random.default_rng(0)
    few = generator.normal(size=(200, 3)) @ generator.normal(size=(3, 12))
    rows = normalise(few + generator.normal(0, 0.05, few.shape) + 6)
    pca = PCA.fit(rows, 3)
    restored = pca.restored(pca(rows))
    np.testing.assert_allclose(np.linalg.norm(restored, axis=1), 1, rtol=1e-5)
    assert np.einsum("nd,nd->n", restored, rows).min() > 0.9
