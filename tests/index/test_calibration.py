"""How often results of a certain likeness are right."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from fitting_room.facade import FittingRoom
from fitting_room.index import calibration
from fitting_room.index.calibration import (
    COLOUR_WEIGHTS,
    KNOTS,
    Calibration,
    Curve,
    calibrate,
    describe_share,
    fit,
)
from fitting_room.index.index import Index
from fitting_room.index.manifest import MANIFEST, IndexUnusable
from fitting_room.index.scoring import SimilarityOptions
from tests.index.test_index import made as made_index  # noqa: F401  (a fixture)


def answers(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Likenesses, and whether the result was right, which happens the more often the higher."""
    generator = np.random.default_rng(seed)
    likeness = generator.uniform(0.2, 1.0, count)
    return likeness, generator.uniform(size=count) < likeness**2


# --- curves -----------------------------------------------------------------------------------


def test_a_curve_tells_the_share_of_right_results() -> None:
    curve = fit(*answers(20_000))
    for likeness in (0.3, 0.5, 0.7, 0.9):
        assert curve(likeness) == pytest.approx(likeness**2, abs=0.05)


def test_a_curve_is_nearer_to_the_truth_than_the_bare_likeness() -> None:
    curve = fit(*answers(5_000))
    likeness, right = answers(5_000, seed=1)
    told = [curve(value) for value in likeness]
    assert brier_score_loss(right, told) < brier_score_loss(right, likeness) - 0.01


@given(st.lists(st.tuples(st.floats(-1, 1, width=32), st.booleans()), min_size=1, max_size=300))
def test_a_curve_rises_from_0_to_1_whatever_it_is_made_from(
    pairs: list[tuple[float, bool]],
) -> None:
    likeness = np.array([p[0] for p in pairs], np.float32)
    curve = fit(likeness, np.array([p[1] for p in pairs]))
    assert len(curve.likeness) == len(curve.share) <= KNOTS
    assert (np.diff(curve.likeness) > 0).all()
    assert (np.diff(curve.share) >= 0).all()
    assert 0 <= curve.share[0] <= curve.share[-1] <= 1
    assert 0 <= curve(-2) <= curve(2) <= 1


def flat(*shares: float) -> tuple[Curve, ...]:
    return tuple(Curve((0.0, 1.0), (share, share)) for share in shares)


def test_between_two_measured_weights_it_is_interpolated() -> None:
    shares = [0.9, 0.8, 0.6, 0.4, 0.2, 0.1]
    told = Calibration("articleType", 10, flat(*shares))
    for weight, share in zip(COLOUR_WEIGHTS, shares, strict=True):
        assert told.share(0.5, colour=weight, trained=False) == pytest.approx(share)
    middle = (COLOUR_WEIGHTS[2] + COLOUR_WEIGHTS[3]) / 2
    assert told.share(0.5, colour=middle, trained=False) == pytest.approx(0.5)


def test_what_was_not_measured_is_not_told() -> None:
    assert Calibration("a", 1, flat(*[0.5] * 6)).share(0.9, colour=0.1, trained=True) is None


# --- on disk ----------------------------------------------------------------------------------


def test_it_comes_back_from_a_manifest_as_it_was() -> None:
    curve = fit(*answers(500))
    told = Calibration("class", 7, (curve,) * 6, flat(*[0.25] * 6))
    assert Calibration.from_manifest(json.loads(json.dumps(told.as_manifest()))) == told
    assert Calibration.from_manifest(None) is None


good = Calibration("class", 7, flat(*[0.5] * 6)).as_manifest()


@pytest.mark.parametrize(
    "values",
    [
        [],
        "plain",
        {},
        {**good, "column": 3},
        {**good, "plain": []},
        {**good, "plain": good["plain"][:3]},
        {**good, "plain": [[[0, 1], [0.5]]] * 6},
        {**good, "plain": [[[0, 1], [0.5, 1.5]]] * 6},
        {**good, "plain": [[[0, 1], [0.9, 0.5]]] * 6},
        {**good, "plain": [[[1, 0], [0.1, 0.5]]] * 6},
        {**good, "plain": [[[0, math.nan], [0.1, 0.5]]] * 6},
        {**good, "plain": [[["a", "b"], [0.1, 0.5]]] * 6},
        {**good, "plain": [[list(range(1000)), [0.5] * 1000]] * 6},
        {**good, "trained": 5},
        {**good, "queries": "many"},
        {**good, "queries": math.inf},
    ],
)
def test_nonsense_in_a_manifest_is_refused(made_index: Path, values: Any) -> None:  # noqa: F811
    with pytest.raises(ValueError, match="calibration"):
        Calibration.from_manifest(values)
    path = made_index / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"calibration": values}))
    with pytest.raises(IndexUnusable, match="calibration"):
        Index.open(made_index)


# --- measured on an index ---------------------------------------------------------------------


def test_a_catalogue_without_kinds_has_none(demo_fitting_room: FittingRoom) -> None:
    index = demo_fitting_room.index
    without = index.items.drop(columns=list(calibration.KIND_COLUMNS), errors="ignore")
    bare = Index(index.folder, index.manifest, index.vectors, index.descriptors, without, index.pca)
    assert calibrate(bare) is None


def test_the_demo_catalogue_is_measured_and_the_nearest_are_right_most_often(
    demo_fitting_room: FittingRoom,
) -> None:
    told = demo_fitting_room.index.calibration
    assert told is not None
    assert told.column == "articleType"
    near = told.share(0.95, colour=0.12, trained=False)
    is_out_of_catalogue = told.share(0.45, colour=0.12, trained=False)
    assert near is not None
    assert is_out_of_catalogue is not None
    assert near > 0.8
    assert is_out_of_catalogue < 0.5


def test_measuring_again_gives_the_same(demo_fitting_room: FittingRoom) -> None:
    assert calibrate(demo_fitting_room.index) == demo_fitting_room.index.calibration


def test_a_match_says_what_its_likeness_is_worth(demo_fitting_room: FittingRoom) -> None:
    picture = demo_fitting_room.picture(demo_fitting_room.index.items["image"].iloc[0])
    matches = demo_fitting_room.search(picture, 5)
    assert matches[0].expected_precision is not None
    assert matches[0].expected_precision > 0.9
    worths = [match.expected_precision for match in matches if match.expected_precision is not None]
    assert worths == sorted(worths, reverse=True)
    jaccard = demo_fitting_room.search(picture, 1, options=SimilarityOptions(metric="jaccard"))
    assert jaccard[0].expected_precision is None  # another scale, that was not measured


def test_a_share_in_words() -> None:
    words = [describe_share(share) for share in (1.0, 0.8, 0.5, 0.3, 0.0)]
    assert len(set(words)) == len(words)
    assert words[0] == "Very close"
