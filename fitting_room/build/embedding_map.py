"""A map of a catalogue: each item a point in the plane, near the items that look like it.

The map is a t-SNE of what the search compares: the head's projections where there is a head, the
embeddings otherwise. At most :data:`LANDMARKS` items are laid out by t-SNE; the others, and later
ones, are placed among the landmarks most similar to them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from fitting_room.build.tsne import STEPS, tsne
from fitting_room.index.manifest import HEAD_FILE, PCA_FILE
from fitting_room.index.vectors import Matrix, release
from fitting_room.util.linear import nearest_rows, principal_directions
from fitting_room.util.progress import Listener, Stage, ignore

if TYPE_CHECKING:
    from fitting_room.index.index import Index

Reduction = Callable[[np.ndarray], np.ndarray]

#: The most items that are laid out by t-SNE.
LANDMARKS = 10_000
#: Directions of greatest variance that items are compared by.
DIRECTIONS = 50
#: Fewer items have no clusters; their first two directions are the map.
FEWEST_FOR_TSNE = 30
#: Another item stands between this many landmarks, those within this distance of the nearest one,
#: and is moved aside at random by about so much, on a map from -1 to 1.
NEAREST_LANDMARKS, SAME_CLUSTER, ASIDE = 4, 0.1, 0.0015
#: The map is laid out anew once more than this part of the catalogue has come or gone since.
OUTGROWN = 0.2
#: Items that are placed at once.
BATCH = 8_192


class Map(NamedTuple):
    """``positions`` float32 ``(N, 2)`` between -1 and 1; ``record`` says as plain values what it
    was made from, how many items were laid out and how many came or went since."""

    positions: np.ndarray
    record: dict[str, Any]


def basis_of(identity: Mapping[str, Any], checksums: Mapping[str, str]) -> str:
    """A digest of what similarity on a map depends on: the network's ``identity``, and the PCA and
    the head among an index's files, whose ``checksums`` are given by name."""
    learned = {name: checksums[name] for name in (HEAD_FILE, PCA_FILE) if name in checksums}
    return hashlib.sha256(json.dumps([identity, learned], sort_keys=True).encode()).hexdigest()


def draw(
    rows: Matrix,
    digests: pd.Series | None,
    basis: str,
    before: Index | None,
    listener: Listener,
    same: np.ndarray | None = None,
) -> Map:
    """The map of items with these unit rows, ``(N, D)``, and picture ``digests``, ``(N,)``, if they
    are known. While the map of ``before``, an earlier index, has the same ``basis`` and shows
    mostly the same items, its points stay and new ones are placed among them. The first rows are
    known to be the rows ``same``, int64 ``(n,)``, of it."""
    known = None if before is None else before.items.get("digest")
    record = None if before is None else before.manifest.map
    if before is None or before.map is None or record is None or digests is None or known is None:
        return _new_map(rows, basis, listener)
    kept = digests.isin(known).to_numpy()
    changed = record["changed"] + int((~known.isin(digests)).sum()) + int((~kept).sum())
    outgrown = changed > OUTGROWN * record["laid_out"] or kept.sum() < NEAREST_LANDMARKS
    if record["basis"] != basis or outgrown:
        return _new_map(rows, basis, listener)
    row_of = dict(zip(known, range(len(known)), strict=True))
    positions = np.zeros((len(rows), 2), np.float32)
    positions[kept] = before.map[[row_of[digest] for digest in digests[kept]]]
    if same is not None:  # also where items share a picture and have places of their own
        positions[: len(same)] = before.map[same]
    new, landmarks = np.flatnonzero(~kept), _sample(np.flatnonzero(kept))
    if len(new):
        stage = Stage("Adding to the map", len(new), "item", listener)
        _place(rows, new, landmarks, positions, _reduction(rows[landmarks]), stage)
    return Map(positions, {**record, "changed": changed})


def _new_map(rows: Matrix, basis: str, listener: Listener) -> Map:
    record = {"basis": basis, "laid_out": len(rows), "changed": 0}
    return Map(lay_out(rows, listener), record)


def lay_out(rows: Matrix, listener: Listener = ignore) -> np.ndarray:
    """Positions, float32 ``(N, 2)`` between -1 and 1, of items with these unit rows, ``(N, D)``;
    the same for the same rows."""
    landmarks = _sample(np.arange(len(rows)))
    steps = STEPS if len(landmarks) >= FEWEST_FOR_TSNE else 0
    stage = Stage("Drawing the map", len(rows) + steps, "step", listener)
    reduce = _reduction(rows[landmarks])
    points = np.pad(reduce(rows[landmarks]), ((0, 0), (0, 1)))  # two columns, whatever D is
    layout = tsne(points, stage.advance) if steps else points[:, :2]
    low, high = layout.min(axis=0), layout.max(axis=0)
    positions = np.empty((len(rows), 2), np.float32)
    positions[landmarks] = (layout - (low + high) / 2) / max(float((high - low).max()) / 2, 1e-9)
    stage.advance(len(landmarks))
    others = np.setdiff1d(np.arange(len(rows)), landmarks)
    _place(rows, others, landmarks, positions, reduce, stage)
    return positions


def _sample(rows: np.ndarray) -> np.ndarray:
    if len(rows) <= LANDMARKS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, LANDMARKS, replace=False))


def _reduction(rows: np.ndarray) -> Reduction:
    """What projects rows on the directions of greatest variance of these ones."""
    mean, count = rows.mean(axis=0), min(DIRECTIONS, *rows.shape)
    directions = principal_directions(rows, count)
    return lambda rows: np.asarray((rows - mean) @ directions.T, np.float32)


def _place(
    rows: Matrix,
    new: np.ndarray,
    landmarks: np.ndarray,
    positions: np.ndarray,
    reduce: Reduction,
    stage: Stage,
) -> None:
    """Fill in the ``positions`` of ``new`` rows: between those nearest landmarks that stand near
    the very nearest, so that nothing comes to lie in the empty space between two clusters."""
    reduced = reduce(rows[landmarks])
    for start in range(0, len(new), BATCH):
        batch = new[start : start + BATCH]
        distances, nearest = nearest_rows(reduce(rows[batch]), reduced, NEAREST_LANDMARKS)
        around = positions[landmarks[nearest]]
        weights = 1 / (distances + 1e-3 * distances.mean(axis=1, keepdims=True) + 1e-9)
        weights *= np.square(around - around[:, :1]).sum(axis=2) < SAME_CLUSTER**2
        weights /= weights.sum(axis=1, keepdims=True)
        # Of many items between the same landmarks none should hide the others.
        aside = np.random.default_rng(start).normal(scale=ASIDE, size=(len(batch), 2))
        positions[batch] = (weights[..., None] * around).sum(axis=1) + aside
        stage.advance(len(batch))
        release(rows)
