"""A shop's table and pictures, in whatever form they are -> :class:`Catalogue`: a clean table of
items with a picture or several each, and a report of what was repaired, left out and why.

What is found and how: :mod:`fitting_room.catalogue.loading`. docs/catalogues.md shows each form.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fitting_room.catalogue import stores
from fitting_room.catalogue.loading import CatalogueReader, Found
from fitting_room.catalogue.matching import column_named
from fitting_room.catalogue.picture_names import without_ending
from fitting_room.catalogue.place import CatalogueError, open_place
from fitting_room.catalogue.reading_options import DEFAULT_READING, ReadingOptions
from fitting_room.catalogue.report import UNLISTED, CatalogueReport, name_some
from fitting_room.catalogue.schema import RESERVED_COLUMNS, UNDECODED, name_columns
from fitting_room.catalogue.stores import ImageStore, StoreError, is_unread_name
from fitting_room.catalogue.tables import Rows

__all__ = ["OTHER_FORMAT", "Catalogue", "CatalogueError", "load_catalogue", "open_store"]

OTHER_FORMAT = "the same picture as another of that name, in another format"


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Items with one or several pictures each.

    ``items`` has a row for each picture, with the columns ``id`` (text; rows of one item share
    it), ``image`` (the picture's name in ``store``), ``signature`` (changes when the picture's
    file does) and the attributes of the source, as text, missing where the source says nothing.
    ``location`` is what was opened.
    """

    location: str
    store: ImageStore
    items: pd.DataFrame
    report: CatalogueReport

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.items)

    @property
    def attributes(self) -> list[str]:
        """Names of the columns that describe the items."""
        return [c for c in self.items.columns if c not in RESERVED_COLUMNS]

    @property
    def fingerprint(self) -> str:
        """sha256 over all items: equal as long as nothing in the catalogue changed."""
        digest = hashlib.sha256("\0".join(self.items.columns).encode())
        text = self.items.astype("string")
        digest.update(pd.util.hash_pandas_object(text, index=False).to_numpy().tobytes())
        return digest.hexdigest()


def load_catalogue(location: str | Path, reading: ReadingOptions = DEFAULT_READING) -> Catalogue:
    """Open a catalogue of any form: a folder, an archive, a table beside its pictures or with them
    in it, or an address of one of these.

    Raises :class:`CatalogueError` when there is none at ``location`` or it cannot be read.
    """
    place = open_place(location, reading)
    reader = CatalogueReader(
        place.store,
        place.location,
        place.listing.files,
        place.pictures,
        place.reading,
        place.embedded,
        place.listing.passed_over,
    )
    catalogue = _catalogue(reader, reader.find())
    report = catalogue.report
    if report.items == 0:
        reason = "no rows" if report.unlisted else "no pictures found"
        if report.rows or report.passed_over or report.unread:
            reason = f"{reason}: {report.in_words()}"
        raise CatalogueError(
            f"{catalogue.location}: no usable item ({reason}). Expected is a table beside its "
            "pictures, which it names in some column, or folders of pictures."
        )
    return catalogue


def open_store(location: str | Path) -> ImageStore:
    """The pictures of the catalogue at ``location``, without reading its table.

    Raises :class:`CatalogueError` when they are not there any more, or lie elsewhere where nobody
    has allowed to ask (:mod:`fitting_room.catalogue.stores.places`).
    """
    if not stores.is_address(location) and not Path(location).exists():
        raise CatalogueError(f"{location}: the catalogue is not there any more.")
    try:
        return stores.open_store(location)
    except StoreError as error:
        raise CatalogueError(str(error)) from error


def _catalogue(reader: CatalogueReader, found: Found) -> Catalogue:
    items = found.items.table
    if reader.reading.name_column:
        items = _named_by(items, reader.reading.name_column)
    signatures = map(reader.pictures.get, items["image"].tolist())
    items.insert(2, "signature", pd.Series(signatures, items.index, dtype="str"))
    report = _report(reader, found, items)
    return Catalogue(reader.location, reader.store, items, report)


def _named_by(items: pd.DataFrame, wanted: str) -> pd.DataFrame:
    """Items whose name is the one of the column that the user named."""
    columns = [c for c in items.columns if c not in RESERVED_COLUMNS]
    try:
        column = column_named(columns, wanted)
    except ValueError as error:
        raise CatalogueError(str(error)) from error
    ranked = {c: f"{c} (not the name)" for c in name_columns(columns) if c != column}
    return items.rename(columns=ranked | {column: "name"})


def _report(reader: CatalogueReader, found: Found, items: pd.DataFrame) -> CatalogueReport:
    rows = found.items
    kept = _kept(rows.dropped, len(rows.ids))
    repaired = {r: [row for row in of if kept[row]] for r, of in found.source.repaired.items()}
    others, unlisted = _left_over(reader.pictures, items["image"])
    passed = {reason: list(names) for reason, names in reader.passed_over.items()}
    if others:
        passed[OTHER_FORMAT] = others
    unread: dict[str, list[str]] = defaultdict(list)
    for name in filter(is_unread_name, reader.names):
        unread[posixpath.splitext(name)[1].lower()].append(name)
    by_reason: dict[str, Rows] = {
        "repaired": {reason: of for reason, of in repaired.items() if of},
        "merged": rows.merged,
        "dropped": rows.dropped,
    }
    tables: dict[str, list[str]] = defaultdict(list)
    for name, reason in found.tables_not_read.items():
        tables[reason].append(name)
    examples = {
        reason: rows.ids.iloc[of[:10]].tolist()
        for kind in ("repaired", "dropped")
        for reason, of in by_reason[kind].items()
    }
    first = ~items["id"].duplicated()
    return CatalogueReport(
        rows=len(rows.ids),
        items=int(first.sum()),
        pictures=len(items),
        read_as=found.read_as,
        **{kind: {reason: len(of) for reason, of in d.items()} for kind, d in by_reason.items()},
        examples=name_some(examples | {UNLISTED: unlisted} | passed | unread | tables),
        empty={str(c): int(n) for c, n in items[first].isna().sum().items() if n},
        unlisted=len(unlisted),
        unread={ending: len(names) for ending, names in sorted(unread.items())},
        passed_over={reason: len(names) for reason, names in passed.items()},
        tables_not_read={reason: len(names) for reason, names in tables.items()},
    )


def _kept(dropped: Rows, count: int) -> list[bool]:
    kept = [True] * count
    for rows in dropped.values():
        for row in rows:
            kept[row] = False
    return kept


def _left_over(pictures: Collection[str], used: pd.Series) -> tuple[list[str], list[str]]:
    """Pictures that no item has: those that an item has in another format, and the others."""
    taken = set(used)
    left = sorted(n for n in pictures if n not in taken and not UNDECODED.search(n))
    if not left:
        return [], []
    formats = {without_ending(name) for name in taken}
    others = [name for name in left if without_ending(name) in formats]
    return others, [name for name in left if without_ending(name) not in formats]
