"""Items of a catalogue that look all but the same, as groups to review.

Every pair is considered, but few are looked at closely. Of rows of length 1, a cosine is a
distance, and a distance never grows when rows are turned onto some directions and only these are
kept, with what was left out as one more number. So whatever is far apart there is far apart
altogether, and only the rest is compared in full: nothing is missed, and a block of pairs is all
that is in memory.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fitting_room.imaging.descriptors import COLOURS, SILHOUETTE
from fitting_room.index.index import SAME_COLOURS, SAME_SHAPE, Index
from fitting_room.index.scoring import unit_bytes
from fitting_room.index.vectors import Matrix
from fitting_room.search.export import safe_cell
from fitting_room.util.progress import Listener, Stage, ignore

#: Directions that distances are first told by, and rows that they are learned from.
DIRECTIONS, SAMPLE = 64, 4_000
#: Rows of either side of a block of pairs; two blocks of float32 distances are 16 MB each.
BLOCK = 2_048
#: How far a distance computed in float32 may be from the exact one.
ERROR = 1e-4


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of the index, in the catalogue's order; all look all but the same as ``first``.
    ``identical`` says that their pictures are the same files, to the byte."""

    first: int
    rows: tuple[int, ...]
    identical: bool

    def __len__(self) -> int:
        return len(self.rows)


def find(index: Index, listener: Listener = ignore) -> list[Group]:
    """Groups of items whose embeddings, colours and silhouettes agree as those of copies do (the
    measure by which results are folded), the largest group first. An item is in one group at
    most."""
    neighbours = _pairs(index, listener)
    digests = index.items["digest"].to_numpy() if "digest" in index.items else None
    groups = []
    grouped = np.zeros(len(index), bool)
    # Who has most look-alikes comes first, so that a group forms around its middle.
    for row in sorted(neighbours, key=lambda row: (-len(neighbours[row]), row)):
        if grouped[row]:
            continue
        others = [other for other in neighbours[row] if not grouped[other]]
        if not others:
            continue
        rows = tuple(sorted([row, *others]))
        grouped[list(rows)] = True
        same = digests is not None and len(set(digests[list(rows)])) == 1
        groups.append(Group(row, rows, same))
    return sorted(groups, key=lambda group: (-len(group), group.rows[0]))


def as_csv(index: Index, groups: list[Group]) -> str:
    """Groups as a csv: the number of the group, whether its pictures are the same files, and what
    the catalogue says of each item. Cells that a spreadsheet would take for formulas are
    defused."""
    columns = index.filter_columns
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([safe_cell(name) for name in ("group", "identical", *columns)])
    for number, group in enumerate(groups, 1):
        found = index.items.iloc[list(group.rows)][columns].astype("string").fillna("")
        for record in found.itertuples(index=False):
            writer.writerow([number, "yes" if group.identical else "no", *map(safe_cell, record)])
    return out.getvalue()


def _pairs(index: Index, listener: Listener) -> dict[int, list[int]]:
    """The look-alikes of each row that has any."""
    short = _shortened(index)
    # Along the direction of greatest variance rows that are far apart end up in far blocks.
    order = np.argsort(short[:, 0], kind="stable")
    short = short[order]
    farthest = 2 - 2 * SAME_SHAPE + ERROR
    colours, outlines = _Bytes(index, COLOURS), _Bytes(index, SILHOUETTE)
    neighbours: dict[int, list[int]] = {}
    stage = Stage("Looking for look-alikes", len(index), "item", listener)
    for first, second in _candidates(short, farthest, stage):
        one, other = order[first], order[second]
        for test, least in ((outlines, SAME_COLOURS), (colours, SAME_COLOURS)):
            alike = test.cosines(one, other) >= least
            one, other = one[alike], other[alike]
        alike = _cosines(index.vectors, one, other) >= SAME_SHAPE
        for a, b in zip(one[alike].tolist(), other[alike].tolist(), strict=True):
            neighbours.setdefault(a, []).append(b)
            neighbours.setdefault(b, []).append(a)
    return neighbours


def _shortened(index: Index) -> np.ndarray:
    """Rows along some directions, and the length of what is left of each, float32
    ``(N, DIRECTIONS + 1)``. Two rows are at least as far apart as these are."""
    from sklearn.utils.extmath import randomized_svd

    count = min(DIRECTIONS, index.dimension, len(index))
    drawn = np.random.default_rng(0).choice(len(index), min(SAMPLE, len(index)), replace=False)
    sample = np.asarray(index.vectors[np.sort(drawn)], np.float32)
    mean = sample.mean(axis=0)
    _, _, directions = randomized_svd(sample - mean, count, random_state=0)
    # Orthogonal to float64's exactness: the bound rests on it.
    turned = np.linalg.qr(np.asarray(directions, np.float64).T)[0].astype(np.float32)
    result = np.empty((len(index), count + 1), np.float32)
    for start in range(0, len(index), BLOCK):
        block = np.asarray(index.vectors[start : start + BLOCK], np.float32) - mean
        kept = block @ turned
        left = np.square(block).sum(axis=1) - np.square(kept).sum(axis=1)
        result[start : start + BLOCK, :count] = kept
        result[start : start + BLOCK, count] = np.sqrt(np.maximum(left, 0))
    return result


def _candidates(
    short: np.ndarray, farthest: float, stage: Stage
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of rows, the first before the second, that are no farther apart (squared)."""
    halves = np.square(short).sum(axis=1) / 2
    reach = float(np.sqrt(farthest))
    for start in range(0, len(short), BLOCK):
        block = slice(start, min(start + BLOCK, len(short)))
        beyond = float(short[block.stop - 1, 0]) + reach
        for other in range(start, len(short), BLOCK):
            if float(short[other, 0]) > beyond:
                break
            others = slice(other, min(other + BLOCK, len(short)))
            near = short[block] @ short[others].T
            near -= halves[others]
            first, second = np.nonzero(near >= halves[block][:, None] - farthest / 2)
            first, second = first + start, second + other
            later = first < second
            yield first[later], second[later]
        stage.advance(block.stop - start)


class _Bytes:
    """A part of the appearances, whose rows are turned to length 1 where they are looked at."""

    def __init__(self, index: Index, columns: slice) -> None:
        self.rows = np.ascontiguousarray(index.descriptors[:, columns])

    def cosines(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        result = np.empty(len(one), np.float32)
        for start in range(0, len(one), BLOCK * 4):
            some = slice(start, start + BLOCK * 4)
            first, second = unit_bytes(self.rows[one[some]]), unit_bytes(self.rows[other[some]])
            result[some] = np.einsum("nd,nd->n", first, second)
        return result


def _cosines(vectors: Matrix, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    result = np.empty(len(one), np.float32)
    for start in range(0, len(one), BLOCK):
        some = slice(start, start + BLOCK)
        first = np.asarray(vectors[one[some]], np.float32)
        second = np.asarray(vectors[other[some]], np.float32)
        result[some] = np.einsum("nd,nd->n", first, second)
    return result
