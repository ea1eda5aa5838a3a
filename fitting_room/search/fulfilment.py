"""How far items fulfil the wishes of a text, and how that is weighed against a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from fitting_room.catalogue.schema import plain_column
from fitting_room.index.filters import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Filter,
    FirstPictures,
    Named,
    Not,
    both,
)
from fitting_room.index.item_store import ItemStore
from fitting_room.index.scoring import Hits
from fitting_room.search.likeness import Likeness
from fitting_room.search.vocabulary import Vocabulary
from fitting_room.search.wishes import Understood, Wish, parts_of

#: Weight of words beside a picture where nobody chose: chosen by benchmarks/words.py,
#: docs/relevance.md.
TEXT_WEIGHT = 0.4
#: Shares of wishes are compared to so many decimals.
ROUNDING = 4

#: What is said of an item that words alone have found, and the most that one is judged by that has
#: only some of what they ask for: less than good (:data:`fitting_room.search.selection.GOOD`).
HAS_ALL, HAS_SOME, MOST_OF_SOME = "Has all you ask for", "Has some of it", 0.44

#: What is said of an item that a network has found by words, which is no measure of how well.
CLOSE = "Close to your words"

#: Gives the best so many rows of those that a filter lets through.
Top = Callable[[int, Filter], Hits]
#: Items of a database that words alone have found are listed up to so many.
MOST_LISTED = 2_000


class Fulfilment:
    """How far items fulfil the wishes of a text, each a filter with a weight: ``wanted`` ones and
    ``unwanted`` ones."""

    def __init__(
        self,
        store: ItemStore,
        wanted: Sequence[tuple[Filter, float]],
        unwanted: Sequence[tuple[Filter, float]],
    ) -> None:
        self._store = store
        self._parts = [*(part for part, _ in wanted), *(part for part, _ in unwanted)]
        self._signs = [True] * len(wanted) + [False] * len(unwanted)
        weights = [weight for _, weight in wanted] + [-weight for _, weight in unwanted]
        total = sum(weight for _, weight in wanted or unwanted) or 1.0
        self._weights = np.array(weights, np.float32) / np.float32(total)
        #: Whether there are wishes at all, and not only words that a network reads.
        self.known = bool(self._parts)
        self.has_wanted = bool(wanted)

    def shares(self, rows: np.ndarray) -> np.ndarray:
        """How far some rows fulfil the wishes, float32 ``(len(rows),)``: 1 where a row fulfils all,
        and less by what it has of the unwanted."""
        passing = [self._store.passes(part, rows) for part in self._parts]
        result = np.zeros(len(rows), np.float32)
        for weight, passes in zip(self._weights, passing, strict=True):
            result += weight * passes
        return result

    def complete(self, rows: np.ndarray) -> np.ndarray:
        """Which of some rows fulfil all and have nothing unwanted, bool ``(len(rows),)``."""
        return self._store.passes(self.all_of_it, rows)

    @property
    def all_of_it(self) -> Filter:
        """What fulfils all and has nothing unwanted."""
        return _all_of(self._parts, self._signs)

    @property
    def any_of_it(self) -> Filter:
        """What fulfils any of what is wanted; where nothing is, what has nothing unwanted."""
        wanted = [part for part, sign in zip(self._parts, self._signs, strict=True) if sign]
        return AnyOf(tuple(wanted)) if wanted else self.all_of_it

    def groups(self, where: Filter = EVERYTHING) -> list[tuple[float, Filter]]:
        """The shares that rows have of those that ``where`` lets through, rounded, the greatest
        first, and which rows these are."""
        of_share: dict[float, list[Filter]] = {}
        for way in self._store.combinations(self._parts, where):
            share = round(float(self._weights @ np.array(way, np.float32)), ROUNDING)
            of_share.setdefault(share, []).append(_all_of(self._parts, way))
        groups = {share: AnyOf(tuple(ways)) for share, ways in of_share.items()}
        return sorted(groups.items(), key=lambda one: -one[0])


def fulfilment(understood: Understood, vocabulary: Vocabulary) -> Fulfilment:
    """How far items fulfil wishes. A wish counts the more, the fewer items fulfil it (inverse
    document frequency: Spärck Jones 1972); wanted values of the same column are one wish for any of
    them."""
    wanted: dict[object, Filter] = {}
    unwanted: list[Filter] = []
    for number, wish in enumerate(understood.wishes):
        part = _filter_of(wish, vocabulary)
        if wish.negative:
            unwanted.append(part)
            continue
        key = number if wish.of_names else tuple(column for column, _ in wish.values)
        wanted[key] = AnyOf((wanted[key], part)) if key in wanted else part

    def weighed(parts: Iterable[Filter]) -> list[tuple[Filter, float]]:
        counts = [(part, max(1, vocabulary.count(part))) for part in parts]
        return [(part, float(np.log1p(vocabulary.size / count))) for part, count in counts]

    return Fulfilment(vocabulary.store, weighed(wanted.values()), weighed(unwanted))


def names_colour(understood: Understood) -> bool:
    """Whether a text asks for a colour, by a value of a column that is called so: then the colours
    of a picture beside it are not what is looked for."""
    columns = (
        column for wish in understood.wishes if not wish.negative for column, _ in wish.values
    )
    return any("colour" in name or "color" in name for name in map(plain_column, columns))


def by_words(
    understood: Understood, vocabulary: Vocabulary, where: Filter, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """At most so many items that fulfil any wish, by the rows of their first pictures, the best
    first, int64 ``(M,)``, and how far they do, float32, for words alone. Where several do as well,
    those first that have the words in their names too; then the catalogue's order counts."""
    found = fulfilment(understood, vocabulary)
    store, names = vocabulary.store, _names_of(understood, vocabulary)
    where = both(where, FirstPictures(), found.any_of_it)
    rows: list[np.ndarray] = []
    shares: list[float] = []
    for share, group in found.groups(where):
        if found.has_wanted and share <= 0:
            break
        ways = store.combinations(names, both(where, group))
        for count in sorted({sum(way) for way in ways}, reverse=True):
            alike = [_all_of(names, way) for way in ways if sum(way) == count]
            some = store.scan(both(where, group, AnyOf(tuple(alike))), most)
            rows.append(some)
            shares += [min(max(share, 0.0), 1.0) if found.has_wanted else 1.0] * len(some)
            most -= len(some)
            if most <= 0:
                break
        if most <= 0:
            break
    ordered = np.concatenate(rows) if rows else np.array([], np.int64)
    return ordered.astype(np.int64), np.array(shares, np.float32)


class Weighed:
    """The rows that are best by ``(1 - weight) * similarity + weight * share``; with a weight of 1
    those that fulfil all wishes, by similarity. Called with a number it gives so many, with that as
    their similarities.

    Items that fulfil the same wishes differ by their similarities alone, so that the best of each
    share are enough; and a share that can bring none among the best is not searched."""

    def __init__(self, top: Top, fulfilled: Fulfilment, weight: float, where: Filter) -> None:
        self._top, self._weight = top, weight
        self._fulfilled, self._where = fulfilled, where
        self._similarity: dict[int, float] = {}

    def __call__(self, count: int) -> Hits:
        if self._weight == 1:
            return self._searched(count, self._fulfilled.all_of_it)
        score: dict[int, float] = {}
        for share, group in self._groups:
            of_share = self._weight * share
            least = sorted(score.values(), reverse=True)[count - 1 : count]
            if least and 1 - self._weight + of_share < least[0]:
                break
            hits = self._searched(count, group)
            for row, value in zip(hits.rows.tolist(), hits.similarities.tolist(), strict=True):
                score[row] = (1 - self._weight) * value + of_share
        rows = sorted(score, key=lambda row: (-score[row], row))[:count]
        return Hits(np.array(rows, np.int64), np.array([score[row] for row in rows], np.float32))

    @cached_property
    def _groups(self) -> list[tuple[float, Filter]]:
        return self._fulfilled.groups(self._where)

    def by_picture(self, hits: Hits) -> Hits:
        """Hits that came from here with their similarities to the picture alone."""
        own = [self._similarity[row] for row in hits.rows.tolist()]
        return Hits(hits.rows, np.array(own, np.float32))

    def _searched(self, count: int, among: Filter) -> Hits:
        hits = self._top(count, among)
        self._similarity.update(zip(hits.rows.tolist(), hits.similarities.tolist(), strict=True))
        return hits


def judged(fulfilled: Fulfilment, rows: np.ndarray) -> list[Likeness]:
    """How well rows do what words alone ask for: good are those that have all of it."""
    if not fulfilled.known:
        return [Likeness(CLOSE, 1.0)] * len(rows)
    shares = np.clip(fulfilled.shares(rows), 0, MOST_OF_SOME).tolist()
    return [
        Likeness(HAS_ALL, 1.0) if complete else Likeness(HAS_SOME, share)
        for complete, share in zip(fulfilled.complete(rows).tolist(), shares, strict=True)
    ]


def _filter_of(wish: Wish, vocabulary: Vocabulary) -> Filter:
    if wish.values:
        return vocabulary.filter(wish.values)
    return Named(tuple(parts_of(wish.meant or wish.words)), wish.begun)


def _names_of(understood: Understood, vocabulary: Vocabulary) -> list[Filter]:
    """For each wanted wish the items that have its words in their names."""
    wishes = (replace(wish, values=()) for wish in understood.wishes if not wish.negative)
    return [_filter_of(wish, vocabulary) for wish in wishes]


def _all_of(parts: Sequence[Filter], way: Sequence[bool]) -> Filter:
    pairs = zip(parts, way, strict=True)
    return AllOf(tuple(part if passes else Not(part) for part, passes in pairs))
