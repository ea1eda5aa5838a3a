"""Counting what a filter would leave."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fitting_room.index.local_items import LocalItems
from fitting_room.search.facets import Counted, count_all, counted, facets_of


@pytest.fixture
def items() -> pd.DataFrame:
    generator = np.random.default_rng(3)
    count = 500
    return pd.DataFrame(
        {
            "gender": generator.choice(["Women", "Men", "Unisex"], count, p=[0.6, 0.3, 0.1]),
            "colour": generator.choice(["Red", "Blue", "Grey", None], count),
            "one": ["same"] * count,
            "id": [str(number) for number in range(count)],
        },
        dtype="str",
    )


COLUMNS = ["gender", "colour", "one", "id"]


def without_zeros(counts: Counted) -> Counted:
    """The same, without the values that would leave nothing."""
    by_column = {
        column: {value: number for value, number in of.items() if number}
        for column, of in counts.by_column.items()
    }
    return counts._replace(by_column=by_column)


def test_columns_with_a_choice_are_offered_the_most_frequent_value_first(items):
    offered = facets_of(items, COLUMNS)
    assert [facet.column for facet in offered] == ["gender", "colour"]
    assert offered[0].values == ("Women", "Men", "Unisex")
    assert offered[0].counts(None) == items["gender"].value_counts().to_dict()


@pytest.mark.parametrize(
    "where", [{}, {"gender": ["Men"]}, {"gender": ["Men", "Women"], "colour": ["Red"]}]
)
def test_counts_are_those_of_choosing_a_value_beside_the_other_filters(items, where):
    offered = facets_of(items, COLUMNS)
    counts = count_all(offered, where).by_column
    for facet in offered:
        others = {column: values for column, values in where.items() if column != facet.column}
        for value in facet.values:
            wanted = items
            for column, values in {**others, facet.column: [value]}.items():
                wanted = wanted[wanted[column].isin(values)]
            assert counts[facet.column][value] == len(wanted)
    kept = items
    for column, values in where.items():
        kept = kept[kept[column].isin(values)]
    assert count_all(offered, where).items == len(kept)
    assert counted(LocalItems(items), ["gender", "colour"], where) == without_zeros(
        count_all(offered, where)
    )


def test_an_unknown_value_leaves_nothing(items):
    where = {"colour": ["Blurple"]}
    assert count_all(facets_of(items, COLUMNS), where).items == 0
    assert counted(LocalItems(items), ["gender"], where) == Counted(0, {"gender": {}})
