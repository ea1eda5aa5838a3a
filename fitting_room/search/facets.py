"""What a catalogue can be filtered by, and how many items each value would leave.

A column's values are counted with the other filters on and its own off: a value's number is what
choosing it gives. They are counted where the items live
(:class:`fitting_room.index.item_store.ItemStore`); of a table alone, and for the map, values are
numbered once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from fitting_room.index.filters import EVERYTHING, Filter, FirstPictures, OneOf, both
from fitting_room.index.index import Index
from fitting_room.index.item_store import ItemStore

#: A column is offered as a filter when it has at least two and at most this many values.
MAX_FILTER_VALUES = 200
#: Rows that tell whether a column may have so few.
LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True)
class Choice:
    """A column to filter by and its ``values``, the most frequent first."""

    column: str
    values: tuple[str, ...]


class Counted(NamedTuple):
    """How many items pass some filters, ``items``, and for each column how many of them each of its
    values would leave; ``estimated`` says that these were counted on a sample."""

    items: int
    by_column: Mapping[str, Mapping[str, int]]
    estimated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Facet(Choice):
    """A choice with ``codes`` int16 ``(N,)``, each item's place among the values or -1."""

    codes: np.ndarray

    def mask(self, chosen: Sequence[str]) -> np.ndarray:
        """Which items have one of the chosen values, bool ``(N,)``."""
        wanted = np.zeros(len(self.values) + 1, bool)  # the last one is for -1
        for value in chosen:
            if value in self.values:
                wanted[self.values.index(value)] = True
        return np.asarray(wanted[self.codes])

    def counts(self, mask: np.ndarray | None) -> dict[str, int]:
        """How many of the items under ``mask`` have each value."""
        codes = self.codes if mask is None else self.codes[mask]
        counts = np.bincount(codes + 1, minlength=len(self.values) + 1)[1:]
        return dict(zip(self.values, counts.tolist(), strict=True))


def facets_of(items: pd.DataFrame, columns: Sequence[str]) -> list[Facet]:
    """The columns of a table that offer a choice."""
    facets = []
    for column in columns:
        numbers, values = pd.factorize(items[column])
        if not 2 <= len(values) <= MAX_FILTER_VALUES:
            continue
        counts = np.bincount(numbers[numbers >= 0], minlength=len(values))
        order = np.argsort(-counts, kind="stable")
        place = np.full(len(values) + 1, -1, np.int16)
        place[order] = np.arange(len(values))
        codes = place[numbers]
        codes[numbers < 0] = -1
        facets.append(Facet(column, tuple(str(values[i]) for i in order), codes))
    return facets


def choices_of(index: Index, columns: Sequence[str]) -> list[Choice]:
    """Those of some columns that offer a choice among all items."""
    # What has too many values among some rows is not counted among all.
    some = index.sample.items.head(LOOKED_AT)
    few = [column for column in columns if some[column].nunique() <= MAX_FILTER_VALUES]
    counts = index.store.counts(few, EVERYTHING).by_column
    found = [Choice(column, tuple(counts[column])) for column in few]
    return [choice for choice in found if 2 <= len(choice.values) <= MAX_FILTER_VALUES]


def counted(
    store: ItemStore, columns: Sequence[str], where: Mapping[str, Sequence[str]]
) -> Counted:
    """How many items pass filters, and how many each value of some columns would leave."""
    wanted = {column: OneOf(column, tuple(values)) for column, values in where.items() if values}
    beside: dict[Filter, list[str]] = {}
    for column in columns:
        others = both(*(one for other, one in wanted.items() if other != column))
        beside.setdefault(others, []).append(column)
    found = [store.counts(some, others) for others, some in beside.items()]
    return Counted(
        store.count(both(*wanted.values(), FirstPictures())),
        {column: counts for one in found for column, counts in one.by_column.items()},
        estimated=any(one.estimated for one in found),
    )


def count_all(facets: Sequence[Facet], where: Mapping[str, Sequence[str]]) -> Counted:
    """The same of a table alone, of its ``facets``, of which there is at least one."""
    masks = _masks(facets, where)
    counts = {
        facet.column: facet.counts(
            _all_of([mask for column, mask in masks.items() if column != facet.column])
        )
        for facet in facets
    }
    every = _all_of(list(masks.values()))
    return Counted(len(facets[0].codes) if every is None else int(every.sum()), counts)


def _masks(facets: Sequence[Facet], where: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    return {f.column: f.mask(where[f.column]) for f in facets if where.get(f.column)}


def _all_of(masks: list[np.ndarray]) -> np.ndarray | None:
    return np.logical_and.reduce(masks) if masks else None
