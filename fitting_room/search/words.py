"""Words as queries, alone or beside a picture, where the index's network understands them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fitting_room.embedding.backbones import reads_words, title_of
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.words import checked_texts, not_understood
from fitting_room.index.index import Index


class WordsAsQueries:
    """The part of a :class:`fitting_room.search.searcher.Searcher` that takes words."""

    index: Index

    @property
    def embedder(self) -> Embedder:
        raise NotImplementedError

    @property
    def reads_words(self) -> bool:
        """Whether the index's network embeds words too (:meth:`embed_texts`). It is not loaded for
        that."""
        return reads_words(self.index.identity)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of texts in the space of the network's pictures, float32 ``(len(texts), D)``,
        rows of length 1. :func:`combine` puts them beside a picture's.

        Raises :class:`fitting_room.embedding.words.WordsNotUnderstood`, a ``ValueError``, where the
        network has no words, or the texts are too many or too long, all before it is loaded; and
        ``BackboneError`` where open_clip or the weights are not on this machine.

        >>> red, stripes = fitting_room.embed_texts(["in red", "stripes"])  # doctest: +SKIP
        >>> picture = fitting_room.embed(["dress.jpg"])[0]                 # doctest: +SKIP
        >>> query = combine(picture, [red], [stripes], weight=0.5)         # doctest: +SKIP
        >>> fitting_room.search(query[None])                               # doctest: +SKIP
        """
        if not self.reads_words:
            raise not_understood(title_of(str(self.index.identity.get("backbone"))))
        return self.embedder.embed_texts(checked_texts(texts))


def combine(
    picture: np.ndarray | None,
    wanted: Sequence[np.ndarray] | np.ndarray = (),
    unwanted: Sequence[np.ndarray] | np.ndarray = (),
    weight: float = 0.5,
) -> np.ndarray:
    """A query of a picture and words, "like this but in red, without stripes": the picture's
    embedding ``(D,)``, plus ``weight`` times the mean of the ``wanted`` texts', less ``weight``
    times that of the ``unwanted`` ones' (each ``(N, D)``, unit rows); float32 ``(D,)``, of length
    1. Without a picture the words stand for themselves. This is the arithmetic of word vectors
    (Mikolov 2013), which networks of pictures and words share: docs/networks.md.

    Raises ``ValueError`` where nothing is left or given, and for embeddings of different lengths
    or a weight that is no number from 0 on.
    """
    if not (math.isfinite(weight) and weight >= 0):
        raise ValueError(f"A weight of {weight!r} cannot be: a number from 0 on is expected.")
    parts = [] if picture is None else [np.asarray(picture, np.float64).reshape(-1)]
    for rows, sign in ((wanted, weight), (unwanted, -weight)):
        if len(rows):
            parts.append(sign * np.asarray(rows, np.float64).mean(axis=0))
    if len({part.shape for part in parts}) != 1 or parts[0].ndim != 1:
        raise ValueError("Embeddings of one length are expected, and one of them at least.")
    total = np.sum(parts, axis=0)
    # What is left of opposites is rounding, and would point anywhere.
    if not np.linalg.norm(total) > 1e-6:
        raise ValueError("What is wanted and what is not wanted are the same: nothing is left.")
    unit: np.ndarray = (total / np.linalg.norm(total)).astype(np.float32)
    return unit
