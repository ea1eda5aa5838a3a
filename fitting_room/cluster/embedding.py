"""A local index built on many processors or machines: they read and embed the pictures, and the
build that asked for it does everything else as ever."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from fitting_room.catalogue.catalogue import Catalogue
from fitting_room.cluster.connection import ClusterError
from fitting_room.cluster.networks import send
from fitting_room.cluster.results import Result, results_of
from fitting_room.cluster.stream import cores_of_machines, once, stream, threads_for
from fitting_room.cluster.worker import PictureTask, PictureWorker
from fitting_room.embedding.embedder import Embedder
from fitting_room.settings import PREFIX, Settings

#: What of this process's environment holds for the workers too: that nothing is downloaded.
OFFLINE = ("HF_HUB_OFFLINE",)


@dataclass(frozen=True, slots=True)
class PicturesElsewhere:
    """A :class:`fitting_room.build.elsewhere.PictureEmbedder` on the Ray that this process is
    connected to. The embeddings have ``dimension`` numbers."""

    catalogue: Catalogue
    task: PictureTask
    dimension: int
    gpus: int = 0

    def __call__(self, rows: np.ndarray, known: np.ndarray) -> Iterator[Result]:
        if len(rows) == 0:
            return
        import pyarrow as pa
        import ray

        images = self.catalogue.items["image"].iloc[rows]
        table = pa.table({"row": pa.array(rows), "image": pa.array(images, pa.string())})
        task = replace(self.task, known=ray.put(known))
        came = np.zeros(len(self.catalogue), bool)
        for columns in stream(PictureWorker, task, table, gpus=self.gpus):
            yield from results_of(once(columns, came), self.dimension)
        require_all(rows, came)


def on_cluster(catalogue: Catalogue, embedder: Embedder, settings: Settings) -> PicturesElsewhere:
    """The pictures of a catalogue, embedded by the Ray that this process is connected to
    (:func:`fitting_room.cluster.connection.connected`), with the networks of ``embedder``."""
    task = task_for(catalogue, send(embedder, settings).load, settings)
    gpus = 1 if settings.engine == "cuda" else 0
    return PicturesElsewhere(catalogue, task, embedder.dimension, gpus)


def task_for(catalogue: Catalogue, load: Callable[[], Embedder], settings: Settings) -> PictureTask:
    """What the workers of a build of a catalogue are told."""
    environment = {name: os.environ[name] for name in OFFLINE if name in os.environ}
    return PictureTask(
        load,
        str(catalogue.location),
        settings.limits,
        threads_for(cores_of_machines()),
        settings.cache,
        environment={**environment, f"{PREFIX}CACHE": str(settings.cache)},
    )


def require_all(rows: np.ndarray, came: np.ndarray) -> None:
    """Raise :class:`ClusterError` unless all of some rows came."""
    if missing := int(np.count_nonzero(~came[rows])):
        raise ClusterError(
            f"{missing:,} pictures did not come back from the Ray cluster. What is done is kept: "
            "give the same command again."
        )
