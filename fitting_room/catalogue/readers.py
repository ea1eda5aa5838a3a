"""Readers of catalogues, one function a form: each gives the same :class:`SourceTable`."""

from __future__ import annotations

import csv
import io
import posixpath
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, NamedTuple

import pandas as pd

from fitting_room.catalogue.schema import (
    NAME_COLUMNS,
    UNDECODED,
    as_windows_1252,
    check_columns,
    clean_cells,
)

MAX_ROWS = 20_000_000
#: How many physical lines one quoted cell may span before its quote is taken for a stray one.
MAX_LINES_PER_ROW = 20
#: Rows of a csv that are parsed at once.
ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class SourceTable:
    """The rows of a catalogue's source.

    ``cells`` has one row for each row of the source, with the column ``id`` first, as text.
    ``repaired`` and ``unusable`` give row numbers by reason; the cells of unusable rows serve to
    name them.
    """

    cells: pd.DataFrame
    repaired: dict[str, list[int]] = field(default_factory=dict)
    unusable: dict[str, list[int]] = field(default_factory=dict)


def read_class_folders(pictures: Iterable[str]) -> SourceTable:
    """A row for each picture, by name: its id is the name without its suffix, its class the folder
    it lies in. A plain folder of pictures has no classes."""
    names = sorted(pictures)
    ids = [posixpath.splitext(as_windows_1252(name))[0] for name in names]
    cells = {"id": ids}
    if any("/" in name for name in names):
        folders = [posixpath.basename(posixpath.dirname(item)) for item in ids]
        cells["class"] = [folder or None for folder in folders]
    undecoded = [row for row, name in enumerate(names) if UNDECODED.search(name)]
    unusable = {"the file name is not UTF-8": undecoded} if undecoded else {}
    return SourceTable(pd.DataFrame(cells, dtype="str"), unusable=unusable)


class _Row(NamedTuple):
    """A row that pandas' reader does not take as it is: its cells, as many as there are columns,
    what was repaired in it, and why it cannot be used."""

    cells: list[str]
    repairs: list[str]
    problem: str


def read_csv(file: BinaryIO, keys: Sequence[str] = ("id",)) -> SourceTable:
    """A csv in UTF-8, with commas, semicolons or tabs, and a header that names a column of
    ids, called one of ``keys``.

    Regular rows are read by pandas. Its reader would lose rows to a quote that is never closed,
    cannot tell a row with too few cells from one with empty cells, and cuts cells at NUL bytes;
    rows with any of these, with unquoted commas in the name or in Windows-1252 are repaired here
    or found unusable. Raises ``ValueError`` for a table that is none, ``csv.Error`` and whatever
    reading ``file`` raises.
    """
    start = file.read(4)
    file.seek(0)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError("saved as UTF-16. Save it as UTF-8 (CSV UTF-8 in Excel).")
    # Bytes that are not UTF-8 stay recognisable and are counted as repaired rows.
    lines = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    first = as_windows_1252(next(lines, ""))
    delimiter = max(",;\t", key=first.count)
    header = next(csv.reader([first], delimiter=delimiter), [])
    columns = check_columns([cell.strip() for cell in header], keys)
    rows = _rows(lines, delimiter, columns)
    blocks: list[pd.DataFrame] = []
    repaired, unusable = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    count = 0
    while block := list(islice(rows, ROWS_AT_ONCE)):
        blocks.append(_parse_block(block, delimiter, columns))
        for number, row in enumerate(block, count):
            if isinstance(row, _Row):
                for repair in row.repairs:
                    repaired[repair].append(number)
                if row.problem:
                    unusable[row.problem].append(number)
        count += len(block)
        if count > MAX_ROWS:
            raise ValueError(f"more than {MAX_ROWS:,} rows.")
    cells = pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame(columns=columns)
    return SourceTable(clean_cells(cells.astype("str")), repaired, unusable)


def _parse_block(block: list[str | _Row], delimiter: str, columns: list[str]) -> pd.DataFrame:
    regular = {number: row for number, row in enumerate(block) if isinstance(row, str)}
    others = {number: row.cells for number, row in enumerate(block) if isinstance(row, _Row)}
    rows = pd.DataFrame.from_dict(others, orient="index", columns=columns, dtype="str")
    if not regular:
        return rows
    cells = pd.read_csv(
        io.BytesIO("".join(regular.values()).encode()),
        sep=delimiter,
        header=None,
        names=columns,
        index_col=False,
        dtype="str",
        na_filter=False,
        quoting=csv.QUOTE_NONE,
        skip_blank_lines=False,
    )
    return pd.concat([cells.set_axis(list(regular)), rows]).sort_index() if others else cells


def _rows(lines: Iterator[str], delimiter: str, columns: list[str]) -> Iterator[str | _Row]:
    """Regular lines as they are, and other rows, repaired where that can be done."""
    width = len(columns)
    last_is_name = columns[-1] in NAME_COLUMNS
    for record, repair in _records(lines, delimiter):
        cells = record
        if isinstance(cells, str):
            if cells.count(delimiter) == width - 1 and not repair and _is_plain(cells):
                yield cells
                continue
            cells = cells.rstrip("\r\n").split(delimiter)
        repairs = [repair] if repair else []
        while len(cells) > width and not cells[-1].strip():
            cells.pop()  # a spreadsheet's empty columns
        if len(cells) > width and last_is_name:
            cells = [*cells[: width - 1], delimiter.join(cells[width - 1 :])]
            repairs.append("unquoted commas in the last column")
        if UNDECODED.search("".join(cells)):
            cells = [as_windows_1252(cell) for cell in cells]
            repairs.append("not UTF-8, read as Windows-1252")
        missing = width - len(cells)
        problem = "too few columns" if missing > 0 else "too many columns" if missing < 0 else ""
        yield _Row([*cells[:width], *[""] * missing], repairs, problem)


def _is_plain(line: str) -> bool:
    return "\0" not in line and (line.isascii() or not UNDECODED.search(line))


def _records(lines: Iterator[str], delimiter: str) -> Iterator[tuple[str | list[str], str]]:
    """Rows, one physical line each unless a quoted cell goes on in the next ones: the line, or the
    cells of a row with quotes, and what was repaired. A quote that is never closed costs its own
    row its quotes, and no other row anything."""
    ahead: deque[str] = deque()

    def following() -> str | None:
        return ahead.popleft() if ahead else next(lines, None)

    while (line := following()) is not None:
        if '"' not in line:
            if line.strip():
                yield line, ""
            continue
        record = [line]
        while (cells := _parse_quoted(record, delimiter)) is None:
            if len(record) == MAX_LINES_PER_ROW or (more := following()) is None:
                break
            record.append(more)
        if cells is None:
            ahead.extendleft(reversed(record[1:]))
            yield line, "a quote that is never closed"
        else:
            yield cells, ""


def _parse_quoted(record: list[str], delimiter: str) -> list[str] | None:
    """The cells of one row, or ``None`` while a quoted cell is still open."""
    try:
        return next(csv.reader(record, delimiter=delimiter, strict=True))
    except csv.Error as error:
        # In a row of several lines, text after a closing quote says that the quote closed nothing:
        # it opens a cell of a later row, and the first one was a stray one.
        if len(record) > 1 or any(
            part in str(error) for part in ("unexpected end of data", "field larger than")
        ):
            return None
    # A quote in the middle of a cell: strict reading refuses it, plain reading knows what to do.
    return next(csv.reader(record, delimiter=delimiter))
