"""Filters, compared with what plain pandas makes of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.index import filters
from fitting_room.index.filters import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Filter,
    FilterError,
    FirstPictures,
    Marked,
    Not,
    OneOf,
    Rows,
    both,
    filter_of,
)
from fitting_room.index.local_items import LocalItems

ROWS = 12
COLUMNS = {"colour": ["Red", "Blue", None, "Größe 1"], "size": ["S", "M", None]}


def tables() -> st.SearchStrategy[pd.DataFrame]:
    """Tables of twelve pictures of at least one item."""
    ids = st.lists(st.sampled_from("abcdefgh"), min_size=ROWS, max_size=ROWS)
    cells = {
        name: st.lists(st.sampled_from(values), min_size=ROWS, max_size=ROWS)
        for name, values in COLUMNS.items()
    }
    return st.fixed_dictionaries({"id": ids, **cells}).map(lambda t: pd.DataFrame(t, dtype="str"))


def _leaves() -> st.SearchStrategy[Filter]:
    one_of = [
        st.lists(st.sampled_from([*filter(None, values), "no such"]), max_size=3).map(
            lambda chosen, name=name: OneOf(name, tuple(chosen))
        )
        for name, values in {**COLUMNS, "id": ["a", "b", "c"]}.items()
    ]
    rows = st.lists(st.integers(0, ROWS - 1), max_size=5).map(lambda r: Rows(tuple(r)))
    marked = st.lists(st.booleans(), min_size=ROWS, max_size=ROWS).map(
        lambda m: Marked(np.array(m))
    )
    return st.one_of(*one_of, rows, marked, st.just(FirstPictures()))


def trees() -> st.SearchStrategy[Filter]:
    return st.recursive(
        _leaves(),
        lambda below: st.one_of(
            st.lists(below, max_size=3).map(lambda parts: AllOf(tuple(parts))),
            st.lists(below, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
            below.map(Not),
        ),
        max_leaves=8,
    )


def plainly(where: Filter, table: pd.DataFrame) -> pd.Series[bool]:  # noqa: PLR0911
    """The rows that a filter lets through, one kind of filter after the other."""
    match where:
        case AllOf(parts):
            return pd.DataFrame([plainly(p, table) for p in parts], columns=table.index).all()
        case AnyOf(parts):
            return pd.DataFrame([plainly(p, table) for p in parts], columns=table.index).any()
        case Not(part):
            return ~plainly(part, table)
        case OneOf(column, values):
            return table[column].map(lambda cell: cell in values)
        case Rows(rows):
            return pd.Series([row in rows for row in table.index])
        case Marked(mask):
            return pd.Series(mask)
        case FirstPictures():
            return ~table["id"].duplicated()
    raise TypeError(where)


@settings(max_examples=60)
@given(table=tables(), where=trees(), some=st.lists(st.integers(0, ROWS - 1), max_size=5))
def test_any_tree_of_filters_lets_through_what_plain_pandas_says(
    table: pd.DataFrame, where: Filter, some: list[int]
) -> None:
    store, expected = LocalItems(table), np.flatnonzero(plainly(where, table))
    assert store.scan(where, ROWS).tolist() == expected.tolist()
    assert store.count(where) == len(expected)
    assert store.scan(where, 2, 3).tolist() == [row for row in expected if row > 3][:2]
    rows = np.array(some, np.int64)
    assert store.passes(where, rows).tolist() == [row in expected for row in some]
    # An item is counted where its first picture is let through.
    counted = store.counts(["colour"], where).by_column["colour"]
    firsts = table[~table["id"].duplicated()]
    known = firsts.loc[firsts.index.isin(expected), "colour"].value_counts()
    assert counted == known.to_dict()
    assert list(counted.values()) == sorted(counted.values(), reverse=True)


@settings(max_examples=30)
@given(table=tables(), parts=st.lists(_leaves(), max_size=3), where=trees())
def test_combinations_are_those_that_rows_have(
    table: pd.DataFrame, parts: list[Filter], where: Filter
) -> None:
    passing = [plainly(part, table) for part in parts]
    expected = {
        tuple(bool(each[row]) for each in passing) for row in np.flatnonzero(plainly(where, table))
    }
    found = LocalItems(table).combinations(parts, where)
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_both_leaves_out_what_says_nothing() -> None:
    one, other = OneOf("colour", ("Red",)), FirstPictures()
    assert both() == both(None, EVERYTHING) == EVERYTHING
    assert both(None, one) == one
    assert both(one, EVERYTHING, other) == AllOf((one, other))
    assert hash(both(one, other)) == hash(both(one, other))


def test_values_by_column_become_a_filter() -> None:
    columns = ["colour", "size"]
    assert filter_of(None, columns) == EVERYTHING
    assert filter_of({"colour": "Red"}, columns) == OneOf("colour", ("Red",))
    assert filter_of({"colour": ["Red", "Red", "Blue"], "size": "S"}, columns) == AllOf(
        (OneOf("colour", ("Red", "Blue")), OneOf("size", ("S",)))
    )
    with pytest.raises(FilterError, match=r"'kind'.*colour, size"):
        filter_of({"kind": "x"}, columns)
    assert filters.AnyOf() != EVERYTHING
