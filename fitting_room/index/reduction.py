"""A linear reduction of embeddings, learned from a catalogue's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fitting_room.imaging.features import normalise


class ReductionError(ValueError):
    """A PCA to more dimensions than there are pictures or numbers in an embedding."""


@dataclass(frozen=True, slots=True)
class PCA:
    """A linear reduction: ``x -> normalise((x - mean) @ components.T)``. ``components`` is float32
    ``(d, D)``, ``mean`` ``(D,)``; ``fitted_on`` counts the embeddings it was learned from."""

    mean: np.ndarray
    components: np.ndarray
    fitted_on: int

    @classmethod
    def fit(cls, vectors: np.ndarray, dimension: int) -> PCA:
        """Learn the ``dimension`` directions of greatest variance. Raises
        :class:`ReductionError` when there are fewer embeddings, or they have fewer dimensions."""
        from sklearn import decomposition

        if dimension < 1 or dimension > min(vectors.shape):
            raise ReductionError(
                f"--pca {dimension} needs embeddings of at least that many dimensions and at least "
                f"that many pictures; there are {vectors.shape[0]} of {vectors.shape[1]}."
            )
        fitted = decomposition.PCA(dimension, svd_solver="covariance_eigh").fit(vectors)
        return cls(
            np.asarray(fitted.mean_, np.float32),
            np.asarray(fitted.components_, np.float32),
            len(vectors),
        )

    @property
    def dimension(self) -> int:
        return len(self.components)

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        return normalise((vectors - self.mean) @ self.components.T)
