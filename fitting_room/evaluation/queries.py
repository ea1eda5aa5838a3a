"""Queries and the labels expected of their hits: a catalogue, or a table of pictures, or words, and
labels, and for photographs a mapping of their classes, and the colours that they may have."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.catalogue.label_mapping import LabelMapping
from fitting_room.catalogue.photograph_colours import PhotographColours
from fitting_room.catalogue.reading_options import DEFAULT_READING, ReadingOptions
from fitting_room.catalogue.schema import RESERVED_COLUMNS
from fitting_room.catalogue.stores import FolderStore, ImageStore, is_picture_name, is_plain_name
from fitting_room.catalogue.tables import TableError, columns_of, read_table

#: The column of class folders, which is what a mapping answers.
CLASS = "class"

#: Bounds of tables that come from anywhere.
MAX_TABLE_BYTES, MAX_TABLE_ROWS = 64 * 2**20, 1_000_000
#: What the column of pictures is called in a table of queries.
PICTURE_COLUMNS = ("picture", "path")
#: The column of queries by words there, beside the pictures or instead of them.
TEXT_COLUMN = "text"
#: Letters of a query by words at most.
MAX_TEXT = 1_000


class QueriesError(Exception):
    """Queries that cannot be read; the text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """Queries and the labels expected of their hits.

    ``items`` is a table with the columns ``id``, ``image`` (the picture's name in ``store``) and
    the expected labels, as text, missing where nothing is expected. Where there are ``texts``,
    they are the words of the rows that are queries by words, and empty for the others. With a
    ``mapping`` the label is the column ``class`` and nothing else counts, but ``colours`` if there
    are any: ``words`` has those of each row, empty where none are known.
    """

    location: str
    store: ImageStore
    items: pd.DataFrame
    mapping: LabelMapping | None = None
    colours: PhotographColours | None = None
    words: Sequence[frozenset[str]] = ()
    texts: Sequence[str] = ()

    def text(self, row: int) -> str:
        """The words of a query, or "" where it is a picture."""
        return self.texts[row] if self.texts else ""

    def __len__(self) -> int:
        return len(self.items)

    @property
    def labels(self) -> list[str]:
        """Names of the columns that something may be expected in."""
        return [str(c) for c in self.items.columns if c not in RESERVED_COLUMNS]


def load_queries(
    location: str | Path,
    mapping: LabelMapping | None = None,
    colours: PhotographColours | None = None,
    reading: ReadingOptions = DEFAULT_READING,
) -> Queries:
    """Queries from a catalogue of any form, read as ``reading`` says, or from a csv of pictures
    or words, and expected labels.

    One column of such a csv is ``picture`` or ``path``, relative to the csv's folder and never
    outside it; beside it there may be ``text``, and then each row has one of the two, or ``text``
    is the first column and there are no pictures. ``colours`` go with a mapping. Raises
    :class:`QueriesError`, ``CatalogueError`` for a catalogue that cannot be read, and
    ``LabelMappingError`` for colours that do not fit it.
    """
    if (table := _query_table(location)) is not None:
        place, data = table
        store = FolderStore(place.parent)
        items, texts = _read_table(place, data, store)
        queries = Queries(str(place.resolve()), store, items, mapping, texts=texts)
    else:
        catalogue = load_catalogue(location, reading)
        queries = Queries(catalogue.location, catalogue.store, catalogue.items, mapping)
    if mapping is not None:
        _check_mapping(queries, mapping)
    return queries if colours is None else _with_colours(queries, colours)


def _with_colours(queries: Queries, colours: PhotographColours) -> Queries:
    if queries.mapping is None:
        raise QueriesError(
            f"{colours.location}: colours of photographs go with a mapping of their classes."
        )
    words = colours.of(queries.store, queries.items["image"].tolist())
    if not any(words):
        raise QueriesError(
            f"{colours.location}: says nothing of any picture of {queries.location}. Pictures and "
            f"their folders must be called as there, like {next(iter(colours.words))!r:.100}."
        )
    return replace(queries, colours=colours, words=words)


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


def _query_table(location: str | Path) -> tuple[Path, bytes] | None:
    """A csv that names pictures, or has words, in a column called so, and what is in it, or
    ``None`` for anything else. Raises :class:`QueriesError`."""
    path = Path(location)
    if path.suffix.lower() != ".csv" or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TABLE_BYTES + 1)
        columns = columns_of(partial(io.BytesIO, data), path.name)
    except OSError as error:
        raise QueriesError(f"{path}: cannot be read: {error}") from error
    except TableError:
        return None  # of no use as a catalogue either, which says why
    return (path, data) if any(_query_columns(columns)) else None


def _query_columns(columns: Sequence[str]) -> tuple[str | None, str | None]:
    """The columns of pictures and of words. Without one of pictures that of words is the first: a
    catalogue has texts of its items anywhere."""
    picture = next((column for column in columns if column.lower() in PICTURE_COLUMNS), None)
    some = columns[:1] if picture is None else columns
    return picture, next((column for column in some if column.lower() == TEXT_COLUMN), None)


def _read_table(
    location: Path, data: bytes, store: FolderStore
) -> tuple[pd.DataFrame, Sequence[str]]:
    """Pictures and labels of a csv, and its queries by words. Unlike a catalogue, which is a
    shop's, it is refused for anything that would have to be repaired or left out."""
    if len(data) > MAX_TABLE_BYTES:
        raise QueriesError(f"{location}: larger than {MAX_TABLE_BYTES / 2**20:.0f} MB.")
    try:
        table = read_table(partial(io.BytesIO, data), location.name)
    except TableError as error:
        raise QueriesError(f"{location}: cannot be read: {error}") from error
    column, words = _query_columns(list(table.cells.columns))
    labels = [c for c in table.cells.columns if c not in (column, words)]
    if not labels:
        raise QueriesError(f"{location}: no expected labels beside the queries. Add columns.")
    if taken := [label for label in labels if label in RESERVED_COLUMNS]:
        raise QueriesError(
            f"{location}: the column name `{taken[0]}` is reserved. Rename that column."
        )
    if len(table.cells) == 0:
        raise QueriesError(f"{location}: no pictures are named, nor words.")
    if len(table.cells) > MAX_TABLE_ROWS:
        raise QueriesError(f"{location}: more than {MAX_TABLE_ROWS:,} rows.")
    for reason, rows in (table.unusable | table.repaired).items():
        raise QueriesError(
            f"{location}: row {rows[0] + 1} below the header: {reason}. Save the table as UTF-8, "
            "with quotes around a cell with a comma and a cell for each column."
        )
    nothing = pd.Series("", index=table.cells.index)
    names = nothing if column is None else table.cells[column].fillna("")
    texts = nothing if words is None else table.cells[words].fillna("").str.strip()
    for row, (name, text) in enumerate(zip(names, texts, strict=True), 1):
        _check_query(f"{location}: row {row} below the header", location, store, name, text)
    items = table.cells[labels].copy()
    # A query by words has no picture, and is called by its words.
    items.insert(0, "id", names.where(texts == "", texts))
    items.insert(1, "image", names)
    return items, () if words is None else texts.tolist()


def _check_query(where: str, location: Path, store: FolderStore, name: str, text: str) -> None:
    """Raise :class:`QueriesError` unless a row has a picture below the table, or words."""
    if name and text:
        raise QueriesError(
            f"{where}: a picture and words. Leave one of the two cells empty, since each is a "
            f"query by itself, or call the column otherwise if `{TEXT_COLUMN}` is a label."
        )
    if len(text) > MAX_TEXT:
        raise QueriesError(f"{where}: more than {MAX_TEXT:,} letters of words.")
    if text:
        return
    where = f"{where}: {name!r:.100}"
    if not is_plain_name(name) or not store.is_inside(location.parent / name):
        raise QueriesError(
            f"{where} leads out of the table's folder. Name pictures in the folder of the "
            "table or below, with / between the parts."
        )
    if not is_picture_name(name):
        raise QueriesError(f"{where} is no picture's name.")
