"""What an answer may be narrowed down by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fitting_room.search.facets import Facet, facets_of
from fitting_room.search.proposals import Proposal, proposals


def facets(**columns: Sequence[str | None]) -> list[Facet]:
    return facets_of(pd.DataFrame(columns, dtype="str"), list(columns))


ALL = np.arange(20)


def test_what_splits_most_comes_first() -> None:
    offered = facets(
        colour=["Red"] * 10 + ["Blue"] * 7 + ["Grey"] * 3,
        size=["S"] * 4 + ["M"] * 4 + ["S"] * 2 + ["M"] * 10,
    )
    found = proposals(offered, ALL, 5)
    assert found[0] == Proposal("colour", "Red", 10)
    assert [f.value for f in found] == ["Red", "Blue", "M", "S"]


def test_values_of_nearly_all_or_nearly_none_are_not_proposed() -> None:
    offered = facets(kind=["Dress"] * 19 + ["Top"], season=["Summer"] * 18 + ["Winter"] * 2)
    assert proposals(offered, ALL, 5) == []


def test_of_two_values_that_say_the_same_one_is_proposed() -> None:
    offered = facets(
        group=["Shoes"] * 8 + ["Bags"] * 12, type=["Heels"] * 8 + ["Totes"] * 6 + ["Clutches"] * 6
    )
    found = proposals(offered, ALL, 5)
    assert [(f.column, f.value) for f in found].count(("type", "Heels")) == 0
    assert ("group", "Shoes") in [(f.column, f.value) for f in found]


def test_known_values_and_numbers_are_left_out() -> None:
    offered = facets(colour=["Red"] * 10 + ["Blue"] * 10, year=["2011"] * 10 + ["2012.0"] * 10)
    assert proposals(offered, ALL, 5, {("colour", "Red")}) == [Proposal("colour", "Blue", 10)]


def test_only_some_items_are_looked_at() -> None:
    offered = facets(colour=["Red"] * 10 + ["Blue"] * 5 + [None] * 5)
    assert proposals(offered, ALL[:10], 5) == []
    assert proposals(offered, ALL[:0], 5) == []
