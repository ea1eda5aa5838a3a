"""Connections to a PostgreSQL server, and its errors as this program's."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from fitting_room.databases.address import DatabaseError, in_postgres, without_password

#: Seconds that an answer, and that a connection is waited for; connections at a time.
PATIENCE, CONNECT_PATIENCE, CONNECTIONS = 60.0, 10, 8
#: A dead network is noticed within two minutes, also while an index is made, which may take hours.
KEPT_ALIVE = {"keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 6}
#: The first pgvector that goes on looking where a filter lets little through.
OLDEST_PGVECTOR = (0, 8)

Found = list[tuple[Any, ...]]
_T = TypeVar("_T")


class PatientConnection(psycopg.Connection[Any]):
    """A connection that waits for no answer longer than its ``patience``, in seconds, also where
    the server is frozen; ``None`` waits for ever."""

    patience: float | None = PATIENCE
    is_late = False

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:
            self.is_late = True
            self.close()  # what it answers later is nobody's
            raise psycopg.OperationalError("it does not answer") from error


def rows_of(connection: PatientConnection, query: sql.Composed, values: Sequence[Any]) -> Found:
    """What a query answers."""
    with connection.cursor(binary=True) as cursor:
        return list(cursor.execute(query, values).fetchall())


class Server:
    """The server at an address; each of its connections is lent to one thread at a time. ``shown``
    is the address without its password, and ``schema`` the schema of the index in its database."""

    def __init__(self, address: str) -> None:
        self.shown, self.patience = without_password(address), PATIENCE
        place, name = in_postgres(address)
        self.schema = f"fitting_room_{name}"
        try:
            self._options: dict[str, Any] = {**KEPT_ALIVE, **conninfo_to_dict(place)}
        except psycopg.Error:  # which may say the password
            raise DatabaseError(f"{self.shown}: this is no address that libpq knows.") from None
        self._options.setdefault("connect_timeout", CONNECT_PATIENCE)
        self._idle: list[PatientConnection] = []
        self._free = threading.BoundedSemaphore(CONNECTIONS)

    def run(self, work: Callable[[PatientConnection], _T], *, for_long: bool = False) -> _T:
        """What some work does in one transaction, which is tried again where a connection that was
        kept turns out to be cut. It may take ``patience`` seconds, or as long as it likes. Raises
        :class:`DatabaseError`."""
        if not self._free.acquire(timeout=self.patience):
            raise DatabaseError(f"{self.shown}: all {CONNECTIONS} connections are busy. Try later.")
        try:
            while True:
                kept = self._idle.pop() if self._idle else None
                connection = kept or self._connect()
                try:
                    return _in_transaction(connection, work, None if for_long else self.patience)
                except psycopg.OperationalError:
                    if kept is None or connection.is_late or not connection.closed:
                        raise
                finally:
                    if not connection.closed:
                        self._idle.append(connection)
        except (psycopg.Error, UnicodeError) as error:
            raise self._said(error) from error
        finally:
            self._free.release()

    def has(self, connection: PatientConnection, table: str) -> bool:
        """Whether the index has a table of that name."""
        query = sql.SQL("SELECT to_regclass(%s) IS NOT NULL").format()
        return bool(rows_of(connection, query, [f'"{self.schema}"."{table}"'])[0][0])

    def require_unicode(self, connection: PatientConnection) -> None:
        """Raises :class:`DatabaseError` where the database cannot hold every letter."""
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise DatabaseError(
                f"{self.shown}: the database's encoding is {encoding}. Use one that was made by: "
                "CREATE DATABASE goods ENCODING 'UTF8' TEMPLATE template0"
            )

    def require_vector(self, connection: PatientConnection) -> None:
        """Raises :class:`DatabaseError` without pgvector 0.8, which is added to the database where
        the server has it."""
        query = sql.SQL("SELECT extversion FROM pg_extension WHERE extname = 'vector'").format()
        found = rows_of(connection, query, [])
        try:
            if not found:
                connection.execute("CREATE EXTENSION vector")
                found = rows_of(connection, query, [])
        except psycopg.Error as error:
            raise DatabaseError(
                f"{self.shown}: the database has no pgvector ({str(error).splitlines()[0]}). "
                "Install pgvector 0.8 or newer on the server (https://github.com/pgvector/pgvector)"
                ", and let its administrator run in this database: CREATE EXTENSION vector"
            ) from error
        version = str(found[0][0])
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST_PGVECTOR:
            raise DatabaseError(
                f"{self.shown}: pgvector {version} is too old. Install 0.8 or newer on the server, "
                "and run in this database: ALTER EXTENSION vector UPDATE"
            )

    @contextmanager
    def let_go_on_error(self) -> Iterator[None]:
        """Closes the connections where what is done within fails."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> PatientConnection:
        # Nothing is prepared: a plan for any value would not do for all, and poolers lose it.
        return PatientConnection.connect(autocommit=True, prepare_threshold=None, **self._options)

    def _said(self, error: Exception) -> DatabaseError:
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        if isinstance(error, psycopg.errors.UndefinedTable):
            text = "this version is there no more. Open the index again, which finds the newest."
        password = str(self._options.get("password") or "")
        for secret in filter(None, {password, quote(password, safe="")}):
            text = text.replace(secret, "***")
        return DatabaseError(f"{self.shown}: PostgreSQL: {text}")


def _in_transaction(
    connection: PatientConnection, work: Callable[[PatientConnection], _T], patience: float | None
) -> _T:
    limit = str(int(1000 * (patience or 0)))
    connection.patience = patience and patience + 1  # the server itself gives up before
    with connection.transaction():
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [limit])
        return work(connection)
