"""Evaluations of items with several pictures: an item is never its own result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.catalogue.schema import held_out
from fitting_room.evaluation.copy_detection import detect_copies
from fitting_room.evaluation.evaluate import evaluate
from fitting_room.evaluation.queries import Queries
from fitting_room.facade import FittingRoom
from tests.conftest import fitting_room_of, with_several_pictures, write_items


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[FittingRoom, Queries]:
    """Six items of two pictures: three red ones, Tshirts and Shirts, and three blue ones, Jeans."""
    shop = write_items(tmp_path_factory.mktemp("several") / "shop")
    catalogue = with_several_pictures(load_catalogue(shop), 2)
    queries = Queries(shop, catalogue.store, catalogue.items)
    return fitting_room_of(shop, 2), queries


def test_no_picture_of_an_item_is_a_result_for_it(several: tuple[FittingRoom, Queries]) -> None:
    fitting_room, queries = several
    evaluation = evaluate(fitting_room, queries, k=4)
    assert (evaluation.queries, evaluation.gallery) == (12, 6)
    ids = fitting_room.index.items["id"].to_numpy()
    own = queries.items["id"].to_numpy()
    for query, rows in zip(evaluation.answers.query, evaluation.answers.rows, strict=True):
        found = ids[rows[rows >= 0]].tolist()
        assert own[query] not in found
        assert len(set(found)) == len(found) == 4
    # Two Tshirts, each of which has one other; one item of Shirts; three of Jeans.
    kinds = evaluation.metrics["articleType"]
    assert kinds.precision.value == pytest.approx((4 * 1 / 4 + 0 + 6 * 2 / 4) / 12)
    assert kinds.without_relevant == 2  # both pictures of the Shirts
    # Of the fourth picture the nearest other item is one of Shirts, the second is right.
    assert kinds.average_precision.value == pytest.approx((3 + 1 / 2 + 0 + 6) / 12)


def test_what_is_held_out_is_held_out_with_all_pictures(
    several: tuple[FittingRoom, Queries],
) -> None:
    fitting_room, queries = several
    evaluation = evaluate(fitting_room, queries, k=2, holdout=3)
    kept_back = held_out(queries.items["id"], 3)
    assert evaluation.queries == kept_back.sum() > 0
    assert evaluation.queries % 2 == 0
    assert evaluation.gallery == 6 - evaluation.queries // 2
    ids = fitting_room.index.items["id"]
    found = ids.iloc[np.unique(evaluation.answers.rows)]
    assert not set(found) & set(queries.items["id"][kept_back])


def test_a_copy_finds_its_item_by_any_picture(several: tuple[FittingRoom, Queries]) -> None:
    fitting_room, _ = several
    copies = detect_copies(fitting_room, 12)
    assert copies.changes["flipped"].first.value == 1


def test_a_head_that_was_trained_on_an_item_knows_all_its_pictures(
    several: tuple[FittingRoom, Queries],
) -> None:
    fitting_room, queries = several
    run = evaluate(fitting_room, replace(queries, items=queries.items.iloc[::-1]), k=1)
    assert not run.leak  # there is no head, and ids that repeat are no trouble
