"""How far items fulfil the wishes of a text, and how that is weighed against a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fitting_room.catalogue.schema import plain_column
from fitting_room.index.scoring import Hits
from fitting_room.search.likeness import Likeness
from fitting_room.search.vocabulary import Vocabulary
from fitting_room.search.wishes import Understood, Wish, parts_of

#: Weight of words beside a picture where nobody chose: chosen by benchmarks/words.py,
#: docs/relevance.md.
TEXT_WEIGHT = 0.4
#: How much an item's name counts beside its values where words stand alone: it settles ties.
NAME_SHARE = 0.01
#: Shares of wishes are compared to so many decimals.
ROUNDING = 4

#: What is said of an item that words alone have found, and the most that one is judged by that has
#: only some of what they ask for: less than good (:data:`fitting_room.search.selection.GOOD`).
HAS_ALL, HAS_SOME, MOST_OF_SOME = "Has all you ask for", "Has some of it", 0.44

#: What is said of an item that a network has found by words, which is no measure of how well.
CLOSE = "Close to your words"

#: Gives the best so many rows, but for those that a mask, bool ``(N,)``, leaves out.
Top = Callable[[int, np.ndarray | None], Hits]


@dataclass(frozen=True, slots=True, eq=False)
class Fulfilment:
    """How far items fulfil the wishes of a text: ``shares`` float32 ``(N,)``, at most 1 where an
    item fulfils all, and less by what it has of the unwanted; ``complete`` bool ``(N,)``: fulfils
    all and has nothing unwanted."""

    shares: np.ndarray
    complete: np.ndarray
    #: Whether there are wishes at all, and not only words that a network reads.
    known: bool = True


def fulfilment(understood: Understood, vocabulary: Vocabulary) -> Fulfilment:
    """How far each row of the index fulfils wishes. A wish counts the more, the fewer items fulfil
    it (inverse document frequency: Spärck Jones 1972); wanted values of the same column are one
    wish for any of them."""
    wanted: dict[object, np.ndarray] = {}
    unwanted: list[np.ndarray] = []
    for number, wish in enumerate(understood.wishes):
        mask = _rows_of(wish, vocabulary)
        if wish.negative:
            unwanted.append(mask)
            continue
        key = number if wish.of_names else tuple(column for column, _ in wish.values)
        wanted[key] = wanted[key] | mask if key in wanted else mask
    size = vocabulary.size
    shares, complete, total = np.zeros(size, np.float32), np.ones(size, bool), 0.0
    for masks, sign in ((list(wanted.values()), 1), (unwanted, -1)):
        for mask in masks:
            weight = float(np.log1p(size / max(1, int(np.count_nonzero(mask)))))
            shares += np.float32(sign * weight) * mask
            complete &= mask if sign > 0 else ~mask
            total += weight if sign > 0 or not wanted else 0.0
    return Fulfilment(shares / np.float32(total or 1), complete, bool(understood.wishes))


def names_colour(understood: Understood) -> bool:
    """Whether a text asks for a colour, by a value of a column that is called so: then the colours
    of a picture beside it are not what is looked for."""
    columns = (
        column for wish in understood.wishes if not wish.negative for column, _ in wish.values
    )
    return any("colour" in name or "color" in name for name in map(plain_column, columns))


def by_words(understood: Understood, vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray]:
    """Rows that fulfil any wish, best first, int64 ``(M,)``, and how far they do, float32, for
    words alone. Where several do as well, those first that have the words in their names too; then
    the catalogue's order counts."""
    found = fulfilment(understood, vocabulary)
    score = found.shares + NAME_SHARE * _in_names(understood, vocabulary)
    wanted = any(not wish.negative for wish in understood.wishes)
    rows = np.flatnonzero(found.shares > 0 if wanted else found.complete)
    order = np.argsort(-score[rows], kind="stable")
    return rows[order], np.clip(found.shares[rows[order]] if wanted else 1 + 0 * score[rows], 0, 1)


class Weighed:
    """The rows that are best by ``(1 - weight) * similarity + weight * share``; with a weight of 1
    those that fulfil all wishes, by similarity. Called with a number it gives so many, with that as
    their similarities.

    Items that fulfil the same wishes differ by their similarities alone, so that the best of each
    share are enough; and a share that can bring none among the best is not searched."""

    def __init__(self, top: Top, fulfilled: Fulfilment, weight: float) -> None:
        self._top, self._weight = top, weight
        self._complete = fulfilled.complete
        self._shares = np.round(fulfilled.shares, ROUNDING)
        self._similarity: dict[int, float] = {}

    def __call__(self, count: int) -> Hits:
        if self._weight == 1:
            return self._searched(count, ~self._complete)
        score: dict[int, float] = {}
        for share in np.unique(self._shares)[::-1]:
            of_share = self._weight * float(share)
            least = sorted(score.values(), reverse=True)[count - 1 : count]
            if least and 1 - self._weight + of_share < least[0]:
                break
            hits = self._searched(count, self._shares != share)
            for row, value in zip(hits.rows.tolist(), hits.similarities.tolist(), strict=True):
                score[row] = (1 - self._weight) * value + of_share
        rows = sorted(score, key=lambda row: (-score[row], row))[:count]
        return Hits(np.array(rows, np.int64), np.array([score[row] for row in rows], np.float32))

    def by_picture(self, hits: Hits) -> Hits:
        """Hits that came from here with their similarities to the picture alone."""
        own = [self._similarity[row] for row in hits.rows.tolist()]
        return Hits(hits.rows, np.array(own, np.float32))

    def _searched(self, count: int, left_out: np.ndarray) -> Hits:
        if left_out.all():
            return Hits(np.array([], np.int64), np.array([], np.float32))
        hits = self._top(count, left_out)
        self._similarity.update(zip(hits.rows.tolist(), hits.similarities.tolist(), strict=True))
        return hits


def judged(fulfilled: Fulfilment, rows: np.ndarray) -> list[Likeness]:
    """How well rows do what words alone ask for: good are those that have all of it."""
    if not fulfilled.known:
        return [Likeness(CLOSE, 1.0)] * len(rows)
    shares = np.clip(fulfilled.shares[rows], 0, MOST_OF_SOME).tolist()
    return [
        Likeness(HAS_ALL, 1.0) if complete else Likeness(HAS_SOME, share)
        for complete, share in zip(fulfilled.complete[rows].tolist(), shares, strict=True)
    ]


def _rows_of(wish: Wish, vocabulary: Vocabulary) -> np.ndarray:
    if wish.values:
        return vocabulary.mask(wish.values)
    mask = np.zeros(vocabulary.size, bool)
    mask[vocabulary.named(parts_of(wish.meant or wish.words), begun=wish.begun)] = True
    return mask


def _in_names(understood: Understood, vocabulary: Vocabulary) -> np.ndarray:
    """The share of the wanted words that items have in their names, float32 ``(N,)``."""
    wishes = [replace(wish, values=()) for wish in understood.wishes if not wish.negative]
    masks = [_rows_of(wish, vocabulary).astype(np.float32) for wish in wishes]
    return np.mean(masks, axis=0) if masks else np.zeros(vocabulary.size, np.float32)
