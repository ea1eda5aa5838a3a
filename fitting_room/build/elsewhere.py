"""Embedding the pictures of a build by somebody else than this process, such as many machines
(:mod:`fitting_room.cluster`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from fitting_room.embedding.embedder import Outcome


class PictureEmbedder(Protocol):
    """Reads and embeds the pictures of some rows of a catalogue."""

    def __call__(self, rows: np.ndarray, known: np.ndarray) -> Iterator[tuple[int, str, Outcome]]:
        """Of each of some ``rows``, int64, the row, the digest of its picture
        (:func:`fitting_room.index.added.picture_digest`; empty where it could not be read) and what
        became of it, in any order and each once: its features, why it has none, or ``None`` where
        the digest is among the ``known``, ``S32`` in ascending order."""
        ...
