"""What is compared of one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fitting_room.imaging import descriptors


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What is compared of one picture: ``embeddings`` float32 ``(V, D)``, a unit row for each view
    of it (one, but for a photograph that is asked about), and ``appearance`` uint8
    ``(APPEARANCE,)`` of :func:`fitting_room.imaging.descriptors.describe`."""

    embeddings: np.ndarray
    descriptors: np.ndarray

    @property
    def plain_background(self) -> bool:
        """Whether the picture has a plain ground rather than surroundings."""
        return bool(self.descriptors[descriptors.PLAIN_BACKGROUND])


def normalise(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32. A row of zeros stays zero: similar to nothing."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
