"""What the tests of networks and engines share: weights, pixels, and engines made once."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import open_clip
import pytest
import timm
import torch
import torchvision
from huggingface_hub import constants
from PIL import Image

from fitting_room.embedding import backbones
from fitting_room.embedding.backbones import Backbone, Selection, get_backbone, select
from fitting_room.embedding.engine import Engine, make_engine
from fitting_room.embedding.weights import WeightsFile, sha256_of
from fitting_room.imaging.features import normalise
from fitting_room.settings import Settings
from tests.conftest import DEMO

#: An input that is computed in a fifth of the time of the usual one, of odd numbers: paddings
#: depend on them.
SMALL_INPUT = (97, 75)

EngineOf = Callable[[str, str], Engine]


def demo_pixels(count: int, size: tuple[int, int]) -> np.ndarray:
    """Pictures from all over the demo catalogue, uint8 ``(count, height, width, 3)``."""
    paths = sorted((DEMO / "images").iterdir())
    chosen = paths[:: len(paths) // count][:count]
    height, width = size
    return np.stack(
        [np.asarray(Image.open(p).convert("RGB").resize((width, height))) for p in chosen]
    )


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (normalise(first) * normalise(second)).sum(axis=1)


# --- weights ----------------------------------------------------------------------------------


def random_state(
    make: Callable[[], torch.nn.Module], size: tuple[int, int]
) -> dict[str, torch.Tensor]:
    """The state dict of a network with random weights. Its batch norms have seen pictures of
    ``size``: without that, all features of a random network point the same way."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    pixels = torch.from_numpy(demo_pixels(16, size)).permute(0, 3, 1, 2)
    with torch.no_grad():
        network.train()(pixels.float() / 64 - 2)
    return network.state_dict()


@functools.cache
def random_resnet50() -> dict[str, torch.Tensor]:
    return random_state(torchvision.models.resnet50, (96, 72))


@functools.cache
def random_xception() -> dict[str, torch.Tensor]:
    return random_state(lambda: timm.create_model("legacy_xception"), (75, 56))


@pytest.fixture(scope="session")
def resnet50_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet50.pth"
    torch.save(random_resnet50(), path)
    return path


@pytest.fixture(scope="session")
def xception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "xception.pth"
    torch.save(random_xception(), path)
    return path


def local(path: Path) -> WeightsFile:
    return WeightsFile(path.name, sha256_of(path), path)


def in_torch_cache(name: str, content: bytes | Path) -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        path.symlink_to(content)
    else:
        path.write_bytes(content)
    return path


def save_safetensors(state: dict[str, torch.Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file(state, path)


# --- backbones ----------------------------------------------------------------------------------


def with_weights(monkeypatch: pytest.MonkeyPatch, name: str, *sources: Any) -> Backbone:
    """The registered backbone of that name gets other sources of weights for one test."""
    changed = replace(get_backbone(name), weights=sources)
    monkeypatch.setitem(backbones._REGISTRY, name, changed)
    return changed


def xception_of(monkeypatch: pytest.MonkeyPatch, digits: str) -> None:
    """The published weights of xception are for one test those whose sha256 begins so."""
    source = replace(get_backbone("xception").weights[0], sha256=digits)
    with_weights(monkeypatch, "xception", source)


def linear_backbone() -> Backbone:
    """A backbone that is made in no time, for what concerns files and not networks."""
    return replace(
        get_backbone("resnet50"),
        name="linear",
        weights=(),
        architecture=lambda: torch.nn.Linear(3, 2),
        adapt=lambda state, network: state,
    )


def _tiny_network() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3), torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten()
    )


def tiny_selection(path: Path, seed: int) -> Selection:
    """A network that an engine makes in no time, with weights in ``path``."""
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
    return Selection(backbone, local(path), "a test")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Selection:
    return tiny_selection(tmp_path_factory.mktemp("tiny") / "tiny.pth", seed=0)


@pytest.fixture(scope="session")
def tiny_pixels() -> np.ndarray:
    return demo_pixels(3, (16, 12))


@pytest.fixture(scope="session")
def tiny_features(tiny: Selection, tiny_pixels: np.ndarray) -> np.ndarray:
    """What torch computes of the tiny network."""
    return make_engine(tiny, kind="torch")(tiny_pixels)


# --- engines ------------------------------------------------------------------------------------


def openvino_engine(selection: Selection, cache: Path | None) -> Engine:
    return make_engine(selection, kind="openvino", precision="f32", cache=cache)


@pytest.fixture(scope="session")
def converted(tiny: Selection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the tiny network; tests work on copies of it."""
    cache = tmp_path_factory.mktemp("tiny") / "deep" / "cache"
    openvino_engine(tiny, cache)
    return cache


@pytest.fixture
def cache(converted: Path, tmp_path: Path) -> Path:
    return shutil.copytree(converted, tmp_path / "cache")


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    return demo_pixels(24, (224, 168))


@pytest.fixture(scope="session")
def lite0(settings: Settings) -> Engine:
    """The packaged network as it is used: at its own size and in the processor's precision."""
    selection = select("efficientnet_lite0")
    return make_engine(selection, kind="openvino", cache=settings.engines_folder)


@pytest.fixture(scope="session")
def engine_of(settings: Settings, resnet50_file: Path, xception_file: Path) -> EngineOf:
    """Each network on each engine, made once, in 32 bits and for an input of SMALL_INPUT."""
    files = {"resnet50": str(resnet50_file), "xception": str(xception_file)}

    @functools.cache
    def made(name: str, kind: str) -> Engine:
        selection = select(name, files.get(name), input_size=SMALL_INPUT)
        return make_engine(selection, kind=kind, precision="f32", cache=settings.engines_folder)

    return made


def assert_maps_come_to_the_features(engine: Engine, pixels: np.ndarray) -> None:
    maps = engine.feature_maps(pixels)
    assert maps is not None
    assert maps.ndim == 4
    assert maps.shape[0] == len(pixels)
    assert maps.dtype == np.float32
    assert min(maps.shape[1:3]) > 1
    # The engine may compute features in 16 bits; its maps are in 32.
    exact = engine.name.endswith("f32")
    assert cosines(maps.mean(axis=(1, 2)), engine(pixels)).min() >= (0.999 if exact else 0.99)


def assert_batches_do_not_matter(engine: Engine, pixels: np.ndarray) -> None:
    """A picture has the same embedding whatever batch it rides in."""
    count = len(pixels)
    alone = normalise(np.concatenate([engine(pixels[i : i + 1]) for i in range(count)]))
    shuffled = np.random.default_rng(0).permutation(count)
    for size, order in ((3, shuffled), (8, np.arange(count)), (count, shuffled[::-1])):
        rows = [engine(pixels[order[i : i + size]]) for i in range(0, count, size)]
        together = normalise(np.concatenate(rows))
        np.testing.assert_allclose(together, alone[order], atol=1e-3)


V1_FILE, V2_FILE = "resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth"
XCEPTION_FILE = "xception-43020ad28.pth"


# --- networks of libraries ------------------------------------------------------------------

#: One of each kind: convolutions, a transformer of fixed input, layers after the mean.
TIMM = ["test_resnet", "test_vit", "mobilenetv3_small_050"]
CONFIG: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16,
    },
    "text_cfg": {
        "context_length": 77, "vocab_size": 49_408, "width": 32, "heads": 2, "layers": 2,
    },
}  # fmt: skip


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small random weights, and a small network that open_clip knows."""
    folder = tmp_path_factory.mktemp("libraries")
    (folder / "tiny-clip.json").write_text(json.dumps(CONFIG), "utf-8")
    open_clip.add_model_config(folder / "tiny-clip.json")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = open_clip.create_model("tiny-clip").state_dict()
    save_safetensors({k: v.contiguous() for k, v in state.items()}, folder / "clip.safetensors")
    for name in TIMM:
        size = timm.get_pretrained_cfg(name).input_size[1:]
        torch.save(random_state(lambda name=name: timm.create_model(name), size), folder / name)
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, empty, and no connection to it."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def refuse(*_: object, **__: object) -> None:
        raise huggingface_hub.errors.OfflineModeIsEnabled("the tests run offline")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    return tmp_path / "hub"


def in_hub(hub: Path, repository: str, name: str, content: bytes | dict[str, Any]) -> Path:
    """A file as the hub's library keeps it."""
    root = hub / ("models--" + repository.replace("/", "--"))
    (root / "refs").mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text("a" * 40, "utf-8")
    path = root / "snapshots" / ("a" * 40) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path
