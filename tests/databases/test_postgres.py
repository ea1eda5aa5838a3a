"""What only PostgreSQL does: its connections, its index, what it may lack, and damaged rows."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import pytest

from fitting_room.databases.address import DatabaseError, engine_for
from fitting_room.index.filters import EVERYTHING, FilterError, Marked, OneOf
from tests.databases.conftest import Place, Published, Servers
from tests.databases.rows import (
    best,
    eventually,
    garments,
    layout_of,
    new_rows,
    passes,
    recall,
    unit_rows,
)

psycopg = pytest.importorskip("psycopg", reason="pip install 'fitting-room[postgres]'")

#: Of the fixtures of every kind of database this one alone.
here = pytest.mark.parametrize("place", ["postgres"], indirect=True)
in_shop = pytest.mark.parametrize("shop", ["postgres"], indirect=True)


@pytest.fixture
def database(servers: Servers) -> Iterator[str]:
    """The address of an index in a database of its own, in which there is nothing yet."""
    name = f"d{uuid4().hex[:16]}"
    address = servers.address("postgres", "shop")
    with _admin(servers) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield address.replace("/postgres/shop", f"/{name}/shop")
    with _admin(servers) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _admin(servers: Servers, address: str | None = None):
    return psycopg.connect(
        (address or servers.address("postgres", "shop")).replace("/shop?", "?"), autocommit=True
    )


# --- connections ------------------------------------------------------------------------------


@here
def test_a_connection_that_was_cut_is_made_anew(place: Place, servers: Servers) -> None:
    """The server was restarted, or a firewall forgot the connection."""
    place.create(layout_of()).publish(b"")
    database = place.open()
    (pid,) = database._server.run(_backend)
    with _admin(servers) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    assert database.count(EVERYTHING) == 0


@here
def test_what_takes_too_long_is_ended_by_the_server(place: Place) -> None:
    database = place.create(layout_of())
    database._server.patience = 0.1
    with pytest.raises(DatabaseError, match="timeout"):
        database._server.run(lambda connection: connection.execute("SELECT pg_sleep(60)"))
    database._server.patience = 60
    assert database.count(EVERYTHING) == 0


@here
def test_a_frozen_server_is_not_waited_for(place: Place) -> None:
    database = place.create(layout_of())
    (pid,) = database._server.run(_backend)
    database._server.patience = 0.1
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseError, match="does not answer"):
            database.count(EVERYTHING)
    finally:
        os.kill(pid, signal.SIGCONT)
    database._server.patience = 60
    assert database.count(EVERYTHING) == 0  # on another connection


def _backend(connection: object) -> tuple[int]:
    return connection.execute("SELECT pg_backend_pid()").fetchone()  # type: ignore[attr-defined]


@here
def test_a_writer_that_is_killed_leaves_whole_blocks(place: Place) -> None:
    of_writer, of_reader = os.pipe()
    writer = os.fork()
    if not writer:  # a process of its own, with a connection of its own
        try:
            _write_blocks(place, of_reader)
        finally:
            os._exit(1)
    try:
        for _ in range(5):  # blocks that are there for good
            assert os.read(of_writer, 1) == b"."
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        os.close(of_writer)
        os.close(of_reader)
    there = place.create(layout_of(), "killed").scan(EVERYTHING, 1_000_000)
    assert len(there) >= 5 * 20 and len(there) % 20 == 0
    assert there.tolist() == list(range(len(there)))


def _write_blocks(place: Place, done: int) -> None:
    database = place.create(layout_of(), "killed")
    for start in range(0, 20_000, 20):
        database.write(new_rows(layout_of(), garments(20), range(start, start + 20)))
        os.write(done, b".")


# --- its index --------------------------------------------------------------------------------


@in_shop
@pytest.mark.parametrize(
    "where", [EVERYTHING, OneOf("gender", ("Women",)), OneOf("gender", ("Girls",))], ids=str
)
def test_many_rows_are_searched_by_the_index(
    shop: Published, monkeypatch: pytest.MonkeyPatch, where: OneOf
) -> None:
    """As where there are too many rows to compare them all."""
    monkeypatch.setattr("fitting_room.databases.postgres.FEW", -1)
    never = "options=-c%20enable_seqscan%3Doff%20-c%20enable_sort%3Doff"
    database = shop.place.engine.open(f"{shop.place.address}&{never}")
    try:
        before = database._server.run(_scans)
        for seed in range(5):
            code = unit_rows(1, 16, 300 + seed)[0]
            found = database.candidates(code, 20, where)
            assert passes(where, shop.new)[found.rows].all()
            assert recall(found.rows, best(shop.new, code, 20, where)) >= 0.9
        eventually(lambda: database._server.run(_scans) >= before + 5)
        # More than there are: the index runs out of rows, and all are compared.
        everything = database.candidates(code, 500, where)
        assert everything.rows.tolist() == np.flatnonzero(passes(where, shop.new)).tolist()
    finally:
        database.close()


def _scans(connection: object) -> int:
    connection.execute("SELECT pg_stat_force_next_flush()")  # type: ignore[attr-defined]
    query = "SELECT sum(idx_scan) FROM pg_stat_all_indexes WHERE indexrelname LIKE 'rows%_code'"
    return int(connection.execute(query).fetchone()[0])  # type: ignore[attr-defined]


@in_shop
def test_a_mask_of_a_local_index_is_refused(shop: Published) -> None:
    with pytest.raises(FilterError, match="Marked"):
        shop.database.count(Marked(np.ones(300, bool)))


@in_shop
def test_an_unknown_column_is_refused(shop: Published) -> None:
    for ask in (
        lambda: shop.database.count(OneOf("size", ("L",))),
        lambda: shop.database.counts("size", EVERYTHING, 9),
    ):
        with pytest.raises(FilterError, match="size"):
            ask()


# --- what is wrong with it --------------------------------------------------------------------


def test_pgvector_is_added_to_a_database(database: str) -> None:
    engine_for(database).create(database, layout_of(), "v1").close()


def test_an_old_pgvector_is_said_with_the_remedy(database: str, servers: Servers) -> None:
    engine_for(database).create(database, layout_of(), "v1").close()
    with _admin(servers, database) as connection:
        connection.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
    for ask in (
        lambda: engine_for(database).create(database, layout_of(), "v2"),
        lambda: engine_for(database).open(database),
    ):
        with pytest.raises(DatabaseError, match=r"0\.7\.4.*ALTER EXTENSION vector UPDATE"):
            ask()


def test_a_database_without_pgvector_is_said_with_the_remedy(
    database: str, servers: Servers
) -> None:
    role = f"r{uuid4().hex[:16]}"
    with _admin(servers) as connection:
        connection.execute(f'CREATE ROLE "{role}" LOGIN')
    address = database.replace("//postgres:@", f"//{role}:s3cret@")
    with pytest.raises(DatabaseError, match=r"0\.8.*CREATE EXTENSION vector") as raised:
        engine_for(address).create(address, layout_of(), "v1")
    assert "s3cret" not in str(raised.value)


def test_a_database_of_another_encoding_is_refused(servers: Servers) -> None:
    name = f"d{uuid4().hex[:16]}"
    address = servers.address("postgres", "shop").replace("/postgres/", f"/{name}/")
    with _admin(servers) as connection:
        connection.execute(
            f"CREATE DATABASE \"{name}\" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
        )
        with pytest.raises(DatabaseError, match=r"LATIN1.*ENCODING 'UTF8'"):
            engine_for(address).create(address, layout_of(), "v1")
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_an_address_that_libpq_does_not_know_is_said_without_its_password() -> None:
    address = "postgresql://u:s3cret%zz@127.0.0.1/goods/shop?colour=red"
    with pytest.raises(DatabaseError, match="libpq") as raised:
        engine_for(address).open(address)
    assert "s3cret" not in str(raised.value)


@here
@pytest.mark.parametrize(
    "damage",
    ["packed = '\\x00'", "cells = '[]'", "cells = '{\"0\": 7}'"],
    ids=["numbers", "no columns", "no text"],
)
def test_damaged_rows_are_said_to_be_so(place: Place, servers: Servers, damage: str) -> None:
    database = place.create(layout_of())
    database.write(new_rows(layout_of(), garments(3)))
    schema = database._server.schema
    with _admin(servers) as connection:
        connection.execute(f'UPDATE "{schema}".rows_v1 SET {damage} WHERE "row" = 1')
    assert len(database.block(np.array([0, 2]))) == 2
    with pytest.raises(DatabaseError, match="damaged"):
        database.block(np.array([0, 1, 2]))


@here
def test_a_damaged_layout_is_said_to_be_so(place: Place, servers: Servers) -> None:
    place.create(layout_of()).publish(b"")
    schema = place.open()._server.schema
    with _admin(servers) as connection:
        connection.execute(f"UPDATE \"{schema}\".versions SET layout = '[7]'")
    with pytest.raises(DatabaseError, match="layout"):
        place.engine.open(place.address)


@here
def test_a_version_that_was_replaced_says_so(place: Place) -> None:
    place.create(layout_of(), "old").publish(b"")
    old = place.open()
    place.create(layout_of(), "new").publish(b"")
    with pytest.raises(DatabaseError, match="Open the index again"):
        old.count(EVERYTHING)
    with pytest.raises(DatabaseError):
        old.publish(b"late")
