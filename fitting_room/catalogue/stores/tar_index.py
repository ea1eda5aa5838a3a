"""Where each file begins in a tar archive, found out once by reading its headers."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fitting_room.catalogue.stores import cache as caches
from fitting_room.catalogue.stores.files import FilePart
from fitting_room.catalogue.stores.names import BAD_NAMES, archived_name, is_hidden, is_plain_name
from fitting_room.catalogue.stores.store import MAX_FILES, StoreError

_NO_FILES = "links, devices and sparse files"
_BREAKS_OFF = "the archive is damaged or breaks off after this file"
#: What tarfile raises on damaged headers.
TAR_ERRORS = (
    tarfile.TarError, OSError, EOFError, ValueError, KeyError, IndexError, TypeError,
    OverflowError, RecursionError, MemoryError,
)  # fmt: skip
#: A header, with long names and remarks in it, is no longer than this.
_MAX_HEADER = 2**20
#: The headers of larger archives, in bytes, are not read again by each process.
_WORTH_KEEPING = 16 * 2**20


@dataclass(frozen=True, slots=True)
class TarIndex:
    """``members`` gives by name the first byte of each file, its size in bytes and its time, and
    ``passed_over`` names and reasons."""

    members: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    passed_over: list[tuple[str, str]] = field(default_factory=list)


def open_tar(file: FilePart) -> tarfile.TarFile:
    """Raises what is in :data:`TAR_ERRORS`, where there is no first header too."""
    headers = _Headers(file.file, file.start, file.size)
    return tarfile.TarFile.open(fileobj=headers, mode="r:", errorlevel=0, tarinfo=_Header)


def index_of(file: FilePart, cache: Path | None) -> TarIndex:
    """The index of an archive, that of a large one from ``cache`` if it is there. Raises what is in
    :data:`TAR_ERRORS`."""
    if cache is None or file.size < _WORTH_KEEPING:
        return _read_index(file)
    made: list[TarIndex] = []

    def packed() -> Iterator[bytes]:
        made.append(_read_index(file))
        yield zlib.compress(json.dumps(asdict(made[0])).encode(), 1)

    version = f"{file.file.version}\0{file.start}"
    key = f"index\0{file.file.path}\0{file.start}"
    with suppress(StoreError):  # a folder that cannot be written to is no reason not to read
        path = caches.kept(cache, key, version, ".idx", packed)
        return made[0] if made else _unpacked(path)
    return made[0] if made else _read_index(file)


def _unpacked(path: Path) -> TarIndex:
    """An index as it was kept. Raises :class:`StoreError` where it is damaged."""
    try:
        saved = json.loads(zlib.decompress(path.read_bytes()))
        members = {n: (int(a), int(b), int(c)) for n, (a, b, c) in saved["members"].items()}
        return TarIndex(members, [(name, reason) for name, reason in saved["passed_over"]])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise StoreError(f"It is damaged ({error}).", name=str(path)) from error


def _read_index(file: FilePart) -> TarIndex:
    index = TarIndex()
    last, offset = "", -1
    try:
        with open_tar(file) as archive:
            while (info := archive.next()) is not None:
                _forget_members(archive)
                if info.size < 0 or archive.offset <= offset:
                    raise tarfile.ReadError("sizes are negative")
                offset = archive.offset
                is_file = info.isreg() and not info.issparse()
                if is_file and info.offset_data + info.size > file.size:
                    raise tarfile.ReadError("the last file is not whole")
                last = _take(info, is_file, index) or last
    except TAR_ERRORS:
        if not last:
            raise
        index.passed_over.append((last, _BREAKS_OFF))
    return index


def _take(info: tarfile.TarInfo, is_file: bool, index: TarIndex) -> str | None:
    name = archived_name(info.name)
    is_bad = ".." in name.split("/") or not is_plain_name(name)
    if info.isdir() or (is_hidden(name) and not is_bad):
        return None
    if is_bad:
        index.passed_over.append((name, BAD_NAMES))
    elif not is_file:
        index.passed_over.append((name, _NO_FILES))
    elif len(index.members) >= MAX_FILES:
        raise StoreError(f"More than {MAX_FILES:,} files. Give a part of them.")
    else:
        time = int(info.mtime) if abs(info.mtime) < 2**63 else 0
        index.members[name] = (info.offset_data, info.size, time)
    return name


def _forget_members(archive: Any) -> None:
    """tarfile keeps each header that it has read, and there may be millions."""
    archive.members.clear()


class _Headers(FilePart):
    """The archive as tarfile sees it: it reads headers only, and never much at once."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _MAX_HEADER:
            raise tarfile.ReadError("a header is too large")
        return super().read(size)


class _Header(tarfile.TarInfo):
    """The headers that nearly all files have are read here, three times as fast as tarfile does;
    it reads all others, and those in which anything is wrong (POSIX.1-1988, ustar)."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Any:
        block = bytes(buf)
        if block[156:157] == b"0" and block[257:263] == b"ustar\0" and not block[345]:
            with suppress(ValueError):
                if sum(block[:148]) + 256 + sum(block[156:]) == int(block[148:154], 8):
                    info = cls(block[:100].split(b"\0", 1)[0].decode(encoding, errors))
                    info.size, info.mtime = int(block[124:135], 8), int(block[136:147], 8)
                    return info
        return super().frombuf(buf, encoding, errors)
