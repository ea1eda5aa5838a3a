"""Checksums of the large files of an open index, compared in the background.

Small files are checked in full when an index is opened. The large arrays would take as long as
reading all of them, so a thread does that after the first answer; what it finds ends the use of the
index.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from fitting_room.index.manifest import FileEntry, IndexUnusable, damaged

#: Bytes that are read at once; between two such blocks it can be stopped.
BLOCK_BYTES = 16 * 2**20

_log = logging.getLogger(__name__)


class Verifier:
    """Reads the files of a version that were not checked yet, and remembers what is ``damage``.
    Safe to share between threads."""

    def __init__(self, folder: Path, version: Path, files: Mapping[str, FileEntry]) -> None:
        self.folder, self.version, self.files = folder, version, dict(files)
        self.damage: IndexUnusable | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin, unless that was done before or there is nothing to read."""
        if self._thread is not None or not self.files:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="verifier", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Leave the rest unread, and return once nothing is read any more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def wait(self) -> None:
        """Read what is left, and return when that is done. Raises :class:`IndexUnusable` for a file
        that is not what was written."""
        self.start()
        if self._thread is not None:
            self._thread.join()
        self.require_sound()

    def require_sound(self) -> None:
        """Raise :class:`IndexUnusable` if damage was found by now."""
        if self.damage is not None:
            # A new one each time: one that was raised before carries that one's traceback.
            raise IndexUnusable(str(self.damage))

    def found(self, reason: str) -> None:
        """Remember damage that somebody else has found, and raise it."""
        self.damage = self.damage or damaged(self.folder, reason)
        self.require_sound()

    def _run(self) -> None:
        for name, entry in self.files.items():
            if self._stopped.is_set():
                return
            try:
                digest = self._digest(self.version / name)
            except FileNotFoundError:
                return  # a newer version is there; what is mapped of this one stays as it was
            except OSError as error:
                digest = None
                _log.error("%s: %s", name, error)
            if digest != entry.sha256 and not self._stopped.is_set():
                self.damage = damaged(self.folder, f"{name} is not what was written")
                _log.error("%s", self.damage)
                return

    def _digest(self, path: Path) -> str:
        digest, block = hashlib.sha256(), bytearray(BLOCK_BYTES)
        with path.open("rb", buffering=0) as file:
            while not self._stopped.is_set() and (count := file.readinto(block)):
                digest.update(memoryview(block)[:count])
        return digest.hexdigest()
