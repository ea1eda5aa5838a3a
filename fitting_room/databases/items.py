"""The items of an index in a database, as :class:`fitting_room.index.item_store.ItemStore` has
them: the engine finds candidates and counts, and their rows are fetched and compared here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from fitting_room.catalogue.schema import name_columns
from fitting_room.databases.database import Database
from fitting_room.databases.record import Statistics
from fitting_room.databases.rows import AT_ONCE, FetchedBlocks
from fitting_room.databases.terms import terms_of_name, terms_of_words, words_of
from fitting_room.index import filters
from fitting_room.index.codes import JointEncoder
from fitting_room.index.filters import EVERYTHING, Filter, FirstPictures, Not, both
from fitting_room.index.index import Index
from fitting_room.index.item_store import Block, Question, ValueCounts

_log = logging.getLogger(__name__)

#: Candidates for each result that is wanted, and how many there are at least and at most.
PER_RESULT, LEAST, MOST = 8, 400, 4_000
#: Rows lie beside each other by all parts of their codes, so that a query that is so much colour
#: has its nearest ones in more places, and is looked for widely from the start.
COLOURFUL = 0.1
#: Where an engine answers too few, all that a filter lets through are compared, up to so many.
COMPARED = 5_000
#: Ways in which rows fulfil some wishes that are told apart.
MOST_WAYS = 64
#: Values of a column that are counted; a filter that leaves at most so many rows is counted by
#: fetching these; and so many of the sample must be left for an estimate.
VALUES_COUNTED, COUNTED_HERE, LEAST_OF_SAMPLE = 5_000, 1_000, 30
#: Pictures of which an engine counts all values, where they are more than the items.
COUNTED_AGAIN = 1_000_000


class DatabaseItems:
    """The rows of one version. ``sample`` is the small index of its record."""

    def __init__(
        self, database: Database, encoder: JointEncoder, sample: Index, statistics: Statistics
    ) -> None:
        self.database, self.sample, self.statistics = database, sample, statistics
        self.fetched = FetchedBlocks(database.block)
        self._encoder = encoder
        self._names = [*name_columns(database.layout.columns), "id"]

    def __len__(self) -> int:
        return self.statistics.counts.embedded

    def candidates(
        self, question: Question, n: int, where: Filter, *, trained: bool
    ) -> list[np.ndarray] | None:
        del trained  # the question has its own weights
        return [self._candidates(code, n, where) for code in self._encoder.of_question(question)]

    def _candidates(self, code: np.ndarray, n: int, where: Filter) -> np.ndarray:
        """Candidates for one query. Engines answer too few in silence where a filter leaves little
        of what lies near, so that they are asked again, further, and then not at all."""
        wanted = min(max(LEAST, PER_RESULT * n), max(MOST, n))
        there: int | None = None
        for wide in (False, True) if self._colour_of(code) < COLOURFUL else (True,):
            block = self.database.candidates(code, wanted, where, wide=wide)
            self.fetched.keep(block)
            if len(block) >= wanted:
                return block.rows
            there = self.database.count(where) if there is None else there
            if len(block) >= there:
                return block.rows
        if there is not None and there > COMPARED:
            _log.warning(
                "The database has found %d of %d candidates among %d.", len(block), wanted, there
            )
        return np.union1d(block.rows, self.database.scan(where, COMPARED))

    def _colour_of(self, code: np.ndarray) -> float:
        """The share of colour in the square of a query's code."""
        squares = np.square(code)
        colour = self._encoder.colour.shape[1]
        return float(squares[-colour:].sum() / max(float(squares.sum()), 1e-12))

    def block(self, rows: np.ndarray) -> Block:
        blocks = [
            self.database.block(np.unique(rows)[start : start + AT_ONCE])
            for start in range(0, max(1, len(rows)), AT_ONCE)
        ]
        for block in blocks:
            self.fetched.keep(block)
        return _joined(blocks) if len(blocks) > 1 else blocks[0]

    def cells(self, column: str, rows: np.ndarray) -> list[Any]:
        found = self.fetched.find(np.asarray(rows, np.int64))
        return [block.table[column].iat[place] if column in block.table else None
                for block, place in found]  # fmt: skip

    def passes(self, where: Filter, rows: np.ndarray) -> np.ndarray:
        passing: np.ndarray = np.zeros(len(rows), bool)
        match where:
            case filters.AllOf(parts):
                passing = ~passing
                for part in parts:
                    passing &= self.passes(part, rows)
            case filters.AnyOf(parts):
                for part in parts:
                    passing |= self.passes(part, rows)
            case filters.Not(part):
                passing = ~self.passes(part, rows)
            case filters.OneOf(column, values):
                passing = np.array([v in values for v in self.cells(column, rows)], bool)
            case filters.Rows(some):
                passing = np.isin(rows, some)
            case filters.FirstPictures():
                passing = np.asarray(self.firsts(rows) == rows)
            case filters.Named(words, begun):
                names = zip(*(self.cells(column, rows) for column in self._names), strict=True)
                passing = np.array([_is_named(name, words, begun) for name in names], bool)
            case filters.Marked():
                raise TypeError("a mask marks rows of a local index alone")
        return passing

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        return self.database.rows_of(ids)

    def firsts(self, rows: np.ndarray) -> np.ndarray:
        found = self.fetched.find(np.asarray(rows, np.int64))
        return np.array([block.firsts[place] for block, place in found], np.int64)

    def count(self, where: Filter) -> int:
        return self.database.count(where)

    def counts(self, columns: Sequence[str], where: Filter) -> ValueCounts:
        if where == EVERYTHING and (counts := self._counted_when_written(columns)) is not None:
            return counts
        items = both(where, FirstPictures())
        found = {c: self.database.counts(c, items, VALUES_COUNTED) for c in columns}
        known = {column: counts for column, counts in found.items() if counts is not None}
        if len(known) == len(found):
            return ValueCounts(known)
        there = self.database.count(items)
        if there <= COUNTED_HERE:
            rows = self.database.scan(items, COUNTED_HERE)
            cells = {c: pd.Series(self.cells(c, rows), dtype=object).dropna() for c in columns}
            return ValueCounts(
                {c: _by_number(values.value_counts()) for c, values in cells.items()}
            )
        of_sample = self.sample.store.counts(columns, where)
        seen = self.sample.store.count(items)
        if seen < LEAST_OF_SAMPLE:
            return ValueCounts({c: {} for c in columns}, estimated=True)
        estimated = {
            column: {value: max(1, round(n * there / seen)) for value, n in counts.items()}
            for column, counts in of_sample.by_column.items()
        }
        return ValueCounts(estimated, estimated=True)

    def _counted_when_written(self, columns: Sequence[str]) -> ValueCounts | None:
        """The counts of all items. What was counted were rows, so that where items have several
        the engine counts again, unless there are very many of them."""
        pictures, there = self.statistics.counts.embedded, self.statistics.counts.items
        rows = {column: _by_number(self.statistics.values.get(column, {})) for column in columns}
        if there == pictures:
            return ValueCounts(rows)
        if pictures <= COUNTED_AGAIN:
            return None
        items = {
            column: {value: max(1, round(n * there / pictures)) for value, n in counts.items()}
            for column, counts in rows.items()
        }
        return ValueCounts(items, estimated=True)

    def scan(self, where: Filter, most: int, after: int = -1) -> np.ndarray:
        return self.database.scan(where, most, after)

    def combinations(
        self, parts: Sequence[Filter], where: Filter = EVERYTHING
    ) -> list[tuple[bool, ...]]:
        """At most :data:`MOST_WAYS` of them, those with the most of the first filters first: each
        takes the engine some counts, and a text of a dozen words has thousands."""
        return list(islice(self._ways(parts, where), MOST_WAYS))

    def _ways(self, parts: Sequence[Filter], where: Filter) -> Iterator[tuple[bool, ...]]:
        if not self.database.count(where):
            return
        if not parts:
            yield ()
            return
        first, *others = parts
        for way, left in ((True, both(where, first)), (False, both(where, Not(first)))):
            yield from ((way, *rest) for rest in self._ways(others, left))

    def values(self, column: str) -> Mapping[str, int]:
        return self.statistics.values.get(column, {})

    def common_words(self, most: int) -> Sequence[str]:
        return self.statistics.words[:most]


def _by_number(counts: Any) -> dict[str, int]:
    return {str(v): int(n) for v, n in sorted(dict(counts).items(), key=lambda one: -one[1])}


def _is_named(names: Sequence[Any], words: Sequence[str], begun: bool) -> bool:
    texts = [name for name in names if isinstance(name, str)]
    whole = words[:-1] if begun else words
    if not {*terms_of_words(whole)} <= {*terms_of_name(*texts)}:
        return False
    last = words_of(words[-1])[-1:] if begun else []
    every = [word for text in texts for word in words_of(text)]
    return all(any(word.startswith(one) for word in every) for one in last)


def _joined(blocks: Sequence[Block]) -> Block:
    tables = pd.concat([block.table for block in blocks], ignore_index=True)
    arrays = {
        name: None
        if getattr(blocks[0], name) is None
        else np.concatenate([getattr(block, name) for block in blocks])
        for name in ("rows", "firsts", "vectors", "descriptors", "trained", "head_vectors")
    }
    return Block(table=tables, **arrays)  # type: ignore[arg-type]
