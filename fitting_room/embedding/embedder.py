"""Pictures -> embeddings, float32 unit vectors ``(N, D)``, and the rest of what is compared.

Reading and decoding run in the same threads as inference, a batch to a thread: while one thread
waits for the disk or unpacks a JPEG, the others compute, and no more batches than threads (and a
few done ones) are in memory however long the stream is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from fitting_room.embedding.backbones import AUTO, Selection, select
from fitting_room.embedding.engine import Engine, make_engine
from fitting_room.imaging import descriptors
from fitting_room.imaging.decode import DEFAULT_LIMITS, ImageLimits, ImageRejected, open_image
from fitting_room.imaging.features import Features, normalise
from fitting_room.imaging.preprocess import prepare_all, views_of
from fitting_room.util.progress import Listener, ignore

T = TypeVar("T")


#: Batches of the engine that a thread reads and describes at once: what is done to a picture
#: before the network sees it is done to several in little more time.
PREPARED_TOGETHER = 2

#: What became of one source of a stream: its features, the reason it has none, or ``None`` where
#: the loader had nothing to look at.
Outcome = Features | ImageRejected | None


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
        """Choose a network (see :func:`fitting_room.embedding.backbones.select`) and start it."""
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
        (:func:`fitting_room.imaging.decode.open_image`). Raises :class:`ImageRejected`."""
        side = self.selection.backbone.working_side
        return open_image(picture, name=name, limits=limits, side=side)

    def embed(self, images: Sequence[Image.Image], *, fast: bool = False) -> np.ndarray:
        """Embeddings of upright RGB pictures, float32 ``(len(images), D)``, rows of length 1.
        ``fast`` is that of :func:`fitting_room.imaging.resize.resized`."""
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
        cuts (:func:`views_of`). ``fast`` is that of :func:`fitting_room.imaging.resize.resized`."""
        looks = descriptors.describe_all(images, fast=fast)
        parts = [
            views_of(image) if views and not look[descriptors.PLAIN_BACKGROUND] else [image]
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
        is that of :func:`fitting_room.imaging.resize.resized`.

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
