"""Making a head at home in a catalogue whose labels it was not taught.

A head draws items towards where it learned that their labels lie. A catalogue may have labels that
it never saw: those lie where their own items do (the nearest class mean of Mensink et al. 2013).
Without it, items of kinds that it knows would be drawn together and the others left behind. And
where such a label is no other name of one that it knows, its last layer is corrected by ridge
regression, so that pictures of these items come to lie nearer to them. Both need no training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from fitting_room.catalogue.kind_column import KIND_COLUMNS, kind_column
from fitting_room.catalogue.schema import columns_like
from fitting_room.imaging.features import normalise
from fitting_room.index.head import MAX_COLUMNS, Head, places_of

#: What the hidden layer makes of some items, by their rows: float32 ``(n, H)``.
HiddenUnits = Callable[[np.ndarray], np.ndarray]

#: A column with more values than this says what an item is called and not of what kind it is.
MOST_LABELS = 2_000
BLOCK = 4_096
#: A label whose items lie as near as this (a cosine) to where another lies that the head was taught
#: is that one by another name. Of 65 article types that a head was taught 53 lie as near to their
#: own (0.98 of the items), of 22 that it was not none to any.
BY_ANOTHER_NAME = 0.75
#: How much longer than others the proxies of such labels are, which draw that much more: a mean of
#: items that nothing was learned of lies nearer to all others.
LENGTH = 1.5
#: How far the last layer is corrected: so many times the way to where the items are drawn; its
#: ridge, as a share of the mean square of a hidden unit, and as if so many more items kept still;
#: and the most items it is learned from. Chosen by evaluation on article types that a head was not
#: taught: docs/decisions/042-a-last-layer-for-new-labels.md.
BEYOND, RIDGE, STILL_ITEMS, MOST_ITEMS = 1.5, 0.03, 10_000, 100_000


def adapted(
    head: Head, items: pd.DataFrame, hidden_units: HiddenUnits, *, projected_before: bool = False
) -> Head:
    """``head`` with the labels of the catalogue's ``items`` beside those that it was taught, in its
    columns and, where it has none for the kind of an item, in the catalogue's own. Where other
    items were ``projected_before`` with its last layer, this stays as it is."""
    missing = _missing(head, items)
    if not missing:
        return head
    means = _means(head, items, missing, hidden_units)
    known = np.concatenate([head.proxies[column] for column in head.columns])
    new = {c: (of_column @ known.T).max(axis=1) < BY_ANOTHER_NAME for c, of_column in means.items()}
    if projected_before:
        new = {column: np.zeros_like(of_column) for column, of_column in new.items()}
    labels, proxies, weights = dict(head.labels), dict(head.proxies), dict(head.weights)
    for column, added in missing.items():
        before = proxies.get(column, np.empty((0, head.dimension), np.float32))
        lengths = np.where(new[column], 1, LENGTH)[:, None]
        labels[column] = (*labels.get(column, ()), *added)
        proxies[column] = np.concatenate([before, lengths * means[column]], dtype=np.float32)
        weights.setdefault(column, 1.0)
    head = replace(head, columns=tuple(labels), labels=labels, proxies=proxies, weights=weights)
    is_new = np.zeros(len(items), bool)
    for column, of_column in new.items():
        is_new |= items[column].isin(np.array(missing[column])[of_column]).to_numpy(bool)
    return _corrected(head, items, is_new, hidden_units) if is_new.any() else head


def _means(
    head: Head,
    items: pd.DataFrame,
    labels: Mapping[str, tuple[str, ...]],
    hidden_units: HiddenUnits,
) -> dict[str, np.ndarray]:
    """Where the items of each label lie, unit rows by column."""
    codes = {column: places_of(items[column], of_column) for column, of_column in labels.items()}
    sums = {c: np.zeros((len(of_column), head.dimension)) for c, of_column in labels.items()}
    for rows in _blocks(np.arange(len(items))):
        projected = normalise(head.last_layer(hidden_units(rows)))
        for column, of_column in codes.items():
            known = of_column[rows] >= 0
            np.add.at(sums[column], of_column[rows][known], projected[known])
    return {column: normalise(of_column) for column, of_column in sums.items()}


def _corrected(
    head: Head, items: pd.DataFrame, is_new: np.ndarray, hidden_units: HiddenUnits
) -> Head:
    """``head`` with a last layer that brings items of new labels towards where they are drawn and
    leaves all others where they are, as far as one layer can."""
    chosen = np.arange(0, len(items), -(-len(items) // MOST_ITEMS))
    width = head.output_weight.shape[1] + 1
    gram, wanted = np.zeros((width, width)), np.zeros((width, head.dimension))
    for rows in _blocks(chosen):
        units = hidden_units(rows)
        new = is_new[rows]
        found = head.last_layer(units[new])
        drawn = head.draw(normalise(found), items.iloc[rows[new]])
        way = drawn * np.linalg.norm(found, axis=1, keepdims=True) - found
        units = np.hstack([units, np.ones((len(units), 1), np.float32)])  # the last is the bias
        gram += units.T @ units
        wanted += units[new].T @ way
    ridge = RIDGE * (1 + STILL_ITEMS / len(chosen)) * np.trace(gram) / width
    change = BEYOND * np.linalg.solve(gram + ridge * np.eye(width), wanted).T
    weight = np.asarray(head.output_weight + change[:, :-1], np.float32)
    return replace(
        head,
        output_weight=weight,
        output_bias=np.asarray(head.output_bias + change[:, -1], np.float32),
    )


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]


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
