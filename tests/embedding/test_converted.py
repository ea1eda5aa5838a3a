"""The cache of converted networks: what is found there, what is refused, what needs no torch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
import pytest

from fitting_room.embedding import converted as converted_module
from fitting_room.embedding import weights as weights_module
from fitting_room.embedding.backbones import Selection, get_backbone, select_again
from fitting_room.embedding.converted import folder_of, select_converted
from fitting_room.embedding.engine import EngineError, make_engine
from fitting_room.embedding.weights import BackboneError
from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from tests.embedding.conftest import demo_pixels, openvino_engine, tiny_selection


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

    monkeypatch.setattr(converted_module, "_convert", convert)
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
    convert = converted_module._convert

    def convert_slowly(selection: Selection) -> object:
        shutil.copytree(converted, tmp_path / "cache")
        return convert(selection)

    monkeypatch.setattr(converted_module, "_convert", convert_slowly)
    assert_same(openvino_engine(tiny, tmp_path / "cache")(tiny_pixels), tiny_features)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_weights_that_do_not_fit_are_no_engine_and_not_kept(
    tiny: Selection, tmp_path: Path
) -> None:
    wrong = replace(tiny, backbone=get_backbone("efficientnet_lite0"))
    with pytest.raises(BackboneError, match=r"tiny\.pth"):
        make_engine(wrong, kind="openvino", cache=tmp_path / "cache")
    assert list(tmp_path.rglob("*.xml")) == []


# --- without torch ----------------------------------------------------------------------------


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_module, "missing_module", lambda _: True)


def test_without_torch_a_converted_network_is_all_it_takes(
    no_torch: None, tiny: Selection, tiny_pixels: np.ndarray, cache: Path, tiny_features: np.ndarray
) -> None:
    assert make_engine(tiny, cache=cache).name.startswith("openvino")  # also by itself
    assert_same(openvino_engine(without_weights(tiny), cache)(tiny_pixels), tiny_features)


def test_without_torch_a_missing_conversion_is_named_with_both_remedies(
    no_torch: None, tiny: Selection, tmp_path: Path
) -> None:
    with pytest.raises(BackboneError) as caught:
        openvino_engine(tiny, tmp_path)
    for part in (folder_of(tiny, tmp_path), "is not there", "fitting-room[build]", "convert"):
        assert str(part) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", ["torch", "cuda", "mps"])
def test_without_torch_its_engines_are_refused(
    no_torch: None, tiny: Selection, engine: str
) -> None:
    with pytest.raises(EngineError, match=r"pip install .fitting-room\[build\]"):
        make_engine(tiny, kind=engine)


def test_an_index_knows_its_converted_networks_without_torch(
    demo_fitting_room: FittingRoom, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo_fitting_room.embedder  # noqa: B018 - which has been loaded, and so converted
    monkeypatch.setattr(weights_module, "missing_module", lambda _: True)
    (folder,) = FittingRoom.convert(demo_fitting_room.index.folder, settings)
    assert folder == folder_of(
        select_again(demo_fitting_room.index.identity), settings.engines_folder
    )
    for name in ("auto", "efficientnet_lite0"):  # of which a build takes its network
        selection = select_converted(name, settings.engines_folder)
        assert selection.identity == demo_fitting_room.index.identity


@pytest.mark.parametrize(("name", "size"), [("efficientnet_lite2", None), ("auto", (64, 48))])
def test_a_network_that_is_not_converted_cannot_be_chosen_without_torch(
    no_torch: None, tmp_path: Path, name: str, size: tuple[int, int] | None
) -> None:
    with pytest.raises(BackboneError, match=r"pip install .fitting-room\[build\]"):
        select_converted(name, tmp_path, input_size=size)


def test_to_convert_into_a_place_that_cannot_be_written_is_an_error(
    tiny: Selection, conversions: list[Selection], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BackboneError, match="could not be kept"):
        converted_module.convert(tiny, tmp_path / "file" / "cache")


# --- what anybody may have put there ----------------------------------------------------------


def _describe(entry: Path, **changes: object) -> None:
    path = entry / "network.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


_OTHERS = {"backbone": "tiny", "weights": "tiny.pth", "weights_sha256": "0" * 64}
HOSTILE: dict[str, Callable[[Path], object]] = {
    "nothing": lambda entry: (entry / "network.json").unlink(),
    "no json": lambda entry: (entry / "network.json").write_text("{"),
    "no text": lambda entry: (entry / "network.json").write_bytes(b"\xff\xfe\x00"),
    "a list": lambda entry: (entry / "network.json").write_text("[]"),
    "deep": lambda entry: (entry / "network.json").write_text("[" * 30_000),
    "long": lambda entry: (entry / "network.json").write_text(" " * 70_000 + "{}"),
    "another form": lambda entry: _describe(entry, format=2),
    "other weights": lambda entry: _describe(entry, network=_OTHERS),
    "no network": lambda entry: _describe(entry, network=None),
    "no sums": lambda entry: _describe(entry, sha256=None),
    "one sum": lambda entry: _describe(entry, sha256={"model.xml": "0" * 64}),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_described_as_this_network_is_not_used(
    no_torch: None, tiny: Selection, cache: Path, change: Callable[[Path], object]
) -> None:
    (entry,) = cache.iterdir()
    change(entry)
    with pytest.raises(BackboneError) as caught:
        openvino_engine(tiny, cache)
    assert str(entry) in str(caught.value)


def test_another_network_under_a_right_description_is_not_used(
    no_torch: None, tiny: Selection, cache: Path
) -> None:
    """Its embeddings have another length, which its identity does not say."""
    longer = replace(tiny, backbone=replace(tiny.backbone, dimension=25))
    assert longer.identity == tiny.identity
    with pytest.raises(BackboneError, match="something else than this network"):
        openvino_engine(longer, cache)


def test_a_file_larger_than_any_network_is_not_read(
    no_torch: None, tiny: Selection, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converted_module, "FILES", {"model.xml": 2**26, "model.bin": 10})
    with pytest.raises(BackboneError, match=r"model\.bin is larger"):
        openvino_engine(tiny, cache)
