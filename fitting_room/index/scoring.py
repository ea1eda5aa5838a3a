"""How similarity is measured: what is summed, with which weights, and how the best are found.

A similarity is a weighted sum of terms, each a dot product of what an index holds of an item and
what is known of the query. Another weight means other sums, never another embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fitting_room.imaging.features import normalise
from fitting_room.index.vectors import Matrix, Rows
from fitting_room.util.threads import in_slices

#: How far a float32 score may be from the exact one: sums of some thousand products of unit
#: vectors, each rounded to 2**-24.
SCORE_ERROR = 4e-6
#: Rows that are compared at once, and of bytes those that become numbers within the cache.
ROWS_AT_ONCE, ROWS_IN_CACHE = 8_192, 1_024
#: From this many bytes on rows are compared on all cores, which it takes some time to wake.
SHARED_FROM = 2_000_000
#: Only some items are compared by all terms while at most this fraction of them is left.
FEW_LEFT = 0.1
#: Candidates of no more bytes than this are all compared exactly, which is as quick.
FEW_BYTES = 40_000
#: Stored in fewer bits a unit row may be a little longer.
LONGEST_ROW = 1.01

#: What a term compares: embeddings, what a head makes of them, silhouettes, colours.
EMBEDDING, LEARNED, OUTLINE, COLOUR = "embedding", "learned", "outline", "colour"

COSINE, JACCARD = "cosine", "jaccard"
METRICS = (COSINE, JACCARD)
#: Weight of the silhouette in the similarity of shape, on plain backgrounds and without a head.
SILHOUETTE_SHARE = 0.35
#: Weight of the network's own embedding in the similarity of shape beside a head, which knows kinds
#: and colours better but forgets what tells one item from its like: a copy finds its original.
EMBEDDING_SHARE = 0.15
#: Weight of colour where nobody chose one: without a head, which knows no colour of its own, and
#: with one; and of photographs, whose light and surroundings make colours less sure. Chosen by
#: evaluation, as the weights above: docs/relevance.md.
COLOUR_WEIGHT, COLOUR_WEIGHT_TRAINED, COLOUR_WEIGHT_PHOTOGRAPH = 0.12, 0.1, 0.03
#: Weight of what is not wanted against what is, for queries of several pictures: a third, as the
#: usual 0.75 and 0.25 of Rocchio's formula (Manning, Raghavan and Schuetze 2008, section 9.1.1).
NEGATIVE_WEIGHT = 1 / 3


@dataclass(frozen=True, slots=True)
class Hits:
    """The result for one query: rows of the index and their cosine similarities, best first."""

    rows: np.ndarray
    similarities: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, places: slice) -> Hits:
        return Hits(self.rows[places], self.similarities[places])

    def with_first(self, places: np.ndarray) -> Hits:
        """These hits with those at ``places`` before the others, as similar as the first was."""
        order = np.concatenate([places, np.delete(np.arange(len(self)), places)])
        similarities = self.similarities[order]
        similarities[: len(places)] = self.similarities[:1]
        return Hits(self.rows[order], similarities)


@dataclass(frozen=True, slots=True)
class SimilarityOptions:
    """How similarity is measured: ``(1 - colour) * shape + colour * similarity of the colours``.
    ``colour`` is a weight from 0 to 1, or ``None`` for the index's own. Shape is the cosine of
    what the head makes of the pictures, with some of the network's own, where the index has a head
    and ``trained`` is set; otherwise the ``metric`` of the network's embeddings, beside the
    silhouette with its weight where backgrounds are plain. ``metric`` is ``"cosine"``, or
    ``"jaccard"`` for the weighted Jaccard similarity (Ruzicka 1958), without a head.
    """

    colour: float | None = None
    trained: bool = True
    metric: str = COSINE
    silhouette: float = SILHOUETTE_SHARE

    def __post_init__(self) -> None:
        if self.colour is not None and not 0 <= self.colour <= 1:
            raise ValueError("the weight of colour lies between 0 and 1")
        if not 0 <= self.silhouette <= 1:
            raise ValueError("the weight of the silhouette lies between 0 and 1")
        if self.metric not in METRICS:
            raise ValueError(f"There is no metric {self.metric!r}. Known: {', '.join(METRICS)}.")


@dataclass(frozen=True, slots=True)
class ScoreTerm:
    """One summand of the similarity, which compares what ``of`` says: ``rows`` ``(N, d)`` of the
    index, float32 once they are taken out, or uint8 with a ``scale`` for each row, and the
    ``queries`` ``(Q, d)`` with their weights already in them."""

    of: str
    rows: Matrix
    queries: np.ndarray
    scale: np.ndarray | None = None

    def add_to(self, scores: np.ndarray, queries: slice, rows: np.ndarray | None) -> None:
        """Add this term's scores ``(queries, rows)`` for some of the queries."""
        wanted = self.queries[queries]
        count = scores.shape[1]
        if count * self.width < SHARED_FROM:
            self._add(scores, wanted, rows, slice(0, count))
        else:
            in_slices(lambda places: self._add(scores, wanted, rows, places), count)

    def _add(
        self, scores: np.ndarray, wanted: np.ndarray, rows: np.ndarray | None, places: slice
    ) -> None:
        step = ROWS_AT_ONCE if self.scale is None or len(wanted) > 1 else ROWS_IN_CACHE
        for start in range(places.start, places.stop, step):
            block = slice(start, min(start + step, places.stop))
            chosen: slice | np.ndarray = block if rows is None else rows[block]
            values = self.rows[chosen]
            if self.scale is not None:
                values = values.astype(np.float32)
            # One query is a matrix-vector product, which reads the rows once and fastest.
            part = (values @ wanted[0])[None] if len(wanted) == 1 else wanted @ values.T
            scores[:, block] += part if self.scale is None else part * self.scale[chosen]

    def most(self, query: int) -> float:
        """What no row's score exceeds, nor falls below its negative: rows are unit rows."""
        length = float(np.linalg.norm(self.queries[query]))
        return length * LONGEST_ROW if isinstance(self.rows, Rows) else length

    @property
    def width(self) -> int:
        """Bytes to read for a row, as far as they matter for an order."""
        return self.rows.shape[1] * (4 if self.scale is None else 1)

    def exact(self, rows: np.ndarray, query: int) -> np.ndarray:
        """The scores of some rows in float64, each summed in the same order: equal rows get equal
        scores, which a matrix product does not promise, so that ties are exact."""
        wanted = self.queries[query].astype(np.float64)
        result = np.empty(len(rows), np.float64)
        for start in range(0, len(rows), 1024):
            block = slice(start, start + 1024)
            result[block] = np.multiply(self.rows[rows[block]], wanted).sum(axis=1)
        if self.scale is not None:
            result *= self.scale[rows]
        return result


@dataclass(frozen=True, slots=True)
class JaccardTerm:
    """The weighted Jaccard similarity of embeddings, averaged over the views of each query: the sum
    of the lesser over the sum of the greater values, of which negative ones, after a PCA, are
    coordinates of their own. That is ``(a + b - d) / (a + b + d)`` with the two sums of absolute
    values and their city-block distance ``d``."""

    rows: Matrix
    views: Sequence[np.ndarray]
    weights: np.ndarray

    def add_to(self, scores: np.ndarray, queries: slice, rows: np.ndarray | None) -> None:
        step = max(1, ROWS_AT_ONCE * 64 // self.rows.shape[1])  # some 2 MB: stays in the cache
        work = np.empty((step, self.rows.shape[1]), np.float32)
        for start in range(0, scores.shape[1], step):
            block = slice(start, start + step)
            values = self.rows[block if rows is None else rows[block]]
            sums = np.abs(values, out=work[: len(values)]).sum(axis=1)
            for place, query in enumerate(range(*queries.indices(len(self.views)))):
                for view in self.views[query]:
                    np.subtract(values, view, out=work[: len(values)])
                    distance = np.abs(work[: len(values)], out=work[: len(values)]).sum(axis=1)
                    weight = self.weights[query] / len(self.views[query])
                    both = sums + np.abs(view).sum()
                    scores[place, block] += weight * (both - distance) / (both + distance)

    def most(self, query: int) -> float:
        """What no row's score exceeds."""
        return float(self.weights[query])

    @property
    def width(self) -> int:
        """Bytes to read for a row, as far as they matter for an order."""
        return self.rows.shape[1] * 4

    def exact(self, rows: np.ndarray, query: int) -> np.ndarray:
        values = np.asarray(self.rows[rows], np.float64)
        result = np.zeros(len(rows), np.float64)
        for view in self.views[query].astype(np.float64):
            both = np.abs(values).sum(axis=1) + np.abs(view).sum()
            distance = np.abs(values - view).sum(axis=1)
            result += (both - distance) / (both + distance) / len(self.views[query])
        result *= self.weights[query]
        return result


Terms = Sequence[ScoreTerm | JaccardTerm]


def combine_queries(terms: Terms, positives: int) -> list[ScoreTerm]:
    """Several queries as one: the mean of the first ``positives``, less :data:`NEGATIVE_WEIGHT` of
    the mean of the others (Rocchio 1971), term by term. The result is as long as the positives are
    on average, so that a similarity is at most 1 and the terms keep their weights. Raises
    ``ValueError`` where there are no positives or the similarity is no cosine."""
    combined = []
    for term in terms:
        if not isinstance(term, ScoreTerm) or not 1 <= positives <= len(term.queries):
            raise ValueError("several queries are one only by the cosine, and one must be wanted")
        liked, negatives = term.queries[:positives], term.queries[positives:]
        mean = liked.mean(axis=0)
        if len(negatives):
            mean = mean - NEGATIVE_WEIGHT * negatives.mean(axis=0)
        length = np.linalg.norm(liked, axis=1).mean()
        combined.append(ScoreTerm(term.of, term.rows, normalise(mean[None]) * length, term.scale))
    return combined


def nearest(
    terms: Terms, query: int, n: int, rows: np.ndarray | None, scores: np.ndarray
) -> np.ndarray:
    """Positions, ascending, of all that may be among the ``n`` best for one query. ``scores``,
    float32 ``(1, M)``, belong to ``rows`` of the index, or to all; they are zero, or minus infinity
    for what is left out, and are changed. All items are compared by the term that can add most, and
    by the others only where these can bring them among the best (the threshold algorithm: Fagin,
    Lotem and Naor 2001)."""
    first, *others = sorted(terms, key=lambda term: -term.most(query))
    one = slice(query, query + 1)

    def add(places: np.ndarray | None, to: np.ndarray) -> np.ndarray:
        chosen = rows if places is None else places if rows is None else rows[places]
        for term in others:
            term.add_to(to, one, chosen)
        return to

    first.add_to(scores, one, rows)
    few = scores.shape[1] * FEW_LEFT
    if others and n < few:
        # The n-th of some that are good already is at most the n-th best of all.
        good = top_k_candidates(scores[0], n)
        whole = add(good, scores[:, good])[0]
        worst = np.partition(whole, len(good) - n)[len(good) - n]
        most = sum(term.most(query) for term in others)
        left = np.flatnonzero(scores[0] >= worst - most - 2 * SCORE_ERROR)
        if len(left) <= few:
            return np.asarray(left[top_k_candidates(add(left, scores[:, left])[0], n)])
    return top_k_candidates(add(None, scores)[0], n)


def best_among(terms: Terms, query: int, rows: np.ndarray, n: int) -> Hits:
    """The ``n`` best of some candidates for one query. ``rows`` ascend."""
    if len(rows) * sum(term.width for term in terms) > FEW_BYTES:
        rows = rows[nearest(terms, query, n, rows, np.zeros((1, len(rows)), np.float32))]
    return best(terms, query, rows, n)


def best(terms: Terms, query: int, rows: np.ndarray, n: int) -> Hits:
    """The best of some rows, which ascend, with similarities computed exactly."""
    exact = terms[0].exact(rows, query)
    for term in terms[1:]:
        exact += term.exact(rows, query)
    order = (-exact).argsort(kind="stable")[:n]
    similarities = np.maximum(np.minimum(exact[order], 1.0), -1.0).astype(np.float32)
    return Hits(rows[order], similarities)


def top_k_candidates(scores: np.ndarray, n: int) -> np.ndarray:
    """Positions, ascending, of all ``scores`` that may be among the ``n`` greatest once exact."""
    if n >= len(scores):
        return np.arange(len(scores))
    least = np.partition(scores, len(scores) - n)[len(scores) - n]
    return np.flatnonzero(scores >= least - SCORE_ERROR)


def unit_bytes(rows: np.ndarray) -> np.ndarray:
    return normalise(rows.astype(np.float32))
