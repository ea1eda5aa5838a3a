"""Values of any kind as the text of a cell, and records of them as columns."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from fitting_room.catalogue.schema import MAX_COLUMNS
from fitting_room.catalogue.tables.table import MAX_HEADER, MAX_ROWS, TableError, as_frame

BLOCK_ROWS = 20_000


def text_of(value: Any) -> str | None:
    """A value as text: whole numbers without ".0", dates in ISO form, lists joined by commas.
    ``None`` for nothing and for bytes."""
    if value is None or isinstance(value, bytes):
        return None
    if isinstance(value, str):
        # Half of a character that takes two, which JSON can write and no file can hold.
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    for kind, as_text in _AS_TEXT:
        if isinstance(value, kind):
            return as_text(value)
    return text_of(str(value))


def _moment(value: datetime) -> str:
    is_day = value.time() == time() and value.tzinfo is None
    return value.date().isoformat() if is_day else value.isoformat()


def _number(value: float) -> str | None:
    if math.isnan(value):
        return None
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _of_list(values: Iterable[Any]) -> str | None:
    """Several values as one text. Of values in several languages only the English ones, if any."""
    values = list(values)
    if values and all(isinstance(value, dict) and "value" in value for value in values):
        english = [v for v in values if str(v.get("language_tag", "")).lower().startswith("en")]
        values = [value["value"] for value in english or values]
        return ", ".join(dict.fromkeys(filter(None, map(text_of, values)))) or None
    return ", ".join(filter(None, map(text_of, values))) or None


def _as_json(value: Any) -> str | None:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text.encode("utf-8", "replace").decode()


#: The first that fits counts: a bool is an int, too, and a datetime a date.
_AS_TEXT: tuple[tuple[Any, Callable[[Any], str | None]], ...] = (
    (bool, lambda value: "true" if value else "false"),
    (float, _number),
    (datetime, _moment),
    ((date, time), lambda value: str(value.isoformat())),
    ((int, Decimal, timedelta), str),
    ((list, tuple), _of_list),
    (dict, _as_json),
)


def flattened(record: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """The cells of a record: an object in it gives one for each of its keys, `size.unit`, and a
    list of objects one for each key, joined."""
    for key, value in record.items():
        if not isinstance(value, (list, dict)):
            yield key, text_of(value)
            continue
        objects: list[Any] = value if isinstance(value, list) and value else [value]
        if not all(isinstance(each, dict) for each in objects) or "value" in objects[0]:
            yield key, text_of(_language_value(value))
            continue
        for inner in dict.fromkeys(name for each in objects for name in each):
            cells = [text_of(_language_value(each.get(inner))) for each in objects]
            yield f"{key}.{inner}", ", ".join(filter(None, cells)) or None


def _language_value(value: Any) -> Any:
    return [value] if isinstance(value, dict) and "value" in value else value


class RecordColumns:
    """Columns that are known only by the records that come: the first :data:`MAX_COLUMNS` that
    hold anything are kept, so that the memory is bounded."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}  # in the order in which they came
        self._left_out: set[str] = set()
        self._chunks: dict[str, list[pa.Array]] = {}
        self._block: dict[str, list[str | None]] = {}
        self._before = 0  # rows in the chunks
        self._now = 0  # rows in the block

    @property
    def rows(self) -> int:
        return self._before + self._now

    @property
    def first(self) -> str:
        """The name of the first column, "row" if there is none yet."""
        return next(iter(self._names), "row")

    def add(self, cells: Iterable[tuple[str, str | None]]) -> None:
        if self.rows >= MAX_ROWS:
            raise TableError(f"more than {MAX_ROWS:,} rows. Split it into several catalogues.")
        for key, text in cells:
            name = (text_of(key) or "").strip()
            if name not in self._names and len(self._names) < MAX_HEADER:
                self._names[name] = None
            column = self._block.get(name)
            if column is None:
                if not text or not name:
                    continue
                if len(self._block) >= MAX_COLUMNS:
                    if len(self._left_out) < MAX_HEADER:
                        self._left_out.add(name)
                    continue
                self._chunks[name] = [pa.nulls(self._before, pa.large_string())]
                column = self._block[name] = []
            if len(column) <= self._now:
                column.extend([None] * (self._now - len(column)))
                column.append(text)
        self._now += 1
        if self._now >= BLOCK_ROWS:
            self._end_block()

    def _end_block(self) -> None:
        for name, column in self._block.items():
            column.extend([None] * (self._now - len(column)))
            self._chunks[name].append(pa.array(column, pa.large_string()))
            self._block[name] = []
        self._before += self._now
        self._now = 0

    def finish(self) -> tuple[pd.DataFrame, list[str]]:
        """The cells, and what there is to say of the columns that are not among them."""
        self._end_block()
        names = [name for name in self._names if name]
        if len(names) > MAX_COLUMNS:
            names = [name for name in names if name in self._chunks]
        nothing = [pa.nulls(self._before, pa.large_string())]
        frame = as_frame(
            {n: pa.chunked_array(self._chunks.get(n, nothing), pa.large_string()) for n in names}
        )
        gone = len(self._names) - len(names)
        note = f"{gone:,} columns left out: empty, or more than {MAX_COLUMNS}"
        return frame, [note] if len(self._names) > MAX_COLUMNS else []
