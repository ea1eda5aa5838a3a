"""The labels that a training learns from, and the items that it is validated on."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fitting_room.catalogue.catalogue import Catalogue
from fitting_room.catalogue.schema import held_out
from fitting_room.index.head import places_of
from fitting_room.index.index import Index
from fitting_room.learning.options import DEFAULT_COLUMNS, TrainingError, TrainingOptions

MIN_ITEMS = 10
#: Part of an index's items that the catalogue must have, else it is another catalogue.
MIN_IN_CATALOGUE = 0.5
MAX_LABELS = 20_000
#: Part of the items that the epochs are validated on.
VALIDATION_FRACTION = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Labels of an index's items. ``codes[column]`` is int64 ``(N,)``, the place of each item's
    label in ``labels[column]`` or -1; ``train`` and ``validation`` are rows, apart from each other
    and from what is held out. ``table`` has the columns, one row for each of the ``N`` items."""

    labels: Mapping[str, tuple[str, ...]]
    codes: Mapping[str, np.ndarray]
    table: pd.DataFrame
    train: np.ndarray
    validation: np.ndarray

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.labels)

    def codes_of(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {column: codes[rows] for column, codes in self.codes.items()}


def training_set_from(catalogue: Catalogue, index: Index, options: TrainingOptions) -> TrainingSet:
    """The catalogue's labels joined to the index's pictures by the ids of their items, so that
    pictures of one item have the same labels. Raises :class:`TrainingError` when too few items are
    in both, or there is nothing to learn."""
    in_both = index.items["id"].isin(catalogue.items["id"]).to_numpy(bool)
    if in_both.mean() < MIN_IN_CATALOGUE:
        raise TrainingError(
            f"{index.folder}: of its {index.item_count:,} items only "
            f"{_items_at(in_both, index):,} are in "
            f"{catalogue.location}. Build the index from that catalogue first: fitting-room build "
            f"{catalogue.location} --index {index.folder}"
        )
    columns = _columns_to_learn(catalogue, options)
    labelled = catalogue.items.drop_duplicates("id").set_index("id")
    table = labelled[columns].reindex(index.items["id"])
    taking_part = in_both & table.notna().any(axis=1).to_numpy()
    if options.holdout is not None:
        taking_part &= ~held_out(index.items["id"], options.holdout)
    labels = _labels(table[taking_part])
    if not labels or _items_at(taking_part, index) < MIN_ITEMS:
        raise TrainingError(
            f"{catalogue.location}: nothing to learn. At least {MIN_ITEMS} items with labels are "
            f"needed, of at least two kinds, in one of the columns {', '.join(columns)}."
        )
    train, validation = _split(np.flatnonzero(taking_part), index, options.seed)
    codes = {column: places_of(table[column], labels[column]) for column in labels}
    return TrainingSet(labels, codes, table[list(labels)], train, validation)


def _columns_to_learn(catalogue: Catalogue, options: TrainingOptions) -> list[str]:
    missing = [column for column in options.columns if column not in catalogue.attributes]
    present = [column for column in options.columns if column not in missing]
    if not present or (missing and options.columns != DEFAULT_COLUMNS):
        raise TrainingError(
            f"{catalogue.location}: the catalogue has no column {missing[0]!r}. It has: "
            f"{', '.join(catalogue.attributes) or 'none'}. Name some of them with --columns."
        )
    return list(dict.fromkeys(present))


def _labels(table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    labels = {str(column): tuple(sorted(set(table[column].dropna()))) for column in table}
    for column, values in labels.items():
        if len(values) > MAX_LABELS:
            raise TrainingError(
                f"The column {column!r} has {len(values):,} different values, too many to learn. "
                "Leave it out of --columns."
            )
    # A column with one value tells no items apart.
    return {column: values for column, values in labels.items() if len(values) > 1}


def _items_at(rows: np.ndarray, index: Index) -> int:
    """Of how many items some rows, bool ``(N,)``, are."""
    return len(index.once(np.flatnonzero(rows)))


def _split(rows: np.ndarray, index: Index, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and rows to validate on. The pictures of an item, and a picture that
    several items share, are on one side only: they would find themselves."""
    groups, names = _apart(rows, index)
    count = max(1, round(VALIDATION_FRACTION * len(names)))
    # By a hash rather than at random: a catalogue that grows mostly keeps its validation items.
    hashes = [zlib.crc32(f"{seed} {name}".encode()) for name in names]
    validating = np.isin(groups, np.argsort(hashes, kind="stable")[:count])
    if validating.all():
        raise TrainingError("All items have the same picture: there is nothing to learn.")
    return rows[~validating], rows[validating]


def _apart(rows: np.ndarray, index: Index) -> tuple[np.ndarray, Sequence[str]]:
    """The number of the group of each row, and a name for each group. Rows of two groups are of
    different items and hold different pictures."""
    pictures, digests = pd.factorize(index.items["digest"].iloc[rows])
    if index.items_of_rows is None:
        return pictures, list(map(str, digests))
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    items, _ = pd.factorize(index.items_of_rows[rows])
    # A graph of pictures and items, with a link where a picture is of an item.
    size = len(digests) + int(items.max()) + 1
    links = coo_array((np.ones(len(rows), bool), (pictures, len(digests) + items)), (size, size))
    groups = connected_components(links, directed=False)[1][pictures]
    groups, first = pd.factorize(groups)[0], pd.Series(groups).drop_duplicates().index
    return groups, index.items["id"].iloc[rows[first]].astype(str).tolist()
