"""Spreadsheets: the first sheet with rows of an Excel workbook or an OpenDocument one.

openpyxl reads .xlsx row by row, so that a cell in the last column of the last row costs no memory
for those between, and xlrd reads .xls; both come with the extra `excel`. OpenDocument has a small
reader of its own: the one that pandas knows builds the whole document in memory.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, BinaryIO, TypeVar
from xml.etree import ElementTree

from fitting_room.catalogue.tables.dialect import header_row
from fitting_room.catalogue.tables.forms import HEAD_BYTES, OLE
from fitting_room.catalogue.tables.opening import OpenFile, seekable
from fitting_room.catalogue.tables.table import (
    Columns,
    SourceTable,
    TableError,
    check_header,
    in_blocks,
)
from fitting_room.catalogue.tables.values import text_of

MAX_UNPACKED = 2 * 2**30
MAX_SHEET_ROWS = 2**20
MAX_SHEET_COLUMNS = 2**14
#: Empty cells before others count: a sheet of a few bytes can have billions.
MAX_SHEET_CELLS = 300_000_000
MAX_SHEETS = 50
SAMPLE_ROWS = 50
#: An old workbook is read at once, and its format ends at 65,536 rows.
MAX_OLD_BYTES = 2**28

_MISSING = 'this is a spreadsheet: pip install "fitting-room[excel]", or save it as CSV UTF-8.'
_BROKEN = "this is a spreadsheet that cannot be read ({}). Save it as CSV UTF-8."
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"

Row = list[str | None]
T = TypeVar("T")
Sheets = Iterator[tuple[str, Iterator[Row]]]


def read_spreadsheet(open_file: OpenFile) -> SourceTable:
    """The first sheet with rows. Raises :class:`TableError`."""
    return _first_sheet(open_file, _as_table)


def spreadsheet_columns(open_file: OpenFile) -> list[str]:
    """The names of the columns of the first sheet with rows."""

    return _first_sheet(open_file, _names)


def _names(_: str, rows: Iterator[Row]) -> list[str] | None:
    some = list(islice(rows, SAMPLE_ROWS))
    if len(some) < 2:
        return None
    return [name for name in check_header(_header(some)[0]) if name]


def _first_sheet(open_file: OpenFile, use: Callable[[str, Iterator[Row]], T | None]) -> T:
    with seekable(open_file) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and pictures, which do not matter here
        try:
            for name, rows in islice(_sheets(file), MAX_SHEETS):
                if (found := use(name, rows)) is not None:
                    return found
        except (TableError, KeyboardInterrupt):
            raise
        except ImportError as error:
            raise TableError(_MISSING) from error
        # Damaged workbooks raise nearly anything, from deep inside the libraries.
        except Exception as error:
            raise TableError(_BROKEN.format(str(error)[:100] or type(error).__name__)) from error
    raise TableError("this is a spreadsheet without rows.")


def _as_table(name: str, rows: Iterator[Row]) -> SourceTable | None:
    some = list(islice(rows, SAMPLE_ROWS))
    if not some:
        return None
    header, first = _header(some)
    columns = Columns(check_header(header))
    beyond = 0
    block: list[Row] = []
    for row in _chained(some[first + 1 :], rows):
        beyond += any(row[len(header) :])
        block.append([*row[: len(header)], *[None] * (len(header) - len(row))])
        if len(block) >= in_blocks(len(header)):
            columns.add(block)
            block = []
    columns.add(block)
    if not columns.rows:
        return None
    cells, notes = columns.finish()
    said = [f"rows above the header that are a title and not read: {first}"] if first else []
    if beyond:
        said.append(f"rows with cells beyond the header, which are left out: {beyond:,}")
    return SourceTable(cells, notes=(f"read from the sheet `{name[:60]}`", *said, *notes))


def _chained(start: list[Row], rest: Iterator[Row]) -> Iterator[Row]:
    yield from start
    yield from rest


def _header(rows: list[Row]) -> tuple[list[str], int]:
    """The names of the columns, and which row has them."""
    first = header_row([[cell or "" for cell in row] for row in rows])
    header = [cell or "" for cell in rows[first]]
    while len(header) > 1 and not header[-1].strip():
        header.pop()
    return header, first


def _sheets(file: BinaryIO) -> Sheets:
    start = file.read(HEAD_BYTES)
    file.seek(0)
    if start.startswith(OLE):
        return _old_excel(file)
    with zipfile.ZipFile(file) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED:
            raise TableError("this spreadsheet unpacks to more than 2 GiB. Save it as CSV UTF-8.")
        is_excel = any(name.startswith("xl/") for name in archive.namelist())
    file.seek(0)
    return _excel(file) if is_excel else _open_document(file)


def _filled(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows that hold anything. Raises :class:`TableError` for more than a sheet can have."""
    cells = 0
    for number, row in enumerate(rows):
        cells += len(row)
        if number > MAX_SHEET_ROWS or len(row) > MAX_SHEET_COLUMNS or cells > MAX_SHEET_CELLS:
            raise TableError("this spreadsheet has more rows or columns than any can have.")
        if any(row):
            yield row


def _excel(file: BinaryIO) -> Sheets:
    import openpyxl

    book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # what the file says of them is often wrong
        rows = ([text_of(cell) for cell in row] for row in sheet.iter_rows(values_only=True))
        yield sheet.title, _filled(rows)


def _old_excel(file: BinaryIO) -> Sheets:
    import xlrd

    content = file.read(MAX_OLD_BYTES + 1)
    if len(content) > MAX_OLD_BYTES:
        raise TableError("this spreadsheet is larger than 256 MiB. Save it as CSV UTF-8.")
    book = xlrd.open_workbook(
        file_contents=content, on_demand=True, ragged_rows=True, logfile=io.StringIO()
    )

    def text(cell: Any) -> str | None:
        if cell.ctype == xlrd.XL_CELL_DATE:
            return text_of(xlrd.xldate_as_datetime(cell.value, book.datemode))
        if cell.ctype == xlrd.XL_CELL_BOOLEAN:
            return text_of(bool(cell.value))
        return None if cell.ctype == xlrd.XL_CELL_ERROR else text_of(cell.value)

    for number in range(book.nsheets):
        sheet = book.sheet_by_index(number)
        yield sheet.name, _filled([text(cell) for cell in sheet.row(i)] for i in range(sheet.nrows))


def _open_document(file: BinaryIO) -> Sheets:
    with zipfile.ZipFile(file) as archive, archive.open("content.xml") as content:
        # expat fetches nothing from elsewhere, and stops at entities that grow out of bounds.
        events = ElementTree.iterparse(content, ("start", "end"))  # noqa: S314
        for event, element in events:
            if event == "start" and element.tag == _TABLE + "table":
                name = element.get(_TABLE + "name", "")
                yield name, _filled(_open_document_rows(events, element))


def _open_document_rows(events: Any, table: Any) -> Iterator[Row]:
    for event, element in events:
        if event == "end" and element.tag == _TABLE + "table-row":
            row = _open_document_cells(element)
            if any(row):
                repeated = int(element.get(_TABLE + "number-rows-repeated", "1"))
                for _ in range(min(repeated, MAX_SHEET_ROWS + 1)):
                    yield row
            table.clear()
        elif event == "end" and element is table:
            return


def _open_document_cells(row: Any) -> Row:
    cells: Row = []
    for cell in row:
        value = cell.get(_OFFICE + "date-value") or cell.get(_OFFICE + "boolean-value")
        value = value or cell.get(_OFFICE + "value")
        if value is None:
            value = "\n".join("".join(part.itertext()) for part in cell.iter(_TEXT + "p")) or None
        repeated = int(cell.get(_TABLE + "number-columns-repeated", "1"))
        cells.extend([value] * min(repeated, MAX_SHEET_COLUMNS - len(cells)))
    while cells and not cells[-1]:
        cells.pop()
    return cells
