"""A network as OpenVINO runs it: agreement with torch, independence of the batch, the cache."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import openvino
import pytest

from fitting_room.embedding import openvino_engine as engine_module
from fitting_room.embedding.backbones import Selection, get_backbone, select
from fitting_room.embedding.engine import Engine, EngineError, make_engine
from fitting_room.embedding.openvino_engine import OpenVINOEngine
from fitting_room.embedding.weights import BackboneError
from fitting_room.imaging.features import normalise
from fitting_room.settings import Settings
from tests.embedding.conftest import (
    SMALL_INPUT,
    EngineOf,
    assert_batches_do_not_matter,
    assert_maps_come_to_the_features,
    cosines,
    demo_pixels,
    tiny_selection,
)

NETWORKS = ["resnet50", "xception", "efficientnet_lite0", "efficientnet_lite2"]


def openvino_engine(selection: Selection, cache: Path | None) -> Engine:
    return make_engine(selection, kind="openvino", precision="f32", cache=cache)


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


# --- the cache of converted networks ----------------------------------------------------------


@pytest.fixture(scope="module")
def converted(tiny: Selection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the tiny network; tests work on copies of it."""
    cache = tmp_path_factory.mktemp("tiny") / "deep" / "cache"
    openvino_engine(tiny, cache)
    return cache


@pytest.fixture
def cache(converted: Path, tmp_path: Path) -> Path:
    return shutil.copytree(converted, tmp_path / "cache")


@pytest.fixture
def conversions(converted: Path, monkeypatch: pytest.MonkeyPatch) -> list[Selection]:
    """The networks that a test converts, each at once to what the tiny one was converted to: for
    tests of the cache alone."""
    (entry,) = converted.iterdir()
    model = openvino.Core().read_model(entry / "model.xml")
    made: list[Selection] = []

    def convert(selection: Selection) -> object:
        made.append(selection)
        return model

    monkeypatch.setattr(engine_module, "_convert", convert)
    return made


def without_weights(selection: Selection) -> Selection:
    path = Path("/nowhere/weights.pth")
    return replace(selection, weights=replace(selection.weights, path=path))


def assert_same(features: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(features, expected, atol=1e-4)


def test_a_converted_network_is_kept_and_needs_no_weights_any_more(
    tiny: Selection, tiny_pixels: np.ndarray, cache: Path, tiny_features: np.ndarray
) -> None:
    with pytest.raises(BackboneError):
        openvino_engine(without_weights(tiny), None)
    assert_same(openvino_engine(without_weights(tiny), cache)(tiny_pixels), tiny_features)
    assert len(list(cache.iterdir())) == 1


def test_other_weights_are_another_entry_of_the_cache(
    tiny_pixels: np.ndarray, cache: Path, tiny_features: np.ndarray, tmp_path: Path
) -> None:
    other = tiny_selection(tmp_path / "tiny.pth", seed=1)
    features = openvino_engine(other, cache)(tiny_pixels)
    assert_same(features, make_engine(other, kind="torch")(tiny_pixels))
    assert np.abs(features - tiny_features).max() > 0.01
    assert len(list(cache.iterdir())) == 2


def test_another_preprocessing_is_another_entry_of_the_cache(
    tiny: Selection, tiny_pixels: np.ndarray, cache: Path, tiny_features: np.ndarray
) -> None:
    other = replace(tiny, backbone=replace(tiny.backbone, mean=(0.0, 0.0, 0.0)))
    assert np.abs(openvino_engine(other, cache)(tiny_pixels) - tiny_features).max() > 0.01


def test_two_sizes_of_a_network_share_a_cache(
    tiny: Selection, tiny_pixels: np.ndarray, cache: Path, tiny_features: np.ndarray
) -> None:
    large = replace(tiny, backbone=tiny.backbone.with_input_size((40, 33)))
    pixels = demo_pixels(3, (40, 33))
    expected_large = make_engine(large, kind="torch")(pixels)
    assert_same(openvino_engine(large, cache)(pixels), expected_large)
    assert len(list(cache.iterdir())) == 2
    # Now both are read from it.
    assert_same(openvino_engine(without_weights(tiny), cache)(tiny_pixels), tiny_features)
    assert_same(openvino_engine(without_weights(large), cache)(pixels), expected_large)
    assert len(list(cache.iterdir())) == 2


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _zero(path: Path) -> None:
    """Some of the weights become 0, as a bad block of a disk leaves them."""
    data = path.read_bytes()
    path.write_bytes(data[:100] + bytes(200) + data[300:])


@pytest.mark.parametrize("name", ["model.xml", "model.bin"])
@pytest.mark.parametrize("damage", [_cut, _empty, _zero, Path.unlink])
def test_a_damaged_conversion_is_made_again(
    tiny: Selection,
    tiny_pixels: np.ndarray,
    cache: Path,
    conversions: list[Selection],
    tiny_features: np.ndarray,
    name: str,
    damage: Callable[[Path], object],
) -> None:
    (entry,) = cache.iterdir()
    damage(entry / name)
    openvino_engine(tiny, cache)
    # It is kept, whole, and read from there.
    assert_same(openvino_engine(tiny, cache)(tiny_pixels), tiny_features)
    assert conversions == [tiny]
    assert list(cache.iterdir()) == [entry]


def test_a_cache_that_cannot_be_written_is_no_error(
    tiny: Selection, conversions: list[Selection], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    for count in (1, 2):
        openvino_engine(tiny, tmp_path / "file" / "cache")
        assert conversions == [tiny] * count


def test_a_full_disk_is_no_error(
    tiny: Selection,
    conversions: list[Selection],
    tiny_pixels: np.ndarray,
    tiny_features: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(model: object, path: Path, **_: object) -> None:
        path.write_bytes(b"<half")
        raise RuntimeError("basic_ios::clear: iostream error")  # what OpenVINO 2026.4 raises

    monkeypatch.setattr(openvino, "save_model", full)
    assert_same(openvino_engine(tiny, tmp_path / "cache")(tiny_pixels), tiny_features)
    assert list((tmp_path / "cache").iterdir()) == []


def test_another_program_that_was_first_is_no_error(
    tiny: Selection,
    conversions: list[Selection],
    tiny_pixels: np.ndarray,
    converted: Path,
    tiny_features: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two programs convert the same network at once: the entry appears meanwhile."""
    convert = engine_module._convert

    def convert_slowly(selection: Selection) -> object:
        shutil.copytree(converted, tmp_path / "cache")
        return convert(selection)

    monkeypatch.setattr(engine_module, "_convert", convert_slowly)
    assert_same(openvino_engine(tiny, tmp_path / "cache")(tiny_pixels), tiny_features)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_weights_that_do_not_fit_are_no_engine_and_not_kept(
    tiny: Selection, tmp_path: Path
) -> None:
    wrong = replace(tiny, backbone=get_backbone("efficientnet_lite0"))
    with pytest.raises(BackboneError, match=r"tiny\.pth"):
        make_engine(wrong, kind="openvino", cache=tmp_path / "cache")
    assert list(tmp_path.rglob("*.xml")) == []
