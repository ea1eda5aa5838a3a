"""t-SNE's gradient and layout."""

from __future__ import annotations

import numpy as np

from fitting_room.build.tsne import STEPS, repulsion, tsne


def test_the_repulsion_on_a_grid_is_the_sum_over_all_pairs() -> None:
    layout = np.random.default_rng(2).normal(scale=12, size=(400, 2)).astype(np.float32)
    apart = layout[:, None] - layout[None]
    similarity = 1 / (1 + np.square(apart).sum(axis=2))
    total = similarity.sum() - len(layout)
    exact = (similarity[..., None] ** 2 * apart).sum(axis=1) / total
    gridded = repulsion(layout)
    error = np.linalg.norm(gridded - exact, axis=1)
    assert np.median(error) < 0.1 * np.median(np.linalg.norm(exact, axis=1))
    assert np.corrcoef(gridded.ravel(), exact.ravel())[0, 1] > 0.99


def test_a_layout_keeps_neighbours_and_counts_its_steps() -> None:
    from sklearn.manifold import trustworthiness

    generator = np.random.default_rng(0)
    points = np.repeat(generator.normal(size=(6, 8)), 30, axis=0)
    points = (points + 0.1 * generator.normal(size=points.shape)).astype(np.float32)
    steps: list[None] = []
    layout = tsne(points, lambda: steps.append(None))
    assert len(steps) == STEPS
    assert trustworthiness(points, layout, n_neighbors=10) > 0.95
