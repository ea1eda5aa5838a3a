"""Rows of a database as the arrays that the scoring takes: what is asked for by row is fetched, in
one request, unless it was just before."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fitting_room.index.item_store import Block
from fitting_room.index.manifest import IndexUnusable

#: Rows that are kept, some 64 MB of them, and that are asked for at once.
KEPT, AT_ONCE = 8_192, 1_000


class RowGone(IndexUnusable):
    """An item that was there is not any more."""


class FetchedBlocks:
    """The blocks that were fetched last, row by row. Safe to share between threads."""

    def __init__(self, fetch: Callable[[np.ndarray], Block]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._blocks: deque[Block] = deque()
        self._places: dict[int, tuple[Block, int]] = {}

    def keep(self, block: Block) -> None:
        """Keep a block, whose rows are newer than what is known of them."""
        with self._lock:
            self._blocks.append(block)
            self._places.update(
                (row, (block, place)) for place, row in enumerate(block.rows.tolist())
            )
            while sum(map(len, self._blocks)) > KEPT and len(self._blocks) > 1:
                gone = self._blocks.popleft()
                for row in gone.rows.tolist():
                    if row in self._places and self._places[row][0] is gone:
                        del self._places[row]

    def forget(self, rows: Sequence[int]) -> None:
        """Ask again for some rows, which were changed."""
        with self._lock:
            for row in rows:
                self._places.pop(row, None)

    def find(self, rows: np.ndarray) -> list[tuple[Block, int]]:
        """The block of each row and the row's place in it. Raises :class:`RowGone`."""
        wanted = rows.tolist()
        with self._lock:
            known = {row: self._places.get(row) for row in wanted}
        missing = np.unique([row for row, place in known.items() if place is None]).astype(np.int64)
        for start in range(0, len(missing), AT_ONCE):
            block = self._fetch(missing[start : start + AT_ONCE])
            self.keep(block)
            known |= {row: (block, place) for place, row in enumerate(block.rows.tolist())}
        found = [place for row in wanted if (place := known[row]) is not None]
        if len(found) < len(wanted):
            gone = next(row for row in wanted if known[row] is None)
            raise RowGone(f"An item is not in the catalogue any more (row {gone}). Search again.")
        return found


@dataclass(frozen=True, slots=True, eq=False)
class FetchedRows:
    """One of the arrays of a :class:`fitting_room.index.item_store.Block`, of ``count`` rows of
    ``width`` numbers each, taken out by their numbers; never all of them."""

    blocks: FetchedBlocks
    of: str
    count: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.count, self.width

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, rows: Any) -> np.ndarray:
        found = self.blocks.find(np.atleast_1d(np.asarray(rows, np.int64)))
        values = [getattr(block, self.of)[place] for block, place in found]
        stacked = np.stack(values) if values else np.zeros((0, self.width), np.float32)
        return stacked if np.ndim(rows) else stacked[0]


@dataclass(frozen=True, slots=True, eq=False)
class FetchedPart:
    """Some ``columns`` of such an array."""

    rows: FetchedRows
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), int(self.columns.stop - self.columns.start)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.rows[rows][..., self.columns]


@dataclass(frozen=True, slots=True, eq=False)
class FetchedScales:
    """What gives each row of a part the length 1, float32."""

    part: FetchedPart

    def __getitem__(self, rows: Any) -> np.ndarray:
        lengths = np.linalg.norm(self.part[rows].astype(np.float32), axis=-1)
        return np.asarray(1 / np.where(lengths > 0, lengths, 1), np.float32)
