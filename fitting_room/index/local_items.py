"""The items of an index on this machine's disk, as :class:`fitting_room.index.item_store.ItemStore`
has them: filters are masks over all rows, and candidates come from the index's inverted file."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from fitting_room.catalogue.schema import name_columns
from fitting_room.index import filters, scoring
from fitting_room.index.data import IndexData
from fitting_room.index.filters import EVERYTHING, Filter
from fitting_room.index.item_pictures import ItemPictures
from fitting_room.index.item_store import Block, Question, ValueCounts
from fitting_room.index.names import Names

#: Masks of a filter's parts that are kept, a byte a row each.
MASKS_KEPT = 64
#: The columns with one text for each picture, which nobody counts.
_OWN = frozenset({"id", "image", "signature", "digest"})


class LocalItems:
    """The rows of an opened index, ``data``, or of a table of items alone, which is read without
    its pictures."""

    def __init__(self, table: pd.DataFrame, data: IndexData | None = None) -> None:
        self._data, self._table = data, table
        self._arrays = {str(column): self._table[column].array for column in self._table}
        self._lock = threading.Lock()
        self._masks: OrderedDict[Filter, np.ndarray] = OrderedDict()
        self._numbered: dict[str, tuple[np.ndarray, dict[str, int]]] = {}
        self._totals: dict[str, dict[str, int]] = {}

    def __len__(self) -> int:
        return len(self._table)

    @cached_property
    def pictures(self) -> ItemPictures | None:
        """Which pictures belong to one item, or ``None`` where every item has one picture."""
        return ItemPictures.of(self._table["id"])

    @cached_property
    def names(self) -> Names:
        """The words of the items' names, made when they are first needed. Raises
        ``WordsUnavailableError``."""
        return Names(self._table, [*name_columns(list(self._table.columns)), "id"])

    def candidates(
        self, question: Question, n: int, where: Filter, *, trained: bool
    ) -> list[np.ndarray] | None:
        """Raises :class:`~fitting_room.index.inverted_file.AnnIndexError` where it is damaged."""
        if self._data is None or self._data.ann is None:
            return None
        shape = question[scoring.LEARNED if trained else scoring.EMBEDDING]
        outline, colour = question.get(scoring.OUTLINE), question.get(scoring.COLOUR)
        mask = None if where == EVERYTHING else self.mask(where)
        return self._data.ann.candidates(shape, outline, colour, n, mask, trained=trained)

    def block(self, rows: np.ndarray) -> Block:
        data, rows = self._data, np.unique(rows[(rows >= 0) & (rows < len(self))])
        if data is None:
            raise ValueError("a table alone has no pictures")
        return Block(
            rows,
            self.firsts(rows),
            self._table.iloc[rows].reset_index(drop=True),
            np.asarray(data.vectors[rows], np.float32),
            np.asarray(data.descriptors[rows]),
            None if data.trained is None else np.asarray(data.trained[rows], np.float32),
            None if data.head_vectors is None else np.asarray(data.head_vectors[rows], np.float32),
        )

    def cells(self, column: str, rows: np.ndarray) -> list[Any]:
        if column not in self._arrays:
            return [None] * len(rows)
        # A column's own array is several times as quick at some rows as the table is.
        return list(self._arrays[column].take(rows).tolist())

    def passes(self, where: Filter, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.mask(where)[rows])

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        firsts = [self._rows[item] for item in ids if item in self._rows]
        if self.pictures is None or not firsts:
            return np.unique(np.array(firsts, np.int64))
        of_items = self.pictures.items[np.array(firsts)].tolist()
        return np.unique(np.concatenate([self.pictures.rows_of(item) for item in of_items]))

    def firsts(self, rows: np.ndarray) -> np.ndarray:
        if self.pictures is None:
            return rows
        return np.asarray(self.pictures.first_rows[self.pictures.items[rows]])

    def count(self, where: Filter) -> int:
        return len(self) if where == EVERYTHING else int(self.mask(where).sum())

    def counts(self, columns: Sequence[str], where: Filter) -> ValueCounts:
        mask = self.mask(filters.both(where, filters.FirstPictures()))
        if where != EVERYTHING:
            return ValueCounts({column: self._counts(column, mask) for column in columns})
        for column in columns:  # counted once
            if column not in self._totals:
                self._totals[column] = self._counts(column, mask)
        return ValueCounts({column: self._totals[column] for column in columns})

    def _counts(self, column: str, mask: np.ndarray) -> dict[str, int]:
        codes, values = self._numbers(column)
        counts = np.bincount(codes[mask] + 1, minlength=len(values) + 1)[1:]
        order = np.argsort(-counts, kind="stable").tolist()
        texts = list(values)
        return {texts[code]: int(counts[code]) for code in order if counts[code]}

    def scan(self, where: Filter, most: int, after: int = -1) -> np.ndarray:
        return np.asarray(after + 1 + np.flatnonzero(self.mask(where)[after + 1 :])[:most])

    def combinations(
        self, parts: Sequence[Filter], where: Filter = EVERYTHING
    ) -> list[tuple[bool, ...]]:
        bits = np.zeros(len(self), np.int64)
        for place, part in enumerate(parts):
            bits |= self.mask(part).astype(np.int64) << place
        there = np.unique(bits if where == EVERYTHING else bits[self.mask(where)]).tolist()
        return [tuple(bool(one >> place & 1) for place in range(len(parts))) for one in there]

    def values(self, column: str) -> Mapping[str, int]:
        codes, values = self._numbers(column)
        counts = np.bincount(codes[codes >= 0], minlength=len(values)).tolist()
        return dict(zip(values, counts, strict=True))

    def common_words(self, most: int) -> Sequence[str]:
        return self.names.common_words(most)

    def mask(self, where: Filter) -> np.ndarray:
        """Which rows a filter lets through, bool ``(N,)``, not to be written to. Raises
        ``KeyError`` for an unknown column."""
        match where:
            case filters.AllOf(parts):
                return self._joined(np.logical_and, parts, np.ones)
            case filters.AnyOf(parts):
                return self._joined(np.logical_or, parts, np.zeros)
            case filters.Not(part):
                return ~self.mask(part)
            case filters.Marked(mask):
                return mask
        with self._lock:
            if where in self._masks:
                self._masks.move_to_end(where)
                return self._masks[where]
        mask = self._mask(where)
        mask.flags.writeable = False
        with self._lock:
            self._masks[where] = mask
            while len(self._masks) > MASKS_KEPT:
                self._masks.popitem(last=False)
        return mask

    def _joined(self, join: np.ufunc, parts: Sequence[Filter], empty: Any) -> np.ndarray:
        masks = [self.mask(part) for part in parts]
        return np.asarray(join.reduce(masks)) if masks else empty(len(self), bool)

    def _mask(self, where: Filter) -> np.ndarray:
        mask = np.zeros(len(self), bool)
        match where:
            case filters.OneOf(column, values) if column in _OWN:
                mask = self._table[column].isin(values).to_numpy(dtype=bool)
            case filters.OneOf(column, values):
                codes, known = self._numbers(column)
                wanted = np.zeros(len(known) + 1, bool)  # the last one is for -1
                wanted[[known[value] for value in values if value in known]] = True
                mask = wanted[codes]
            case filters.Named(words, begun):
                mask[self.names.rows_of(words, begun=begun)] = True
            case filters.Rows(rows):
                mask[list(rows)] = True
            case filters.FirstPictures():
                mask[slice(None) if self.pictures is None else self.pictures.first_rows] = True
        return np.asarray(mask)

    def _numbers(self, column: str) -> tuple[np.ndarray, dict[str, int]]:
        """Each row's place among a column's values, int32 ``(N,)``, or -1, and the values' places,
        numbered once."""
        if column not in self._numbered:
            codes, values = pd.factorize(self._table[column])
            places = {str(value): place for place, value in enumerate(values)}
            self._numbered[column] = codes.astype(np.int32), places
        return self._numbered[column]

    @cached_property
    def _rows(self) -> dict[str, int]:
        firsts = np.arange(len(self)) if self.pictures is None else self.pictures.first_rows
        ids = self.cells("id", firsts)
        return {str(item): row for item, row in zip(ids, firsts.tolist(), strict=True)}
