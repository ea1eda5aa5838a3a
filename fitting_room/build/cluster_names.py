"""Names for the parts of a map: the commonest values where the items stand close together.

A map is looked at from afar and from near, so that its clusters are named at several levels: a
coarse one for the whole map, finer ones for those who zoom in. At each level items are spread over
a small grid and blurred; cells next to each other in which the same value is the commonest are a
cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

#: How far the blur of each level reaches, as a part of the longer side of the map.
REACHES = (0.03, 0.014, 0.006)
#: Cells along a side of the grid.
CELLS = 192
#: A cluster has at least so many items of its values, and each place in it at least this part of
#: the density that the median item stands in.
FEWEST, DENSE = 5, 0.5
#: A cluster has a name where its values are at least this part of it: one alone, or two where the
#: first is no more than the second number and the second one at least the third.
NAMED, ALONE, BESIDE = 0.5, 0.6, 0.25


@dataclass(frozen=True, slots=True)
class ClusterName:
    """A named part of a map. ``codes`` are its one or two commonest values, ``count`` how many of
    its items have them, ``place`` the spot where they are densest and ``box`` the edges (left, top,
    right, bottom), both in the map's units. ``item`` is an item of the first value close to that
    spot. It is shown from level ``first`` to level ``last``: until finer names stand inside."""

    codes: tuple[int, ...]
    count: int
    place: tuple[float, float]
    box: tuple[float, float, float, float]
    item: int
    first: int
    last: int


def name_clusters(positions: np.ndarray, codes: np.ndarray) -> list[ClusterName]:
    """The names of a map of items at ``positions``, float ``(N, 2)``, whose values have these
    ``codes``, int ``(N,)``, -1 for none; the largest first. The same for the same items."""
    if not len(positions) or codes.max() < 0:
        return []
    grid = _Grid(positions)
    found: list[tuple[ClusterName, np.ndarray]] = []
    for level, reach in enumerate(REACHES):
        found += _level(grid, codes, level, reach)
    names = [_until_finer(name, cells, found, grid) for name, cells in found]
    return sorted(names, key=lambda name: (-name.count, name.first, name.place))


class _Grid:
    """A map's items in cells: ``cells``, int ``(N,)``, numbers them row by row."""

    def __init__(self, positions: np.ndarray) -> None:
        self.positions = positions
        low, high = positions.min(axis=0), positions.max(axis=0)
        self.step = max(float((high - low).max()), 1e-9) / CELLS
        self.low = (low + high) / 2 - self.step * CELLS / 2
        self.cells = self.cell(positions)

    def cell(self, positions: np.ndarray) -> np.ndarray:
        """The cells, int ``(...,)``, of positions, ``(..., 2)``."""
        along = np.clip(((positions - self.low) / self.step).astype(np.int64), 0, CELLS - 1)
        return np.asarray(along[..., 1] * CELLS + along[..., 0])

    def place(self, cell: int) -> np.ndarray:
        """The middle of a cell."""
        down, across = divmod(cell, CELLS)
        return np.asarray(self.low + (np.array([across, down]) + 0.5) * self.step)

    def density(self, items: np.ndarray | slice, reach: float) -> np.ndarray:
        """Items per cell, float32 ``(CELLS, CELLS)``, blurred by ``reach``."""
        from scipy.ndimage import gaussian_filter

        counts = np.bincount(self.cells[items], minlength=CELLS * CELLS)
        image = counts.reshape(CELLS, CELLS).astype(np.float32)
        return np.asarray(gaussian_filter(image, reach * CELLS, mode="constant", truncate=3))


def _level(
    grid: _Grid, codes: np.ndarray, level: int, reach: float
) -> Iterator[tuple[ClusterName, np.ndarray]]:
    """The names of one level, each with the cells of its cluster, bool ``(CELLS, CELLS)``."""
    from scipy.ndimage import label

    counts = np.bincount(codes[codes >= 0])
    common = np.flatnonzero(counts >= FEWEST)
    if not len(common):
        return
    total = grid.density(slice(None), reach)
    usual = float(np.median(total.ravel()[grid.cells]))
    around = 2 * np.pi * (reach * CELLS) ** 2  # cells that a blurred item is spread over
    dense = total >= max(DENSE * usual, FEWEST / around)
    densities = np.stack([grid.density(codes == code, reach) for code in common])
    commonest = densities.argmax(axis=0)
    for place, density in enumerate(densities):
        clusters, count = label(dense & (commonest == place) & (density > 0))
        of_item = clusters.ravel()[grid.cells]
        for cluster in range(1, count + 1):
            cells, items = clusters == cluster, np.flatnonzero(of_item == cluster)
            name = _name(grid, codes, items, np.where(cells, density, -1), level)
            if name is not None:
                yield name, cells


def _name(
    grid: _Grid, codes: np.ndarray, items: np.ndarray, density: np.ndarray, level: int
) -> ClusterName | None:
    """The name of a cluster of these ``items``, or ``None`` where it is small or mixed."""
    known = codes[items][codes[items] >= 0]
    if len(known) < FEWEST:
        return None
    counts = np.bincount(known)
    first, *others = np.argsort(-counts, kind="stable")[:2].tolist()
    chosen = [first]
    if others and counts[first] < ALONE * len(items) and counts[others[0]] >= BESIDE * len(items):
        chosen += others
    count = int(counts[chosen].sum())
    if count < max(FEWEST, NAMED * len(items)):
        return None
    place = grid.place(int(density.argmax()))
    own = items[codes[items] == first]
    nearest = int(own[np.square(grid.positions[own] - place).sum(axis=1).argmin()])
    edges = (*grid.positions[items].min(axis=0), *grid.positions[items].max(axis=0))
    left, top, right, bottom = map(float, edges)
    across, down = map(float, place)
    box = left, top, right, bottom
    return ClusterName(tuple(chosen), count, (across, down), box, nearest, level, level)


def _until_finer(
    name: ClusterName, cells: np.ndarray, found: list[tuple[ClusterName, np.ndarray]], grid: _Grid
) -> ClusterName:
    """The name with the last level at which it is shown."""
    inside = [
        other.first
        for other, _ in found
        if other.first > name.first and cells.ravel()[grid.cell(np.array(other.place))]
    ]
    return replace(name, last=min(inside, default=len(REACHES)) - 1)
