"""What a catalogue can be filtered by, and how many items each value would leave.

A column's values are counted with the other filters on and its own off: a value's number is what
choosing it gives. Values are numbered once for an index, so that counting is a few passes over
small integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

#: A column is offered as a filter when it has at least two and at most this many values.
MAX_FILTER_VALUES = 200


@dataclass(frozen=True, slots=True, eq=False)
class Facet:
    """A column to filter by: its ``values``, the most frequent first, and ``codes`` int16 ``(N,)``,
    each item's place among them or -1."""

    column: str
    values: tuple[str, ...]
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


def count_all(
    facets: Sequence[Facet], where: Mapping[str, Sequence[str]], among: np.ndarray | None = None
) -> dict[str, dict[str, int]]:
    """For each column how many items each value would leave, beside the other columns' filters,
    ``among`` some items, bool ``(N,)``, or all."""
    masks = _masks(facets, where)
    result = {}
    for facet in facets:
        others = [mask for column, mask in masks.items() if column != facet.column]
        result[facet.column] = facet.counts(_all_of(others, among))
    return result


def remaining(
    facets: Sequence[Facet], where: Mapping[str, Sequence[str]], among: np.ndarray | None = None
) -> int:
    """How many items pass all filters, ``among`` some or all."""
    mask = _all_of(list(_masks(facets, where).values()), among)
    if mask is None:
        return len(facets[0].codes) if facets else 0
    return int(mask.sum())


def _masks(facets: Sequence[Facet], where: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    return {f.column: f.mask(where[f.column]) for f in facets if where.get(f.column)}


def _all_of(masks: list[np.ndarray], among: np.ndarray | None) -> np.ndarray | None:
    if among is not None:
        masks = [*masks, among]
    return np.logical_and.reduce(masks) if masks else None
