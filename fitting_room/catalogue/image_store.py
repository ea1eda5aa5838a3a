"""Where a catalogue's pictures lie, a folder or a zip archive, read by name and never outside it.

Names are relative POSIX paths. A store only ever answers names that it listed itself, and each
read checks again that it stays inside and below the size limit, because names may come back from
a file on disk (an index) that somebody else wrote.
"""

from __future__ import annotations

import os
import posixpath
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

from fitting_room.imaging.decode import OTHER_SUFFIXES, SUFFIXES, ImageRejected

_TOO_LARGE = "The file is too large: more than {:.3g} MB. Save the picture smaller."


class ImageStore(Protocol):
    """Pictures by name. ``location`` is the folder or archive that holds them."""

    location: Path

    def pictures(self) -> Iterator[tuple[str, str]]:
        """Every picture's name, once, and its signature: a short text that changes when the file
        does. They are listed as they are asked for, in no order, and there may be millions."""
        ...

    def unread(self) -> Iterator[str]:
        """The names of pictures of a kind that is not read, in no order."""
        ...

    def read(self, name: str, max_bytes: int) -> bytes:
        """The picture's bytes. Raises :class:`ImageRejected` when there is no such picture in the
        store, it leads outside, it is larger than ``max_bytes`` or it cannot be read."""
        ...

    def path(self, name: str) -> str:
        """The picture's place for people and other programs."""
        return str(self.location / PurePosixPath(name))


class FolderStore(ImageStore):
    """Pictures in a folder and below. Links that lead out of it are not followed."""

    def __init__(self, location: Path) -> None:
        self.location = location.resolve()

    def pictures(self) -> Iterator[tuple[str, str]]:
        for name, entry in self._files():
            if is_picture_name(name) and (signature := self._signature(entry)):
                yield name, signature

    def unread(self) -> Iterator[str]:
        for name, entry in self._files():
            if is_unread_name(name) and self._signature(entry):
                yield name

    def _files(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        pending = [("", str(self.location))]
        while pending:
            inside, folder = pending.pop()
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    name = inside + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        pending.append((name + "/", entry.path))
                    else:
                        yield name, entry

    def _signature(self, entry: os.DirEntry[str]) -> str | None:
        try:
            if entry.is_symlink() and not self.is_inside(Path(entry.path)):
                return None
            status = entry.stat()
        except OSError:  # a dangling link, or gone since the listing
            return None
        return f"{status.st_size}-{status.st_mtime_ns}" if stat.S_ISREG(status.st_mode) else None

    def is_inside(self, path: Path) -> bool:
        """Whether a path, all links followed, is in the folder or below."""
        try:
            return path.resolve().is_relative_to(self.location)
        except (OSError, ValueError, RuntimeError):  # a NUL byte, a circle of links
            return False

    def read(self, name: str, max_bytes: int) -> bytes:
        path = self.location / PurePosixPath(name)
        if not is_picture_name(name) or not self.is_inside(path):
            raise ImageRejected("The name leads outside the catalogue.", name=name)
        try:
            with path.open("rb") as file:
                data = file.read(max_bytes + 1)
        except OSError as error:
            reason = f"The file cannot be read ({error.strerror})."
            raise ImageRejected(reason, name=name) from error
        if len(data) > max_bytes:
            raise ImageRejected(_TOO_LARGE.format(max_bytes / 2**20), name=name)
        return data


class ZipStore(ImageStore):
    """Pictures in a zip archive, read in place: nothing is ever unpacked to disk.

    Raises ``zipfile.BadZipFile`` or ``OSError`` when the archive cannot be opened.
    """

    def __init__(self, location: Path) -> None:
        self.location = location.resolve()
        self.archive = zipfile.ZipFile(self.location)

    def pictures(self) -> Iterator[tuple[str, str]]:
        for info in self.archive.infolist():
            name = info.filename
            # Of several entries with one name the last is read.
            if is_picture_name(name) and self.archive.getinfo(name) is info:
                yield name, f"{info.file_size}-{info.CRC:08x}"

    def unread(self) -> Iterator[str]:
        return filter(is_unread_name, dict.fromkeys(self.archive.namelist()))

    def read(self, name: str, max_bytes: int) -> bytes:
        try:
            if not is_picture_name(name):
                raise ImageRejected("The name leads outside the catalogue.", name=name)
            info = self.archive.getinfo(name)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise NotImplementedError  # as zipfile does of what it cannot unpack
            if info.file_size > max_bytes:
                raise ImageRejected(_TOO_LARGE.format(max_bytes / 2**20), name=name)
            # read(n) unpacks n bytes at most; read() unpacks everything, whatever the size says
            with self.archive.open(info) as file:
                return file.read(max_bytes + 1)
        except KeyError as error:
            raise ImageRejected("There is no such picture in the archive.", name=name) from error
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
            if isinstance(error, ImageRejected):
                raise
            raise ImageRejected(f"The archive's entry is damaged ({error}).", name=name) from error
        except RuntimeError as error:
            raise ImageRejected(
                "The archive's entry is encrypted or packed in an unknown way.", name=name
            ) from error


def is_picture_name(name: str) -> bool:
    """Whether a listing shows a file of this name."""
    return _is_shown(name, SUFFIXES)


def is_unread_name(name: str) -> bool:
    """Whether a file of this name is a picture of a kind that is not read."""
    return _is_shown(name, OTHER_SUFFIXES)


def _is_shown(name: str, suffixes: frozenset[str]) -> bool:
    return (
        is_plain_name(name)
        and posixpath.splitext(name)[1].lower() in suffixes
        and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    )


def is_plain_name(name: str) -> bool:
    """Whether a name is a relative path that stays where it starts."""
    parts = name.split("/")
    return not (
        "\\" in name or "\0" in name or ":" in parts[0] or any(p in ("", ".", "..") for p in parts)
    )
