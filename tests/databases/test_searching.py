"""What every kind of database finds: candidates, rows, counts and scans, under every filter, the
same as plain numpy does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fitting_room.index.filters import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Filter,
    FirstPictures,
    Named,
    Not,
    OneOf,
    Rows,
)
from tests.databases.conftest import Place, Published
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
    value_counts,
    without_zeros,
)

FILTERS: dict[str, Filter] = {
    "everything": EVERYTHING,
    "a value": OneOf("gender", ("Women",)),
    "a value of two words": OneOf("kind", ("Laptop Bag",)),
    "any of two values": OneOf("kind", ("Shirts", "Jeans")),
    "a value that nothing has": OneOf("kind", ("Submarines",)),
    "a value beside one that nothing has": OneOf("kind", ("Submarines", "Jeans")),
    "values that begin alike": OneOf("colour", ("Blue",)),
    "any of many values": OneOf("kind", ("Jeans", "Shirts", *(f"no {at}" for at in range(500)))),
    "no value at all": OneOf("kind", ()),
    "not a value, where some have none": Not(OneOf("kind", ("Shirts",))),
    "not one of several": Not(OneOf("colour", ("Red", "Blue"))),
    "not not": Not(Not(OneOf("kind", ("Shirts",)))),
    "not one of no values": Not(OneOf("kind", ())),
    "an id": OneOf("id", ("item-17",)),
    "a picture's file": OneOf("image", ("pictures/17.jpg", "pictures/18.jpg")),
    "a name": Named(("cotton",)),
    "a name, whatever its ending": Named(("shirt",)),
    "a phrase": Named(("running", "jeans")),
    "a phrase of three words": Named(("red", "running", "shirt")),
    "words that stand beside each other nowhere": Named(("jeans", "running")),
    "a name that is begun": Named(("shir",), begun=True),
    "a phrase that is begun": Named(("running", "dr"), begun=True),
    "a beginning that nothing has": Named(("zz",), begun=True),
    "a beginning is no whole word": Named(("shir",)),
    "an id as a name": Named(("item", "17")),
    "no words": Named(()),
    "not a name": Not(Named(("shirt",))),
    "rows": Rows((3, 5, 250, 299)),
    "rows of which one is not there": Rows((7, 123_456)),
    "no rows": Rows(()),
    "other rows": Not(Rows((0, 1, 2))),
    "first pictures": FirstPictures(),
    "other pictures": Not(FirstPictures()),
    "all of nothing": AllOf(()),
    "any of nothing": AnyOf(()),
    "not any of nothing": Not(AnyOf(())),
    "not everything": Not(EVERYTHING),
    "all of two": AllOf((OneOf("gender", ("Men",)), OneOf("colour", ("Red", "Blue")))),
    "any of two": AnyOf((OneOf("gender", ("Girls",)), OneOf("kind", ("Dresses",)))),
    "any of none": AllOf((AnyOf(()), OneOf("gender", ("Men",)))),
    "a wish": AllOf(
        (
            AnyOf((OneOf("kind", ("Shirts",)), Named(("dress",)))),
            Not(AnyOf((OneOf("colour", ("Red",)), Named(("7",))))),
            FirstPictures(),
            Not(Rows((1, 3))),
        )
    ),
}
every_filter = pytest.mark.parametrize("where", FILTERS.values(), ids=FILTERS.keys())


def test_the_oracle_lets_something_through() -> None:
    """Most filters let some rows through and some not: what is compared below says something."""
    new = new_rows(layout_of(), garments())
    counts = [int(passes(where, new).sum()) for where in FILTERS.values()]
    assert sum(0 < count < 300 for count in counts) >= 23
    assert 0 in counts and 300 in counts


@every_filter
def test_rows_are_counted_and_scanned_under_every_filter(shop: Published, where: Filter) -> None:
    expected = shop.new.block.rows[passes(where, shop.new)]
    assert shop.database.count(where) == len(expected)
    found = shop.database.scan(where, 1_000)
    assert found.dtype == np.int64
    assert found.tolist() == expected.tolist()


@every_filter
def test_candidates_are_the_best_under_every_filter(shop: Published, where: Filter) -> None:
    for seed in range(3):
        code = unit_rows(1, 16, 100 + seed)[0]
        for wide in (False, True):
            found = shop.database.candidates(code, 20, where, wide=wide)
            assert np.isin(found.rows, shop.new.block.rows[passes(where, shop.new)]).all()
            assert recall(found.rows, best(shop.new, code, 20, where)) >= (0.95 if wide else 0.85)


def test_candidates_come_whole_and_in_ascending_order(shop: Published) -> None:
    code = unit_rows(1, 16, 7)[0]
    found = shop.database.candidates(code, 40, EVERYTHING)
    assert 30 <= len(found) <= 80
    assert (np.diff(found.rows) > 0).all()
    assert_same(found, part_of(shop.new, found.rows), shop.database.layout)


def test_all_that_a_filter_leaves_are_candidates(shop: Published) -> None:
    where = AllOf((OneOf("gender", ("Girls",)), OneOf("kind", ("Jeans",))))
    expected = np.flatnonzero(passes(where, shop.new))
    assert 0 < len(expected) < 20
    found = shop.database.candidates(unit_rows(1, 16, 5)[0], 60, where, wide=True)
    assert found.rows.tolist() == expected.tolist()


def test_more_candidates_than_there_are_rows_are_all_of_them(shop: Published) -> None:
    found = shop.database.candidates(unit_rows(1, 16, 6)[0], 2_000, EVERYTHING, wide=True)
    assert found.rows.tolist() == list(range(300))


def test_a_question_may_be_longer_than_the_rows(shop: Published) -> None:
    """It carries the weights of what is compared."""
    code = unit_rows(1, 16, 8)[0] * np.linspace(0, 12, 16, dtype=np.float32)
    found = shop.database.candidates(code, 20, EVERYTHING, wide=True)
    assert recall(found.rows, best(shop.new, code, 20, EVERYTHING)) >= 0.95


def test_of_equal_rows_as_many_as_are_wanted_are_candidates(place: Place) -> None:
    layout = layout_of()
    codes = np.repeat(unit_rows(2, 16, 1), (40, 20), axis=0)
    database = place.create(layout)
    database.write(new_rows(layout, garments(60), codes=codes))
    database.publish(b"equal")
    found = place.open().candidates(codes[0], 10, EVERYTHING, wide=True)
    assert len(found) >= 10
    assert (found.rows < 40).sum() >= 10
    every = place.open().candidates(codes[0], 40, EVERYTHING, wide=True)
    assert np.isin(np.arange(40), every.rows).all()


def test_a_block_is_of_the_rows_that_are_there_in_ascending_order(shop: Published) -> None:
    block = shop.database.block(np.array([250, 3, 77, 100_000, 4, 2**40]))
    assert_same(block, part_of(shop.new, [3, 4, 77, 250]), shop.database.layout)


def test_a_block_of_no_rows_has_the_form_of_every_other(shop: Published) -> None:
    for rows in (np.array([], np.int64), np.array([9_999])):
        block = shop.database.block(rows)
        assert len(block) == 0
        assert block.vectors.shape == (0, shop.database.layout.dimension)
        assert block.trained is not None and block.trained.shape == (0, 5)
        assert {"id", "image", "digest", *shop.database.layout.columns} <= set(block.table)


def test_rows_of_items_are_those_of_all_their_pictures(shop: Published) -> None:
    rows = shop.database.rows_of(["item-251", "item-9", "no such item", "item-'9", "item-9"])
    assert rows.dtype == np.int64
    assert rows.tolist() == [9, 10, 251]
    assert shop.database.rows_of([]).tolist() == []


@pytest.mark.parametrize("column", ["gender", "kind", "colour"])
@pytest.mark.parametrize(
    "where",
    [EVERYTHING, FirstPictures(), OneOf("colour", ("Red",)), Not(OneOf("kind", ("Shirts",)))],
    ids=str,
)
def test_values_are_counted_under_a_filter(shop: Published, column: str, where: Filter) -> None:
    counts = shop.database.counts(column, where, 100)
    assert counts is not None  # of so few rows every kind counts them
    assert without_zeros(counts) == value_counts(shop.new, column, where)


def test_the_most_frequent_values_are_counted(shop: Published) -> None:
    counts = shop.database.counts("gender", EVERYTHING, 1)
    assert counts is not None  # of so few rows every kind counts them
    assert list(counts) == ["Women"]


def test_a_scan_goes_on_behind_a_row(shop: Published) -> None:
    where = OneOf("gender", ("Women",))
    expected = np.flatnonzero(passes(where, shop.new)).tolist()
    found: list[int] = []
    while len(part := shop.database.scan(where, 50, found[-1] if found else -1)):
        assert len(part) <= 50
        found += part.tolist()
    assert found == expected
    assert shop.database.scan(EVERYTHING, 5, 297).tolist() == [298, 299]


def test_threads_ask_at_once(shop: Published) -> None:
    def ask(seed: int) -> float:
        code, where = unit_rows(1, 16, seed)[0], OneOf("gender", ("Women", "Girls"))
        found = shop.database.candidates(code, 20, where, wide=True)
        assert shop.database.count(where) == passes(where, shop.new).sum()
        assert_same(found, part_of(shop.new, found.rows), shop.database.layout)
        return recall(found.rows, best(shop.new, code, 20, where))

    with ThreadPoolExecutor(6) as pool:
        assert min(pool.map(ask, range(200, 224))) >= 0.9
