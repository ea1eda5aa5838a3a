"""Files in a folder and below."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fitting_room.catalogue.stores.files import FilePart
from fitting_room.catalogue.stores.names import BAD_NAMES, is_plain_name, is_shown_name
from fitting_room.catalogue.stores.store import (
    Container,
    Listing,
    StoreError,
    check_picture_name,
    outside,
    too_large,
)
from fitting_room.imaging.decode import ImageRejected

LINKS_OUT = "links that lead out of the folder"
_DANGLING = "links that lead nowhere"
_LINKED_FOLDERS = "links to folders that are listed where they lie"
_NO_FILES = "neither files nor folders"
_INDEXES = "folders with an index, which is no part of the catalogue"

_SNAPSHOT_OF = re.compile("(datasets|models)--")


class FolderStore(Container):
    """Files in a folder and below. Links that lead out of it are not followed, except those of a
    snapshot that the Hugging Face hub keeps in its cache: its files are links to ``blobs``."""

    def __init__(self, location: Path, shown_as: str | None = None) -> None:
        self.folder = location.resolve()
        self.location = shown_as or str(self.folder)
        self._allowed = (self.folder, *_blobs_of(self.folder))

    def listing(self) -> Listing:
        listing = Listing()
        for name, entry in self._entries(listing):
            if not is_plain_name(name) or (os.name == "nt" and ":" in name):
                listing.pass_over(name, BAD_NAMES)
            elif reason := self._reason_against(entry):
                listing.pass_over(name, reason)
            elif signature := _signature(entry):
                listing.add(name, signature)
        return listing

    def _entries(self, listing: Listing) -> Iterator[tuple[str, os.DirEntry[str]]]:
        pending = [("", str(self.folder))]
        while pending:
            inside, folder = pending.pop()
            try:
                if inside and _is_index(Path(folder)):
                    listing.pass_over(inside[:-1], _INDEXES)
                    continue
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.name.startswith((".", "__MACOSX")):
                            continue
                        name = inside + entry.name
                        if entry.is_dir(follow_symlinks=False):
                            pending.append((name + "/", entry.path))
                        else:
                            yield name, entry
            except OSError as error:
                if not inside:
                    raise StoreError(
                        f"The folder cannot be read ({error.strerror}).", name=self.location
                    ) from error
                listing.pass_over(inside[:-1], f"folders that cannot be read ({error.strerror})")

    def _reason_against(self, entry: os.DirEntry[str]) -> str | None:
        try:
            if not entry.is_symlink():
                return None if entry.is_file() else _NO_FILES
            if not self.is_inside(Path(entry.path)):
                return LINKS_OUT
            mode = entry.stat().st_mode
        except OSError:
            return _DANGLING
        if stat.S_ISDIR(mode):
            return _LINKED_FOLDERS
        return None if stat.S_ISREG(mode) else _NO_FILES

    def is_inside(self, path: Path) -> bool:
        """Whether a path, all links followed, is in the folder or below."""
        try:
            real = path.resolve()
            return any(real.is_relative_to(folder) for folder in self._allowed)
        except (OSError, ValueError, RuntimeError):  # a NUL byte, a circle of links
            return False

    def has(self, name: str) -> bool:
        try:
            path = self._path(name)
            return is_shown_name(name) and self.is_inside(path) and path.is_file()
        except (OSError, ValueError):
            return False

    def part(self, name: str) -> FilePart:
        path = self._path(name)
        if not is_shown_name(name) or not self.is_inside(path):
            raise StoreError("The name leads outside the catalogue.", name=name)
        try:
            return FilePart.of(path)
        except (OSError, ValueError) as error:
            reason = f"The file cannot be read ({_words(error)})."
            raise StoreError(reason, name=self.path(name)) from error

    def size(self, name: str) -> int:
        return self.part(name).size

    def version(self, name: str) -> str:
        return self.part(name).file.version

    def open(self, name: str) -> BinaryIO:
        return self.part(name).buffered()

    def read(self, name: str, max_bytes: int) -> bytes:
        check_picture_name(name)
        path = self._path(name)
        if not self.is_inside(path):
            raise outside(name)
        try:
            data = FilePart.of(path).read_at(0, max_bytes + 1)
        except OSError as error:
            reason = f"The file cannot be read ({_words(error)})."
            raise ImageRejected(reason, name=name) from error
        if len(data) > max_bytes:
            raise too_large(name, max_bytes)
        return data

    def path(self, name: str) -> str:
        return str(self._path(name))

    def _path(self, name: str) -> Path:
        return self.folder / PurePosixPath(name)


def _blobs_of(folder: Path) -> Iterator[Path]:
    """Where the files of a snapshot of the Hugging Face hub lie, if the folder is in one."""
    for inner in (folder, *folder.parents):
        home = inner.parent.parent
        if inner.parent.name == "snapshots" and _SNAPSHOT_OF.match(home.name):
            yield home / "blobs"


def _signature(entry: os.DirEntry[str]) -> str | None:
    try:
        status = entry.stat()
    except OSError:  # gone since the listing
        return None
    return f"{status.st_size}-{status.st_mtime_ns}"


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _is_index(folder: Path) -> bool:
    """Whether the folder is an index that this program made: its tables name the catalogue's
    pictures, and would be taken for the catalogue's own."""
    try:
        with (folder / "CURRENT").open("rb") as file:
            version = file.read(100).decode("ascii", "replace").strip()
    except OSError:
        return False
    return is_plain_name(version) and (folder / version / "manifest.json").is_file()
