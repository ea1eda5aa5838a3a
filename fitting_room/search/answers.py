"""An answer to pictures: matches, how alike each is in words, and what there is to say of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fitting_room.imaging.features import Features
from fitting_room.search.closeness import nothing_close
from fitting_room.search.likeness import Likeness
from fitting_room.search.searcher import Match, Searcher


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
    """See :func:`fitting_room.search.closeness.nothing_close`."""
    return nothing_close(searcher.index, query, rows)


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
