"""Writing the items of an index into a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fitting_room.catalogue.schema import name_columns
from fitting_room.databases.database import Database, NewRows
from fitting_room.databases.record import VALUES_KEPT, WORDS_KEPT, Statistics
from fitting_room.databases.terms import terms_of_name, words_of
from fitting_room.imaging.descriptors import PLAIN_BACKGROUND
from fitting_room.index.codes import JointEncoder
from fitting_room.index.index import Index
from fitting_room.index.item_store import Block
from fitting_room.index.layout import Layout
from fitting_room.index.manifest import Counts

#: Different texts that are counted before the rarest are forgotten.
COUNTED = 200_000


def layout_of(index: Index, encoder: JointEncoder) -> Layout:
    """How the rows of an index are kept in a database."""
    return Layout(
        columns=tuple(column for column in index.filter_columns if column != "id"),
        width=encoder.width,
        dimension=index.dimension,
        storage=index.manifest.storage,
        trained=0 if index.head is None else index.head.dimension,
        head_vectors=0 if index.head_vectors is None else int(index.head_vectors.shape[1]),
    )


def new_rows(block: Block, encoder: JointEncoder) -> NewRows:
    """A block with what it is found by."""
    return NewRows(block, encoder.of_items(block), [terms_of_name(*n) for n in _names_of(block)])


@dataclass
class Tally:
    """What is counted of blocks as they are written, and can be added up."""

    rows: int = 0
    items: int = 0
    plain: int = 0
    last: int = -1
    values: dict[str, Counter[str]] = field(default_factory=dict)
    words: Counter[str] = field(default_factory=Counter)

    def count(self, block: Block) -> Tally:
        """Count the rows of a block; returns itself."""
        self.rows += len(block)
        self.items += int((block.firsts == block.rows).sum())
        self.plain += int(np.count_nonzero(block.descriptors[:, PLAIN_BACKGROUND]))
        self.last = max(self.last, int(block.rows.max(initial=-1)))
        for column in block.table:
            if column not in ("id", "image", "digest"):
                counted = block.table[column].dropna().value_counts(sort=False).to_dict()
                self._of(str(column)).update({str(v): int(n) for v, n in counted.items()})
        for names in _names_of(block):
            self.words.update(word for name in names for word in words_of(name))
        self._forget()
        return self

    def add(self, other: Tally) -> Tally:
        """Add what another has counted; returns itself."""
        self.rows, self.items = self.rows + other.rows, self.items + other.items
        self.plain, self.last = self.plain + other.plain, max(self.last, other.last)
        for column, counted in other.values.items():
            self._of(column).update(counted)
        self.words.update(other.words)
        self._forget()
        return self

    def statistics(self, counts: Counts) -> Statistics:
        """What is kept of it, beside what ``counts`` says of the catalogue that was read."""
        values: Mapping[str, Mapping[str, int]] = {
            column: dict(counted.most_common(VALUES_KEPT))
            for column, counted in self.values.items()
        }
        words = [word for word, _ in self.words.most_common(WORDS_KEPT)]
        known = Counts(
            rows=counts.rows,
            items=self.items,
            pictures=self.rows,
            repaired=counts.repaired,
            dropped=counts.dropped,
            failed=counts.failed,
            plain_background=self.plain,
        )
        return Statistics(known, self.last + 1, values, words)

    def _of(self, column: str) -> Counter[str]:
        return self.values.setdefault(column, Counter())

    def _forget(self) -> None:
        for counted in (self.words, *self.values.values()):
            if len(counted) > COUNTED:
                kept = counted.most_common(COUNTED // 2)
                counted.clear()
                counted.update(dict(kept))


def _names_of(block: Block) -> list[list[str]]:
    columns = [*name_columns(list(block.table.columns)), "id"]
    cells = zip(*(block.table[column].tolist() for column in columns), strict=True)
    return [[cell for cell in row if isinstance(cell, str)] for row in cells]


def write_block(database: Database, block: Block, encoder: JointEncoder) -> Tally:
    """Write some rows and count them."""
    database.write(new_rows(block, encoder))
    return Tally().count(block)
