"""What is right: by columns, by all of them together, by a mapping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.label_mapping import read_mapping
from fitting_room.evaluation.evaluate import evaluate
from fitting_room.evaluation.queries import load_queries
from fitting_room.evaluation.relevance import column_relevance, combine_columns
from fitting_room.evaluation.results import OptionError
from fitting_room.facade import FittingRoom
from tests.conftest import mapping_file, street


def test_labels_meet_by_their_text() -> None:
    """Those of the gallery and those of the queries; a missing one meets none."""
    column = column_relevance(pd.Series(["a", None, "b", "a"]), pd.Series(["a", "c", None]))
    assert column.is_right(0, np.arange(4)).tolist() == [True, False, False, True]
    assert column.is_right(1, np.arange(4)).tolist() == [False] * 4
    assert column.queries[2] == -1
    both = combine_columns([column, column])
    assert both.is_right(0, np.arange(4)).tolist() == [True, False, False, True]


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_right_in_all_is_right_in_each(data: st.DataObject) -> None:
    labels = st.sampled_from(["a", "b", "c", None])
    columns = [
        column_relevance(
            pd.Series(data.draw(st.lists(labels, min_size=6, max_size=6)), dtype="object"),
            pd.Series(data.draw(st.lists(labels, min_size=4, max_size=4)), dtype="object"),
        )
        for _ in range(data.draw(st.integers(1, 4)))
    ]
    both = combine_columns(columns)
    rows = np.arange(6)
    for query in range(4):
        labelled = all(column.queries[query] >= 0 for column in columns)
        assert (both.queries[query] >= 0) == labelled
        if labelled:
            each = np.all([column.is_right(query, rows) for column in columns], axis=0)
            assert both.is_right(query, rows).tolist() == each.tolist()
            assert both.count(np.ones(6, bool))[both.queries[query]] == each.sum()


def test_right_for_a_class_are_the_values_that_the_mapping_names(
    fitting_room: FittingRoom, tmp_path: Path
) -> None:
    path = mapping_file(tmp_path, {"top": ["Tshirts", "Shirts"], "shirt": ["Shirts"], "hat": ["?"]})
    queries = load_queries(
        street(tmp_path / "street", top=[1, 2], shirt=[3], hat=[7]), read_mapping(path)
    )
    evaluation = evaluate(fitting_room, queries, k=6)  # the six reds, or the six blues
    assert list(evaluation.metrics) == [evaluation.primary] == ["class"]
    metrics = evaluation.metrics["class"]
    by_class = {value: (c.queries, c.precision) for value, c in metrics.classes.items()}
    assert by_class == {"top": (2, 1), "shirt": (1, pytest.approx(2 / 6)), "hat": (1, 0)}
    assert metrics.precision.value == pytest.approx((1 + 1 + 2 / 6 + 0) / 4)
    assert metrics.without_relevant == 1
    assert evaluation.settings["mapping_column"] == "articleType"
    with pytest.raises(OptionError, match="do not go together"):
        evaluate(fitting_room, queries, columns=["gender"])


def test_a_mapping_may_be_of_another_column(fitting_room: FittingRoom, tmp_path: Path) -> None:
    path = mapping_file(tmp_path, {"sea": ["Blue"]})
    folder = street(tmp_path / "street", sea=[8])
    evaluation = evaluate(fitting_room, load_queries(folder, read_mapping(path, "baseColour")), k=6)
    assert evaluation.metrics["class"].precision.value == 1
    with pytest.raises(OptionError, match="season"):
        evaluate(fitting_room, load_queries(folder, read_mapping(path, "season")))
