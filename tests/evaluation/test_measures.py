"""Measures that others publish of queries by pictures, counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fitting_room.catalogue.label_mapping import read_mapping
from fitting_room.catalogue.photograph_colours import PhotographColours
from fitting_room.evaluation.evaluate import evaluate
from fitting_room.evaluation.measures import (
    KIND,
    KIND_AND_ATTRIBUTES,
    KIND_AND_COLOUR,
    MEASURES,
    PictureMeasure,
    published_relevance,
)
from fitting_room.evaluation.queries import Queries, load_queries
from fitting_room.evaluation.relevance import Relevance
from fitting_room.evaluation.results import ALL, Evaluation
from fitting_room.facade import FittingRoom
from tests.conftest import mapping_file, street


def test_the_published_measures_of_a_catalogue_counted_by_hand(evaluation: Evaluation) -> None:
    """Ten of eleven others are looked at, although five results of each query were wanted."""
    assert list(evaluation.published) == ["kind and colour", "fine", "coarse"]
    both = evaluation.published["kind and colour"]
    assert (both.metric, both.queries) == ("precision@10", 11)  # one item has no type
    assert both.figure.value == pytest.approx((4 * 3 + 2 * 1 + 5 * 4) / 10 / 11)
    assert both.figure.low < both.figure.value < both.figure.high
    fine, coarse = evaluation.published["fine"], evaluation.published["coarse"]
    answers = evaluation.answers
    for one, column in ((fine, "all"), (coarse, "articleType")):
        first = answers.right[column][answers.labelled[column], 0]
        assert one.metric == "recall@1"
        assert one.queries == len(first)
        assert one.figure.value == pytest.approx(first.mean())
    assert fine.figure.value < coarse.figure.value
    assert (fine.without_relevant, coarse.without_relevant) == (1, 0)


def test_how_many_results_were_wanted_changes_nothing(
    fitting_room: FittingRoom, queries: Queries, evaluation: Evaluation
) -> None:
    for k in (1, 11):
        other = evaluate(fitting_room, queries, k=k)
        assert other.answers.rows.shape == (12, k)
        assert other.published == evaluation.published


def test_a_query_without_a_right_item_counts_as_zero() -> None:
    measure = PictureMeasure("name", "precision@2", 2, KIND, "a test")
    right = np.array([[True, True, False], [False, False, True], [True, False, False]])
    published = measure(right, np.array([5, 0, 1]))
    assert published.figure.value == pytest.approx((1 + 0 + 1 / 2) / 3)
    assert (published.queries, published.without_relevant) == (3, 1)


def test_photographs_are_judged_by_class_and_colour(
    fitting_room: FittingRoom, tmp_path: Path
) -> None:
    mapping = read_mapping(mapping_file(tmp_path, {"top": ["Tshirts"], "trousers": ["Jeans"]}))
    folder = street(tmp_path / "street", top=[1], trousers=[8, 9])
    published = evaluate(fitting_room, load_queries(folder, mapping)).published
    assert list(published) == ["coarse"]
    assert published["coarse"].queries == 3
    words = {"trousers/8.png": frozenset({"Blue"}), "trousers/9.png": frozenset({"Red"})}
    colours = PhotographColours(Path("colours.json"), "baseColour", words)
    published = evaluate(fitting_room, load_queries(folder, mapping, colours)).published
    assert {name: one.queries for name, one in published.items()} == {
        "kind and colour": 2, "fine": 2, "coarse": 3
    }  # fmt: skip
    # Of ten results five are Jeans, all blue, and the first is one; nobody sells red ones.
    assert published["kind and colour"].figure.value == pytest.approx((5 / 10 + 0) / 2)
    assert published["fine"].figure.value == pytest.approx(1 / 2)


def relevance(*names: str) -> dict[str, Relevance]:
    one = Relevance(np.array([0, 1]), np.array([0]), ["a", "b"])
    return {name: Relevance(one.gallery, one.queries, [name]) for name in names}


def test_the_kind_is_called_so_and_the_colour_too() -> None:
    given = relevance("Gender", "color", "Product Type", ALL)
    needed = published_relevance(given)
    assert list(needed) == [KIND, KIND_AND_COLOUR, KIND_AND_ATTRIBUTES]
    assert needed[KIND] is given["Product Type"]
    assert needed[KIND_AND_ATTRIBUTES] is given[ALL]


def test_what_is_not_judged_is_not_measured() -> None:
    needed = published_relevance(relevance("material", "cut", ALL))
    assert list(needed) == [KIND, KIND_AND_ATTRIBUTES]
    assert needed[KIND].values == ["material"]
    assert list(published_relevance(relevance("articleType", ALL))) == [KIND]
    assert list(published_relevance(relevance("baseColour", ALL))) == [KIND]


def test_every_measure_says_where_it_comes_from() -> None:
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)
    for measure in MEASURES:
        assert measure.metric.endswith(f"@{measure.k}")
        assert measure.source
