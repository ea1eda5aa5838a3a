"""Pictures -> embeddings: float32 unit vectors ``(N, D)``.

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

from fitting_room.backbones import AUTO, Selection, select
from fitting_room.engines import Engine, make_engine
from fitting_room.images import ImageRejected
from fitting_room.progress import Listener, ignore

T = TypeVar("T")

#: What became of one source of a stream: its embedding, the reason it has none, or ``None`` where
#: the loader had nothing to embed.
Outcome = np.ndarray | ImageRejected | None


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
        engine: str = "auto",
        precision: str = "f32",
        cache: Path | None = None,
        timeout: float = 5.0,
        listener: Listener = ignore,
    ) -> Embedder:
        """Choose a network (see :func:`fitting_room.backbones.select`) and start it."""
        selection = select(backbone, weights, timeout=timeout, listener=listener)
        return cls(selection, make_engine(selection, kind=engine, precision=precision, cache=cache))

    @property
    def dimension(self) -> int:
        return self.selection.backbone.dimension

    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Embeddings of upright RGB pictures, float32 ``(len(images), D)``, rows of length 1."""
        if not images:
            return np.empty((0, self.dimension), np.float32)
        size = self.selection.backbone.input_size
        rows = []
        for batch in _batches(images, self.engine.batch_size):
            rows.append(self.engine(np.stack([prepare(image, size) for image in batch])))
        return normalise(np.concatenate(rows))

    def stream(
        self, sources: Iterable[T], load: Callable[[T], Image.Image | None]
    ) -> Iterator[tuple[T, Outcome]]:
        """Load and embed any number of sources, in their order, with bounded memory.

        ``load`` runs in a worker thread. It may raise :class:`ImageRejected`, which becomes the
        source's outcome, or answer ``None`` when there is nothing to embed.
        """
        workers = self.engine.streams + 1  # one reads while the others compute
        waiting: deque[Future[list[tuple[T, Outcome]]]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="embed")
        try:
            for batch in _batches(sources, self.engine.batch_size):
                waiting.append(pool.submit(self._embed_batch, batch, load))
                if len(waiting) > 2 * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            # Left early (Ctrl-C, an error, a reader that stopped): what has not begun never will.
            pool.shutdown(wait=True, cancel_futures=True)

    def _embed_batch(
        self, batch: Sequence[T], load: Callable[[T], Image.Image | None]
    ) -> list[tuple[T, Outcome]]:
        size = self.selection.backbone.input_size
        outcomes: list[Outcome] = []
        pixels: list[np.ndarray] = []
        places: list[int] = []
        for source in batch:
            try:
                image = load(source)
            except ImageRejected as rejected:
                outcomes.append(rejected)
                continue
            if image is not None:
                places.append(len(outcomes))
                pixels.append(prepare(image, size))
            outcomes.append(None)
        if pixels:
            for place, vector in zip(places, normalise(self.engine(np.stack(pixels))), strict=True):
                outcomes[place] = vector
        return list(zip(batch, outcomes, strict=True))


def _batches(values: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    iterator = iter(values)
    while batch := tuple(islice(iterator, size)):
        yield batch


def prepare(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """An RGB picture as the network's input: uint8 ``(H, W, 3)`` of ``size`` (height, width).

    The whole picture is kept in its own proportions and laid on white, the ground of product
    photographs: nothing is cut off and nothing is stretched.
    """
    height, width = size
    scale = min(width / image.width, height / image.height)
    # At least one pixel: a strip of cloth is thin, not gone.
    fitted = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    resized = image.resize(fitted, Image.Resampling.BICUBIC)
    if fitted == (width, height):
        return np.asarray(resized)
    ground = Image.new("RGB", (width, height), "white")
    ground.paste(resized, ((width - fitted[0]) // 2, (height - fitted[1]) // 2))
    return np.asarray(ground)


def normalise(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32. A row of zeros stays zero: similar to nothing."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
