"""Near-duplicates of a catalogue, as groups to review.

A distance never grows when rows are projected onto a few directions, with the length of what that
leaves out as one more number. So pairs that are far apart there are far apart altogether, and only
the others are compared in full: nothing is missed, and memory holds one block of pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fitting_room.imaging.descriptors import COLOURS, SILHOUETTE
from fitting_room.index.index import SAME_COLOURS, SAME_SHAPE, Index
from fitting_room.index.marks import Marks
from fitting_room.index.scoring import unit_bytes
from fitting_room.search.export import safe_csv
from fitting_room.util.linear import principal_directions
from fitting_room.util.progress import Listener, Stage, ignore

#: Directions that rows are projected onto, and rows that the directions are learned from.
DIRECTIONS, SAMPLE = 64, 4_000
#: Rows of either side of a block of pairs; two blocks of float32 distances are 16 MB each.
BLOCK = 2_048
#: How far a distance computed in float32 may be from the exact one.
ERROR = 1e-4
#: What the items of a group have in common, the surest first: their pictures are the same files, to
#: the byte; the same picture in another size or compression; or they look all but the same.
IDENTICAL, COPIES, LOOK_ALIKES = LIKENESSES = ("identical", "copies", "look-alikes")


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of the index, one of each item, in the catalogue's order; all are near-duplicates of
    ``first``, and their pictures are what ``likeness``, one of :data:`LIKENESSES`, says. ``copies``
    are those that show the very picture of the first, itself among them, or none."""

    first: int
    rows: tuple[int, ...]
    likeness: str
    copies: tuple[int, ...] = ()

    @property
    def identical(self) -> bool:
        return self.likeness == IDENTICAL

    def __len__(self) -> int:
        return len(self.rows)


def find(index: Index, listener: Listener = ignore) -> list[Group]:
    """Groups of items whose embeddings, colours and silhouettes agree as those of copies do (as in
    :meth:`Index.near_duplicates`): identical ones, then copies, then look-alikes, of each the
    largest first. An item is in one group at most, by one of its pictures; pictures of one item are
    no duplicates of each other."""
    duplicates = _pairs(index, listener)
    groups = []
    grouped, items = np.zeros(index.item_count, bool), index.item_numbers(np.arange(len(index)))
    # The item with most duplicates comes first, so that a group forms around its middle.
    for row in sorted(duplicates, key=lambda row: (-len(duplicates[row]), row)):
        others = [other for other in duplicates[row] if not grouped[items[other]]]
        if grouped[items[row]] or not others:
            continue
        rows = tuple(sorted(index.once(np.array([row, *others])).tolist()))
        grouped[items[list(rows)]] = True
        groups.append(_group(index, row, rows))
    order = {likeness: place for place, likeness in enumerate(LIKENESSES)}
    return sorted(groups, key=lambda group: (order[group.likeness], -len(group), group.rows[0]))


def ids_of(index: Index, group: Group) -> tuple[str, ...]:
    """The ids of a group's items, by which it is marked."""
    return tuple(map(str, index.items["id"].iloc[list(group.rows)]))


def as_csv(index: Index, groups: Sequence[Group], marks: Marks) -> str:
    """Groups as a csv: the number of the group, what its pictures have in common, whether they are
    the same files, how the group is marked, whether an item shares its picture with others of the
    group, and what the catalogue says of it."""
    columns = index.filter_columns
    heads = "group", "likeness", "identical", "mark", "same_picture"
    cells: list[tuple[object, ...]] = [(*heads, *columns)]
    for number, group in enumerate(groups, 1):
        items = index.items.iloc[list(group.rows)][columns].astype("string").fillna("")
        identical, mark = "yes" if group.identical else "no", marks.of(ids_of(index, group)) or ""
        of_group = number, group.likeness, identical, mark
        for row, item in zip(group.rows, items.itertuples(index=False), strict=True):
            cells.append((*of_group, "yes" if row in group.copies else "no", *item))
    return safe_csv(cells)


def _group(index: Index, first: int, rows: tuple[int, ...]) -> Group:
    """Rows with what all of them have in common with the ``first``."""
    some = list(rows)
    same = index.copies_of(first, np.array(some))
    copies = tuple(np.array(some)[same].tolist()) if same.sum() > 1 else ()
    likeness = COPIES if same.all() else LOOK_ALIKES
    if "digest" in index.items and index.items["digest"].iloc[some].nunique() == 1:
        likeness = IDENTICAL
    return Group(first, rows, likeness, copies)


def _pairs(index: Index, listener: Listener) -> dict[int, list[int]]:
    """The near-duplicates of each row that has any."""
    short = _shortened(index)
    # Along the direction of greatest variance rows that are far apart end up in far blocks.
    order = np.argsort(short[:, 0], kind="stable")
    colours, silhouettes = (
        np.ascontiguousarray(index.descriptors[:, part]) for part in (COLOURS, SILHOUETTE)
    )
    measures: list[tuple[Callable[[np.ndarray], np.ndarray], float]] = [
        (lambda rows: unit_bytes(silhouettes[rows]), SAME_COLOURS),
        (lambda rows: unit_bytes(colours[rows]), SAME_COLOURS),
        (lambda rows: np.asarray(index.untaught[rows], np.float32), SAME_SHAPE),
    ]
    duplicates: dict[int, list[int]] = {}
    stage = Stage("Looking for look-alikes", len(index), "item", listener)
    for first, second in _candidates(short[order], 2 - 2 * SAME_SHAPE + ERROR, stage):
        one, other = order[first], order[second]
        for unit_rows, least in measures:
            similar = _cosines(unit_rows, one, other) >= least
            one, other = one[similar], other[similar]
        different = index.item_numbers(one) != index.item_numbers(other)
        one, other = one[different], other[different]
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            duplicates.setdefault(a, []).append(b)
            duplicates.setdefault(b, []).append(a)
    return duplicates


def _shortened(index: Index) -> np.ndarray:
    """Rows projected onto some directions, and the length of what that leaves out of each, float32
    ``(N, DIRECTIONS + 1)``. Two rows are at least as far apart as these are."""
    count = min(DIRECTIONS, index.untaught.shape[1], len(index))
    drawn = np.random.default_rng(0).choice(len(index), min(SAMPLE, len(index)), replace=False)
    sample = np.asarray(index.untaught[np.sort(drawn)], np.float32)
    mean = sample.mean(axis=0)
    directions = principal_directions(sample, count)
    # Orthogonal to float64's exactness: the bound rests on it.
    basis = np.linalg.qr(np.asarray(directions, np.float64).T)[0].astype(np.float32)
    result = np.empty((len(index), count + 1), np.float32)
    for start in range(0, len(index), BLOCK):
        block = np.asarray(index.untaught[start : start + BLOCK], np.float32) - mean
        kept = block @ basis
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
            others = slice(other, other + BLOCK)
            products = short[block] @ short[others].T
            products -= halves[others]
            first, second = np.nonzero(products >= halves[block][:, None] - farthest / 2)
            first, second = first + start, second + other
            later = first < second
            yield first[later], second[later]
        stage.advance(block.stop - start)


def _cosines(
    unit_rows: Callable[[np.ndarray], np.ndarray], one: np.ndarray, other: np.ndarray
) -> np.ndarray:
    result = np.empty(len(one), np.float32)
    for start in range(0, len(one), BLOCK):
        block = slice(start, start + BLOCK)
        result[block] = np.einsum("nd,nd->n", unit_rows(one[block]), unit_rows(other[block]))
    return result
