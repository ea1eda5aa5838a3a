"""An answer to pictures: matches, how alike each is in words, and what there is to say of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fitting_room.imaging.features import Features
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search.likeness import Likeness
from fitting_room.search.searcher import LEAST_EXPECTED_PRECISION, Match, Searcher


@dataclass(frozen=True, slots=True)
class Answer:
    """``matches``, best first, with the ``likeness`` of each; ``message`` is a sentence for people
    where nothing in the catalogue is close (``is_out_of_catalogue``)."""

    matches: list[Match]
    likeness: list[Likeness]
    is_out_of_catalogue: bool = False
    garment_seen: bool = True
    message: str | None = None


def is_out_of_catalogue(searcher: Searcher, query: Features, rows: Sequence[int] = ()) -> bool:
    """Whether nothing in the whole catalogue is close to a picture, however its matches are
    filtered and ranked. The head judges photographs only: in a drawing it sees a kind that it was
    taught. ``rows`` of matches, if known, mostly save a search: one that is close is enough."""
    index = searcher.index
    options = SimilarityOptions(trained=not query.plain_background)
    if len(rows) and not index.is_out_of_catalogue(query, rows):
        best = float(index.similarities(query, np.asarray(rows), options=options).max())
        precision = index.expected_precision(best, options, plain_background=query.plain_background)
        if precision is None or precision >= LEAST_EXPECTED_PRECISION:
            return False
    return searcher.is_out_of_catalogue(searcher.search(query, 1, options=options), query)


def message(searcher: Searcher, queries: Sequence[Features]) -> str:
    """What is said of pictures that nothing in the catalogue is close to."""
    pictures = "this picture" if len(queries) == 1 else "these pictures"
    if not garment_seen(searcher, queries):
        return f"No garment seen in {pictures}. What comes nearest is shown all the same."
    return f"Nothing in the catalogue is close to {pictures}. This is the nearest we have."


def garment_seen(searcher: Searcher, queries: Sequence[Features]) -> bool:
    """Whether any of some pictures that are out of the catalogue seems to show a garment."""
    return not all(map(searcher.sees_no_garment, queries))


def answer(searcher: Searcher, queries: Sequence[Features], matches: list[Match]) -> Answer:
    """The answer that matches of pictures make."""
    rows = [match.row for match in matches]
    is_out = all(is_out_of_catalogue(searcher, query, rows) for query in queries)
    likeness = searcher.likeness(queries, rows, nothing_close=is_out)
    if not is_out:
        return Answer(matches, likeness)
    return Answer(
        matches, likeness, True, garment_seen(searcher, queries), message(searcher, queries)
    )
