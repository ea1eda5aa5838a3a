"""Files on disk and parts of them, read at any place by many threads at once."""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from pathlib import Path
from typing import Any, BinaryIO

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
#: Opening a pipe that nobody writes to must not wait for ever.
_FLAGS |= getattr(os, "O_NONBLOCK", 0)


class SharedFile:
    """An open file that knows no position: each read says where it begins.

    It is closed with the last part that was made of it. Raises ``OSError`` where the file cannot be
    opened or is none that has a size, such as a pipe.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, _FLAGS)
        try:
            status = os.fstat(self.descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(0, "it is no ordinary file")
        except BaseException:
            self.close()
            raise
        self.size = status.st_size
        self.version = f"{path}\0{status.st_size}-{status.st_mtime_ns}"
        self._lock = threading.Lock()

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset`` on; fewer only where the file ends."""
        pieces = []
        while size > 0 and (piece := self._read_once(offset, size)):
            pieces.append(piece)
            offset, size = offset + len(piece), size - len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_once(self, offset: int, size: int) -> bytes:
        size = min(size, 2**30)
        if hasattr(os, "pread"):
            return os.pread(self.descriptor, size, offset)
        with self._lock:  # Windows
            os.lseek(self.descriptor, offset, os.SEEK_SET)
            return os.read(self.descriptor, size)

    def close(self) -> None:
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            self.close()


class FilePart(io.RawIOBase):
    """``size`` bytes from ``start`` on of a file, as a file of their own that only is read."""

    def __init__(self, file: SharedFile, start: int = 0, size: int | None = None) -> None:
        super().__init__()
        self.file = file
        self.start = start
        self.size = max(0, min(file.size - start, file.size if size is None else size))
        self._position = 0

    @classmethod
    def of(cls, path: Path) -> FilePart:
        """A whole file. Raises ``OSError``."""
        return cls(SharedFile(path))

    @property
    def is_whole(self) -> bool:
        return self.start == 0 and self.size == self.file.size

    def part(self, start: int, size: int) -> FilePart:
        """A part of this part."""
        return FilePart(self.file, self.start + start, max(0, min(size, self.size - start)))

    def again(self) -> FilePart:
        """The same part with a position of its own."""
        return FilePart(self.file, self.start, self.size)

    def buffered(self) -> BinaryIO:
        """The same part as tables are read: with lines and larger reads from the disk."""
        return io.BufferedReader(self.again(), 2**18)

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset`` on; fewer only where the part ends."""
        if offset < 0:
            return b""
        return self.file.read_at(self.start + offset, min(size, self.size - offset))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            # As files on disk do; zipfile looks for its records before the beginning of short ones.
            raise OSError(errno.EINVAL, "before the beginning of the file")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        data = self.read_at(self._position, self.size if size is None or size < 0 else size)
        self._position += len(data)
        return data

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
