"""Measuring how often results of a certain similarity are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from fitting_room.build import calibrate as calibration
from fitting_room.build.calibrate import PHOTOGRAPH_SCALE, calibrate, fit_curve, photograph_scale
from fitting_room.catalogue.kind_column import KIND_COLUMNS
from fitting_room.catalogue.schema import columns_like
from fitting_room.facade import FittingRoom
from fitting_room.index.calibration import KNOTS
from fitting_room.index.index import Index
from fitting_room.index.scoring import SimilarityOptions
from tests.index.made import in_memory, random_rows, table


def answers(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Similarities, and whether the result was right, which happens the more often the higher."""
    generator = np.random.default_rng(seed)
    similarity = generator.uniform(0.2, 1.0, count)
    return similarity, generator.uniform(size=count) < similarity**2


# --- curves -----------------------------------------------------------------------------------


def test_a_curve_tells_the_share_of_right_results() -> None:
    curve = fit_curve(*answers(20_000))
    for similarity in (0.3, 0.5, 0.7, 0.9):
        assert curve(similarity) == pytest.approx(similarity**2, abs=0.05)


def test_a_curve_is_nearer_to_the_truth_than_the_bare_similarity() -> None:
    curve = fit_curve(*answers(5_000))
    similarity, right = answers(5_000, seed=1)
    calibration = [curve(value) for value in similarity]
    assert brier_score_loss(right, calibration) < brier_score_loss(right, similarity) - 0.01


@given(st.lists(st.tuples(st.floats(-1, 1, width=32), st.booleans()), min_size=1, max_size=300))
def test_a_curve_rises_from_0_to_1_whatever_it_is_made_from(
    pairs: list[tuple[float, bool]],
) -> None:
    similarity = np.array([p[0] for p in pairs], np.float32)
    curve = fit_curve(similarity, np.array([p[1] for p in pairs]))
    assert len(curve.similarity) == len(curve.precision) <= KNOTS
    assert (np.diff(curve.similarity) > 0).all()
    assert (np.diff(curve.precision) >= 0).all()
    assert 0 <= curve.precision[0] <= curve.precision[-1] <= 1
    assert 0 <= curve(-2) <= curve(2) <= 1


# --- measured on an index ---------------------------------------------------------------------


def test_an_index_of_one_picture_has_none() -> None:
    """Items with the same picture are no results for each other."""
    vectors = np.repeat(random_rows(0, 1, 6), 40, axis=0)
    items = table(40, articleType=["Shirts", "Shoes"] * 20)
    assert calibrate(in_memory(vectors, items)) is None
    items["digest"] = [str(number) for number in range(40)]
    assert calibrate(in_memory(vectors, items)) is not None


def test_a_catalogue_without_kinds_has_none(demo_fitting_room: FittingRoom) -> None:
    index = demo_fitting_room.index
    without = index.items.drop(columns=columns_like(KIND_COLUMNS, index.items))
    assert calibrate(Index(replace(index.data, items=without))) is None


def test_the_demo_catalogue_is_measured_and_the_nearest_are_right_most_often(
    demo_fitting_room: FittingRoom,
) -> None:
    calibration = demo_fitting_room.index.calibration
    assert calibration is not None
    assert calibration.column == "articleType"
    of_near = calibration.expected_precision(0.95, colour=0.12, trained=False)
    of_far = calibration.expected_precision(0.45, colour=0.12, trained=False)
    assert of_near is not None
    assert of_far is not None
    assert of_near > 0.8
    assert of_far < 0.5


def test_measuring_again_gives_the_same(demo_fitting_room: FittingRoom) -> None:
    assert calibrate(demo_fitting_room.index) == demo_fitting_room.index.calibration


def test_how_many_are_compared_at_once_changes_nothing(
    demo_fitting_room: FittingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "QUERIES_A_PASS", 7)
    assert calibrate(demo_fitting_room.index) == demo_fitting_room.index.calibration


def test_a_match_has_an_expected_precision(demo_fitting_room: FittingRoom) -> None:
    picture = demo_fitting_room.picture(demo_fitting_room.index.items["image"].iloc[0])
    matches = demo_fitting_room.search(picture, 5)
    assert matches[0].expected_precision is not None
    assert matches[0].expected_precision > 0.9
    worths = [match.expected_precision for match in matches if match.expected_precision is not None]
    assert worths == sorted(worths, reverse=True)
    jaccard = demo_fitting_room.search(picture, 1, options=SimilarityOptions(metric="jaccard"))
    assert jaccard[0].expected_precision is None  # another scale, that was not measured


# --- photographs, where there are none ---------------------------------------------------------


def test_photographs_are_scaled_as_where_both_were_measured(demo_fitting_room: FittingRoom) -> None:
    known = demo_fitting_room.index.calibration
    assert known is not None
    lower = tuple(
        replace(curve, similarity=tuple((s - 0.1) / 2 for s in curve.similarity))
        for curve in known.trained
    )
    scale = photograph_scale(replace(known, street_plain=known.plain, street_trained=lower))
    assert scale["plain"] == pytest.approx((1, 0), abs=1e-3)
    assert scale["trained"] == pytest.approx((2, 0.1), abs=1e-3)


def test_an_index_with_the_packaged_head_has_words_for_photographs(
    demo_fitting_room: FittingRoom,
) -> None:
    index = demo_fitting_room.index
    assert index.calibration is not None
    assert len(index.calibration.street_trained) == len(index.calibration.trained)
    at = {s: index.expected_precision(s, SimilarityOptions(), plain_background=False)
          for s in (0.1, 0.9)}  # fmt: skip
    assert at[0.1] is not None
    assert at[0.9] is not None
    assert at[0.1] < 0.5 < at[0.9]


@pytest.mark.parametrize(
    "scale", [None, 3, {}, {"trained": "text"}, {"trained": [0, 1]}, {"trained": [float("nan"), 0]}]
)
def test_a_scale_that_makes_no_sense_says_nothing(
    demo_fitting_room: FittingRoom, scale: object
) -> None:
    data = demo_fitting_room.index.data
    assert data.head is not None
    head = replace(data.head, record={**data.head.record, PHOTOGRAPH_SCALE: scale})
    calibration = calibrate(Index(replace(data, head=head)))
    assert calibration is not None
    assert calibration.street_trained == ()
