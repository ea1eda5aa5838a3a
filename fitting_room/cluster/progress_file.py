"""What a build in a database has done so far, kept beside its seed until the index is published: a
line for each block of rows that was written. A build that is stopped goes on behind the last."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.util.files import naming


@dataclass(frozen=True, slots=True)
class Done:
    """A block of rows that were looked at: ``plain`` of those that were written have a plain
    background, the ``failed`` ones could not be used and why."""

    rows: np.ndarray
    plain: int
    failed: dict[int, str] = field(default_factory=dict)

    def to_json(self) -> str:
        starts = np.flatnonzero(np.diff(self.rows, prepend=-2) != 1)
        ends = [*starts[1:], len(self.rows)]
        spans = [
            [int(self.rows[a]), int(self.rows[b - 1]) + 1]
            for a, b in zip(starts, ends, strict=True)
        ]
        return json.dumps({"rows": spans, "plain": self.plain, "failed": [*self.failed.items()]})

    @classmethod
    def from_json(cls, text: str) -> Done:
        """Read what :meth:`to_json` wrote. Raises ``ValueError`` for anything else."""
        try:
            values: Any = json.loads(text)
            spans = [np.arange(int(start), int(stop)) for start, stop in values["rows"]]
            failed = {int(row): str(reason) for row, reason in values["failed"]}
            return cls(np.concatenate(spans).astype(np.int64), int(values["plain"]), failed)
        except (KeyError, TypeError, OverflowError, MemoryError) as error:
            raise ValueError(f"this is no block of rows ({error})") from error


class ProgressFile:
    """The file of one build, which is known by its ``owner``: that of another is begun anew."""

    def __init__(self, path: Path, owner: str) -> None:
        self.path, self._head = path, f"{json.dumps(owner)}\n"

    def read(self) -> Iterator[Done]:
        """What was done before; a last line that was not finished is none."""
        try:
            with self.path.open(encoding="utf-8") as file:
                if file.readline() != self._head:
                    return
                for line in file:
                    if line.endswith("\n"):
                        yield Done.from_json(line)
        except (FileNotFoundError, ValueError):
            return

    def write(self, done: list[Done]) -> None:
        """Begin the file anew with what was done before, without a torn end."""
        with naming(self.path):
            text = "".join(f"{one.to_json()}\n" for one in done)
            self.path.write_text(self._head + text, encoding="utf-8")

    def append(self, done: Done) -> None:
        """Note one block more, for good."""
        with naming(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(f"{done.to_json()}\n")
            file.flush()
            os.fsync(file.fileno())
