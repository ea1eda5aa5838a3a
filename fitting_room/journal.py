"""What a build has embedded so far, kept on disk until the index is in place.

A folder of ``.npz`` files, each some hundred embeddings with the digests of their pictures,
written whole. A build that is killed at any moment finds all but the last few of them again.
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
    """Embeddings by picture digest. ``digests`` lists them in the order of their rows."""

    def __init__(self, folder: Path, identity: Mapping[str, Any], dimension: int) -> None:
        """Open the journal in ``folder``, going on with what an earlier build of the same
        ``identity`` left there; what another network left is thrown away."""
        self.folder = folder
        self.dimension = dimension
        self.digests: list[str] = []
        self._starts: list[int] = []  # the first row of each file
        self._files: list[Path] = []
        self._waiting: list[np.ndarray] = []
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
                sound = vectors.shape == (len(digests), self.dimension)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            sound = False
        if not sound:
            path.unlink()  # torn by a power cut; its pictures are embedded again
            return
        self._starts.append(len(self.digests))
        self._files.append(path)
        self.digests.extend(str(digest) for digest in digests)

    def __len__(self) -> int:
        return len(self.digests)

    def append(self, digest: str, vector: np.ndarray) -> int:
        """Keep one embedding; answers its row."""
        self.digests.append(digest)
        self._waiting.append(vector)
        if len(self._waiting) >= FLUSH_EVERY:
            self.flush()
        return len(self.digests) - 1

    def flush(self) -> None:
        """Write what is waiting."""
        if not self._waiting:
            return
        start = len(self.digests) - len(self._waiting)
        # Counted on from the last file there: a dropped one must not make two of a name.
        number = int(self._files[-1].stem) + 1 if self._files else 0
        path = self.folder / f"{number:09d}.npz"
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.savez(file, digests=np.array(self.digests[start:]), vectors=np.stack(self._waiting))
        unfinished.replace(path)
        self._starts.append(start)
        self._files.append(path)
        self._waiting.clear()

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
