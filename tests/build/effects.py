"""What a process does to the files below a folder, counted, and a fault before any of it.

Python announces what it opens, renames and removes to audit hooks; what is written and brought to
the disk goes through stand-ins. Only for a process of its own: an audit hook cannot be taken away.
What is written through a mapped array is not seen: there the system writes.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What may go wrong: the process is killed, the disk is full from then on, a file may not be
#: touched, or somebody stops the command.
KILL, FULL, DENIED, STOP = KINDS = ("kill", "full", "denied", "stop")
KILLED = 9
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_TAKES_SPACE = {"open", "write", "os.mkdir", "os.link", "fallocate", "fsync"}
_EVENTS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens before the effect of that number, counted from 1."""

    kind: str
    at: int


class Effects:
    """Counts effects on what is below ``root``, and brings a fault about."""

    def __init__(self, root: str, fault: Fault | None = None) -> None:
        self.root, self.fault = root, fault
        self.count = 0
        self._lock = threading.Lock()

    def install(self) -> None:
        sys.addaudithook(self._audit)
        for name, place in (("fsync", 0), ("posix_fallocate", 0)):
            self._stand_in(name, place)
        io.open = self._open  # type: ignore[assignment]
        builtins.open = self._open  # type: ignore[assignment]

    def before(self, event: str, path: str, torn: Callable[[], object] | None = None) -> None:
        """Count an effect. ``torn`` does half of it, as a process does that is killed within."""
        with self._lock:
            self.count += 1
            count = self.count
        fault = self.fault
        if fault is None or count < fault.at:
            return
        if fault.kind == FULL and event in _TAKES_SPACE:
            where = None if event in ("write", "fsync", "fallocate") else path
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), where)
        if count > fault.at:
            return
        if fault.kind == KILL:
            if torn is not None:
                torn()
            os._exit(KILLED)
        if fault.kind == DENIED:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        if fault.kind == STOP:
            raise KeyboardInterrupt

    def _is_ours(self, path: Any) -> bool:
        return isinstance(path, str | bytes | os.PathLike) and (
            os.path.abspath(os.fsdecode(path)).startswith(self.root)  # noqa: PTH100
        )

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITING and self._is_ours(path):
                self.before(event, os.fsdecode(path))
        elif event in _EVENTS:
            paths = [a for a in arguments if self._is_ours(a)]
            if paths:
                self.before(event, os.fsdecode(paths[-1]))

    def _stand_in(self, name: str, place: int) -> None:
        real = getattr(os, name)

        def counted(*arguments: Any) -> Any:
            path = str(Path(f"/proc/self/fd/{arguments[place]}").readlink())
            if self._is_ours(path):
                self.before(name.removeprefix("posix_"), path)
            return real(*arguments)

        setattr(os, name, counted)

    def _open(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        if not (set(mode) & set("wax+") and self._is_ours(file)):
            arguments = (mode, buffering, encoding, errors, newline, closefd, opener)
            return _real_open(file, *arguments)
        raw = _File(self, file, mode.replace("b", "").replace("t", ""))
        kind = io.BufferedRandom if "+" in mode else io.BufferedWriter
        buffered: Any = kind(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)


_real_open = io.open


class _File(io.FileIO):
    """A file whose writes are counted."""

    def __init__(self, effects: Effects, path: Any, mode: str) -> None:
        self._effects, self._path = effects, os.fsdecode(path)
        super().__init__(path, mode)

    def write(self, data: Any) -> int:
        half = memoryview(data).cast("B")
        half = half[: len(half) // 2]
        self._effects.before("write", self._path, lambda: os.write(self.fileno(), half))
        return super().write(data)
