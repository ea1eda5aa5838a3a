"""Making a head at home in a catalogue whose labels it was not taught.

A head draws items towards where it learned that their labels lie. A catalogue may have labels that
it never saw: those lie where their own items do (the nearest class mean of Mensink et al. 2013),
which needs no training. Without it, items of kinds that it knows would be drawn together and the
others left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from fitting_room.catalogue.kind_column import KIND_COLUMNS, kind_column
from fitting_room.catalogue.schema import columns_like
from fitting_room.imaging.features import normalise
from fitting_room.index.head import MAX_COLUMNS, Head, places_of

#: A column with more values than this says what an item is called and not of what kind it is.
MOST_LABELS = 2_000
BLOCK = 4_096
#: How much longer than others the proxies of such labels are, which draw that much more: a mean of
#: items that nothing was learned of lies nearer to all others. Chosen by evaluation on article
#: types that a head was not taught: docs/decisions/024-a-packaged-head.md.
LENGTH = 1.5


def adapted(head: Head, items: pd.DataFrame, project: Callable[[slice], np.ndarray]) -> Head:
    """``head`` with the labels of the catalogue's ``items`` beside those that it was taught, in its
    columns and, where it has none for the kind of an item, in the catalogue's own. ``project``
    answers what the head makes of some rows, float32 ``(n, E)``."""
    missing = _missing(head, items)
    if not missing:
        return head
    codes = {column: places_of(items[column], labels) for column, labels in missing.items()}
    sums = {c: np.zeros((len(labels), head.dimension)) for c, labels in missing.items()}
    for start in range(0, len(items), BLOCK):
        rows = slice(start, min(start + BLOCK, len(items)))
        projected = project(rows)
        for column, of_column in codes.items():
            known = of_column[rows] >= 0
            np.add.at(sums[column], of_column[rows][known], projected[known])
    labels, proxies, weights = dict(head.labels), dict(head.proxies), dict(head.weights)
    for column, added in missing.items():
        before = proxies.get(column, np.empty((0, head.dimension), np.float32))
        labels[column] = (*labels.get(column, ()), *added)
        proxies[column] = np.concatenate([before, LENGTH * normalise(sums[column])])
        weights.setdefault(column, 1.0)
    return replace(head, columns=tuple(labels), labels=labels, proxies=proxies, weights=weights)


def _missing(head: Head, items: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """The labels of ``items`` that the head does not know, by column."""
    columns = [column for column in head.columns if column in items]
    if not columns_like(KIND_COLUMNS, columns) and len(head.columns) < MAX_COLUMNS:
        kinds = kind_column(items)
        columns += [] if kinds is None else [kinds.column]
    missing = {}
    for column in columns:
        values = {str(value) for value in items[column].dropna().unique()} - {""}
        if len(values) <= MOST_LABELS and (new := values - set(head.labels.get(column, ()))):
            missing[column] = tuple(sorted(new))
    return missing
