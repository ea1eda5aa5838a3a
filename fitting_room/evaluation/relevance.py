"""Which items are right for a query: those with its labels, or with a value that a mapping names
for its class and one of the colours that it may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fitting_room.catalogue.label_mapping import LabelMapping
from fitting_room.evaluation.queries import CLASS, Queries
from fitting_room.evaluation.results import ALL, BOTH, COLOUR, OptionError
from fitting_room.index.index import Index

#: Columns that are judged where nobody named any: those of them that both sides have, and where
#: there are none, the class folders.
DEFAULT_COLUMNS = ("articleType", "baseColour", "gender")


@dataclass(frozen=True, slots=True, eq=False)
class Relevance:
    """What makes a result right. ``gallery``, int64 ``(N,)``, and ``queries``, ``(Q,)``, are codes
    of labels, -1 where there is none; ``values`` are the labels of the queries' codes. ``allowed``
    are the gallery's codes that are right for each code of a query, or ``None`` where codes are
    the same on both sides. ``groups``, int64 ``(Q,)``, are the places in ``values`` by which the
    queries are counted, -1 for none, where that is not by their code."""

    gallery: np.ndarray
    queries: np.ndarray
    values: Sequence[str] = ()
    allowed: Sequence[np.ndarray] | None = None
    groups: np.ndarray | None = None

    def is_right(self, query: int, rows: np.ndarray) -> np.ndarray:
        """Which rows of the index are right for a query, bool ``(len(rows),)``. Nothing is for a
        query without a label, and a row of -1 never is."""
        code, codes = self.queries[query], self.gallery[rows]
        if code < 0:
            return np.zeros(len(rows), bool)
        same = codes == code if self.allowed is None else np.isin(codes, self.allowed[code])
        return np.asarray(same & (rows >= 0))

    def count(self, gallery: np.ndarray) -> np.ndarray:
        """How many of the items that ``gallery``, bool ``(N,)``, marks are right for each code of
        a query, int ``(codes,)``."""
        codes = self.gallery[gallery & (self.gallery >= 0)]
        highest = int(max(self.gallery.max(initial=-1), self.queries.max(initial=-1)))
        counts = np.bincount(codes, minlength=highest + 1)
        if self.allowed is None:
            return counts
        return np.array([counts[codes].sum() for codes in self.allowed], np.int64)


def find_relevance(
    index: Index, queries: Queries, columns: Sequence[str] | None
) -> dict[str, Relevance]:
    """The relevance by each of ``columns`` (or the usual ones), and by all of them together under
    ``"all"``; with a mapping by ``"class"`` alone, or with colours by ``"class"``, ``"colour"`` and
    ``"both"``. Raises :class:`OptionError`."""
    if queries.mapping is None:
        by_column = {
            column: column_relevance(index.items[column], queries.items[column])
            for column in _check_columns(index, queries, columns)
        }
        return {**by_column, ALL: combine_columns(list(by_column.values()))}
    if columns is not None:
        raise OptionError("Columns and a mapping do not go together: the mapping is judged.")
    kind = class_relevance(index, queries, queries.mapping)
    if queries.colours is None:
        return {CLASS: kind}
    colour = colour_relevance(index, queries, queries.colours.column)
    # Hundreds of sets of colours have a photograph or two each, so they are counted by class.
    colour = replace(colour, values=kind.values, groups=kind.queries)
    return {CLASS: kind, COLOUR: colour, BOTH: right_in_both(kind, colour)}


def class_relevance(index: Index, queries: Queries, mapping: LabelMapping) -> Relevance:
    """Right is what has a value that ``mapping`` names for the query's class. Raises
    :class:`OptionError`."""
    gallery, kinds = _gallery_codes(index, mapping.column, "a mapping")
    codes, classes = pd.factorize(queries.items[CLASS].astype("string"))
    allowed = [np.flatnonzero(kinds.isin(mapping.values[name])) for name in classes]
    return Relevance(gallery, codes, list(classes), allowed)


def colour_relevance(index: Index, queries: Queries, column: str) -> Relevance:
    """Right is what has one of the query's acceptable words in ``column``. Raises
    :class:`OptionError`."""
    gallery, colours = _gallery_codes(index, column, "colours")
    sets = [words for words in dict.fromkeys(queries.words) if words]
    code_of = {words: code for code, words in enumerate(sets)}
    codes = np.array([code_of.get(words, -1) for words in queries.words], np.int64)
    return Relevance(gallery, codes, (), [np.flatnonzero(colours.isin(words)) for words in sets])


def right_in_both(kind: Relevance, colour: Relevance) -> Relevance:
    """Right is what is right in both, by pairs of codes. A query that lacks one of the labels is
    left out, and such an item is never right. Both have ``allowed``."""
    gallery, pairs = _pairs(kind.gallery, colour.gallery)
    queries, asked = _pairs(kind.queries, colour.queries)
    kinds, colours = kind.allowed or (), colour.allowed or ()
    allowed = [
        np.flatnonzero(np.isin(pairs[:, 0], kinds[one]) & np.isin(pairs[:, 1], colours[other]))
        for one, other in asked.tolist()
    ]
    return Relevance(gallery, queries, kind.values, allowed, kind.queries)


def _pairs(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes of the pairs of two rows of codes, int64 ``(N,)``, -1 where either is; and the pair of
    each code, int64 ``(codes, 2)``."""
    missing = (one < 0) | (other < 0)
    pairs, inverse = np.unique(np.stack([one, other], 1)[~missing], axis=0, return_inverse=True)
    codes = np.full(len(one), -1, np.int64)
    codes[~missing] = inverse.reshape(-1)
    return codes, pairs


def _gallery_codes(index: Index, column: str, what: str) -> tuple[np.ndarray, pd.Index]:
    if column not in index.filter_columns:
        raise OptionError(
            f"{index.folder}: there is no column {column!r} that {what} could name. The "
            f"catalogue has: {', '.join(index.filter_columns)}."
        )
    codes, values = pd.factorize(index.items[column].astype("string"))
    return codes, pd.Index(values)


def _check_columns(index: Index, queries: Queries, columns: Sequence[str] | None) -> list[str]:
    shared = [name for name in index.filter_columns if name in queries.labels and name != ALL]
    if columns is None:
        columns = [name for name in DEFAULT_COLUMNS if name in shared]
        columns = columns or [name for name in shared if name == CLASS]
        if not columns:
            raise OptionError(
                f"{queries.location}: none of the usual columns {', '.join(DEFAULT_COLUMNS)} is "
                "both here and in the index. Name others with --columns: "
                f"{', '.join(shared) or 'there are none, give a mapping'}."
            )
    if not columns:
        raise OptionError("Name at least one column to judge by.")
    for column in columns:
        if column not in shared:
            raise OptionError(
                f"There is no column {column!r} both in {queries.location} and in {index.folder} "
                f"to judge by. They share: {', '.join(shared) or 'none'}."
            )
    return list(dict.fromkeys(columns))


def column_relevance(gallery: pd.Series, queries: pd.Series) -> Relevance:
    """Right is what has the query's label in one column."""
    codes, values = pd.factorize(pd.concat([gallery.astype("string"), queries.astype("string")]))
    return Relevance(codes[: len(gallery)], codes[len(gallery) :], [str(v) for v in values])


def combine_columns(columns: Sequence[Relevance]) -> Relevance:
    """Right is what is right in every column. A query that lacks one of the labels is left out,
    and such an item is never right."""
    size = len(columns[0].gallery)
    combined = np.concatenate([columns[0].gallery, columns[0].queries])
    for column in columns[1:]:
        codes = np.concatenate([column.gallery, column.queries])
        missing = (combined < 0) | (codes < 0)
        pairs = combined * (int(codes.max(initial=0)) + 1) + codes
        combined = np.where(missing, -1, pd.factorize(pairs)[0])
    return Relevance(combined[:size], combined[size:])
