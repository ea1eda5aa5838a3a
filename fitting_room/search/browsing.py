"""The catalogue without a query: its items page by page, or some from all over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fitting_room.index.filters import Filter, FirstPictures, both
from fitting_room.index.index import Index

#: Items of a database that can be paged through: a page is found by reading the numbers of all rows
#: before it.
MOST_BROWSED = 10_000


@dataclass(frozen=True, slots=True)
class Listing:
    """The items that pass a filter: how many there are, ``items``, how many of them are ``listed``,
    and what gives the rows of some of these, from one place on, int64, ``rows(start, count)``."""

    items: int
    listed: int
    rows: Callable[[int, int], np.ndarray]


def browse(index: Index, where: Filter) -> Listing:
    """The items that a filter lets through: of a local index all, mixed, always in the same way;
    of a database the first :data:`MOST_BROWSED` in their order."""
    if index.sample is index:
        rows = index.once(index.store.scan(where, len(index)))
        rows = np.random.default_rng(len(index)).permutation(rows)
        return Listing(len(rows), len(rows), lambda start, count: rows[start : start + count])
    items = both(where, FirstPictures())
    count = index.store.count(items)

    def of_page(start: int, some: int) -> np.ndarray:
        return index.store.scan(items, min(start + some, MOST_BROWSED))[start:]

    return Listing(count, min(count, MOST_BROWSED), of_page)


def glance(index: Index, where: Filter, most: int) -> np.ndarray:
    """The rows of so many items from all over the catalogue that a filter lets through, always the
    same ones."""
    if index.sample is index:
        return browse(index, where).rows(0, most)
    seen = browse(index.sample, where).rows(0, most)
    ids = list(map(str, index.sample.store.cells("id", seen)))
    there = index.store.rows_of(ids)
    found = there[index.store.firsts(there) == there]
    if len(found) < most:  # the sample has too few of them
        found = np.union1d(found, browse(index, where).rows(0, most))[:most]
    return np.asarray(found)
