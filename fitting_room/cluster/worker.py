"""The part of a build that runs on each machine of a cluster: pictures are read where they lie, and
embedded by the same network."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fitting_room import __version__
from fitting_room.catalogue.stores import ImageStore, StoreError, open_store
from fitting_room.cluster.connection import ClusterError
from fitting_room.cluster.results import Result, as_columns, broken
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.engine import EngineError
from fitting_room.embedding.weights import BackboneError
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.added import picture_digest
from fitting_room.index.manifest import IndexUnusable
from fitting_room.util.threads import limit_cores

if TYPE_CHECKING:
    import pyarrow as pa

#: What keeps a machine from working, and is told to whoever started the build.
HINDRANCES = (BackboneError, ClusterError, EngineError, IndexUnusable, OSError, StoreError)


@dataclass(frozen=True, slots=True)
class PictureTask:
    """What a worker is told: ``load`` makes its embedder, the pictures lie in the catalogue at
    ``location``, it computes on so many ``threads``, and what it unpacks goes to ``cache``.
    ``known`` refers to the digests of pictures that need no embedding, ``S32`` in ascending order;
    ``environment`` is set before anything else. The ``version`` is that of the program."""

    load: Callable[[], Embedder] = field(repr=False)
    location: str
    limits: ImageLimits
    threads: int
    cache: Path
    known: Any = None
    environment: Mapping[str, str] = field(default_factory=dict)
    version: str = __version__


class PictureWorker:
    """Reads and embeds pictures; one lives in a process of its own for as long as a build takes.
    Called with a table of the columns ``row`` and ``image``."""

    def __init__(self, task: PictureTask) -> None:
        self.task = task
        self.embedder: Embedder | None = None

    def __call__(self, table: pa.Table) -> Iterator[dict[str, np.ndarray]]:
        # An error here is an answer: Ray would begin again and again with a worker that cannot.
        try:
            embedder = self.embedder = self.embedder or self._start()
        except HINDRANCES as error:
            yield broken(f"{socket.gethostname()}: {error}")
            return
        try:
            yield from self.answers(embedder, table)
        except HINDRANCES as error:
            yield broken(f"{socket.gethostname()}: {error}")

    def answers(self, embedder: Embedder, table: pa.Table) -> Iterator[dict[str, np.ndarray]]:
        """What is answered of some pictures."""
        of_head = embedder.of_head
        dimensions = embedder.dimension, 0 if of_head is None else of_head.dimension
        # One answer for all: what Ray puts together must be of one form.
        yield as_columns(list(self.results(embedder, table)), dimensions)

    def _start(self) -> Embedder:
        task = self.task
        if task.version != __version__:
            raise ClusterError(
                f"Fitting Room {__version__} is installed here, and {task.version} where the build "
                "was started. Install the same one on every machine."
            )
        os.environ.update(task.environment)
        limit_cores(task.threads)
        self.store: ImageStore = open_store(task.location, allow=True, cache=task.cache)
        self.known = np.empty(0, "S32")
        if task.known is not None:
            import ray

            self.known = ray.get(task.known)
        return task.load()

    def results(self, embedder: Embedder, table: pa.Table) -> Iterator[Result]:
        """What becomes of each of some pictures."""
        rows, images = table["row"].to_pylist(), table["image"].to_pylist()
        digests = [""] * len(rows)

        def load(place: int) -> Image.Image | None:
            data = self.store.read(images[place], self.task.limits.max_bytes)
            digests[place] = picture_digest(data)
            if self._is_known(digests[place]):
                return None
            return embedder.open(data, name=images[place], limits=self.task.limits)

        for place, outcome in embedder.stream(range(len(rows)), load):
            yield rows[place], digests[place], outcome

    def _is_known(self, digest: str) -> bool:
        wanted = np.array(digest, "S32")
        place = int(np.searchsorted(self.known, wanted))
        return place < len(self.known) and bool(self.known[place] == wanted)
