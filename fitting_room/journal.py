"""What a build has embedded so far, kept on disk until the index is in place.

A folder of ``.npz`` files, each some hundred embeddings with the digests of their pictures, 16
bytes each, written whole. A build that is killed at any moment finds all but the last few of them
again.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

#: Embeddings kept back before a file is written: some seconds of work, which is what a kill costs.
FLUSH_EVERY = 512

_OWNER = "journal.json"


class Journal:
    """Embeddings by picture digest."""

    def __init__(self, folder: Path, identity: Mapping[str, Any], dimension: int) -> None:
        """Open the journal in ``folder``, going on with what an earlier build of the same
        ``identity`` left there; what another network left is thrown away."""
        self.folder = folder
        self.dimension = dimension
        self._digests: list[np.ndarray] = []  # of each file
        self._starts: list[int] = []  # the first row of each file
        self._files: list[Path] = []
        self._waiting: list[np.ndarray] = []
        self._their_digests: list[bytes] = []
        self._count = 0
        owner = json.dumps(identity, sort_keys=True)
        if not self._is_of(owner):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _OWNER).write_text(owner, encoding="utf-8")
        for path in sorted(folder.glob("[0-9]*.npz")):
            self._take_over(path)

    def _is_of(self, owner: str) -> bool:
        try:
            return (self.folder / _OWNER).read_text(encoding="utf-8") == owner
        except (OSError, UnicodeDecodeError):
            return False

    def _take_over(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as file:
                digests, vectors = file["digests"], file["vectors"]
                sound = (
                    digests.dtype == np.dtype("S16")
                    and digests.ndim == 1
                    and vectors.shape == (len(digests), self.dimension)
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            sound = False
        if not sound:
            path.unlink()  # torn by a power cut; its pictures are embedded again
            return
        self._add_file(path, digests)

    def _add_file(self, path: Path, digests: np.ndarray) -> None:
        self._starts.append(self._count)
        self._count += len(digests)
        self._files.append(path)
        self._digests.append(digests)

    def __len__(self) -> int:
        return self._count + len(self._waiting)

    @property
    def digests(self) -> np.ndarray:
        """The digests of all rows, in their order, bytes ``S16`` ``(len(self),)``."""
        return np.concatenate([*self._digests, np.array(self._their_digests, "S16")])

    def append(self, digest: bytes, vector: np.ndarray) -> int:
        """Keep one embedding; answers its row."""
        self._their_digests.append(digest)
        self._waiting.append(vector)
        row = len(self) - 1
        if len(self._waiting) >= FLUSH_EVERY:
            self.flush()
        return row

    def flush(self) -> None:
        """Write what is waiting."""
        if not self._waiting:
            return
        digests = np.array(self._their_digests, "S16")
        # Counted on from the last file there: a dropped one must not make two of a name.
        number = int(self._files[-1].stem) + 1 if self._files else 0
        path = self.folder / f"{number:09d}.npz"
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.savez(file, digests=digests, vectors=np.stack(self._waiting))
        unfinished.replace(path)
        self._add_file(path, digests)
        self._waiting.clear()
        self._their_digests.clear()

    def rows(self, wanted: np.ndarray) -> np.ndarray:
        """The embeddings of the given rows, float32 ``(len(wanted), D)``. Rows that lie together
        are cheap to read together; :meth:`flush` must have been called."""
        result = np.empty((len(wanted), self.dimension), np.float32)
        file_of = np.searchsorted(self._starts, wanted, side="right") - 1
        for number in np.unique(file_of):
            with np.load(self._files[number], allow_pickle=False) as file:
                inside = file_of == number
                result[inside] = file["vectors"][wanted[inside] - self._starts[number]]
        return result

    def discard(self) -> None:
        """Remove the journal from disk."""
        shutil.rmtree(self.folder, ignore_errors=True)
