"""What every kind of database keeps: versions, what is written to them, and what a stopped build
leaves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.databases.address import DatabaseError, engine_for
from fitting_room.index.filters import EVERYTHING, AllOf, Named, Not, OneOf
from fitting_room.index.layout import MOST_COLUMNS
from fitting_room.index.manifest import IndexUnusable
from fitting_room.index.vectors import STORAGES
from tests.databases.conftest import Place, Servers
from tests.databases.rows import (
    assert_same,
    eventually,
    garments,
    layout_of,
    new_rows,
    part_of,
    unit_rows,
)
from tests.databases.servers import SERVERS

HOSTILE = [
    "O'Neill's", 'a "quoted" one', "back\\slash\\", "\\'", "100 % %s %(x)s", "a_b%c", "$1 ${x}",
    "'; DROP TABLE items; --", '" or 1 == 1 or "', "{a,b}", "[1,2]", "NULL", "null", "nan", "\\N",
    "новый 夏 👗", "e\u0301", "\u00e9", "İ", "a\tb\nc\r\nd", "  blanks  ", "a\0b", "\0", "\ufeffx",
    "\u202eabc", "\x7f\x01\x1f", "\ue000\ue001", "\U0010ffff", "-1", "0", "true", "{{x}}", "\u2028",
]  # fmt: skip
NAMES = [
    "a b", "it's", 'say "no"', "back\\slash", "row", "ROW", "Row", "first", "code", "vector",
    "count", "c0", "'; drop table items; --", "100%", "%s", "a.b", "a[0]", "$meta", "größe", "价格",
    "x" * 200, "x" * 201, "_", "1", "select", " padded ",
]  # fmt: skip


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(("trained", "head_vectors"), [(0, 0), (5, 7)])
def test_every_byte_comes_back(place: Place, storage: str, trained: int, head_vectors: int) -> None:
    layout = layout_of(storage=storage, trained=trained, head_vectors=head_vectors)
    new = new_rows(layout, garments(40), seed=3)
    place.create(layout).write(new)
    database = place.open("v1")
    assert database.layout == layout
    eventually(lambda: database.count(EVERYTHING) == 40)
    assert_same(database.block(np.arange(40)), new, layout)


def test_rows_are_put_in_place_of_those_of_the_same_numbers(place: Place) -> None:
    layout = layout_of()
    first = new_rows(layout, garments(30))
    database = place.create(layout)
    database.write(first)
    table = garments(30).assign(colour="Gold", name="Golden hat")
    changed = part_of(new_rows(layout, table, seed=9), [3, 4, 20])
    database.write(changed)
    database.publish(b"")
    database = place.open()
    assert database.count(EVERYTHING) == 30
    assert_same(database.block(np.array([3, 4, 20])), changed, layout)
    assert_same(database.block(np.array([2, 5])), part_of(first, [2, 5]), layout)
    assert database.scan(OneOf("colour", ("Gold",)), 10).tolist() == [3, 4, 20]
    assert database.scan(Named(("golden", "hats")), 10).tolist() == [3, 4, 20]
    assert database.count(AllOf((Named(("running",)), OneOf("colour", ("Gold",))))) == 0
    found = database.candidates(changed.codes[2], 3, EVERYTHING, wide=True)
    assert 20 in found.rows


def test_rows_are_removed(place: Place) -> None:
    layout = layout_of()
    new = new_rows(layout, garments(30))
    database = place.create(layout)
    database.write(new)
    database.remove(np.array([3, 29, 500]))
    database.remove(np.array([], np.int64))
    database.publish(b"")
    database = place.open()
    assert database.count(EVERYTHING) == 28
    assert database.block(np.array([2, 3, 29])).rows.tolist() == [2]
    assert database.rows_of(["item-3", "item-29"]).tolist() == []
    found = database.candidates(new.codes[3], 30, EVERYTHING, wide=True)
    assert sorted(found.rows) == sorted({*range(30)} - {3, 29})


def test_a_published_version_is_changed_in_place(place: Place) -> None:
    """An item that is added or taken out of an index that is searched."""
    layout = layout_of()
    new = new_rows(layout, garments(30))
    database = place.create(layout)
    database.write(part_of(new, range(20)))
    database.publish(b"one")
    opened, other = place.open(), place.open()
    opened.write(part_of(new, range(20, 30)))
    opened.remove(np.array([0]))
    opened.publish(b"two")
    rows = list(range(1, 30))
    for each in (opened, other, place.open()):
        eventually(lambda each=each: each.scan(EVERYTHING, 99).tolist() == rows)
        eventually(
            lambda each=each: (
                each.candidates(new.codes[25], 99, EVERYTHING, wide=True).rows.tolist() == rows
            )
        )
    assert place.open().record() == b"two"


def test_a_version_is_opened_once_it_is_published(place: Place) -> None:
    layout = layout_of()
    with pytest.raises(IndexUnusable, match="fitting-room build"):
        place.engine.open(place.address)
    database = place.create(layout, "first")
    database.write(new_rows(layout, garments(10)))
    with pytest.raises(IndexUnusable, match="fitting-room build"):
        place.engine.open(place.address)
    record = bytes(range(256)) * 12_000  # three megabytes
    database.publish(record)
    opened = place.open()
    assert opened.record() == record
    assert opened.layout == layout
    assert opened.count(EVERYTHING) == 10


def test_the_last_published_version_takes_the_place_of_earlier_ones(place: Place) -> None:
    layouts = layout_of(), layout_of(("size",), width=8, dimension=4)
    old = place.create(layouts[0], "old")
    old.write(new_rows(layouts[0], garments(10)))
    old.publish(b"old")
    table = garments(20)[["id", "image", "digest"]].assign(size="L")
    new = place.create(layouts[1], "new")
    new.write(new_rows(layouts[1], table))
    # What is being built is not seen, and what was published stays.
    seen = place.open()
    assert (seen.record(), seen.layout, seen.count(EVERYTHING)) == (b"old", layouts[0], 10)
    new.publish(b"new")
    seen = place.open()
    assert (seen.record(), seen.layout, seen.count(EVERYTHING)) == (b"new", layouts[1], 20)
    with pytest.raises(IndexUnusable):
        place.engine.open(place.address, "old")


def test_a_version_that_nobody_finished_is_never_seen_and_goes_on(place: Place) -> None:
    """A build that was killed in between: another run of it finds the rows that were written."""
    layout = layout_of()
    new = new_rows(layout, garments(30))
    killed = place.create(layout, "killed")
    killed.write(part_of(new, range(12)))
    killed.close()
    with pytest.raises(IndexUnusable, match="fitting-room build"):
        place.engine.open(place.address)
    other = place.create(layout, "other")
    assert other.scan(EVERYTHING, 99).tolist() == []
    again = place.create(layout, "killed")
    eventually(lambda: again.scan(EVERYTHING, 99).tolist() == list(range(12)))
    again.write(part_of(new, range(10, 30)))
    again.publish(b"whole")
    opened = place.open()
    assert opened.count(EVERYTHING) == 30
    assert_same(opened.block(np.arange(30)), new, layout)


def test_a_version_of_another_layout_is_not_gone_on_with(place: Place) -> None:
    place.create(layout_of(), "v1")
    with pytest.raises(IndexUnusable):
        place.engine.create(place.address, layout_of(dimension=3), "v1")


def test_a_version_that_is_not_there_cannot_be_opened(place: Place) -> None:
    place.create(layout_of(), "v1").publish(b"")
    with pytest.raises(IndexUnusable, match="fitting-room build"):
        place.engine.open(place.address, "v2")


def test_an_index_without_rows_is_searched(place: Place) -> None:
    place.create(layout_of()).publish(b"")
    database = place.open()
    assert len(database.candidates(unit_rows(1, 16)[0], 10, EVERYTHING)) == 0
    assert database.count(EVERYTHING) == 0
    assert database.scan(EVERYTHING, 10).tolist() == []


def test_indexes_beside_each_other_are_kept_apart(place: Place, servers: Servers) -> None:
    layout, twin = layout_of(), servers.place(place.kind)
    for one, rows in ((place, 10), (twin, 20)):
        database = one.create(layout)
        database.write(new_rows(layout, garments(rows)))
        database.publish(b"")
    assert (place.open().count(EVERYTHING), twin.open().count(EVERYTHING)) == (10, 20)
    twin.close()


# --- what comes from outside ------------------------------------------------------------------


def test_hostile_values_come_back_and_are_found(place: Place) -> None:
    layout = layout_of(("value", "name"))
    table = pd.DataFrame(
        {
            "id": HOSTILE, "image": [f"{value}.jpg" for value in HOSTILE],
            "digest": HOSTILE, "value": HOSTILE, "name": HOSTILE,
        },
        dtype=object,
    )  # fmt: skip
    new = new_rows(layout, table)
    database = place.create(layout)
    database.write(new)
    database.publish(b"")
    database = place.open()
    assert_same(database.block(np.arange(len(HOSTILE))), new, layout)
    for row, value in enumerate(HOSTILE):
        assert database.rows_of([value]).tolist() == [row], value
        assert database.scan(OneOf("value", (value,)), 99).tolist() == [row], value
        assert database.count(Not(OneOf("value", (value,)))) == len(HOSTILE) - 1, value
        assert database.count(Named((value,))) <= len(HOSTILE)
        assert database.count(Named((value,), begun=True)) <= len(HOSTILE)
    assert database.count(OneOf("value", tuple(HOSTILE))) == len(HOSTILE)
    counts = database.counts("value", EVERYTHING, 1_000)
    assert counts is None or counts == dict.fromkeys(HOSTILE, 1)


def test_hostile_names_of_columns_are_kept_and_found(place: Place) -> None:
    layout = layout_of(NAMES)
    values = {name: [f"{at}", None, "both"] for at, name in enumerate(NAMES)}
    own = {"id": ["a", "b", "c"], "image": ["a", "b", "c"], "digest": ["", "", ""]}
    table = pd.DataFrame({**own, **values}, dtype=object)
    new = new_rows(layout, table)
    database = place.create(layout)
    database.write(new)
    database.publish(b"")
    database = place.open()
    assert_same(database.block(np.arange(3)), new, layout)
    for at, name in enumerate(NAMES):
        assert database.scan(OneOf(name, (str(at),)), 9).tolist() == [0], name
        assert database.scan(Not(OneOf(name, (str(at),))), 9).tolist() == [1, 2], name
        counts = database.counts(name, EVERYTHING, 9)
        assert counts is None or counts == {str(at): 1, "both": 1}


def test_as_many_columns_as_a_catalogue_may_have(place: Place) -> None:
    names = [f"column {at}" for at in range(MOST_COLUMNS)]
    layout = layout_of(names)
    values = pd.DataFrame({name: [f"{name} of this", None] for name in names}, dtype=object)
    own = pd.DataFrame({"id": ["a", "b"], "image": ["a", "b"], "digest": ["a", "b"]}, dtype=object)
    new = new_rows(layout, pd.concat([own, values], axis=1))
    database = place.create(layout)
    database.write(new)
    database.publish(b"")
    database = place.open()
    assert_same(database.block(np.arange(2)), new, layout)
    assert database.scan(OneOf(names[-1], (f"{names[-1]} of this",)), 9).tolist() == [0]


def test_long_cells_come_back_whole(place: Place) -> None:
    layout = layout_of(("description", "value"))
    long, quite_long = "wörds of a dress, " * 1_000, "x" * 3_000
    table = pd.DataFrame(
        {
            "id": ["a", "b" * 500], "image": ["i" * 2_000, "j"], "digest": ["a", "b"],
            "description": [long, None], "value": [quite_long, quite_long[:-1]],
        },
        dtype=object,
    )  # fmt: skip
    new = new_rows(layout, table)
    database = place.create(layout)
    database.write(new)
    database.publish(b"")
    database = place.open()
    assert_same(database.block(np.arange(2)), new, layout)
    assert database.rows_of(["b" * 500]).tolist() == [1]
    assert database.scan(OneOf("value", (quite_long,)), 9).tolist() == [0]


def test_numbers_of_rows_may_be_great(place: Place) -> None:
    layout = layout_of()
    rows = [5, 2**33, 2**53 + 1, 2**62]
    new = new_rows(layout, garments(4), rows)
    database = place.create(layout)
    database.write(new)
    database.publish(b"")
    database = place.open()
    assert_same(database.block(np.array(rows)), new, layout)
    assert database.scan(EVERYTHING, 9, 2**53).tolist() == rows[2:]


@settings(max_examples=5)
@given(values=st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=20, unique=True))
def test_any_text_comes_back_and_is_found(place: Place, values: list[str]) -> None:
    layout = layout_of(("value",))
    own = {"id": values, "image": values, "digest": values}
    new = new_rows(layout, pd.DataFrame({**own, "value": values}, dtype=object))
    database = place.create(layout)
    try:
        database.write(new)
        eventually(lambda: database.scan(EVERYTHING, 99).tolist() == list(range(len(values))))
        assert_same(database.block(np.arange(len(values))), new, layout)
        assert database.scan(OneOf("value", (values[-1],)), 99).tolist() == [len(values) - 1]
        assert database.rows_of(values).tolist() == list(range(len(values)))
    finally:
        database.remove(np.arange(len(values)))
        eventually(lambda: database.count(EVERYTHING) == 0)
        database.close()


def test_threads_write_at_once(place: Place) -> None:
    layout = layout_of()
    new = new_rows(layout, garments(200))
    database = place.create(layout)
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(lambda at: database.write(part_of(new, range(at, at + 25))), range(0, 200, 25))
        )
    database.publish(b"")
    database = place.open()
    assert_same(database.block(np.arange(200)), new, layout)


@pytest.mark.parametrize("kind", sorted(SERVERS))
def test_a_server_that_is_not_there_is_named_without_its_password(kind: str) -> None:
    address = SERVERS[kind].NOWHERE
    engine = engine_for(address)
    for ask in (
        lambda: engine.open(address), lambda: engine.create(address, layout_of(), "v1")
    ):  # fmt: skip
        with pytest.raises(DatabaseError) as raised:
            ask()
        assert "127.0.0.1" in str(raised.value)
        assert "s3cret" not in str(raised.value)
