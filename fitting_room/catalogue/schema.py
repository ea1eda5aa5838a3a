"""What the columns of a catalogue may be called, what their cells hold, and what ids stand for."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

MAX_COLUMNS = 200

#: Columns that carry an item's name, the best first, in any case and with or without separators.
#: As the last column of a csv such a one may hold commas that nobody quoted.
NAME_COLUMNS = (
    "productDisplayName", "name", "title", "prod_name", "item_name", "product_name",
    "display_name", "product_title", "caption", "text", "description",
)  # fmt: skip
#: Columns of a catalogue's items, and in an index beside them, that are the program's own and not
#: attributes of the items.
RESERVED_COLUMNS = ("id", "image", "signature", "digest")

#: Cells that say "not available". `NA` is how the Fashion Product Images data says it.
NOT_AVAILABLE = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})

#: What decoding with ``surrogateescape`` leaves of a byte that is not UTF-8.
UNDECODED = re.compile("[\udc80-\udcff]")


def plain_column(column: str) -> str:
    """A column's name as it is compared with others: letters and digits, in lower case."""
    return re.sub(r"[\W_]+", "", str(column)).casefold()


def columns_like(wanted: Sequence[str], columns: Iterable[str]) -> list[str]:
    """Those of ``columns`` that are called like one of ``wanted``, in any case and with or without
    separators, in the order of ``wanted``."""
    order = {plain_column(name): place for place, name in enumerate(wanted)}
    alike = [column for column in columns if plain_column(column) in order]
    return sorted(alike, key=lambda column: order[plain_column(column)])


def name_columns(columns: Iterable[str]) -> list[str]:
    """Those of ``columns`` that carry an item's name, the best first."""
    return columns_like(NAME_COLUMNS, columns)


def name_column(columns: Iterable[str]) -> str | None:
    """The one of ``columns`` that carries an item's name best, or ``None``."""
    return next(iter(name_columns(columns)), None)


def as_windows_1252(text: str) -> str:
    """Text that was decoded with ``surrogateescape``, as Windows-1252 where it was not UTF-8."""
    if not UNDECODED.search(text):
        return text
    return text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")


def held_out(ids: pd.Series, every: int) -> np.ndarray:
    """Which items a fixed protocol keeps back from everything that is learned, bool ``(N,)``: those
    whose id is a multiple of ``every``, or whose id's CRC-32 is where it is no whole number."""
    return np.array([_number(str(value)) % every == 0 for value in ids], dtype=bool)


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))
