"""What an index of a large catalogue finds candidates with, as it lies in the index's folder."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fitting_room.imaging.descriptors import COLOURS, SILHOUETTE
from fitting_room.index.ann import (
    COLOUR_DIRECTIONS,
    MISSING,
    AnnEncoder,
    AnnIndex,
    AnnIndexError,
    AnnSearchParams,
    is_available,
)
from fitting_room.index.head import Head
from fitting_room.index.manifest import NEIGHBOURS, SKETCH, TRAINED_NEIGHBOURS, TRAINED_SKETCH

_log = logging.getLogger(__name__)

#: Chosen on the catalogue so that for every weight of colour at least 0.99 of the exact top 10 are
#: found. Beside a head the sketch lacks the embedding, which has a share, so more candidates are
#: taken.
PLAIN, TRAINED = AnnSearchParams(128, 8, 200), AnnSearchParams(64, 8, 400)
#: Groups were made by all that a sketch holds. A question of hardly anything but colours, by their
#: share of its square, looks at this many times as many groups and candidates.
COLOURFUL = ((0.97, 8, 8), (0.9, 4, 4), (0.8, 2, 2))


@dataclass(frozen=True, slots=True, eq=False)
class Finder:
    """An inverted file, and what makes the sketches that it holds."""

    encoder: AnnEncoder
    neighbours: AnnIndex

    @classmethod
    def open(cls, folder: Path, sketch: str, file: str, count: int, dimension: int) -> Finder:
        """Read and map the files of ``count`` items with embeddings of ``dimension``. Raises
        ``ValueError`` when they make no sense."""
        encoder = _read_encoder(folder / sketch, dimension)
        return cls(encoder, AnnIndex.open(folder / file, count, encoder.width))


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """What finds candidates without the head and, where there is one, with it."""

    plain: Finder
    trained: Finder | None

    @classmethod
    def open(cls, folder: Path, count: int, dimension: int, head: Head | None) -> Near | None:
        """The files of an index that has them; ``None``, and a warning, without faiss. Raises
        ``ValueError`` when they make no sense."""
        if not is_available():
            _log.warning("%s: %s Until then every item is compared.", folder, MISSING)
            return None
        plain = Finder.open(folder, SKETCH, NEIGHBOURS, count, dimension)
        if head is None:
            return cls(plain, None)
        trained = Finder.open(folder, TRAINED_SKETCH, TRAINED_NEIGHBOURS, count, head.dimension)
        return cls(plain, trained)

    def release(self) -> None:
        """Let go of the memory of what was looked at."""
        for finder in (self.plain, self.trained):
            if finder is not None:
                finder.neighbours.release()

    def search_params(self, queries: np.ndarray, *, trained: bool) -> AnnSearchParams:
        """What some sketches of queries are worth, in the file with the head or without it."""
        search_params = TRAINED if trained else PLAIN
        squares = queries**2
        of_colours = squares[:, -COLOUR_DIRECTIONS:].sum() / max(squares.sum(), 1e-12)
        for share, groups, candidates in COLOURFUL:
            if of_colours > share:
                return AnnSearchParams(
                    search_params.probes * groups,
                    search_params.per_result * candidates,
                    search_params.least * candidates,
                )
        return search_params


def write_encoder(path: Path, encoder: AnnEncoder) -> None:
    """Write the directions of an index's sketches."""
    np.savez(path, shape=encoder.shape, silhouette=encoder.silhouette, colours=encoder.colours)


def _read_encoder(path: Path, dimension: int) -> AnnEncoder:
    with np.load(path, allow_pickle=False) as file:
        encoder = AnnEncoder(file["shape"], file["silhouette"], file["colours"])
    for directions, height in (
        (encoder.shape, dimension),
        (encoder.silhouette, SILHOUETTE.stop - SILHOUETTE.start),
        (encoder.colours, COLOURS.stop - COLOURS.start),
    ):
        sound = directions.ndim == 2 and len(directions) == height
        if not sound or directions.dtype != np.float32 or not np.isfinite(directions).all():
            raise AnnIndexError(f"{path.name} makes no sense")
    return encoder
