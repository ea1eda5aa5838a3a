"""Delimited text as rows of cells: quickly where every quote is in order, else line by line, so
that a stray quote costs its own row only."""

from __future__ import annotations

import csv
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TextIO

from fitting_room.catalogue.tables.table import TableError, in_blocks

#: More characters than any cell has. The limit of the csv module is one for the whole program, and
#: its default of 131,072 is too low for descriptions.
MAX_CELL = 2**26
csv.field_size_limit(MAX_CELL)
MAX_LINE = 2**28
#: How many characters are looked at in all to find where quoted cells end. Beyond that a cell may
#: span :data:`FEW_LINES`, so that a file of stray quotes cannot take forever.
MAX_LOOKAHEAD = 2**33
FEW_LINES = 20

#: Stands for a quote that was escaped by a backslash while a line is taken apart. Unicode promises
#: that it is no character of any text.
_ESCAPED_QUOTE = "\ufdd0"
_ESCAPE = re.compile(r'\\(["\\])')

Record = tuple[list[str], str, int]  # cells, what was repaired or "", lines read up to its end


class IrregularError(Exception):
    """The quotes of a file are not in order, or may not be."""


@dataclass(frozen=True, slots=True)
class Format:
    """How the cells of a line are told apart. ``backslash``: quotes in cells are written ``\\"``
    and not only doubled; ``spaces``: a quote may follow a blank after the delimiter."""

    delimiter: str = ","
    spaces: bool = False
    backslash: bool = False

    @property
    def options(self) -> dict[str, Any]:
        return {"delimiter": self.delimiter, "skipinitialspace": self.spaces}

    def lines(self, lines: Iterator[str]) -> Iterator[str]:
        return map(_hide_escapes, lines) if self.backslash else lines

    def cells(self, cells: list[str]) -> list[str]:
        """The cells of a row as they are meant."""
        return [c.replace(_ESCAPED_QUOTE, '"') for c in cells] if self.backslash else cells


def _hide_escapes(line: str) -> str:
    if "\\" not in line:
        return line
    return _ESCAPE.sub(lambda found: _ESCAPED_QUOTE if found[1] == '"' else "\\", line)


def lines_of(text: TextIO) -> Iterator[str]:
    """The lines of a file, with their ends. Raises :class:`TableError` for a line without end."""
    while line := text.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise TableError("it has a line of more than 268 million characters. Is it a table?")
        yield line


def regular_rows(lines: Iterator[str], form: Format, width: int) -> Iterator[list[list[str]]]:
    """Blocks of rows, where every quote of the file is in order.

    Raises :class:`IrregularError` where a quote is not, and where a row of several lines may as
    well be several rows after a stray quote.
    """
    reader = csv.reader(form.lines(lines), strict=True, **form.options)
    count = in_blocks(width)
    before = 0
    try:
        while rows := list(islice(reader, count)):
            if reader.line_num - before > len(rows) and any(
                _may_be_several(row, form.delimiter, width) for row in rows
            ):
                raise IrregularError
            before = reader.line_num
            yield rows
    except csv.Error as error:
        raise IrregularError from error


def _may_be_several(row: list[str], delimiter: str, width: int) -> bool:
    """Whether a row has several lines, and as many delimiters as if each line were a row."""
    text = "".join(row)
    breaks = max(text.count("\n"), text.count("\r"))
    if not breaks:
        return False
    return len(row) != width or text.count(delimiter) == breaks * (width - 1)


def careful_records(
    lines: Iterator[str], form: Format, width: int = 0, lookahead: int | None = None
) -> Iterator[Record]:
    """Rows, one physical line each unless a quoted cell goes on in the next ones. A quote that is
    never closed costs its own row its quotes, and no other row anything. ``width``: how many cells
    a row should have, 0 for not known; ``lookahead``: instead of :data:`MAX_LOOKAHEAD`."""
    lines = form.lines(lines)
    ahead: deque[str] = deque()
    looked = done = 0
    lookahead = MAX_LOOKAHEAD if lookahead is None else lookahead

    def following() -> str | None:
        return ahead.popleft() if ahead else next(lines, None)

    while (line := following()) is not None:
        if '"' not in line:
            done += 1
            if line.strip():
                yield _plain(line, form), "", done
            continue
        limit = FEW_LINES if looked > lookahead else sys.maxsize
        cells, record = _parse_quoted(line, following, limit, form)
        looked += sum(map(len, record[1:]))
        if cells is None or (
            len(record) > 1 and width and _swallowed(record, cells, form.delimiter, width)
        ):
            ahead.extendleft(reversed(record[1:]))
            done += 1
            yield _plain(line, form), "a quote that is never closed", done
        else:
            done += len(record)
            yield cells, "", done


def _plain(line: str, form: Format) -> list[str]:
    return line.rstrip("\r\n").split(form.delimiter)


def _parse_quoted(
    line: str, following: Callable[[], str | None], limit: int, form: Format
) -> tuple[list[str] | None, list[str]]:
    """The cells of the row that begins with ``line`` and its lines, ``None`` for the cells where a
    quoted cell is not closed properly."""
    record = [line]

    def feed() -> Iterator[str]:
        yield line
        while len(record) < limit and (more := following()) is not None:
            record.append(more)
            yield more

    try:
        return next(csv.reader(feed(), strict=True, **form.options)), record
    except csv.Error as error:
        # In a row of several lines, text after a closing quote says that the quote closed nothing:
        # it opens a cell of a later row, and the first one was a stray one.
        if len(record) > 1 or "unexpected end" in str(error) or "field larger" in str(error):
            return None, record
    # A quote in the middle of a cell: strict reading refuses it, plain reading knows what to do.
    return next(csv.reader(record, **form.options)), record


def _swallowed(record: list[str], cells: list[str], delimiter: str, width: int) -> bool:
    """Whether the lines of one row are rather rows of their own, the first with a stray quote:
    as lines they have the table's width and begin alike, or as a row they do not fit."""
    whole = [line.count(delimiter) == width - 1 for line in record]
    if len(cells) != width:
        return 2 * sum(whole) >= len(whole)
    first, *others = (_shape(line.partition(delimiter)[0]) for line in record)
    return all(whole) and first != "" and all(shape == first for shape in others)


def _shape(text: str) -> str:
    """Text with its digits and letters made alike: "shirt-12" and "dress-7" have one shape."""
    letters = re.sub(r"[^\W\d_]+", "a", text.strip().strip('"'))
    return re.sub(r"\d+", "0", letters)
