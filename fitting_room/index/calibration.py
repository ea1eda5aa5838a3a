"""How often results of a certain similarity are right, so that a card can say so in plain words.

A cosine of 0.8 is much for one network and little for another. :mod:`fitting_room.build.calibrate`
measures on the catalogue's own labels how often an item so much alike is of the same kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

#: Weights of colour at which it is measured; between two of them it is interpolated.
COLOUR_WEIGHTS = (0.0, 0.12, 0.25, 0.5, 0.75, 1.0)
#: Points that a curve is kept in.
KNOTS = 24
#: What a shopper reads where a match is the query's own picture, whatever was measured.
SAME_PICTURE = "The same picture"


@dataclass(frozen=True, slots=True)
class Curve:
    """The precision of results as a rising, piecewise linear function of their similarity."""

    similarity: tuple[float, ...]
    precision: tuple[float, ...]

    def __call__(self, similarities: np.ndarray) -> np.ndarray:
        return np.asarray(np.interp(similarities, self.similarity, self.precision))


@dataclass(frozen=True, slots=True)
class Calibration:
    """``column`` is what "right" means, ``queries`` how many items were queries; ``plain`` and
    ``trained`` have a curve for each of :data:`COLOUR_WEIGHTS`, without and with the head.
    ``street_plain`` and ``street_trained`` are the same for photographs, measured where a training
    had some. ``chance`` is the cosine of embeddings that a photograph of something in the catalogue
    reaches (:data:`fitting_room.build.calibrate.UNLIKE`)."""

    column: str
    queries: int
    plain: tuple[Curve, ...]
    trained: tuple[Curve, ...] = ()
    street_plain: tuple[Curve, ...] = ()
    street_trained: tuple[Curve, ...] = ()
    chance: float = 0.0

    def expected_precisions(
        self, similarities: np.ndarray, *, colour: float, trained: bool, street: bool = False
    ) -> np.ndarray | None:
        """How often results of these similarities ``(N,)`` were right, 0 to 1, float64 ``(N,)``, or
        ``None`` where that was not measured. ``colour`` is the weight of colour in the similarity,
        ``street`` says that the query is a photograph and the results have plain backgrounds."""
        if street:
            curves = self.street_trained if trained else self.street_plain
        else:
            curves = self.trained if trained else self.plain
        if not curves:
            return None
        at = [float(np.interp(colour, COLOUR_WEIGHTS, row)) for row in np.eye(len(COLOUR_WEIGHTS))]
        return np.asarray(
            sum(
                share * curve(similarities)
                for share, curve in zip(at, curves, strict=True)
                if share
            )
        )

    def expected_precision(
        self, similarity: float, *, colour: float, trained: bool, street: bool = False
    ) -> float | None:
        """:meth:`expected_precisions` of one similarity."""
        expected = self.expected_precisions(
            np.array([similarity]), colour=colour, trained=trained, street=street
        )
        return None if expected is None else float(expected[0])

    def as_manifest(self) -> dict[str, Any]:
        """As plain values for a manifest."""
        curves = {n: [[*map(list, astuple(c))] for c in getattr(self, n)] for n in _CURVES}
        return {"column": self.column, "queries": self.queries, "chance": self.chance, **curves}

    @classmethod
    def from_manifest(cls, values: Any) -> Calibration | None:
        """Read what :meth:`as_manifest` wrote. Raises ``ValueError``, which names what is wrong."""
        if values is None:
            return None
        try:
            curves = {name: _curves(name, values[name]) for name in _CURVES}
            column, chance = values["column"], float(values["chance"])
            if not isinstance(column, str) or not curves["plain"] or not -1 <= chance <= 1:
                raise ValueError("column must be text, plain have curves, chance be a cosine")
            return cls(column, int(values["queries"]), chance=chance, **curves)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"the calibration is wrong or lacks a field: {error}") from error


_CURVES = ("plain", "trained", "street_plain", "street_trained")


def _curves(name: str, values: Sequence[Sequence[Sequence[float]]]) -> tuple[Curve, ...]:
    curves = []
    for similarity, precision in values:
        table = np.array([similarity, precision], np.float64)
        if table.ndim != 2 or not 1 <= table.shape[1] <= KNOTS or not np.isfinite(table).all():
            raise ValueError(f"{name} has a curve that is no two rows of 1 to {KNOTS} numbers")
        rising = (np.diff(table, axis=1) >= 0).all()
        if not rising or table[1].min() < 0 or table[1].max() > 1:
            raise ValueError(f"{name} has a curve that does not rise from 0 to 1")
        curves.append(Curve(tuple(table[0].tolist()), tuple(table[1].tolist())))
    if len(curves) not in (0, len(COLOUR_WEIGHTS)):
        raise ValueError(f"{name} must have {len(COLOUR_WEIGHTS)} curves or none")
    return tuple(curves)


#: From which expected precision on a match is called what. docs/relevance.md says how often matches
#: of each word were of the query's kind.
LIKENESS = {0.7: "Very alike", 0.45: "Alike", 0.2: "A little alike"}
NOT_ALIKE = "Not alike"
#: What cannot be told from the query by looking at both, saved again, cropped or brightened.
LOOKS_THE_SAME = "Looks the same"


def describe_share(precision: float) -> str:
    """An expected precision in words for a shopper."""
    return next((word for least, word in LIKENESS.items() if precision >= least), NOT_ALIKE)
