"""What a catalogue's columns and names say of its items, and what words ask for by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial

import numpy as np
import pandas as pd

from fitting_room.index.filters import EVERYTHING, Filter
from fitting_room.index.index import Index
from fitting_room.index.scoring import Hits
from fitting_room.search.fulfilment import MOST_LISTED, Fulfilment, by_words, fulfilment
from fitting_room.search.numbers import SortError, as_numbers, numeric_columns
from fitting_room.search.synonyms import Synonyms, packaged
from fitting_room.search.vocabulary import Vocabulary
from fitting_room.search.wishes import Understood, understand


class Columns:
    """An opened index as far as its table goes. ``synonyms`` are the other words for what that
    says, the packaged ones by default. Safe to share between threads."""

    def __init__(self, index: Index, synonyms: Synonyms | None = None) -> None:
        self.index = index
        self.synonyms = synonyms or packaged()

    def values(self, column: str) -> list[str]:
        """The different values of a column, the most frequent first. Raises ``KeyError``."""
        if column not in self.index.filter_columns:
            raise KeyError(column)
        return list(self.index.store.counts([column], EVERYTHING).by_column[column])

    @property
    def attributes(self) -> list[str]:
        """The catalogue's columns that describe the items."""
        return [column for column in self.index.filter_columns if column != "id"]

    @cached_property
    def numeric(self) -> Mapping[str, np.ndarray]:
        """The columns that hold numbers to sort by, in their order, each with the number of every
        row of the index, or of its sample, float64 ``(N,)``, NaN where there is none
        (:mod:`fitting_room.search.numbers`)."""
        return numeric_columns(self.index.sample.items, self.attributes)

    def numbers(self, column: str) -> Callable[[np.ndarray], np.ndarray]:
        """What gives the numbers of some rows in a column of :attr:`numeric`. Raises
        ``FilterError`` for an unknown column and ``SortError`` for one without."""
        if column not in self.numeric:
            self.index.filter({column: ()})  # an unknown one is said in its own words
            raise SortError(column, self.numeric)
        if self.is_local:
            return self.numeric[column].__getitem__
        return partial(self._numbers_like, column)

    def _numbers_like(self, column: str, rows: np.ndarray) -> np.ndarray:
        """The numbers of some rows, read as those of the sample are."""
        cells = pd.Series(self.index.store.cells(column, rows), dtype=object)
        known = self.index.sample.items[column].astype(object)
        numbers = as_numbers(pd.concat([known, cells], ignore_index=True))
        return np.full(len(rows), np.nan) if numbers is None else numbers[len(known) :]

    @cached_property
    def constant_columns(self) -> frozenset[str]:
        """The columns with one value for all items, which tell none of them from another."""
        index = self.index
        if index.item_count < 2:
            return frozenset()
        # Most columns differ among the first few rows already.
        first = index.sample.items.head(100)
        alike = [c for c in self.attributes if first[c].nunique(dropna=False) == 1]
        found = {c: list(index.store.values(c).values()) for c in alike}
        return frozenset(c for c, counts in found.items() if counts == [len(index)])

    @cached_property
    def items_once(self) -> pd.DataFrame:
        """The table of a local index with one row an item, that of its first picture, in the order
        of :attr:`Index.first_rows`."""
        items = self.index.items
        if self.index.item_pictures is None:
            return items
        return items.iloc[self.index.first_rows].reset_index(drop=True)

    def distinct(self, column: str) -> int:
        """How many different values a column has, of a database as far as they were kept
        (:data:`fitting_room.databases.record.VALUES_KEPT`)."""
        if self.is_local:
            return int(self.items_once[column].nunique())
        return len(self.index.store.values(column))

    @property
    def is_local(self) -> bool:
        """Whether all items are on this machine, and not in a database."""
        return self.index.sample is self.index

    @property
    def sample_in_words(self) -> str | None:
        """What there is to say of what was computed on :attr:`Index.sample` alone; ``None`` where
        that is the whole catalogue."""
        of_sample, of_all = self.index.sample.item_count, self.index.item_count
        if of_sample >= of_all:
            return None
        return f"A sample of {of_sample:,} of {of_all:,} items."

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words of the catalogue, made when they are first needed. Raises
        ``WordsUnavailableError``."""
        return Vocabulary(self.index.store, self.attributes, self.synonyms)

    def understand(self, text: str) -> Understood:
        """What a text asks for, by the words of the catalogue."""
        return understand(text, self.vocabulary)

    def fulfilment(self, words: Understood) -> Fulfilment:
        """How far rows of the index fulfil the wishes of a text."""
        return fulfilment(words, self.vocabulary)

    def ranked(
        self, words: Understood, where: Filter = EVERYTHING, most: int | None = None
    ) -> Hits:
        """The items that do what words ask for, of those that ``where`` lets through, the best
        first, at most so many, and the share of the words that they fulfil. By default all of
        them, or of a database the first :data:`fitting_room.search.fulfilment.MOST_LISTED`."""
        if not words:
            return Hits(np.array([], np.int64), np.array([], np.float32))
        listed = len(self.index) if self.is_local else MOST_LISTED
        return Hits(*by_words(words, self.vocabulary, where, listed if most is None else most))
