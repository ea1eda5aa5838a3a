"""What is known of how often results of a certain similarity are right."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from fitting_room.index.calibration import COLOUR_WEIGHTS, Calibration, Curve, describe_share
from fitting_room.index.data import current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import MANIFEST, IndexUnusable
from tests.index.made import manifest_values, random_rows, write


def flat(*precisions: float) -> tuple[Curve, ...]:
    return tuple(Curve((0.0, 1.0), (precision, precision)) for precision in precisions)


def test_between_two_measured_weights_it_is_interpolated() -> None:
    precisions = [0.9, 0.8, 0.6, 0.4, 0.2, 0.1]
    calibration = Calibration("articleType", 10, flat(*precisions))
    for weight, precision in zip(COLOUR_WEIGHTS, precisions, strict=True):
        assert calibration.expected_precision(0.5, colour=weight, trained=False) == pytest.approx(
            precision
        )
    middle = (COLOUR_WEIGHTS[2] + COLOUR_WEIGHTS[3]) / 2
    assert calibration.expected_precision(0.5, colour=middle, trained=False) == pytest.approx(0.5)


def test_what_was_not_measured_is_not_told() -> None:
    assert (
        Calibration("a", 1, flat(*[0.5] * 6)).expected_precision(0.9, colour=0.1, trained=True)
        is None
    )


# --- on disk ----------------------------------------------------------------------------------


def test_it_comes_back_from_a_manifest_as_it_was() -> None:
    curve = Curve((0.0, 0.31, 0.92), (0.0, 0.25, 0.75))
    calibration = Calibration("class", 7, (curve,) * 6, flat(*[0.25] * 6))
    assert (
        Calibration.from_manifest(json.loads(json.dumps(calibration.as_manifest()))) == calibration
    )
    assert Calibration.from_manifest(None) is None


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated") / "index"
    write(folder, random_rows(1, 12, 5))
    return folder


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
def test_nonsense_in_a_manifest_is_refused(made: Path, values: Any) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Calibration.from_manifest(values)
    path = current_version(made) / MANIFEST
    path.write_text(json.dumps(manifest_values(path) | {"calibration": values}))
    with pytest.raises(IndexUnusable, match="calibration"):
        Index.open(made)


def test_a_share_in_words() -> None:
    words = [describe_share(precision) for precision in (1.0, 0.5, 0.3, 0.0)]
    assert words == ["Very alike", "Alike", "A little alike", "Not alike"]
