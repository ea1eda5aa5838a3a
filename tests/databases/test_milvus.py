"""What is Milvus' own: its addresses, the fields that filters ask, many rows in sealed and growing
segments, and collections that are not of this program."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pymilvus")

from fitting_room.databases.address import DatabaseError, engine_for
from fitting_room.databases.milvus import MilvusDatabase
from fitting_room.databases.milvus_filters import Fields, beginnings, key_of
from fitting_room.databases.milvus_server import Server
from fitting_room.index.filters import EVERYTHING, FilterError, Not, OneOf, Rows
from tests.databases.conftest import Place, Servers
from tests.databases.rows import (
    assert_same,
    best,
    garments,
    layout_of,
    new_rows,
    part_of,
    passes,
    recall,
    unit_rows,
)

#: More than Milvus leaves without an index.
MANY = 2_500


@pytest.fixture
def milvus(servers: Servers) -> Place:
    return servers.place("milvus")


@pytest.mark.parametrize(
    "address",
    [
        "milvus://",
        "milvus://shop:s3cret@/goods",
        "milvus://shop:s3cret@127.0.0.1:1",
        "milvus://shop:s3cret@127.0.0.1:1/",
        "milvus://shop:s3cret@127.0.0.1:1/1goods",
        "milvus://shop:s3cret@127.0.0.1:1/_fitting_room",
        "milvus://shop:s3cret@127.0.0.1:1/goods/more",
        "milvus://shop:s3cret@127.0.0.1:1/" + "g" * 42,
        "milvus://shop:s3cret@127.0.0.1:99999999/goods",
        "milvus://shop:s3cret@127.0.0.1:port/goods",
        "milvus://shop:s3cret@127.0.0.1:1/goods?token=s3cret",
        "milvus://shop:s3cret@127.0.0.1:1/goods?secure=yes",
    ],
)
def test_a_wrong_address_is_said_at_once_and_without_its_password(address: str) -> None:
    with pytest.raises(DatabaseError, match="no address of a") as raised:
        engine_for("milvus://127.0.0.1/x").open(address)
    assert "shop:" not in str(raised.value)


def test_versions_have_plain_names(milvus: Place) -> None:
    for version in ("", "a_b", "a b", "ü", "v" * 65, "../x"):
        with pytest.raises(DatabaseError, match="letters and digits"):
            milvus.engine.create(milvus.address, layout_of(), version)


def test_keys_of_values_tell_missing_short_and_long_ones_apart() -> None:
    values = [None, "", "=", "#", "Red", "x" * 200, "x" * 201, "é" * 100, "é" * 101, "\ud800"]
    values += [key_of("x" * 201)]  # what looks like another value's digest
    keys = [key_of(value) for value in values]
    assert len({*keys}) == len(values)
    assert all(len(key.encode()) <= 201 for key in keys)


def test_beginnings_are_of_the_last_word() -> None:
    assert beginnings(["red", "red dr"]) == ["r", "re", "red", "red d", "red dr"]


def test_a_filter_that_milvus_cannot_read_is_refused() -> None:
    fields = Fields(("id", "kind"), 9)
    with pytest.raises(FilterError, match="no column 'size'"):
        fields.expression(OneOf("size", ("L",)))
    with pytest.raises(DatabaseError, match="fewer values"):
        fields.expression(Rows(tuple(range(400_000))))


def test_many_rows_in_several_segments_are_found_scanned_and_counted(milvus: Place) -> None:
    layout = layout_of()
    numbers = np.sort(np.random.default_rng(3).choice(100_000, MANY, replace=False))
    new = new_rows(layout, garments(MANY), numbers)
    shuffled = np.random.default_rng(4).permutation(MANY)
    database = milvus.create(layout)
    for places in np.array_split(shuffled[: MANY - 100], 4):
        database.write(part_of(new, places))
    database.publish(b"many")  # in segments with an index
    database.write(part_of(new, shuffled[MANY - 100 :]))  # and in one that grows
    database.publish(b"more")
    opened = milvus.open()
    assert opened.record() == b"more"
    for where in (EVERYTHING, OneOf("kind", ("Jeans",)), Not(OneOf("gender", ("Women",)))):
        expected = numbers[passes(where, new)]
        assert opened.count(where) == len(expected)
        assert opened.scan(where, 10_000).tolist() == expected.tolist()
        middle = int(expected[len(expected) // 2])
        assert opened.scan(where, 7, middle).tolist() == expected[expected > middle][:7].tolist()
        for code in unit_rows(3, 16, 8):
            found = opened.candidates(code, 100, where, wide=True)
            assert recall(found.rows, best(new, code, 100, where)) >= 0.95
    every = opened.block(numbers)
    assert_same(every, new, layout)
    opened.remove(numbers[:MANY:2])
    opened.publish(b"fewer")
    assert milvus.open().scan(EVERYTHING, 10_000).tolist() == numbers[1:MANY:2].tolist()


def test_a_text_that_no_row_holds_is_named(milvus: Place) -> None:
    layout = layout_of(("story",))
    story = np.random.default_rng(0).bytes(250_000).hex()
    table = pd.DataFrame(
        {"id": ["coat"], "image": ["a"], "digest": ["a"], "story": [story]}, dtype=object
    )
    with pytest.raises(DatabaseError, match="item coat are too long for Milvus"):
        milvus.create(layout).write(new_rows(layout, table))


def test_a_collection_of_others_is_neither_opened_nor_written_to(milvus: Place) -> None:
    server = Server(milvus.address)
    server.client.create_collection(f"{server.name}_v1", dimension=4)
    for ask in (
        lambda: milvus.engine.open(milvus.address, "v1"),
        lambda: milvus.engine.create(milvus.address, layout_of(), "v1"),
    ):
        with pytest.raises(DatabaseError, match="not of this program"):
            ask()


def test_rows_that_another_layout_wrote_are_no_rows(milvus: Place) -> None:
    written = milvus.create(layout_of())
    written.write(new_rows(layout_of(), garments(3)))
    written.publish(b"")
    other = MilvusDatabase(Server(milvus.address), "v1", layout_of(dimension=300))
    with pytest.raises(DatabaseError, match="not as an index writes them"):
        other.block(np.arange(3))


def test_a_version_that_was_replaced_says_so(milvus: Place) -> None:
    for version in ("v1", "v2"):
        database = milvus.create(layout_of(), version)
        database.publish(version.encode())
    with pytest.raises(DatabaseError, match="Open the index again"):
        milvus.opened[0].count(EVERYTHING)
    assert milvus.opened[1].record() == b"v2"
