"""Delimited text: commas, semicolons, tabs or bars, in any encoding.

Arrow or the csv module reads it. What is ours is what no reader does: a row with unquoted commas
in a name that stands last is put together again, a quote that is never closed costs one row, single
bytes that are not UTF-8 cost none, and rows with too few or too many cells are named.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from fitting_room.catalogue.schema import MAX_COLUMNS, NAME_COLUMNS, UNDECODED, as_windows_1252
from fitting_room.catalogue.tables.dialect import HEAD_CHARACTERS, Dialect, find_dialect
from fitting_room.catalogue.tables.encodings import Encoding, find_encoding
from fitting_room.catalogue.tables.opening import OpenFile, opened
from fitting_room.catalogue.tables.quick import OddRow, in_order, quick_columns
from fitting_room.catalogue.tables.records import (
    Format,
    IrregularError,
    Record,
    careful_records,
    lines_of,
    regular_rows,
)
from fitting_room.catalogue.tables.table import (
    Columns,
    Rows,
    SourceTable,
    TableError,
    check_header,
    in_blocks,
)

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_NAMES = frozenset(name.lower() for name in NAME_COLUMNS)


def read_delimited(open_file: OpenFile, must_fit: bool = False) -> SourceTable:
    """A table of delimited text. ``must_fit``: it may as well be a text that is no table, and is
    refused unless it looks like one.

    Raises :class:`TableError`.
    """
    encoding = find_encoding(open_file)
    dialect = _dialect(open_file, encoding)
    if must_fit and not _looks_like_table(dialect):
        raise TableError("this text is no table: its lines do not have the same number of cells.")
    header = check_header(_names(dialect))
    rows = _read(open_file, encoding, dialect, header)
    cells, notes = rows.columns.finish()
    said = [encoding.note] if encoding.note else []
    return SourceTable(
        cells, dict(rows.repaired), dict(rows.unusable), (*said, *dialect.notes, *notes)
    )


def delimited_columns(open_file: OpenFile) -> list[str]:
    """The names of the header, without those that have none."""
    encoding = find_encoding(open_file, head_only=True)
    return [name for name in check_header(_names(_dialect(open_file, encoding))) if name]


def _dialect(open_file: OpenFile, encoding: Encoding) -> Dialect:
    with opened(open_file) as file:
        text = encoding.text_of(file)
        head = text.read(HEAD_CHARACTERS)
        return find_dialect(head, is_whole=not text.read(1))


def _looks_like_table(dialect: Dialect) -> bool:
    """Whether a text is a table beyond doubt: prose has lines with as many commas, too."""
    enough_rows = dialect.rows >= (1 if dialect.form.delimiter == "\t" else 2)
    short_names = all(0 < len(cell.strip()) <= 60 for cell in dialect.header)
    return len(dialect.header) > 1 and enough_rows and short_names and dialect.fit >= 0.9


def _names(dialect: Dialect) -> list[str]:
    names = [as_windows_1252(cell) for cell in dialect.header]
    if any(_CONTROL.search(name) for name in names):
        raise TableError("the first line is no text. Is this a table?")
    return names


def _read(
    open_file: OpenFile, encoding: Encoding, dialect: Dialect, header: list[str]
) -> _TableRows:
    """The rows by the quickest reader that does for this file."""
    for read in (_read_quickly, _read_regular, _read_carefully):
        rows = _TableRows(header, dialect.form.delimiter, encoding.is_lax)
        try:
            with opened(open_file) as file:
                read(rows, file, encoding, dialect)
        except IrregularError:
            continue
        break
    return rows


def _read_quickly(rows: _TableRows, file: BinaryIO, encoding: Encoding, dialect: Dialect) -> None:
    form = dialect.form
    is_plain = form == Format(form.delimiter) and form.delimiter.isascii()
    if encoding.codec != "utf-8-sig" or encoding.is_lax or not is_plain:
        raise IrregularError
    if not 1 < len(rows.header) <= MAX_COLUMNS:
        raise IrregularError
    _skip_lines(file, dialect.lines)
    rows.add_columns(*quick_columns(file, form, len(rows.header)))


def _skip_lines(file: BinaryIO, count: int) -> None:
    """Leave a file where so many lines of its text end."""
    for _ in range(count):
        while (sign := file.read(1)) not in (b"\n", b""):
            if sign == b"\r":
                if file.peek(1)[:1] == b"\n":  # type: ignore[attr-defined]
                    file.read(1)
                break


def _read_regular(rows: _TableRows, file: BinaryIO, encoding: Encoding, dialect: Dialect) -> None:
    form = dialect.form
    for block in regular_rows(_lines(file, encoding, dialect), form, len(rows.header)):
        rows.add_block([form.cells(row) for row in block] if form.backslash else block)


def _read_carefully(rows: _TableRows, file: BinaryIO, encoding: Encoding, dialect: Dialect) -> None:
    form, width = dialect.form, len(rows.header)
    records = careful_records(_lines(file, encoding, dialect), form, width)
    while some := list(islice(records, in_blocks(width))):
        rows.add_records((form.cells(cells), repair, end) for cells, repair, end in some)


def _lines(file: BinaryIO, encoding: Encoding, dialect: Dialect) -> Iterator[str]:
    return islice(lines_of(encoding.text_of(file)), dialect.lines, None)


class _TableRows:
    """Rows of any width, made to fit the header."""

    def __init__(self, header: list[str], delimiter: str, is_lax: bool) -> None:
        self.header = header
        self.columns = Columns(header)
        self.repaired: Rows = defaultdict(list)
        self.unusable: Rows = defaultdict(list)
        self._width = len(header)
        self._delimiter = delimiter
        self._is_lax = is_lax
        self._last_is_name = header[-1].lower() in _NAMES

    def add_columns(self, columns: list[pa.ChunkedArray], odd: list[OddRow]) -> None:
        """Add all rows: columns of those that fit the header, and the others."""
        fitted = []
        blank = 0
        for number, cells in odd:
            blank += not cells
            fitted.append(self._fit(cells, "", number - blank) if cells else [""] * self._width)
        arrays = in_order(columns, odd, fitted) if odd else columns
        if blank:
            kept = np.ones(len(arrays[0]), bool)
            kept[[number for number, cells in odd if not cells]] = False
            arrays = [cells.filter(pa.array(kept)) for cells in arrays]
        self.columns.add_arrays(arrays)

    def add_block(self, rows: list[list[str]]) -> None:
        """Add rows in which no quote needed a repair, and blank lines."""
        if not self._is_lax and all(len(row) == self._width > 1 for row in rows):
            self.columns.add(rows)
        else:
            self.add_records((row, "", 0) for row in rows)

    def add_records(self, records: Iterator[Record]) -> None:
        number = self.columns.rows
        fitted: list[list[str]] = []
        for cells, repair, _ in records:
            if not cells or (len(cells) == 1 and cells[0].isspace()):
                continue  # a blank line
            fitted.append(self._fit(cells, repair, number + len(fitted)))
        self.columns.add(fitted)

    def _fit(self, cells: list[str], repair: str, number: int) -> list[str]:
        width = self._width
        if repair:
            self.repaired[repair].append(number)
        while len(cells) > width and not cells[-1].strip():
            cells.pop()  # a spreadsheet's empty columns
        if len(cells) > width and self._last_is_name:
            cells = [*cells[: width - 1], self._delimiter.join(cells[width - 1 :])]
            self.repaired["unquoted commas in the last column"].append(number)
        if self._is_lax and UNDECODED.search("".join(cells)):
            cells = [as_windows_1252(cell.strip()) for cell in cells]
            self.repaired["not UTF-8, read as Windows-1252"].append(number)
        if len(cells) != width:
            problem = "too few columns" if len(cells) < width else "too many columns"
            self.unusable[problem].append(number)
            # Where even the id is missing, the first cell stands for it in the report.
            cells = [*cells[:width], *cells[:1] * (width - len(cells))]
        return cells
