"""A store with the archives in it as folders of their own names."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from fitting_room.catalogue.stores import cache as caches
from fitting_room.catalogue.stores.columns import ColumnStore, has_pictures
from fitting_room.catalogue.stores.files import FilePart
from fitting_room.catalogue.stores.names import (
    COLUMNS,
    CONTAINERS,
    MAPPED,
    TARS,
    ZIPS,
    is_container_name,
    is_unread_archive_name,
)
from fitting_room.catalogue.stores.store import Container, Listing, StoreError, no_such_file
from fitting_room.catalogue.stores.tars import TarStore
from fitting_room.catalogue.stores.zips import ZipStore
from fitting_room.imaging.decode import ImageRejected

#: Archives within archives are opened so deep.
MAX_DEPTH = 3
#: No more archives are listed in one store.
MAX_MOUNTS = 100_000
#: Archives that stay open; the others are opened again when they are asked for.
_OPEN = 32
_ANYTHING = "anything"
_ENDS_LIKE_AN_ARCHIVE = re.compile(
    "(?<={})/".format(")/|(?<=".join(map(re.escape, CONTAINERS))), re.IGNORECASE
)
_TOO_DEEP = "archives in too many archives: unpack the outer ones"
_UNREAD = "archives of kinds that are not read: unpack them"
_TOO_MANY = f"more than {MAX_MOUNTS:,} archives"


def open_archive(
    part: FilePart, name: str, location: str, cache: Path, own_name: str | None = None
) -> Container:
    """The archive of this name, or the pictures in such a table. ``location`` is its place for
    people. Packed tars are unpacked into ``cache``. Raises :class:`StoreError`."""
    lower = name.lower()
    if lower.endswith(".tar"):
        return TarStore(part, location, cache)
    if lower.endswith(TARS):
        version = f"{part.file.version}\0{part.start}"
        path = caches.kept(
            cache, f"{part.file.path}\0{part.start}", version, ".tar",
            lambda: caches.unpacked(part.buffered(), part.size, location, lower),
        )  # fmt: skip
        return TarStore(path, location, cache)
    if lower.endswith(ZIPS):
        return ZipStore(part, location)
    if not lower.endswith(COLUMNS):
        raise StoreError("This is not an archive that can be read.", name=location)
    return ColumnStore(part, location, own_name)


class MountedStore(Container):
    """The files of ``root``, and those of the archives in it: a file ``1.jpg`` of ``images.zip`` is
    called ``images.zip/1.jpg``. So are the pictures in the cells of a Parquet or Arrow table.

    A listing has the files of the archives ``names``, or of all where it is ``None``. Reading
    opens whichever archive a name asks for, and no other. Archives within archives are opened
    :data:`MAX_DEPTH` deep; one that cannot be opened is passed over in the listing.
    """

    def __init__(
        self, root: Container, names: Iterable[str] | None = None, *, cache: Path | None = None
    ) -> None:
        self.root = root
        self.location = root.location
        self.names = None if names is None else list(dict.fromkeys(names))
        self._cache = cache or caches.default_cache()
        self._open: OrderedDict[str, Container] = OrderedDict()
        # Of tables that were listed, until they are asked for: by then they may be closed again.
        self._rows: dict[str, list[list[str]]] = {}
        self._lock = threading.RLock()

    def listing(self) -> Listing:
        whole = self.root.listing()
        # A table of pictures is in its own listing, and is no folder in it.
        is_table = isinstance(self.root, ColumnStore)
        pending = [] if is_table else sorted(filter(is_container_name, whole.files))
        if self.names is not None:
            pending = self.names
        for name in filter(is_unread_archive_name, whole.files):
            whole.pass_over(name, _UNREAD)
        for count, name in enumerate(pending):
            if count < MAX_MOUNTS:
                self._list(name, whole, pending)
            else:
                whole.pass_over(name, _TOO_MANY)
        return whole

    def _list(self, name: str, whole: Listing, pending: list[str]) -> None:
        """Add the files of an archive to a listing, and, where all are wanted, the archives among
        them to those that wait."""
        try:
            # Tables without pictures are files like others.
            if self.names is None and not self.has_pictures(name):
                return
            store = self.mounted(name)
            inner = store.listing()
        except StoreError as error:
            whole.pass_over(name, error.reason)
            return
        if isinstance(store, ColumnStore):
            self._rows[name] = store.rows()
        whole.add_all({f"{name}/{file}": signature for file, signature in inner.files.items()})
        if self.names is None:
            pending += [f"{name}/{file}" for file in inner.files if is_container_name(file)]
        for reason, files in inner.passed_over.items():
            whole.passed_over.setdefault(reason, []).extend(f"{name}/{file}" for file in files)

    def has_pictures(self, name: str) -> bool:
        """Whether an archive may have pictures in it, or a table has some in its cells. Raises
        :class:`StoreError` where a table cannot be read."""
        if not name.lower().endswith(COLUMNS):
            return True
        return has_pictures(self._on_disk(*self._resolve(name)))

    def mounted(self, name: str) -> Container:
        """The archive of this name. Raises :class:`StoreError`."""
        store, rest = self._resolve(f"{name}/{_ANYTHING}")
        if rest != _ANYTHING or store is self.root:
            raise no_such_file(self.path(name))
        return store

    def rows(self, name: str) -> list[list[str]]:
        """For each row of a table that holds pictures, in order, the names of its pictures. Raises
        :class:`StoreError`."""
        if isinstance(self.root, ColumnStore) and self.root.has(name):
            return self.root.rows(name)
        rows = self._rows.pop(name, None)
        if rows is None:
            store = self.mounted(name)
            if not isinstance(store, ColumnStore):
                raise StoreError("This is no table with pictures.", name=self.path(name))
            rows = store.rows()
        return [[f"{name}/{picture}" for picture in row] for row in rows]

    def picture_columns(self, name: str) -> list[str]:
        """The columns of such a table that hold the pictures. Raises :class:`StoreError`."""
        is_root = isinstance(self.root, ColumnStore) and self.root.has(name)
        store = self.root if is_root else self.mounted(name)
        return store.picture_columns if isinstance(store, ColumnStore) else []

    def _resolve(self, name: str) -> tuple[Container, str]:
        """The innermost store that a name leads into, and what the file is called there."""
        store, inside, taken = self.root, name, ""
        for depth in range(MAX_DEPTH + 1):
            archive = self._first_archive(store, inside, taken)
            if archive is None:
                return store, inside
            if depth == MAX_DEPTH:
                break
            taken, inside = taken + archive, inside[len(archive) + 1 :]
            store = self._opened(taken, store, archive)
            taken += "/"
        raise StoreError(_TOO_DEEP, name=self.path(name))

    def _first_archive(self, store: Container, name: str, before: str) -> str | None:
        """The file of ``store`` that a name leads through; a folder may be called as archives are.
        ``before`` is the store's own name with a slash."""
        if isinstance(store, ColumnStore):
            return None
        for match in _ENDS_LIKE_AN_ARCHIVE.finditer(name):
            prefix = name[: match.start()]
            if before + prefix in self._open or store.has(prefix):
                return prefix
        return None

    def _opened(self, name: str, outer: Container, inside: str) -> Container:
        with self._lock:
            store = self._open.get(name)
            if store is None:
                part = self._on_disk(outer, inside)
                store = open_archive(part, inside, self.path(name), self._cache)
                self._open[name] = store
            self._open.move_to_end(name)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)  # closed when whoever is reading from it is done
            return store

    def _on_disk(self, store: Container, name: str) -> FilePart:
        """The bytes of an archive as they can be read at any place, unpacked if they must be."""
        part = store.part(name)
        if part is not None and (part.is_whole or not name.lower().endswith(MAPPED)):
            return part
        location, size = store.path(name), store.size(name)
        path = caches.kept(
            self._cache, location, store.version(name), "",
            lambda: caches.unpacked(store.open(name), size, location, ""),
        )  # fmt: skip
        return FilePart.of(path)

    def has(self, name: str) -> bool:
        try:
            store, inside = self._resolve(name)
        except StoreError:
            return False
        return store.has(inside)

    def part(self, name: str) -> FilePart | None:
        store, inside = self._resolve(name)
        return store.part(inside)

    def size(self, name: str) -> int:
        store, inside = self._resolve(name)
        return store.size(inside)

    def version(self, name: str) -> str:
        store, inside = self._resolve(name)
        return store.version(inside)

    def open(self, name: str) -> BinaryIO:
        store, inside = self._resolve(name)
        return store.open(inside)

    def read(self, name: str, max_bytes: int) -> bytes:
        try:
            store, inside = self._resolve(name)
        except StoreError as error:
            raise ImageRejected(error.reason, name=name) from error
        try:
            return store.read(inside, max_bytes)
        except ImageRejected as rejected:
            raise ImageRejected(rejected.reason, name=name) from rejected

    def path(self, name: str) -> str:
        return self.root.path(name)
