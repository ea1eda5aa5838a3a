"""Query pictures and the labels expected of their hits: a catalogue, or a table of pictures and
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


class QueriesError(Exception):
    """Queries that cannot be read; the text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """Query pictures and the labels expected of their hits.

    ``items`` is a table with the columns ``id``, ``image`` (the picture's name in ``store``) and
    the expected labels, as text, missing where nothing is expected. With a ``mapping`` the label is
    the column ``class`` and nothing else counts, but ``colours`` if there are any: ``words`` has
    those of each row, empty where none are known.
    """

    location: str
    store: ImageStore
    items: pd.DataFrame
    mapping: LabelMapping | None = None
    colours: PhotographColours | None = None
    words: Sequence[frozenset[str]] = ()

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
    and expected labels.

    One column of such a csv is ``picture`` or ``path``, relative to the csv's folder and never
    outside it. ``colours`` go with a mapping. Raises :class:`QueriesError`, ``CatalogueError`` for
    a catalogue that cannot be read, and ``LabelMappingError`` for colours that do not fit it.
    """
    if (table := _query_table(location)) is not None:
        place, data = table
        store = FolderStore(place.parent)
        queries = Queries(str(place.resolve()), store, _read_table(place, data, store), mapping)
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
    """A csv that names pictures in a column called so, and what is in it, or ``None`` for anything
    else. Raises :class:`QueriesError`."""
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
    return (path, data) if _picture_column(columns) is not None else None


def _picture_column(columns: Sequence[str]) -> str | None:
    return next((column for column in columns if column.lower() in PICTURE_COLUMNS), None)


def _read_table(location: Path, data: bytes, store: FolderStore) -> pd.DataFrame:
    """Pictures and labels of a csv. Unlike a catalogue, which is a shop's, it is refused for
    anything that would have to be repaired or left out."""
    if len(data) > MAX_TABLE_BYTES:
        raise QueriesError(f"{location}: larger than {MAX_TABLE_BYTES / 2**20:.0f} MB.")
    try:
        table = read_table(partial(io.BytesIO, data), location.name)
    except TableError as error:
        raise QueriesError(f"{location}: cannot be read: {error}") from error
    column = _picture_column(list(table.cells.columns))
    labels = [c for c in table.cells.columns if c != column]
    if column is None or not labels:
        raise QueriesError(f"{location}: no expected labels beside the pictures. Add columns.")
    if taken := [label for label in labels if label in RESERVED_COLUMNS]:
        raise QueriesError(
            f"{location}: the column name `{taken[0]}` is reserved. Rename that column."
        )
    items = table.cells[[column, *labels]].rename(columns={column: "id"})
    items["id"] = items["id"].fillna("")
    if len(items) == 0:
        raise QueriesError(f"{location}: no pictures are named.")
    if len(items) > MAX_TABLE_ROWS:
        raise QueriesError(f"{location}: more than {MAX_TABLE_ROWS:,} rows.")
    for reason, rows in (table.unusable | table.repaired).items():
        raise QueriesError(
            f"{location}: row {rows[0] + 1} below the header: {reason}. Save the table as UTF-8, "
            "with quotes around a cell with a comma and a cell for each column."
        )
    for row, name in enumerate(items["id"], 1):
        where = f"{location}: row {row} below the header: {name!r:.100}"
        if not is_plain_name(name) or not store.is_inside(location.parent / name):
            raise QueriesError(
                f"{where} leads out of the table's folder. Name pictures in the folder of the "
                "table or below, with / between the parts."
            )
        if not is_picture_name(name):
            raise QueriesError(f"{where} is no picture's name.")
    items.insert(1, "image", items["id"])
    return items
