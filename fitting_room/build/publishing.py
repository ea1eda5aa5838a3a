"""A local index -> the same one in a database."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

import numpy as np

from fitting_room.build.sample import SAMPLE as ITEMS_OF_SAMPLE
from fitting_room.build.sample import sampled_rows, write_sample
from fitting_room.databases.address import engine_for
from fitting_room.databases.database import Database
from fitting_room.databases.record import make_record
from fitting_room.databases.writing import Tally, layout_of, write_block
from fitting_room.index.codes import SAMPLE, JointEncoder
from fitting_room.index.index import Index
from fitting_room.index.vectors import release
from fitting_room.util.progress import Listener, Stage, ignore

#: Rows that are written at once.
BLOCK = 1_000


def publish(index: Index, address: str, *, listener: Listener = ignore) -> None:
    """Put the items of a local index at an address, as a new version that takes the place of what
    is there at once. Raises ``IndexUnusable`` where the database cannot be had."""
    encoder = encoder_of(index)
    version = uuid.uuid4().hex[:12]  # the same build may be put there again, after edits
    database = engine_for(address).create(address, layout_of(index, encoder), version)
    try:
        write_to(database, index, encoder, listener=listener)
    finally:
        database.close()


def encoder_of(index: Index) -> JointEncoder:
    """What makes the codes of an index's items, learned from some of them."""
    return JointEncoder.learn(index.store.block(sampled_rows(index, SAMPLE)))


def write_to(
    database: Database,
    index: Index,
    encoder: JointEncoder,
    *,
    items_of_sample: int = ITEMS_OF_SAMPLE,
    listener: Listener = ignore,
) -> None:
    """Write the items of a local index into a version and publish it, with a sample of so many
    items. Raises ``IndexUnusable`` where the database cannot be had."""
    stage = Stage("Writing to the database", len(index), "row", listener)
    tally = Tally()
    for start in range(0, len(index), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(index)))
        tally.add(write_block(database, index.store.block(rows), encoder))
        release(index.vectors, index.descriptors, index.trained, index.head_vectors)
        stage.advance(len(rows))
    with tempfile.TemporaryDirectory(prefix="fitting-room-") as folder:
        sample = write_sample(index, Path(folder) / "sample", items_of_sample)
        database.publish(make_record(sample, encoder, tally.statistics(index.manifest.counts)))
