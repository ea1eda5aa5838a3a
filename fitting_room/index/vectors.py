"""How the rows of an index lie on disk, and how they are reduced before.

Rows are float32, or shorter and a little less exact: ``float16`` keeps 11 bits of each number,
``int8`` 8 bits and one scale a row, which gives the row its length back, since a row a little too
long would seem a little more like everything. Storing what was read back changes nothing any more.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.imaging.features import normalise
from fitting_room.index.arrays import arrays_of, require_form
from fitting_room.util.linear import principal_directions

FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
#: From the most exact to the least.
STORAGES = (FLOAT32, FLOAT16, INT8)
KINDS: Mapping[str, type[np.generic]] = {FLOAT32: np.float32, FLOAT16: np.float16, INT8: np.int8}

#: Bounds of a reduction that is read: its file, and its numbers, which are at most 1 but for what
#: rounding adds.
MAX_PCA_BYTES, LONGEST_NUMBER = 2**30, 1.01


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows ``(N, D)`` of another kind than float32, which are float32 once they are taken out.
    ``scales`` is float32 ``(N,)`` for int8."""

    raw: np.ndarray
    scales: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.raw.shape

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, rows: Any) -> np.ndarray:
        values = np.asarray(self.raw[rows]).astype(np.float32)
        if self.scales is not None:
            values *= np.asarray(self.scales[rows])[..., None]
        return values

    def __setitem__(self, rows: slice, values: np.ndarray) -> None:
        self.raw[rows], scales = stored(values, FLOAT16 if self.scales is None else INT8)
        if self.scales is not None:
            self.scales[rows] = scales

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype)


_Opener = Callable[[Path, type[np.generic], tuple[int, ...]], np.ndarray]
#: Rows of float32, or ones that are as soon as they are taken out.
Matrix = np.ndarray | Rows


def stored(values: np.ndarray, storage: str) -> tuple[np.ndarray, np.ndarray | None]:
    """float32 rows as they are stored, and their scales where the storage has some."""
    if storage != INT8:
        return values.astype(KINDS[storage], copy=False), None
    steps = np.abs(values).max(axis=1) / np.float32(127)
    steps = np.where(steps > 0, steps, 1).astype(np.float32)
    rounded = np.rint(values / steps[:, None]).astype(np.int8)
    lengths = [np.linalg.norm(rows.astype(np.float64), axis=1) for rows in (values, rounded)]
    scales = (lengths[0] / np.maximum(lengths[1], 1)).astype(np.float32)
    # With 16 bits of it left, products with 8 bits are exact, and so is what comes of them.
    scales = ((scales.view(np.uint32) + 0x80) & np.uint32(0xFFFFFF00)).view(np.float32)
    return rounded, np.where(scales > 0, scales, 1).astype(np.float32)


def new_array(path: Path, kind: type[np.generic], shape: tuple[int, ...]) -> np.ndarray:
    """An array on disk, mapped to be written. Its place on the disk is taken at once: a disk that
    is full would otherwise end the process when a row is written. Raises ``OSError``."""
    array = np.lib.format.open_memmap(path, "w+", np.dtype(kind), shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # a system without it
                    raise OSError(error.errno, error.strerror, str(path)) from error
    return array


def mapped_array(path: Path, kind: type[np.generic], shape: tuple[int, ...]) -> np.ndarray:
    """An array on disk, mapped. Raises ``ValueError`` where the file holds anything else, also by
    one byte of its header, and ``OSError``."""
    start = require_form(path, kind, shape)
    return np.memmap(path, kind, "r", start, shape)


def mapped_rows(
    path: Path, storage: str, shape: tuple[int, int], array: _Opener = mapped_array
) -> Matrix:
    """Rows ``(N, D)`` on disk, mapped, or with :func:`new_array` to be written by ``rows[start:end]
    = block``, float32. Raises ``ValueError`` where the files hold anything else."""
    raw = array(path, KINDS[storage], shape)
    if storage == FLOAT32:
        return raw
    # Of 8 bits, the scales have a file of their own.
    scales = path.with_name("scales.npy" if path.stem == "vectors" else f"{path.stem}-scales.npy")
    if storage != INT8:
        return Rows(raw)
    of_rows = array(scales, np.float32, shape[:1])
    # Of unit rows they are below 1 / 127, of rows of zeros 1. Those to be written are 0 yet.
    if array is mapped_array and not ((of_rows > 0) & (of_rows <= 1)).all():
        raise ValueError(f"{scales.name} holds other things than scales")
    return Rows(raw, of_rows)


def release(*arrays: Matrix | None) -> None:
    """Let the system take back the memory of mapped arrays. A pass over all rows of a large index
    would otherwise count whole files as the process's memory; what is on disk stays the same."""
    for array in arrays:
        mapping: Any = getattr(getattr(array, "raw", array), "_mmap", None)
        if hasattr(mapping, "madvise"):  # Windows has none
            mapping.madvise(mmap.MADV_DONTNEED)


class ReductionError(ValueError):
    """A PCA to more dimensions than there are pictures or numbers in an embedding."""


@dataclass(frozen=True, slots=True, eq=False)
class PCA:
    """A linear reduction: ``x -> normalise((x - mean) @ components.T)``. ``components`` is float32
    ``(d, D)``, ``mean`` ``(D,)``; ``fitted_on`` counts the embeddings it was learned from."""

    mean: np.ndarray
    components: np.ndarray
    fitted_on: int

    @classmethod
    def fit(cls, vectors: np.ndarray, dimension: int) -> PCA:
        """Learn the ``dimension`` directions of greatest variance. Raises
        :class:`ReductionError` when there are fewer embeddings, or they have fewer dimensions."""
        if dimension < 1 or dimension > min(vectors.shape):
            raise ReductionError(
                f"--pca {dimension} needs at least that many pictures, of at least that many "
                f"dimensions; there are {vectors.shape[0]} of {vectors.shape[1]}."
            )
        mean = np.asarray(vectors.mean(axis=0), np.float32)
        return cls(mean, principal_directions(vectors, dimension), len(vectors))

    @classmethod
    def load(cls, path: Path) -> PCA:
        """Read what :meth:`save` wrote. Raises ``ValueError``, ``BadZipFile`` or ``OSError``."""
        arrays = arrays_of(path, MAX_PCA_BYTES, ("mean", "components", "fitted_on"))
        mean, components, fitted_on = arrays.values()
        sound = mean.ndim == 1 and components.ndim == 2 and fitted_on.shape == ()
        if not sound or components.shape[1] != len(mean) or fitted_on.dtype.kind not in "iu":
            raise ValueError(f"{path.name} holds other things than a reduction")
        for numbers in (mean, components):
            # Of unit vectors and unit directions. Written so that it is false of what is no number.
            if numbers.dtype != np.float32 or not (np.abs(numbers) <= LONGEST_NUMBER).all():
                raise ValueError(f"{path.name} holds other numbers than a reduction has")
        return cls(mean, components, int(fitted_on))

    def save(self, path: Path) -> None:
        np.savez(path, mean=self.mean, components=self.components, fitted_on=self.fitted_on)

    @property
    def dimension(self) -> int:
        return len(self.components)

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        return normalise((vectors - self.mean) @ self.components.T)

    def restored(self, reduced: np.ndarray) -> np.ndarray:
        """What unit rows were reduced from, float32 ``(N, D)``, but for the directions left out:
        the unit row ``mean + r * (reduced @ components)``."""
        along = reduced @ self.components
        inner = along @ self.mean
        # |mean + r along|^2 = 1, where the components are orthonormal and so |along| = 1.
        rest = np.maximum(inner**2 + 1 - self.mean @ self.mean, 0)
        return normalise(self.mean + (np.sqrt(rest) - inner)[:, None] * along)
