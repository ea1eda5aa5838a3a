"""What is compared of one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fitting_room.imaging.descriptors import PLAIN_BACKGROUND


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Features:
    """What is compared of one picture: ``embeddings`` float32 ``(V, D)``, a unit row for each view
    of it (one, except for a photograph used as a query), and ``descriptors`` uint8
    ``(DESCRIPTOR_LENGTH,)`` of :func:`fitting_room.imaging.descriptors.describe`. Where a head
    brings a network of its own, ``head_embeddings``, float32 ``(V, H)``, are that network's.
    ``note`` is what there is to say of the file
    (:func:`fitting_room.imaging.decode.note_of`)."""

    embeddings: np.ndarray
    descriptors: np.ndarray
    head_embeddings: np.ndarray | None = None
    note: str | None = None

    @property
    def plain_background(self) -> bool:
        """Whether the picture has a plain background rather than surroundings."""
        return bool(self.descriptors[PLAIN_BACKGROUND])


def normalise(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32. A row of zeros stays zero: similar to nothing."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
