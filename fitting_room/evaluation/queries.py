"""Pictures to ask about, and what is expected of the answers: a catalogue, or a table of pictures
and labels, and a mapping where the two sides have different words for a kind."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fitting_room.catalogue.catalogue import (
    CSV_NAME,
    NOT_AVAILABLE,
    RESERVED_COLUMNS,
    load_catalogue,
)
from fitting_room.catalogue.image_store import (
    FolderStore,
    PictureStore,
    is_picture_name,
    is_plain_name,
)

#: The column of class folders, which is what a mapping answers.
CLASS = "class"
#: Columns that a mapping's values are of where nobody said.
MAPPING_COLUMN = "articleType"

#: Bounds of files that come from anywhere.
MAX_MAPPING_BYTES = 2**20
MAX_TABLE_BYTES, MAX_TABLE_ROWS, MAX_TABLE_COLUMNS = 64 * 2**20, 1_000_000, 200
#: What the first column of a table of pictures is called.
PICTURE_COLUMNS = ("picture", "path")


class QueriesError(Exception):
    """Queries or a mapping that cannot be read; the text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """Which values of the gallery's ``column`` answer a class of queries, as read from
    ``location``."""

    location: Path
    column: str
    values: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """Pictures to ask about, and what is expected of the answers.

    ``items`` is a table with the columns ``id``, ``image`` (the picture's name in ``store``) and
    the expected labels, as text, missing where nothing is expected. With a ``mapping`` the label is
    the column ``class`` and nothing else counts.
    """

    location: Path
    store: PictureStore
    items: pd.DataFrame
    mapping: LabelMapping | None = None

    def __len__(self) -> int:
        return len(self.items)

    @property
    def labels(self) -> list[str]:
        """Names of the columns that something may be expected in."""
        return [str(c) for c in self.items.columns if c not in RESERVED_COLUMNS]


def load_queries(location: str | Path, mapping: LabelMapping | None = None) -> Queries:
    """Queries from a catalogue of any form, or from a csv of pictures and expected labels.

    The first column of such a csv is ``picture`` or ``path``, relative to the csv's folder and
    never outside it. Raises :class:`QueriesError`, or ``CatalogueError`` for a catalogue that
    cannot be read.
    """
    location = Path(location)
    if location.suffix.lower() == ".csv" and location.name != CSV_NAME and location.is_file():
        queries = Queries(
            location.resolve(), FolderStore(location.parent), _read_table(location), mapping
        )
    else:
        goods = load_catalogue(location)
        queries = Queries(goods.location, goods.store, goods.items, mapping)
    if mapping is not None:
        _check_mapping(queries, mapping)
    return queries


def read_mapping(path: Path, column: str = MAPPING_COLUMN) -> LabelMapping:
    """The values of ``column`` that answer each class, of a JSON file: an object of classes, each
    with a list of values. Raises :class:`QueriesError` when it is anything else."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MAPPING_BYTES + 1)
        if len(data) > MAX_MAPPING_BYTES:
            raise ValueError(f"it is larger than {MAX_MAPPING_BYTES / 2**20:.0f} MB")
        mapping = json.loads(data)
        if not isinstance(mapping, dict) or not mapping:
            raise ValueError("it is no object of classes")
        for name, values in mapping.items():
            sound = isinstance(values, list) and all(isinstance(value, str) for value in values)
            if not sound or not values:
                raise ValueError(f"the class {name!r:.60} has no list of values")
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or str(error)[:200]
        raise QueriesError(
            f"{path}: the mapping cannot be read ({why}). Expected is JSON like "
            '{"t-shirt": ["Tshirts", "Tops"]}.'
        ) from error
    return LabelMapping(path, column, {n: frozenset(values) for n, values in mapping.items()})


def _check_mapping(queries: Queries, mapping: LabelMapping) -> None:
    if CLASS not in queries.labels:
        raise QueriesError(
            f"{queries.location}: a mapping answers classes, and these queries have none. Put the "
            f"pictures in folders named by their class, or name a column {CLASS!r}."
        )
    unknown = set(queries.items[CLASS].dropna()) - set(mapping.values)
    if unknown:
        raise QueriesError(
            f"{mapping.location}: says nothing of the class {min(unknown)!r:.60}. Add it, with the "
            f"values of {mapping.column} that answer it, or take its pictures away."
        )


def _read_table(location: Path) -> pd.DataFrame:
    try:
        with location.open("rb") as file:
            data = file.read(MAX_TABLE_BYTES + 1)
        if len(data) > MAX_TABLE_BYTES:
            raise QueriesError(f"{location}: larger than {MAX_TABLE_BYTES / 2**20:.0f} MB.")
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise QueriesError(
            f"{location}: not in UTF-8. Save it as UTF-8 (CSV UTF-8 in Excel)."
        ) from error
    except OSError as error:
        raise QueriesError(f"{location}: cannot be read ({error.strerror}).") from error
    first = text[: text.find("\n")] if "\n" in text else text
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    columns: list[str] = []
    rows: list[list[str]] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _checked_columns(location, [cell.strip() for cell in cells])
            elif len(rows) == MAX_TABLE_ROWS:
                raise QueriesError(f"{location}: more than {MAX_TABLE_ROWS:,} rows.")
            else:
                rows.append(_checked_row(location, reader.line_num, columns, cells))
    except csv.Error as error:
        raise QueriesError(f"{location}: line {reader.line_num}: {error}.") from error
    if not rows:
        raise QueriesError(f"{location}: no pictures are named.")
    table = pd.DataFrame(rows, columns=["image", *columns[1:]], dtype="str")
    labels = columns[1:]
    table[labels] = table[labels].mask(table[labels].isin(NOT_AVAILABLE))
    table.insert(0, "id", table["image"])
    return table


def _checked_columns(location: Path, columns: list[str]) -> list[str]:
    expected = f"Name the first column {PICTURE_COLUMNS[0]!r}, the others as the catalogue does."
    if columns[0].lower() not in PICTURE_COLUMNS:
        raise QueriesError(
            f"{location}: the first line does not begin with the column of pictures. {expected}"
        )
    labels = columns[1:]
    if not labels:
        raise QueriesError(f"{location}: no expected labels beside the pictures. {expected}")
    if len(columns) > MAX_TABLE_COLUMNS or len(set(columns)) < len(columns) or "" in columns:
        raise QueriesError(
            f"{location}: the first line must name up to {MAX_TABLE_COLUMNS} different columns."
        )
    if taken := [column for column in labels if column in RESERVED_COLUMNS]:
        raise QueriesError(f"{location}: the column name {taken[0]!r} is reserved. Rename it.")
    return columns


def _checked_row(location: Path, line: int, columns: list[str], cells: list[str]) -> list[str]:
    cells = [cell.strip() for cell in cells]
    if len(cells) != len(columns):
        raise QueriesError(
            f"{location}: line {line}: {len(cells)} cells where {len(columns)} columns are named. "
            "Put quotes around a cell with a comma."
        )
    name = cells[0]
    if not is_plain_name(name) or not _is_inside(location.parent, name):
        raise QueriesError(
            f"{location}: line {line}: {name!r:.100} leads out of the table's folder. Name "
            "pictures in the folder of the table or below, with / between the parts."
        )
    if not is_picture_name(name):
        raise QueriesError(f"{location}: line {line}: {name!r:.100} is no picture's name.")
    return cells


def _is_inside(folder: Path, name: str) -> bool:
    try:
        return (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a NUL byte, a circle of links
        return False
