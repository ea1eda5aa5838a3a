"""The labels that a training learns from, and the items that it is validated on."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
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
    """The catalogue's labels joined to the index's items by id. Raises :class:`TrainingError`
    when too few items are in both, or there is nothing to learn."""
    in_both = index.items["id"].isin(catalogue.items["id"]).to_numpy(bool)
    if in_both.mean() < MIN_IN_CATALOGUE:
        raise TrainingError(
            f"{index.folder}: of its {len(index):,} items only {int(in_both.sum()):,} are in "
            f"{catalogue.location}. Build the index from that catalogue first: fitting-room build "
            f"{catalogue.location} --index {index.folder}"
        )
    columns = _columns_to_learn(catalogue, options)
    table = catalogue.items.set_index("id")[columns].reindex(index.items["id"])
    taking_part = in_both & table.notna().any(axis=1).to_numpy()
    if options.holdout is not None:
        taking_part &= ~held_out(index.items["id"], options.holdout)
    labels = _labels(table[taking_part])
    if not labels or taking_part.sum() < MIN_ITEMS:
        raise TrainingError(
            f"{catalogue.location}: nothing to learn. At least {MIN_ITEMS} items with labels are "
            f"needed, of at least two kinds, in one of the columns {', '.join(columns)}."
        )
    train, validation = _split(np.flatnonzero(taking_part), index.items, options.seed)
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


def _split(rows: np.ndarray, items: pd.DataFrame, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and rows to validate on. A picture that several items share is on one
    side only: it would find itself."""
    groups, digests = pd.factorize(items["digest"].iloc[rows])
    count = max(1, round(VALIDATION_FRACTION * len(digests)))
    # By a hash rather than at random: a catalogue that grows mostly keeps its validation items.
    hashes = [zlib.crc32(f"{seed} {digest}".encode()) for digest in digests]
    validating = np.isin(groups, np.argsort(hashes, kind="stable")[:count])
    if validating.all():
        raise TrainingError("All items have the same picture: there is nothing to learn.")
    return rows[~validating], rows[validating]
