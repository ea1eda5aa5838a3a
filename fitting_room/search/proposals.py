"""What to narrow an answer down by: the values that split its first items most."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np

from fitting_room.index.item_store import ItemStore
from fitting_room.search.facets import Choice

#: Of so many first items proposals are made; as many items, and no smaller share of them, have a
#: value that is proposed, and have not; and so many of a column's are.
FIRST, LEAST, LEAST_SHARE, OF_COLUMN = 60, 3, 0.08, 2
#: Two values that so large a share of the items with either have both say the same.
SAME = 0.7


@dataclass(frozen=True, slots=True)
class Proposal:
    """A value of a column, and how many of the first items have it."""

    column: str
    value: str
    count: int


def proposals(
    store: ItemStore,
    offered: Sequence[Choice],
    rows: np.ndarray,
    most: int,
    known: Container[tuple[str, str]] = (),
) -> list[Proposal]:
    """The values of ``offered`` columns that split the items in some ``rows`` most: whether an item
    has such a value is least known beforehand (the entropy of that: Shannon 1948), so that choosing
    it says most. ``known`` values, by column, are chosen already; of two that the same items have,
    the one of the first column is proposed; columns of numbers are left out."""
    found: list[tuple[float, Choice, int, np.ndarray]] = []
    for choice in offered:
        if all(value.replace(".", "").isdecimal() for value in choice.values):
            continue
        places = {value: place for place, value in enumerate(choice.values)}
        cells = store.cells(choice.column, rows)
        codes = np.array([places.get(cell, -1) for cell in cells], np.int64)
        for code, count in zip(*np.unique(codes[codes >= 0], return_counts=True), strict=True):
            share = float(count) / len(rows)
            if (
                not LEAST <= count <= len(rows) - LEAST
                or not LEAST_SHARE <= share < 1 - LEAST_SHARE
            ):
                continue
            if (choice.column, choice.values[code]) in known:
                continue
            entropy = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
            found.append((float(entropy), choice, int(code), codes == code))
    chosen: list[tuple[Proposal, np.ndarray]] = []
    for _, choice, code, mask in sorted(found, key=lambda one: -one[0]):
        of_column = sum(proposal.column == choice.column for proposal, _ in chosen)
        said = any((mask & other).sum() >= SAME * (mask | other).sum() for _, other in chosen)
        if of_column < OF_COLUMN and not said and len(chosen) < most:
            chosen.append((Proposal(choice.column, choice.values[code], int(mask.sum())), mask))
    return [proposal for proposal, _ in chosen]
