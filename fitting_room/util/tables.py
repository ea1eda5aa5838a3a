"""Tables of text that are larger than the memory they may take: written to a temporary file some
rows at a time, and mapped.

A catalogue of ten million items is a table of some gigabytes. Mapped, it takes what is being looked
at, and :meth:`Table.release` lets go even of that.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

#: Rows that are looked at, or written, at once.
ROWS_AT_ONCE = 20_000


class Table:
    """A table ``frame``, held in memory or mapped from a file that nobody else sees and that is
    gone with it. A mapped table's rows lie in blocks of :data:`ROWS_AT_ONCE`; take slices of it
    (``iloc[start:end]``) rather than rows by their numbers, for which whole columns are copied."""

    def __init__(self, frame: pd.DataFrame, held: mmap.mmap | None = None) -> None:
        self.frame = frame
        self._held = held

    def __len__(self) -> int:
        return len(self.frame)

    def without(self, column: str) -> Table:
        """The table without a column."""
        return Table(self.frame.drop(columns=column), self._held)

    def blocks(self) -> Iterator[pd.DataFrame]:
        """The rows in their order, some at a time, each with the row numbers as its index."""
        for start in range(0, len(self.frame), ROWS_AT_ONCE):
            yield self.frame.iloc[start : start + ROWS_AT_ONCE]
            self.release()

    def release(self) -> None:
        """Let go of the memory of rows that were looked at, where the system can; they are read
        again when they are asked for."""
        if self._held is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._held.madvise(mmap.MADV_DONTNEED)

    def to_parquet(self, path: Path) -> None:
        """Write the table to a Parquet file."""
        schema = pa.Schema.from_pandas(self.frame.iloc[:0], preserve_index=False)
        with pq.ParquetWriter(path, schema) as writer:
            for block in self.blocks():
                writer.write_table(pa.Table.from_pandas(block, schema, preserve_index=False))


class TableWriter:
    """Writes a table of text ``columns``, block by block, to a temporary file. Left in good order
    it has a ``table``. Raises ``OSError`` where there is no room for temporary files."""

    table: Table

    def __init__(self, columns: Sequence[str]) -> None:
        self._schema = pa.schema([(column, pa.large_string()) for column in columns])

    def __enter__(self) -> TableWriter:
        self._file = tempfile.TemporaryFile(prefix="fitting-room-")
        self._writer = pa.ipc.new_file(self._file, self._schema)
        return self

    def append(self, block: pd.DataFrame) -> None:
        """Write some rows, which have the columns in their order."""
        rows = pa.Table.from_pandas(block, self._schema, preserve_index=False)
        self._writer.write_table(rows, max_chunksize=ROWS_AT_ONCE)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            self._writer.close()
            if kind is None:
                self._file.flush()
                held = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
                mapped = pa.ipc.open_file(pa.py_buffer(held)).read_all()
                self.table = Table(mapped.to_pandas(), held)


def keys_of(table: pd.DataFrame) -> np.ndarray:
    """A key for each row of some columns of text, bytes ``S16`` ``(N,)``, the same for equal rows
    and no others: their BLAKE2b digest."""
    from hashlib import blake2b

    columns = [[str(cell) for cell in table[column].tolist()] for column in table.columns]
    # A tuple as Python writes it has its cells told apart, and no character that is not UTF-8.
    rows = (repr(cells).encode() for cells in zip(*columns, strict=True))
    digests = (blake2b(row, digest_size=16).digest() for row in rows)
    return np.frombuffer(b"".join(digests), "S16")


class Lookup:
    """Rows by their keys, ``S16`` ``(N,)``, in 8 bytes a key beside the keys; a dict takes a
    hundred and more."""

    def __init__(self, keys: np.ndarray) -> None:
        self._keys = keys
        self._order = np.argsort(keys, kind="stable")

    def rows(self, wanted: np.ndarray) -> np.ndarray:
        """The first row that has each of the ``wanted`` keys, int64 ``(len(wanted),)``, -1 where
        none has."""
        if len(self._keys) == 0:
            return np.full(len(wanted), -1, np.int64)
        places = np.searchsorted(self._keys, wanted, sorter=self._order)
        found = self._order[np.minimum(places, len(self._keys) - 1)]
        return np.where(self._keys[found] == wanted, found, -1)
