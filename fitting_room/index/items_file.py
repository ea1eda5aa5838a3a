"""``items.parquet``, read within bounds: a few bytes of such a file can stand for gigabytes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

#: Bounds of the table: its description at the file's end, its columns, and the bytes of text that
#: it may hold, so many or so many times those of its file, whichever is more.
MAX_FOOTER, MAX_COLUMNS, MAX_TEXT, MAX_EXPANSION = 16 * 2**20, 1_000, 256 * 2**20, 200
#: Ways of packing that never make more than some 20 bytes of one.
_PACKINGS = {"SNAPPY", "UNCOMPRESSED"}


def read_items(path: Path, count: int, different: int) -> pd.DataFrame:
    """The items' table. Raises ``ValueError`` unless it is a plain table of ``count`` pictures of
    so many ``different`` items, of text alone and of sensible size, and ``OSError``."""
    table = _read(path, count)
    if pc.count_distinct(table["id"], mode="all").as_py() != different:
        raise ValueError(f"{path.name} does not hold the items of the manifest")
    columns = table.schema.names
    items: pd.DataFrame = table.to_pandas()
    del table
    if len(items) != count or list(items.columns) != columns:
        raise ValueError(f"{path.name} is no plain table")
    pa.default_memory_pool().release_unused()  # half of what reading took
    return items


def read_images(path: Path, count: int) -> list[str]:
    """The column ``image`` of the items' table, with the same errors."""
    images: list[str] = _read(path, count, ["image"])["image"].to_pylist()
    return images


def _read(path: Path, count: int, wanted: list[str] | None = None) -> pa.Table:
    size = _check_footer(path)
    most = max(MAX_TEXT, size * MAX_EXPANSION)
    try:
        schema = pq.read_schema(path)
        if not all(pa.types.is_string(t) or pa.types.is_large_string(t) for t in schema.types):
            raise ValueError(f"{path.name} holds other things than text")
        # Text that is repeated stays a number for each row until its length is known.
        with pq.ParquetFile(path, read_dictionary=schema.names) as file:
            _check(path, file, schema, count, most)
            table = file.read(wanted)
        text = sum(_text_bytes(column) for column in table.columns)
        if text > most:
            raise ValueError(f"{path.name} would hold {text:,} bytes of text")
        # In one piece: to take some rows of many pieces, Arrow copies all of them first.
        named = schema if wanted is None else pa.schema([schema.field(n) for n in wanted])
        table = table.cast(named).combine_chunks()
        table.validate(full=True)  # else what is no UTF-8 is found by whoever reads a cell
        return table
    except pa.ArrowException as error:
        raise ValueError(f"{path.name}: {error}") from error


def _check_footer(path: Path) -> int:
    """The bytes of the file, whose last eight say how long its description is."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 8))
        end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    if size < 12 or end[4:] != b"PAR1" or length > min(size - 12, MAX_FOOTER):
        raise ValueError(f"{path.name} is no table")
    return size


def _check(path: Path, file: pq.ParquetFile, schema: pa.Schema, count: int, most: int) -> None:
    """Raise ``ValueError`` unless a table may be read."""
    metadata, names = file.metadata, schema.names
    whole = metadata.num_rows == count and {"id", "image"} <= set(names)
    if not whole or len(set(names)) != len(names):
        raise ValueError(f"{path.name} does not hold the items of the manifest")
    if len(names) > MAX_COLUMNS or metadata.num_row_groups > max(1, count):
        raise ValueError(f"{path.name} has {len(names):,} columns")
    left = most
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            left -= max(0, column.total_uncompressed_size)
            if column.compression not in _PACKINGS or left < 0:
                raise ValueError(f"{path.name} is packed in another way or too large")


def _text_bytes(column: pa.ChunkedArray) -> int:
    """The bytes of text in a column once it is written out."""
    total = 0
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            lengths = pc.binary_length(chunk.dictionary)
            total += pc.sum(pc.cast(pc.take(lengths, chunk.indices), pa.int64())).as_py() or 0
        else:
            total += chunk.nbytes
    return total
