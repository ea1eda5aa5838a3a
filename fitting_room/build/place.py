"""Where an index is to lie, and the lock of who writes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from fitting_room.index.manifest import IndexUnusable
from fitting_room.util.files import beside


def build_lock(folder: Path) -> FileLock:
    """What a process holds while it writes the index at ``folder``."""
    return FileLock(beside(folder, "lock"))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the index at ``folder``. Raises ``Timeout`` while somebody else does, and
    :class:`IndexUnusable` where there can be none."""
    lock = build_lock(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise
    except (OSError, NotImplementedError) as error:  # or a file system without locks
        raise IndexUnusable(
            f"{lock.lock_file}: the lock of the index cannot be made or taken ({_reason(error)}). "
            "Let this file and its folder be written, or name another place for the index."
        ) from error
    try:
        yield
    finally:
        lock.release()


def resolved(folder: Path) -> Path:
    """Where an index lies, all links followed: through a link what it points to is replaced, and
    not the link. Raises :class:`IndexUnusable` where a link leads back to itself or nobody can
    look."""
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            folder.stat()
        return folder.resolve()
    except (OSError, RuntimeError) as error:
        raise IndexUnusable(
            f"{folder}: no index can be there ({_reason(error)}). Name another place."
        ) from error


def make_parent(folder: Path) -> None:
    """Make the folder in which an index is to lie. Raises :class:`IndexUnusable` where that cannot
    be done."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IndexUnusable(
            f"{folder.parent}: this folder cannot be made ({_reason(error)}). Name another place "
            "for the index."
        ) from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
