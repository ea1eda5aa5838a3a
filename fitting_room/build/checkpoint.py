"""What a build has embedded so far, kept on disk until the index is in place.

A folder of ``.npz`` files, each some hundred embeddings with the appearances and the digests of
their pictures, 16 bytes each, written whole. A build that is killed at any moment finds all but the
last few of them again.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH

#: Embeddings kept back before a file is written: some seconds of work, which is what a kill costs.
FLUSH_EVERY = 512

_OWNER = "journal.json"


class Checkpoint:
    """Embeddings and appearances by picture digest."""

    def __init__(self, folder: Path, identity: Mapping[str, Any], dimension: int) -> None:
        """Open the journal in ``folder``, going on with what an earlier build of the same
        ``identity`` left there; what another network left is thrown away."""
        self.folder = folder
        self.dimension = dimension
        self._digests: list[np.ndarray] = []  # of each file
        self._starts: list[int] = []  # the first row of each file
        self._files: list[Path] = []
        self._waiting: list[tuple[bytes, np.ndarray, np.ndarray]] = []
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
                digests, vectors, looks = file["digests"], file["vectors"], file["descriptors"]
                sound = (
                    digests.dtype == np.dtype("S16")
                    and digests.ndim == 1
                    and vectors.dtype == np.float32
                    and vectors.shape == (len(digests), self.dimension)
                    and looks.dtype == np.uint8
                    and looks.shape == (len(digests), DESCRIPTOR_LENGTH)
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
        waiting = np.array([digest for digest, _, _ in self._waiting], "S16")
        return np.concatenate([*self._digests, waiting])

    def append(self, digest: bytes, embedding: np.ndarray, descriptors: np.ndarray) -> int:
        """Keep an embedding, float32 ``(D,)``, and an appearance, uint8 ``(APPEARANCE,)``; answers
        their row."""
        self._waiting.append((digest, embedding, descriptors))
        row = len(self) - 1
        if len(self._waiting) >= FLUSH_EVERY:
            self.flush()
        return row

    def flush(self) -> None:
        """Write what is waiting."""
        if not self._waiting:
            return
        digests, vectors, looks = zip(*self._waiting, strict=True)
        theirs = np.array(digests, "S16")
        # Counted on from the last file there: a dropped one must not make two of a name.
        number = int(self._files[-1].stem) + 1 if self._files else 0
        path = self.folder / f"{number:09d}.npz"
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.savez(file, digests=theirs, vectors=np.stack(vectors), descriptors=np.stack(looks))
        unfinished.replace(path)
        self._add_file(path, theirs)
        self._waiting.clear()

    def embeddings(self, wanted: np.ndarray) -> np.ndarray:
        """The embeddings of the given rows, float32 ``(len(wanted), D)``. Rows that lie together
        are cheap to read together; :meth:`flush` must have been called."""
        return self._rows("vectors", wanted, np.empty((len(wanted), self.dimension), np.float32))

    def descriptors(self, wanted: np.ndarray) -> np.ndarray:
        """The appearances of the given rows, uint8 ``(len(wanted), APPEARANCE)``, read as
        :meth:`embeddings` are."""
        return self._rows(
            "descriptors", wanted, np.empty((len(wanted), DESCRIPTOR_LENGTH), np.uint8)
        )

    def _rows(self, name: str, wanted: np.ndarray, result: np.ndarray) -> np.ndarray:
        file_of = np.searchsorted(self._starts, wanted, side="right") - 1
        for number in np.unique(file_of):
            with np.load(self._files[number], allow_pickle=False) as file:
                inside = file_of == number
                result[inside] = file[name][wanted[inside] - self._starts[number]]
        return result

    def discard(self) -> None:
        """Remove the journal from disk."""
        shutil.rmtree(self.folder, ignore_errors=True)
