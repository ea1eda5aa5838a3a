"""The registered networks agree with their libraries' own."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import requests
import timm
import torch
import torchvision

from fitting_room.embedding import backbones
from fitting_room.embedding.backbones import (
    Selection,
    backbone_names,
    get_backbone,
    register,
    select,
    select_again,
)
from fitting_room.embedding.weights import (
    BackboneError,
    WeightsFile,
    WeightsUnavailable,
    sha256_of,
    verify_weights,
)
from tests.embedding.conftest import (
    XCEPTION_FILE,
    demo_pixels,
    in_torch_cache,
    linear_backbone,
    random_resnet50,
    random_xception,
    save_safetensors,
    xception_of,
)

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
        register(replace(linear_backbone(), name=name))
    assert backbone_names() == before


def test_a_new_network_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "_REGISTRY", dict(backbones._REGISTRY))
    new = register(linear_backbone())
    assert "linear" in backbone_names()
    assert get_backbone("linear") is new


# --- resnet50 ---------------------------------------------------------------------------------


@functools.cache
def torchvision_features() -> torch.Tensor:
    """What torchvision's own ResNet50 without its classifier says, normalised as torchvision's
    own preset does it."""
    network = torchvision.models.resnet50(weights=None)
    network.load_state_dict(random_resnet50())
    network.fc = torch.nn.Identity()
    preset = torchvision.models.ResNet50_Weights.IMAGENET1K_V1.transforms()
    images = torch.from_numpy(demo_pixels(2, (64, 48))).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        return network.eval()(
            torchvision.transforms.functional.normalize(images, preset.mean, preset.std)
        )


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
    torch.testing.assert_close(features, torchvision_features(), rtol=1e-3, atol=1e-4)
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


# --- xception ---------------------------------------------------------------------------------


@functools.cache
def timm_features() -> torch.Tensor:
    """What timm's own Xception says before its classifier, normalised as timm says it."""
    network = timm.create_model("legacy_xception")
    network.load_state_dict(random_xception())
    published = timm.get_pretrained_cfg("legacy_xception")
    assert published is not None
    images = torch.from_numpy(demo_pixels(2, (64, 48))).permute(0, 3, 1, 2).float() / 255
    images = torchvision.transforms.functional.normalize(images, published.mean, published.std)
    network.eval()
    with torch.inference_mode():
        return network.forward_head(network.forward_features(images), pre_logits=True)


def as_before_torch_0_4(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Kernels of 1 x 1 as matrices, no counters in the batch norms, the classifier's other name."""
    return {
        key.replace("fc.", "last_linear."): value.flatten(1) if "pointwise" in key else value
        for key, value in state.items()
        if not key.endswith("num_batches_tracked")
    }


XCEPTION_FORMS = {form: FORMS[form] for form in ("pth", "safetensors")} | {
    "of old": (".pth", lambda state, path: torch.save(as_before_torch_0_4(state), path))
}


@pytest.mark.parametrize("form", XCEPTION_FORMS)
def test_xception_from_a_local_file_is_timms_without_its_classifier(
    tmp_path: Path, form: str
) -> None:
    ending, save = XCEPTION_FORMS[form]
    path = tmp_path / f"mine{ending}"
    save(random_xception(), path)
    selection = select("xception", weights=str(path))
    pixels = demo_pixels(2, (64, 48))
    with torch.inference_mode():
        features = selection.backbone.module(selection.weights)(torch.from_numpy(pixels))
    assert features.shape == (2, selection.backbone.dimension) == (2, 2048)
    torch.testing.assert_close(features, timm_features(), rtol=1e-3, atol=1e-4)
    path.unlink()


def test_xception_looks_at_as_many_lines_as_it_was_trained_on() -> None:
    published = timm.get_pretrained_cfg("legacy_xception")
    assert published is not None
    height, width = get_backbone("xception").input_size
    assert height == published.input_size[1]
    assert width / height == pytest.approx(3 / 4, abs=0.01)


def test_xception_without_weights_is_an_error_with_a_remedy() -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        select("xception", timeout=0.3)
    target = Path(torch.hub.get_dir()) / "checkpoints" / XCEPTION_FILE
    for named in ("https://", str(target), "--weights"):
        assert named in str(caught.value)
    assert not target.exists()


def test_weights_whose_home_timm_forgot_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm, "get_pretrained_cfg", lambda name: None)
    with pytest.raises(WeightsUnavailable, match=r"legacy_xception.*--weights"):
        select("xception")


def test_xceptions_weights_in_torchs_cache_are_known_by_their_whole_sha256(
    xception_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sha256_of(xception_file)
    xception_of(monkeypatch, whole[:9])
    cached = in_torch_cache(XCEPTION_FILE, xception_file)
    made_by = select("xception")
    assert made_by.weights == WeightsFile("IMAGENET1K_TF", whole, cached)
    assert made_by.identity["weights_sha256"] == whole
    again = select_again(made_by.identity)
    assert again.identity == made_by.identity
    assert again.backbone.module(again.weights) is not None


def test_a_file_in_torchs_cache_that_begins_otherwise_is_not_used() -> None:
    in_torch_cache(XCEPTION_FILE, b"half of it")
    with pytest.raises(BackboneError, match=f"{XCEPTION_FILE}.*43020ad28.*[Dd]elete"):
        select("xception")


def test_an_index_tells_weights_apart_that_begin_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files whose sha256 has the same first digit, which is all that is published of it."""
    contents = [bytes([number]) for number in range(256)]
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    other = next(n for n in range(1, 256) if digests[n][0] == digests[0][0])
    xception_of(monkeypatch, digests[0][0])
    cached = in_torch_cache(XCEPTION_FILE, contents[0])
    identity = select("xception").identity
    cached.write_bytes(contents[other])
    again = select_again(identity)
    assert again.identity == identity
    with pytest.raises(BackboneError, match=digests[other][:12]):
        again.backbone.module(again.weights)


def test_the_packaged_network_is_prepared_while_a_download_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, prepared = threading.Event(), []

    def stalled(*_: object, **__: object) -> None:
        assert begun.wait(60)
        raise requests.ConnectionError("offline")

    def prepare(selection: Selection) -> None:
        begun.set()
        prepared.append(selection)

    monkeypatch.setattr(requests, "get", stalled)
    chosen = select(timeout=60, meanwhile=prepare)
    assert chosen.backbone.name == "efficientnet_lite0"
    assert [selection.identity for selection in prepared] == [chosen.identity]


def test_what_hinders_the_preparation_hinders_nothing_else() -> None:
    def fail(_: Selection) -> None:
        raise RuntimeError("no memory")

    assert select(meanwhile=fail).backbone.name == "efficientnet_lite0"
    assert select("efficientnet_lite0", meanwhile=fail).why == "as asked for"
