"""Whether anything in a catalogue is close to a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fitting_room.imaging.features import Features
from fitting_room.index.index import Index
from fitting_room.index.scoring import SimilarityOptions

#: Where the best match's expected precision is below this, nothing is close.
LEAST_EXPECTED_PRECISION = 0.35


def nothing_close(index: Index, query: Features, rows: Sequence[int] = ()) -> bool:
    """Whether nothing in the whole catalogue is close to a picture, however its matches are
    filtered and ranked. The head judges photographs only: in a drawing it sees a kind that it was
    taught. ``rows`` of matches, if known, mostly save a search: one that is close is enough."""
    options = SimilarityOptions(trained=not query.plain_background)
    if len(rows) and not index.is_out_of_catalogue(query, rows):
        best = float(index.similarities(query, np.asarray(rows), options=options).max())
        if not _is_seldom_right(index, query, best, options):
            return False
    (hits,) = index.search([query], 1, options=options)
    if not len(hits) or index.same_pictures(query, hits.rows).any():
        return False
    best = float(hits.similarities[0])
    return index.is_out_of_catalogue(query, hits.rows.tolist()) or _is_seldom_right(
        index, query, best, options
    )


def _is_seldom_right(
    index: Index, query: Features, similarity: float, options: SimilarityOptions
) -> bool:
    """Whether items of that similarity were measured to be seldom of the query's kind."""
    precision = index.expected_precision(
        similarity, options, plain_background=query.plain_background
    )
    return precision is not None and precision < LEAST_EXPECTED_PRECISION
