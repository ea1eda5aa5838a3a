"""What runs a network: agreement, independence of the batch, the cache of conversions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch

from fitting_room.embedding import engine as engine_module
from fitting_room.embedding.backbones import Backbone, Selection, get_backbone, select
from fitting_room.embedding.engine import Engine, EngineError, OpenVINOEngine, make_engine
from fitting_room.embedding.weights import BackboneError, WeightsFile, sha256_of
from fitting_room.imaging.features import normalise
from fitting_room.settings import Settings
from tests.embedding.test_backbones import demo_pixels, random_resnet50, random_xception


def computes_in_bf16() -> bool:
    """Whether this processor multiplies 16-bit floats in hardware."""
    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (normalise(first) * normalise(second)).sum(axis=1)


@pytest.fixture(scope="module")
def lite0(settings: Settings) -> Engine:
    selection = select("efficientnet_lite0")
    return make_engine(selection, kind="openvino", cache=settings.engines_folder)


@pytest.fixture(scope="module")
def lite0_torch() -> Engine:
    return make_engine(select("efficientnet_lite0"), kind="torch")


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return demo_pixels(24, (224, 168))


# --- agreement --------------------------------------------------------------------------------


def test_openvino_agrees_with_torch_on_lite0(
    lite0: Engine, lite0_torch: Engine, pixels: np.ndarray
) -> None:
    found, expected = lite0(pixels), lite0_torch(pixels)
    assert found.shape == expected.shape == (24, 1280)
    assert found.dtype == expected.dtype == np.float32
    assert cosines(found, expected).min() >= 0.999


def test_openvino_agrees_with_torch_on_lite2(settings: Settings) -> None:
    selection = select("efficientnet_lite2")
    pixels = demo_pixels(8, selection.backbone.input_size)
    found = make_engine(selection, kind="openvino", cache=settings.engines_folder)(pixels)
    expected = make_engine(selection, kind="torch")(pixels)
    assert found.shape == (8, 1280)
    assert cosines(found, expected).min() >= 0.999


def test_openvino_agrees_with_torch_on_resnet50(tmp_path: Path) -> None:
    path = tmp_path / "resnet50.pth"
    torch.save(random_resnet50(), path)
    selection = select("resnet50", weights=str(path))
    pixels = demo_pixels(8, selection.backbone.input_size)
    found = make_engine(selection, kind="openvino")(pixels)
    expected = make_engine(selection, kind="torch")(pixels)
    path.unlink()
    assert found.shape == (8, 2048)
    assert cosines(found, expected).min() >= 0.999
    # Agreement means something only where the features of two pictures differ by more.
    assert cosines(expected[:-1], expected[1:]).max() < 0.99


def test_openvino_agrees_with_torch_on_xception(tmp_path: Path) -> None:
    path = tmp_path / "xception.pth"
    torch.save(random_xception(), path)
    selection = select("xception", weights=str(path))
    pixels = demo_pixels(4, selection.backbone.input_size)
    found = make_engine(selection, kind="openvino")(pixels)
    expected = make_engine(selection, kind="torch")(pixels)
    path.unlink()
    assert found.shape == (4, 2048)
    assert cosines(found, expected).min() >= 0.999
    assert cosines(expected[:-1], expected[1:]).max() < 0.99


def test_openvino_agrees_with_torch_at_another_size(settings: Settings, lite0: Engine) -> None:
    """Beside the usual size in the cache, whose conversion must not be taken: its paddings are
    those of its size, and at this one they would make the cosine 0.999."""
    selection = select("efficientnet_lite0", input_size=(97, 75))
    pixels = demo_pixels(4, (97, 75))
    found = openvino_engine(selection, settings.engines_folder)(pixels)
    expected = make_engine(selection, kind="torch")(pixels)
    assert cosines(found, expected).min() >= 0.9999


def assert_maps_come_to_the_embedding(engine: Engine, pixels: np.ndarray) -> None:
    maps = engine.feature_maps(pixels)
    assert maps.ndim == 4
    assert maps.shape[0] == len(pixels)
    assert maps.dtype == np.float32
    assert min(maps.shape[1:3]) > 1
    pooled = normalise(maps.mean(axis=(1, 2)))
    # The engine may answer in 16 bits; its maps are in 32.
    assert cosines(pooled, engine(pixels)).min() >= 0.999


def test_the_mean_of_the_feature_maps_is_the_embedding(
    lite0: Engine, lite0_torch: Engine, pixels: np.ndarray
) -> None:
    assert_maps_come_to_the_embedding(lite0, pixels[:3])
    assert_maps_come_to_the_embedding(lite0_torch, pixels[:3])


def test_feature_maps_know_up_from_down(lite0: Engine, pixels: np.ndarray) -> None:
    """Whether the axes of a map are those of the picture: a picture with something in its upper
    right is answered differently there and in its mirror images."""
    picture = np.full((1, 224, 168, 3), 255, np.uint8)
    blank = lite0.feature_maps(picture)[0]
    picture[:, :90, 100:] = pixels[:1, 60:150, 50:118]
    changed = np.abs(lite0.feature_maps(picture)[0] - blank).sum(axis=2)
    assert changed.shape == (7, 6)
    down, across = np.unravel_index(int(changed.argmax()), changed.shape)
    assert down < 3.5
    assert across > 2.5


def test_the_feature_maps_of_each_architecture_come_to_its_embedding(
    tmp_path: Path, settings: Settings
) -> None:
    torch.save(random_resnet50(), tmp_path / "resnet50.pth")
    torch.save(random_xception(), tmp_path / "xception.pth")
    for name, weights in (
        ("resnet50", str(tmp_path / "resnet50.pth")),
        ("xception", str(tmp_path / "xception.pth")),
        ("efficientnet_lite2", None),
    ):
        selection = select(name, weights=weights)
        some = demo_pixels(2, selection.backbone.input_size)
        for kind in ("openvino", "torch"):
            engine = make_engine(selection, kind=kind, cache=settings.engines_folder)
            assert_maps_come_to_the_embedding(engine, some)


def test_a_network_without_a_mean_over_places_has_no_maps(
    tmp_path: Path, small: np.ndarray
) -> None:
    selection = _tiny_selection(tmp_path / "tiny.pth", 3)
    for kind in ("openvino", "torch"):
        with pytest.raises(EngineError, match="no feature maps"):
            make_engine(selection, kind=kind, cache=None).feature_maps(small)


def test_bf16_is_a_little_less_exact_and_no_more(settings: Settings, pixels: np.ndarray) -> None:
    selection = select("efficientnet_lite0")
    exact = make_engine(selection, kind="torch")(pixels[:4])
    for kind in ("openvino", "torch"):
        engine = make_engine(selection, kind=kind, precision="bf16", cache=settings.engines_folder)
        found = engine(pixels[:4])
        assert found.dtype == np.float32
        assert cosines(found, exact).min() >= 0.98, kind


@pytest.mark.parametrize("capabilities", [["FP32", "BF16"], ["FP32", "FP16", "INT8"]])
def test_16_bits_are_chosen_where_the_processor_has_them(
    tiny: Selection, monkeypatch: pytest.MonkeyPatch, capabilities: list[str]
) -> None:
    import openvino

    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: capabilities)
    chosen = make_engine(tiny, kind="openvino").name.split()[-1]
    assert chosen == ("bf16" if "BF16" in capabilities else "f32")


def test_the_first_layers_are_computed_in_32_bits(tiny: Selection, small: np.ndarray) -> None:
    """With the only convolution before the seam nothing is lost, without a seam what bf16 loses."""
    exact = make_engine(tiny, kind="torch", precision="f32")(small)
    errors = {}
    for seam in (None, "0", "2"):
        selection = replace(tiny, backbone=replace(tiny.backbone, fp32_until=seam))
        found = make_engine(selection, kind="openvino", precision="bf16")(small)
        errors[seam] = float(np.abs(found - exact).max())
    assert errors["2"] < 1e-5
    if not computes_in_bf16():
        assert max(errors.values()) < 1e-4  # asked for 16 bits, such a processor takes 32
        return
    assert errors[None] > 1e-4
    assert errors["0"] < errors[None]


# --- batches and threads ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["openvino", "torch"])
def test_a_picture_has_the_same_embedding_whatever_batch_it_rides_in(
    request: pytest.FixtureRequest, pixels: np.ndarray, kind: str
) -> None:
    engine = request.getfixturevalue("lite0" if kind == "openvino" else "lite0_torch")
    # Torch takes any size, and a quarter of the pixels is quicker.
    pixels = pixels[:21] if kind == "openvino" else np.ascontiguousarray(pixels[:21, ::2, ::2])
    alone = normalise(np.concatenate([engine(pixels[i : i + 1]) for i in range(21)]))
    shuffled = np.random.default_rng(0).permutation(21)
    for size, order in ((3, shuffled), (8, np.arange(21)), (8, shuffled), (21, shuffled[::-1])):
        parts = [engine(pixels[order[i : i + size]]) for i in range(0, 21, size)]
        together = normalise(np.concatenate(parts))
        np.testing.assert_allclose(together, alone[order], atol=1e-3)


def test_eight_threads_get_what_one_gets(lite0: Engine, pixels: np.ndarray) -> None:
    # Of different lengths, so that both compiled forms and the padded last batch are in use.
    jobs = [pixels[i : i + 1 + 3 * (i % 4)] for i in range(16)]
    expected = [lite0(job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lite0, jobs))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(normalise(other), normalise(one), atol=1e-4)


def test_threads_that_come_and_go_share_what_the_network_computes_in(
    settings: Settings, pixels: np.ndarray
) -> None:
    """A page runs each script in a thread of its own: none may need memory of its own."""
    engine = make_engine(select("efficientnet_lite0"), cache=settings.engines_folder)
    assert isinstance(engine, OpenVINOEngine)
    for _ in range(3):
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(engine, [pixels[:1]] * 32))
    made = sum(len(requests) for requests in engine._free.values())
    assert 1 <= made <= engine.streams + 1


def test_the_first_calls_may_come_from_eight_threads(
    settings: Settings, lite0: Engine, pixels: np.ndarray
) -> None:
    fresh = make_engine(
        select("efficientnet_lite0"), kind="openvino", cache=settings.engines_folder
    )
    jobs = [pixels[i : i + 1] if i % 2 else pixels[i : i + 8] for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(fresh, jobs))
    for job, answer in zip(jobs, found, strict=True):
        np.testing.assert_allclose(normalise(answer), normalise(lite0(job)), atol=1e-3)


# --- the cache of converted networks ----------------------------------------------------------


def _tiny_network() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3), torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten()
    )


def _tiny_selection(path: Path, seed: int) -> Selection:
    """A network that is converted in no time, for what concerns the cache and not the network."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.save(_tiny_network().state_dict(), path)
    backbone = Backbone(
        name="tiny",
        title="Tiny",
        dimension=24,
        input_size=(16, 12),
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
        weights=(),
        architecture=_tiny_network,
        adapt=lambda state, network: state,
    )
    return Selection(backbone, WeightsFile(path.name, sha256_of(path), path), "a test")


@pytest.fixture(scope="module")
def small() -> np.ndarray:
    return demo_pixels(3, (16, 12))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Selection:
    return _tiny_selection(tmp_path_factory.mktemp("tiny") / "tiny.pth", seed=0)


@pytest.fixture(scope="module")
def converted(tiny: Selection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the tiny network; tests work on copies of it."""
    cache = tmp_path_factory.mktemp("tiny") / "deep" / "cache"
    openvino_engine(tiny, cache)
    return cache


@pytest.fixture
def cache(converted: Path, tmp_path: Path) -> Path:
    return shutil.copytree(converted, tmp_path / "cache")


@pytest.fixture(scope="module")
def expected(tiny: Selection, small: np.ndarray) -> np.ndarray:
    return make_engine(tiny, kind="torch")(small)


def without_weights(selection: Selection) -> Selection:
    path = Path("/nowhere/weights.pth")
    return replace(selection, weights=replace(selection.weights, path=path))


def openvino_engine(selection: Selection, cache: Path | None) -> Engine:
    return make_engine(selection, kind="openvino", precision="f32", cache=cache)


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_converted_network_is_kept_and_needs_no_weights_any_more(
    tiny: Selection, small: np.ndarray, cache: Path, expected: np.ndarray
) -> None:
    with pytest.raises(BackboneError):
        openvino_engine(without_weights(tiny), None)
    assert_same(openvino_engine(without_weights(tiny), cache)(small), expected)
    assert len(list(cache.iterdir())) == 1


def test_other_weights_are_another_entry_of_the_cache(
    small: np.ndarray, cache: Path, expected: np.ndarray, tmp_path: Path
) -> None:
    other = _tiny_selection(tmp_path / "tiny.pth", seed=1)
    found = openvino_engine(other, cache)(small)
    assert_same(found, make_engine(other, kind="torch")(small))
    assert np.abs(found - expected).max() > 0.01
    assert len(list(cache.iterdir())) == 2


def test_another_preprocessing_is_another_entry_of_the_cache(
    tiny: Selection, small: np.ndarray, cache: Path, expected: np.ndarray
) -> None:
    other = replace(tiny, backbone=replace(tiny.backbone, mean=(0.0, 0.0, 0.0)))
    assert np.abs(openvino_engine(other, cache)(small) - expected).max() > 0.01


def test_two_sizes_of_a_network_share_a_cache(
    tiny: Selection, small: np.ndarray, cache: Path, expected: np.ndarray
) -> None:
    large = replace(tiny, backbone=tiny.backbone.with_input_size((40, 33)))
    pixels = demo_pixels(3, (40, 33))
    expected_large = make_engine(large, kind="torch")(pixels)
    assert_same(openvino_engine(large, cache)(pixels), expected_large)
    assert len(list(cache.iterdir())) == 2
    # Now both are read from it.
    assert_same(openvino_engine(without_weights(tiny), cache)(small), expected)
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
    small: np.ndarray,
    cache: Path,
    expected: np.ndarray,
    name: str,
    damage: Callable[[Path], object],
) -> None:
    (entry,) = cache.iterdir()
    damage(entry / name)
    assert_same(openvino_engine(tiny, cache)(small), expected)
    # And it is kept, whole.
    assert_same(openvino_engine(without_weights(tiny), cache)(small), expected)
    assert list(cache.iterdir()) == [entry]


def test_a_cache_that_cannot_be_written_is_no_error(
    tiny: Selection, small: np.ndarray, expected: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert_same(openvino_engine(tiny, tmp_path / "file" / "cache")(small), expected)


def test_a_full_disk_is_no_error(
    tiny: Selection,
    small: np.ndarray,
    expected: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import openvino

    def full(model: object, path: Path, **_: object) -> None:
        path.write_bytes(b"<half")
        raise RuntimeError("basic_ios::clear: iostream error")  # what OpenVINO 2026.4 raises

    monkeypatch.setattr(openvino, "save_model", full)
    assert_same(openvino_engine(tiny, tmp_path / "cache")(small), expected)
    assert list((tmp_path / "cache").iterdir()) == []


def test_another_program_that_was_first_is_no_error(
    tiny: Selection,
    small: np.ndarray,
    converted: Path,
    expected: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two programs convert the same network at once: the entry appears meanwhile."""
    convert = engine_module._convert

    def convert_slowly(selection: Selection) -> object:
        shutil.copytree(converted, tmp_path / "cache")
        return convert(selection)

    monkeypatch.setattr(engine_module, "_convert", convert_slowly)
    assert_same(openvino_engine(tiny, tmp_path / "cache")(small), expected)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_weights_that_do_not_fit_are_no_engine_and_not_kept(
    tiny: Selection, tmp_path: Path
) -> None:
    wrong = replace(tiny, backbone=get_backbone("efficientnet_lite0"))
    for kind in ("openvino", "torch"):
        with pytest.raises(BackboneError, match=r"tiny\.pth"):
            make_engine(wrong, kind=kind, cache=tmp_path / "cache")
    assert list(tmp_path.rglob("*.xml")) == []


# --- choosing ---------------------------------------------------------------------------------


def test_an_unknown_engine_is_refused_and_the_known_ones_are_named(tiny: Selection) -> None:
    with pytest.raises(EngineError, match=r"tensorrt.*openvino.*torch"):
        make_engine(tiny, kind="tensorrt")


def test_an_unknown_precision_is_refused_and_the_known_ones_are_named(tiny: Selection) -> None:
    with pytest.raises(EngineError, match=r"f64.*f32.*bf16"):
        make_engine(tiny, precision="f64")


def test_an_accelerator_that_is_not_there_is_refused(
    tiny: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for kind in ("cuda", "mps"):
        with pytest.raises(EngineError, match=kind.upper()):
            make_engine(tiny, kind=kind)


def test_auto_takes_openvino_on_a_machine_without_accelerator(
    tiny: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_accelerator", lambda: None)
    assert make_engine(tiny, kind="auto").name.startswith("openvino")


def test_without_openvino_auto_takes_torch_and_openvino_is_refused(
    tiny: Selection, small: np.ndarray, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_accelerator", lambda: None)
    monkeypatch.setattr(engine_module, "_has_openvino", lambda: False)
    engine = make_engine(tiny, kind="auto")
    assert engine.name == "torch cpu f32"
    assert_same(engine(small), expected)
    with pytest.raises(EngineError, match="pip install openvino"):
        make_engine(tiny, kind="openvino")
