"""Networks of timm and open_clip agree with their libraries' own, with small random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch

from fitting_room.embedding import weights as weights_module
from fitting_room.embedding.backbones import get_backbone, remembered, select, select_again
from fitting_room.embedding.converted import ConversionError, convert, select_converted
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.engine import make_engine
from fitting_room.embedding.timm_networks import TimmNetwork
from fitting_room.embedding.weights import BackboneError, WeightsUnavailable
from fitting_room.embedding.words import LONGEST_TEXT, MOST_TEXTS, WordsNotUnderstood, checked_texts
from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from tests.conftest import ColourEngine
from tests.embedding.conftest import TIMM, cosines, demo_pixels, in_hub, save_safetensors

pytestmark = pytest.mark.usefixtures("hub")

TEXTS = ["a red dress", "blue jeans without stripes"]

# --- the same as the libraries' own -------------------------------------------------------------


@pytest.mark.parametrize("name", TIMM)
def test_a_network_of_timm_is_timms_own_on_both_engines(name: str, folder: Path) -> None:
    own = timm.create_model(name)
    own.load_state_dict(torch.load(folder / name, weights_only=True))
    own.reset_classifier(0)
    config = timm.data.resolve_data_config({}, model=own)
    pixels = demo_pixels(3, config["input_size"][1:])
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        expected = own.eval()((images - mean) / std).numpy()
    selection = select(f"timm:{name}", str(folder / name))
    assert selection.backbone.dimension == expected.shape[1]
    assert selection.backbone.input_size == config["input_size"][1:]
    for kind in ("openvino", "torch"):
        engine = make_engine(selection, kind=kind, precision="f32")
        np.testing.assert_array_less(0.999, cosines(engine(pixels), expected))
        maps = engine.feature_maps(pixels)  # none, or those whose mean is the answer
        assert maps is None or cosines(maps.mean(axis=(1, 2)), expected).min() > 0.999


@pytest.fixture(scope="session")
def own_clip(folder: Path) -> torch.nn.Module:
    return open_clip.create_model("tiny-clip", pretrained=str(folder / "clip.safetensors")).eval()


def test_a_network_of_open_clip_is_open_clips_own(folder: Path, own_clip: Any) -> None:
    pixels = demo_pixels(5, (64, 64))
    constants_of = (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in constants_of)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    tokens = open_clip.get_tokenizer("tiny-clip")(TEXTS)
    with torch.inference_mode():
        expected = own_clip.encode_image((images - mean) / std).numpy()
        of_texts = own_clip.encode_text(tokens).numpy()
    selection = select("open_clip:tiny-clip", str(folder / "clip.safetensors"))
    for kind in ("openvino", "torch"):
        embedder = Embedder(selection, make_engine(selection, kind=kind, precision="f32"))
        np.testing.assert_array_less(0.999, cosines(embedder.engine(pixels), expected))
    rows = embedder.embed_texts(TEXTS)
    assert rows.dtype == np.float32
    np.testing.assert_array_less(0.999, cosines(rows, of_texts))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert embedder.embed_texts([]).shape == (0, 32)


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "texts",
    ["red", [""], ["red", "  "], ["a" * (LONGEST_TEXT + 1)], ["a"] * (MOST_TEXTS + 1), [None]],
    ids=lambda texts: repr(texts)[:15],
)
def test_texts_that_cannot_be_taken_are_refused(texts: Any) -> None:
    with pytest.raises(WordsNotUnderstood):
        checked_texts(texts)


def test_a_network_without_words_says_so(folder: Path) -> None:
    selection = select("timm:test_vit", str(folder / "test_vit"))
    embedder = Embedder(selection, ColourEngine())
    assert not embedder.reads_words
    with pytest.raises(WordsNotUnderstood, match=r"timm:test_vit.*open_clip"):
        embedder.embed_texts(["red"])


# --- an index of such a network -------------------------------------------------------------------


def test_an_index_is_built_searched_and_only_with_its_own_weights(
    folder: Path, shop: Path, tmp_path: Path
) -> None:
    file = folder / "clip.safetensors"
    mine = Settings(cache=tmp_path / "cache", weights=str(file), backbone="open_clip:tiny-clip")
    FittingRoom.build(shop, tmp_path / "index", head="none", settings=mine)
    fitting_room = FittingRoom.open(tmp_path / "index", mine)
    assert fitting_room.reads_words
    assert fitting_room.search(shop / "images" / "3.jpg", n=1)[0].id == "3"
    assert fitting_room.embed_texts(TEXTS).shape == (2, 32)
    other = tmp_path / "other.safetensors"
    state = {k: v + 1 for k, v in weights_module.read_state_dict(file).items()}
    save_safetensors(state, other)
    with pytest.raises(BackboneError, match=r"other\.safetensors.*sha256"):
        FittingRoom.open(tmp_path / "index", Settings(cache=tmp_path, weights=str(other)))


def test_an_index_is_searched_without_the_libraries(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selection = select("timm:test_resnet", str(folder / "test_resnet"))
    cache = tmp_path / "networks"
    convert(selection, cache)
    monkeypatch.setattr(weights_module, "missing_module", lambda _: True)
    again = remembered(selection.identity)
    assert again.preprocessing == selection.backbone.preprocessing
    chosen = select_converted("timm:test_resnet", cache)
    assert chosen.identity == selection.identity
    pixels = demo_pixels(2, selection.backbone.input_size)
    assert make_engine(chosen, kind="openvino", cache=cache)(pixels).shape[0] == 2
    with pytest.raises(BackboneError, match="no converted timm:test_vit"):
        select_converted("timm:test_vit", cache)


def test_torch_runs_what_openvino_cannot_take_and_it_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such layer")

    selection = select("timm:test_resnet", str(folder / "test_resnet"))
    monkeypatch.setattr(torch.jit, "trace", fail)
    monkeypatch.setattr("fitting_room.embedding.engine._accelerator", lambda: None)
    assert make_engine(selection).name.startswith("torch")
    assert "no such layer" in caplog.text
    with pytest.raises(ConversionError, match="FITTING_ROOM_ENGINE=torch"):
        make_engine(selection, kind="openvino")


class Fickle(torch.nn.Module):
    """Answers dark pictures in another way than the others, which no trace of one kind shows."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.network(pixels)
        return answer if pixels.mean() < -0.5 else -answer


def test_a_conversion_that_answers_something_else_is_not_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    selection = select(f"timm:{TIMM[0]}", str(folder / TIMM[0]))
    load = TimmNetwork.load
    monkeypatch.setattr(TimmNetwork, "load", lambda *arguments: Fickle(load(*arguments)))
    monkeypatch.setattr("fitting_room.embedding.engine._accelerator", lambda: None)
    assert make_engine(selection).name.startswith("torch")
    assert "something else than torch" in caplog.text


# --- names, sizes, weights ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("timm:resnet19", "timm:resnet18"),
        ("timm:resnet18.a9_in1k", "timm:resnet18.a1_in1k"),
        ("open_clip:vit-b-32x", "open_clip:ViT-B-32"),
        ("open_clip:ViT-B-32/laion2b_s34b", "open_clip:ViT-B-32/laion2b_s34b_b79k"),
    ],
)
def test_an_unknown_name_is_refused_with_near_ones(name: str, near: str) -> None:
    with pytest.raises(BackboneError) as caught:
        get_backbone(name)
    assert near in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["timm:", "timm:../x", "timm:a b", "timm:hf-hub:one", "timm:" + "a" * 200, "keras:resnet50",
     "timm:local-dir:/tmp", "open_clip:hf-hub:a/b/c"],
    ids=lambda name: name[:15],
)  # fmt: skip
def test_what_cannot_be_a_name_is_refused_without_asking_a_library(name: str) -> None:
    with pytest.raises(BackboneError, match=r"no backbone.*timm:NAME, open_clip:NAME"):
        select(name)


def test_another_size_is_taken_where_the_network_can(folder: Path) -> None:
    vit = select("timm:test_vit", str(folder / "test_vit"), input_size=(128, 96))
    assert make_engine(vit, kind="torch")(demo_pixels(1, (128, 96))).shape == (1, 64)
    with pytest.raises(BackboneError, match=r"timm:test_vit cannot .* 100 x 90"):
        select("timm:test_vit", input_size=(100, 90))
    with pytest.raises(BackboneError, match="32 to 1024"):
        select("open_clip:tiny-clip", input_size=(16, 16))


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("timm:resnet18", "timm/resnet18"),
        ("open_clip:ViT-B-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("open_clip:hf-hub:Marqo/marqo-fashionSigLIP", "Marqo/marqo-fashionSigLIP"),
        ("timm:hf-hub:me/mine", "me/mine"),
    ],
)
def test_weights_that_are_not_here_are_named_with_their_place(
    name: str, repository: str, hub: Path
) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        select(name, timeout=5)
    for named in (repository, "no connection", "--weights", str(hub)):
        assert named in str(caught.value)


def test_a_network_of_several_weights_lists_them() -> None:
    with pytest.raises(WeightsUnavailable, match="open_clip:ViT-B-32/openai"):
        select("open_clip:ViT-B-32")


def test_weights_in_the_hubs_cache_are_taken_and_found_again(folder: Path, hub: Path) -> None:
    repository = timm.get_pretrained_cfg("test_vit").hf_hub_id
    state = torch.load(folder / "test_vit", weights_only=True)
    save_safetensors(state, path := in_hub(hub, repository, "model.safetensors", b""))
    made_by = select("timm:test_vit")
    assert made_by.weights.path == path
    again = select_again(made_by.identity)
    assert again.identity == made_by.identity
    assert again.backbone.module(again.weights) is not None
    path.write_bytes(b"changed")
    with pytest.raises(BackboneError, match=r"model\.safetensors.*sha256"):
        again.backbone.module(again.weights)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop(next(iter(state))),
        lambda state: state.clear(),
        lambda state: state.update({next(iter(state)): torch.ones(3)}),
    ],
    ids=["lacking", "empty", "another shape"],
)
def test_weights_that_do_not_fit_are_refused(
    change: Callable[[dict[str, torch.Tensor]], object], folder: Path, tmp_path: Path
) -> None:
    sources = {"timm:test_resnet": "test_resnet", "open_clip:tiny-clip": "clip.safetensors"}
    for name, source in sources.items():
        state = weights_module.read_state_dict(folder / source)
        for key in [key for key in state if key.startswith("fc.")]:
            del state[key]
        change(state)
        torch.save(state, tmp_path / "wrong.pth")
        selection = select(name, str(tmp_path / "wrong.pth"))
        with pytest.raises(BackboneError, match=r"wrong\.pth"):
            selection.backbone.module(selection.weights)


# --- an index that anybody may have made, and no library ------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [("input_size", [10**9, 1]), ("mean", "x"), ("std", [0, 1, 1]), ("dimension", 0),
     ("dimension", 10**9), ("dimension", True), ("reduced_to", 1)],
)  # fmt: skip
def test_a_hostile_manifest_is_refused(key: str, value: Any) -> None:
    sound = get_backbone("timm:test_vit").preprocessing
    identity = {"backbone": "timm:test_vit", "weights": "w", "weights_sha256": "0" * 64}
    with pytest.raises(BackboneError):
        select_again(identity | {"preprocessing": sound | {key: value}})


def test_open_clip_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "fitting_room.embedding.open_clip_networks"
    monkeypatch.setattr(f"{module}.missing_module", lambda name: name == "open_clip")
    with pytest.raises(BackboneError, match=r"pip install 'fitting-room\[build,clip\]'"):
        get_backbone("open_clip:ViT-B-32")
