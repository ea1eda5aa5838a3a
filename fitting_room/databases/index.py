"""An index whose items live in a database: the same search, of which only the rows that a question
is about are ever here."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from fitting_room.databases.address import DatabaseError, engine_for, without_password
from fitting_room.databases.database import Database
from fitting_room.databases.items import DatabaseItems
from fitting_room.databases.record import Statistics, open_record
from fitting_room.databases.rows import FetchedPart, FetchedRows, FetchedScales
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH
from fitting_room.index.codes import JointEncoder
from fitting_room.index.filters import EVERYTHING, Filter
from fitting_room.index.index import Index
from fitting_room.index.item_pictures import FIRST_FACTOR, ItemPictures
from fitting_room.index.manifest import IndexUnusable
from fitting_room.index.scoring import Hits, ScoreTerm, Terms

#: Seconds after which it is looked again whether another version was published.
LOOK_EVERY = 30.0


class WholeCatalogueError(IndexUnusable):
    """What takes the whole catalogue at once cannot be had of one in a database."""


class DatabaseIndex(Index):
    """An opened version of an index in a database. ``sample`` is a small index of some of its
    items, which answers what is computed on a sample."""

    def __init__(
        self,
        address: str,
        database: Database,
        sample: Index,
        encoder: JointEncoder,
        statistics: Statistics,
        folder: Any = None,
    ) -> None:
        manifest = replace(sample.manifest, counts=statistics.counts)
        super().__init__(replace(sample.data, manifest=manifest, ann=None, verifier=None))
        self.address, self.database, self._sample = address, database, sample
        self.statistics, self.encoder, self._folder = statistics, encoder, folder
        self.store = self.rows = DatabaseItems(database, encoder, sample, statistics)
        layout, count = database.layout, statistics.counts.embedded
        fetched = self.rows.fetched
        arrays: Any = {
            "vectors": layout.dimension,
            "descriptors": DESCRIPTOR_LENGTH,
            "trained": layout.trained,
            "head_vectors": layout.head_vectors,
        }
        for name, width in arrays.items():
            setattr(self, name, FetchedRows(fetched, name, count, width) if width else None)
        self.map = None
        self._newest, self._look_again = self.version, time.monotonic() + LOOK_EVERY

    @classmethod
    def open_at(cls, address: str, version: str | None = None) -> DatabaseIndex:
        """Open the published version of the index at an address, or one of that name. Raises
        ``IndexUnusable`` where there is none, or none that can be used."""
        database = engine_for(address).open(address, version)
        folder = tempfile.TemporaryDirectory(prefix="fitting-room-", ignore_cleanup_errors=True)
        try:
            parts = open_record(database.record(), Path(folder.name))
        except (ValueError, OSError) as error:
            folder.cleanup()
            raise DatabaseError(
                f"{without_password(address)}: the index is damaged ({error}). Build it again."
            ) from error
        return cls(address, database, *parts, folder=folder)

    def reopened(self) -> DatabaseIndex:
        return DatabaseIndex.open_at(self.address)

    def newest_version(self) -> str:
        if time.monotonic() >= self._look_again:
            self._look_again = time.monotonic() + LOOK_EVERY
            newest = engine_for(self.address).open(self.address)
            try:
                self._newest = _name_of(newest.version, newest.count(EVERYTHING))
            finally:
                newest.close()
        return self._newest

    @property
    def sample(self) -> Index:
        return self._sample

    @property
    def place(self) -> str:
        return without_password(self.address)

    @property
    def version(self) -> str:
        return _name_of(self.database.version, self.statistics.counts.embedded)

    @property
    def items(self) -> pd.DataFrame:
        self._refuse("the table of all items")

    @property
    def item_pictures(self) -> ItemPictures | None:
        self._refuse("the pictures of all items")

    @property
    def has_several_pictures(self) -> bool:
        return self.statistics.counts.items < self.statistics.counts.embedded

    @property
    def pictures_factor(self) -> int:
        return FIRST_FACTOR if self.has_several_pictures else 1

    @property
    def item_count(self) -> int:
        return self.statistics.counts.items

    @property
    def first_rows(self) -> np.ndarray:
        self._refuse("the first pictures of all items")

    def item_numbers(self, rows: Any) -> np.ndarray:
        """The row of the first picture of each row's item."""
        return (
            self.store.firsts(np.atleast_1d(rows))
            if np.ndim(rows)
            else self.store.firsts(np.array([rows]))[0]
        )

    def rows_of_item(self, row: int) -> np.ndarray:
        if not self.has_several_pictures:
            return np.array([row])
        (item,) = self.store.cells("id", np.array([row]))
        return self.store.rows_of([str(item)])

    @cached_property
    def _columns(self) -> list[str]:
        return ["id", *self.database.layout.columns]

    @property
    def filter_columns(self) -> list[str]:
        return self._columns

    def _byte_term(self, of: str, columns: slice, queries: np.ndarray) -> ScoreTerm:
        part: Any = FetchedPart(self.descriptors, columns)  # type: ignore[arg-type]
        scales: Any = FetchedScales(part)
        return ScoreTerm(of, part, np.asarray(queries, np.float32), scales)

    def _search_all(self, terms: Terms, queries: int, n: int, where: Filter) -> list[Hits]:  # noqa: ARG002
        self._refuse("what no dot product measures, or is to be exact among all items,")

    def mask(self, where: Any) -> np.ndarray:  # noqa: ARG002
        self._refuse("a filter over all rows")

    def _refuse(self, what: str) -> NoReturn:
        raise WholeCatalogueError(
            f"{self.place}: {what} cannot be had of an index in a database. Build one in a folder "
            "of a part of the catalogue for it."
        )


def _name_of(version: str, rows: int) -> str:
    """The name of a version as it is now: items may have been added to it or removed."""
    return f"{version}-{rows}"
