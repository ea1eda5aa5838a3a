"""Words as a query of a network that reads them: alone, or within the embedding of a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fitting_room.imaging.features import Features
from fitting_room.index.index import Index
from fitting_room.search.wishes import Understood
from fitting_room.search.words import combine

#: Embeds texts: float32 ``(N, D0)``, unit rows.
EmbedTexts = Callable[[Sequence[str]], np.ndarray]


def embeddings_of(words: Understood, embed: EmbedTexts) -> tuple[np.ndarray, np.ndarray]:
    """What is wanted and what is not, each float32 ``(N, D0)``; one of them may be empty."""
    texts = [words.wanted] * bool(words.wanted) + list(words.unwanted)
    rows = embed(texts)
    return rows[: bool(words.wanted)], rows[bool(words.wanted) :]


def alone(words: Understood, embed: EmbedTexts) -> np.ndarray:
    """The query that words are by themselves, float32 ``(D0,)``, a unit vector."""
    return combine(None, *embeddings_of(words, embed))


def beside(
    index: Index,
    queries: np.ndarray | Sequence[Features],
    words: Understood,
    embed: EmbedTexts,
    weight: float,
) -> np.ndarray | list[Features]:
    """Pictures with words added to their embeddings; what else is known of a picture stays."""
    wanted, unwanted = embeddings_of(words, embed)
    width = wanted.shape[1]
    pca = index.pca

    def added(embeddings: np.ndarray) -> np.ndarray:
        # An item of the index was reduced before, and the words then are as well.
        reduced = pca is not None and embeddings.shape[1] != width
        near, far = (
            pca(rows) if pca is not None and reduced and len(rows) else rows
            for rows in (wanted, unwanted)
        )
        return np.stack([combine(own, near, far, weight) for own in embeddings])

    if isinstance(queries, np.ndarray):
        return added(np.atleast_2d(queries))
    return [replace(query, embeddings=added(query.embeddings)) for query in queries]
