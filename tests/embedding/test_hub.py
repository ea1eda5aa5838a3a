"""What lies on a hub was written by anybody, and may not come."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import timm
import torch

from fitting_room.embedding.backbones import get_backbone, reads_words, select
from fitting_room.embedding.engine import make_engine
from fitting_room.embedding.hub import HubFile
from fitting_room.embedding.weights import BackboneError, WeightsUnavailable
from fitting_room.util.progress import Progress
from tests.embedding.conftest import CONFIG, cosines, demo_pixels, in_hub, save_safetensors

FILE = HubFile("me/mine", ("model.safetensors", "pytorch_model.bin"))


def test_a_download_is_followed_and_the_safe_file_preferred(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(repository: str, name: str, *, tqdm_class: Any, **_: object) -> None:
        if name == "model.safetensors":
            raise huggingface_hub.errors.EntryNotFoundError("no such file")
        with tqdm_class(total=10, name="huggingface_hub.http_get") as bar:
            bar.update(4)
            bar.update(6)
        in_hub(hub, repository, name, b"0123456789")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    seen: list[Progress] = []
    path = FILE.download(60, seen.append)
    assert path.name == "pytorch_model.bin"
    assert [(one.done, one.total) for one in seen] == [(0, 10), (4, 10), (10, 10)]
    assert FILE.find() == path


def test_a_download_without_a_sign_of_life_is_given_up(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = threading.Event()
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_, **__: end.wait(60))
    with pytest.raises(
        WeightsUnavailable, match=r"no answer within 0\.05 seconds.*models--me--mine"
    ):
        FILE.download(0.05, lambda _: None)
    end.set()


def test_a_repository_without_weights_is_said(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise huggingface_hub.errors.EntryNotFoundError("no such file")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", none)
    with pytest.raises(WeightsUnavailable, match=r"none of model\.safetensors"):
        FILE.download(60, lambda _: None)


# --- what anybody may have put on a hub, or into a manifest ---------------------------------

HUBS_TIMM: dict[str, Any] = {
    "architecture": "test_vit",
    "num_classes": 3,
    "pretrained_cfg": {"input_size": [3, 96, 96], "mean": [0.5] * 3, "std": [0.25] * 3,
                       "fixed_input_size": True, "classifier": "head", "num_classes": 3},
    "model_args": {"img_size": 96},
}  # fmt: skip


def test_a_network_of_a_hub_is_as_it_is_described(hub: Path, tmp_path: Path) -> None:
    in_hub(hub, "me/mine", "config.json", HUBS_TIMM)
    own = timm.create_model("test_vit", num_classes=3, img_size=96)
    save_safetensors(own.state_dict(), in_hub(hub, "me/mine", "model.safetensors", b""))
    selection = select("timm:hf-hub:me/mine")
    assert selection.backbone.input_size == (96, 96)
    assert selection.backbone.std == (63.75,) * 3
    pixels = demo_pixels(2, (96, 96))
    own.reset_classifier(0)
    images = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
    with torch.inference_mode():
        expected = own.eval()(images).numpy()
    answer = make_engine(selection, kind="torch", precision="f32")(pixels)
    np.testing.assert_array_less(0.999, cosines(answer, expected))


def test_a_clip_of_a_hub_reads_words(folder: Path, hub: Path) -> None:
    in_hub(hub, "me/clip", "open_clip_config.json", {"model_cfg": CONFIG, "preprocess_cfg": {}})
    file = (folder / "clip.safetensors").read_bytes()
    in_hub(hub, "me/clip", "open_clip_model.safetensors", file)
    selection = select("open_clip:hf-hub:me/clip")
    assert selection.backbone.dimension == 32
    assert reads_words(selection.identity)


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "no_such"},
        {"architecture": ["test_vit"]},
        {"pretrained_cfg": {"input_size": [3, 100_000, 100_000]}},
        {"pretrained_cfg": {"input_size": [1, 96, 96]}},
        {"pretrained_cfg": {"mean": [float("nan")] * 3}},
        {"pretrained_cfg": {"std": [0, 0, 0]}},
        {"pretrained_cfg": []},
        {"model_args": {"depth": 10**6}},
        {"model_args": {"embed_dim": 10**12}},
        {"model_args": {"embed_dim": 1_000_000}},
        {"model_args": {"cache_dir": "/etc"}},
        {"model_args": {"no_such_argument": 1}},
    ],
    ids=repr,
)
def test_a_hostile_description_of_a_hub_is_refused(change: dict[str, Any], hub: Path) -> None:
    in_hub(hub, "me/mine", "config.json", HUBS_TIMM | {"model_args": {}} | change)
    with pytest.raises(BackboneError):
        get_backbone("timm:hf-hub:me/mine")


@pytest.mark.parametrize(
    "content",
    [b"", b"[" * 100_000, b"\xff", b"[]", b"x" * 2**21, b"{}", b'{"model_cfg": {}}',
     json.dumps({"model_cfg": CONFIG | {"embed_dim": "many"}}).encode(),
     json.dumps({"model_cfg": CONFIG | {"embed_dim": 33, "text_cfg": {
         "tokenizer_kwargs": {"trust_remote_code": True}}}}).encode()],
    ids=lambda content: repr(content[:25]),
)  # fmt: skip
def test_a_hostile_description_of_a_clip_is_refused(content: bytes, hub: Path) -> None:
    in_hub(hub, "me/clip", "open_clip_config.json", content)
    with pytest.raises(BackboneError):
        get_backbone("open_clip:hf-hub:me/clip")
