"""Directions of greatest variance and nearest rows, by numpy and scipy: what both searching and
building need, so that neither waits for, nor installs, a library of learning."""

from __future__ import annotations

import numpy as np

#: Rows that are compared at once: their distances to ten thousand others are 10 MB.
_BLOCK = 256


def principal_directions(rows: np.ndarray, count: int) -> np.ndarray:
    """The ``count`` directions of greatest variance of ``rows``, float32 ``(N, D)``, as unit rows,
    float32 ``(count, D)``, that of the greatest first; ``count`` is at most ``D``. Each points to
    where its largest number is positive, so that the same rows always give the same."""
    from scipy.linalg import eigh

    centred = rows - rows.mean(axis=0)
    last = rows.shape[1] - 1
    covariance = np.asarray(centred.T @ centred, np.float64)
    _, columns = eigh(covariance, subset_by_index=(last - count + 1, last))
    directions = columns.T[::-1]
    largest = np.abs(directions).argmax(axis=1)[:, None]
    return np.asarray(directions * np.sign(np.take_along_axis(directions, largest, 1)), np.float32)


def nearest_rows(
    rows: np.ndarray, others: np.ndarray | None, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of each row, float32 ``(N, D)``, the ``count`` nearest of ``others``, ``(M, D)``, or of the
    other rows where that is ``None``: squared distances, float32 ``(N, count)``, and places, int64
    ``(N, count)``, the nearest first."""
    among = rows if others is None else others
    halves = np.square(among).sum(axis=1) / 2
    places = np.empty((len(rows), count), np.int64)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(rows)))
        closeness = rows[block] @ among.T - halves
        in_block = np.arange(len(closeness))
        if others is None:
            closeness[in_block, in_block + start] = -np.inf
        for column in range(count):  # they are few: quicker than any sorting
            places[block, column] = best = closeness.argmax(axis=1)
            closeness[in_block, best] = -np.inf
    # Once more and exactly: of rows that are all but the same the products leave only rounding.
    distances = np.empty((len(rows), count), np.float32)
    for column in range(count):
        distances[:, column] = np.square(rows - among[places[:, column]]).sum(axis=1)
    return distances, places
