"""Parquet, Arrow and Feather files, without the pictures that may be in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from fitting_room.catalogue.tables.opening import OpenFile, seekable
from fitting_room.catalogue.tables.table import (
    MAX_ROWS,
    Columns,
    SourceTable,
    TableError,
    check_header,
)
from fitting_room.catalogue.tables.values import text_of

BATCH_ROWS = 16_384
#: Bytes of text that the cells may take. A few bytes of these files can stand for millions of rows.
MAX_TEXT = 8 * 2**30

_DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError, TypeError)
_DAMAGED = "this {} file is damaged ({}). Copy or download it again."

_BYTES = (
    pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary,
    pa.types.is_binary_view,
)  # fmt: skip

Batches = Iterator[pa.RecordBatch]


def read_columnar(open_file: OpenFile, kind: str) -> SourceTable:
    """A Parquet (``kind`` "Parquet") or Arrow file. Raises :class:`TableError`."""
    with _reader(open_file, kind) as (schema, batches):
        names = _names(schema)
        kept = [name for name in names if _is_text(schema.field(name).type)]
        if not kept:
            raise TableError("no column of it holds text or numbers.")
        labels = _class_labels(schema)
        columns, budget = None, MAX_TEXT
        for batch in batches(kept):
            batch.validate(full=True)
            parts = [p for name in kept for p in _parts(name, batch.column(name), labels, budget)]
            if columns is None:
                columns = Columns(check_header([name for name, _ in parts]))
            budget -= sum(cells.nbytes for _, cells in parts)
            columns.add_arrays([cells for _, cells in parts])
        if columns is None:
            columns = Columns(check_header(kept))
            columns.add_arrays([pa.array([], pa.large_string())] * len(kept))
        cells, notes = columns.finish()
    gone = [f"`{name}`" for name in names if name not in kept]
    note = f"pictures, other bytes and vectors left out: {', '.join(gone[:5])}"
    return SourceTable(cells, notes=(*([note] if gone else []), *notes))


def columnar_columns(open_file: OpenFile, kind: str) -> list[str]:
    """The names of the columns that hold text or numbers."""
    with _reader(open_file, kind) as (schema, _):
        return [n for n in check_header(_names(schema)) if n and _is_text(schema.field(n).type)]


def _names(schema: pa.Schema) -> list[str]:
    check_header(schema.names)  # no name twice
    return list(schema.names)


@contextmanager
def _reader(
    open_file: OpenFile, kind: str
) -> Iterator[tuple[pa.Schema, Callable[[list[str]], Batches]]]:
    """The schema of a file, and what gives the batches of some of its columns."""
    with seekable(open_file) as file:
        try:
            yield _parquet(file) if kind == "Parquet" else _arrow(file)
        except TableError:
            raise
        except _DAMAGE as error:
            raise TableError(_DAMAGED.format(kind, str(error)[:200])) from error


def _parquet(file: BinaryIO) -> tuple[pa.Schema, Callable[[list[str]], Batches]]:
    import pyarrow.parquet as pq

    plain = pq.ParquetFile(file)
    _check_count(plain.metadata.num_rows)
    schema = plain.schema_arrow
    # Text that repeats stays a number and a list of texts until it is known how long it is.
    text = [
        f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
    ]
    file.seek(0)
    packed = pq.ParquetFile(file, read_dictionary=text, pre_buffer=False)
    return schema, lambda names: packed.iter_batches(BATCH_ROWS, columns=names, use_threads=False)


def _arrow(file: BinaryIO) -> tuple[pa.Schema, Callable[[list[str]], Batches]]:
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"FEA1"):
        raise TableError("this is an old Feather file (version 1). Save it as Parquet or CSV.")
    if start == b"ARROW1":
        table = pa.ipc.open_file(file)
        stream = (table.get_batch(number) for number in range(table.num_record_batches))
    else:
        table = stream = pa.ipc.open_stream(file)

    def batches(names: list[str]) -> Batches:
        count = 0
        for batch in stream:
            count += len(batch)
            _check_count(count)
            chosen = batch.select(names)
            for start in range(0, len(batch), BATCH_ROWS):
                yield chosen.slice(start, BATCH_ROWS)

    return table.schema, batches


def _check_count(count: int) -> None:
    if count > MAX_ROWS:
        raise TableError(f"more than {MAX_ROWS:,} rows. Split it into several catalogues.")


def _is_text(kind: pa.DataType) -> bool:
    """Whether values of this type can be cells: no bytes, nothing with bytes and no vectors."""
    types = pa.types
    if any(is_bytes(kind) for is_bytes in _BYTES):
        return False
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_text(kind.value_type) and not types.is_floating(kind.value_type)
    if types.is_struct(kind):
        return all(_is_text(kind.field(i).type) for i in range(kind.num_fields))
    inner = kind.value_type if types.is_dictionary(kind) else getattr(kind, "storage_type", None)
    return inner is None or _is_text(inner)


def _class_labels(schema: pa.Schema) -> dict[str, pa.Array]:
    """The names of classes that Hugging Face's datasets keep beside their numbers, by column."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {
            name: pa.array([str(label) for label in feature["names"]], pa.large_string())
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _parts(
    name: str, cells: pa.Array, labels: dict[str, pa.Array], budget: int
) -> list[tuple[str, pa.Array]]:
    """A column as one or, for a struct, several columns of text."""
    if isinstance(cells, pa.ExtensionArray):
        cells = cells.storage
    if pa.types.is_struct(cells.type):
        inner = [cells.type.field(number).name for number in range(cells.type.num_fields)]
        return [
            (f"{name}.{key}", _text(each, budget))
            for key, each in zip(inner, cells.flatten(), strict=True)
        ]
    if name in labels and pa.types.is_integer(cells.type):
        known = pc.and_(pc.greater_equal(cells, 0), pc.less(cells, len(labels[name])))
        cells = labels[name].take(pc.if_else(known, cells, pa.scalar(None, cells.type)))
    return [(name, _text(cells, budget))]


def _text(cells: pa.Array, budget: int) -> pa.Array:
    kind = cells.type
    types = pa.types
    if types.is_dictionary(kind):
        values = _text(cells.dictionary, budget)
        size = pc.sum(pc.binary_length(values).take(cells.indices)).as_py() or 0
        if size > budget:
            raise TableError(f"its text takes more than {MAX_TEXT / 2**30:.0f} GiB.")
        return values.take(cells.indices)
    if types.is_timestamp(kind):
        return _time_text(cells)
    if types.is_nested(kind) or types.is_duration(kind) or types.is_interval(kind):
        return pa.array([text_of(value) for value in cells.to_pylist()], pa.large_string())
    text = pc.cast(cells, pa.large_string())
    if cells.nbytes + len(text) > budget:
        raise TableError(f"its text takes more than {MAX_TEXT / 2**30:.0f} GiB.")
    return text


def _time_text(cells: pa.Array) -> pa.Array:
    """Times in ISO form, days alone where it is midnight."""
    text: Any = pc.cast(cells.cast(pa.timestamp(cells.type.unit)), pa.large_string())
    text = pc.replace_substring_regex(text, r"\.0+$", "")
    text = pc.replace_substring_regex(text, " 00:00:00$", "")
    return pc.replace_substring(text, " ", "T")
