"""Files in a tar archive, read in place."""

from __future__ import annotations

import posixpath
import threading
import zlib
from pathlib import Path
from typing import BinaryIO

from fitting_room.catalogue.stores.files import FilePart
from fitting_room.catalogue.stores.names import is_shown_name
from fitting_room.catalogue.stores.store import (
    Container,
    Listing,
    StoreError,
    check_picture_name,
    no_such_file,
    too_large,
)
from fitting_room.catalogue.stores.tar_index import TAR_ERRORS, TarIndex, index_of, open_tar
from fitting_room.imaging.decode import ImageRejected

#: The end of a file goes into its signature: there a packed picture depends on all that precedes.
_TAIL = 1024


class TarStore(Container):
    """Files in an uncompressed tar archive, read in place: where each begins is found out once.

    Where ``cache`` is given, that is kept there for large archives. Raises :class:`StoreError` when
    it is no tar archive. Of several members with one name the last
    counts. An archive that breaks off has the files before that place.
    """

    def __init__(
        self, source: Path | FilePart, location: str | None = None, cache: Path | None = None
    ) -> None:
        self.location = location or str(source)
        try:
            self._file = FilePart.of(source.resolve()) if isinstance(source, Path) else source
        except OSError as error:
            raise StoreError(
                f"The archive cannot be read ({error.strerror}).", name=self.location
            ) from error
        self.location = location or str(self._file.file.path)
        self._lock = threading.Lock()
        self._cache = cache
        self._made: TarIndex | None = None
        # A file without a first header is no archive; all others wait until they are needed.
        try:
            open_tar(self._file).close()
        except TAR_ERRORS as error:
            raise self._damaged(error) from error

    def listing(self) -> Listing:
        listing = Listing()
        index = self._index()
        for name, (start, size, time) in index.members.items():
            tail = self._file.read_at(start + max(0, size - _TAIL), min(_TAIL, size))
            listing.add(name, f"{size}-{time}-{zlib.crc32(tail):08x}")
        for name, reason in index.passed_over:
            listing.pass_over(name, reason)
        return listing

    def _index(self) -> TarIndex:
        with self._lock:
            if self._made is None:
                try:
                    self._made = index_of(self._file, self._cache)
                except TAR_ERRORS as error:
                    raise self._damaged(error) from error
            return self._made

    def _damaged(self, error: BaseException) -> StoreError:
        return StoreError(
            f"This is not a tar archive ({error}). Download it again.", name=self.location
        )

    def has(self, name: str) -> bool:
        return name in self._index().members

    def part(self, name: str) -> FilePart:
        member = self._index().members.get(name)
        if member is None or not is_shown_name(name):
            raise no_such_file(self.path(name))
        return self._file.part(*member[:2])

    def size(self, name: str) -> int:
        return self.part(name).size

    def version(self, name: str) -> str:
        part = self.part(name)
        return f"{part.file.version}\0{part.start}"

    def open(self, name: str) -> BinaryIO:
        return self.part(name).buffered()

    def read(self, name: str, max_bytes: int) -> bytes:
        check_picture_name(name)
        try:
            member = self._index().members.get(name)
            if member is None:
                raise ImageRejected("There is no such picture in the archive.", name=name)
            start, size, _ = member
            if size > max_bytes:
                raise too_large(name, max_bytes)
            data = self._file.read_at(start, size)
        except (OSError, StoreError) as error:
            reason = f"The archive cannot be read ({error})."
            raise ImageRejected(reason, name=name) from error
        if len(data) < size:
            raise ImageRejected("The archive's entry is damaged: it is cut short.", name=name)
        return data

    def path(self, name: str) -> str:
        return posixpath.join(self.location, name)
