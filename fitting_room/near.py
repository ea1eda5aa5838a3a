"""What an index of a large catalogue finds candidates with, as it lies in the index's folder."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fitting_room.appearance import COLOURS, SILHOUETTE
from fitting_room.head import Head
from fitting_room.index_files import NEIGHBOURS, SKETCH, TRAINED_NEIGHBOURS, TRAINED_SKETCH
from fitting_room.neighbours import (
    COLOUR_DIRECTIONS,
    MISSING,
    Effort,
    Neighbours,
    NeighboursError,
    Sketcher,
    is_available,
)

_log = logging.getLogger(__name__)

#: Chosen on the catalogue so that for every weight of colour at least 0.99 of the exact top 10 are
#: found. Beside a head the sketch lacks the embedding, which has a share, so more candidates are
#: taken.
PLAIN, TRAINED = Effort(128, 8, 200), Effort(64, 8, 400)
#: Groups were made by all that a sketch holds. A question of hardly anything but colours, by their
#: share of its square, looks at this many times as many groups and candidates.
COLOURFUL = ((0.97, 8, 8), (0.9, 4, 4), (0.8, 2, 2))


@dataclass(frozen=True, slots=True, eq=False)
class Finder:
    """An inverted file, and what makes the sketches that it holds."""

    sketcher: Sketcher
    neighbours: Neighbours

    @classmethod
    def open(cls, folder: Path, sketch: str, file: str, count: int, dimension: int) -> Finder:
        """Read and map the files of ``count`` items with embeddings of ``dimension``. Raises
        ``ValueError`` when they make no sense."""
        sketcher = _read_sketcher(folder / sketch, dimension)
        return cls(sketcher, Neighbours.open(folder / file, count, sketcher.width))


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

    def effort(self, queries: np.ndarray, *, trained: bool) -> Effort:
        """What some sketches of queries are worth, in the file with the head or without it."""
        effort = TRAINED if trained else PLAIN
        squares = queries**2
        of_colours = squares[:, -COLOUR_DIRECTIONS:].sum() / max(squares.sum(), 1e-12)
        for share, groups, candidates in COLOURFUL:
            if of_colours > share:
                return Effort(
                    effort.probes * groups,
                    effort.per_result * candidates,
                    effort.least * candidates,
                )
        return effort


def write_sketcher(path: Path, sketcher: Sketcher) -> None:
    """Write the directions of an index's sketches."""
    np.savez(
        path,
        shape=sketcher.shape,
        silhouette=sketcher.silhouette,
        colours=sketcher.colours,
    )


def _read_sketcher(path: Path, dimension: int) -> Sketcher:
    with np.load(path, allow_pickle=False) as file:
        sketcher = Sketcher(file["shape"], file["silhouette"], file["colours"])
    for directions, height in (
        (sketcher.shape, dimension),
        (sketcher.silhouette, SILHOUETTE.stop - SILHOUETTE.start),
        (sketcher.colours, COLOURS.stop - COLOURS.start),
    ):
        sound = directions.ndim == 2 and len(directions) == height
        if not sound or directions.dtype != np.float32 or not np.isfinite(directions).all():
            raise NeighboursError(f"{path.name} makes no sense")
    return sketcher
