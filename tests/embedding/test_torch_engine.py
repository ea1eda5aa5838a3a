"""A network as torch runs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fitting_room.embedding.backbones import Selection, get_backbone, select
from fitting_room.embedding.engine import make_engine
from fitting_room.embedding.weights import BackboneError
from tests.embedding.conftest import (
    SMALL_INPUT,
    EngineOf,
    assert_batches_do_not_matter,
    assert_maps_come_to_the_features,
    cosines,
    demo_pixels,
)


def test_a_picture_has_the_same_embedding_whatever_batch_it_rides_in(engine_of: EngineOf) -> None:
    engine = engine_of("efficientnet_lite0", "torch")
    assert_batches_do_not_matter(engine, demo_pixels(21, SMALL_INPUT))


@pytest.mark.parametrize(
    "name", ["resnet50", "xception", "efficientnet_lite0", "efficientnet_lite2"]
)
def test_the_mean_of_the_feature_maps_is_the_embedding(engine_of: EngineOf, name: str) -> None:
    assert_maps_come_to_the_features(engine_of(name, "torch"), demo_pixels(2, SMALL_INPUT))


def test_a_network_without_a_mean_over_places_has_no_maps(
    tiny: Selection, tiny_pixels: np.ndarray
) -> None:
    assert make_engine(tiny, kind="torch").feature_maps(tiny_pixels) is None


def test_bf16_is_a_little_less_exact_and_no_more(engine_of: EngineOf) -> None:
    pixels = demo_pixels(4, SMALL_INPUT)
    selection = select("efficientnet_lite0", input_size=SMALL_INPUT)
    features = make_engine(selection, kind="torch", precision="bf16")(pixels)
    exact = engine_of("efficientnet_lite0", "torch")(pixels)
    assert features.dtype == np.float32
    assert cosines(features, exact).min() >= 0.99


def test_weights_that_do_not_fit_are_no_engine(tiny: Selection, tmp_path: Path) -> None:
    wrong = replace(tiny, backbone=get_backbone("efficientnet_lite0"))
    with pytest.raises(BackboneError, match=r"tiny\.pth"):
        make_engine(wrong, kind="torch", cache=tmp_path)
