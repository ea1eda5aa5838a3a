"""Pictures -> embeddings, float32 unit vectors ``(N, D)``, and the rest of what is compared.

Reading and decoding run in the same threads as inference, a batch to a thread: while one thread
waits for the disk or unpacks a JPEG, the others compute, and no more batches than threads (and a
few done ones) are in memory however long the stream is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from fitting_room import appearance
from fitting_room.backbones import AUTO, SMALLEST_CUT, Selection, select
from fitting_room.engines import Engine, make_engine
from fitting_room.images import DEFAULT_LIMITS, ImageLimits, ImageRejected, open_image
from fitting_room.progress import Listener, ignore
from fitting_room.resizing import fit, resized_all

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What is compared of one picture: ``embeddings`` float32 ``(V, D)``, a unit row for each view
    of it (one, but for a photograph that is asked about), and ``appearance`` uint8
    ``(APPEARANCE,)`` of :func:`fitting_room.appearance.describe`."""

    embeddings: np.ndarray
    appearance: np.ndarray

    @property
    def studio(self) -> bool:
        """Whether the picture has a plain ground rather than surroundings."""
        return bool(self.appearance[appearance.STUDIO])


#: Batches of the engine that a thread reads and describes at once: what is done to a picture
#: before the network sees it is done to several in little more time.
PREPARED_TOGETHER = 2

#: What became of one source of a stream: its features, the reason it has none, or ``None`` where
#: the loader had nothing to look at.
Outcome = Features | ImageRejected | None

#: Cuts of a photograph: the share of its width and height around the middle, whether that is cut to
#: the 3:4 of product photographs, and whether it is mirrored.
Cuts = tuple[tuple[float, bool, bool], ...]
#: Those that a photograph that is asked about is looked at in. Two do as well as the four that they
#: were chosen from, in half the time: docs/relevance.md.
VIEWS: Cuts = ((1.0, True, False), (SMALLEST_CUT, False, True))


class Embedder:
    """A network on an engine. Safe to share between threads."""

    def __init__(self, selection: Selection, engine: Engine) -> None:
        self.selection = selection
        self.engine = engine

    @classmethod
    def load(
        cls,
        backbone: str = AUTO,
        weights: str | None = None,
        *,
        input_size: tuple[int, int] | None = None,
        engine: str = "auto",
        precision: str = "auto",
        cache: Path | None = None,
        timeout: float = 5.0,
        listener: Listener = ignore,
    ) -> Embedder:
        """Choose a network (see :func:`fitting_room.backbones.select`) and start it."""
        selection = select(
            backbone, weights, input_size=input_size, timeout=timeout, listener=listener
        )
        return cls(selection, make_engine(selection, kind=engine, precision=precision, cache=cache))

    @property
    def dimension(self) -> int:
        return self.selection.backbone.dimension

    def open(
        self,
        picture: bytes | Path | str | Image.Image,
        *,
        name: str | None = None,
        limits: ImageLimits = DEFAULT_LIMITS,
    ) -> Image.Image:
        """A picture as it is to be looked at, upright, RGB and no larger than this network needs
        (:func:`fitting_room.images.open_image`). Raises :class:`ImageRejected`."""
        side = self.selection.backbone.working_side
        return open_image(picture, name=name, limits=limits, side=side)

    def embed(self, images: Sequence[Image.Image], *, fast: bool = False) -> np.ndarray:
        """Embeddings of upright RGB pictures, float32 ``(len(images), D)``, rows of length 1.
        ``fast`` is that of :func:`fitting_room.resizing.resized`."""
        if not images:
            return np.empty((0, self.dimension), np.float32)
        size = self.selection.backbone.input_size
        rows = []
        for batch in _batches(images, self.engine.batch_size):
            rows.append(self.engine(prepare_all(batch, size, fast=fast)))
        return normalise(np.concatenate(rows))

    def feature_maps(self, images: Sequence[Image.Image]) -> np.ndarray:
        """The network's last feature maps of upright RGB pictures, float32 ``(N, h, w, D)``. Their
        mean over the ``h x w`` places, scaled to length 1, is the embedding."""
        size = self.selection.backbone.input_size
        return self.engine.feature_maps(prepare_all(images, size))

    def describe(
        self, images: Sequence[Image.Image], *, views: bool = False, fast: bool = False
    ) -> list[Features]:
        """Features of upright RGB pictures. With ``views``, photographs are looked at in several
        cuts (:func:`views_of`). ``fast`` is that of :func:`fitting_room.resizing.resized`."""
        looks = appearance.describe_all(images, fast=fast)
        parts = [
            views_of(image) if views and not look[appearance.STUDIO] else [image]
            for image, look in zip(images, looks, strict=True)
        ]
        embeddings = self.embed([view for part in parts for view in part], fast=fast)
        ends = np.cumsum([len(part) for part in parts])
        return [
            Features(embeddings[end - len(part) : end], look)
            for end, part, look in zip(ends, parts, looks, strict=True)
        ]

    def stream(
        self,
        sources: Iterable[T],
        load: Callable[[T], Image.Image | None],
        *,
        views: bool = False,
        fast: bool = False,
    ) -> Iterator[tuple[T, Outcome]]:
        """Load and describe any number of sources, in their order, with bounded memory. ``fast``
        is that of :func:`fitting_room.resizing.resized`.

        ``load`` runs in a worker thread. It may raise :class:`ImageRejected`, which becomes the
        source's outcome, or answer ``None`` when there is nothing to look at.
        """
        workers = self.engine.streams + 1  # one reads while the others compute
        waiting: deque[Future[list[tuple[T, Outcome]]]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="embed")
        try:
            for batch in _batches(sources, PREPARED_TOGETHER * self.engine.batch_size):
                waiting.append(pool.submit(self._describe_batch, batch, load, views, fast))
                if len(waiting) > 2 * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            # Left early (Ctrl-C, an error, a reader that stopped): what has not begun never will.
            pool.shutdown(wait=True, cancel_futures=True)

    def _describe_batch(
        self, batch: Sequence[T], load: Callable[[T], Image.Image | None], views: bool, fast: bool
    ) -> list[tuple[T, Outcome]]:
        outcomes: list[Outcome] = []
        images: list[Image.Image] = []
        places: list[int] = []
        for source in batch:
            try:
                image = load(source)
            except ImageRejected as rejected:
                outcomes.append(rejected)
                continue
            if image is not None:
                places.append(len(outcomes))
                images.append(image)
            outcomes.append(None)
        for place, features in zip(
            places, self.describe(images, views=views, fast=fast), strict=True
        ):
            outcomes[place] = features
        return list(zip(batch, outcomes, strict=True))


def _batches(values: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    iterator = iter(values)
    while batch := tuple(islice(iterator, size)):
        yield batch


def views_of(image: Image.Image, cuts: Cuts = VIEWS) -> list[Image.Image]:
    """A photograph in several cuts."""
    return [_view(image, *cut) for cut in cuts]


def _view(image: Image.Image, share: float, upright: bool, mirrored: bool) -> Image.Image:
    width, height = image.width * share, image.height * share
    if upright:
        width, height = min(width, height * 3 / 4), min(height, width * 4 / 3)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = tuple(round(edge) for edge in (left, top, left + width, top + height))
    view = image.crop((box[0], box[1], max(box[2], box[0] + 1), max(box[3], box[1] + 1)))
    return ImageOps.mirror(view) if mirrored else view


def prepare(image: Image.Image, size: tuple[int, int], *, fast: bool = False) -> np.ndarray:
    """An RGB picture as the network's input: uint8 ``(H, W, 3)`` of ``size`` (height, width).

    The whole picture is kept in its own proportions and laid on white, the ground of product
    photographs: nothing is cut off and nothing is stretched. ``fast`` is that of
    :func:`fitting_room.resizing.resized`.
    """
    return np.asarray(prepare_all([image], size, fast=fast)[0])


def prepare_all(
    images: Sequence[Image.Image], size: tuple[int, int], *, fast: bool = False
) -> np.ndarray:
    """:func:`prepare` for several pictures, uint8 ``(len(images), H, W, 3)``."""
    result = np.empty((len(images), *size, 3), np.uint8)
    fitted = [fit(image.size, size) for image in images]
    for places, pixels in resized_all(images, fitted, fast=fast):
        left, top, right, bottom = place_of(images[places[0]], size)
        if pixels.shape[1:3] != size:
            result[places] = 255
        result[places, top:bottom, left:right] = pixels
    return result


def place_of(image: Image.Image, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where :func:`prepare` puts a picture: left, top, right and bottom within the network's input
    of ``size`` (height, width)."""
    height, width = size
    fitted = fit(image.size, size)
    left, top = (width - fitted[0]) // 2, (height - fitted[1]) // 2
    return left, top, left + fitted[0], top + fitted[1]


def normalise(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32. A row of zeros stays zero: similar to nothing."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
