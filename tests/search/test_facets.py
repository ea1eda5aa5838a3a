"""Counting what a filter would leave."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fitting_room.search.facets import count_all, facets_of, remaining


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
    counts = count_all(offered, where)
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
    assert remaining(offered, where) == len(kept)


def test_an_unknown_value_leaves_nothing(items):
    assert remaining(facets_of(items, COLUMNS), {"colour": ["Blurple"]}) == 0
