"""t-SNE (van der Maaten and Hinton 2008) in time linear in the number of points.

Attraction goes along a plain graph of the nearest points, which serves as well as tuned
perplexities (Böhm, Berens and Kobak 2022); repulsion is summed on a grid by Fourier transforms
(Linderman et al. 2019). scikit-learn's Barnes-Hut t-SNE takes ten times as long for 1,200 points,
and openTSNE comes compiled for few ARM machines.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import fft, sparse

from fitting_room.util.linear import nearest_rows

#: Neighbours that each point is drawn to.
NEIGHBOURS = 15
#: Steps with attraction exaggerated, which gathers the clusters, and steps in all. Twice as many
#: change neither the nearest points that are kept nor the kinds that stand together.
EARLY_STEPS, STEPS, EXAGGERATION = 150, 500, 12.0
#: Width of a grid cell, in units of the kernel's own width, and the most cells along a side.
CELL, MAX_CELLS = 0.5, 384


def tsne(points: np.ndarray, on_step: Callable[[], None]) -> np.ndarray:
    """The layout, float32 ``(N, 2)``, of points, float32 ``(N, d)``, ``d`` at least 2, along their
    directions of greatest variance; ``on_step`` is called :data:`STEPS` times.

    Gradient descent with momentum and a gain for each coordinate, as van der Maaten's; the rate is
    N over the exaggeration (Belkina et al. 2019). It begins at the first two directions, which
    keeps the large scale and makes it repeatable (Kobak and Linderman 2021)."""
    layout = points[:, :2] / max(float(points[:, 0].std()), 1e-12) * 1e-2
    graph = _nearest_graph(points)
    velocity, gains = np.zeros_like(layout), np.ones_like(layout)
    rate = np.float32(len(points) / EXAGGERATION)
    for step in range(STEPS):
        exaggeration, momentum = (EXAGGERATION, 0.5) if step < EARLY_STEPS else (1.0, 0.8)
        gradient = 4 * (exaggeration * attraction(layout, graph) - repulsion(layout))
        same_way = (gradient > 0) == (velocity > 0)
        gains = np.maximum(np.where(same_way, gains * 0.8, gains + 0.2), 0.01)
        velocity = momentum * velocity - rate * gains * gradient
        layout = layout + velocity
        layout -= layout.mean(axis=0)
        on_step()
    return layout


def _nearest_graph(points: np.ndarray) -> sparse.csr_array:
    """How strongly points attract each other, ``(N, N)``, in all 1."""
    count, points_in_all = min(NEIGHBOURS, len(points) - 1), len(points)
    _, nearest = nearest_rows(points, None, count)
    ones = np.ones(nearest.size, np.float32), nearest.ravel(), np.arange(points_in_all + 1) * count
    graph = sparse.csr_array(ones, shape=(points_in_all, points_in_all))
    return sparse.csr_array((graph + graph.T) / (2 * graph.sum()), dtype=np.float32)


def attraction(layout: np.ndarray, graph: sparse.csr_array) -> np.ndarray:
    """How each point is drawn to those nearest to it, float32 ``(N, 2)``."""
    apart = np.repeat(layout, np.diff(graph.indptr), axis=0) - layout[graph.indices]
    apart *= (graph.data / (1 + np.einsum("ed,ed->e", apart, apart)))[:, None]
    return np.asarray(np.add.reduceat(apart, graph.indptr[:-1], axis=0))


def repulsion(layout: np.ndarray) -> np.ndarray:
    """How each point is pushed away by all others, float32 ``(N, 2)``: points are spread over the
    corners of their grid cells, convolved with the kernels by Fourier transforms, and the results
    interpolated between the corners."""
    low = layout.min(axis=0)
    span = float((layout.max(axis=0) - low).max())
    cells, width = -(-int(span / CELL + 2) // 32) * 32, CELL
    if cells > MAX_CELLS:
        cells, width = MAX_CELLS, span / (MAX_CELLS - 2)
    places = (layout - low) / width
    cell = places.astype(np.int64)
    right, down = (places - cell).astype(np.float32).T
    left, up = 1 - right, 1 - down
    first = cell[:, 0] * cells + cell[:, 1]
    corners = np.stack([first, first + 1, first + cells, first + cells + 1])
    weights = np.stack([left * up, left * down, right * up, right * down])
    mass = np.bincount(corners.ravel(), weights.ravel(), cells * cells).astype(np.float32)
    padded = (2 * cells, 2 * cells)
    transformed = fft.rfft2(mass.reshape(cells, cells), padded)
    sums = []
    for kernel in _kernels(cells, width):
        values = fft.irfft2(transformed * kernel, padded)
        values = np.ascontiguousarray(values[:cells, :cells]).ravel()
        sums.append((values[corners] * weights).sum(axis=0))
    total = sums[0].sum() - len(layout)  # without each point's similarity to itself
    return np.stack(sums[1:], axis=1) / np.float32(max(total, 1e-9))


@lru_cache(maxsize=1)
def _kernels(cells: int, width: float) -> list[np.ndarray]:
    """Transformed: the similarity, and both components of the force times the similarity."""
    away = (fft.fftfreq(2 * cells, 1 / (2 * cells)) * width).astype(np.float32)
    x, y = np.meshgrid(away, away, indexing="ij")
    similarity = 1 / (1 + x * x + y * y)
    return [fft.rfft2(k) for k in (similarity, similarity**2 * x, similarity**2 * y)]
