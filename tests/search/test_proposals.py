"""What an answer may be narrowed down by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fitting_room.index.local_items import LocalItems
from fitting_room.search.facets import Choice, facets_of
from fitting_room.search.proposals import Proposal, proposals


def offered_of(**columns: Sequence[str | None]) -> tuple[LocalItems, Sequence[Choice]]:
    """A table's rows, and its columns that offer a choice."""
    table = pd.DataFrame(columns, dtype="str")
    return LocalItems(table), facets_of(table, list(columns))


ALL = np.arange(20)


def test_what_splits_most_comes_first() -> None:
    offered = offered_of(
        colour=["Red"] * 10 + ["Blue"] * 7 + ["Grey"] * 3,
        size=["S"] * 4 + ["M"] * 4 + ["S"] * 2 + ["M"] * 10,
    )
    found = proposals(*offered, ALL, 5)
    assert found[0] == Proposal("colour", "Red", 10)
    assert [f.value for f in found] == ["Red", "Blue", "M", "S"]


def test_values_of_nearly_all_or_nearly_none_are_not_proposed() -> None:
    offered = offered_of(kind=["Dress"] * 19 + ["Top"], season=["Summer"] * 18 + ["Winter"] * 2)
    assert proposals(*offered, ALL, 5) == []


def test_of_two_values_that_say_the_same_one_is_proposed() -> None:
    offered = offered_of(
        group=["Shoes"] * 8 + ["Bags"] * 12, type=["Heels"] * 8 + ["Totes"] * 6 + ["Clutches"] * 6
    )
    found = proposals(*offered, ALL, 5)
    assert [(f.column, f.value) for f in found].count(("type", "Heels")) == 0
    assert ("group", "Shoes") in [(f.column, f.value) for f in found]


def test_known_values_and_numbers_are_left_out() -> None:
    offered = offered_of(colour=["Red"] * 10 + ["Blue"] * 10, year=["2011"] * 10 + ["2012.0"] * 10)
    assert proposals(*offered, ALL, 5, {("colour", "Red")}) == [Proposal("colour", "Blue", 10)]


def test_only_some_items_are_looked_at() -> None:
    offered = offered_of(colour=["Red"] * 10 + ["Blue"] * 5 + [None] * 5)
    assert proposals(*offered, ALL[:10], 5) == []
    assert proposals(*offered, ALL[:0], 5) == []
