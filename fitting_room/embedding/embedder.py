"""Pictures -> features: embeddings, float32 unit vectors ``(N, D)``, and descriptors.

Reading and decoding run in the same threads as inference, a batch to a thread: while one thread
waits for the disk or unpacks a JPEG, the others compute, and no more batches than threads (and a
few done ones) are in memory however long the stream is. Ahead of a CUDA device, which computes
faster than threads open pictures, that is done in processes
(:mod:`fitting_room.embedding.preparing`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from fitting_room.embedding.backbone import Selection
from fitting_room.embedding.backbones import AUTO, select
from fitting_room.embedding.cuda_engine import CudaEngine
from fitting_room.embedding.engine import Engine, EngineError, make_engine
from fitting_room.embedding.preparing import Loaded, Preparers, Unopened
from fitting_room.embedding.words import TextEncoder
from fitting_room.imaging import descriptors
from fitting_room.imaging.decode import (
    DEFAULT_LIMITS,
    WORKING_SIDE,
    ImageLimits,
    ImageRejected,
    note_of,
    open_image,
)
from fitting_room.imaging.features import Features, normalise
from fitting_room.imaging.gate import Gate
from fitting_room.imaging.preprocess import prepare, views_of
from fitting_room.imaging.trimming import trimmed
from fitting_room.util.progress import Listener, ignore

T = TypeVar("T")

#: Batches of the engine that a thread reads and describes at once, and pictures at least where no
#: process does it ahead of a card: to describe several takes little longer than one.
PREPARED_TOGETHER, DESCRIBED_TOGETHER = 2, 16

#: What became of one source of a stream: its features, the reason it has none, or ``None`` where
#: the loader had nothing to describe.
Outcome = Features | ImageRejected | None


class Embedder:
    """A network on an engine, beside it ``of_head``, the one that a head brings if that is another.
    Safe to share between threads."""

    def __init__(
        self, selection: Selection, engine: Engine, of_head: Embedder | None = None
    ) -> None:
        self.selection = selection
        self.engine = engine
        self.of_head = of_head
        self._words: TextEncoder | None = None
        self._lock = threading.Lock()

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

    @property
    def head_network(self) -> dict[str, Any] | None:
        """The identity of the network that a head brings, if it is another."""
        return None if self.of_head is None else self.of_head.selection.identity

    def open(
        self,
        picture: bytes | Path | str | Image.Image,
        *,
        name: str | None = None,
        limits: ImageLimits = DEFAULT_LIMITS,
        to_show: bool = False,
        gate: Gate | None = None,
    ) -> Image.Image:
        """A picture upright, in RGB and no larger than this network needs
        (:func:`fitting_room.imaging.decode.open_image`), or ``to_show`` large enough for people.
        What was opened to be shown has the features of its file. Decoding waits for its turn at a
        ``gate``. Raises :class:`ImageRejected`."""
        networks = (self,) if self.of_head is None else (self, self.of_head)
        side = max(network.selection.backbone.working_side for network in networks)
        if to_show:
            side = max(side, WORKING_SIDE)
        return open_image(picture, name=name, limits=limits, side=side, gate=gate)

    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Embeddings of upright RGB pictures without their frames, float32 ``(len(images), D)``,
        rows of length 1."""
        return self._embed([trimmed(image) for image in images])

    def _embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        batches = _batches(images, self.engine.batch_size)
        rows = [self.engine(self._prepared(batch)) for batch in batches]
        return normalise(np.concatenate([np.empty((0, self.dimension), np.float32), *rows]))

    @property
    def reads_words(self) -> bool:
        """Whether the network embeds words too (:meth:`embed_texts`)."""
        return self.selection.backbone.reads_words

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of texts in the same space as pictures, float32 ``(len(texts), D)``, rows of
        length 1. The first call reads the weights of the network's words. Raises
        :class:`fitting_room.embedding.words.WordsNotUnderstood` for a network without words and
        for texts that are too many or too long, and ``BackboneError`` where open_clip or the
        weights are not on this machine."""
        with self._lock:
            if self._words is None:
                self._words = TextEncoder(self.selection)
        return self._words(texts)

    def feature_maps(self, images: Sequence[Image.Image]) -> np.ndarray:
        """The network's last feature maps of upright RGB pictures without their frames
        (:func:`fitting_room.imaging.trimming.content_box`), float32 ``(N, h, w, D)``. Their mean
        over the ``h x w`` places, scaled to length 1, is the embedding. Raises
        :class:`EngineError` for a network that does not end in such a mean."""
        maps = self.engine.feature_maps(self._prepared([trimmed(image) for image in images]))
        if maps is None:
            raise EngineError(
                "The network does not end in a mean over places, so it has no feature maps to show."
            )
        return maps

    def describe(self, images: Sequence[Image.Image], *, views: bool = False) -> list[Features]:
        """Features of upright RGB pictures, without their frames and bars
        (:func:`fitting_room.imaging.trimming.trimmed`). With ``views``, photographs are embedded
        in several cuts (:func:`fitting_room.imaging.preprocess.views_of`)."""
        notes = [note_of(image) for image in images]
        images = [trimmed(image) for image in images]
        rows = descriptors.describe(images)
        cuts = [
            views_of(image) if views and not row[descriptors.PLAIN_BACKGROUND] else [image]
            for image, row in zip(images, rows, strict=True)
        ]
        every_cut = [cut for of_image in cuts for cut in of_image]
        embeddings = self._embed(every_cut)
        of_head = None if self.of_head is None else self.of_head._embed(every_cut)
        ends = np.cumsum([len(of_image) for of_image in cuts])
        places = [slice(end - len(of_image), end) for end, of_image in zip(ends, cuts, strict=True)]
        return [
            Features(embeddings[place], row, None if of_head is None else of_head[place], note)
            for place, row, note in zip(places, rows, notes, strict=True)
        ]

    def stream(
        self, sources: Iterable[T], load: Callable[[T], Loaded], *, views: bool = False
    ) -> Iterator[tuple[T, Outcome]]:
        """Load and describe any number of sources, in their order, with bounded memory.

        ``load`` runs in a worker thread, and may run once more for a source whose file brought a
        process down. It gives a picture (:meth:`open`), or its file for the stream to open where
        that is quickest. It may raise :class:`ImageRejected`, which becomes the source's outcome,
        or answer ``None`` when there is nothing to describe.
        """
        workers = self.engine.streams + 1  # one reads while the others compute
        together = max(PREPARED_TOGETHER * self.engine.batch_size, DESCRIBED_TOGETHER)
        preparers = None
        if isinstance(self.engine, CudaEngine):
            workers = max(workers, self.engine.preparers)
            together = PREPARED_TOGETHER * self.engine.batch_size
            preparers = Preparers(self, views=views)
        waiting: deque[Future[list[tuple[T, Outcome]]]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="embed")
        try:
            for batch in _batches(sources, together):
                is_full = len(batch) == together
                ahead = preparers if is_full else None  # for a few, no process is started
                waiting.append(pool.submit(self._describe_batch, batch, load, views, ahead))
                if len(waiting) > 2 * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            # Left early (Ctrl-C, an error, a reader that stopped): what has not begun never will.
            pool.shutdown(wait=True, cancel_futures=True)
            if preparers is not None:
                preparers.close()

    def _describe_batch(
        self,
        batch: Sequence[T],
        load: Callable[[T], Loaded],
        views: bool,
        preparers: Preparers | None,
    ) -> list[tuple[T, Outcome]]:
        if preparers is not None:
            return list(zip(batch, preparers.outcomes(batch, load), strict=True))
        outcomes: list[Outcome] = [None] * len(batch)
        images: dict[int, Image.Image] = {}
        for place, source in enumerate(batch):
            try:
                image = load(source)
                if isinstance(image, Unopened):
                    image = self.open(image.data, name=image.name, limits=image.limits)
            except ImageRejected as rejected:
                outcomes[place] = rejected
                continue
            if image is not None:
                images[place] = image
        described = self.describe(list(images.values()), views=views)
        for place, features in zip(images, described, strict=True):
            outcomes[place] = features
        return list(zip(batch, outcomes, strict=True))

    def _prepared(self, images: Sequence[Image.Image]) -> np.ndarray:
        size = self.selection.backbone.input_size
        return np.stack([prepare(image, size) for image in images])


def _batches(values: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    iterator = iter(values)
    while batch := tuple(islice(iterator, size)):
        yield batch
