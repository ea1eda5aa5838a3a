"""A small index of some items of another: what is known of a catalogue as a whole, its network,
head, reduction and calibration, with a sample of its rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fitting_room.build.writer import Block, write_index
from fitting_room.index.index import Index

#: Items of a sample.
SAMPLE = 2_048


def sampled_rows(index: Index, most: int) -> np.ndarray:
    """The rows of all pictures of at most so many items, drawn at random, always the same."""
    items = index.first_rows
    if len(items) > most:
        items = np.sort(np.random.default_rng(0).choice(items, most, replace=False))
    return np.unique(np.concatenate([index.rows_of_item(int(row)) for row in items]))


def write_sample(index: Index, folder: Path, most: int = SAMPLE) -> Index:
    """Write an index of at most so many items of another one, as they are there, and open it. What
    was learned of all items stays: the head, the reduction, the calibration."""
    rows = sampled_rows(index, most)
    of_head = None if index.head_vectors is None else np.asarray(index.head_vectors[rows])
    block = Block(np.asarray(index.vectors[rows]), np.asarray(index.descriptors[rows]), of_head)
    items = index.items.iloc[rows].reset_index(drop=True)
    counts = replace(index.manifest.counts, items=items["id"].nunique(), pictures=len(items))
    write_index(
        folder,
        [block],
        items,
        replace(index.manifest, counts=counts, edits=None),
        pca=index.pca,
        head=index.head,
        ann=False,
        before=index,
        kept=rows,
        measure=lambda _: index.calibration,
    )
    return Index.open(folder)
