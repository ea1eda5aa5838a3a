"""What a database must be able to do to hold the items of an index: the smallest set that an engine
is asked for. Everything else, such as scoring, is done outside of it
(:class:`fitting_room.index.item_store.ItemStore`, :mod:`fitting_room.databases.items`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from fitting_room.index.filters import Filter
from fitting_room.index.item_store import Block
from fitting_room.index.layout import Layout


class NewRows(NamedTuple):
    """Rows to be written: a ``block``, the ``codes`` that candidates are found by, float32 ``(n,
    width)``, and of each row the ``terms`` of its item's name: stems of words, and of every two
    words beside each other both with a blank between them."""

    block: Block
    codes: np.ndarray
    terms: Sequence[Sequence[str]]


class Database(Protocol):
    """One version of the items of an index in a database. Safe to share between threads. Methods
    raise :class:`fitting_room.databases.address.DatabaseError`, which names the server and never a
    password, where it does not answer or answers nonsense.

    A filter's :class:`fitting_room.index.filters.Named` is answered by ``terms``: a row has the
    name where it has all the terms that :func:`fitting_room.databases.terms.terms_of_words` makes
    of the words.
    """

    layout: Layout
    #: The version's name.
    version: str

    def candidates(self, code: np.ndarray, n: int, where: Filter, *, wide: bool = False) -> Block:
        """About the ``n`` rows whose codes have the greatest dot product with ``code``, float32
        ``(width,)``, among those that ``where`` lets through; ``wide`` looks further, for longer.
        May be fewer."""
        ...

    def block(self, rows: np.ndarray) -> Block:
        """Those of some rows that are there, at most some thousand of them."""
        ...

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        """The rows of the pictures of the items of some ids, int64, ascending."""
        ...

    def count(self, where: Filter) -> int:
        """How many rows a filter lets through, as of now."""
        ...

    def counts(self, column: str, where: Filter, most: int) -> Mapping[str, int] | None:
        """How many rows that ``where`` lets through have each of the ``most`` most frequent values
        of a column, or ``None`` where the engine cannot count so."""
        ...

    def scan(self, where: Filter, most: int, after: int = -1) -> np.ndarray:
        """The first so many rows beyond ``after`` that a filter lets through, int64, ascending."""
        ...

    def write(self, new: NewRows) -> None:
        """Put rows in place of those of the same numbers, if any. They are there for good once
        this returns, and are found within seconds."""
        ...

    def remove(self, rows: np.ndarray) -> None:
        """Remove rows."""
        ...

    def record(self) -> bytes:
        """What :meth:`publish` was given."""
        ...

    def publish(self, record: bytes) -> None:
        """Make this version, with a ``record`` of some megabytes about it, the one that is opened
        from now on, at once and whole; earlier versions are removed. What was written before is
        found after this returns. On the version that is opened already it replaces the record."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class Engine(Protocol):
    """Makes and opens versions of the items at an address, ``milvus://HOST:PORT/NAME``."""

    def create(self, address: str, layout: Layout, version: str) -> Database:
        """A new, empty version of that name (letters and digits), or the unpublished one that is
        there already, of the same layout. Other unpublished versions stay."""
        ...

    def open(self, address: str, version: str | None = None) -> Database:
        """The published version, or one of that name, published or not. Raises ``IndexUnusable``,
        which says how to build one, where there is none."""
        ...
