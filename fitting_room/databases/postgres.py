"""Items in PostgreSQL, with pgvector 0.8 or newer: candidates come from its HNSW index.

An index has a schema of its own, ``fitting_room_NAME``, with a table of its versions and for each a
table of rows. The catalogue's columns are one jsonb, by their places, so that there may be any
number of any name; the terms of names are a tsvector, whose index also finds what begins so.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np
import pandas as pd
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from fitting_room.databases.address import DatabaseError, in_postgres, without_password
from fitting_room.databases.database import Engine, NewRows
from fitting_room.databases.terms import terms_of_words
from fitting_room.index.filters import (
    AllOf,
    AnyOf,
    Filter,
    FilterError,
    FirstPictures,
    Named,
    Not,
    OneOf,
    Rows,
)
from fitting_room.index.item_store import Block
from fitting_room.index.layout import OWN_COLUMNS, Layout
from fitting_room.index.manifest import IndexUnusable

#: Seconds that an answer, and that a connection is waited for; connections at a time.
PATIENCE, CONNECT_PATIENCE, CONNECTIONS = 60.0, 10, 8
#: Where the server expects a filter to leave no more rows, all of these are compared.
FEW = 10_000
#: Of the HNSW index: rows kept in mind on the way (its ``ef_search``, 1,000 at most), and how many
#: are looked at before it gives up finding more that a filter lets through.
LEAST_EF, MOST_EF = 100, 1_000
ROWS_LOOKED_AT, ROWS_LOOKED_AT_WIDE = 20_000, 200_000

#: Of a column so many values are looked up in an index.
FEW_VALUES = 32
#: Memory for making the HNSW index: of a row its links, and in all.
BYTES_OF_LINKS, MOST_MEMORY = 800, 2**31 - 2**20
OLDEST_PGVECTOR = (0, 8)

_MEMORY = """SELECT set_config('maintenance_work_mem', greatest(%s::bigint,
pg_size_bytes(current_setting('maintenance_work_mem')) / 1024)::text || 'kB', true)"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('fitting_room')), set_config('lock_timeout', '30s', true)"
_VERSIONS = """CREATE SCHEMA {schema}; CREATE TABLE {versions} (version text PRIMARY KEY, layout text
NOT NULL, made bigint GENERATED ALWAYS AS IDENTITY, record bytea)"""
_ROWS = """CREATE TABLE {rows} ("row" bigint PRIMARY KEY, first bigint NOT NULL, id text NOT NULL,
image text, digest text, cells jsonb NOT NULL, terms tsvector NOT NULL, code halfvec({width})
NOT NULL, packed bytea NOT NULL);
ALTER TABLE {rows} ALTER packed SET STORAGE EXTERNAL, ALTER code SET STORAGE MAIN,
ALTER cells SET STATISTICS 1000; CREATE INDEX ON {rows} USING hash (id)"""
_INDEXES = """CREATE INDEX IF NOT EXISTS {by_cells} ON {rows} USING gin (cells jsonb_path_ops);
CREATE INDEX IF NOT EXISTS {by_terms} ON {rows} USING gin (terms);
CREATE INDEX IF NOT EXISTS {by_code} ON {rows} USING hnsw (code halfvec_ip_ops); ANALYZE {rows}"""
_WRITE = """INSERT INTO {rows} ("row", first, id, image, digest, cells, terms, code, packed)
SELECT a, b, c, d, e, f::jsonb, g::tsvector, h::halfvec, i FROM unnest(%s::bigint[], %s::bigint[],
%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[])
AS new(a, b, c, d, e, f, g, h, i) ORDER BY a
ON CONFLICT ("row") DO UPDATE SET first = excluded.first, id = excluded.id, image = excluded.image,
digest = excluded.digest, cells = excluded.cells, terms = excluded.terms, code = excluded.code,
packed = excluded.packed"""
_BLOCK = 'SELECT "row", first, id, image, digest, cells, packed FROM {rows} WHERE '
_NEAREST = _BLOCK + "{where} ORDER BY code <#> %s::halfvec LIMIT %s"
_NEAREST_OF_ALL = f"""WITH few AS MATERIALIZED (SELECT "row", code FROM {{rows}} WHERE {{where}})
{_BLOCK} "row" IN (SELECT "row" FROM few ORDER BY code <#> %s::halfvec LIMIT %s)"""
_COUNTS = """SELECT value, count(*) FROM (SELECT {cell} AS value FROM {rows} WHERE {where}) AS found
WHERE value IS NOT NULL GROUP BY value ORDER BY count(*) DESC, value COLLATE "C" LIMIT %s"""
_T = TypeVar("_T")
#: A part of a query with its values, and what a query answers.
_Some = tuple[sql.Composable, list[Any]]
_Found = list[tuple[Any, ...]]
_EVERYTHING, _NOTHING = sql.SQL("true"), sql.SQL("false")


class _Connection(psycopg.Connection[Any]):
    """One that waits for no answer longer than its patience, also where the server is frozen."""

    patience: float | None = PATIENCE
    is_late = False

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, self.patience)
        except psycopg.errors._WaitTimeout as error:
            self.is_late = True
            self.close()  # what it answers later is nobody's
            raise psycopg.OperationalError("it does not answer") from error


class _Server:
    """Connections to the server at an address, each lent to one thread at a time."""

    def __init__(self, address: str) -> None:
        self.shown = without_password(address)
        place, name = in_postgres(address)
        try:
            self._options = conninfo_to_dict(place)
        except psycopg.Error:  # which may say the password
            raise DatabaseError(f"{self.shown}: this is no address that libpq knows.") from None
        self._options = {"connect_timeout": CONNECT_PATIENCE, **self._options}
        password = str(self._options.get("password") or "")
        self._secrets = [password, quote(password, safe="")] if password else []
        self.schema = f"fitting_room_{name}"
        self._idle: list[_Connection] = []
        self._free = threading.BoundedSemaphore(CONNECTIONS)

    def run(self, work: Callable[[_Connection], _T], patience: float | None = PATIENCE) -> _T:
        """What some work does in a transaction, which is tried again on a new connection where a
        kept one turns out to be cut. Raises :class:`DatabaseError`."""
        if not self._free.acquire(timeout=PATIENCE):
            raise DatabaseError(f"{self.shown}: all {CONNECTIONS} connections are busy. Try later.")
        try:
            while True:
                kept = self._idle.pop() if self._idle else None
                connection = kept or self._connect()
                try:
                    return self._work(connection, work, patience)
                except psycopg.OperationalError:
                    if kept is None or connection.is_late or not connection.closed:
                        raise
                finally:
                    if not connection.closed:
                        self._idle.append(connection)
        except (psycopg.Error, UnicodeError) as error:
            raise self._error(error) from error
        finally:
            self._free.release()

    def rows(self, query: sql.Composable, values: Sequence[Any]) -> _Found:
        """What a query answers."""
        return self.run(lambda connection: _all(connection, query, values))

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _work(
        self, connection: _Connection, work: Callable[[_Connection], _T], patience: float | None
    ) -> _T:
        limit = str(int(1000 * (patience or 0)))
        connection.patience = patience and patience + 2  # the server itself gives up before
        with connection.transaction():
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [limit])
            return work(connection)

    def _connect(self) -> _Connection:
        # Nothing is prepared: a plan for any value would not do for all, and poolers lose it.
        return _Connection.connect(**self._options, autocommit=True, prepare_threshold=None)

    def _error(self, error: Exception) -> DatabaseError:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        for secret in self._secrets:
            said = said.replace(secret, "***")
        if isinstance(error, psycopg.errors.UndefinedTable):
            said = "this version is there no more. Open the index again, which finds the newest"
        return DatabaseError(f"{self.shown}: PostgreSQL: {said}")


class _Version:
    """A version of an index, as :class:`fitting_room.databases.database.Database` says."""

    def __init__(self, server: _Server, version: str, layout: Layout) -> None:
        self.layout, self._server, self._version = layout, server, version
        self._columns = {name: str(place) for place, name in enumerate(layout.columns)}
        self._names = _names(server.schema, version)

    def candidates(self, code: np.ndarray, n: int, where: Filter, *, wide: bool = False) -> Block:
        text, values = self._condition(where)
        longest = float(np.abs(code).max(initial=0)) or 1.0  # the order stays, and 16 bits hold it
        values = [*values, _halfvec(code / longest), n]
        every, nearest = self._sql(_NEAREST_OF_ALL, where=text), self._sql(_NEAREST, where=text)
        expected = self._sql("EXPLAIN (FORMAT JSON) SELECT FROM {rows} WHERE {where}", where=text)

        def find(connection: _Connection) -> _Found:
            plan = _all(connection, expected, values[:-2])[0][0][0]["Plan"]
            if plan["Plan Rows"] > FEW:
                _set_effort(connection, n, wide)
                found = _all(connection, nearest, values)
                if len(found) == n:
                    return found
            return _all(connection, every, values)  # also where the index gave up too early

        return self._block(self._server.run(find))

    def block(self, rows: np.ndarray) -> Block:
        return self._block(self._rows(_BLOCK + '"row" = ANY(%s::bigint[])', [rows.tolist()]))

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        wanted = [_stored(item) for item in ids]
        return self._numbers('SELECT "row" FROM {rows} WHERE id = ANY(%s::text[])', [wanted])

    def count(self, where: Filter) -> int:
        text, values = self._condition(where)
        return int(self._rows("SELECT count(*) FROM {rows} WHERE {where}", values, text)[0][0])

    def counts(self, column: str, where: Filter, most: int) -> Mapping[str, int]:
        text, values = self._condition(where)
        cell, place = self._cell(column)
        query = self._sql(_COUNTS, where=text, cell=cell)
        found = self._server.rows(query, [*place, *values, most])
        return {_read(value): count for value, count in found}

    def scan(self, where: Filter, most: int, after: int = -1) -> np.ndarray:
        text, values = self._condition(where)
        query = 'SELECT "row" FROM {rows} WHERE "row" > %s AND {where} ORDER BY "row" LIMIT %s'
        return self._numbers(query, [after, *values, most], text)

    def write(self, new: NewRows) -> None:
        block, table = new.block, new.block.table
        columns = [(place, _texts(table[name])) for name, place in self._columns.items()]
        cells = [
            json.dumps({place: texts[at] for place, texts in columns if texts[at] is not None})
            for at in range(len(block))
        ]
        terms = [" ".join(map(_lexeme, terms)) for terms in new.terms]
        own = [_texts(table[name]) for name in OWN_COLUMNS]
        codes = [_halfvec(code) for code in new.codes]
        values = [block.rows.tolist(), block.firsts.tolist(), *own, cells, terms, codes]
        self._change(_WRITE, [*values, self.layout.pack(block)])

    def remove(self, rows: np.ndarray) -> None:
        self._change('DELETE FROM {rows} WHERE "row" = ANY(%s::bigint[])', [rows.tolist()])

    def record(self) -> bytes:
        query = "SELECT record FROM {versions} WHERE version = %s AND record IS NOT NULL"
        found = self._rows(query, [self._version])
        if not found:
            raise DatabaseError(f"{self._server.shown}: the version {self._version} has no record.")
        return bytes(found[0][0])

    def publish(self, record: bytes) -> None:
        self._server.run(self._make_indexes, patience=None)
        self._server.run(lambda connection: self._make_current(connection, record))

    def close(self) -> None:
        self._server.close()

    # --- its language -------------------------------------------------------------------------

    def _sql(self, text: Any, **parts: sql.Composable) -> sql.Composed:
        return sql.SQL(text).format(**self._names, **parts)

    def _rows(
        self, text: str, values: Sequence[Any], where: sql.Composable = _EVERYTHING
    ) -> _Found:
        return self._server.run(lambda c: _all(c, self._sql(text, where=where), values))

    def _numbers(self, text: str, values: Sequence[Any], where: Any = _EVERYTHING) -> np.ndarray:
        rows = [row for (row,) in self._rows(text, values, where)]
        return np.sort(np.array(rows, np.int64))

    def _change(self, text: str, values: Sequence[Any]) -> None:
        self._server.run(lambda connection: connection.execute(self._sql(text), values) and None)

    def _block(self, found: _Found) -> Block:
        numbers, firsts, *own, cells, packed = [*zip(*found, strict=True)] or [()] * 7
        try:
            table = {name: list(map(_read, own[at])) for at, name in enumerate(OWN_COLUMNS)}
            for name, place in self._columns.items():
                table[name] = [_read(of_row.get(place)) for of_row in cells]
            frame = pd.DataFrame(table, dtype=object)
            rows = [np.array(each, np.int64) for each in (numbers, firsts)]
            return self.layout.unpack(*rows, frame, packed)
        except (ValueError, TypeError, AttributeError) as error:
            raise DatabaseError(f"{self._server.shown}: a row is damaged: {error}.") from error

    def _cell(self, column: str) -> _Some:
        if column in OWN_COLUMNS:
            return sql.Identifier(column), []
        if column not in self._columns:
            raise FilterError(f"The catalogue has no column {column!r}.")
        return sql.SQL("cells ->> %s::text"), [self._columns[column]]

    def _condition(self, where: Filter) -> _Some:
        """What a filter is in SQL, never null, with its values."""
        match where:
            case OneOf(column, values):
                return self._one_of(column, [*map(_stored, values)])
            case Named(words, begun):
                terms = list(map(_lexeme, terms_of_words(words)))
                query = " & ".join(terms) + (":*" if begun else "")
                return (sql.SQL("terms @@ %s::tsquery"), [query]) if terms else (_NOTHING, [])
            case Rows(rows):
                return sql.SQL('"row" = ANY(%s::bigint[])'), [list(rows)]
            case FirstPictures():
                return sql.SQL('"row" = first'), []
            case Not(other):
                text, some = self._condition(other)
                return sql.SQL("NOT ({})").format(text), some
        parts = [self._condition(one) for one in where.filters]
        if not parts:
            return (_EVERYTHING if isinstance(where, AllOf) else _NOTHING), []
        joined = sql.SQL(" AND " if isinstance(where, AllOf) else " OR ")
        text = sql.SQL("({})").format(joined.join(text for text, _ in parts))
        return text, [value for _, some in parts for value in some]

    def _one_of(self, column: str, values: list[str]) -> _Some:
        cell, place = self._cell(column)
        if place and len(values) <= FEW_VALUES:  # by the index
            cells = [json.dumps({place[0]: value}) for value in values]
            return sql.SQL("cells @> ANY(%s::jsonb[])"), [cells]
        if column == "id":
            return sql.SQL("id = ANY(%s::text[])"), [values]
        return sql.SQL("({} = ANY(%s::text[])) IS TRUE").format(cell), [*place, values]

    # --- making it the current one ------------------------------------------------------------

    def _make_indexes(self, connection: _Connection) -> None:
        rows = _all(connection, self._sql("SELECT count(*) FROM {rows}"), [])[0][0]
        wanted = min(rows * (2 * self.layout.width + BYTES_OF_LINKS), MOST_MEMORY)
        connection.execute(_MEMORY, [wanted // 1024])
        try:
            with connection.transaction():
                connection.execute(self._sql(_INDEXES))
        except psycopg.errors.DiskFull:  # a container's shared memory, which workers would need
            connection.execute("SET LOCAL max_parallel_maintenance_workers = 0")
            connection.execute(self._sql(_INDEXES))

    def _make_current(self, connection: _Connection, record: bytes) -> None:
        connection.execute(_LOCK)
        update = "UPDATE {versions} SET record = %s WHERE version = %s RETURNING made"
        made = _all(connection, self._sql(update), [record, self._version])
        if not made:
            raise DatabaseError(f"{self._server.shown}: the version {self._version} was removed.")
        query = """DELETE FROM {versions} WHERE version <> %s AND (record IS NOT NULL OR made < %s)
            RETURNING version"""
        for (version,) in _all(connection, self._sql(query), [self._version, made[0][0]]):
            drop = sql.SQL("DROP TABLE {rows}").format(**_names(self._server.schema, version))
            connection.execute(drop)


class _Postgres:
    """Makes and opens versions, as :class:`fitting_room.databases.database.Engine` says."""

    def create(self, address: str, layout: Layout, version: str) -> _Version:
        server = _Server(address)
        made = _Version(server, version, layout)

        def make(connection: _Connection) -> None:
            connection.execute(_LOCK)
            _require_vector(connection, server.shown)
            if not _is_there(connection, server):
                connection.execute(made._sql(_VERSIONS))
            query = "SELECT layout, record IS NULL FROM {versions} WHERE version = %s"
            there = _all(connection, made._sql(query), [version])
            if not there:
                query = "INSERT INTO {versions} (version, layout) VALUES (%s, %s)"
                connection.execute(made._sql(query), [version, layout.to_json()])
                connection.execute(made._sql(_ROWS, width=sql.Literal(layout.width)))
            elif there != [(layout.to_json(), True)]:
                raise DatabaseError(
                    f"{server.shown}: the version {version} is there already, published or of "
                    "another layout. Give the new one another name."
                )

        server.run(make)
        return made

    def open(self, address: str, version: str | None = None) -> _Version:
        server = _Server(address)
        query = sql.SQL(
            "SELECT version, layout FROM {versions} WHERE record IS NOT NULL AND %s::text IS NULL "
            "OR version = %s"
        ).format(**_names(server.schema, ""))

        def find(connection: _Connection) -> _Found:
            if not _is_there(connection, server):
                return []
            _require_vector(connection, server.shown)
            return _all(connection, query, [version, version])

        found = server.run(find)
        if not found:
            raise IndexUnusable(
                f"{server.shown}: there is no index here{version and f' of version {version}' or ''}. "
                f"Build one: fitting-room build CATALOGUE --index {server.shown}"
            )
        try:
            return _Version(server, found[0][0], Layout.from_json(found[0][1]))
        except ValueError as error:
            raise DatabaseError(f"{server.shown}: its layout is damaged: {error}.") from error


ENGINE: Engine = _Postgres()


def _names(schema: str, version: str) -> dict[str, sql.Composable]:
    names: dict[str, sql.Composable] = {
        f"by_{of}": sql.Identifier(f"rows_{version}_{of}") for of in ("cells", "terms", "code")
    }
    tables = {"rows": f"rows_{version}", "versions": "versions"}
    names |= {key: sql.Identifier(schema, table) for key, table in tables.items()}
    return {**names, "schema": sql.Identifier(schema)}


def _all(connection: _Connection, query: sql.Composable, values: Sequence[Any]) -> _Found:
    with connection.cursor(binary=True) as cursor:
        return cursor.execute(query, values).fetchall()


def _is_there(connection: _Connection, server: _Server) -> bool:
    table = f'"{server.schema}".versions'
    return _all(connection, sql.SQL("SELECT to_regclass(%s) IS NOT NULL"), [table]) == [(True,)]


def _require_vector(connection: _Connection, shown: str) -> None:
    """Raises :class:`DatabaseError` without pgvector 0.8, which is added to the database where the
    server has it."""
    query = sql.SQL("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    try:
        if not (found := _all(connection, query, [])):
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            found = _all(connection, query, [])
    except psycopg.Error as error:
        raise DatabaseError(
            f"{shown}: the database has no pgvector ({str(error).splitlines()[0]}). Install pgvector "
            "0.8 or newer on the server (https://github.com/pgvector/pgvector), and let its "
            "administrator run in this database: CREATE EXTENSION vector"
        ) from error
    if tuple(int(part) for part in re.findall(r"\d+", found[0][0])[:2]) < OLDEST_PGVECTOR:
        raise DatabaseError(
            f"{shown}: pgvector {found[0][0]} is too old. Install 0.8 or newer on the server, then run "
            "in this database: ALTER EXTENSION vector UPDATE"
        )


def _set_effort(connection: _Connection, n: int, wide: bool) -> None:
    ef = MOST_EF if wide else min(max(n, LEAST_EF), MOST_EF)
    looked_at = ROWS_LOOKED_AT_WIDE if wide else ROWS_LOOKED_AT
    connection.execute(
        "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), "
        "set_config('hnsw.ef_search', %s, true), set_config('hnsw.max_scan_tuples', %s, true)",
        [str(ef), str(looked_at)],
    )


def _halfvec(code: np.ndarray) -> str:
    return str(np.asarray(code, np.float16).tolist())


def _lexeme(term: str) -> str:
    """A term as PostgreSQL reads it in a tsvector and a tsquery."""
    return "'" + _stored(term).replace("\\", "\\\\").replace("'", "''") + "'"


def _stored(text: str) -> str:
    """A text without NULs, which PostgreSQL cannot keep: two private letters stand for one."""
    return text.replace("\ue000", "\ue000\ue001").replace("\0", "\ue000\ue002")


def _read(text: str | None) -> str | None:
    return text and text.replace("\ue000\ue002", "\0").replace("\ue000\ue001", "\ue000")


def _texts(cells: pd.Series[Any]) -> list[str | None]:
    missing = cells.isna().tolist()
    return [
        None if is_missing else _stored(str(cell))
        for cell, is_missing in zip(cells.tolist(), missing, strict=True)
    ]
