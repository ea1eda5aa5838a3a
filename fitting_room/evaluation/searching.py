"""What an evaluation searches in, and its pictures as queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from PIL import Image

from fitting_room.catalogue.schema import held_out
from fitting_room.evaluation.results import EvaluationError, OptionError
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.index.index import Index, Where
from fitting_room.util.progress import Stage

#: Queries that are embedded before the index is searched for them, together.
QUERIES_AT_ONCE = 256


def gallery_mask(index: Index, where: Where | None, holdout: int | None) -> np.ndarray:
    """Which items may be found, bool ``(N,)``, at least one of them."""
    if holdout is not None and holdout < 1:
        raise OptionError(f"--holdout {holdout}: a whole number above 0 is expected.")
    gallery = index.mask(where or {})
    if holdout is not None:
        gallery &= ~held_out(index.items["id"], holdout)
    if not gallery.any():
        raise EvaluationError(
            f"{index.folder}: nothing is left to be found. Take another --where or --holdout."
        )
    return gallery


def picture_digests(index: Index) -> pd.Series:
    """What is equal for items with the very same picture, text ``(N,)``."""
    return index.items["digest" if "digest" in index.items else "id"].astype(str)


def embedded(
    fitting_room: FittingRoom,
    rows: np.ndarray,
    load: Callable[[int], Image.Image],
    stage: Stage,
    rejected: dict[int, str],
) -> Iterator[list[tuple[int, Features]]]:
    """Rows and features of the pictures that ``load`` reads, a batch at a time. Those that cannot
    be used go to ``rejected``, with the reason."""
    batch: list[tuple[int, Features]] = []
    views = fitting_room.index.mostly_plain_background
    for row, outcome in fitting_room.embedder.stream(rows.tolist(), load, views=views):
        if isinstance(outcome, Features):
            batch.append((row, outcome))
        elif isinstance(outcome, ImageRejected):
            rejected[row] = outcome.reason
        if len(batch) == QUERIES_AT_ONCE:
            yield batch
            batch = []
        stage.advance()
    if batch:
        yield batch
