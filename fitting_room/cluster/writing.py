"""The part of a build in a database that runs on each machine: pictures are read, embedded and
written into the database from where they are, so that no embedding travels twice."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitting_room.build.rows import RowMaker
from fitting_room.cluster.progress_file import Done
from fitting_room.cluster.results import DESCRIBED
from fitting_room.cluster.worker import PictureTask, PictureWorker
from fitting_room.databases.address import engine_for
from fitting_room.databases.record import open_record
from fitting_room.databases.writing import Tally, write_block
from fitting_room.embedding.embedder import Embedder
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.features import Features

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class WritingTask(PictureTask):
    """What a worker that writes is told beside: the unpublished ``version`` of the index at an
    ``address``, which may have a password, and a reference to the ``record`` of its seed."""

    address: str = field(default="", repr=False)
    database_version: str = ""
    record: Any = None


class WritingWorker(PictureWorker):
    """Called with a table of the rows of a catalogue, of which ``row`` is the number and ``first``
    that of the first picture of the same item. A row that is written again takes its own place, so
    that work that was lost with a machine may be done twice."""

    def _start(self) -> Embedder:
        import ray

        embedder = super()._start()
        task = self.task
        if not isinstance(task, WritingTask):
            raise TypeError("a worker that writes is told where")
        # What is needed of the seed is read at once. Ray ends workers without asking them, so that
        # a folder that lived as long as they do would stay behind.
        with tempfile.TemporaryDirectory(
            prefix="fitting-room-", ignore_cleanup_errors=True
        ) as folder:
            seed, self._encoder, _ = open_record(ray.get(task.record), Path(folder))
            self._rows = RowMaker(seed)
        self._database = engine_for(task.address).open(task.address, task.database_version)
        return embedder

    def answers(self, embedder: Embedder, table: pa.Table) -> Iterator[dict[str, np.ndarray]]:
        described: dict[int, tuple[str, Features]] = {}
        failed: dict[int, str] = {}
        rows = table["row"].to_numpy()
        for row, digest, outcome in self.results(embedder, table):
            if isinstance(outcome, ImageRejected):
                failed[row] = outcome.reason
            elif outcome is not None:
                described[row] = digest, outcome
        tally = Tally()
        if described:
            kept = np.isin(rows, [*described])
            frame = table.filter(kept).to_pandas()
            digests, features = zip(*(described[row] for row in rows[kept].tolist()), strict=True)
            firsts = frame.pop("first").to_numpy(np.int64)
            block = self._rows.block(
                frame.pop("row").to_numpy(np.int64), firsts, frame, digests, features
            )
            tally = write_block(self._database, block, self._encoder)
        yield _answer(Done(rows, tally.plain, failed), tally)


def _answer(done: Done, tally: Tally) -> dict[str, np.ndarray]:
    return {
        "state": np.full(1, DESCRIBED, np.int8),
        "reason": np.array([""], object),
        "done": np.array([done.to_json()], object),
        "tally": np.array([json.dumps(vars(tally))], object),
    }


def tally_of(text: str) -> Tally:
    """What a worker counted."""
    values = json.loads(text)
    columns = {column: Counter(counted) for column, counted in values.pop("values").items()}
    return Tally(**{**values, "values": columns, "words": Counter(values["words"])})
