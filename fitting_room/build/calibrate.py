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

from fitting_room.catalogue.kind_column import kind_column
from fitting_room.catalogue.schema import held_out
from fitting_room.imaging.features import Features
from fitting_room.index.calibration import COLOUR_WEIGHTS, KNOTS, Calibration, Curve
from fitting_room.index.head import is_trained_here
from fitting_room.index.index import Index
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.index.vectors import release

#: Items that are queries, results taken of each, the fewest results that say anything, and queries
#: between which memory is given back: those that are compared with candidates, and with every item.
QUERIES, RESULTS, LEAST_ANSWERS = 400, 12, 100
QUERIES_AT_ONCE, QUERIES_A_PASS = 16, 128
#: The fewest items that a head from outside kept back for these to be the only queries.
LEAST_UNSEEN = 50
#: The fewest photographs that the same is read from.
LEAST_PHOTOGRAPHS = 9
#: Where a head's record says how photographs compare with items, the weight of colour at which
#: that is read (a place in ``COLOUR_WEIGHTS``), and the least that similarities must differ.
PHOTOGRAPH_SCALE, AT_WEIGHT, LEAST_SPREAD = "photograph_scale", 0, 0.05
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
    the head was trained on are no queries, which would flatter it. ``None`` where no column of the
    catalogue says what kind of thing an item is (:func:`kind_column`), or too little."""
    column = kind_column(index.items)
    if column is None:
        return None
    kinds = pd.factorize(column.kinds)[0]
    rows = np.flatnonzero(_unseen_by_head(index) & (kinds >= 0))
    if len(np.unique(kinds[rows])) < 2 or len(rows) * RESULTS < LEAST_ANSWERS:
        return None
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.choice(rows, min(QUERIES, len(rows)), replace=False))
    plain, trained = _measure(index, partial(_of_items, index, rows, kinds))
    if not plain:
        return None
    result = Calibration(column.column, len(rows), plain, trained, chance=_chance(index, generator))
    if len(photographs) >= LEAST_PHOTOGRAPHS:
        street, of_head = _measure(index, partial(_of_photographs, index, photographs))
    elif index.head is not None and (scale := index.head.record.get(PHOTOGRAPH_SCALE)):
        street, of_head = _as_of_photographs(result, scale)
    elif previous is not None:
        street, of_head = previous.street_plain, previous.street_trained if index.head else ()
    else:
        return result
    return replace(result, street_plain=street, street_trained=of_head)


def photograph_scale(measured: Calibration) -> dict[str, tuple[float, float]]:
    """How similarities of photographs compare with those of items, where both were measured, for
    catalogues without photographs: a result ``s`` alike to a photograph is right as often as one
    ``a * s + b`` alike to an item, ``(a, b)`` without and with the head, as :func:`calibrate` finds
    it in a head's record under :data:`PHOTOGRAPH_SCALE`."""
    pairs = {
        "plain": (measured.plain, measured.street_plain),
        "trained": (measured.trained, measured.street_trained),
    }
    return {
        name: _line(items[AT_WEIGHT], photographs[AT_WEIGHT])
        for name, (items, photographs) in pairs.items()
        if items and photographs
    }


def _line(items: Curve, photographs: Curve) -> tuple[float, float]:
    precisions = [np.array(curve.precision) for curve in (items, photographs)]
    least, most = max(p[0] for p in precisions), min(p[-1] for p in precisions)
    at = np.linspace(least, most, KNOTS)[1:-1]
    of_items, of_photographs = (
        # Where a curve is level, any similarity has that precision: the middle one is taken.
        (np.interp(at - 1e-6, p, c.similarity) + np.interp(at + 1e-6, p, c.similarity)) / 2
        for p, c in zip(precisions, (items, photographs), strict=True)
    )
    if np.ptp(of_photographs) < LEAST_SPREAD or np.ptp(of_items) < LEAST_SPREAD:
        return 1.0, float((of_items - of_photographs).mean())
    slope = float(of_items.std() / of_photographs.std())
    return slope, float(of_items.mean() - slope * of_photographs.mean())


def _as_of_photographs(
    measured: Calibration, scale: object
) -> tuple[tuple[Curve, ...], tuple[Curve, ...]]:
    """The curves of items as those of photographs. Anybody may have written the ``scale``: what
    makes no sense in it says nothing."""
    result: list[tuple[Curve, ...]] = []
    for name, curves in (("plain", measured.plain), ("trained", measured.trained)):
        line = scale.get(name) if isinstance(scale, dict) else None
        try:
            slope, offset = (float(number) for number in line or ())
        except (TypeError, ValueError):
            slope, offset = 0.0, 0.0
        if not (1e-3 < slope < 1e3 and abs(offset) < 1e3):
            result.append(())
            continue
        moved = [tuple((s - offset) / slope for s in curve.similarity) for curve in curves]
        result.append(tuple(map(Curve, moved, (curve.precision for curve in curves))))
    return result[0], result[1]


def fit_curve(similarity: np.ndarray, right: np.ndarray) -> Curve:
    """The curve for results of these similarities, ``(R,)``, of which some were ``right``, bool."""
    from scipy.optimize import isotonic_regression

    similarity = similarity.astype(np.float64)
    # Results of the same similarity are one point, of their mean.
    _, of_result, counts = np.unique(similarity, return_inverse=True, return_counts=True)
    means = np.bincount(of_result, right) / counts
    precision = isotonic_regression(means, weights=counts).x[of_result]
    order = np.argsort(similarity, kind="stable")
    knots = np.unique(np.linspace(0, len(order) - 1, KNOTS - 1).round().astype(int))
    chosen = order[knots]
    points, first = np.unique(similarity[chosen].round(5), return_index=True)
    rising = np.maximum.accumulate(precision[chosen][first].round(4))
    if points[0] > 0:
        # Nothing this far away was ever seen, and what has nothing in common is never right.
        points, rising = np.insert(points, 0, 0.0), np.insert(rising, 0, 0.0)
    return Curve(tuple(points.tolist()), tuple(rising.tolist()))


def _chance(index: Index, generator: np.random.Generator) -> float:
    first, second = generator.integers(len(index), size=(2, 2_000))
    cosines = np.einsum("nd,nd->n", index.vectors[first], index.vectors[second])
    different = index.item_numbers(first) != index.item_numbers(second)
    return round(float(np.quantile(cosines[different], UNLIKE)), 4)


def _unseen_by_head(index: Index) -> np.ndarray:
    """Which items the head, if any, was not trained on, bool ``(N,)``."""
    record = {} if index.head is None else index.head.record
    kept_back, holdout = record.get("kept_back"), record.get("holdout")
    if isinstance(kept_back, list) and kept_back:
        return index.items["id"].isin(kept_back).to_numpy(bool)
    everything = np.ones(len(index), bool)
    if isinstance(holdout, int) and holdout > 0:
        unseen = held_out(index.items["id"], holdout)
        # A head from outside may have seen none, and of a small catalogue too few would be left.
        if (index.head is not None and is_trained_here(index.head)) or unseen.sum() >= LEAST_UNSEEN:
            return unseen
    return everything


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
    neither the items themselves, by whichever picture, nor any with the same picture."""
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
            others &= index.item_numbers(hits.rows) != index.item_numbers(row)
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
    """Some queries at a time where candidates are compared, since those of all would fetch the
    whole of a large index; where every item is, a pass over the index serves many."""
    step = QUERIES_A_PASS if index.ann is None else QUERIES_AT_ONCE
    results: list[Hits] = []
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
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
