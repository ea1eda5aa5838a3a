"""How a database keeps the rows of an index: one piece of bytes a row, beside what it searches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH
from fitting_room.index.item_store import Block
from fitting_room.index.vectors import INT8, KINDS, STORAGES, Rows, stored

#: The columns that every row has beside the catalogue's own.
OWN_COLUMNS = ("id", "image", "digest")
#: Bounds of what is read.
MOST_COLUMNS, WIDEST = 1_000, 65_536


@dataclass(frozen=True, slots=True)
class Layout:
    """What each row holds: the catalogue's ``columns`` beside :data:`OWN_COLUMNS`, the ``width`` of
    the code that candidates are found by, and the numbers of the embedding (``dimension``), of what
    a head makes of it and of the network that this brings (0 without), kept in a ``storage`` of
    :data:`fitting_room.index.vectors.STORAGES`."""

    columns: tuple[str, ...]
    width: int
    dimension: int
    storage: str
    trained: int = 0
    head_vectors: int = 0

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """Read what :meth:`to_json` wrote. Raises ``ValueError`` for anything else."""
        try:
            values = json.loads(text)
            layout = cls(**{**values, "columns": tuple(values["columns"])})
        except (TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"this describes no rows ({error})") from error
        numbers = (layout.width, layout.dimension, layout.trained, layout.head_vectors)
        sound = all(type(number) is int and 0 <= number <= WIDEST for number in numbers)
        names = layout.columns
        if not sound or layout.storage not in STORAGES or len(names) > MOST_COLUMNS:
            raise ValueError("this describes no rows that an index has")
        if not all(isinstance(name, str) for name in names) or len({*names}) != len(names):
            raise ValueError("this describes no columns that a catalogue has")
        return layout

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @property
    def bytes_per_row(self) -> int:
        """The length of a row's :meth:`pack`."""
        return sum(self._sizes) + DESCRIPTOR_LENGTH

    @property
    def _sizes(self) -> list[int]:
        numbers = (self.dimension, self.trained, self.head_vectors)
        scale = 4 if self.storage == INT8 else 0
        itemsize = np.dtype(KINDS[self.storage]).itemsize
        return [n * itemsize + scale if n else 0 for n in numbers]

    def pack(self, block: Block) -> list[bytes]:
        """The numbers of each row of a block in one piece of bytes."""
        parts = [np.ascontiguousarray(block.descriptors, np.uint8)]
        for values in (block.vectors, block.trained, block.head_vectors):
            if values is None:
                continue
            raw, scales = stored(np.asarray(values, np.float32), self.storage)
            parts += [] if scales is None else [_as_bytes(scales[:, None])]
            parts.append(_as_bytes(raw))
        whole = np.concatenate(parts, axis=1)
        if whole.shape[1] != self.bytes_per_row:
            raise ValueError(f"rows of {whole.shape[1]} bytes for {self.bytes_per_row}")
        return [row.tobytes() for row in whole]

    def unpack(
        self, rows: np.ndarray, firsts: np.ndarray, table: pd.DataFrame, packed: Sequence[bytes]
    ) -> Block:
        """A block of rows that :meth:`pack` packed, put in ascending order. Raises ``ValueError``
        for bytes that are none."""
        if any(len(piece) != self.bytes_per_row for piece in packed):
            raise ValueError("a row has other bytes than it was written with")
        order = np.argsort(rows, kind="stable")
        whole = np.frombuffer(b"".join(packed), np.uint8).reshape(-1, self.bytes_per_row)[order]
        descriptors, start = whole[:, :DESCRIPTOR_LENGTH], DESCRIPTOR_LENGTH
        arrays: list[np.ndarray] = []
        for size in self._sizes:
            arrays.append(self._numbers(whole[:, start : start + size]))
            start += size
        trained, head_vectors = (values if values.shape[1] else None for values in arrays[1:])
        table = table.iloc[order].reset_index(drop=True)
        return Block(
            rows[order], firsts[order], table, arrays[0], descriptors, trained, head_vectors
        )

    def _numbers(self, of_rows: np.ndarray) -> np.ndarray:
        if not of_rows.shape[1]:
            return np.zeros((len(of_rows), 0), np.float32)
        kind, scales = KINDS[self.storage], None
        if self.storage == INT8:
            scales = np.ascontiguousarray(of_rows[:, :4]).view(np.float32)[:, 0]
            of_rows = of_rows[:, 4:]
        raw = np.ascontiguousarray(of_rows).view(kind)
        values = Rows(raw, scales)[:]
        if not np.isfinite(values).all():
            raise ValueError("a row holds what is no number")
        return values


def _as_bytes(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
