"""What a build has embedded so far, kept on disk until the index is in place.

A folder of ``.npz`` files, each some hundred embeddings with the descriptors and the digests of
their pictures, written whole. A build that is killed finds all but the last few of them again.
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


class Checkpoint:
    """Embeddings and descriptors by the digest of their picture, 32 hexadecimal digits. ``rows``
    are those of an earlier build, by digest."""

    def __init__(self, folder: Path, identity: Mapping[str, Any], dimension: int) -> None:
        """Go on with what an earlier build of the same ``identity`` left in ``folder``, and throw
        away what another network left."""
        self.folder, self.dimension = folder, dimension
        self.rows: dict[str, int] = {}
        self._files: list[Path] = []
        self._starts: list[int] = []  # the first row of each file
        self._waiting: list[tuple[str, np.ndarray, np.ndarray]] = []
        self._count = 0  # of rows in files
        owner = json.dumps(identity, sort_keys=True).encode()
        path = folder / "checkpoint.json"
        if not path.is_file() or path.read_bytes() != owner:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(owner)
        for path in sorted(folder.glob("[0-9]*.npz")):
            self._take_over(path)

    def _take_over(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = [file[name] for name in ("digests", "vectors", "descriptors")]
            digests, count = arrays[0], len(arrays[0])
            expected = ("|S32", (count,)), ("<f4", (count, self.dimension))
            forms = [(array.dtype.str, array.shape) for array in arrays]
            if forms != [*expected, ("|u1", (count, DESCRIPTOR_LENGTH))]:
                raise ValueError("it holds something else")
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            path.unlink()  # torn by a power cut; its pictures are embedded again
            return
        self.rows |= {d: self._count + i for i, d in enumerate(digests.astype("U32").tolist())}
        self._add_file(path, len(digests))

    def _add_file(self, path: Path, count: int) -> None:
        self._starts.append(self._count)
        self._files.append(path)
        self._count += count

    def __len__(self) -> int:
        return self._count + len(self._waiting)

    def append(self, digest: str, embedding: np.ndarray, descriptors: np.ndarray) -> int:
        """Keep an embedding, float32 ``(D,)``, and descriptors, uint8 ``(DESCRIPTOR_LENGTH,)``;
        returns their row."""
        self._waiting.append((digest, embedding, descriptors))
        row = len(self) - 1
        if len(self._waiting) >= FLUSH_EVERY:
            self.flush()
        return row

    def flush(self) -> None:
        """Write what is waiting."""
        if not self._waiting:
            return
        digests, vectors, descriptors = zip(*self._waiting, strict=True)
        # Counted on from the last file there: a dropped one must not make two of a name.
        number = int(self._files[-1].stem) + 1 if self._files else 0
        path = self.folder / f"{number:09d}.npz"
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.savez(
                file,
                digests=np.array(digests, "S32"),
                vectors=np.stack(vectors),
                descriptors=np.stack(descriptors),
            )
        unfinished.replace(path)
        self._add_file(path, len(digests))
        self._waiting.clear()

    def embeddings(self, rows: np.ndarray) -> np.ndarray:
        """The embeddings of the given rows, float32 ``(len(rows), D)``, once they are flushed."""
        return self._read("vectors", rows, np.empty((len(rows), self.dimension), np.float32))

    def descriptors(self, rows: np.ndarray) -> np.ndarray:
        """The descriptors of the given rows, uint8 ``(len(rows), DESCRIPTOR_LENGTH)``."""
        return self._read("descriptors", rows, np.empty((len(rows), DESCRIPTOR_LENGTH), np.uint8))

    def _read(self, name: str, rows: np.ndarray, result: np.ndarray) -> np.ndarray:
        file_of = np.searchsorted(self._starts, rows, side="right") - 1
        for number in np.unique(file_of):
            with np.load(self._files[number], allow_pickle=False) as file:
                inside = file_of == number
                result[inside] = file[name][rows[inside] - self._starts[number]]
        return result

    def discard(self) -> None:
        """Remove the checkpoint from disk."""
        shutil.rmtree(self.folder, ignore_errors=True)
