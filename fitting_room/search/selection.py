"""Which of the nearest items are shown: look-alikes folded, good ones alone, or a variety."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fitting_room.imaging.features import Features
from fitting_room.index.index import Index
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.search.likeness import Likeness

#: To fill a folded page, at most this many times as many hits as matches are searched for.
MOST_FOLDED = 32
#: A variety is chosen among so many times as many items as are wanted.
POOL = 4
#: The least amount of likeness of a good match: what the words call "Alike".
GOOD = 0.45


def folded(index: Index, top: Callable[[int], Hits], n: int) -> tuple[Hits, list[list[int]]]:
    """The best of each group of near-duplicates, and the rows of the others of each group. ``top``
    gives so many hits."""
    count = 2 * n  # mostly enough, and a second search costs as much as the first
    while True:
        hits = top(count)
        groups = index.near_duplicates(hits)
        # With one group more than needed, the last of the needed ones is known to be complete.
        if len(groups) > n or len(hits) < count or count >= MOST_FOLDED * n:
            break
        count *= 2
    best = np.array([group[0] for group in groups[:n]], np.int64)
    others = [hits.rows[group[1:]].tolist() for group in groups[:n]]
    return Hits(hits.rows[best], hits.similarities[best]), others


def good(likeness: Sequence[Likeness]) -> np.ndarray:
    """The places of those that are at least :data:`GOOD`, int64, ascending."""
    return np.flatnonzero([of_one.amount >= GOOD for of_one in likeness])


def varied(
    index: Index, hits: Hits, n: int, diversity: float, options: SimilarityOptions
) -> np.ndarray:
    """The places of ``n`` hits, in the order in which they are shown, int64: each next one is the
    most similar to the query, less how similar it is to those before it (maximal marginal
    relevance: Carbonell and Goldstein 1998). ``diversity``, 0 to 1, is the weight of the latter.
    Of equally good ones the nearer is first."""
    nearest = np.full(len(hits), -1.0)
    chosen: list[int] = []
    left = np.ones(len(hits), bool)
    features: list[Features] = index.features(hits.rows)
    while left.any() and len(chosen) < n:
        worth = (1 - diversity) * hits.similarities - (diversity * nearest if chosen else 0.0)
        place = int(np.argmax(np.where(left, worth, -np.inf)))
        chosen.append(place)
        left[place] = False
        alike = index.similarities(features[place], hits.rows, options=options)
        nearest = np.maximum(nearest, alike)
    return np.array(chosen, np.int64)


def at(
    places: np.ndarray, hits: Hits, others: list[list[int]] | None
) -> tuple[Hits, list[list[int]] | None]:
    """Hits at some places, and the rows folded into each."""
    kept = None if others is None else [others[place] for place in places.tolist()]
    return Hits(hits.rows[places], hits.similarities[places]), kept
