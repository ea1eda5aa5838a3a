"""A database in memory, for tests of what stands above an engine: quick, exact, and on demand as
sparing with its answers as real ones are."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fitting_room.build.publishing import ITEMS_OF_SAMPLE, encoder_of, write_to
from fitting_room.databases.address import DatabaseError, without_password
from fitting_room.databases.database import Database, NewRows
from fitting_room.databases.index import DatabaseIndex
from fitting_room.databases.record import open_record
from fitting_room.databases.terms import terms_of_words
from fitting_room.databases.writing import layout_of
from fitting_room.index import filters
from fitting_room.index.filters import Filter
from fitting_room.index.index import Index
from fitting_room.index.item_store import Block
from fitting_room.index.layout import Layout
from fitting_room.index.manifest import IndexUnusable

#: Where the databases of tests are said to be.
ADDRESS = "postgresql://somebody:secret@localhost/clothes"


@dataclass(frozen=True)
class _Row:
    first: int
    cells: dict[str, Any]
    code: np.ndarray
    packed: bytes
    terms: frozenset[str]


@dataclass
class MemoryDatabase:
    """A version in memory. ``answers`` is how many candidates it gives at most, and ``wide`` how
    many where it is asked to look further; without ``can_count`` it counts no values. ``asked``
    says how often each method was called."""

    layout: Layout
    version: str
    answers: int | None = None
    wide_answers: int | None = None
    can_count: bool = True
    asked: Counter[str] = field(default_factory=Counter)
    rows: dict[int, _Row] = field(default_factory=dict)
    published: bytes | None = None

    def candidates(self, code: np.ndarray, n: int, where: Filter, *, wide: bool = False) -> Block:
        self.asked["wide" if wide else "candidates"] += 1
        most = self.wide_answers if wide else self.answers
        rows = self._rows(where)
        if not rows:
            return self._block([])
        scores = np.stack([self.rows[row].code for row in rows]) @ code
        best = np.argsort(-scores, kind="stable")[: n if most is None else min(n, most)]
        return self._block([rows[place] for place in best.tolist()])

    def block(self, rows: np.ndarray) -> Block:
        self.asked["block"] += 1
        assert len(rows) <= 1_000, "more rows than are asked for at once"
        return self._block([row for row in rows.tolist() if row in self.rows])

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        wanted = {*ids}
        return np.array(
            [row for row in sorted(self.rows) if self.rows[row].cells["id"] in wanted], np.int64
        )

    def count(self, where: Filter) -> int:
        self.asked["count"] += 1
        return len(self._rows(where))

    def counts(self, column: str, where: Filter, most: int) -> Mapping[str, int] | None:
        if not self.can_count:
            return None
        cells = (self.rows[row].cells[column] for row in self._rows(where))
        found = Counter(cell for cell in cells if isinstance(cell, str))
        return dict(found.most_common(most))

    def scan(self, where: Filter, most: int, after: int = -1) -> np.ndarray:
        self.asked["scan"] += 1
        return np.array([row for row in self._rows(where) if row > after][:most], np.int64)

    def write(self, new: NewRows) -> None:
        block = new.block
        columns = ("id", "image", "digest", *self.layout.columns)
        table = block.table[list(columns)].astype(object).where(block.table.notna(), None)
        packed = self.layout.pack(block)
        for place, row in enumerate(block.rows.tolist()):
            self.rows[row] = _Row(
                int(block.firsts[place]),
                dict(table.iloc[place]),
                new.codes[place],
                packed[place],
                frozenset(new.terms[place]),
            )

    def remove(self, rows: np.ndarray) -> None:
        for row in rows.tolist():
            self.rows.pop(row, None)

    def record(self) -> bytes:
        if self.published is None:
            raise DatabaseError("nothing was published")
        return self.published

    def publish(self, record: bytes) -> None:
        self.published = record

    def close(self) -> None: ...

    def _block(self, rows: list[int]) -> Block:
        found = [self.rows[row] for row in rows]
        table = pd.DataFrame(
            [row.cells for row in found], columns=["id", "image", "digest", *self.layout.columns],
            dtype=object,
        )  # fmt: skip
        return self.layout.unpack(
            np.array(rows, np.int64),
            np.array([row.first for row in found], np.int64),
            table,
            [row.packed for row in found],
        )

    def _rows(self, where: Filter) -> list[int]:
        return [row for row in sorted(self.rows) if self._passes(where, row)]

    def _passes(self, where: Filter, row: int) -> bool:  # noqa: PLR0911
        match where:
            case filters.AllOf(parts):
                return all(self._passes(part, row) for part in parts)
            case filters.AnyOf(parts):
                return any(self._passes(part, row) for part in parts)
            case filters.Not(part):
                return not self._passes(part, row)
            case filters.OneOf(column, values):
                return self.rows[row].cells[column] in values
            case filters.Rows(rows):
                return row in rows
            case filters.FirstPictures():
                return self.rows[row].first == row
            case filters.Named(words, begun):
                terms = self.rows[row].terms
                *whole, last = terms_of_words(words) or [""]
                if not begun or not last:
                    return bool(last) and {*whole, last} <= terms
                return {*whole} <= terms and any(term.startswith(last) for term in terms)
        raise TypeError(where)


@dataclass(frozen=True)
class MemoryEngine:
    """What opens databases in memory, by their addresses."""

    known: Mapping[str, MemoryDatabase]

    def create(self, address: str, layout: Layout, version: str) -> Database:
        raise NotImplementedError

    def open(self, address: str, version: str | None = None) -> MemoryDatabase:
        found = self.known.get(address)
        if found is None or version not in (None, found.version):
            raise IndexUnusable(f"{without_password(address)}: there is no index here. Build one.")
        return found


def published(index: Index, items_of_sample: int = ITEMS_OF_SAMPLE) -> MemoryDatabase:
    """A database in memory with the items of an index."""
    encoder = encoder_of(index)
    database = MemoryDatabase(layout_of(index, encoder), index.manifest.build[:12])
    write_to(database, index, encoder, items_of_sample=items_of_sample)
    return database


def opened(database: MemoryDatabase, folder: Path, **changes: Any) -> DatabaseIndex:
    """The index in a database in memory, or in one with the same rows that differs by some
    ``changes``, its record unpacked below a ``folder``."""
    database = replace(database, asked=Counter(), **changes)
    place = Path(tempfile.mkdtemp(dir=folder))
    return DatabaseIndex(ADDRESS, database, *open_record(database.record(), place))
