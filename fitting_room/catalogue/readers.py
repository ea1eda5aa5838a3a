"""Readers of catalogues, one function a form: each gives the same :class:`SourceTable`."""

from __future__ import annotations

import csv
import io
import posixpath
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

import pandas as pd

from fitting_room.catalogue import schema
from fitting_room.catalogue.schema import UNDECODED, as_windows_1252

MAX_ROWS = 20_000_000
#: How many physical lines one quoted cell may span before its quote is taken for a stray one.
MAX_LINES_PER_ROW = 20
#: Rows of a csv that are parsed at once.
ROWS_AT_ONCE = 20_000

Rows = dict[str, list[int]]  # row numbers by reason


@dataclass(frozen=True, slots=True)
class SourceTable:
    """The rows of a catalogue's source.

    ``cells`` has one row for each row of the source, with the column ``id`` first, as text.
    ``repaired`` and ``unusable`` give row numbers by reason; the cells of unusable rows serve to
    name them.
    """

    cells: pd.DataFrame
    repaired: Rows = field(default_factory=dict)
    unusable: Rows = field(default_factory=dict)


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


def read_csv(file: BinaryIO, keys: Sequence[str] = ("id",)) -> SourceTable:
    """A csv in UTF-8, with commas, semicolons or tabs, and a header that names a column of
    ids, called one of ``keys``.

    Regular rows are read by pandas. Its reader would lose rows to a quote that is never closed,
    cannot tell a row with too few cells from one with empty cells, and cuts cells at NUL bytes;
    rows with any of these, with unquoted commas in the name or in Windows-1252 are repaired here
    or found unusable. Raises ``ValueError`` for a table that is none, ``csv.Error`` and whatever
    reading ``file`` raises.
    """
    start = file.read(2)
    file.seek(0)
    if start in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError("saved as UTF-16. Save it as UTF-8 (CSV UTF-8 in Excel).")
    # Bytes that are not UTF-8 stay recognisable and are counted as repaired rows.
    lines = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    first = as_windows_1252(next(lines, ""))
    delimiter = max(",;\t", key=first.count)
    header = next(csv.reader([first], delimiter=delimiter), [])
    columns = schema.check_columns([cell.strip() for cell in header], keys)
    repaired: Rows = defaultdict(list)
    unusable: Rows = defaultdict(list)
    rows = _rows(lines, delimiter, columns, repaired, unusable)
    blocks = [pd.DataFrame(columns=columns, dtype="str")]
    while block := list(islice(rows, ROWS_AT_ONCE)):
        blocks.append(_parse_block(block, delimiter, columns))
        if sum(map(len, blocks)) > MAX_ROWS:
            raise ValueError(f"more than {MAX_ROWS:,} rows.")
    cells = pd.concat(blocks, ignore_index=True)
    return SourceTable(schema.clean_cells(cells), repaired, unusable)


def _parse_block(block: list[str | list[str]], delimiter: str, columns: list[str]) -> pd.DataFrame:
    regular = {number: row for number, row in enumerate(block) if isinstance(row, str)}
    others = {number: row for number, row in enumerate(block) if isinstance(row, list)}
    rows = pd.DataFrame.from_dict(others, orient="index", columns=columns, dtype="str")
    if not regular:
        return rows
    text = io.BytesIO("".join(regular.values()).encode())
    cells = pd.read_csv(
        text, sep=delimiter, header=None, names=columns, dtype="str", na_filter=False
    )
    return pd.concat([cells.set_axis(list(regular)), rows]).sort_index() if others else cells


def _rows(
    lines: Iterator[str], delimiter: str, columns: list[str], repaired: Rows, unusable: Rows
) -> Iterator[str | list[str]]:
    """Regular lines as they are, and the cells of other rows, repaired where that can be done."""
    width = len(columns)
    for number, (record, repair) in enumerate(_records(lines, delimiter)):
        cells = record
        if isinstance(cells, str):
            plain = "\0" not in cells and (cells.isascii() or not UNDECODED.search(cells))
            if plain and not repair and cells.count(delimiter) == width - 1:
                yield cells
                continue
            cells = cells.rstrip("\r\n").split(delimiter)
        if repair:
            repaired[repair].append(number)
        while len(cells) > width and not cells[-1].strip():
            cells.pop()  # a spreadsheet's empty columns
        if len(cells) > width and columns[-1] in schema.NAME_COLUMNS:
            cells = [*cells[: width - 1], delimiter.join(cells[width - 1 :])]
            repaired["unquoted commas in the last column"].append(number)
        if UNDECODED.search("".join(cells)):
            cells = [as_windows_1252(cell.strip()) for cell in cells]
            repaired["not UTF-8, read as Windows-1252"].append(number)
        if len(cells) != width:
            problem = "too few columns" if len(cells) < width else "too many columns"
            unusable[problem].append(number)
            # Where even the id is missing, the first cell stands for it in the report.
            cells = [*cells[:width], *cells[:1] * (width - len(cells))]
        yield cells


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
        if len(record) > 1 or "unexpected end" in str(error) or "field larger" in str(error):
            return None
    # A quote in the middle of a cell: strict reading refuses it, plain reading knows what to do.
    return next(csv.reader(record, delimiter=delimiter))
