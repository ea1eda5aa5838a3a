"""Pictures in the cells of Parquet and Arrow tables."""

from __future__ import annotations

import bisect
import itertools
import posixpath
import re
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from fitting_room.catalogue.stores.files import FilePart
from fitting_room.catalogue.stores.names import is_picture_name, is_shown_name
from fitting_room.catalogue.stores.pieces import ARROW_ERRORS, PictureColumn, Pieces, open_pieces
from fitting_room.catalogue.stores.store import (
    MAX_FILES,
    Container,
    Listing,
    StoreError,
    check_picture_name,
    no_such_file,
    too_large,
)
from fitting_room.imaging.decode import ImageRejected

_NO_PICTURES = "cells that hold no picture"
#: Pieces of the file that stay unpacked, in bytes; the last two stay whatever their size.
_CACHE_BYTES = 64 * 2**20
#: Values and pieces that are looked at to tell whether a column holds pictures.
_PROBES, _PROBED_PIECES = 8, 20
_ROW_NAME = re.compile(r"(\d{1,12})(?:-(\d{1,9}))?(\.[a-z]+)")

#: Where a picture is: its column's number, its row, and its place in the cell's list.
_Place = tuple[int, int, int]


def has_pictures(source: Path | FilePart) -> bool:
    """Whether a Parquet or Arrow file has a column of pictures. Raises :class:`StoreError` for a
    file that is neither."""
    try:
        part = FilePart.of(source) if isinstance(source, Path) else source
        pieces = open_pieces(part)
        return bool(pieces.columns and _columns_with_pictures(pieces))
    except ARROW_ERRORS as error:
        place = source if isinstance(source, Path) else source.file.path
        raise _damaged(str(place), error) from error


class ColumnStore(Container):
    """The pictures of a Parquet or Arrow file, a few rows in memory at a time.

    A picture is called as its struct's path says, or by its row if it says nothing or what was said
    before. With several columns of pictures each is a folder. ``picture_columns`` are their names.
    Raises :class:`StoreError` when the file cannot be read or has no pictures.

    Where ``own_name`` is given, the listing has the table too, under that name.
    """

    def __init__(
        self, source: Path | FilePart, location: str | None = None, own_name: str | None = None
    ) -> None:
        self.location = location or str(source)
        try:
            self._file = FilePart.of(source.resolve()) if isinstance(source, Path) else source
            self.location = location or str(self._file.file.path)
            self._pieces = open_pieces(self._file)
            if self._pieces.starts[-1] > MAX_FILES:
                raise ValueError(f"more than {MAX_FILES:,} rows")
            columns = _columns_with_pictures(self._pieces)
        except ARROW_ERRORS as error:
            raise _damaged(self.location, error) from error
        if not columns:
            raise StoreError("No column holds pictures.", name=self.location)
        self._pieces.keep_only(columns)
        self._columns = columns
        self.picture_columns = [column.name for column in columns]
        self._prefixes = _prefixes(columns)
        self._own_name = own_name
        self._lock = threading.RLock()
        self._cache: OrderedDict[int, _Piece] = OrderedDict()
        self._cached_bytes = 0
        self._by_path: tuple[dict[str, _Place], set[int]] | None = None
        self._listed: tuple[Listing, list[list[str]]] | None = None

    def listing(self) -> Listing:
        listing = self._list()[0]
        files = dict(listing.files)
        if self._own_name:
            files[self._own_name] = self._own_signature()
        return Listing(files, {r: list(names) for r, names in listing.passed_over.items()})

    def rows(self, name: str = "") -> list[list[str]]:
        """For each row of the file, in order, the names of its pictures. ``name`` is for stores
        with several tables in them; this one takes none. Raises :class:`StoreError`."""
        if name not in ("", self._own_name):
            raise no_such_file(self.path(name))
        return self._list()[1]

    def _list(self) -> tuple[Listing, list[list[str]]]:
        with self._lock:
            if self._listed is None:
                try:
                    self._listed = self._make_list()
                except ARROW_ERRORS as error:
                    raise _damaged(self.location, error) from error
            return self._listed

    def _make_list(self) -> tuple[Listing, list[list[str]]]:
        by_path, with_paths = self._paths()
        name_of = {place: name for name, place in by_path.items()}
        listing = Listing()
        rows: list[list[str]] = [[] for _ in range(self._pieces.starts[-1])]
        for number, first in enumerate(self._pieces.starts[:-1]):
            table = self._pieces.piece(number)
            for c, column in enumerate(self._columns):
                places, values = column.cells(table.column(column.name).combine_chunks())
                for (row, k), value in zip(places, values, strict=True):
                    data = value.as_buffer()
                    if data is None:
                        continue
                    name = name_of.get((c, first + row, k)) if c in with_paths else None
                    name = name or self._name_by_row(c, first + row, k, data)
                    if name:
                        listing.add(name, f"{data.size}-{zlib.crc32(data):08x}")
                        rows[first + row].append(name)
                    else:
                        listing.pass_over(f"{self._prefixes[c]}{first + row}", _NO_PICTURES)
        return listing, rows

    def _name_by_row(self, column: int, row: int, k: int, data: Any) -> str | None:
        ending = _ending_of(data)
        return ending and f"{self._prefixes[column]}{row}{f'-{k}' if k else ''}{ending}"

    def _paths(self) -> tuple[dict[str, _Place], set[int]]:
        """Where the pictures are that are called as a path says, and the columns that have paths.
        In such a column all pictures are named here, without their bytes being looked at."""
        with self._lock:
            if self._by_path is None:
                self._by_path = self._make_paths()
            return self._by_path

    def _make_paths(self) -> tuple[dict[str, _Place], set[int]]:
        with_paths = {
            self._columns.index(column)
            for column, _, array in self._pieces.paths()
            if (values := column.cells(array, "path")[1]).null_count < len(values)
        }
        names: dict[str, _Place] = {}
        for column, first, array in self._pieces.paths():
            c = self._columns.index(column)
            if c not in with_paths:
                continue
            places, values = column.cells(array, "path")
            for (row, k), value in zip(places, values, strict=True):
                said = value.as_buffer()
                path = said.to_pybytes().decode("utf-8", "replace") if said is not None else ""
                for name in _candidates(path, first + row, k):
                    if (full := self._prefixes[c] + name) not in names:
                        names[full] = (c, first + row, k)
                        break
        return names, with_paths

    def _find(self, name: str) -> _Place | None:
        by_path, with_paths = self._paths()
        if place := by_path.get(name):
            return place
        for c, prefix in enumerate(self._prefixes):
            match = _ROW_NAME.fullmatch(name.removeprefix(prefix))
            if match and name.startswith(prefix) and c not in with_paths:
                row, k = int(match[1]), int(match[2] or 0)
                if row < self._pieces.starts[-1]:
                    return c, row, k
        return None

    def has(self, name: str) -> bool:
        if name == self._own_name:
            return True
        try:
            with self._lock:
                return self._find(name) is not None
        except ARROW_ERRORS:
            return False

    def part(self, name: str) -> FilePart | None:
        if self._own_name and name == self._own_name:
            return self._file.again()
        if not is_shown_name(name) or not self.has(name):
            raise no_such_file(self.path(name))
        return None

    def size(self, name: str) -> int:
        self.part(name)
        return self._file.size

    def version(self, name: str) -> str:
        self.part(name)
        return f"{self._file.file.version}\0{self._file.start}\0{name}"

    def _own_signature(self) -> str:
        return f"{self._file.size}-{self._file.file.version.rpartition('-')[2]}"

    def open(self, name: str) -> BinaryIO:
        if part := self.part(name):
            return part.buffered()
        raise StoreError("This is a picture in a table; it is read and not opened.", name=name)

    def read(self, name: str, max_bytes: int) -> bytes:
        check_picture_name(name)
        try:
            with self._lock:
                data = self._picture(name)
        except (StoreError, *ARROW_ERRORS) as error:
            reason = f"The table with the picture is damaged ({str(error)[:200]})."
            raise ImageRejected(reason, name=name) from error
        if data is None:
            raise ImageRejected("There is no such picture in the table.", name=name)
        if data.size > max_bytes:
            raise too_large(name, max_bytes)
        return bytes(data)

    def _picture(self, name: str) -> Any:
        """The bytes of a picture as a buffer, ``None`` where there is none of this name."""
        place = self._find(name)
        data = self._value(*place) if place else None
        if place is None or data is None:
            return None
        is_named_so = name in self._paths()[0] or name == self._name_by_row(*place, data)
        return data if is_named_so else None

    def _value(self, c: int, row: int, k: int) -> Any:
        number = bisect.bisect_right(self._pieces.starts, row) - 1
        piece = self._cache.get(number)
        if piece is None:
            piece = self._cache[number] = _Piece(self._pieces.piece(number), self._columns)
            self._cached_bytes += piece.size
            while len(self._cache) > 2 and self._cached_bytes > _CACHE_BYTES:
                self._cached_bytes -= self._cache.popitem(last=False)[1].size
        self._cache.move_to_end(number)
        indices, values = piece.columns[c]
        index = indices.get((row - self._pieces.starts[number], k))
        return None if index is None else values[index].as_buffer()

    def path(self, name: str) -> str:
        return posixpath.join(self.location, name)


class _Piece:
    """Some rows of the file: for each column where in its values each cell's are, and the values.
    ``size`` is in bytes."""

    def __init__(self, table: Any, columns: list[PictureColumn]) -> None:
        self.size = table.nbytes
        self.columns = []
        for column in columns:
            places, values = column.cells(table.column(column.name).combine_chunks())
            self.columns.append(({place: i for i, place in enumerate(places)}, values))


def _columns_with_pictures(pieces: Pieces) -> list[PictureColumn]:
    """The columns whose first values begin like pictures, most of them."""
    votes = {column.name: [0, 0] for column in pieces.columns}
    for number in range(min(len(pieces.starts) - 1, _PROBED_PIECES)):
        open_votes = [c for c in pieces.columns if votes[c.name][1] < _PROBES]
        if not open_votes:
            break
        table = pieces.piece(number)
        for column in open_votes:
            values = column.cells(table.column(column.name).combine_chunks())[1]
            found = (v.as_buffer() for v in values if v.is_valid)
            for data in itertools.islice(found, _PROBES):
                votes[column.name][0] += _ending_of(data) is not None
                votes[column.name][1] += 1
    return [c for c in pieces.columns if votes[c.name][0] * 2 > votes[c.name][1]]


def _prefixes(columns: list[PictureColumn]) -> list[str]:
    if len(columns) == 1:
        return [""]
    plain = [is_shown_name(c.name) and "/" not in c.name for c in columns]
    return [
        f"{c.name if ok else f'column {i}'}/"
        for i, (c, ok) in enumerate(zip(columns, plain, strict=True))
    ]


def _candidates(path: str, row: int, k: int) -> Iterator[str]:
    """Names for a picture, the best first and without end."""
    place = f"{row}-{k}" if k else str(row)
    base = re.split(r"[/\\]", path)[-1]
    if len(base) <= 200 and is_picture_name(base):
        yield base
        yield f"{place}-{base}"
    yield f"{place}.jpg"
    for number in itertools.count(1):
        yield f"{place}-again-{number}.jpg"


def _ending_of(data: Any) -> str | None:
    """The ending that a picture's first bytes ask for, ``None`` for what is no picture."""
    start = bytes(memoryview(data)[:16])
    for beginning, ending in _BEGINNINGS:
        if start.startswith(beginning):
            return ending
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return ".webp"
    if start[4:8] == b"ftyp":
        return ".avif" if start[8:12] in (b"avif", b"avis") else ".heic"
    return None


_BEGINNINGS = (
    (b"\xff\xd8\xff", ".jpg"), (b"\x89PNG\r\n", ".png"), (b"GIF8", ".gif"), (b"BM", ".bmp"),
    (b"II*\0", ".tif"), (b"MM\0*", ".tif"),
)  # fmt: skip


def _damaged(location: str, error: BaseException) -> StoreError:
    return StoreError(
        f"This is not a complete Parquet or Arrow file ({str(error)[:200]}). Download it again.",
        name=location,
    )
