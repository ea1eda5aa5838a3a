"""What a catalogue's columns and names say of its items, and what words ask for by them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pandas as pd

from fitting_room.index.index import Index
from fitting_room.index.scoring import Hits
from fitting_room.search.fulfilment import Fulfilment, by_words, fulfilment
from fitting_room.search.numbers import SortError, numeric_columns
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
        return [str(value) for value in self.items_once[column].value_counts().index]

    @property
    def attributes(self) -> list[str]:
        """The catalogue's columns that describe the items."""
        return [column for column in self.index.filter_columns if column != "id"]

    @cached_property
    def numeric(self) -> Mapping[str, np.ndarray]:
        """The columns that hold numbers to sort by, in their order, each with the number of every
        row of the index, float64 ``(N,)``, NaN where there is none
        (:mod:`fitting_room.search.numbers`)."""
        return numeric_columns(self.index.items, self.attributes)

    def numbers(self, column: str) -> np.ndarray:
        """The numbers of a column of :attr:`numeric`. Raises ``FilterError`` for an unknown column
        and ``SortError`` for one without."""
        if column not in self.numeric:
            self.index.mask({column: ()})  # an unknown one is said in its own words
            raise SortError(column, self.numeric)
        return self.numeric[column]

    @cached_property
    def constant_columns(self) -> frozenset[str]:
        """The columns with one value for all items, which tell none of them from another."""
        items = self.items_once
        if len(items) < 2:
            return frozenset()
        return frozenset(
            column
            for column in self.attributes
            # Most columns differ among the first few rows already.
            if all(
                bool((some[column] == items[column].iloc[0]).fillna(False).all())
                for some in (items.head(100), items)
            )
        )

    @cached_property
    def items_once(self) -> pd.DataFrame:
        """The catalogue's table with one row an item, that of its first picture, in the order of
        :attr:`Index.first_rows`."""
        items = self.index.items
        if self.index.item_pictures is None:
            return items
        return items.iloc[self.index.first_rows].reset_index(drop=True)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words of the catalogue, made when they are first needed. Raises
        ``WordsUnavailableError``."""
        return Vocabulary(self.index.items, self.attributes, self.synonyms)

    def understand(self, text: str) -> Understood:
        """What a text asks for, by the words of the catalogue."""
        return understand(text, self.vocabulary)

    def fulfilment(self, words: Understood) -> Fulfilment:
        """How far each row of the index fulfils the wishes of a text."""
        return fulfilment(words, self.vocabulary)

    def ranked(self, words: Understood, passing: np.ndarray) -> Hits:
        """All items that do what words ask for, the best first, and the share of the words that
        they fulfil, of the rows that are ``passing``, bool ``(N,)``."""
        if not words:
            return Hits(np.array([], np.int64), np.array([], np.float32))
        rows, shares = by_words(words, self.vocabulary)
        kept = passing[rows]
        rows, shares = rows[kept], shares[kept]
        if self.index.item_pictures is not None:
            places = self.index.places_once(rows)
            rows, shares = rows[places], shares[places]
        return Hits(rows, shares)
