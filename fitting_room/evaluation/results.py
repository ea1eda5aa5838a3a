"""What an evaluation finds, as frozen values, and what can go wrong with one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from fitting_room.evaluation.metrics import Figure, precision_at_k
from fitting_room.util.aliases import with_old_keys

#: The name of what is right in all columns together.
ALL = "all"
#: Names of what is right in the colour of a photograph, and in its class and its colour.
COLOUR, BOTH = "colour", "both"


class EvaluationError(Exception):
    """Nothing can be evaluated; the text says why and what to do."""


class OptionError(EvaluationError, ValueError):
    """The options make no sense for these queries and this index: a column that is not there, too
    many results."""


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """The means over the queries with one value of a column."""

    queries: int
    precision: float
    hit: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """The means over the queries that have a label, by :mod:`fitting_room.evaluation.metrics`. For
    ``without_relevant`` of the ``queries`` the gallery has no right item at all; they count as 0.
    ``classes`` by their value, the most frequent first, are empty for all columns together."""

    queries: int
    precision: Figure
    average_precision: Figure
    hit: Figure
    without_relevant: int
    classes: Mapping[str, ClassMetrics]


@dataclass(frozen=True, slots=True)
class Published:
    """One measure that others publish: its primary figure, what that is called (``precision@10``),
    and the queries that it is the mean of; ``without_relevant`` of them have no right item in the
    gallery and count as 0. ``source`` says who publishes it, and how; ``others`` are further
    figures of the same queries by their names."""

    metric: str
    figure: Figure
    queries: int
    without_relevant: int
    source: str
    others: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The results of ``A`` queries. ``query`` ``(A,)`` are rows of ``Queries.items``; ``rows``
    int64 ``(A, k)`` rows of the index, best first, -1 where the gallery had no more;
    ``similarities`` float32 ``(A, k)``. By column, ``labelled`` bool ``(A,)`` says which queries
    have a label there, and ``right`` bool ``(A, k)`` which of their results are right.
    ``same_picture`` are, of each query, the rows of the gallery with its very picture, one of
    each item."""

    query: np.ndarray
    rows: np.ndarray
    similarities: np.ndarray
    labelled: Mapping[str, np.ndarray]
    right: Mapping[str, np.ndarray]
    same_picture: Sequence[np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How good the results of some queries are.

    ``settings`` are the options as plain values. ``queries`` were searched in a ``gallery`` of so
    many items; ``rejected`` are the names of pictures that could not be used, and why;
    ``unlabelled`` queries were skipped; ``identical`` queries have the very same picture, byte for
    byte, in the gallery.

    ``metrics`` has one entry for each column that any query has a label in, and ``"all"`` (for
    which a query must have all of the labels); with a mapping only ``"class"``, and with colours of
    photographs ``"colour"`` and ``"both"`` (of those that have both), whose ``classes`` are those
    of the photographs. ``leak`` says that the index's head was trained on items that are among the
    queries, so that the figures flatter it; whether photographs that it was trained on are among
    them cannot be known. ``published`` are measures that others publish, by their names;
    ``without_words`` says why those of queries by words are not among them, or is ``None``.
    """

    settings: Mapping[str, Any]
    queries: int
    gallery: int
    unlabelled: int
    identical: int
    rejected: tuple[tuple[str, str], ...]
    metrics: Mapping[str, Metrics]
    leak: bool
    seconds: float
    answers: Answers = field(repr=False)
    published: Mapping[str, Published] = field(default_factory=dict)
    without_words: str | None = None

    @property
    def k(self) -> int:
        """How many results of each query count."""
        return int(self.answers.rows.shape[1])

    @property
    def primary(self) -> str:
        """The name of the metrics that count most: all columns together, class and colour of
        photographs, or the mapping."""
        return next(name for name in (ALL, BOTH, *self.metrics) if name in self.metrics)

    @property
    def without_colours(self) -> int | None:
        """How many queries no colours are known of; ``None`` where nobody asked for colours."""
        if self.settings.get("colours") is None:
            return None
        return int(np.count_nonzero(~self.answers.labelled[COLOUR]))

    def worst(self, count: int) -> list[int]:
        """Places in ``answers`` of the queries with the lowest precision in the primary metrics,
        the worst first; of equal ones that whose wrong result has the highest similarity. Queries
        without a wrong result are not among them."""
        answers, right = self.answers, self.answers.right[self.primary]
        precision = precision_at_k(right)
        wrong = np.where(right | (answers.rows < 0), -np.inf, answers.similarities).max(axis=1)
        order = np.lexsort([-wrong, precision])
        imperfect = answers.labelled[self.primary] & (precision < 1)
        return [int(place) for place in order[imperfect[order]][:count]]

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        metrics = {name: asdict(one) for name, one in self.metrics.items()}
        classes = {name: values.pop("classes") for name, values in metrics.items()}
        without_colours = self.without_colours
        return {
            "settings": {**self.settings, "colour": with_old_keys(self.settings["colour"])},
            "counts": {
                "queries": self.queries,
                "gallery": self.gallery,
                "rejected": len(self.rejected),
                "unlabelled": self.unlabelled,
                "identical": self.identical,
                **({} if without_colours is None else {"without_colours": without_colours}),
            },
            "metrics": metrics,
            "classes": {name: values for name, values in classes.items() if values},
            "published": {name: asdict(one) for name, one in self.published.items()},
            "without_words": self.without_words,
            "leak": self.leak,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Recall:
    """How often an item was ``first``, or ``among`` the first k, for a copy of its picture."""

    first: Figure
    among: Figure


@dataclass(frozen=True, slots=True)
class CopyDetection:
    """How often changed copies of the pictures of ``items`` items find their original, by the name
    of the change. Pictures that could not be read are ``skipped``."""

    items: int
    skipped: int
    k: int
    changes: Mapping[str, Recall]

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)
