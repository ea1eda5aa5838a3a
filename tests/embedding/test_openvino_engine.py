"""A network as OpenVINO runs it: agreement with torch, independence of the batch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import openvino
import pytest

from fitting_room.embedding import openvino_engine as engine_module
from fitting_room.embedding.backbones import Selection, get_backbone, select
from fitting_room.embedding.engine import Engine, EngineError, make_engine
from fitting_room.embedding.openvino_engine import OpenVINOEngine
from fitting_room.imaging.features import normalise
from fitting_room.settings import Settings
from tests.embedding.conftest import (
    SMALL_INPUT,
    EngineOf,
    assert_batches_do_not_matter,
    assert_maps_come_to_the_features,
    cosines,
    demo_pixels,
    openvino_engine,
)

NETWORKS = ["resnet50", "xception", "efficientnet_lite0", "efficientnet_lite2"]


# --- agreement --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_openvino_agrees_with_torch(lite0: Engine, engine_of: EngineOf, name: str) -> None:
    """Beside the usual size of lite0 in the cache, whose conversion must not be taken: its paddings
    are those of its size, and at this one they would make the cosine 0.999."""
    pixels = demo_pixels(6, SMALL_INPUT)
    features, expected = engine_of(name, "openvino")(pixels), engine_of(name, "torch")(pixels)
    assert features.shape == expected.shape == (6, get_backbone(name).dimension)
    assert features.dtype == expected.dtype == np.float32
    assert cosines(features, expected).min() >= 0.9999
    # Agreement means something only where the features of two pictures differ by more.
    assert cosines(expected[:-1], expected[1:]).max() < 0.99


def test_in_the_processors_own_precision_it_agrees_nearly(
    lite0: Engine, pixels: np.ndarray
) -> None:
    """Where it is 16 bits, precision@4 judges them; cosines must only show that nothing broke."""
    expected = make_engine(select("efficientnet_lite0"), kind="torch")(pixels[:8])
    in_16_bits = engine_module.is_quick_in_bf16()
    assert lite0.name == ("openvino bf16" if in_16_bits else "openvino f32")
    assert cosines(lite0(pixels[:8]), expected).min() >= (0.99 if in_16_bits else 0.999)


def test_bf16_may_be_asked_of_any_processor(engine_of: EngineOf, settings: Settings) -> None:
    pixels = demo_pixels(4, SMALL_INPUT)
    selection = select("efficientnet_lite0", input_size=SMALL_INPUT)
    make = partial(make_engine, kind="openvino", precision="bf16", cache=settings.engines_folder)
    if not engine_module.computes_in("bf16"):  # instructions are limited
        with pytest.raises(EngineError, match=r"bf16.*FITTING_ROOM_PRECISION"):
            make(selection)
        return
    engine = make(selection)
    features = engine(pixels)
    assert features.dtype == np.float32
    assert cosines(features, engine_of("efficientnet_lite0", "torch")(pixels)).min() >= 0.99


@pytest.mark.parametrize(
    ("capabilities", "compiles", "expected"),
    [
        (["FP32", "BF16"], True, "bf16"),
        (["FP32", "BF16"], False, "f32"),
        (["FP32", "FP16", "INT8"], True, "f32"),
    ],
)
def test_16_bits_are_chosen_where_the_processor_has_them_and_may_use_them(
    tiny: Selection,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capabilities: list[str],
    compiles: bool,
    expected: str,
) -> None:
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: capabilities)
    monkeypatch.setattr(engine_module, "computes_in", lambda *_: compiles)
    assert make_engine(tiny, kind="openvino", cache=cache).name == f"openvino {expected}"


def test_a_precision_that_cannot_be_computed_is_refused_in_words(
    tiny: Selection, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "computes_in", lambda *_: False)
    with pytest.raises(EngineError, match=r"f16.*FITTING_ROOM_PRECISION=f32"):
        make_engine(tiny, kind="openvino", precision="f16", cache=cache)


# --- feature maps -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_the_mean_of_the_feature_maps_is_the_embedding(engine_of: EngineOf, name: str) -> None:
    assert_maps_come_to_the_features(engine_of(name, "openvino"), demo_pixels(2, SMALL_INPUT))


def test_feature_maps_know_up_from_down(lite0: Engine, pixels: np.ndarray) -> None:
    """Whether the axes of a map are those of the picture: a picture with something in its upper
    right is answered differently there and in its mirror images."""
    assert_maps_come_to_the_features(lite0, pixels[:1])
    picture = np.full((1, 224, 168, 3), 255, np.uint8)
    blank = lite0.feature_maps(picture)
    picture[:, :90, 100:] = pixels[:1, 60:150, 50:118]
    maps = lite0.feature_maps(picture)
    assert blank is not None
    assert maps is not None
    changed = np.abs(maps[0] - blank[0]).sum(axis=2)
    assert changed.shape == (7, 6)
    down, across = np.unravel_index(int(changed.argmax()), changed.shape)
    assert down < 3.5
    assert across > 2.5


def test_a_network_without_a_mean_over_places_has_no_maps(
    tiny: Selection, tiny_pixels: np.ndarray, cache: Path
) -> None:
    assert openvino_engine(tiny, cache).feature_maps(tiny_pixels) is None


# --- batches and threads ----------------------------------------------------------------------


def test_a_picture_has_the_same_embedding_whatever_batch_it_rides_in(
    lite0: Engine, pixels: np.ndarray
) -> None:
    assert_batches_do_not_matter(lite0, pixels[:13])


def test_eight_threads_get_what_one_gets(engine_of: EngineOf) -> None:
    engine, pixels = engine_of("efficientnet_lite0", "openvino"), demo_pixels(24, SMALL_INPUT)
    # Of different lengths, so that both compiled forms and the padded last batch are in use.
    jobs = [pixels[i : i + 1 + 3 * (i % 4)] for i in range(16)]
    expected = [engine(job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(engine, jobs))
    for one, other in zip(expected, answers, strict=True):
        np.testing.assert_allclose(normalise(other), normalise(one), atol=1e-4)


def test_threads_that_come_and_go_share_what_the_network_computes_in(
    tiny: Selection, tiny_pixels: np.ndarray, cache: Path
) -> None:
    """A page runs each script in a thread of its own: none may need memory of its own."""
    engine = openvino_engine(tiny, cache)
    assert isinstance(engine, OpenVINOEngine)
    for _ in range(3):
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(engine, [tiny_pixels[:1]] * 64))
    made = sum(len(requests) for requests in engine._free.values())
    assert 1 <= made <= engine.streams + 1


def test_the_first_calls_may_come_from_eight_threads(
    engine_of: EngineOf, settings: Settings
) -> None:
    known, pixels = engine_of("efficientnet_lite0", "openvino"), demo_pixels(16, SMALL_INPUT)
    selection = select("efficientnet_lite0", input_size=SMALL_INPUT)
    fresh = openvino_engine(selection, settings.engines_folder)
    jobs = [pixels[i : i + 1] if i % 2 else pixels[i : i + 8] for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(fresh, jobs))
    for job, answer in zip(jobs, answers, strict=True):
        np.testing.assert_allclose(normalise(answer), normalise(known(job)), atol=1e-3)
