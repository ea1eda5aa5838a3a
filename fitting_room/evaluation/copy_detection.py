"""Copy detection: whether changed copies of the catalogue's pictures find their originals."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from fitting_room.evaluation.evaluate import RESULTS, check_k
from fitting_room.evaluation.metrics import bootstrap_figures
from fitting_room.evaluation.results import CopyDetection, EvaluationError, Recall
from fitting_room.evaluation.searching import embedded, gallery_mask, picture_digests
from fitting_room.facade import FittingRoom
from fitting_room.imaging.features import Features
from fitting_room.index.index import Where
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.util.progress import Listener, Stage, ignore

Change = Callable[[Image.Image], Image.Image]


def reencoded(image: Image.Image) -> Image.Image:
    """Saved once more, as JPEG of quality 60."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    with Image.open(buffer, formats=("JPEG",)) as copy:
        return copy.convert("RGB")


def cropped(image: Image.Image) -> Image.Image:
    """4 % less on each side."""
    width, height = image.size
    x, y = round(0.04 * width), round(0.04 * height)
    return image.crop((x, y, width - x, height - y))


def brightened(image: Image.Image) -> Image.Image:
    """15 % more light."""
    return ImageEnhance.Brightness(image).enhance(1.15)


#: The changes by name.
CHANGES: Mapping[str, Change] = {
    "reencoded": reencoded,
    "cropped": cropped,
    "brightened": brightened,
    "flipped": ImageOps.mirror,
}


def detect_copies(
    fitting_room: FittingRoom,
    count: int,
    *,
    k: int = RESULTS,
    where: Where | None = None,
    holdout: int | None = None,
    options: SimilarityOptions = SimilarityOptions(),  # noqa: B008  (frozen)
    seed: int = 0,
    listener: Listener = ignore,
) -> CopyDetection:
    """Change ``count`` pictures of the gallery, drawn at even distances through the catalogue, and
    see how often each finds its item, by any of its pictures, or one with the very same picture.

    ``where`` and ``holdout`` narrow the gallery as in
    :func:`fitting_room.evaluation.evaluate.evaluate`. Raises :class:`EvaluationError` when there is
    nothing to search for, and ``FilterError``.
    """
    check_k(k)
    gallery = gallery_mask(fitting_room.index, where, holdout)
    exclude = None if gallery.all() else ~gallery
    search = partial(fitting_room.index.search, n=k, options=options, exclude=exclude)
    rows = evenly(np.flatnonzero(gallery), count, seed)
    rejected: dict[int, str] = {}
    changes = {}
    for name, change in CHANGES.items():
        stage = Stage(f"Finding {name} copies", len(rows), "picture", listener)
        recall = _recall(fitting_room, rows, change, search, stage, rejected)
        changes[name] = Recall(*bootstrap_figures(recall, seed))
    return CopyDetection(len(rows), len(rejected), k, changes)


def evenly(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """``count`` of ``rows`` at even distances, from a start that ``seed`` draws; all of them where
    there are no more."""
    if count >= len(rows):
        return rows
    start = np.random.default_rng(seed).random()
    return np.asarray(rows[((start + np.arange(count)) * len(rows) / count).astype(np.int64)])


def _recall(
    fitting_room: FittingRoom,
    rows: np.ndarray,
    change: Change,
    search: Callable[[Sequence[Features]], list[Hits]],
    stage: Stage,
    rejected: dict[int, str],
) -> np.ndarray:
    """Whether each copy finds its original first, and among the first k, float ``(2, C)``."""
    index, digests = fitting_room.index, picture_digests(fitting_room.index).to_numpy()

    def load(row: int) -> Image.Image:
        image = str(index.items["image"].iat[row])
        original = fitting_room.open_picture(fitting_room.picture(image), image)
        return fitting_room.open_picture(change(original))

    recall: list[tuple[bool, bool]] = []
    for batch in embedded(fitting_room, rows, load, stage, rejected):
        for (row, _), hits in zip(batch, search([one for _, one in batch]), strict=True):
            same = digests[hits.rows] == digests[row]
            same |= index.item_numbers(hits.rows) == index.item_numbers(row)
            recall.append((same[0], same.any()))
    if not recall:
        place = fitting_room.catalogue_location
        raise EvaluationError(f"{place}: no picture could be read, so there is nothing to copy.")
    return np.array(recall, np.float64).T
