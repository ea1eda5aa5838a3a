"""Items in Milvus, 2.3 or newer: ``milvus://[USER:PASSWORD@]HOST:PORT/NAME[?db=DB&secure=true]``.

A version is a collection ``NAME_VERSION``, a row of the index a row of it. What Milvus filters by
has fields of its own; the numbers and the whole text of a row are bytes in base64, since 2.3 has no
field for bytes, in as many pieces as they need. Which version is published a record says
(:mod:`~.milvus_server`).
"""

from __future__ import annotations

import base64
import json
import re
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pymilvus import DataType, MilvusClient

from fitting_room.databases.address import DatabaseError
from fitting_room.databases.database import NewRows
from fitting_room.databases.milvus_filters import (
    EVERY_ROW,
    KEY_BYTES,
    MOST_TERMS,
    TERM_BYTES,
    Fields,
    beginnings,
    key_of,
)
from fitting_room.databases.milvus_server import ALL_ROWS, CHANGE, PIECE, Server
from fitting_room.index.filters import AllOf, Filter
from fitting_room.index.item_store import Block
from fitting_room.index.layout import OWN_COLUMNS, Layout
from fitting_room.index.manifest import IndexUnusable

#: Bytes of a message, of which servers take 64 MB, and rows of an answer.
MESSAGE, MOST_ROWS = 16 * 2**20, 16_384
#: Fields of a collection, those of them that are neither columns nor pieces, pieces for a row's
#: text, packed, and the bytes that it may become: a catalogue's cells have 32,767 letters at most.
MOST_FIELDS, FIXED_FIELDS, TEXT_PIECES, LONGEST_TEXT = 64, 7, 4, 32 * 2**20
#: Lists of IVF_FLAT in a segment, and those that are looked through without a filter. With one all
#: are, and also where it is wide, which finds all that is near: HNSW of Milvus 2.3 loses a tenth of
#: it under a filter, however far it looks, and now and then everything.
LISTS, PROBED = 256, 64
#: Rows of which values are counted.
COUNTED = 5_000
#: Rows below which Milvus builds no index of them, and looks at each.
INDEXED = 1_024
#: Seconds between two looks at the index's progress, and after which one without any is given up.
LOOK, STALLED = 0.2, 1_800
_VERSION = re.compile(r"[A-Za-z0-9]{1,64}")
_MARK = "fitting-room "


class MilvusDatabase:
    """A version of the items of an index in Milvus (:class:`~.database.Database`)."""

    def __init__(self, server: Server, version: str, layout: Layout) -> None:
        self.layout, self._server, self.version = layout, server, version
        self._rows = f"{server.name}_{version}"
        self._pieces = pieces_of(layout)
        self._fields = fields_of(layout)
        self._at_once = max(1, min(MOST_ROWS, MESSAGE // (2 * layout.bytes_per_row + 1_000)))

    def candidates(self, code: np.ndarray, n: int, where: Filter, *, wide: bool = False) -> Block:
        n = min(n, MOST_ROWS)
        probed = LISTS if wide or where != AllOf() else PROBED
        whole = n <= self._at_once
        hits = self._server.ask(
            "search",
            self._rows,
            data=[np.asarray(code, np.float32)],
            anns_field="code",
            filter=self._fields.expression(where),
            limit=n,
            output_fields=["row", "firsts", *self._pieces] if whole else ["row"],
            search_params={"metric_type": "IP", "params": {"nprobe": probed}},
            consistency_level="Bounded",
        )[0]
        if not whole:
            return self.block(np.array([hit["entity"]["row"] for hit in hits], np.int64))
        return self._block([hit["entity"] for hit in hits])

    def block(self, rows: np.ndarray) -> Block:
        wanted = np.unique(np.asarray(rows, np.int64)).tolist()
        found: list[dict[str, Any]] = []
        for start in range(0, len(wanted), self._at_once):
            these = f"row in {wanted[start : start + self._at_once]}"
            found += self._query(these, ["row", "firsts", *self._pieces])
        return self._block(found)

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        rows: list[int] = []
        keys = [json.dumps(key_of(one), ensure_ascii=False) for one in dict.fromkeys(ids)]
        for start in range(0, len(keys), 1_000):
            of_these = f"c0 in [{', '.join(keys[start : start + 1_000])}]"
            rows += (row["row"] for row in self._query(of_these, ["row"]))
        return np.unique(np.array(rows, np.int64))

    def count(self, where: Filter) -> int:
        """As of what the candidates are of: "Strong" would be of this very moment, and would wait
        for up to 0.2 seconds."""
        return self._count(where, "Bounded")

    def counts(self, column: str, where: Filter, most: int) -> Mapping[str, int] | None:
        """Milvus cannot group: what a filter leaves is fetched and counted where it is little."""
        field = self._fields.of_column.get(column)
        if field is None or self.count(where) > COUNTED:
            return None
        wanted = self._fields.expression(where) or EVERY_ROW
        keys = Counter(row[field] for row in self._query(wanted, ["row", field]) if row[field])
        if any(not key.startswith("=") for key in keys):
            return None  # too long to be kept as they are
        found = sorted(keys.items(), key=lambda each: (-each[1], each[0]))
        return {key[1:]: n for key, n in found[:most]}

    def scan(self, where: Filter, most: int, after: int = -1) -> np.ndarray:
        """Milvus answers a query that is limited in the order of the primary key, as its clients'
        iterators rely on."""
        wanted, rows = self._fields.expression(where), list[int]()
        while len(rows) < most:
            left = min(most - len(rows), MOST_ROWS)
            beyond = f"row > {after}" + (f" and ({wanted})" if wanted else "")
            more = sorted(row["row"] for row in self._query(beyond, ["row"], limit=left))
            if not more:
                break
            rows, after = rows + more, more[-1]
        return np.array(rows, np.int64)

    def write(self, new: NewRows) -> None:
        batch: list[dict[str, Any]] = []
        size = 0
        for row in self._new_rows(new):
            batch.append(row)
            size += 4 * self.layout.width + sum(len(row[piece]) for piece in self._pieces) + 4_096
            if size > MESSAGE:
                self._server.ask("upsert", self._rows, batch, seconds=CHANGE)
                batch, size = [], 0
        if batch:
            self._server.ask("upsert", self._rows, batch, seconds=CHANGE)

    def remove(self, rows: np.ndarray) -> None:
        numbers = np.unique(np.asarray(rows, np.int64)).tolist()
        for start in range(0, len(numbers), MOST_ROWS):
            these = f"row in {numbers[start : start + MOST_ROWS]}"
            self._server.ask("delete", self._rows, filter=these, seconds=CHANGE)

    def record(self) -> bytes:
        published = self._server.published()
        if published is None or published["version"] != self.version:
            raise IndexUnusable(
                f"{self._server.address}: version {self.version} is not the published one. "
                "Open the index again"
            )
        return self._server.record(published)

    def publish(self, record: bytes) -> None:
        published = self._server.published()
        count = self._count(AllOf(), "Strong")  # what was written is seen from now on
        is_new = published is None or published["version"] != self.version
        if is_new and count >= INDEXED:
            self._server.ask("flush", self._rows, seconds=ALL_ROWS)
            self._wait_for_the_index()
        self._server.publish(self.version, record)

    def close(self) -> None:
        self._server.client.close()

    def _query(self, wanted: str, fields: Sequence[str], **options: Any) -> list[dict[str, Any]]:
        options = {"consistency_level": "Bounded", **options}
        rows = self._server.ask(
            "query", self._rows, filter=wanted, output_fields=list(fields), **options
        )
        return list(rows)

    def _count(self, where: Filter, consistency: str) -> int:
        wanted = self._fields.expression(where)
        (row,) = self._query(wanted, ["count(*)"], consistency_level=consistency)
        return int(row["count(*)"])

    def _wait_for_the_index(self) -> None:
        left, since = None, time.monotonic()
        while True:
            state = self._server.ask("describe_index", self._rows, "code")
            now = int(state.get("pending_index_rows", 0))
            if not now:
                return
            if now != left:
                left, since = now, time.monotonic()
            if time.monotonic() - since > STALLED:
                raise DatabaseError(
                    f"{self._server.address}: Milvus has {now:,} rows to index and does not get "
                    "on. Look at its log; then run the same build again, which goes on"
                )
            time.sleep(LOOK)

    def _new_rows(self, new: NewRows) -> Iterator[dict[str, Any]]:
        block, layout = new.block, self.layout
        names = [*OWN_COLUMNS, *layout.columns]
        cells = block.table[names].astype(object).to_numpy()
        for i, packed in enumerate(layout.pack(block)):
            row, first = int(block.rows[i]), int(block.firsts[i])
            of_row = [None if pd.isna(cell) else str(cell) for cell in cells[i]]
            terms = list(new.terms[i])
            yield {
                "row": row,
                "firsts": first,
                "first": row == first,
                "code": np.ascontiguousarray(new.codes[i], np.float32),
                "terms": terms[:MOST_TERMS],
                "begins": beginnings(terms)[:MOST_TERMS],
                **self._fields.of_row(of_row),
                **self._in_pieces(of_row[0], packed + _pack(of_row)),
            }

    def _in_pieces(self, item: str | None, whole: bytes) -> dict[str, str]:
        text = base64.b64encode(whole).decode()
        if len(text) > PIECE * len(self._pieces):
            raise DatabaseError(
                f"{self._server.address}: the texts of item {item} are too long for Milvus. "
                "Shorten them, or leave such a column out"
            )
        return {
            name: _Piece(text[i * PIECE : (i + 1) * PIECE]) for i, name in enumerate(self._pieces)
        }

    def _block(self, found: Sequence[Mapping[str, Any]]) -> Block:
        """Rows as they were written. Raises :class:`DatabaseError` for what was not written so."""
        names, length = [*OWN_COLUMNS, *self.layout.columns], self.layout.bytes_per_row
        try:
            wholes = [
                base64.b64decode("".join(row[piece] for piece in self._pieces), validate=True)
                for row in found
            ]
            cells = [_unpack(whole[length:], len(names)) for whole in wholes]
            table = pd.DataFrame(cells, columns=names, dtype=object)
            rows, firsts = (
                np.array([int(row[name]) for row in found], np.int64) for name in ("row", "firsts")
            )
            return self.layout.unpack(rows, firsts, table, [whole[:length] for whole in wholes])
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise DatabaseError(
                f"{self._server.address}: the rows of {self._rows} are not as an index writes them "
                f"({error}). Build it again"
            ) from error


class _Piece(str):
    """A text that pymilvus 3.0 checks as one: it takes a row's text for a list of texts and looks
    at every letter, which takes ten times as long as all else that it does."""

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        return iter((str(self),))


class MilvusEngine:
    """Makes and opens indexes in Milvus (:class:`~.database.Engine`)."""

    def create(self, address: str, layout: Layout, version: str) -> MilvusDatabase:
        server = Server(address)
        if not _VERSION.fullmatch(version):
            raise DatabaseError(f"A version is of letters and digits, not {version!r}")
        rows = f"{server.name}_{version}"
        if not server.ask("has_collection", rows):
            _create_rows(server, rows, layout)
        there = _layout_of(server, rows)
        published = server.published()
        if there != layout or (published is not None and published["version"] == version):
            raise DatabaseError(
                f"{server.address}: version {version} is there already, published or of another "
                "kind. Build under another name"
            )
        server.load(rows)
        return MilvusDatabase(server, version, layout)

    def open(self, address: str, version: str | None = None) -> MilvusDatabase:
        server = Server(address)
        if version is None:
            published = server.published()
            version = None if published is None else published["version"]
        known = version is not None and _VERSION.fullmatch(version) is not None
        rows = f"{server.name}_{version}"
        if not known or not server.ask("has_collection", rows):
            raise IndexUnusable(
                f"There is no index at {server.address}. Build it with: "
                f"fitting-room build CATALOGUE --index {server.address}"
            )
        layout = _layout_of(server, rows)
        server.load(rows)
        return MilvusDatabase(server, str(version), layout)


ENGINE = MilvusEngine()


def pieces_of(layout: Layout) -> list[str]:
    """The fields that hold a row's bytes and text."""
    characters = 4 * -(-layout.bytes_per_row // 3)
    return [f"p{i}" for i in range(-(-characters // PIECE) + TEXT_PIECES)]


def fields_of(layout: Layout) -> Fields:
    """The fields that a filter asks."""
    room = MOST_FIELDS - FIXED_FIELDS - len(pieces_of(layout))
    return Fields((*OWN_COLUMNS, *layout.columns), room)


def _create_rows(server: Server, rows: str, layout: Layout) -> None:
    schema = MilvusClient.create_schema(
        auto_id=False, enable_dynamic_field=False, description=_MARK + layout.to_json()
    )
    schema.add_field("row", DataType.INT64, is_primary=True)
    schema.add_field("firsts", DataType.INT64)
    schema.add_field("first", DataType.BOOL)
    schema.add_field("code", DataType.FLOAT_VECTOR, dim=layout.width)
    array = {"element_type": DataType.VARCHAR, "max_length": TERM_BYTES}
    schema.add_field("terms", DataType.ARRAY, max_capacity=MOST_TERMS, **array)
    schema.add_field("begins", DataType.ARRAY, max_capacity=MOST_TERMS, **array)
    schema.add_field("more", DataType.JSON)
    for name in pieces_of(layout):
        schema.add_field(name, DataType.VARCHAR, max_length=PIECE)
    index = MilvusClient.prepare_index_params(
        "code", index_type="IVF_FLAT", metric_type="IP", params={"nlist": LISTS}
    )
    for name in fields_of(layout).own:
        schema.add_field(name, DataType.VARCHAR, max_length=KEY_BYTES)
        index.add_index(name)  # of the kind that this Milvus has for text
    server.create(rows, schema, index, "Bounded")


def _layout_of(server: Server, rows: str) -> Layout:
    said = str(server.ask("describe_collection", rows).get("description", ""))
    try:
        if not said.startswith(_MARK):
            raise ValueError("its description says nothing of an index")
        return Layout.from_json(said[len(_MARK) :])
    except ValueError as error:
        raise DatabaseError(
            f"{server.address}: the collection {rows} is not of this program ({error}). Use "
            "another name"
        ) from error


def _pack(cells: Sequence[str | None]) -> bytes:
    return zlib.compress(json.dumps(cells).encode())


def _unpack(packed: bytes, count: int) -> list[str | None]:
    cells = json.loads(zlib.decompressobj().decompress(packed, LONGEST_TEXT))
    if not isinstance(cells, list) or len(cells) != count:
        raise ValueError("a row has other cells than columns")
    return [None if cell is None else str(cell) for cell in cells]
