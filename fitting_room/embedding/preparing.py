"""Pictures that are opened and prepared in processes of their own, ahead of an accelerator.

A card embeds thousands of pictures a second. Opening them, describing colours and silhouettes and
fitting them into the network's input takes a core a millisecond or two for each, much of it with
Python's lock, so that threads do not keep up however many cores there are. Each process computes
with :meth:`Embedder.describe` itself, on an engine that keeps what it is given
(:mod:`fitting_room.embedding.preparer`): a picture that comes this way and one that is a query have
the same descriptors and the same pixels, bit by bit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import Image

from fitting_room.imaging.decode import ImageLimits, ImageRejected
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH
from fitting_room.imaging.features import Features, normalise
from fitting_room.imaging.worker_messages import Description, end, read, write

if TYPE_CHECKING:
    from fitting_room.embedding.embedder import Embedder

T = TypeVar("T")

_PACKAGE = Path(__file__).resolve().parent.parent
#: The package without what its ``__init__`` imports: half of the time that a start takes.
_START = (
    "import sys, types; package = types.ModuleType('fitting_room'); "
    "package.__path__ = [sys.argv[1]]; sys.modules['fitting_room'] = package; "
    "from fitting_room.embedding.preparer import main; main()"
)
_CAME_DOWN = "The picture is damaged or incomplete. Export or download it again."


@dataclass(frozen=True, slots=True)
class Unopened:
    """A picture's file, read and not yet decoded, with what
    :func:`fitting_room.imaging.decode.open_image` is told of it."""

    data: bytes = field(repr=False)
    name: str | None
    limits: ImageLimits


#: What a loader gives a stream: a picture, its file, or ``None`` where nothing is to be described.
Loaded = Image.Image | Unopened | None


class PreparerEnded(Exception):  # noqa: N818  (an outcome)
    """The process came down: by a file that its decoder does not survive, or from outside."""


class Preparer:
    """One process. Used by one thread at a time. Raises :class:`OSError` where it does not start.
    Everything that it is asked may raise :class:`PreparerEnded`."""

    def __init__(self, hello: Description) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(  # noqa: S603  (this very Python)
            [sys.executable, "-c", _START, str(_PACKAGE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        try:
            self._send(hello, b"")
            self._receive()
        except PreparerEnded as ended:
            self.end()
            raise OSError("A process that prepares pictures does not start.") from ended

    def take(self, picture: Unopened) -> None:
        """Give it a file. It opens it while the next one is read."""
        limits = picture.limits
        told = [limits.max_bytes, limits.max_pixels, limits.min_side]  # asdict takes 10 us
        self._send({"limits": told}, picture.data)

    def answer(self) -> tuple[Description, bytes]:
        """What became of the files since the last answer."""
        self._send({}, b"")
        return self._receive()

    def _send(self, described: Description, body: bytes) -> None:
        try:
            write(self.process.stdin, described, body)  # type: ignore[arg-type]
        except (OSError, ValueError) as error:
            raise PreparerEnded from error

    def _receive(self) -> tuple[Description, bytes]:
        message = read(self.process.stdout)  # type: ignore[arg-type]
        if message is None:
            raise PreparerEnded
        return message

    def end(self) -> None:
        """End the process and wait for it."""
        end(self.process)


class Preparers:
    """As many processes as threads ask at the same time. They start when they are needed and end
    with :meth:`close`."""

    def __init__(self, embedder: Embedder, *, views: bool) -> None:
        self._networks = [n for n in (embedder, embedder.of_head) if n is not None]
        sizes = [network.selection.backbone.input_size for network in self._networks]
        self._hello: Description = {"sizes": sizes, "views": views}
        self._describe = embedder.describe
        self._views = views
        self._idle: list[Preparer] = []
        self._lock = threading.Lock()

    def outcomes(
        self, batch: Sequence[T], load: Callable[[T], Loaded]
    ) -> list[Features | ImageRejected | None]:
        """What becomes of a batch, as in :meth:`Embedder.stream`. Where a process comes down, its
        batch is loaded once more and each picture is prepared alone, and the one that brings a
        process down is rejected."""
        outcomes: list[Features | ImageRejected | None] = [None] * len(batch)
        asked: dict[int, str | None] = {}
        opened: dict[int, Image.Image] = {}
        preparer: Preparer | None = None
        described, body = dict[str, Any](pictures=[]), b""
        try:
            for place, source in enumerate(batch):
                try:
                    loaded = load(source)
                except ImageRejected as rejected:
                    outcomes[place] = rejected
                    continue
                if isinstance(loaded, Unopened):
                    preparer = preparer or self._taken()
                    asked[place] = loaded.name
                    preparer.take(loaded)
                elif loaded is not None:
                    opened[place] = loaded
            if preparer is not None:
                described, body = preparer.answer()
        except BaseException as error:
            if preparer is not None:  # it waits for the rest of a batch, or came down
                preparer.end()
            if not isinstance(error, PreparerEnded):
                raise
            if len(batch) == 1:
                return [ImageRejected(_CAME_DOWN, name=asked.get(0))]
            return [self.outcomes([source], load)[0] for source in batch]
        if preparer is not None:
            with self._lock:
                self._idle.append(preparer)
        received = self._received(described, body)
        for (place, name), of_one in zip(asked.items(), received, strict=True):
            outcomes[place] = (
                ImageRejected(of_one, name=name) if isinstance(of_one, str) else of_one
            )
        here = self._describe(list(opened.values()), views=self._views) if opened else []
        for place, features in zip(opened, here, strict=True):
            outcomes[place] = features
        return outcomes

    def _received(self, described: Description, body: bytes) -> list[Features | str]:
        """The features that an answer holds the pixels of, or why a picture is rejected."""
        answers = described["pictures"]
        cuts = [answer["cuts"] for answer in answers if "cuts" in answer]
        values = np.frombuffer(body, np.uint8)
        count = len(cuts) * DESCRIPTOR_LENGTH
        rows = values[:count].reshape(-1, DESCRIPTOR_LENGTH)
        of_networks = []
        for network in self._networks:
            shape = (sum(cuts), *network.selection.backbone.input_size, 3)
            size = int(np.prod(shape))
            pixels = values[count : count + size].reshape(shape)
            of_networks.append(np.split(_embedded(network, pixels), np.cumsum(cuts)[:-1]))
            count += size
        result: list[Features | str] = []
        described_rows = zip(rows, *of_networks, strict=True) if cuts else iter(())
        for answer in answers:
            if "reason" in answer:
                result.append(answer["reason"])
            else:
                row, embeddings, *of_head = next(described_rows)
                of_other = of_head[0] if of_head else None
                result.append(Features(embeddings, row.copy(), of_other, answer["note"]))
        return result

    def _taken(self) -> Preparer:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Preparer(self._hello)

    def close(self) -> None:
        """End those that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for preparer in idle:
            preparer.end()


def _embedded(network: Embedder, pixels: np.ndarray) -> np.ndarray:
    engine = network.engine
    starts = range(0, len(pixels), engine.batch_size)
    rows = [engine(pixels[start : start + engine.batch_size]) for start in starts]
    return normalise(np.concatenate([np.empty((0, network.dimension), np.float32), *rows]))
