"""Whether copies of the catalogue's pictures, as they go around the world, find their originals."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from fitting_room.evaluation.evaluate import (
    QUERIES_AT_ONCE,
    RESULTS,
    EvaluationError,
    Figure,
    check_results,
    described,
    figures,
    gallery_of,
)
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.index.index import Where
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.util.progress import Listener, Stage, ignore


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


def flipped(image: Image.Image) -> Image.Image:
    """Left and right exchanged."""
    return ImageOps.mirror(image)


#: What becomes of pictures on their way around the world, by name.
CHANGES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "reencoded": reencoded,
    "cropped": cropped,
    "brightened": brightened,
    "flipped": flipped,
}


@dataclass(frozen=True, slots=True)
class Recall:
    """How often an item was the ``first`` result for a copy of its picture, and how often it was
    ``among`` the first k."""

    first: Figure
    among: Figure


@dataclass(frozen=True, slots=True)
class Copies:
    """How often copies of ``items`` pictures found their original, for each of :data:`CHANGES`.
    Pictures that could not be read are ``skipped``."""

    items: int
    skipped: int
    k: int
    changes: Mapping[str, Recall]

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)


def find_copies(
    fitting_room: FittingRoom,
    count: int,
    *,
    k: int = RESULTS,
    where: Where | None = None,
    holdout: int | None = None,
    options: SimilarityOptions = SimilarityOptions(),  # noqa: B008  (frozen)
    seed: int = 0,
    listener: Listener = ignore,
) -> Copies:
    """Change the pictures of ``count`` items of the gallery, drawn at even distances through the
    catalogue, and see how often each finds its item. Items with the very same picture, byte for
    byte, stand for each other: nothing can tell them apart.

    ``where`` and ``holdout`` narrow the gallery as in
    :func:`fitting_room.evaluation.evaluate.evaluate`. Raises :class:`EvaluationError` when nothing
    can be asked, and ``FilterError``.
    """
    check_results(k)
    gallery = gallery_of(fitting_room.index, where, holdout)
    rows = evenly(np.flatnonzero(gallery), count, seed)
    pictures = _Originals(fitting_room, rows)
    changes = {}
    for name, change in CHANGES.items():
        stage = Stage(f"Finding {name} copies", len(rows), "picture", listener)
        first, among = pictures.recall(change, gallery, k, options, stage)
        if not len(first):
            raise EvaluationError(
                f"{fitting_room.catalogue_location}: none of the catalogue's pictures "
                "could be read, so there is nothing to copy."
            )
        changes[name] = Recall(*figures(np.stack([first, among]).astype(np.float64), seed))
    return Copies(len(rows), len(pictures.skipped), k, changes)


def evenly(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """``count`` of ``rows`` at even distances, from a start that ``seed`` draws; all of them where
    there are no more."""
    if count >= len(rows):
        return rows
    start = np.random.default_rng(seed).random()
    return np.asarray(rows[((start + np.arange(count)) * len(rows) / count).astype(np.int64)])


class _Originals:
    """Items whose pictures are copied; ``skipped`` are those of unreadable pictures."""

    def __init__(self, fitting_room: FittingRoom, rows: np.ndarray) -> None:
        self.fitting_room, self.rows = fitting_room, rows
        self.skipped: set[int] = set()
        table = fitting_room.index.items
        digests = table["digest"] if "digest" in table else table["id"]
        self._digests = digests.to_numpy()

    def recall(
        self,
        change: Callable[[Image.Image], Image.Image],
        gallery: np.ndarray,
        k: int,
        options: SimilarityOptions,
        stage: Stage,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whether each copy finds its original first, and among the first k, bool ``(C,)``."""
        found: list[np.ndarray] = []
        waiting: list[tuple[int, Features]] = []

        def ask() -> None:
            hits = self.fitting_room.index.search(
                [features for _, features in waiting],
                k,
                options=options,
                exclude=None if gallery.all() else ~gallery,
            )
            for (row, _), of_copy in zip(waiting, hits, strict=True):
                same = self._digests[of_copy.rows] == self._digests[row]
                found.append(np.array([same[0], same.any()]))
            waiting.clear()

        for row, outcome in described(self.fitting_room, self._copies(change)):
            if isinstance(outcome, Features):
                waiting.append((row, outcome))
            else:
                self.skipped.add(row)
            if len(waiting) == QUERIES_AT_ONCE:
                ask()
            stage.advance()
        ask()
        first, among = np.array(found, bool).reshape(-1, 2).T
        return first, among

    def _copies(
        self, change: Callable[[Image.Image], Image.Image]
    ) -> Iterator[tuple[int, Image.Image]]:
        for row in self.rows.tolist():
            image = str(self.fitting_room.index.items["image"].iat[row])
            try:
                original = self.fitting_room.open_picture(self.fitting_room.picture(image), image)
            except ImageRejected:
                self.skipped.add(row)
                continue
            yield row, change(original)
