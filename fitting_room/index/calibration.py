"""How often results of a certain likeness are right, so that a card can say so in plain words.

A cosine of 0.8 is much for one network and little for another. What a person wants to know is how
often an item that looks this much alike is of the same kind. The catalogue's own labels tell:
items are asked about as if they were new, and the results that came at each likeness are counted
(Zadrozny and Elkan 2002: isotonic regression turns scores into shares).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fitting_room.imaging.features import Features
from fitting_room.index.vectors import taken

if TYPE_CHECKING:
    from fitting_room.index.index import Index
    from fitting_room.index.scoring import SimilarityOptions

#: Columns that say what kind of thing an item is, the first that a catalogue has counts.
KIND_COLUMNS = ("articleType", "class", "subCategory", "masterCategory", "category", "type")
#: Items asked about, results taken of each, and the fewest answers that a share is read from.
QUERIES, RESULTS, LEAST_ANSWERS = 400, 12, 100
#: The fewest photographs that the same is read from.
LEAST_PHOTOGRAPHS = 9
#: Weights of colour at which it is measured; between two of them it is interpolated.
COLOUR_WEIGHTS = (0.0, 0.12, 0.25, 0.5, 0.75, 1.0)
#: A photograph is unlike the whole catalogue when it is less like its nearest item than this share
#: of pairs of items, drawn at random, are like each other.
UNLIKE = 0.75
#: Points that a curve is kept in.
KNOTS = 24


@dataclass(frozen=True, slots=True)
class Curve:
    """The share of right results as a rising, piecewise linear function of the likeness."""

    likeness: tuple[float, ...]
    share: tuple[float, ...]

    def __call__(self, likeness: float) -> float:
        return float(np.interp(likeness, self.likeness, self.share))


@dataclass(frozen=True, slots=True)
class Calibration:
    """``column`` is what "right" means, ``queries`` how many items were asked about; ``plain`` and
    ``trained`` have a curve for each of :data:`COLOUR_WEIGHTS`, without and with the head.
    ``street_plain`` and ``street_trained`` are the same for photographs, measured where a training
    had some. ``chance`` is the cosine of embeddings that :data:`UNLIKE` speaks of."""

    column: str
    queries: int
    plain: tuple[Curve, ...]
    trained: tuple[Curve, ...] = ()
    street_plain: tuple[Curve, ...] = ()
    street_trained: tuple[Curve, ...] = ()
    chance: float = 0.0

    def share(
        self, likeness: float, *, colour: float, trained: bool, street: bool = False
    ) -> float | None:
        """How often results of this likeness were right, 0 to 1, or ``None`` where that was not
        measured. ``colour`` is the weight of colour that the likeness was computed with, ``street``
        says that a photograph asked and studio pictures answered."""
        if street:
            curves = self.street_trained if trained else self.street_plain
        else:
            curves = self.trained if trained else self.plain
        if not curves:
            return None
        return float(np.interp(colour, COLOUR_WEIGHTS, [curve(likeness) for curve in curves]))

    def as_manifest(self) -> dict[str, Any]:
        """As plain values for a manifest."""
        return {
            "column": self.column,
            "queries": self.queries,
            "chance": self.chance,
            **{
                name: [[list(curve.likeness), list(curve.share)] for curve in getattr(self, name)]
                for name in _CURVES
            },
        }

    @classmethod
    def from_manifest(cls, values: object) -> Calibration | None:
        """Read what :meth:`as_manifest` wrote. Raises ``ValueError`` when it makes no sense."""
        if values is None:
            return None
        try:
            assert isinstance(values, dict)  # noqa: S101  (caught below)
            curves = {name: _curves(values[name]) for name in _CURVES}
            chance = float(values["chance"])
            if not isinstance(values["column"], str) or not curves["plain"]:
                raise ValueError("no column")
            if not -1 <= chance <= 1:
                raise ValueError("chance is no cosine")
            return cls(values["column"], int(values["queries"]), chance=chance, **curves)
        except (AssertionError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"its calibration makes no sense ({error})") from error


_CURVES = ("plain", "trained", "street_plain", "street_trained")


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """A photograph whose right answers are known: the ``values`` of ``column``."""

    features: Features
    column: str
    values: frozenset[str]


def _curves(values: Sequence[Sequence[Sequence[float]]]) -> tuple[Curve, ...]:
    curves = []
    for likeness, share in values:
        table = np.array([likeness, share], np.float64)
        rising = (np.diff(table, axis=1) >= 0).all()
        if table.ndim != 2 or not 1 <= table.shape[1] <= KNOTS or not np.isfinite(table).all():
            raise ValueError("a curve is no curve")
        if not rising or table[1].min() < 0 or table[1].max() > 1:
            raise ValueError("a curve does not rise from 0 to 1")
        curves.append(Curve(tuple(table[0].tolist()), tuple(table[1].tolist())))
    if len(curves) not in (0, len(COLOUR_WEIGHTS)):
        raise ValueError("curves are missing")
    return tuple(curves)


def fit(likeness: np.ndarray, right: np.ndarray) -> Curve:
    """The curve for results of these likenesses, float ``(R,)``, of which ``right``, bool
    ``(R,)``, says which were right."""
    from sklearn.isotonic import IsotonicRegression

    likeness = likeness.astype(np.float64)
    shares = IsotonicRegression(y_min=0, y_max=1).fit_transform(likeness, right.astype(float))
    order = np.argsort(likeness, kind="stable")
    knots = np.unique(np.linspace(0, len(order) - 1, KNOTS - 1).round().astype(int))
    chosen = order[knots]
    points, first = np.unique(likeness[chosen].round(5), return_index=True)
    rising = np.maximum.accumulate(shares[chosen][first].round(4))
    if points[0] > 0:
        # Nothing this far away was ever seen, and what has nothing in common is never right.
        points, rising = np.insert(points, 0, 0.0), np.insert(rising, 0, 0.0)
    return Curve(tuple(points.tolist()), tuple(rising.tolist()))


def calibrate(
    index: Index,
    photographs: Sequence[Photograph] = (),
    previous: Calibration | None = None,
    seed: int = 0,
) -> Calibration | None:
    """Ask an index about a sample of its own items, each as if it were not in it, and about
    ``photographs``; without any, what is known of photographs from ``previous`` stays. ``None``
    where the catalogue says nothing about kinds, or too little.

    Of an item that the head was trained on it knows the label, which would flatter; so only items
    that it was *not* trained on are asked about.
    """
    column = next((c for c in KIND_COLUMNS if c in index.filter_columns), None)
    if column is None:
        return None
    kinds = _kinds(index.items[column])
    asked = np.flatnonzero(_askable(index) & (kinds >= 0))
    if len(np.unique(kinds[asked])) < 2 or len(asked) * RESULTS < LEAST_ANSWERS:
        return None
    generator = np.random.default_rng(seed)
    asked = np.sort(generator.choice(asked, min(QUERIES, len(asked)), replace=False))
    same = index.keys(["digest"])
    plain = _measure(index, asked, kinds, same, trained=False)
    trained = _measure(index, asked, kinds, same, trained=True) if index.head is not None else ()
    told = Calibration(column, len(asked), plain, trained, chance=_chance(index, generator))
    if len(photographs) >= LEAST_PHOTOGRAPHS:
        street = _measure_street(index, photographs, trained=False)
        heads = _measure_street(index, photographs, trained=True) if index.head is not None else ()
        return replace(told, street_plain=street, street_trained=heads)
    if previous is not None:
        heads = previous.street_trained if index.head is not None else ()
        return replace(told, street_plain=previous.street_plain, street_trained=heads)
    return told


def _kinds(column: pd.Series) -> np.ndarray:
    """Numbers for the values of a column, ``(N,)``, -1 where it says nothing. A number takes a
    fraction of the memory of a text."""
    numbers, values = pd.factorize(column)
    return np.where(np.append(values.astype(str) == "", False)[numbers], -1, numbers)


def _chance(index: Index, generator: np.random.Generator) -> float:
    some, others = generator.integers(len(index), size=(2, 2_000))
    cosines = np.einsum("nd,nd->n", taken(index.vectors, some), taken(index.vectors, others))
    return round(float(np.quantile(cosines[some != others], UNLIKE)), 4)


def _measure_street(
    index: Index, photographs: Sequence[Photograph], *, trained: bool
) -> tuple[Curve, ...]:
    from fitting_room.index.scoring import SimilarityOptions

    curves = []
    for weight in COLOUR_WEIGHTS:
        found = index.search(
            [photograph.features for photograph in photographs],
            RESULTS,
            options=SimilarityOptions(colour=weight, trained=trained),
        )
        right = [
            index.items[photograph.column].iloc[hits.rows].isin(photograph.values).to_numpy(bool)
            for photograph, hits in zip(photographs, found, strict=True)
        ]
        likeness = np.concatenate([hits.similarities for hits in found])
        curves.append(fit(likeness, np.concatenate(right)))
    return tuple(curves)


def _askable(index: Index) -> np.ndarray:
    from fitting_room.catalogue.schema import held_out

    if index.head is None:
        return np.ones(len(index), bool)
    kept_back = index.head.record.get("kept_back")
    if isinstance(kept_back, list) and kept_back:
        return index.items["id"].isin(kept_back).to_numpy(bool)
    holdout = index.head.record.get("holdout")
    if isinstance(holdout, int) and holdout > 0:
        return held_out(index.items["id"], holdout)
    return np.ones(len(index), bool)


def _measure(
    index: Index, asked: np.ndarray, kinds: np.ndarray, same: np.ndarray, *, trained: bool
) -> tuple[Curve, ...]:
    from fitting_room.index.scoring import SimilarityOptions

    curves = []
    for weight in COLOUR_WEIGHTS:
        options = SimilarityOptions(colour=weight, trained=trained)
        likeness, right = _answers(index, asked, kinds, same, options)
        curves.append(fit(likeness, right))
    index.release()
    return tuple(curves)


def _answers(
    index: Index, asked: np.ndarray, kinds: np.ndarray, same: np.ndarray, options: SimilarityOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Likenesses, and whether the item was of the same kind: of the nearest items, and of some
    drawn at random, which tell what a likeness is worth where nothing is near. ``same`` is equal
    for items with the same picture, which are no answer."""
    drawn = np.random.default_rng(0).choice(len(index), min(RESULTS, len(index)), replace=False)
    not_drawn = np.ones(len(index), bool)
    not_drawn[drawn] = False
    queries = index.features(asked)
    # All items are read in turn, for many questions at once. Candidates lie anywhere, and the
    # system maps much around each.
    step = len(asked) if index.ann is None else 1
    likeness, right = [], []
    for count, exclude in ((RESULTS + 1, None), (RESULTS, not_drawn)):
        for start in range(0, len(asked), step):
            some = slice(start, start + step)
            found = index.search(queries[some], count, options=options, exclude=exclude)
            for row, hits in zip(asked[some], found, strict=True):
                others = same[hits.rows] != same[row]
                likeness.append(hits.similarities[others])
                right.append(kinds[hits.rows[others]] == kinds[row])
            if index.ann is not None:
                index.release()
    return np.concatenate(likeness), np.concatenate(right)


def describe_share(share: float) -> str:
    """A share of right results in words for a shopper."""
    words: Mapping[float, str] = {0.9: "Very close", 0.7: "Close", 0.45: "Similar", 0.2: "Loosely"}
    return next((word for least, word in words.items() if share >= least), "Hardly alike")
