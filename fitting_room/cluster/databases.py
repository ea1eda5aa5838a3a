"""An index in a database, built by the machines of a cluster, which write its rows from where they
are. Nothing of it is found before all of it is there.

First a seed is built here: an ordinary index of some items, whose reduction, head, calibration and
directions make the rows of all others. What is done is noted beside it, so that a build that was
stopped goes on; a worker that is lost loses nothing, since rows are known by their place in the
catalogue and written again in the same place.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import Timeout

from fitting_room.build.builder import MAX_FAILURES_NAMED, BuildError
from fitting_room.build.place import locked
from fitting_room.build.summary import BuildSummary
from fitting_room.catalogue.catalogue import Catalogue, load_catalogue
from fitting_room.catalogue.reading_options import DEFAULT_READING, ReadingOptions
from fitting_room.cluster.embedding import require_all, task_for
from fitting_room.cluster.networks import send
from fitting_room.cluster.progress_file import Done, ProgressFile
from fitting_room.cluster.stream import stream
from fitting_room.cluster.writing import WritingTask, WritingWorker, tally_of
from fitting_room.databases.address import engine_for, without_password
from fitting_room.databases.record import Statistics, make_record
from fitting_room.databases.writing import Tally, layout_of, new_rows
from fitting_room.facade import FittingRoom
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH
from fitting_room.index.codes import JointEncoder
from fitting_room.index.data import current_version
from fitting_room.index.head import NO_HEAD
from fitting_room.index.item_store import Block
from fitting_room.index.manifest import MANIFEST, IndexUnusable
from fitting_room.settings import Settings
from fitting_room.util.files import write_atomically
from fitting_room.util.progress import Listener, Stage, ignore

#: Items of a seed.
SEED_ITEMS = 2_048
#: Rows that are counted or fetched at once.
AT_ONCE = 1_000
_SEED, _DONE, _CODES = "seed", "done.jsonl", "codes.safetensors"


def build_in_database(
    location: str | Path | Catalogue,
    address: str,
    *,
    reading: ReadingOptions = DEFAULT_READING,
    settings: Settings | None = None,
    listener: Listener = ignore,
    seed_items: int = SEED_ITEMS,
    **options: Any,
) -> BuildSummary:
    """Build the index of a catalogue in the database at ``address`` on the Ray that this process is
    connected to, and publish it. ``options`` are those of :meth:`FittingRoom.build`. Raises what
    that raises, ``ClusterError``, and ``IndexUnusable`` where the database cannot be had."""
    settings = settings or Settings.from_environment()
    catalogue = location if isinstance(location, Catalogue) else load_catalogue(location, reading)
    owner = json.dumps([catalogue.fingerprint, seed_items, sorted(options.items())], default=str)
    name = hashlib.sha256(address.encode()).hexdigest()[:16]
    folder = settings.cache / "cluster" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            build = _Build(catalogue, address, folder, owner, settings, listener)
            return build.run(seed_items, options)
    except Timeout as error:
        raise BuildError(
            f"{without_password(address)}: another build of this index is running. Wait for it."
        ) from error


def seed_of(catalogue: Catalogue, most: int) -> Catalogue:
    """At most so many items of a catalogue with all their pictures, drawn at random, always the
    same, so that every kind has its part."""
    ids = catalogue.items["id"].drop_duplicates()
    if len(ids) > most:
        ids = ids.sample(most, random_state=0)
    items = catalogue.items[catalogue.items["id"].isin(ids)].reset_index(drop=True)
    return replace(catalogue, items=items)


class _Build:
    """One build: of each row of the catalogue it knows whether it was looked at (``came``), and the
    row of the first picture of its item (``firsts``)."""

    def __init__(
        self,
        catalogue: Catalogue,
        address: str,
        folder: Path,
        owner: str,
        settings: Settings,
        listener: Listener,
    ) -> None:
        self.catalogue, self.address, self.folder = catalogue, address, folder
        self.settings, self.listener = settings, listener
        self.started = time.perf_counter()
        self.progress = ProgressFile(folder / _DONE, owner)
        self.failed: dict[int, str] = {}
        self.tally = Tally()
        ids = catalogue.items["id"]
        self.firsts = np.flatnonzero(~ids.duplicated())[pd.factorize(ids)[0]]
        self.came = np.zeros(len(ids), bool)

    def run(self, seed_items: int, options: Mapping[str, Any]) -> BuildSummary:
        before = self._begin(seed_items, options)
        for done in before:
            self._count_again(done)
        reused = self.tally.rows
        version = self.seed.index.manifest.build[:12]
        layout = layout_of(self.seed.index, self.encoder)
        self.database = engine_for(self.address).create(self.address, layout, version)
        try:
            self.progress.write(before)
            started = time.perf_counter()
            self._write(version)
            seconds = time.perf_counter() - started
            if self.tally.rows == 0:
                example = next(iter(self.failed.values()), "the catalogue is empty")
                raise BuildError(f"None of the catalogue's pictures could be used: {example}")
            self._mend_firsts()
            self._describe()
            record = make_record(self.seed.index, self.encoder, self._statistics())
            self.database.publish(record)
        finally:
            self.database.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self._summary(reused, seconds)

    def _begin(self, most: int, options: Mapping[str, Any]) -> list[Done]:
        """Have a seed and its directions: those of the build that was stopped, if this goes on with
        it. Returns what that had done."""
        self.seed: FittingRoom
        if before := list(self.progress.read()):
            with suppress(IndexUnusable, ValueError):
                self.seed = FittingRoom.open(self.folder / _SEED, self.settings)
                index = self.seed.index
                learned = 0 if index.head is None else index.head.dimension
                codes = self.folder / _CODES
                self.encoder = JointEncoder.load(codes, index.dimension, learned)
                return before
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.seed = FittingRoom.build(
            seed_of(self.catalogue, most),
            self.folder / _SEED,
            settings=self.settings,
            listener=self.listener,
            **options,
        )
        index = self.seed.index
        self.encoder = JointEncoder.learn(index.store.block(np.arange(len(index))))
        self.encoder.save(self.folder / _CODES)
        return []

    def _count_again(self, done: Done) -> None:
        """Take up what an earlier run has written; what it counted in the table is counted anew."""
        self.came[done.rows] = True
        self.failed |= done.failed
        rows = done.rows[~np.isin(done.rows, [*done.failed])]
        table = self._table(rows)
        nothing = np.zeros((len(rows), DESCRIPTOR_LENGTH), np.uint8)
        block = Block(rows, self.firsts[rows], table, np.zeros((len(rows), 0)), nothing)
        self.tally.add(Tally(plain=done.plain).count(block))

    def _table(self, rows: np.ndarray) -> pd.DataFrame:
        """What the catalogue says of some rows."""
        return self.catalogue.items[["id", "image", *self.catalogue.attributes]].iloc[rows]

    def _write(self, version: str) -> None:
        """Have the workers look at every row that nobody has looked at."""
        import pyarrow as pa
        import ray

        rows = np.flatnonzero(~self.came)
        stage = Stage("Embedding pictures", len(rows), "picture", self.listener)
        if len(rows) == 0:
            return
        told = task_for(self.catalogue, send(self.seed.embedder, self.settings).load, self.settings)
        record = make_record(self.seed.index, self.encoder, self._statistics())
        shared = {field.name: getattr(told, field.name) for field in fields(told)}
        task = WritingTask(
            **shared, address=self.address, database_version=version, record=ray.put(record)
        )
        table = pa.Table.from_pandas(self._table(rows), preserve_index=False)
        table = table.append_column("row", pa.array(rows))
        table = table.append_column("first", pa.array(self.firsts[rows]))
        gpus = 1 if self.settings.engine == "cuda" else 0
        for columns in stream(WritingWorker, task, table, gpus=gpus):
            for text, counted in zip(columns["done"], columns["tally"], strict=True):
                done = Done.from_json(str(text))
                if self.came[done.rows].any():
                    continue
                self.progress.append(done)
                self.came[done.rows] = True
                self.failed |= done.failed
                self.tally.add(tally_of(str(counted)))
                stage.advance(len(done.rows))
        require_all(rows, self.came)

    def _mend_firsts(self) -> None:
        """Where the first picture of an item could not be used, the next one is its first."""
        lost = [row for row in self.failed if self.firsts[row] == row]
        there = np.ones(len(self.came), bool)
        there[[*self.failed]] = False
        rows = np.flatnonzero(there & np.isin(self.firsts, lost))
        _, begin, item = np.unique(self.firsts[rows], return_index=True, return_inverse=True)
        self.firsts[rows] = rows[begin][item]
        self.tally.items += len(begin)
        for start in range(0, len(rows), AT_ONCE):
            block = self.database.block(rows[start : start + AT_ONCE])
            block = replace(block, firsts=self.firsts[block.rows])
            self.database.write(new_rows(block, self.encoder))

    def _describe(self) -> None:
        """Have the seed say what is to be said of the whole catalogue."""
        index = self.seed.index
        manifest = replace(
            index.manifest,
            catalogue=replace(index.manifest.catalogue, fingerprint=self.catalogue.fingerprint),
            failures=[{"id": item, "reason": reason} for item, reason in self._failures()],
        )
        path = current_version(index.folder) / MANIFEST
        write_atomically(path, manifest.as_text())

    def _failures(self) -> list[tuple[str, str]]:
        ids, named = self.catalogue.items["id"], sorted(self.failed)[:MAX_FAILURES_NAMED]
        return [(str(ids.iloc[row]), self.failed[row]) for row in named]

    def _statistics(self) -> Statistics:
        counts = self.seed.index.manifest.counts
        failed = len(self.failed)
        return self.tally.statistics(
            replace(counts, rows=self.catalogue.report.rows, failed=failed)
        )

    def _summary(self, reused: int, seconds: float) -> BuildSummary:
        index, report, written = self.seed.index, self.catalogue.report, self.tally.rows - reused
        return BuildSummary(
            items=self.tally.items,
            pictures=self.tally.rows,
            dropped=sum(report.dropped.values()),
            repaired=sum(report.repaired.values()),
            failed=len(self.failed),
            backbone=str(index.identity["backbone"]),
            dimension=index.dimension,
            seconds=round(time.perf_counter() - self.started, 3),
            images_per_second=round(written / seconds, 1) if written else 0.0,
            reused=reused,
            uses_head=str(index.head.record.get("name", "trained")) if index.head else NO_HEAD,
            failures=tuple(self._failures()),
        )
