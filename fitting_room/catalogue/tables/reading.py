"""Any one table file -> :class:`SourceTable`. What form it has is told by its bytes, and by the
ending of its name only where these leave it open."""

from __future__ import annotations

import posixpath

from fitting_room.catalogue.tables.columnar import columnar_columns, read_columnar
from fitting_room.catalogue.tables.delimited import delimited_columns, read_delimited
from fitting_room.catalogue.tables.forms import HEAD_BYTES, OLE, of_head, what_it_is
from fitting_room.catalogue.tables.json_rows import json_columns, read_json
from fitting_room.catalogue.tables.opening import DAMAGE, OpenFile, opened
from fitting_room.catalogue.tables.spreadsheet import read_spreadsheet, spreadsheet_columns
from fitting_room.catalogue.tables.table import SourceTable, TableError
from fitting_room.catalogue.tables.text_list import is_text_list, read_text_list, text_list_columns

_PLAIN = (
    ".csv", ".tsv", ".tab", ".txt", ".psv", ".parquet", ".pq", ".arrow", ".feather", ".ipc",
    ".xlsx", ".xls", ".ods", ".jsonl", ".ndjson", ".json",
)  # fmt: skip
PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
TABLE_SUFFIXES = (*_PLAIN, *(plain + packed for plain in _PLAIN for packed in PACKED_SUFFIXES))

_LAST = frozenset((*_PLAIN, *PACKED_SUFFIXES))
_JSON = (".json", ".jsonl", ".ndjson")
_ARROW_STARTS = (b"ARROW1", b"FEA1", b"\xff\xff\xff\xff")


def is_table_name(name: str) -> bool:
    """Whether a file of this name may be a table. A .txt may as well be no table at all: then
    :func:`read_table` raises."""
    ending = name[name.rfind(".") :].lower()
    return ending in _LAST and name.lower().endswith(TABLE_SUFFIXES)


def read_table(open_file: OpenFile, name: str) -> SourceTable:
    """The rows of a table file. ``open_file`` opens it for reading bytes and is called several
    times; ``name`` is its name, for the ending.

    Raises :class:`TableError` for everything that is wrong with it, and nothing else.
    """
    try:
        return _read_as(_form(open_file, name), open_file, name)
    except DAMAGE as error:
        raise TableError(f"it cannot be read ({error}).") from error


def columns_of(open_file: OpenFile, name: str) -> list[str]:
    """The names of a table's columns, of its header alone. Raises :class:`TableError`."""
    try:
        match form := _form(open_file, name):
            case "Parquet" | "Arrow":
                return columnar_columns(open_file, form)
            case "spreadsheet":
                return spreadsheet_columns(open_file)
            case "JSON":
                return json_columns(open_file)
            case "list":
                return text_list_columns(open_file)
        return delimited_columns(open_file)
    except DAMAGE as error:
        raise TableError(f"it cannot be read ({error}).") from error


def _read_as(form: str, open_file: OpenFile, name: str) -> SourceTable:
    match form:
        case "Parquet" | "Arrow":
            return read_columnar(open_file, form)
        case "spreadsheet":
            return read_spreadsheet(open_file)
        case "JSON":
            return read_json(open_file)
        case "list":
            if (table := read_text_list(open_file)) is not None:
                return table
    return read_delimited(open_file, must_fit=_ending(name) == ".txt")


def _ending(name: str) -> str:
    """The ending of a name, without that of a packed file."""
    name = name.lower()
    for packed in PACKED_SUFFIXES:
        name = name.removesuffix(packed)
    return posixpath.splitext(name)[1]


def _form(open_file: OpenFile, name: str) -> str:
    """Of which form a file is: "Parquet", "Arrow", "spreadsheet", "JSON", "list" or "delimited".

    Raises :class:`TableError` for a file that is no table.
    """
    with opened(open_file) as file:
        head = file.read(HEAD_BYTES)
    ending = _ending(name)
    if head.startswith(b"PAR1"):
        return "Parquet"
    if head.startswith(_ARROW_STARTS):
        return "Arrow"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", OLE)):
        kind = what_it_is(open_file, name)
        if kind == "a spreadsheet":
            return "spreadsheet"
    else:
        kind = of_head(head, name)
    if kind is not None:
        raise TableError(f"this is {kind} and no table.")
    if ending in (".parquet", ".pq", ".arrow", ".feather", ".ipc", ".xlsx", ".xls", ".ods"):
        what = "spreadsheet" if ending in (".xlsx", ".xls", ".ods") else "Parquet or Arrow file"
        raise TableError(f"its name ends in {ending}, and it is no {what}. Save it again.")
    text = head.decode("utf-8-sig", "replace").lstrip()
    if ending in _JSON or text.startswith(("[{", '{"')):
        return "JSON"
    if ending in (".txt", "") and is_text_list(head.decode("utf-8", "replace")):
        return "list"
    return "delimited"
