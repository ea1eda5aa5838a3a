"""How the rows of an index lie on disk: as float32, or shorter and a little less exact.

``float16`` keeps 11 bits of each number. ``int8`` keeps 8, which take the row's greatest absolute
value to 127, and one scale a row, which gives the row its length back: a row a little too long
would seem a little more like everything. Storing what was read back changes nothing any more.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
#: From the most exact to the least.
STORAGES = (FLOAT32, FLOAT16, INT8)
KINDS: Mapping[str, type[np.generic]] = {FLOAT32: np.float32, FLOAT16: np.float16, INT8: np.int8}
#: Rows that are gathered at once from a mapped file.
TAKEN_AT_ONCE = 256
#: Bytes that are written at once. Linux keeps in one piece what was written in one, and maps the
#: whole piece where a row of it is asked for: up to 2 MB for 5 KB.
WRITTEN_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows ``(N, D)`` of another kind than float32, which are float32 once they are taken out:
    ``rows[some]``. ``scales`` is float32 ``(N,)`` for int8."""

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

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype)


#: Rows of float32, or ones that are as soon as they are taken out.
Matrix = np.ndarray | Rows


def release(*arrays: Matrix) -> None:
    """Let go of the memory of mapped arrays that were read, where the system can: it counts as the
    process's own until somebody else needs it. They are read again when they are asked for."""
    for array in arrays:
        held: Any = array.raw if isinstance(array, Rows) else array
        while isinstance(held, np.ndarray):
            held = held.base
        if isinstance(held, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            held.madvise(mmap.MADV_DONTNEED)


def taken(rows: Matrix, wanted: np.ndarray) -> np.ndarray:
    """Some rows of a large file, ``wanted`` by their numbers, gathered a few at a time: the system
    maps much around each."""
    parts = [np.asarray(rows[:0])]
    for start in range(0, len(wanted), TAKEN_AT_ONCE):
        parts.append(np.asarray(rows[wanted[start : start + TAKEN_AT_ONCE]]))
        release(rows)
    return np.concatenate(parts)


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


class RowsWriter:
    """Writes rows to a ``.npy`` file one block after the other, through the system's cache and not
    through mapped memory, which would count as the process's own. Left before ``count`` rows were
    written, it raises ``ValueError``."""

    def __init__(self, path: Path, kind: type[np.generic], count: int, width: int | None) -> None:
        self._path, self._kind = path, np.dtype(kind)
        self._shape = (count,) if width is None else (count, width)
        self._written = 0

    def __enter__(self) -> RowsWriter:
        self._file = self._path.open("wb")
        header = {
            "descr": np.lib.format.dtype_to_descr(self._kind),
            "fortran_order": False,
            "shape": self._shape,
        }
        np.lib.format.write_array_header_1_0(self._file, header)
        return self

    def append(self, rows: np.ndarray) -> None:
        """Write some rows; they are converted to the file's kind."""
        if rows.shape[1:] != self._shape[1:]:
            raise ValueError(f"rows of {rows.shape[1:]} for a file of {self._shape[1:]}")
        data = np.ascontiguousarray(rows, self._kind).reshape(-1).view(np.uint8).data
        for start in range(0, len(data), WRITTEN_AT_ONCE):
            self._file.write(data[start : start + WRITTEN_AT_ONCE])
        self._written += len(rows)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        if kind is None and self._written != self._shape[0]:
            raise ValueError(f"{self._written} rows for {self._shape[0]} items")
