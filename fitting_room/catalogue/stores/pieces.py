"""Parquet and Arrow files, a few rows of their columns with pictures at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, Protocol

import pyarrow as pa

from fitting_room.catalogue.stores.files import FilePart

#: Rows of a Parquet file that are unpacked at once. Few, because a small file can repeat one large
#: value as often as it likes; and no more than make so many bytes if the file tells the truth.
_MAX_ROWS, _PIECE_BYTES = 32, 8 * 2**20
_NOTHING: tuple[int, int, Iterator[Any]] = (-1, 0, iter(()))
_ARROW_FILE = b"ARROW1"

#: What pyarrow raises on damaged files.
ARROW_ERRORS = (
    pa.ArrowException, OSError, EOFError, ValueError, KeyError, TypeError, IndexError,
    OverflowError, MemoryError, RuntimeError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PictureColumn:
    """A column whose cells may be pictures: bytes, or a struct of ``bytes`` and ``path`` as the
    Hugging Face libraries write it, or lists of either."""

    name: str
    is_list: bool
    is_struct: bool
    has_path: bool

    @classmethod
    def of(cls, field: Any) -> PictureColumn | None:
        """The column of a schema's field, or ``None`` where it cannot hold pictures."""
        kind, types = field.type, pa.types
        is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
        if is_list:
            kind = kind.value_type
        if not types.is_struct(kind):
            return cls(field.name, is_list, False, False) if _is_bytes(kind) else None
        inner = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
        if not _is_bytes(inner.get("bytes")):
            return None
        path = inner.get("path")
        has_path = path is not None and (types.is_string(path) or types.is_large_string(path))
        return cls(field.name, is_list, True, has_path)

    def cells(self, array: Any, part: str = "bytes") -> tuple[list[tuple[int, int]], Any]:
        """The row of ``array`` and the place in the row's list of each value, and the values:
        the ``bytes`` or the ``path``."""
        import pyarrow.compute as pc

        rows = range(len(array))
        places = [(row, 0) for row in rows]
        if self.is_list:
            places, last = [], -1
            for row in pc.list_parent_indices(array).to_pylist():
                places.append((row, places[-1][1] + 1 if row == last else 0))
                last = row
            array = array.flatten()
        return places, pc.struct_field(array, [part]) if self.is_struct else array


def _is_bytes(kind: Any) -> bool:
    return kind is not None and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


class Pieces(Protocol):
    """A file in pieces of whole rows. ``starts`` has the first row of each and, last, the number of
    rows. What its methods raise is among :data:`ARROW_ERRORS`."""

    columns: list[PictureColumn]
    starts: list[int]

    def keep_only(self, columns: list[PictureColumn]) -> None:
        """Read no other columns from now on."""
        ...

    def piece(self, number: int) -> Any:
        """A table of the columns. Not to be called by two threads at once."""
        ...

    def paths(self) -> Iterator[tuple[PictureColumn, int, Any]]:
        """Columns that have paths, piece by piece: the column, the first row of the piece, and an
        array in which only the paths need be there."""
        ...


def open_pieces(part: FilePart) -> Pieces:
    """Raises what is in :data:`ARROW_ERRORS`."""
    if part.read_at(0, 4) == b"PAR1":
        return ParquetPieces(part)
    return ArrowPieces(part)


class ParquetPieces(Pieces):
    def __init__(self, part: FilePart) -> None:
        import pyarrow.parquet as pq

        # Column chunks are read page by page and not as a whole, however large they are.
        self._file = pq.ParquetFile(
            pa.PythonFile(part.again(), mode="r"), pre_buffer=False, buffer_size=2**20
        )
        self.columns = _picture_columns(self._file.schema_arrow)
        self._groups: list[tuple[int, int, int]] = []  # of each piece: group, number in it, rows
        for group in range(self._file.metadata.num_row_groups):
            # Not what the file says of columns: where that is damaged, pyarrow ends the process.
            metadata = self._file.metadata.row_group(group)
            rows, size = metadata.num_rows, metadata.total_byte_size
            # Damaged counts are caught when the rows are read; here they must not fill the memory.
            if not 0 <= rows <= 2**31:
                raise ValueError(f"a row group of {rows} rows")
            step = max(1, min(_MAX_ROWS, rows * _PIECE_BYTES // max(size, 1)))
            for number, first in enumerate(range(0, rows, step)):
                self._groups.append((group, number, min(step, rows - first)))
        self.starts = list(accumulate((rows for _, _, rows in self._groups), initial=0))
        self._steps = {group: rows for group, number, rows in self._groups if number == 0}
        self._reading = _NOTHING  # group and piece that follow, and the tables from there on

    def keep_only(self, columns: list[PictureColumn]) -> None:
        self.columns = columns
        self._reading = _NOTHING

    def piece(self, number: int) -> Any:
        """Reading on is quick. Elsewhere, a row group is read from its beginning."""
        open_group, following, tables = self._reading
        group, inside, rows = self._groups[number]
        if open_group != group or following > number:
            following, tables = number - inside, self._tables(group, self._names())
        self._reading = _NOTHING  # in case that it fails
        table = next(islice(tables, number - following, None), None)
        if table is None or table.num_rows != rows:
            raise ValueError("a row group has fewer rows than it says")
        self._reading = (group, number + 1, tables)
        return table

    def _names(self) -> list[str]:
        return [column.name for column in self.columns]

    def _tables(self, group: int, columns: list[str]) -> Iterator[Any]:
        step = self._steps[group]
        batches = self._file.iter_batches(step, [group], columns, use_threads=False)
        return _in_steps(batches, step)

    def paths(self) -> Iterator[tuple[PictureColumn, int, Any]]:
        schema = self._file.schema
        leaves = [schema.column(i).path for i in range(len(schema.names))]
        for column in self.columns:
            own = [leaf for leaf in leaves if _top(leaf) == column.name and leaf.endswith(".path")]
            if not column.has_path or not own:
                continue
            first = 0
            for batch in self._file.iter_batches(2**14, columns=own, use_threads=False):
                yield column, first, batch.column(0)
                first += batch.num_rows


class ArrowPieces(Pieces):
    """A record batch a piece, of a file or of a stream; the file must be whole on the disk."""

    def __init__(self, part: FilePart) -> None:
        # Mapped and not read: what is not packed is never copied as a whole.
        whole = pa.memory_map(str(part.file.path)).read_buffer()
        self._schema: Any
        if part.read_at(0, 6) == _ARROW_FILE:
            reader = pa.ipc.open_file(whole)
            self._schema, count, self._batch = (
                reader.schema, reader.num_record_batches, reader.get_batch,
            )  # fmt: skip
        else:
            self._schema, count, self._batch = _open_stream(whole)
        self.columns = _picture_columns(self._schema)
        rows = (self._batch(i).num_rows for i in range(count)) if self.columns else iter(())
        self.starts = list(accumulate(rows, initial=0))

    def keep_only(self, columns: list[PictureColumn]) -> None:
        self.columns = columns

    def piece(self, number: int) -> Any:
        batch = self._batch(number).select([column.name for column in self.columns])
        batch.validate(full=True)  # nothing that it says of itself was checked so far
        return pa.Table.from_batches([batch])

    def paths(self) -> Iterator[tuple[PictureColumn, int, Any]]:
        for column in self.columns:
            if column.has_path:
                for number, first in enumerate(self.starts[:-1]):
                    yield column, first, self.piece(number).column(column.name).combine_chunks()


def _open_stream(whole: Any) -> tuple[Any, int, Callable[[int], Any]]:
    """The schema of a stream, how many record batches it has, and a function that gives each."""
    source, places, head = pa.BufferReader(whole), [], 0
    is_plain = True
    while (start := source.tell()) < whole.size:
        try:
            message = pa.ipc.read_message(source)
        except EOFError:  # the mark at the end
            break
        if message.type == "record batch":
            places.append((start, source.tell()))
        elif not places:
            head = source.tell()  # the schema, and dictionaries
            is_plain &= message.type == "schema"
    schema = pa.ipc.open_stream(whole.slice(0, head)).schema

    def batch(number: int) -> Any:
        first, last = places[number]
        if is_plain:
            return pa.ipc.read_record_batch(whole.slice(first, last - first), schema)
        alone = whole.slice(0, head).to_pybytes() + whole.slice(first, last - first).to_pybytes()
        return pa.ipc.open_stream(alone).read_next_batch()

    return schema, len(places), batch


def _picture_columns(schema: Any) -> list[PictureColumn]:
    names = list(schema.names)
    found = (PictureColumn.of(field) for field in schema if names.count(field.name) == 1)
    return [column for column in found if column is not None]


def _top(path: str) -> str:
    return path.split(".", 1)[0]


def _in_steps(batches: Iterator[Any], step: int) -> Iterator[Any]:
    """The rows of batches as tables of ``step`` rows each, the last with what is left."""
    pending: list[Any] = []
    for batch in batches:
        pending.append(batch)
        while sum(b.num_rows for b in pending) >= step:
            table = pa.Table.from_batches(pending)
            yield table.slice(0, step)
            pending = table.slice(step).to_batches()
    if pending:
        yield pa.Table.from_batches(pending)
