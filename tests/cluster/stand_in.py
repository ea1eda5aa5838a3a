"""What the workers of the tests' cluster load: a network's stand-in, which can be made to wait.

Workers import this by name, so that it lies in a file of its own."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from fitting_room.embedding.embedder import Embedder
from tests.conftest import ColourEngine, colour_embedder


class WaitingEngine(ColourEngine):
    """Notes which process is at work in a folder, and after so many pictures waits until there is
    a file ``go`` in it."""

    def __init__(self, folder: Path, count: int) -> None:
        super().__init__()
        self._folder, self._count = folder, count

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        (self._folder / f"pid-{os.getpid()}").touch()
        answer = super().__call__(pixels)
        while self.seen > self._count and not (self._folder / "go").exists():
            time.sleep(0.02)
        return answer


def waiting_embedder(folder: Path, count: int) -> Embedder:
    embedder = colour_embedder()
    embedder.engine = WaitingEngine(folder, count)
    return embedder
