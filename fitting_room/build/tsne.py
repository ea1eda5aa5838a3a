"""t-SNE (van der Maaten and Hinton 2008) in time linear in the number of points.

Attraction goes along a plain graph of the nearest neighbours, which serves as well as tuned
perplexities (Böhm, Berens and Kobak 2022); repulsion is summed on a grid by Fourier transforms
(Linderman et al. 2019). scikit-learn's Barnes-Hut t-SNE takes ten times as long for 1,200 points,
and openTSNE comes compiled for few ARM machines.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft

#: Neighbours that each point is drawn to.
NEIGHBOURS = 15
#: Steps with attraction exaggerated, which gathers the clusters, and without. Twice as many change
#: neither the neighbours that are kept nor the kinds that stand together.
EARLY_STEPS, LATE_STEPS, EXAGGERATION = 150, 350, 12.0
STEPS = EARLY_STEPS + LATE_STEPS
#: Width of a grid cell, in units of the kernel's own width, and the most cells along a side.
CELL, MAX_CELLS = 0.5, 384


def tsne(points: np.ndarray, on_step: Callable[[], None]) -> np.ndarray:
    """The layout, float32 ``(N, 2)``, of points, float32 ``(N, d)`` along their directions of
    greatest variance; ``on_step`` is called :data:`STEPS` times.

    Gradient descent with momentum and a gain for each coordinate, as van der Maaten's; the rate is
    N over the exaggeration (Belkina et al. 2019). It begins at the first two directions, which
    keeps the large scale and makes it repeatable (Kobak and Linderman 2021)."""
    layout = np.zeros((len(points), 2), np.float32)
    layout[:, : points.shape[1]] = points[:, :2] / max(float(points[:, 0].std()), 1e-12) * 1e-2
    attraction, repulsion = _Attraction(points), Repulsion()
    velocity, gains = np.zeros_like(layout), np.ones_like(layout)
    rate = np.float32(len(points) / EXAGGERATION)
    for step in range(STEPS):
        exaggeration, momentum = (EXAGGERATION, 0.5) if step < EARLY_STEPS else (1.0, 0.8)
        gradient = 4 * (exaggeration * attraction(layout) - repulsion(layout))
        same_way = (gradient > 0) == (velocity > 0)
        gains = np.maximum(np.where(same_way, gains * 0.8, gains + 0.2), 0.01)
        velocity = momentum * velocity - rate * gains * gradient
        layout = layout + velocity
        layout -= layout.mean(axis=0)
        on_step()
    return layout


class _Attraction:
    """How each point is drawn to its neighbours: the attractive half of t-SNE's gradient."""

    def __init__(self, points: np.ndarray) -> None:
        from sklearn.neighbors import NearestNeighbors

        count = min(NEIGHBOURS, len(points) - 1)
        neighbours = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points)
        graph = neighbours.kneighbors_graph()  # of other points
        both = (graph + graph.T).tocoo()  # row by row
        self.of, self.to = both.row, both.col
        self.weights = (both.data / both.data.sum()).astype(np.float32)
        self.starts = np.flatnonzero(np.diff(self.of, prepend=-1))

    def __call__(self, layout: np.ndarray) -> np.ndarray:
        apart = layout[self.of] - layout[self.to]
        apart *= (self.weights / (1 + np.einsum("ed,ed->e", apart, apart)))[:, None]
        return np.asarray(np.add.reduceat(apart, self.starts, axis=0))


class Repulsion:
    """How each point is pushed away by all others: the repulsive half of t-SNE's gradient. Points
    are spread over the corners of their grid cells, convolved with the kernels by Fourier
    transforms, and the results interpolated between the corners."""

    def __init__(self) -> None:
        self._kernels_for: tuple[int, float] | None = None
        self._kernels: list[np.ndarray] = []

    def __call__(self, layout: np.ndarray) -> np.ndarray:
        low = layout.min(axis=0)
        span = float((layout.max(axis=0) - low).max())
        cells, width = -(-int(span / CELL + 2) // 32) * 32, CELL
        if cells > MAX_CELLS:
            cells, width = MAX_CELLS, span / (MAX_CELLS - 2)
        self._make_kernels(cells, width)
        corners, weights = _corners((layout - low) / width, cells)
        mass = np.bincount(corners.ravel(), weights.ravel(), cells * cells)
        padded = (2 * cells, 2 * cells)
        transformed = fft.rfft2(mass.astype(np.float32).reshape(cells, cells), padded)
        sums = []
        for kernel in self._kernels:
            values = fft.irfft2(transformed * kernel, padded)
            values = np.ascontiguousarray(values[:cells, :cells]).ravel()
            sums.append((values[corners] * weights).sum(axis=0))
        total = sums[0].sum() - len(layout)  # without each point's similarity to itself
        return np.stack(sums[1:], axis=1) / np.float32(max(total, 1e-9))

    def _make_kernels(self, cells: int, width: float) -> None:
        if self._kernels_for == (cells, width):
            return
        self._kernels_for = (cells, width)
        away = (fft.fftfreq(2 * cells, 1 / (2 * cells)) * width).astype(np.float32)
        x, y = np.meshgrid(away, away, indexing="ij")
        similarity = 1 / (1 + x * x + y * y)
        kernels = (similarity, similarity**2 * x, similarity**2 * y)
        self._kernels = [fft.rfft2(kernel) for kernel in kernels]


def _corners(places: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers, ``(4, N)``, of the corners around each place, and their weights."""
    cell = places.astype(np.int64)
    right, down = (places - cell).astype(np.float32).T
    first = cell[:, 0] * cells + cell[:, 1]
    corners = np.stack([first, first + 1, first + cells, first + cells + 1])
    left, up = 1 - right, 1 - down
    return corners, np.stack([left * up, left * down, right * up, right * down])
