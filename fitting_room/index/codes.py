"""Codes that a database finds candidates by: what is known of an item in some three hundred
numbers, of which a query weighs each part as it likes.

A similarity is a sum of dot products in which only the query's side carries weights, so one vector
of all parts side by side, each reduced to its main directions, serves every weight of colour, with
the head's view and without. They choose candidates; nobody is shown a sum of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from fitting_room.imaging.descriptors import COLOURS, SILHOUETTE
from fitting_room.index import scoring
from fitting_room.index.item_store import Block, Question
from fitting_room.index.scoring import unit_bytes

#: The most directions of each part: what a head makes of pictures, embeddings, silhouettes,
#: colours. Chosen on the catalogue: docs/scale.md.
MOST = {
    scoring.LEARNED: 128, scoring.EMBEDDING: 128, scoring.OUTLINE: 16, scoring.COLOUR: 32,
}  # fmt: skip
#: Rows that directions are learned from at most.
SAMPLE = 20_000
ENCODER_FILE = "codes.safetensors"


class JointEncoder(NamedTuple):
    """The directions of the parts, unit columns, float32: of ``learned`` ``(E, e)``, with no
    columns without a head, of ``embedding`` ``(D, d)``, ``outline`` and ``colour``."""

    learned: np.ndarray
    embedding: np.ndarray
    outline: np.ndarray
    colour: np.ndarray

    @classmethod
    def learn(cls, block: Block) -> JointEncoder:
        """The directions that tell most about the rows of a block."""
        parts = _parts(block)
        return cls(*(_directions(parts[of], most) for of, most in MOST.items()))

    @property
    def width(self) -> int:
        """The numbers of a code."""
        return sum(directions.shape[1] for directions in self)

    def of_items(self, block: Block) -> np.ndarray:
        """The codes of some rows, float32 ``(n, width)``."""
        parts = _parts(block).values()
        codes = [rows @ directions for rows, directions in zip(parts, self, strict=True)]
        return np.hstack(codes, dtype=np.float32)

    def of_question(self, question: Question) -> np.ndarray:
        """The codes of some queries, float32 ``(Q, width)``; a part that is not asked for is 0."""
        count = len(next(iter(question.values())))
        codes = [
            question[of] @ directions
            if of in question
            else np.zeros((count, directions.shape[1]), np.float32)
            for of, directions in zip(MOST, self, strict=True)
        ]
        return np.hstack(codes, dtype=np.float32)

    def save(self, path: Path) -> None:
        save_file({of: np.ascontiguousarray(d) for of, d in self._asdict().items()}, path)

    @classmethod
    def load(cls, path: Path, dimension: int, learned: int) -> JointEncoder:
        """Read what :meth:`save` wrote for embeddings of so many dimensions and a head's view of
        so many ``learned`` ones, 0 without a head. Raises ``ValueError`` for anything else."""
        try:
            encoder = cls(**load_file(path))
        except (OSError, SafetensorError, KeyError, TypeError) as error:
            raise ValueError(f"{path.name} is damaged") from error
        lengths = (learned, dimension, _length(SILHOUETTE), _length(COLOURS))
        for directions, length in zip(encoder, lengths, strict=True):
            sound = directions.dtype == np.float32 and directions.ndim == 2
            if not sound or len(directions) != length or not np.isfinite(directions).all():
                raise ValueError(f"{path.name} does not belong to this index")
        return encoder


def _parts(block: Block) -> dict[str, np.ndarray]:
    """What is compared of some rows, by the names in :data:`MOST` and in their order."""
    none = np.zeros((len(block), 0), np.float32)
    return {
        scoring.LEARNED: none if block.trained is None else block.trained,
        scoring.EMBEDDING: block.vectors,
        scoring.OUTLINE: unit_bytes(block.descriptors[:, SILHOUETTE]),
        scoring.COLOUR: unit_bytes(block.descriptors[:, COLOURS]),
    }


def _directions(rows: np.ndarray, most: int) -> np.ndarray:
    _, eigenvectors = np.linalg.eigh(rows.T @ rows)
    return np.ascontiguousarray(eigenvectors[:, ::-1][:, :most], np.float32)


def _length(part: slice) -> int:
    return int(part.stop - part.start)
