"""Delimited text in UTF-8 by Arrow's reader, several times as fast as the csv module.

That reader takes any text after a closing quote and any number of lines in a cell, and would lose
rows to a stray quote. So the quotes are checked on the way to it: where one is out of order, the
file is left to the reader that looks line by line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from fitting_room.catalogue.tables.records import Format, IrregularError
from fitting_room.catalogue.tables.table import MAX_ROWS, TableError

BLOCK_BYTES = 2**22
#: Rows of another width than the header that are put right one by one. More are left to the
#: reader that looks at each row anyway.
MAX_ODD_ROWS = 2_000

_QUOTE = ord('"')
_BREAKS = (ord("\n"), ord("\r"))

OddRow = tuple[int, list[str]]  # which row of the file, from 0, and its cells


class _CheckedQuotes(io.RawIOBase):
    """A stream that raises :class:`IrregularError` at a quote that neither opens nor closes a cell
    nor is doubled in one."""

    def __init__(self, file: BinaryIO, delimiter: str) -> None:
        self._file = file
        around = np.zeros(256, bool)
        around[[ord(delimiter), _QUOTE, *_BREAKS]] = True
        self._may_be_around = around  # a quote, outside its cell
        self._is_open = False
        self._last = _BREAKS[0]
        self.has_quotes = False

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        data = self._file.read(BLOCK_BYTES if size is None or size < 0 else size)
        self._check(np.frombuffer(data, np.uint8))
        return data

    def _check(self, block: np.ndarray) -> None:
        if not len(block):
            if self._is_open:
                raise IrregularError
            return
        if self._last == _QUOTE and not self._is_open and not self._may_be_around[block[0]]:
            raise IrregularError
        places = np.flatnonzero(block == _QUOTE)
        if len(places):
            self.has_quotes = True
            opening = places[int(self._is_open) :: 2]
            closing = places[1 - int(self._is_open) :: 2]
            before = np.where(opening > 0, block[opening - 1], self._last)
            after = block[closing[closing < len(block) - 1] + 1]
            if not (self._may_be_around[before].all() and self._may_be_around[after].all()):
                raise IrregularError
            self._is_open ^= bool(len(places) % 2)
        self._last = int(block[-1])


def quick_columns(
    file: BinaryIO, form: Format, width: int
) -> tuple[list[pa.ChunkedArray], list[OddRow]]:
    """The columns of the rows that have this width, and the other rows. ``file`` is UTF-8 and
    begins with the first row.

    Raises :class:`IrregularError` where the quotes of the file are not in order or may not be, and
    where rows of another width are many or are longer than :data:`BLOCK_BYTES`.
    """
    odd: list[OddRow] = []

    def keep(row: Any) -> str:
        cells = _cells(row.text, form) if row.text.strip() else []  # a blank line
        if cells is None or len(odd) == MAX_ODD_ROWS:
            return "error"
        odd.append((row.number - 1, cells))
        return "skip"

    names = [str(position) for position in range(width)]
    checked = _CheckedQuotes(file, form.delimiter)
    batches = []
    count = 0
    try:
        for batch in _open(checked, names, form.delimiter, keep):
            count += len(batch)
            if count > MAX_ROWS:
                raise TableError(f"more than {MAX_ROWS:,} rows. Split it into several catalogues.")
            if checked.has_quotes and _may_be_several(batch.columns, form.delimiter):
                raise IrregularError
            batches.append(batch)
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):  # as it calls one without rows
            raise IrregularError from error
    schema = pa.schema([(name, pa.large_string()) for name in names])
    return pa.Table.from_batches(batches, schema).columns, odd


def _open(
    file: _CheckedQuotes, names: list[str], delimiter: str, keep: Callable[[Any], str]
) -> Iterator[pa.RecordBatch]:
    """Batches of rows of text. ``keep`` is told of rows of another width."""
    import pyarrow.csv as arrow_csv

    # Only without threads the rows of another width have numbers.
    read = arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=BLOCK_BYTES)
    parse = arrow_csv.ParseOptions(
        delimiter=delimiter, newlines_in_values=True, invalid_row_handler=keep
    )
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False
    )
    yield from arrow_csv.open_csv(file, read, parse, convert)


def _cells(text: str, form: Format) -> list[str] | None:
    """The cells of one row, ``None`` for one of several lines."""
    if "\n" in text or "\r" in text:
        return None
    return next(csv.reader([text], **form.options))


def _may_be_several(columns: Sequence[pa.Array], delimiter: str) -> bool:
    """Whether a row has several lines, and as many delimiters as if each line were a row: then
    they may be rows after a stray quote."""
    breaks = np.maximum(_count(columns, "\n"), _count(columns, "\r"))
    if not breaks.any():
        return False
    as_rows = _count(columns, delimiter) == breaks * (len(columns) - 1)
    return bool((as_rows & (breaks > 0)).any())


def _count(columns: Sequence[pa.Array], sign: str) -> np.ndarray:
    """How often an ASCII sign occurs in each row."""
    total = np.zeros(len(columns[0]), np.int64)
    for cells in columns:
        _, offsets, text = cells.buffers()
        if text is None:
            continue
        ends = np.frombuffer(offsets, np.int64)[cells.offset : cells.offset + len(cells) + 1]
        places = np.flatnonzero(np.frombuffer(text, np.uint8) == ord(sign))
        if len(places):
            total += np.diff(np.searchsorted(places, ends))
    return total


def in_order(
    columns: Sequence[pa.ChunkedArray], odd: Sequence[OddRow], fitted: Sequence[Sequence[str]]
) -> list[pa.Array]:
    """All columns in the order of the file. ``odd`` are the numbers of the other rows, and
    ``fitted`` their cells, by column as wide as ``columns``."""
    count = len(columns[0]) + len(odd)
    is_odd = np.zeros(count, bool)
    is_odd[[number for number, _ in odd]] = True
    order = np.empty(count, np.int64)
    order[~is_odd] = np.arange(len(columns[0]))
    order[is_odd] = np.arange(len(columns[0]), count)
    merged = []
    for cells, other in zip(columns, zip(*fitted, strict=True), strict=True):
        chunks = [*cells.chunks, pa.array(other, pa.large_string())]
        merged.append(pa.concat_arrays(chunks).take(pa.array(order)))
    return merged
