"""Where what was unpacked or brought from elsewhere is kept, and how it comes there."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import platformdirs
from filelock import FileLock

from fitting_room.catalogue.stores.store import StoreError
from fitting_room.util import files

#: What is unpacked is at most so many bytes, and so many times as large as it was.
MAX_UNPACKED, MAX_RATIO = 64 * 2**30, 200
#: So many bytes of the disk stay free.
_KEEP_FREE = 2**30
_AT_ONCE = 2**20
#: An xz archive may ask for so many bytes of memory; the strongest setting of `xz` needs 65 MiB.
_XZ_MEMORY = 256 * 2**20
_CHECKOUT = Path(__file__).resolve().parents[3]
#: What the unpackers raise on damaged data.
_DAMAGE = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)


def default_cache() -> Path:
    """The folder that the program keeps its cache in unless it is told another: the settings choose
    the same."""
    if named := os.environ.get("FITTING_ROOM_CACHE"):
        return Path(named).expanduser()
    if (_CHECKOUT / "app.py").is_file():
        return _CHECKOUT / "cache"
    return Path(platformdirs.user_cache_dir("fitting-room", appauthor=False))


def kept(
    cache: Path, key: str, version: str, suffix: str, chunks: Callable[[], Iterator[bytes]]
) -> Path:
    """A file of the cache, made of ``chunks`` unless it is there.

    It is named by ``key``, which says what it is made of, and by ``version``, in which it is; those
    of other versions are deleted. It is there whole or not at all, and made once if several ask.
    Raises :class:`StoreError` where it cannot be written; what ``chunks`` raises comes through.
    """
    folder = cache / "archives"
    family = _digest(key)
    path = folder / f"{family}-{_digest(version)}{suffix}"
    if path.is_file():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{family}.lock"):
            if not path.is_file():
                _write(path, chunks())
                # Other versions, and what a process left behind that was ended.
                for other in (*folder.glob(f"{family}-*"), *folder.glob(f".{family}-*")):
                    if other != path:
                        with suppress(OSError):  # still open, which Windows minds
                            other.unlink()
    except OSError as error:
        raise StoreError(
            f"Nothing can be kept there ({error.strerror or error}). Make room, let it be written, "
            "or name another folder with FITTING_ROOM_CACHE.",
            name=str(folder),
        ) from error
    return path


def kept_before(cache: Path, key: str) -> Path | None:
    """The latest file that :func:`kept` made for ``key``, in whatever version."""
    found = sorted((cache / "archives").glob(f"{_digest(key)}-*"), key=lambda p: p.stat().st_mtime)
    return found[-1] if found else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _write(path: Path, chunks: Iterator[bytes]) -> None:
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    written, checked = 0, 0
    try:
        with new.open("wb") as file:
            for chunk in chunks:
                if written >= checked:
                    if shutil.disk_usage(path.parent).free < _KEEP_FREE + _AT_ONCE:
                        raise StoreError(
                            "The disk is nearly full. Make room there, or name another folder with "
                            "FITTING_ROOM_CACHE.",
                            name=str(path.parent),
                        )
                    checked += 64 * _AT_ONCE
                file.write(chunk)
                written += len(chunk)
        files.sync(new)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def unpacked(
    file: BinaryIO, packed: int, name: str, suffix: str, most: int = MAX_UNPACKED
) -> Iterator[bytes]:
    """The bytes of a compressed file, piece by piece. ``suffix`` says how it is compressed: ends in
    gz, bz2, xz or zst, or is "" for a file that unpacks itself. ``packed`` is its size in bytes.

    Raises :class:`StoreError` when it is damaged or grows beyond the limits.
    """
    most = min(most, max(packed, 2**16) * MAX_RATIO)
    total = 0
    try:
        for chunk in _decompressed(file, suffix):
            total += len(chunk)
            if total > most:
                raise StoreError(
                    f"The archive is larger than {most / 2**30:.3g} GiB when it is unpacked. "
                    "Unpack it and give the folder.",
                    name=name,
                )
            yield chunk
    except _DAMAGE as error:
        raise StoreError(
            f"The archive is damaged ({error}). Download it again.", name=name
        ) from error


def _decompressed(file: BinaryIO, suffix: str) -> Iterator[bytes]:
    if suffix.endswith("xz"):
        yield from _xz(file)
        return
    opened: Any = file
    if suffix.endswith("gz"):
        opened = gzip.GzipFile(fileobj=file)
    elif suffix.endswith(("bz2", "bz")):
        opened = bz2.BZ2File(file)
    elif suffix.endswith("zst"):
        import pyarrow

        opened = pyarrow.CompressedInputStream(file, "zstd")
    while chunk := opened.read(_AT_ONCE):
        yield chunk


def _xz(file: BinaryIO) -> Iterator[bytes]:
    """``lzma.open`` takes no limit on the memory, so the streams are unpacked here."""
    data = file.read(_AT_ONCE)
    while data:
        unpacker = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        while not unpacker.eof:
            if unpacker.needs_input and not data and not (data := file.read(_AT_ONCE)):
                raise EOFError("it ends too early")
            yield unpacker.decompress(data, _AT_ONCE)
            data = b""
        # Streams may follow each other, and zeros may stand between them (xz file format 2.2).
        data = (unpacker.unused_data or file.read(_AT_ONCE)).lstrip(b"\0")
