"""Items in PostgreSQL, with pgvector 0.8 or newer: candidates come from its HNSW index.

An index has a schema of its own, ``fitting_room_NAME``, with a table of its versions and for each a
table of rows. The catalogue's columns are one jsonb, by their places, so that there may be any
number of any name; the terms of names are a tsvector, whose index also finds what begins so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from psycopg import sql

from fitting_room.databases.address import DatabaseError
from fitting_room.databases.database import Engine, NewRows
from fitting_room.databases.postgres_filters import (
    cell,
    condition,
    lexeme,
    read_text,
    stored_text,
    stored_texts,
)
from fitting_room.databases.postgres_server import Found, PatientConnection, Server, rows_of
from fitting_room.index.filters import Filter
from fitting_room.index.item_store import Block
from fitting_room.index.layout import OWN_COLUMNS, Layout
from fitting_room.index.manifest import IndexUnusable

#: Where the server expects a filter to leave no more rows, all of these are compared.
FEW = 20_000
#: Of the HNSW index: how many rows it keeps in mind on the way (``ef_search``) for each wanted, and
#: at least and at most. Chosen on the catalogue, as the numbers of the index itself are:
#: benchmarks/databases.py.
EF_PER_ROW, LEAST_EF, MOST_EF = 2, 200, 1_000
#: How many rows it looks at, and with how many times ``work_mem``, before it answers with what it
#: has: far from a question a filter's rows are poor ones then, and nobody is told. The catalogue's
#: 17,604 rows of Women needed 22,000 for questions of Men. Wide, it looks further.
LOOKS_AT, LOOKS_AT_WIDE = (100_000, 16), (500_000, 64)
#: Memory for making the HNSW index, in bytes: of a row its links, and in all.
LINKS, MOST_MEMORY = 800, 2**31 - 2**20

_LOCK = """SELECT pg_advisory_xact_lock(hashtext('fitting_room')),
set_config('lock_timeout', '30s', true)"""
_VERSIONS = """CREATE SCHEMA {schema}; CREATE TABLE {versions} (version text PRIMARY KEY,
layout text NOT NULL, made bigint GENERATED ALWAYS AS IDENTITY, record bytea)"""
_ROWS = """CREATE TABLE {rows} ("row" bigint PRIMARY KEY, first bigint NOT NULL, id text NOT NULL,
image text, digest text, cells jsonb NOT NULL, terms tsvector NOT NULL, code halfvec({width})
NOT NULL, packed bytea NOT NULL);
ALTER TABLE {rows} ALTER packed SET STORAGE EXTERNAL, ALTER code SET STORAGE MAIN,
ALTER cells SET STATISTICS 1000; CREATE INDEX ON {rows} USING hash (id)"""
_MEMORY = """SELECT set_config('maintenance_work_mem', greatest(%s::bigint,
pg_size_bytes(current_setting('maintenance_work_mem')) / 1024)::text || 'kB', true)"""
_INDEXES = """CREATE INDEX IF NOT EXISTS {by_cells} ON {rows} USING gin (cells jsonb_path_ops);
CREATE INDEX IF NOT EXISTS {by_terms} ON {rows} USING gin (terms);
CREATE INDEX IF NOT EXISTS {by_code} ON {rows} USING hnsw (code halfvec_ip_ops)
WITH (m = 24, ef_construction = 128); ANALYZE {rows}"""
_WRITE = """INSERT INTO {rows} ("row", first, id, image, digest, cells, terms, code, packed)
SELECT a, b, c, d, e, f::jsonb, g::tsvector, h::halfvec, i FROM unnest(%s::bigint[], %s::bigint[],
%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[])
AS new(a, b, c, d, e, f, g, h, i) ORDER BY a
ON CONFLICT ("row") DO UPDATE SET first = excluded.first, id = excluded.id, image = excluded.image,
digest = excluded.digest, cells = excluded.cells, terms = excluded.terms, code = excluded.code,
packed = excluded.packed"""
_BLOCK = 'SELECT "row", first, id, image, digest, cells, packed FROM {rows} WHERE {where}'
_NEAREST = _BLOCK + " ORDER BY code <#> %s::halfvec LIMIT %s"
_AMONG = """"row" IN (WITH few AS MATERIALIZED (SELECT "row", code <#> %s::halfvec AS distance
FROM {rows} WHERE {where}) SELECT "row" FROM few ORDER BY distance LIMIT %s)"""
_COUNTS = """SELECT value, count(*) FROM (SELECT {cell} AS value FROM {rows} WHERE {where}) AS found
WHERE value IS NOT NULL GROUP BY value ORDER BY count(*) DESC, value COLLATE "C" LIMIT %s"""
_EARLIER = """DELETE FROM {versions} WHERE version <> %s AND (record IS NOT NULL OR made < %s)
RETURNING version"""


class PostgresDatabase:
    """A version of an index, as :class:`fitting_room.databases.database.Database` says."""

    def __init__(self, server: Server, version: str, layout: Layout) -> None:
        self.layout, self._server, self.version = layout, server, version
        self._columns = {name: str(place) for place, name in enumerate(layout.columns)}
        self._names = _names(server.schema, version)

    def candidates(self, code: np.ndarray, n: int, where: Filter, *, wide: bool = False) -> Block:
        text, of_filter = condition(where, self._columns)
        longest = float(np.abs(code).max(initial=0)) or 1.0  # the order stays, and 16 bits hold it
        wanted = _halfvec(code / longest)
        estimate = self._sql("EXPLAIN (FORMAT JSON) SELECT FROM {rows} WHERE {where}", where=text)
        nearest = self._sql(_NEAREST, where=text)
        nearest_of_all = self._sql(_BLOCK, where=self._sql(_AMONG, where=text))

        def find(connection: PatientConnection) -> Found:
            plan = rows_of(connection, estimate, of_filter)[0][0][0]["Plan"]
            if plan["Plan Rows"] > FEW:
                _set_effort(connection, n, wide)
                found = rows_of(connection, nearest, [*of_filter, wanted, n])
                if len(found) == n:
                    return found
            # Also where too few were found.
            return rows_of(connection, nearest_of_all, [wanted, *of_filter, n])

        return self._block(self._server.run(find))

    def block(self, rows: np.ndarray) -> Block:
        of_rows = sql.SQL('"row" = ANY(%s::bigint[])')
        return self._block(self._rows(_BLOCK, [rows.tolist()], where=of_rows))

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        wanted = list(map(stored_text, ids))
        return self._numbers('SELECT "row" FROM {rows} WHERE id = ANY(%s::text[])', [wanted])

    def count(self, where: Filter) -> int:
        text, values = condition(where, self._columns)
        query = "SELECT count(*) FROM {rows} WHERE {where}"
        return int(self._rows(query, values, where=text)[0][0])

    def counts(self, column: str, where: Filter, most: int) -> Mapping[str, int]:
        text, values = condition(where, self._columns)
        of_row, key = cell(column, self._columns)
        found = self._rows(_COUNTS, [*key, *values, most], where=text, cell=of_row)
        return {read_text(value) or "": count for value, count in found}

    def scan(self, where: Filter, most: int, after: int = -1) -> np.ndarray:
        text, values = condition(where, self._columns)
        query = 'SELECT "row" FROM {rows} WHERE "row" > %s AND {where} ORDER BY "row" LIMIT %s'
        return self._numbers(query, [after, *values, most], where=text)

    def write(self, new: NewRows) -> None:
        block, table = new.block, new.block.table
        columns = [(key, stored_texts(table[name])) for name, key in self._columns.items()]
        cells = [
            json.dumps({key: texts[at] for key, texts in columns if texts[at] is not None})
            for at in range(len(block))
        ]
        own = [stored_texts(table[name]) for name in OWN_COLUMNS]
        terms = [" ".join(map(lexeme, of_row)) for of_row in new.terms]
        codes, packed = list(map(_halfvec, new.codes)), self.layout.pack(block)
        values = [block.rows.tolist(), block.firsts.tolist(), *own, cells, terms, codes, packed]
        self._server.run(lambda connection: connection.execute(self._sql(_WRITE), values))

    def remove(self, rows: np.ndarray) -> None:
        query = self._sql('DELETE FROM {rows} WHERE "row" = ANY(%s::bigint[])')
        self._server.run(lambda connection: connection.execute(query, [rows.tolist()]))

    def record(self) -> bytes:
        query = "SELECT record FROM {versions} WHERE version = %s AND record IS NOT NULL"
        found = self._rows(query, [self.version])
        if not found:
            raise DatabaseError(f"{self._server.shown}: version {self.version} has no record.")
        return bytes(found[0][0])

    def publish(self, record: bytes) -> None:
        self._server.run(self._make_indexes, for_long=True)  # hours, of very many rows
        self._server.run(lambda connection: self._make_current(connection, record))

    def close(self) -> None:
        self._server.close()

    def _make_indexes(self, connection: PatientConnection) -> None:
        rows = rows_of(connection, self._sql("SELECT count(*) FROM {rows}"), [])[0][0]
        wanted = min(rows * (2 * self.layout.width + LINKS), MOST_MEMORY)
        connection.execute(_MEMORY, [wanted // 1024])
        try:
            with connection.transaction():
                connection.execute(self._sql(_INDEXES))
        except psycopg.errors.DiskFull:  # a container has little memory that processes share
            connection.execute("SET LOCAL max_parallel_maintenance_workers = 0")
            connection.execute(self._sql(_INDEXES))

    def _make_current(self, connection: PatientConnection, record: bytes) -> None:
        connection.execute(_LOCK)
        query = self._sql("UPDATE {versions} SET record = %s WHERE version = %s RETURNING made")
        made = rows_of(connection, query, [record, self.version])
        if not made:
            raise DatabaseError(f"{self._server.shown}: version {self.version} was removed.")
        for (version,) in rows_of(connection, self._sql(_EARLIER), [self.version, made[0][0]]):
            drop = sql.SQL("DROP TABLE {rows}").format(**_names(self._server.schema, version))
            connection.execute(drop)

    def _sql(self, text: Any, **parts: sql.Composable) -> sql.Composed:
        return sql.SQL(text).format(**self._names, **parts)

    def _rows(self, text: str, values: Sequence[Any], **parts: sql.Composable) -> Found:
        query = self._sql(text, **parts)
        return self._server.run(lambda connection: rows_of(connection, query, values))

    def _numbers(self, text: str, values: Sequence[Any], **parts: sql.Composable) -> np.ndarray:
        return np.sort(np.array([row for (row,) in self._rows(text, values, **parts)], np.int64))

    def _block(self, found: Found) -> Block:
        numbers, firsts, *own, cells, packed = list(zip(*found, strict=True)) or [()] * 7
        try:
            table = {name: list(map(read_text, own[at])) for at, name in enumerate(OWN_COLUMNS)}
            for name, key in self._columns.items():
                table[name] = [read_text(of_row.get(key)) for of_row in cells]
            frame = pd.DataFrame(table, dtype=object)
            rows, of_items = (np.array(each, np.int64) for each in (numbers, firsts))
            return self.layout.unpack(rows, of_items, frame, packed)
        except (ValueError, TypeError, AttributeError) as error:
            raise DatabaseError(f"{self._server.shown}: a row is damaged: {error}.") from error


class PostgresEngine:
    """Makes and opens versions, as :class:`fitting_room.databases.database.Engine` says."""

    def create(self, address: str, layout: Layout, version: str) -> PostgresDatabase:
        server = Server(address)
        new = PostgresDatabase(server, version, layout)

        def make(connection: PatientConnection) -> None:
            connection.execute(_LOCK)
            server.require_unicode(connection)
            server.require_vector(connection)
            if not server.has(connection, "versions"):
                connection.execute(new._sql(_VERSIONS))
            query = new._sql("SELECT layout, record IS NULL FROM {versions} WHERE version = %s")
            there = rows_of(connection, query, [version])
            if not there:
                query = new._sql("INSERT INTO {versions} (version, layout) VALUES (%s, %s)")
                connection.execute(query, [version, layout.to_json()])
                connection.execute(new._sql(_ROWS, width=sql.Literal(layout.width)))
            elif there != [(layout.to_json(), True)]:
                raise DatabaseError(
                    f"{server.shown}: version {version} is there already, published or of another "
                    "layout. Give the new one another name."
                )

        with server.let_go_on_error():
            server.run(make)
        return new

    def open(self, address: str, version: str | None = None) -> PostgresDatabase:
        server = Server(address)
        which = sql.SQL("version = %s" if version else "record IS NOT NULL")
        query = sql.SQL("SELECT version, layout FROM {versions} WHERE {which}")

        def find(connection: PatientConnection) -> Found:
            if not server.has(connection, "versions"):
                return []
            server.require_vector(connection)
            names = _names(server.schema, "")
            values = [version] if version else []
            return rows_of(connection, query.format(which=which, **names), values)

        of_version = f" of version {version}" if version else ""
        with server.let_go_on_error():
            found = server.run(find)
            if not found:
                raise IndexUnusable(
                    f"{server.shown}: there is no index{of_version}. "
                    f"Build one: fitting-room build CATALOGUE --index {server.shown}"
                )
            try:
                return PostgresDatabase(server, found[0][0], Layout.from_json(found[0][1]))
            except ValueError as error:
                raise DatabaseError(f"{server.shown}: its layout is damaged: {error}.") from error


ENGINE: Engine = PostgresEngine()


def _names(schema: str, version: str) -> dict[str, sql.Composable]:
    """The names of a version's table and indexes, and of the table of versions."""
    table = f"rows_{version}"
    indexes = {f"by_{of}": sql.Identifier(f"{table}_{of}") for of in ("cells", "terms", "code")}
    tables = {"rows": table, "versions": "versions"}
    named = {key: sql.Identifier(schema, name) for key, name in tables.items()}
    return {**indexes, **named, "schema": sql.Identifier(schema)}


def _set_effort(connection: PatientConnection, n: int, wide: bool) -> None:
    ef = MOST_EF if wide else min(max(EF_PER_ROW * n, LEAST_EF), MOST_EF)
    looks_at, memory = LOOKS_AT_WIDE if wide else LOOKS_AT
    connection.execute(
        "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), "
        "set_config('hnsw.ef_search', %s, true), set_config('hnsw.max_scan_tuples', %s, true), "
        "set_config('hnsw.scan_mem_multiplier', %s, true)",
        [str(ef), str(looks_at), str(memory)],
    )


def _halfvec(code: np.ndarray) -> str:
    return str(np.asarray(code, np.float16).tolist())
