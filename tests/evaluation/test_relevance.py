"""What is right: by columns, by all of them together, by a mapping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.label_mapping import read_mapping
from fitting_room.catalogue.photograph_colours import PhotographColours
from fitting_room.evaluation.evaluate import evaluate
from fitting_room.evaluation.queries import load_queries
from fitting_room.evaluation.relevance import (
    Relevance,
    column_relevance,
    combine_columns,
    right_in_both,
)
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


@settings(max_examples=50)
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


def colours_of(**words: list[str]) -> PhotographColours:
    """Of the photographs in one class folder each that :func:`street` makes."""
    names = {f"{name.replace('_', '/')}.png": frozenset(said) for name, said in words.items()}
    return PhotographColours(Path("colours.json"), "baseColour", names)


def test_photographs_are_judged_by_kind_colour_and_both(
    fitting_room: FittingRoom, tmp_path: Path
) -> None:
    """Results are the six reds, of which four are Tshirts and two Shirts, or the six blues, five
    Jeans and one without a type."""
    mapping = read_mapping(mapping_file(tmp_path, {"top": ["Shirts"], "trousers": ["Jeans"]}))
    colours = colours_of(
        top_1=["Red", "Pink"], top_2=["Blue"], trousers_7=["Navy Blue", "Blue"], trousers_9=["?"]
    )
    folder = street(tmp_path / "street", top=[1, 2], trousers=[7, 8, 9])
    evaluation = evaluate(fitting_room, load_queries(folder, mapping, colours), k=6)
    assert list(evaluation.metrics) == ["class", "colour", "both"]
    assert evaluation.primary == "both"
    value = {name: one.precision.value for name, one in evaluation.metrics.items()}
    assert value["class"] == pytest.approx((2 / 6 + 2 / 6 + 5 / 6 * 3) / 5)
    # Nobody said what colour trousers/8 has, so colour and both are judged without it.
    assert (evaluation.without_colours, evaluation.unlabelled) == (1, 0)
    assert [one.queries for one in evaluation.metrics.values()] == [5, 4, 4]
    assert value["colour"] == pytest.approx((1 + 0 + 1 + 0) / 4)
    # One and the same result must be of the kind and of the colour.
    assert value["both"] == pytest.approx((2 / 6 + 0 + 5 / 6 + 0) / 4)
    by_class = evaluation.metrics["both"].classes
    assert by_class["top"].precision == pytest.approx(1 / 6, abs=1e-6)
    assert by_class["trousers"].precision == pytest.approx(5 / 12, abs=1e-6)
    # A right colour in the gallery and a right kind are not yet an item that has both.
    assert evaluation.metrics["colour"].without_relevant == 1
    assert evaluation.metrics["both"].without_relevant == 2
    assert evaluation.metrics["both"].hit.value == 0.5


def test_colours_change_nothing_of_what_is_judged_by_class(
    fitting_room: FittingRoom, tmp_path: Path
) -> None:
    mapping = read_mapping(mapping_file(tmp_path, {"top": ["Shirts"], "trousers": ["Jeans"]}))
    folder = street(tmp_path / "street", top=[1, 2], trousers=[7])
    without = evaluate(fitting_room, load_queries(folder, mapping)).as_dict()
    colours = colours_of(top_1=["Red"])
    with_colours = evaluate(fitting_room, load_queries(folder, mapping, colours)).as_dict()
    assert list(without["metrics"]) == ["class"]
    assert without["metrics"]["class"] == with_colours["metrics"]["class"]
    assert "without_colours" not in without["counts"]
    assert with_colours["counts"]["without_colours"] == 2
    more = {"colours": "colours.json", "colour_column": "baseColour"}
    assert with_colours["settings"] == {**without["settings"], **more}


def test_a_query_without_a_class_is_judged_by_its_colour_alone(
    fitting_room: FittingRoom, tmp_path: Path
) -> None:
    mapping = read_mapping(mapping_file(tmp_path, {"top": ["Shirts"]}))
    folder = street(tmp_path / "street", top=[1, 2])
    (folder / "queries.csv").write_text("picture,class\ntop/1.png,top\ntop/2.png,\n")
    queries = load_queries(
        folder / "queries.csv", mapping, colours_of(top_1=["Red"], top_2=["Red"])
    )
    metrics = evaluate(fitting_room, queries).metrics
    assert {name: one.queries for name, one in metrics.items()} == {
        "class": 1, "colour": 2, "both": 1
    }  # fmt: skip
    assert {value: one.queries for value, one in metrics["colour"].classes.items()} == {"top": 1}


def test_colours_may_be_of_another_column(fitting_room: FittingRoom, tmp_path: Path) -> None:
    mapping = read_mapping(mapping_file(tmp_path, {"top": ["Shirts"]}))
    folder = street(tmp_path / "street", top=[1])
    colours = PhotographColours(Path("c"), "gender", {"top/1.png": frozenset({"Women"})})
    evaluation = evaluate(fitting_room, load_queries(folder, mapping, colours), k=6)
    assert evaluation.metrics["colour"].precision.value == pytest.approx(5 / 6)
    colours = PhotographColours(Path("c"), "season", colours.words)
    with pytest.raises(OptionError, match=r"'season' that colours could name.*articleType"):
        evaluate(fitting_room, load_queries(folder, mapping, colours))


codes = st.lists(st.integers(-1, 3), min_size=6, max_size=6).map(np.array)
allowed = st.lists(
    st.lists(st.integers(0, 3), unique=True).map(lambda some: np.array(some, np.int64)),
    min_size=4,
    max_size=4,
)
relevances = st.builds(
    lambda gallery, queries, allowed: Relevance(gallery, queries, (), allowed),
    codes, codes, allowed,
)  # fmt: skip


@settings(max_examples=50)
@given(relevances, relevances)
def test_right_in_both_is_right_in_each(kind: Relevance, colour: Relevance) -> None:
    both, rows = right_in_both(kind, colour), np.arange(6)
    for query in range(6):
        labelled = kind.queries[query] >= 0 and colour.queries[query] >= 0
        assert (both.queries[query] >= 0) == labelled
        if labelled:
            each = kind.is_right(query, rows) & colour.is_right(query, rows)
            assert both.is_right(query, rows).tolist() == each.tolist()
            assert both.count(np.ones(6, bool))[both.queries[query]] == each.sum()
