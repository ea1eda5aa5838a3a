"""Measures that others publish of queries by pictures, so that figures can be put beside theirs.

Each is one small evaluator: it takes which results of some queries are right and answers with one
primary figure. Measures of queries by words are in :mod:`fitting_room.evaluation.words`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fitting_room.catalogue.kind_column import KIND_COLUMNS
from fitting_room.catalogue.schema import columns_like
from fitting_room.evaluation.metrics import bootstrap_figures, precision_at_k
from fitting_room.evaluation.queries import CLASS
from fitting_room.evaluation.relevance import Relevance, combine_columns
from fitting_room.evaluation.results import ALL, BOTH, Published

#: What must be right in one and the same result: the kind of thing; that and its colour; that and
#: all attributes that are judged.
KIND, KIND_AND_COLOUR, KIND_AND_ATTRIBUTES = "kind", "kind and colour", "kind and attributes"
#: Columns that say what colour an item has, the best first.
COLOUR_COLUMNS = (
    "baseColour", "colour", "color", "base_color", "colour_group_name", "primary_colour",
    "primary_color", "main_colour", "main_color",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PictureMeasure:
    """The fraction of the first ``k`` results that are right by ``of``, averaged over the queries
    that have the labels. With a ``k`` of 1 that is what is called recall@1 where any right result
    counts as found. ``source`` says who publishes it, and how."""

    name: str
    metric: str
    k: int
    of: str
    source: str

    def __call__(self, right: np.ndarray, relevant: np.ndarray, seed: int = 0) -> Published:
        """Measure which results are right, bool ``(Q, depth)`` with a depth of ``k`` at least,
        of queries for which the gallery has so many ``relevant`` items, int ``(Q,)``. A query
        without any counts as 0."""
        values = precision_at_k(right[:, : self.k])
        (figure,) = bootstrap_figures(values[None], seed)
        without = int(np.count_nonzero(relevant == 0))
        return Published(self.metric, figure, len(values), without, self.source)


MEASURES = (
    PictureMeasure(
        "kind and colour",
        "precision@10",
        10,
        KIND_AND_COLOUR,
        "as nivitsm2011/catalogiq, scripts/evaluate_search.py, which merges the 46 colours into 15",
    ),
    PictureMeasure(
        "fine",
        "recall@1",
        1,
        KIND_AND_ATTRIBUTES,
        "as LookBench (arXiv 2601.14706): the first result has the query's category and all of its "
        "attributes; here the attributes are the columns that are judged beside the kind",
    ),
    PictureMeasure(
        "coarse",
        "recall@1",
        1,
        KIND,
        "as LookBench (arXiv 2601.14706): the first result has the query's category",
    ),
)
#: Results of each query that these measures look at.
DEPTH = max(measure.k for measure in MEASURES)


def published_relevance(relevance: Mapping[str, Relevance]) -> dict[str, Relevance]:
    """What the measures need of what is judged (:func:`fitting_room.evaluation.relevance.
    find_relevance`): with columns the kind is the one that is called like one, or the first, the
    colour the one that is called so, and the attributes are all others; with a mapping the kind
    is the class, and the only attribute the colour. What is not judged is not there."""
    if CLASS in relevance and ALL not in relevance:
        if BOTH not in relevance:
            return {KIND: relevance[CLASS]}
        both = dict.fromkeys((KIND_AND_COLOUR, KIND_AND_ATTRIBUTES), relevance[BOTH])
        return {KIND: relevance[CLASS], **both}
    columns = [name for name in relevance if name != ALL]
    kind = next(iter(columns_like(KIND_COLUMNS, columns)), columns[0])
    needed = {KIND: relevance[kind]}
    others = [name for name in columns if name != kind]
    for colour in columns_like(COLOUR_COLUMNS, others)[:1]:
        needed[KIND_AND_COLOUR] = combine_columns([relevance[kind], relevance[colour]])
    if others:
        needed[KIND_AND_ATTRIBUTES] = relevance[ALL]
    return needed
