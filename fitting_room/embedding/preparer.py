"""What runs in a process of its own: opens and prepares pictures ahead of an accelerator.

Started by :mod:`fitting_room.embedding.preparing`. Requests come on stdin, answers go to stdout, by
:mod:`fitting_room.imaging.worker_messages`. First a message with the sizes of the networks' inputs,
then files, and after each batch of them an empty message, which is answered with what became of
each: in the body their descriptors, one after the other, and then for each network its pixels.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import numpy as np
from PIL import Image

from fitting_room.embedding.backbone import Backbone, Selection
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.weights import WeightsFile
from fitting_room.imaging.decode import ImageLimits, ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.imaging.worker_messages import Description, read, write
from fitting_room.util.threads import limit_blas_threads, limit_cores

#: Pictures that are described at once, and are in memory decoded.
TOGETHER = 16


def main() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, which ends this
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder has to say is no answer
    limit_cores(1)
    limit_blas_threads()
    hello = read(sys.stdin.buffer)
    if hello is None:
        return
    sizes = [(int(height), int(width)) for height, width in hello[0]["sizes"]]
    batch = Batch(sizes, views=bool(hello[0]["views"]))
    write(answers, {"ready": True}, b"")
    while (request := read(sys.stdin.buffer)) is not None:
        described, data = request
        if described:
            batch.add(described, data)
        else:
            write(answers, *batch.answer())


class Batch:
    """Files between two answers."""

    def __init__(self, sizes: list[tuple[int, int]], *, views: bool) -> None:
        of_head = None if len(sizes) == 1 else stand_in(sizes[1])
        self.embedder, self.views = stand_in(sizes[0], of_head), views
        self.networks = [self.embedder] if of_head is None else [self.embedder, of_head]
        self.outcomes: list[Features | str] = []
        self.images: dict[int, Image.Image] = {}

    def add(self, described: Description, data: bytes) -> None:
        """Open a file, and describe what was opened so far where that is enough."""
        place, limits = len(self.outcomes), ImageLimits(*described["limits"])
        try:
            self.images[place] = self.embedder.open(data, limits=limits)
        except ImageRejected as rejected:
            self.outcomes.append(rejected.reason)
            return
        self.outcomes.append("")  # until it is described
        if len(self.images) == TOGETHER:
            self._describe()

    def _describe(self) -> None:
        described = self.embedder.describe(list(self.images.values()), views=self.views)
        for place, features in zip(self.images, described, strict=True):
            self.outcomes[place] = features
        self.images.clear()

    def answer(self) -> tuple[Description, bytes]:
        """What became of the files, and a batch without any."""
        if self.images:
            self._describe()
        pictures: list[dict[str, Any]] = []
        parts: list[np.ndarray] = []
        for outcome in self.outcomes:
            if isinstance(outcome, str):
                pictures.append({"reason": outcome})
            else:
                pictures.append({"cuts": len(outcome.embeddings), "note": outcome.note})
                parts.append(outcome.descriptors)
        for network in self.networks:
            parts += network.engine.kept  # type: ignore[attr-defined]
            network.engine.kept = []  # type: ignore[attr-defined]
        self.outcomes.clear()
        return {"pictures": pictures}, b"".join(part.tobytes() for part in parts)


class Keeping:
    """An engine that computes nothing and keeps the pixels that it is given, in their order."""

    name, batch_size, streams = "none", TOGETHER, 1

    def __init__(self) -> None:
        self.kept: list[np.ndarray] = []

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        self.kept.append(pixels)
        return np.zeros((len(pixels), 1), np.float32)

    def feature_maps(self, pixels: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        """See :class:`fitting_room.embedding.engine.Engine`."""
        return None


def stand_in(size: tuple[int, int], of_head: Embedder | None = None) -> Embedder:
    """An embedder for a network's input of this size, without the network."""
    backbone = Backbone("none", "None", 1, size, (0.0,) * 3, (1.0,) * 3, ())
    return Embedder(Selection(backbone, WeightsFile("", ""), ""), Keeping(), of_head)
