"""Which of the nearest items are shown: look-alikes folded, good ones alone, or a variety."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fitting_room.imaging.features import Features
from fitting_room.index.filters import EVERYTHING, Filter, both
from fitting_room.index.index import Index
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.search.likeness import Likeness

#: To fill a folded page, at most this many times as many hits as matches are searched for.
MOST_FOLDED = 32
#: A variety, and good ones alone, are chosen among so many times as many items as are wanted, and
#: at most so many more.
POOL, MOST_MORE = 4, 100
#: How similar items are to each other when a variety of them is chosen: as they look. To a head all
#: variants of one kind are the same.
LOOKS = SimilarityOptions(trained=False)
#: The least amount of likeness of a good match: what the words call "Alike".
GOOD = 0.45


def select(
    index: Index,
    top: Callable[[int], Hits],
    judge: Callable[[Hits], Sequence[Likeness]],
    *,
    n: int,
    fold: bool,
    diversity: float,
    only_good: bool,
    numbers: Callable[[np.ndarray], np.ndarray] | None,
    descending: bool,
) -> tuple[Hits, list[list[int]] | None]:
    """The ``n`` hits that are shown of those that ``top`` gives, and the rows folded into
    each; ``judge`` says how alike they are."""
    count = pool(n) if diversity or only_good else n
    hits, others = folded(index, top, count) if fold else (top(count), None)
    if diversity or only_good:
        places = chosen(index, hits, n, judge(hits), diversity=diversity, only_good=only_good)
        if numbers is not None:
            places = places[in_order(numbers(hits.rows[places]), descending)]
        hits, others = at(places, hits, others)
    return hits, others


def nearest_of(
    index: Index,
    queries: np.ndarray | Sequence[Features],
    where: Filter,
    options: SimilarityOptions,
    positives: int | None,
) -> Callable[..., Hits]:
    """What gives so many of the items nearest to a query, of those alone, if so wanted, that one
    more filter lets through. The arguments are those of
    :meth:`fitting_room.index.index.Index.search`."""

    def top(count: int, among: Filter = EVERYTHING) -> Hits:
        allowed = both(where, among)
        return index.search(queries, count, allowed, options=options, positives=positives)[0]

    return top


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


def pool(n: int) -> int:
    """How many items ``n`` are chosen among."""
    return min(n * POOL, n + MOST_MORE)


def chosen(
    index: Index,
    hits: Hits,
    n: int,
    likeness: Sequence[Likeness],
    *,
    diversity: float = 0.0,
    only_good: bool = False,
) -> np.ndarray:
    """The places of ``n`` hits, int64, ascending: the best first; with ``only_good`` of those whose
    ``likeness`` is at least :data:`GOOD`, perhaps fewer.

    With ``diversity``, 0 to 1, one after the other is chosen what is most similar to the query,
    less how similar it is to what was chosen before, of which that is the weight (maximal marginal
    relevance: Carbonell and Goldstein 1998). No variety is worth a poor match: beyond the ``n``
    nearest only good ones are taken, and what is no less alike than the poorest of these. Of
    equally good ones the nearer is first."""
    amounts = np.array([of_one.amount for of_one in likeness])
    among = np.flatnonzero(amounts >= GOOD) if only_good else np.arange(len(hits))
    if not diversity or len(among) <= n:
        return among[:n]
    least = min(GOOD, amounts[among[:n]].min())
    among = among[(np.arange(len(among)) < n) | (amounts[among] >= least)]
    each_other = index.similarities_among(hits.rows[among], options=LOOKS)
    worth = (1 - diversity) * hits.similarities[among]
    nearest = np.zeros(len(among))
    places: list[int] = []
    for _ in range(n):
        place = int(np.argmax(worth - diversity * nearest))
        worth[place] = -np.inf
        nearest = np.maximum(nearest, each_other[place]) if places else each_other[place]
        places.append(place)
    return np.asarray(among[np.sort(places)])


def in_order(numbers: np.ndarray, descending: bool) -> np.ndarray:
    """The places of some numbers, the smallest first, or ``descending`` the largest; what is no
    number (NaN) comes last, and equal ones stay in their order."""
    return np.argsort(-numbers if descending else numbers, kind="stable")  # NaN is sorted last


def at(
    places: np.ndarray, hits: Hits, others: list[list[int]] | None
) -> tuple[Hits, list[list[int]] | None]:
    """Hits at some places, and the rows folded into each."""
    kept = None if others is None else [others[place] for place in places.tolist()]
    return Hits(hits.rows[places], hits.similarities[places]), kept
