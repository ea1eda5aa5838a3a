"""A map of a catalogue: each item a point in the plane, near the items it looks like.

The map is a t-SNE (van der Maaten and Hinton 2008) of what the search compares: of what the head
makes of the items where there is a head, since that is the likeness visitors meet, and of the
network's embeddings otherwise. Neighbours are a plain graph of the nearest, which serves as well
as tuned perplexities (Böhm, Berens and Kobak 2022), and repulsion is summed on a grid by Fourier
transforms (Linderman et al. 2019), so that a step takes time linear in the number of points.

At most :data:`LANDMARKS` items are laid out in this way; the others, and later ones, find their
places among the landmarks they resemble most. (scikit-learn's Barnes-Hut t-SNE takes some five
times as long for the demo catalogue, openTSNE comes compiled for few ARM machines.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import fft, sparse

from fitting_room.index.manifest import Manifest
from fitting_room.index.vectors import Matrix
from fitting_room.util.progress import Listener, Stage, ignore

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors

    from fitting_room.index.index import Index

#: Items that are laid out by t-SNE at most.
LANDMARKS = 10_000
#: Directions of greatest variance that neighbours are told by, and neighbours of each point.
DIRECTIONS, NEIGHBOURS = 50, 15
#: Steps with attraction exaggerated, which gathers the clusters, and without. Twice as many change
#: neither the neighbours that are kept nor the kinds that stand together.
EARLY_STEPS, STEPS, EXAGGERATION = 150, 350, 12.0
#: Below this number of points there are no clusters, and the first two directions say it all.
FEWEST_FOR_TSNE = 30
#: A point that is no landmark stands between this many landmarks.
NEAREST_LANDMARKS = 4
#: How far such a point is moved aside, at random, on a map that reaches from -1 to 1.
ASIDE = 0.0015
#: Of the catalogue, the share that may have come or gone since the map was laid out; then it is
#: laid out anew.
OUTGROWN = 0.2
#: Width of a grid cell, in units of the kernel's own width, and cells along a side at most.
CELL, MOST_CELLS = 0.5, 384
#: Points that find their places at once.
PLACED_AT_ONCE = 8_192


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """``positions`` float32 ``(N, 2)`` between -1 and 1; ``record`` says as plain values what it
    was made from, how many items were laid out and how many came or went since."""

    positions: np.ndarray
    record: dict[str, Any]


def draw(index: Index, before: Index | None = None, listener: Listener = ignore) -> Map:
    """The map of an index. Where the map of ``before``, an earlier one, shows mostly the same items
    compared in the same way, its points stay where they are, new ones are put among them, and the
    way about is not lost."""
    basis = _basis(index.manifest)
    rows = index.vectors if index.trained is None else index.trained
    known = _known(index, before, basis)
    if known is not None:
        assert before is not None and before.map is not None  # noqa: S101  (see _known)
        here, there, changed = known
        positions = np.zeros((len(index), 2), np.float32)
        positions[here] = before.map[there]
        new = np.setdiff1d(np.arange(len(index)), here)
        if len(new):
            stage = Stage("Adding to the map", len(new), "item", listener)
            landmarks = _some(here)
            reduce = _Directions(_rows(rows, landmarks))
            positions[new] = _place(
                rows, new, reduce, _rows(rows, landmarks), positions[landmarks], stage
            )
        laid_out = int(before.manifest.map["laid_out"])
        return Map(positions, {"basis": basis, "laid_out": laid_out, "changed": changed})
    positions = lay_out(rows, listener)
    return Map(positions, {"basis": basis, "laid_out": len(index), "changed": 0})


def lay_out(rows: Matrix, listener: Listener = ignore) -> np.ndarray:
    """Positions, float32 ``(N, 2)`` between -1 and 1, of items with these unit rows ``(N, D)``.
    The same rows always come to the same map."""
    landmarks = _some(np.arange(len(rows)))
    chosen = _rows(rows, landmarks)
    reduce = _Directions(chosen)
    steps = EARLY_STEPS + STEPS if len(landmarks) >= FEWEST_FOR_TSNE else 0
    stage = Stage("Drawing the map", len(rows) + steps, "step", listener)
    positions = np.empty((len(rows), 2), np.float32)
    positions[landmarks] = _to_frame(_tsne(reduce(chosen), stage))
    stage.advance(len(landmarks))
    others = np.setdiff1d(np.arange(len(rows)), landmarks)
    if len(others):
        positions[others] = _place(rows, others, reduce, chosen, positions[landmarks], stage)
    return positions


def _basis(manifest: Manifest) -> str:
    """What the likeness on a map depends on: the network, a PCA, a head."""
    import hashlib
    import json

    learned = {
        name: entry.sha256
        for name, entry in manifest.files.items()
        if name in ("head.safetensors", "pca.npz")
    }
    told = json.dumps([manifest.identity, learned], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _known(
    index: Index, before: Index | None, basis: str
) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Rows of items that the earlier map shows, here and there, and how many came or went since it
    was laid out; ``None`` where it cannot be used."""
    if before is None or before.map is None or before.manifest.map["basis"] != basis:
        return None
    digests = before.items["digest"].drop_duplicates()
    there = digests.index[pd.Index(digests).get_indexer(index.items["digest"])].to_numpy()
    here = np.flatnonzero(there >= 0)
    gone = len(before) - len(np.unique(there[here]))
    record = before.manifest.map
    changed = int(record["changed"]) + gone + len(index) - len(here)
    if changed > OUTGROWN * record["laid_out"] or len(here) < NEAREST_LANDMARKS:
        return None
    return here, there[here], changed


def _some(rows: np.ndarray) -> np.ndarray:
    if len(rows) <= LANDMARKS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, LANDMARKS, replace=False))


def _rows(rows: Matrix, wanted: np.ndarray) -> np.ndarray:
    return np.asarray(rows[wanted], np.float32)


class _Directions:
    """Rows along their directions of greatest variance, by which neighbours are told."""

    def __init__(self, rows: np.ndarray) -> None:
        from sklearn.utils.extmath import randomized_svd

        count = min(DIRECTIONS, *rows.shape)
        self.mean = rows.mean(axis=0)
        self.components = np.eye(rows.shape[1], dtype=np.float32)[:count]
        if count < rows.shape[1]:
            _, _, directions = randomized_svd(rows - self.mean, count, random_state=0)
            self.components = np.asarray(directions, np.float32)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray((rows - self.mean) @ self.components.T, np.float32)


def _neighbours(points: np.ndarray, count: int) -> NearestNeighbors:
    """What finds the nearest ``count`` of some points, with their distances squared."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=count, algorithm="brute", metric="sqeuclidean").fit(points)


def _place(
    rows: Matrix,
    wanted: np.ndarray,
    reduce: _Directions,
    landmarks: np.ndarray,
    positions: np.ndarray,
    stage: Stage,
) -> np.ndarray:
    """Places, float32 ``(len(wanted), 2)``, among landmarks whose ``positions`` are known: between
    those of the nearest ones that stand near the very nearest, so that nothing comes to lie in the
    empty space between two clusters."""
    among = _neighbours(reduce(landmarks), min(NEAREST_LANDMARKS, len(landmarks)))
    result = np.empty((len(wanted), 2), np.float32)
    for start in range(0, len(wanted), PLACED_AT_ONCE):
        some = wanted[start : start + PLACED_AT_ONCE]
        distances, near = among.kneighbors(reduce(_rows(rows, some)))
        weight = 1 / (distances + 1e-3 * distances.mean(axis=1, keepdims=True) + 1e-9)
        around = positions[near]
        off = np.square(around - around[:, :1]).sum(axis=2)
        weight = weight * (off < 0.1**2)
        weight /= weight.sum(axis=1, keepdims=True)
        # Of many items between the same landmarks none should hide the others.
        aside = np.random.default_rng(start).normal(scale=ASIDE, size=(len(some), 2))
        result[start : start + PLACED_AT_ONCE] = (weight[..., None] * around).sum(axis=1) + aside
        stage.advance(len(some))
    return result


def _to_frame(positions: np.ndarray) -> np.ndarray:
    """Positions moved and scaled, alike in both directions, to lie between -1 and 1."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    scale = max(float((high - low).max()) / 2, 1e-9)
    return np.asarray((positions - (low + high) / 2) / scale, np.float32)


# --- t-SNE ------------------------------------------------------------------------------------


def _tsne(points: np.ndarray, stage: Stage) -> np.ndarray:
    """The layout of points ``(N, d)``, by gradient descent with momentum and gains of its own for
    each coordinate, as van der Maaten's; the rate is N over the exaggeration (Belkina et al.
    2019). It begins at the first two directions, which keeps the large scale and makes it
    repeatable (Kobak and Linderman 2021)."""
    count = len(points)
    spread = max(float(points[:, :1].std()), 1e-12)
    layout = np.zeros((count, 2), np.float32)
    layout[:, : points.shape[1]] = points[:, :2] / spread * 1e-2
    if count < FEWEST_FOR_TSNE:
        return layout
    attraction = _Attraction(points)
    repulsion = _Repulsion()
    velocity, gains = np.zeros_like(layout), np.ones_like(layout)
    rate = np.float32(count / EXAGGERATION)
    for step in range(EARLY_STEPS + STEPS):
        early = step < EARLY_STEPS
        gradient = 4 * ((EXAGGERATION if early else 1.0) * attraction(layout) - repulsion(layout))
        along = (gradient > 0) == (velocity > 0)
        gains = np.maximum(np.where(along, gains * 0.8, gains + 0.2), 0.01)
        velocity = (0.5 if early else 0.8) * velocity - rate * gains * gradient
        layout = layout + velocity
        layout -= layout.mean(axis=0)
        stage.advance()
    return layout


class _Attraction:
    """How each point is drawn to its neighbours: the attractive half of t-SNE's gradient."""

    def __init__(self, points: np.ndarray) -> None:
        count = len(points)
        each = min(NEIGHBOURS, count - 1)
        near = _neighbours(points, each).kneighbors(return_distance=False)  # but itself
        graph = sparse.csr_matrix(
            (np.ones(near.size, np.float32), near.ravel(), np.arange(0, near.size + 1, each)),
            (count, count),
        )
        both = (graph + graph.T).tocsr()
        both.sort_indices()
        self.starts, self.to = both.indptr[:-1], both.indices
        self.of = np.repeat(np.arange(count, dtype=np.int32), np.diff(both.indptr))
        self.share = np.asarray(both.data / both.data.sum(), np.float32)

    def __call__(self, layout: np.ndarray) -> np.ndarray:
        apart = layout[self.of] - layout[self.to]
        apart *= (self.share / (1 + np.einsum("ed,ed->e", apart, apart)))[:, None]
        return np.asarray(np.add.reduceat(apart, self.starts, axis=0))


class _Repulsion:
    """How each point is pushed away by all others: the repulsive half of t-SNE's gradient. Points
    are shared among the corners of their grid cells, kernels convolved with them by Fourier
    transforms, and the results read between the corners."""

    def __init__(self) -> None:
        self.made_for: tuple[int, float] | None = None
        self.kernels: list[np.ndarray] = []

    def __call__(self, layout: np.ndarray) -> np.ndarray:
        low = layout.min(axis=0)
        span = float((layout.max(axis=0) - low).max())
        cells, width = -(-int(span / CELL + 2) // 32) * 32, CELL
        if cells > MOST_CELLS:
            cells, width = MOST_CELLS, span / (MOST_CELLS - 2)
        self._make_kernels(cells, width)
        corners, shares = self._corners((layout - low) / width, cells)
        amount = np.bincount(corners.ravel(), shares.ravel(), cells * cells)
        padded = (2 * cells, 2 * cells)
        field = fft.rfft2(amount.astype(np.float32).reshape(cells, cells), padded)
        sums = []
        for kernel in self.kernels:
            values = fft.irfft2(field * kernel, padded)
            values = np.ascontiguousarray(values[:cells, :cells]).ravel()
            sums.append((values[corners] * shares).sum(axis=0))
        total = sums[0].sum() - len(layout)  # without each point's likeness to itself
        return np.stack([sums[1], sums[2]], axis=1) / np.float32(max(total, 1e-9))

    @staticmethod
    def _corners(places: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
        cell = places.astype(np.int64)
        inside = (places - cell).astype(np.float32)
        corners, shares = [], []
        for right in (0, 1):
            for down in (0, 1):
                corners.append((cell[:, 0] + right) * cells + cell[:, 1] + down)
                shares.append(
                    (inside[:, 0] if right else 1 - inside[:, 0])
                    * (inside[:, 1] if down else 1 - inside[:, 1])
                )
        return np.stack(corners), np.stack(shares)

    def _make_kernels(self, cells: int, width: float) -> None:
        if self.made_for == (cells, width):
            return
        self.made_for = (cells, width)
        away = (fft.fftfreq(2 * cells, 1 / (2 * cells)) * width).astype(np.float32)
        x, y = np.meshgrid(away, away, indexing="ij")
        likeness = 1 / (1 + x * x + y * y)
        self.kernels = [
            fft.rfft2(kernel) for kernel in (likeness, likeness**2 * x, likeness**2 * y)
        ]
