"""Which rows of an index are pictures of one item, where some item has several."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from fitting_room.index.scoring import Hits

#: How many times as many pictures as items are looked for at first: as many as the item with most
#: pictures has, but no more than this.
FIRST_FACTOR = 4

#: Searches for so many pictures, for the queries at some places: hits for each of these.
_Search = Callable[[list[int], int], list[Hits]]


class ItemPictures:
    """The pictures of each item. Items are numbered in the order of their first rows: ``items`` is
    int32 ``(N,)``, the number of each row's item, and ``first_rows`` int64 ``(count,)`` ascends."""

    def __init__(self, items: np.ndarray) -> None:
        self.items = items
        self.first_rows = np.unique(items, return_index=True)[1]
        self._order = np.argsort(items, kind="stable")
        self._starts = np.append(
            np.searchsorted(items[self._order], np.arange(self.count)), len(items)
        )
        #: So many times as many pictures as items are looked for at first.
        self.factor = min(int(np.diff(self._starts).max()), FIRST_FACTOR)

    @classmethod
    def of(cls, ids: pd.Series) -> ItemPictures | None:
        """The pictures of the items with these ``ids``, one for each row, or ``None`` where every
        item has one picture."""
        if ids.is_unique:
            return None
        return cls(pd.factorize(ids, use_na_sentinel=False)[0].astype(np.int32))

    @property
    def count(self) -> int:
        """How many items there are."""
        return len(self.first_rows)

    def rows_of(self, item: int) -> np.ndarray:
        """The rows of an item's pictures, ascending."""
        return self._order[self._starts[item] : self._starts[item + 1]]


def best_items(
    search: _Search, queries: int, n: int, factor: int, once: Callable[[np.ndarray], np.ndarray]
) -> list[Hits]:
    """The ``n`` best items for each of so many queries, or all that there are, each by its best
    picture, where ``once`` gives the places in rows of the first picture of each item. At first
    ``factor`` times as many pictures are searched for, and more until there are ``n`` items among
    them."""
    found: dict[int, Hits] = {}
    left, count = list(range(queries)), n * factor
    while left:
        for query, hits in zip(left, search(left, count), strict=True):
            places = once(hits.rows)[:n]
            if len(places) == n or len(hits) < count:
                found[query] = Hits(hits.rows[places], hits.similarities[places])
        left = [query for query in left if query not in found]
        count *= 2
    return [found[query] for query in range(queries)]
