"""What an index of a large catalogue finds candidates with, as it lies in the index's folder."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fitting_room.appearance import COLOURS, SILHOUETTE
from fitting_room.head import Head
from fitting_room.index_files import NEIGHBOURS, SKETCH, TRAINED_NEIGHBOURS
from fitting_room.neighbours import MISSING, Neighbours, NeighboursError, Sketcher, is_available

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Inverted files of the items without the head and, where there is one, with it."""

    sketcher: Sketcher
    plain: Neighbours
    trained: Neighbours | None

    @classmethod
    def open(cls, folder: Path, count: int, dimension: int, head: Head | None) -> Near | None:
        """The files of an index that has them; ``None``, and a warning, without faiss. Raises
        ``ValueError`` when they make no sense."""
        if not is_available():
            _log.warning("%s: %s Until then every item is compared.", folder, MISSING)
            return None
        sketcher = read_sketcher(folder)
        plain = Neighbours.open(folder / NEIGHBOURS, count, dimension + sketcher.width)
        if head is None:
            return cls(sketcher, plain, None)
        width = head.dimension + sketcher.width
        return cls(sketcher, plain, Neighbours.open(folder / TRAINED_NEIGHBOURS, count, width))


def read_sketcher(folder: Path) -> Sketcher:
    """The directions of an index's sketches. Raises ``ValueError`` when they make no sense."""
    with np.load(folder / SKETCH, allow_pickle=False) as file:
        sketcher = Sketcher(file["silhouette"], file["colours"])
    for directions, part in ((sketcher.silhouette, SILHOUETTE), (sketcher.colours, COLOURS)):
        sound = directions.ndim == 2 and len(directions) == part.stop - part.start
        if not sound or directions.dtype != np.float32 or not np.isfinite(directions).all():
            raise NeighboursError(f"{SKETCH} makes no sense")
    return sketcher
