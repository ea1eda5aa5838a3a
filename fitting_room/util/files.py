"""Files that are there whole or not at all, folders that a process works in, and checksums."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

#: A name of more bytes has a digest of it in the names of what lies beside it: most file systems
#: take 255 bytes.
MAX_NAME_BYTES = 220
_LOCK = ".lock"


def beside(path: Path, ending: str) -> Path:
    """The hidden file or folder beside ``path`` that is named after it, with an ending."""
    name = os.fsencode(path.name)
    known = path.name if len(name) <= MAX_NAME_BYTES else hashlib.sha256(name).hexdigest()[:32]
    return path.with_name(f".{known}.{ending}")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have an ``OSError`` that says of no file which one it was about, as when a disk is full, name
    ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a file, text as UTF-8, under another name and put it in place at once."""
    new = beside(path, f"new-{uuid.uuid4().hex[:8]}")
    try:
        with naming(path):
            new.write_bytes(data.encode() if isinstance(data, str) else data)
            sync(new)
            new.replace(path)
    finally:
        with suppress(OSError):  # else it is told of this and not of what went wrong
            new.unlink(missing_ok=True)


def remove_unfinished(path: Path) -> None:
    """Remove what processes left that were killed while :func:`write_atomically` wrote ``path``.
    Only for who knows that nobody is writing it now."""
    unfinished = re.compile(re.escape(beside(path, "new-").name) + "[0-9a-f]{8}")
    with suppress(OSError):
        for other in path.parent.iterdir():
            if unfinished.fullmatch(other.name):
                with suppress(OSError):
                    other.unlink()


@contextmanager
def work_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A folder of one's own in ``parent`` whose name begins with ``prefix``, gone again afterwards.
    Those of processes that were killed are removed; who is at work holds a lock in his own."""
    with suppress(OSError):
        for other in parent.iterdir():
            if other.name.startswith(prefix) and other.is_dir() and not other.is_symlink():
                _remove_abandoned(other)
    while True:
        folder = parent / f"{prefix}{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        lock = FileLock(folder / _LOCK)
        try:
            lock.acquire(timeout=0)
        except (Timeout, FileNotFoundError):  # somebody took it for abandoned just then
            continue
        except (OSError, NotImplementedError):  # no locks here, so nobody can take it for that
            pass
        break
    try:
        yield folder
    finally:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    with (
        suppress(OSError, NotImplementedError),  # of which Timeout is one
        FileLock(folder / _LOCK).acquire(timeout=0),
    ):
        shutil.rmtree(folder, ignore_errors=True)


def sync(path: Path) -> None:
    """Bring a file that was written to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Bring the names of a folder's files to the disk, where the system has a way to do so."""
    if os.name != "nt":
        with suppress(OSError):  # some network file systems have none
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that nobody writes to again a second name."""
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def sha256_of(path: Path) -> str:
    """The SHA-256 digest of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
