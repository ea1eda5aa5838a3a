"""Approximate search in a large catalogue: an inverted file of faiss finds candidates, which are
then compared exactly.

The file keeps a code of each item, 8 bits a number: its embedding (or the head's projection of it),
silhouette and colours, each reduced to a few directions. A score is a sum of dot products in which
only the query is weighted, so one file serves every weight of colour.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from fitting_room.imaging.descriptors import COLOURS, SILHOUETTE
from fitting_room.index.inverted_file import (
    MISSING,
    AnnIndex,
    AnnIndexError,
    AnnSearchParams,
    is_available,
)
from fitting_room.index.scoring import ROWS_AT_ONCE, unit_bytes
from fitting_room.index.vectors import Matrix, release

_log = logging.getLogger(__name__)

#: The files' names: encoder and inverted file, for the embeddings and for the head's projections.
ANN_ENCODER, ANN_INDEX = "ann-encoder.safetensors", "ann.faiss"
TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX = "trained-ann-encoder.safetensors", "trained-ann.faiss"

#: An index has these files from this many numbers (items x dimensions) on: 500,000 items of 128
#: dimensions, 50,000 of 1,280. Below, exact search takes some hundredths of a second.
WORTHWHILE_FROM = 64_000_000
#: A filter that leaves at most this many items is answered by comparing them all.
FEW_ITEMS = 50_000
#: The most directions that embeddings, silhouettes and colours are reduced to, and about how many
#: items they are learned from. Chosen on the catalogue: for every weight of colour, 200 candidates
#: hold at least 0.99 of the exact top 10.
MAX_DIRECTIONS, ENCODER_SAMPLE = (128, 16, 32), 20_000
#: Chosen so that at least 0.99 of the exact top 10 are found. With a head, the score also has a
#: share of the embedding, which the codes lack: more candidates make up for it.
PLAIN, TRAINED = AnnSearchParams(128, 8, 200), AnnSearchParams(64, 8, 400)
#: Groups were made by all parts of the codes, so a query that is mostly colour needs more: from
#: this share of colour in the query's square, so many times as many groups and candidates.
COLOUR_FACTORS = ((0.97, 8), (0.9, 4), (0.8, 2))


class AnnEncoder(NamedTuple):
    """The directions, unit columns, that embeddings, float32 ``(D, E)``, silhouettes, ``(300, S)``,
    and colours, ``(388, C)``, are reduced to."""

    shape: np.ndarray
    silhouette: np.ndarray
    colours: np.ndarray

    def encode(self, *parts: np.ndarray | None) -> np.ndarray:
        """Codes, float32 ``(N, width)``, of items' or queries' embeddings, silhouettes and colours;
        ``None`` has no weight."""
        count = next(len(rows) for rows in parts if rows is not None)
        pairs = zip(parts, self, strict=True)
        codes = [np.zeros((count, d.shape[1])) if p is None else p @ d for p, d in pairs]
        return np.hstack(codes, dtype=np.float32)

    @property
    def width(self) -> int:
        """E + S + C."""
        return sum(directions.shape[1] for directions in self)

    @classmethod
    def load(cls, path: Path, dimension: int) -> AnnEncoder:
        """Read directions for embeddings of ``dimension``. Raises :class:`AnnIndexError`."""
        try:
            encoder = cls(**load_file(path))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise AnnIndexError(f"{path.name} is damaged") from error
        lengths = (dimension, SILHOUETTE.stop - SILHOUETTE.start, COLOURS.stop - COLOURS.start)
        for directions, length in zip(encoder, lengths, strict=True):
            sound = directions.dtype == np.float32 and np.isfinite(directions).all()
            if not sound or directions.ndim != 2 or len(directions) != length:
                raise AnnIndexError(f"{path.name} does not belong to this index")
        return encoder


def _directions(rows: np.ndarray, most: int) -> np.ndarray:
    _, eigenvectors = np.linalg.eigh(rows.T @ rows)
    return np.ascontiguousarray(eigenvectors[:, -most:], np.float32)


#: An inverted file and the encoder of its codes.
AnnSearcher = tuple[AnnEncoder, AnnIndex]


@dataclass(frozen=True, slots=True, eq=False)
class Ann:
    """What an index finds candidates with: by the embeddings, and by the head where it has one."""

    plain: AnnSearcher
    trained: AnnSearcher | None

    @classmethod
    def open(
        cls, folder: Path, *, count: int, dimension: int, head_dimension: int | None
    ) -> Ann | None:
        """Open the files in ``folder``, of embeddings ``(count, dimension)`` and projections
        ``(count, head_dimension)``; ``None``, and a warning, without faiss. Raises
        :class:`AnnIndexError`."""
        if not is_available():
            _log.warning("%s: %s Until then every item is compared.", folder, MISSING)
            return None

        def searcher(encoder_name: str, index_name: str, dimension: int) -> AnnSearcher:
            encoder = AnnEncoder.load(folder / encoder_name, dimension)
            return encoder, AnnIndex.open(folder / index_name, count, encoder.width)

        plain = searcher(ANN_ENCODER, ANN_INDEX, dimension)
        if head_dimension is None:
            return cls(plain, None)
        return cls(plain, searcher(TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX, head_dimension))

    def candidates(
        self,
        shape: np.ndarray,
        silhouette: np.ndarray | None,
        colours: np.ndarray | None,
        n: int,
        mask: np.ndarray | None = None,
        *,
        trained: bool = False,
    ) -> list[np.ndarray] | None:
        """Rows, ascending, among which the ``n`` best of each query are expected, or ``None`` where
        all items must be compared: few are allowed by ``mask``, bool ``(N,)``, many are wanted, or
        too few candidates were found. The queries' weighted rows are ``shape``, float32 ``(Q, D)``
        or with ``trained`` ``(Q, E)``, ``silhouette`` and ``colours``; ``None`` has no weight."""
        searcher = self.trained if trained else self.plain
        if searcher is None:
            return None
        encoder, index = searcher
        allowed = len(index) if mask is None else int(mask.sum())
        if allowed <= FEW_ITEMS or n > len(index) // 100:
            return None
        queries = encoder.encode(shape, silhouette, colours)
        params = _search_params(queries, TRAINED if trained else PLAIN)
        candidates = index.candidates(queries, n, params, mask)
        return None if min(map(len, candidates)) < n else candidates


def _search_params(queries: np.ndarray, params: AnnSearchParams) -> AnnSearchParams:
    squares = queries**2
    of_colours = squares[:, -MAX_DIRECTIONS[-1] :].sum() / max(squares.sum(), 1e-12)
    factor = next((factor for least, factor in COLOUR_FACTORS if of_colours > least), 1)
    return AnnSearchParams(*(factor * number for number in params))


def write_ann(
    folder: Path,
    vectors: Matrix,
    descriptors: np.ndarray,
    *,
    trained: bool = False,
    previous: Ann | None = None,
) -> None:
    """Write what finds candidates among items of these unit rows, ``(N, D)``, and descriptors,
    uint8 ``(N, DESCRIPTOR_LENGTH)``; with ``trained``, the rows are the head's projections. What
    ``previous`` learned, of the same network and reduction, is taken over. Raises ``OSError``."""
    learned = None if previous is None else previous.trained if trained else previous.plain
    encoder, centres = learned or (None, None)

    def parts(rows: Any) -> list[np.ndarray]:
        release(vectors, descriptors)  # what was read before
        block = descriptors[rows]
        return [vectors[rows], unit_bytes(block[:, SILHOUETTE]), unit_bytes(block[:, COLOURS])]

    if encoder is None or len(encoder.shape) != vectors.shape[1]:
        rows = np.arange(0, len(vectors), max(1, len(vectors) // ENCODER_SAMPLE))
        blocks = [parts(rows[i : i + ROWS_AT_ONCE]) for i in range(0, len(rows), ROWS_AT_ONCE)]
        sample = map(np.concatenate, zip(*blocks, strict=True))
        encoder = AnnEncoder(*map(_directions, sample, MAX_DIRECTIONS))
        centres = None
    save_file(encoder._asdict(), folder / (TRAINED_ANN_ENCODER if trained else ANN_ENCODER))
    path = folder / (TRAINED_ANN_INDEX if trained else ANN_INDEX)
    AnnIndex.write(
        path, lambda rows: encoder.encode(*parts(rows)), len(vectors), encoder.width, centres
    )
