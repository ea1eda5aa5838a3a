"""What every reader of a table gives, and how its columns are put together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fitting_room.catalogue.schema import MAX_COLUMNS, NOT_AVAILABLE

MAX_ROWS = 20_000_000
#: How many columns a header may name at all; of these :data:`MAX_COLUMNS` are kept.
MAX_HEADER = 10_000

Rows = dict[str, list[int]]  # row numbers by reason

#: Names of columns of ids, letters and digits only. There "NA" and "null" are ids like any other.
_ID_NAMES = frozenset({
    "id", "ids", "sku", "handle", "asin", "gtin", "ean", "upc", "barcode", "code", "itemcode",
    "productcode", "stylecode", "styleid", "itemid", "articleid", "productid", "imageid",
    "mainimageid", "variantsku", "articlenumber", "articleno", "itemnumber", "productnumber",
    "stylenumber", "modelnumber", "uniqid", "uuid", "uid", "key",
})  # fmt: skip
#: Headers of a column that nobody named: empty, or what pandas writes and reads for an index.
_UNNAMED = re.compile(r"(Unnamed: \d+|__index_level_\d+__)?")


class TableError(ValueError):
    """A table that cannot be read; the text says what is wrong and what to do, without the file's
    name: whoever knows it puts it in front."""


@dataclass(frozen=True, slots=True)
class SourceTable:
    """The rows of a table.

    ``cells`` has one row for each row of the source and its columns under their own names,
    stripped and unique, as text, missing where the source says nothing. ``repaired`` and
    ``unusable`` give row numbers by reason; the cells of unusable rows serve to name them.
    ``notes`` are sentences about the table as a whole.
    """

    cells: pd.DataFrame
    repaired: Rows = field(default_factory=dict)
    unusable: Rows = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def is_id_name(name: str) -> bool:
    """Whether a column of this name holds ids, in which "NA" is a value."""
    plain = re.sub(r"[\W_]+", "", name.lower())
    return plain in _ID_NAMES or name.lower().endswith(("_id", " id"))


def check_header(header: Sequence[str]) -> list[str]:
    """The names that a header gives, stripped, "" for columns that it does not name.

    Raises :class:`TableError` when a name occurs twice or there are too many.
    """
    if len(header) > MAX_HEADER:
        raise TableError(
            f"the header names {len(header):,} columns, and at most {MAX_HEADER:,} are read. "
            "Leave out those that say nothing about the items."
        )
    names = ["" if _UNNAMED.fullmatch(name.strip()) else name.strip() for name in header]
    seen: set[str] = set()
    for name in filter(None, names):
        if name in seen:
            raise TableError(
                f"the column name `{name}` occurs twice. Give each column its own name."
            )
        seen.add(name)
    if not seen:
        raise TableError("the first line names no columns. Name the columns there.")
    return names


class Columns:
    """Columns of text that grow by some rows at a time. Of more than :data:`MAX_COLUMNS`, those
    are kept that hold anything, the first ones of the header first, so that the memory is bounded
    however many a file has."""

    def __init__(self, header: Sequence[str]) -> None:
        self.header = list(header)
        self.rows = 0
        self._wide = len(header) > MAX_COLUMNS
        self._left_out: set[int] = set()  # positions of columns with cells for which is no room
        self._chunks: dict[int, list[pa.Array]] = {}
        if not self._wide:
            self._chunks = {position: [] for position in range(len(header))}

    def add(self, rows: Sequence[Sequence[str | None]]) -> None:
        """Add rows that are as wide as the header."""
        if not rows:
            return
        self._check_count(len(rows))
        for position, cells in enumerate(zip(*rows, strict=True)):
            if self._wide and position not in self._chunks:
                if position in self._left_out or not any(cells):
                    continue
                self._chunks[position] = [pa.nulls(self.rows, pa.large_string())]
            self._chunks[position].append(pa.array(cells, pa.large_string()))
        self._end_block(len(rows))

    def add_arrays(self, arrays: Sequence[pa.Array | pa.ChunkedArray]) -> None:
        """Add rows as one array of text for each column of the header."""
        count = len(arrays[0])
        self._check_count(count)
        for position, cells in enumerate(arrays):
            if self._wide and position not in self._chunks:
                if position in self._left_out or not _says_anything(cells):
                    continue
                self._chunks[position] = [pa.nulls(self.rows, pa.large_string())]
            chunks = cells.chunks if isinstance(cells, pa.ChunkedArray) else [cells]
            self._chunks[position].extend(chunks)
        self._end_block(count)

    def _check_count(self, count: int) -> None:
        if self.rows + count > MAX_ROWS:
            raise TableError(f"more than {MAX_ROWS:,} rows. Split it into several catalogues.")

    def _end_block(self, count: int) -> None:
        self.rows += count
        if not self._wide:
            return
        for surplus in sorted(self._chunks)[MAX_COLUMNS:]:
            del self._chunks[surplus]
            self._left_out.add(surplus)
        for chunks in self._chunks.values():
            if (missing := self.rows - sum(map(len, chunks))) > 0:
                chunks.append(pa.nulls(missing, pa.large_string()))

    def finish(self) -> tuple[pd.DataFrame, list[str]]:
        """The cells, and what there is to say of the columns that are not among them."""
        notes = []
        columns: dict[str, pa.ChunkedArray] = {}
        taken = set(self.header)
        last = len(self.header) - 1
        for position in sorted(self._chunks):
            name, chunks = self.header[position], self._chunks.pop(position)
            cells = pa.chunked_array(chunks, pa.large_string())
            if not name:
                if not _says_anything(cells):
                    continue  # a spreadsheet's empty columns
                if position in (0, last) and _are_row_numbers(cells):
                    notes.append("a column without a name, of row numbers, is left out")
                    continue
                name = _free_name("row name" if position == 0 else f"column {position + 1}", taken)
                notes.append(f"column {position + 1} has no name and is called `{name}`")
            columns[name] = cells
        if not columns:  # a wide one whose rows say nothing
            nothing = pa.chunked_array([pa.nulls(self.rows, pa.large_string())])
            columns = dict.fromkeys(list(filter(None, self.header))[:MAX_COLUMNS], nothing)
        if self._wide:
            gone = len(self.header) - len(columns)
            notes.append(
                f"{gone:,} of {len(self.header):,} columns left out: "
                f"empty, or more than {MAX_COLUMNS}"
            )
        return as_frame(columns), notes


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _says_anything(cells: pa.Array | pa.ChunkedArray) -> bool:
    if cells.null_count == len(cells):
        return False
    return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(cells), "")).as_py())


def _are_row_numbers(cells: pa.ChunkedArray) -> bool:
    """Whether these are all different whole numbers about as large as there are rows."""
    text = pc.utf8_trim_whitespace(cells)
    short = pc.match_substring_regex(text, r"^[0-9]{1,9}$")
    if text.null_count or not pc.all(short).as_py():
        return False
    numbers = pc.cast(text, pa.int64())
    most = 10 * len(numbers) + 1_000
    return bool(pc.max(numbers).as_py() <= most and pc.count_distinct(numbers).as_py() == len(text))


def as_frame(columns: dict[str, pa.ChunkedArray]) -> pd.DataFrame:
    """Columns of text as a table: without blanks around the cells, and missing where they say
    that nothing is known."""
    nothing = pa.array(sorted(NOT_AVAILABLE), pa.large_string())
    empty = pa.array([""], pa.large_string())
    clean = {}
    for name, cells in columns.items():
        text = pc.utf8_trim_whitespace(cells)
        missing = pc.is_in(text, value_set=empty if is_id_name(name) else nothing)
        text = pc.if_else(missing, pa.scalar(None, pa.large_string()), text)
        clean[name] = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    frame = pa.table(clean).to_pandas()
    return pd.DataFrame({name: frame[name].astype("str") for name in clean}, index=frame.index)


def in_blocks(width: int) -> int:
    """How many rows of this width are taken at once: enough to be quick, and few enough for the
    memory."""
    return max(1, 400_000 // max(width, 20))
