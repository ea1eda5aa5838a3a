"""Files in a zip archive, read in place."""

from __future__ import annotations

import io
import lzma
import posixpath
import stat
import struct
import threading
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from fitting_room.catalogue.stores.files import FilePart
from fitting_room.catalogue.stores.names import (
    BAD_NAMES,
    archived_name,
    is_hidden,
    is_plain_name,
    is_shown_name,
)
from fitting_room.catalogue.stores.store import (
    Container,
    Listing,
    StoreError,
    check_picture_name,
    no_such_file,
    too_large,
)
from fitting_room.catalogue.stores.zip_names import ZIPS_OWN, encoding_of
from fitting_room.imaging.decode import ImageRejected

ENCRYPTED = "encrypted files: unpack the archive with its password and give the folder"
_ODDLY_PACKED = "files packed in a way that is not read: pack them with deflate"
_LINKS = "links"
_UNICODE_PATH, _UTF_8, _LOCKED = 0x7075, 0x800, 0x1
_ZIP_ERRORS = (
    OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError,
    NotImplementedError, struct.error, OverflowError,
)  # fmt: skip


#: How many times its packed size a file that is opened may have, beyond what is given in any case.
MAX_PACKED, FREE_BYTES = 250, 64 * 2**20


class ZipStore(Container):
    """Files in a zip archive, read in place: nothing of it is ever unpacked to disk.

    Raises :class:`StoreError` when the archive cannot be opened. Of several entries with one name
    the last counts.
    """

    def __init__(self, source: Path | FilePart, location: str | None = None) -> None:
        self.location = location or str(source)
        try:
            self._file = FilePart.of(source.resolve()) if isinstance(source, Path) else source
            self.location = location or str(self._file.file.path)
            self.archive = zipfile.ZipFile(self._file.again())
        except _ZIP_ERRORS as error:
            raise StoreError(
                f"This is not a complete zip archive ({error}). Download it again.",
                name=self.location,
            ) from error
        self._lock = threading.Lock()
        self._entries: dict[str, zipfile.ZipInfo] | None = None
        self._bad_names: list[str] = []

    def listing(self) -> Listing:
        listing = Listing()
        for name, info in self._index().items():
            if reason := _reason_against(info):
                listing.pass_over(name, reason)
            else:
                listing.add(name, _signature(info))
        for name in self._bad_names:
            listing.pass_over(name, BAD_NAMES)
        return listing

    def _index(self) -> dict[str, zipfile.ZipInfo]:
        with self._lock:
            if self._entries is None:
                self._entries = self._make_index()
            return self._entries

    def _make_index(self) -> dict[str, zipfile.ZipInfo]:
        entries: dict[str, zipfile.ZipInfo] = {}
        encoding: str | None = None
        for info in self.archive.infolist():
            name = info.orig_filename
            if not name.isascii() and not info.flag_bits & _UTF_8:
                if encoding is None:
                    encoding = encoding_of(_undeclared_names(self.archive))
                name = _decoded(info, encoding)
            name = archived_name(name)
            if not name or name.endswith("/") or is_hidden(name):
                # Names with two dots are hidden as well as bad, and worth a word.
                if ".." in name.split("/"):
                    self._bad_names.append(name)
            elif is_plain_name(name):
                entries[name] = info
            else:
                self._bad_names.append(name)
        return entries

    def has(self, name: str) -> bool:
        return name in self._index()

    def size(self, name: str) -> int:
        return self._entry(name).compress_size

    def version(self, name: str) -> str:
        return f"{self._file.file.version}\0{self._file.start}\0{name}\0" + _signature(
            self._entry(name)
        )

    def _entry(self, name: str) -> zipfile.ZipInfo:
        info = self._index().get(name)
        if info is None or not is_shown_name(name):
            raise no_such_file(self.path(name))
        if reason := _reason_against(info):
            raise StoreError(f"The file is among the {reason}.", name=self.path(name))
        return info

    def part(self, name: str) -> FilePart | None:
        info = self._entry(name)
        if info.compress_type != zipfile.ZIP_STORED:
            return None
        # The local header says where the data begin (APPNOTE.TXT 4.3.7).
        header = self._file.read_at(info.header_offset, 30)
        if len(header) < 30 or not header.startswith(b"PK\x03\x04"):
            raise StoreError("The archive's entry is damaged.", name=self.path(name))
        lengths: tuple[int, int] = struct.unpack("<HH", header[26:])
        return self._file.part(info.header_offset + 30 + sum(lengths), info.file_size)

    def open(self, name: str) -> BinaryIO:
        info = self._entry(name)
        if info.file_size > max(FREE_BYTES, MAX_PACKED * info.compress_size):
            raise StoreError(
                f"It unpacks to more than {MAX_PACKED} times its size. Unpack the archive and give "
                "the folder.",
                name=self.path(name),
            )
        try:
            with_errors_in_words = _Member(self.archive.open(info), self.path(name))
        except _ZIP_ERRORS as error:
            raise StoreError(
                f"The archive's entry is damaged ({error}). Download the archive again.",
                name=self.path(name),
            ) from error
        return io.BufferedReader(with_errors_in_words, 2**18)

    def read(self, name: str, max_bytes: int) -> bytes:
        check_picture_name(name)
        info = self._index().get(name)
        if info is None:
            raise ImageRejected("There is no such picture in the archive.", name=name)
        if _reason_against(info):
            reason = "The archive's entry is encrypted or packed in an unknown way."
            raise ImageRejected(reason, name=name)
        if info.file_size > max_bytes:
            raise too_large(name, max_bytes)
        try:
            # read(n) unpacks n bytes at most; read() unpacks everything, whatever the size says
            with self.archive.open(info) as file:
                return file.read(max_bytes + 1)
        except _ZIP_ERRORS as error:
            raise ImageRejected(f"The archive's entry is damaged ({error}).", name=name) from error

    def path(self, name: str) -> str:
        return posixpath.join(self.location, name)


class _Member(io.RawIOBase):
    """An entry that is open, whose damage is told as a :class:`StoreError`."""

    def __init__(self, entry: Any, name: str) -> None:
        super().__init__()
        self._entry = entry
        self._name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._telling(self._entry.read, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._telling(self._entry.seek, offset, whence))

    def tell(self) -> int:
        return int(self._entry.tell())

    def _telling(self, call: Any, *arguments: int) -> Any:
        try:
            return call(*arguments)
        except _ZIP_ERRORS as error:
            raise StoreError(
                f"The archive's entry is damaged ({error}). Download the archive again.",
                name=self._name,
            ) from error


def _signature(info: zipfile.ZipInfo) -> str:
    return f"{info.file_size}-{info.CRC:08x}"


def _reason_against(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & _LOCKED:
        return ENCRYPTED
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return _ODDLY_PACKED  # or one whose unpacker does not bound what it gives at once
    is_link = info.create_system == 3 and stat.S_ISLNK(info.external_attr >> 16)
    return _LINKS if is_link else None


def _undeclared_names(archive: zipfile.ZipFile) -> list[bytes]:
    return [
        info.orig_filename.encode(ZIPS_OWN)
        for info in archive.infolist()
        if not info.flag_bits & _UTF_8 and not info.orig_filename.isascii()
    ]


def _decoded(info: zipfile.ZipInfo, encoding: str) -> str:
    """A name of unknown encoding, as the entry says elsewhere or in the one that was found."""
    raw = info.orig_filename.encode(ZIPS_OWN)
    extra = info.extra
    while len(extra) >= 4:  # the Unicode path of Info-ZIP (APPNOTE.TXT 4.6.9)
        kind, size = struct.unpack("<HH", extra[:4])
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and body[1:5] == struct.pack("<I", zlib.crc32(raw)):
            return body[5:].decode("utf-8", "replace")
    return raw.decode(encoding, "replace")
