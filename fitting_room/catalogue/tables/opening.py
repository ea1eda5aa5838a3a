"""Files as bounded streams of bytes, unpacked where they are packed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, cast

from fitting_room.catalogue.tables.table import TableError

OpenFile = Callable[[], BinaryIO]

MAX_BYTES = 4 * 2**30
#: How much larger a file may become by unpacking, beyond the first :data:`FREE_BYTES`.
MAX_PACKED = 1_000
FREE_BYTES = 64 * 2**20

_UNPACKERS: dict[bytes, Callable[[BinaryIO], object]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_ZSTD = b"\x28\xb5\x2f\xfd"

#: What unpackers raise on damaged files, and zip members with them (``RuntimeError``: encrypted).
DAMAGE = (
    OSError, EOFError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError,
    zipfile.BadZipFile,
)  # fmt: skip


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than a table may have. ``source`` is the packed file."""

    def __init__(self, stream: BinaryIO, source: BinaryIO | None) -> None:
        self._stream = stream
        self._source = source
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        try:
            data = self._stream.read(len(view))
        except DAMAGE as error:
            raise TableError(
                f"the file is damaged ({error}). Copy or download it again."
            ) from error
        view[: len(data)] = data
        self._given += len(data)
        if self._given > MAX_BYTES:
            raise TableError(f"larger than {MAX_BYTES / 2**30:.0f} GiB. Split it into several.")
        if self._source is not None and self._given > FREE_BYTES:
            self._check_ratio(self._source.tell())
        return len(data)

    def _check_ratio(self, packed: int) -> None:
        if self._given > MAX_PACKED * max(packed, 1):
            raise TableError(
                f"it unpacks to more than {MAX_PACKED:,} times its size. Unpack it and give the "
                "table itself."
            )


@contextmanager
def opened(open_file: OpenFile) -> Iterator[BinaryIO]:
    """The bytes of a file from the start, unpacked where it is packed.

    Reading raises :class:`TableError` for damaged files and for those that are too large.
    """
    with ExitStack() as stack:
        file = stack.enter_context(_open(open_file))
        start = file.read(6)
        file.seek(0)
        stream, source = file, None
        for magic, unpack in _UNPACKERS.items():
            if start.startswith(magic):
                stream, source = cast("BinaryIO", unpack(file)), file
        if start.startswith(_ZSTD):
            import pyarrow as pa

            stream, source = cast("BinaryIO", pa.CompressedInputStream(file, "zstd")), file
        if stream is not file:
            stack.callback(stream.close)
        raw = _Bounded(stream, source)
        yield cast("BinaryIO", stack.enter_context(io.BufferedReader(raw, 2**20)))


def _open(open_file: OpenFile) -> BinaryIO:
    try:
        return open_file()
    except DAMAGE as error:
        raise TableError(f"the file cannot be opened ({error}).") from error


def is_packed(start: bytes) -> bool:
    return start.startswith((*_UNPACKERS, _ZSTD))


@contextmanager
def seekable(open_file: OpenFile) -> Iterator[BinaryIO]:
    """The same bytes where they are needed in any order: the file itself if that is on disk and
    not packed, else a temporary copy, because going back in a zip member or a packed file means
    to unpack it from its start again."""
    with _open(open_file) as file:
        start = file.read(6)
        file.seek(0)
        if not is_packed(start) and _is_on_disk(file):
            if file.seek(0, io.SEEK_END) > MAX_BYTES:
                raise TableError(f"larger than {MAX_BYTES / 2**30:.0f} GiB. Split it into several.")
            file.seek(0)
            yield file
            return
    with opened(open_file) as stream, ExitStack() as stack:
        try:
            copy = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(stream, copy, 2**20)
            copy.seek(0)  # which writes the rest
        except OSError as error:  # of what is read, one is a TableError
            raise TableError(
                f"it must be unpacked, and the folder for temporary files takes it not "
                f"({error.strerror or error}). Make room in {_temporary_folder()}, or name another "
                "folder with TMPDIR."
            ) from error
        yield cast("BinaryIO", copy)


def _temporary_folder() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:  # none of those that there could be can be written
        return "it"


def _is_on_disk(file: BinaryIO) -> bool:
    try:
        file.fileno()
    except (OSError, AttributeError):
        return isinstance(file, io.BytesIO)
    return True
