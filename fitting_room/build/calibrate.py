"""Measures how often results of a certain similarity are right.

The catalogue's own labels tell: items are queries as if they were new, and the right results at
each similarity are counted (isotonic regression: Zadrozny and Elkan 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from fitting_room.catalogue.schema import held_out
from fitting_room.imaging.features import Features
from fitting_room.index.calibration import COLOUR_WEIGHTS, KNOTS, Calibration, Curve
from fitting_room.index.index import Index
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.index.vectors import release

#: Columns that say what kind of thing an item is, the first that a catalogue has counts.
KIND_COLUMNS = ("articleType", "class", "subCategory", "masterCategory", "category", "type")
#: Items that are queries, results taken of each, the fewest results that say anything, and queries
#: between which memory is given back.
QUERIES, RESULTS, LEAST_ANSWERS = 400, 12, 100
QUERIES_AT_ONCE = 16
#: The fewest photographs that the same is read from.
LEAST_PHOTOGRAPHS = 9
#: A photograph is unlike the catalogue when this fraction of random pairs of items are more alike.
UNLIKE = 0.75

#: Similarities of results, and which of these are right.
_Results = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """A photograph whose right answers are known: the ``values`` of ``column``."""

    features: Features
    column: str
    values: frozenset[str]


def calibrate(
    index: Index,
    photographs: Sequence[Photograph] = (),
    previous: Calibration | None = None,
    seed: int = 0,
) -> Calibration | None:
    """Search an index for a sample of its own items, each as if it were not in it, and for
    ``photographs``; without any, what is known of photographs from ``previous`` stays. Items that
    the head was trained on are no queries, which would flatter it. ``None`` where the catalogue
    says nothing about kinds, or too little."""
    column = next((c for c in KIND_COLUMNS if c in index.filter_columns), None)
    if column is None:
        return None
    kinds = _kinds(index.items[column])
    rows = np.flatnonzero(_unseen_by_head(index) & (kinds >= 0))
    if len(np.unique(kinds[rows])) < 2 or len(rows) * RESULTS < LEAST_ANSWERS:
        return None
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.choice(rows, min(QUERIES, len(rows)), replace=False))
    plain, trained = _measure(index, partial(_of_items, index, rows, kinds))
    if not plain:
        return None
    result = Calibration(column, len(rows), plain, trained, chance=_chance(index, generator))
    if len(photographs) >= LEAST_PHOTOGRAPHS:
        street, of_head = _measure(index, partial(_of_photographs, index, photographs))
    elif previous is not None:
        street, of_head = previous.street_plain, previous.street_trained if index.head else ()
    else:
        return result
    return replace(result, street_plain=street, street_trained=of_head)


def fit_curve(similarity: np.ndarray, right: np.ndarray) -> Curve:
    """The curve for results of these similarities, ``(R,)``, of which some were ``right``, bool."""
    from sklearn.isotonic import IsotonicRegression

    similarity = similarity.astype(np.float64)
    precision = IsotonicRegression(y_min=0, y_max=1).fit_transform(similarity, right.astype(float))
    order = np.argsort(similarity, kind="stable")
    knots = np.unique(np.linspace(0, len(order) - 1, KNOTS - 1).round().astype(int))
    chosen = order[knots]
    points, first = np.unique(similarity[chosen].round(5), return_index=True)
    rising = np.maximum.accumulate(precision[chosen][first].round(4))
    if points[0] > 0:
        # Nothing this far away was ever seen, and what has nothing in common is never right.
        points, rising = np.insert(points, 0, 0.0), np.insert(rising, 0, 0.0)
    return Curve(tuple(points.tolist()), tuple(rising.tolist()))


def _kinds(column: pd.Series) -> np.ndarray:
    """Numbers for the values of a column, ``(N,)``, -1 where it says nothing."""
    numbers, values = pd.factorize(column)
    return np.where(np.append(values.astype(str) == "", False)[numbers], -1, numbers)


def _chance(index: Index, generator: np.random.Generator) -> float:
    first, second = generator.integers(len(index), size=(2, 2_000))
    cosines = np.einsum("nd,nd->n", index.vectors[first], index.vectors[second])
    return round(float(np.quantile(cosines[first != second], UNLIKE)), 4)


def _unseen_by_head(index: Index) -> np.ndarray:
    """Which items the head, if any, was not trained on, bool ``(N,)``."""
    record = {} if index.head is None else index.head.record
    kept_back, holdout = record.get("kept_back"), record.get("holdout")
    if isinstance(kept_back, list) and kept_back:
        return index.items["id"].isin(kept_back).to_numpy(bool)
    if isinstance(holdout, int) and holdout > 0:
        return held_out(index.items["id"], holdout)
    return np.ones(len(index), bool)


def _measure(
    index: Index, results: Callable[[SimilarityOptions], _Results]
) -> tuple[tuple[Curve, ...], tuple[Curve, ...]]:
    """A curve for each weight of colour, without and with the head, if there are results."""
    curves: dict[bool, list[Curve]] = {False: [], True: []}
    for trained in (False, True) if index.head is not None else (False,):
        for weight in COLOUR_WEIGHTS:
            similarity, right = results(SimilarityOptions(colour=weight, trained=trained))
            if len(similarity):
                curves[trained].append(fit_curve(similarity, right))
    return tuple(curves[False]), tuple(curves[True])


def _of_items(
    index: Index, rows: np.ndarray, kinds: np.ndarray, options: SimilarityOptions
) -> _Results:
    """The results nearest to some items, and some drawn at random for where nothing is near, but
    none with the same picture."""
    pictures, _ = pd.factorize(index.items["digest"])
    drawn = np.random.default_rng(0).choice(len(index), min(RESULTS, len(index)), replace=False)
    not_drawn = np.ones(len(index), bool)
    not_drawn[drawn] = False
    queries = index.features(rows)
    similarity, right = [], []
    for count, exclude in ((RESULTS + 1, None), (RESULTS, not_drawn)):
        results = _search(index, queries, count, options, exclude)
        for row, hits in zip(rows, results, strict=True):
            others = pictures[hits.rows] != pictures[row]
            similarity.append(hits.similarities[others])
            right.append(kinds[hits.rows[others]] == kinds[row])
    return np.concatenate(similarity), np.concatenate(right)


def _search(
    index: Index,
    queries: Sequence[Features],
    count: int,
    options: SimilarityOptions,
    exclude: np.ndarray | None = None,
) -> list[Hits]:
    """Some queries at a time: the candidates of all would fetch the whole of a large index."""
    results: list[Hits] = []
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        block = queries[start : start + QUERIES_AT_ONCE]
        results += index.search(block, count, options=options, exclude=exclude)
        release(index.vectors, index.trained, index.descriptors)
    return results


def _of_photographs(
    index: Index, photographs: Sequence[Photograph], options: SimilarityOptions
) -> _Results:
    queries = [photograph.features for photograph in photographs]
    results = _search(index, queries, RESULTS, options)
    right = [
        index.items[photograph.column].iloc[hits.rows].isin(photograph.values).to_numpy(bool)
        for photograph, hits in zip(photographs, results, strict=True)
    ]
    return np.concatenate([hits.similarities for hits in results]), np.concatenate(right)
