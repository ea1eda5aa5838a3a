"""Where the items of an index live: the one protocol that the search, the page, the API and the
command line ask, whether the rows are on this machine's disk or in a database.

A row is a picture of an item, and its number is the picture's place in the catalogue: int64, and
equally similar ones are answered in that order. What an engine must not decide stays outside:
similarities are summed here, exactly, from the rows themselves (:mod:`fitting_room.index.scoring`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from fitting_room.index.filters import EVERYTHING, Filter

#: The weighted parts of some queries by what they compare, ``LEARNED`` and the others of
#: :mod:`fitting_room.index.scoring`, each float32 ``(Q, d)``: a similarity is the sum of their dot
#: products.
Question = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows, in ascending order: their numbers ``rows`` and the row of the first picture of
    each one's item, ``firsts``, int64 ``(n,)``; the ``table`` of ``n`` rows, text or missing, with
    the columns ``id``, ``image``, ``digest`` and the catalogue's own; the embeddings ``vectors``
    ``(n, D)``, float32; ``descriptors`` ``(n, DESCRIPTOR_LENGTH)``, uint8; and where the index has
    a head what it makes of them, ``trained`` ``(n, E)``, and the embeddings of the network that it
    brings, ``head_vectors`` ``(n, H)``."""

    rows: np.ndarray
    firsts: np.ndarray
    table: pd.DataFrame
    vectors: np.ndarray
    descriptors: np.ndarray
    trained: np.ndarray | None = None
    head_vectors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """How many items have each value, by column; ``estimated`` says that they were counted on a
    sample."""

    by_column: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    estimated: bool = False


class ItemStore(Protocol):
    """Where items live. Safe to share between threads. Methods raise ``IndexUnusable`` where the
    items cannot be had."""

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    def candidates(
        self, question: Question, n: int, where: Filter, *, trained: bool
    ) -> list[np.ndarray] | None:
        """For each query the rows, ascending, among which the ``n`` best that ``where`` lets
        through are expected, or all of these; ``None`` where it is as well to compare all rows.
        ``trained`` says that the head's view is asked for."""
        ...

    def block(self, rows: np.ndarray) -> Block:
        """Those of some rows, ascending, that are there."""
        ...

    def cells(self, column: str, rows: np.ndarray) -> list[Any]:
        """What a column says of some rows; ``None`` or NaN where nothing, or there is no such
        column."""
        ...

    def passes(self, where: Filter, rows: np.ndarray) -> np.ndarray:
        """Which of some rows a filter lets through, bool ``(len(rows),)``."""
        ...

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        """The rows of the pictures of the items of some ids, ascending."""
        ...

    def firsts(self, rows: np.ndarray) -> np.ndarray:
        """The row of the first picture of the item of each of some rows."""
        ...

    def count(self, where: Filter) -> int:
        """How many rows a filter lets through."""
        ...

    def counts(self, columns: Sequence[str], where: Filter) -> ValueCounts:
        """How many items that ``where`` lets through have each value of some columns, the most
        frequent first."""
        ...

    def scan(self, where: Filter, most: int, after: int = -1) -> np.ndarray:
        """The first so many rows beyond the row ``after`` that a filter lets through, ascending."""
        ...

    def combinations(
        self, parts: Sequence[Filter], where: Filter = EVERYTHING
    ) -> list[tuple[bool, ...]]:
        """Which of some filters let rows through together: one entry for each way that there is
        among the rows that ``where`` lets through, one value for each filter."""
        ...

    def values(self, column: str) -> Mapping[str, int]:
        """The values of a column in the order of the catalogue, and how many rows have each."""
        ...

    def common_words(self, most: int) -> Sequence[str]:
        """The words of the items' names, the commonest first."""
        ...
