"""What a build has embedded so far, kept on disk until the index is in place.

A folder of ``.npz`` files, each some hundred embeddings, or those of some seconds, with the
descriptors and the digests of their pictures, written whole. A build that is killed finds all but
the last few of them again.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH
from fitting_room.index.data import CURRENT
from fitting_room.util.aliases import OLD_CHECKPOINT
from fitting_room.util.files import beside, naming

#: A file is written for so many embeddings, and earlier where so many seconds have passed: a slow
#: network makes few in that time, and this is the work that a kill costs.
FLUSH_EVERY, FLUSH_SECONDS = 512, 5.0
_OWNER = "checkpoint.json"
_FILE = re.compile(r"[0-9]{9,}\.(npz|part)")


class Checkpoint:
    """Embeddings and descriptors by the digest of their picture, 32 hexadecimal digits. ``rows``
    are those of an earlier build, by digest."""

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, Any],
        dimension: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Go on with what an earlier build of the same ``identity`` left in ``folder``, and throw
        away what another network left. ``clock`` answers seconds."""
        self.folder, self.dimension = folder, dimension
        self._clock, self._flushed = clock, clock()
        self.rows: dict[str, int] = {}
        self._files: list[Path] = []
        self._starts: list[int] = []  # the first row of each file
        self._waiting: list[tuple[str, np.ndarray, np.ndarray]] = []
        self._count = 0  # of rows in files
        self._owner = json.dumps(identity, sort_keys=True).encode()
        path = folder / _OWNER
        if not path.is_file() or path.read_bytes() != self._owner:
            self.discard()
            return
        for path in sorted(folder.iterdir()):
            if _FILE.fullmatch(path.name) and path.suffix == ".npz":
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
        if len(self._waiting) >= FLUSH_EVERY or self._clock() - self._flushed >= FLUSH_SECONDS:
            self.flush()
        return row

    def flush(self) -> None:
        """Write what is waiting."""
        self._flushed = self._clock()
        if not self._waiting:
            return
        self._make_folder()
        digests, vectors, descriptors = zip(*self._waiting, strict=True)
        # Counted on from the last file there: a dropped one must not make two of a name.
        number = int(self._files[-1].stem) + 1 if self._files else 0
        path = self.folder / f"{number:09d}.npz"
        unfinished = path.with_suffix(".part")
        with naming(path), unfinished.open("wb") as file:
            np.savez(
                file,
                digests=np.array(digests, "S32"),
                vectors=np.stack(vectors),
                descriptors=np.stack(descriptors),
            )
        unfinished.replace(path)
        self._add_file(path, len(digests))
        self._waiting.clear()

    def _make_folder(self) -> None:
        """Only once there is something to keep: a build that embeds nothing leaves nothing."""
        path = self.folder / _OWNER
        if not path.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            with naming(path):
                path.write_bytes(self._owner)

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
        """Remove the checkpoint from disk, but nothing that somebody else has put into its
        folder."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.name == _OWNER or _FILE.fullmatch(path.name):
                    with suppress(OSError):
                        path.unlink()
            self.folder.rmdir()


def remove_old_checkpoint(folder: Path) -> None:
    """Remove what an earlier version of this program kept of a build of the index at ``folder``,
    unless an index lies there that happens to have this name."""
    old = beside(folder, OLD_CHECKPOINT)
    if not (old / CURRENT).exists():
        shutil.rmtree(old, ignore_errors=True)
