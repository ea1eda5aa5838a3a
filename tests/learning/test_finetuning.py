"""Fine-tuning: which blocks learn, that they do, and that the index is searched with what came of
it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.embedding import backbones
from fitting_room.embedding.backbones import Backbone, get_backbone, select
from fitting_room.embedding.weights import BackboneError, read_state_dict
from fitting_room.facade import FittingRoom
from fitting_room.index.index import Index
from fitting_room.learning import finetuning
from fitting_room.learning.dataset import training_set_from
from fitting_room.learning.finetuning import (
    Examples,
    Pictures,
    blocks_of,
    changed,
    finetune,
    learn,
    save_weights,
    unfreeze,
)
from fitting_room.learning.options import TrainingError, TrainingOptions
from fitting_room.learning.photographs import known_photographs
from fitting_room.learning.train import train
from fitting_room.settings import Settings
from fitting_room.util.progress import Progress
from tests.conftest import DEMO

COLUMNS = ("articleType", "baseColour")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pictures of the demo catalogue."""
    folder = tmp_path_factory.mktemp("demo") / "shop"
    (folder / "images").mkdir(parents=True)
    table = pd.read_csv(DEMO / "styles.csv", dtype="str").head(40)
    table.to_csv(folder / "styles.csv", index=False)
    for item in table["id"]:
        (picture,) = (DEMO / "images").glob(f"{item}.*")
        shutil.copy(picture, folder / "images")
    return folder


def small_network() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, stride=4),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 16, 3, stride=2),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
    )


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    """A small network in the registry, whose weights come from a file whatever else it knows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backbones, "_REGISTRY", dict(backbones._REGISTRY))
        backbones.register(
            Backbone(
                name="small",
                title="Small",
                dimension=16,
                input_size=(64, 48),
                mean=(127.0,) * 3,
                std=(128.0,) * 3,
                weights=(),
                architecture=small_network,
                adapt=lambda state, network: state,
            )
        )
        yield


@pytest.fixture(scope="module")
def small(_registered: None, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings that name a file with weights of the small network."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(small_network().state_dict(), folder / "small.pth")
    return Settings(
        cache=folder / "cache", backbone="small", weights=str(folder / "small.pth"), engine="torch"
    )


@pytest.fixture(scope="module")
def built(shop: Path, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's index with the small network."""
    folder = tmp_path_factory.mktemp("built") / "index"
    FittingRoom.build(shop, folder, settings=small)
    return folder


@pytest.fixture
def index_folder(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "index")
    return tmp_path / "index"


def options(folder: Path, **changes: Any) -> TrainingOptions:
    quick = TrainingOptions(
        columns=COLUMNS,
        epochs=2,
        hidden=32,
        dimension=8,
        finetune_blocks=1,
        finetune_epochs=1,
        save_weights=folder / "tuned.safetensors",
    )
    return replace(quick, **changes)


# --- blocks -----------------------------------------------------------------------------------


def names_of(network: torch.nn.Module, parameters: list[torch.nn.Parameter]) -> set[str]:
    wanted = {id(parameter) for parameter in parameters}
    return {name for name, value in network.named_parameters() if id(value) in wanted}


@pytest.mark.parametrize(
    ("name", "count", "learning", "frozen"),
    [
        ("resnet50", 1, {"layer4"}, {"conv1", "bn1", "layer1", "layer2", "layer3"}),
        ("resnet50", 3, {"layer2", "layer3", "layer4"}, {"conv1", "bn1", "layer1"}),
        ("efficientnet_lite0", 1, {"blocks.6", "conv_head", "bn2"}, {"conv_stem", "blocks.5"}),
        ("efficientnet_lite0", 2, {"blocks.5", "blocks.6", "bn2"}, {"bn1", "blocks.4"}),
        ("xception", 3, {"block12", "conv3", "bn3", "conv4", "bn4"}, {"block11", "conv1"}),
    ],
)
def test_the_last_blocks_learn_and_the_others_do_not(
    name: str, count: int, learning: set[str], frozen: set[str]
) -> None:
    with torch.device("meta"):  # shapes only
        network = get_backbone(name).architecture()
    names = names_of(network, unfreeze(network, count))

    def any_of(block: str) -> set[str]:
        return {n for n, _ in network.named_parameters() if n.startswith(f"{block}.")}

    for block in learning:
        assert any_of(block) <= names
        assert any_of(block)
    for block in frozen:
        assert not any_of(block) & names
    assert names == {n for n, p in network.named_parameters() if p.requires_grad}


def test_a_network_of_single_layers_has_its_layers_for_blocks() -> None:
    network = small_network()
    assert len(blocks_of(network)) == 3
    assert names_of(network, unfreeze(network, 1)) == {"3.weight", "3.bias"}
    assert len(blocks_of(torch.nn.Linear(2, 2))) == 1


def test_more_blocks_than_there_are_is_refused() -> None:
    with pytest.raises(TrainingError, match="3 blocks"):
        unfreeze(small_network(), 4)


# --- pictures ---------------------------------------------------------------------------------


def test_a_picture_is_changed_a_little_and_the_same_way_for_a_seed() -> None:
    picture = Image.radial_gradient("L").convert("RGB")
    versions = [np.asarray(changed(picture, np.random.default_rng(seed))) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(versions[0], versions[1])
    assert versions[0].shape != versions[2].shape or not (versions[0] == versions[2]).all()
    for height, width, _ in (version.shape for version in versions):
        assert height >= 0.9 * 256 - 1
        assert width >= 0.9 * 256 - 1
    assert changed(Image.new("RGB", (1, 1)), np.random.default_rng(0)).size == (1, 1)


# --- learning ---------------------------------------------------------------------------------


def learned(
    shop: Path,
    built: Path,
    small: Settings,
    options: TrainingOptions,
    photographs: Pictures | None = None,
) -> Any:
    """The small network after :func:`learn` with its mean losses."""
    selection = select("small", small.weights)
    catalogue, index = load_catalogue(shop), Index.open(built)
    module = selection.backbone.module(selection.weights)
    losses = learn(
        module,
        selection.backbone,
        Examples(
            Pictures(catalogue, index.items["image"].tolist(), small.limits),
            photographs,
            training_set_from(catalogue, index, replace(options, seed=0)),
        ),
        options,
    )
    return module, losses


def test_only_the_unfrozen_blocks_have_changed(
    shop: Path, built: Path, small: Settings, tmp_path: Path
) -> None:
    module, _ = learned(shop, built, small, options(tmp_path))
    save_weights(module, tmp_path / "tuned.safetensors")
    old = read_state_dict(Path(str(small.weights)))
    new = read_state_dict(tmp_path / "tuned.safetensors")
    assert {name for name in old if not torch.equal(old[name], new[name])} == {"3.weight", "3.bias"}
    assert not list(tmp_path.glob(".tuned*"))  # nothing half written


def test_the_same_seed_gives_the_same_weights(
    shop: Path, built: Path, small: Settings, tmp_path: Path
) -> None:
    weights = []
    for seed in (1, 1, 2):
        torch.rand(3)  # whatever went on before
        module, _ = learned(shop, built, small, options(tmp_path, seed=seed))
        weights.append(module.network[3].weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_pictures_that_have_gone_are_passed_over(
    shop: Path, built: Path, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(shop, broken)
    for picture in sorted((broken / "images").iterdir())[:5]:
        picture.write_bytes(b"no picture")
    _, losses = learned(broken, built, small, options(tmp_path))
    assert np.isfinite(losses).all()
    monkeypatch.setattr(Pictures, "open", lambda *_, **__: None)
    with pytest.raises(TrainingError, match="cannot be read"):
        learned(shop, built, small, options(tmp_path))


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Photographs of two classes, enough that some are put aside for the calibration: all red in
    one, all blue in the other."""
    generator = np.random.default_rng(0)
    for name, colour in (("red", (200, 20, 20)), ("blue", (20, 20, 200))):
        folder = tmp_path / "street" / name
        folder.mkdir(parents=True)
        for number in range(60):
            pixels = np.array(colour) + generator.integers(0, 40, (32, 24, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return tmp_path / "street"


def test_photographs_teach_the_network_what_the_mapping_says_they_are(
    shop: Path, built: Path, small: Settings, tmp_path: Path, street: Path
) -> None:
    catalogue, index = load_catalogue(shop), Index.open(built)
    one, other = catalogue.items["articleType"].value_counts().index[:2]
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps({"red": [one], "blue": [other]}), encoding="utf-8")
    chosen = options(tmp_path, finetune_epochs=20, photographs=street, mapping=mapping)
    training_set = training_set_from(catalogue, index, chosen)
    photographs = finetuning._photographs(training_set, chosen, small.limits)
    known = known_photographs(training_set, chosen)
    assert photographs is not None
    assert known is not None
    aside = set(known.items["image"][known.items["aside"]])
    assert aside
    assert not aside & set(photographs.names)
    assert len(aside) + len(photographs.names) == 121

    def redder(module: torch.nn.Module) -> float:
        """How much nearer to the items of the one type red is than blue."""
        pictures = Pictures(catalogue, index.items["image"].tolist(), small.limits)
        rows = np.flatnonzero(index.items["articleType"] == one).tolist()
        pixels = [
            pixels for row in rows if (pixels := pictures.open(row, (64, 48), (0,))) is not None
        ]
        pixels += [np.full((64, 48, 3), rgb, np.uint8) for rgb in ((220, 40, 40), (40, 40, 220))]
        with torch.no_grad():
            embeddings = module(torch.from_numpy(np.stack(pixels)))
        *items, red, blue = torch.nn.functional.normalize(embeddings, dim=1)
        return float(torch.stack(items).mean(dim=0) @ (red - blue))

    without, losses = learned(shop, built, small, chosen)
    assert np.isfinite(losses).all()
    with_photographs, losses = learned(shop, built, small, chosen, photographs)
    assert np.isfinite(losses).all()
    assert redder(with_photographs) > redder(without)


def test_photographs_of_nothing_that_is_learned_are_refused_before_the_work(
    shop: Path,
    index_folder: Path,
    small: Settings,
    tmp_path: Path,
    street: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps({"red": ["Anvils"], "blue": ["Anchors"]}), encoding="utf-8")
    monkeypatch.setattr(finetuning, "learn", lambda *_, **__: pytest.fail("it began to learn"))
    with pytest.raises(TrainingError, match="none of the photographs"):
        train(
            shop,
            index_folder,
            options(tmp_path, photographs=street, mapping=mapping),
            settings=small,
        )


def test_fine_tuned_weights_of_resnet50_are_taken(tmp_path: Path) -> None:
    backbone = get_backbone("resnet50")
    module: Any = torch.nn.Module()
    module.network = backbone.architecture()
    save_weights(module, tmp_path / "resnet.safetensors")
    selection = select("resnet50", str(tmp_path / "resnet.safetensors"))
    loaded: Any = selection.backbone.module(selection.weights)
    assert torch.equal(loaded.network.conv1.weight, module.network.conv1.weight)


# --- from end to end --------------------------------------------------------------------------


def test_the_index_is_searched_with_the_fine_tuned_network(
    shop: Path, index_folder: Path, small: Settings, tmp_path: Path
) -> None:
    before = Index.open(index_folder)
    steps: list[Progress] = []
    summary = train(
        shop,
        index_folder,
        options(tmp_path, finetune_epochs=6, holdout=5),
        settings=small,
        listener=steps.append,
    )
    index = Index.open(index_folder)
    assert index.identity["weights"] == "tuned.safetensors"
    assert index.identity["backbone"] == "small"
    assert not np.allclose(index.vectors, before.vectors, atol=1e-3)
    assert index.head is not None
    losses = index.head.record["finetuned"]["losses"]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    assert index.head.record["finetuned"]["blocks"] == 1
    assert summary.items == index.head.record["items"]
    assert "Fine-tuning the network" in {progress.stage for progress in steps}
    tuned = replace(small, weights=str(tmp_path / "tuned.safetensors"))
    (picture,) = (shop / "images").glob("10001.*")
    assert FittingRoom.open(index_folder, tuned).search(picture, 40)
    # Without the file it cannot be searched, and the error says so.
    with pytest.raises(BackboneError, match="--weights"):
        FittingRoom.open(index_folder, replace(small, weights=None))


def test_a_later_build_keeps_the_fine_tuned_network_and_its_head(
    shop: Path, index_folder: Path, small: Settings, tmp_path: Path
) -> None:
    train(shop, index_folder, options(tmp_path), settings=small)
    trained = Index.open(index_folder)
    unnamed = replace(small, backbone="auto", weights=None)
    with pytest.raises(BackboneError, match=r"tuned\.safetensors.*--weights"):
        FittingRoom.build(shop, index_folder, settings=unnamed)
    weights = str(tmp_path / "tuned.safetensors")
    built = FittingRoom.build(shop, index_folder, weights=weights, settings=unnamed)
    assert built.summary is not None
    assert built.summary.reused == built.summary.items == 40
    assert built.index.identity == trained.identity
    assert built.index.head is not None
    assert trained.head is not None
    np.testing.assert_array_equal(built.index.head.hidden_weight, trained.head.hidden_weight)
    # Whoever names another network gets that.
    other = FittingRoom.build(shop, index_folder, backbone="efficientnet_lite0", settings=unnamed)
    assert other.index.identity["weights"] != trained.identity["weights"]
    assert other.summary is not None
    assert other.summary.reused == 0


@pytest.mark.parametrize("head", [None, "fashion", "none"])
def test_the_packaged_head_goes_on_beside_the_fine_tuned_network(
    shop: Path, index_folder: Path, small: Settings, tmp_path: Path, head: str | None
) -> None:
    before = Index.open(index_folder)
    assert before.head is not None
    train(shop, index_folder, options(tmp_path, head=head), settings=small)
    index = Index.open(index_folder)
    assert index.head is not None
    assert index.identity["weights"] == "tuned.safetensors"
    if head == "none":
        assert index.head.record["started_from"] is None
        assert index.head.takes(index.identity)
        assert index.head_vectors is None
    else:
        assert index.head.record["started_from"] == "fashion"
        assert index.head.takes(index.manifest.head_network)
        assert index.head.takes(before.manifest.head_network)
        assert index.head_vectors is not None


def test_without_the_packaged_head_a_fine_tuning_starts_from_nothing(
    shop: Path, small: Settings, tmp_path: Path
) -> None:
    FittingRoom.build(shop, tmp_path / "index", settings=small, head="none")
    train(shop, tmp_path / "index", options(tmp_path), settings=small)
    index = Index.open(tmp_path / "index")
    assert index.head is not None
    assert index.head.record["started_from"] is None
    assert index.head.takes(index.identity)


def test_a_head_whose_network_cannot_stay_is_refused_before_the_work(
    shop: Path, small: Settings, tmp_path: Path
) -> None:
    FittingRoom.build(shop, tmp_path / "index", settings=small, head="none")
    head = tmp_path / "head.safetensors"
    train(shop, tmp_path / "index", options(tmp_path, finetune_blocks=0, save_head=head))
    wanted = options(tmp_path, head=str(head))
    with pytest.raises(TrainingError, match=r"beside the fine-tuned one.*--head none"):
        train(shop, tmp_path / "index", wanted, settings=small)
    assert not (tmp_path / "tuned.safetensors").exists()


def test_a_reduced_index_stays_reduced(shop: Path, small: Settings, tmp_path: Path) -> None:
    FittingRoom.build(shop, tmp_path / "index", settings=small, pca=4)
    train(shop, tmp_path / "index", options(tmp_path, head="none"), settings=small)
    index = Index.open(tmp_path / "index")
    assert index.dimension == 4
    assert index.head is not None
    assert index.pca is not None
    assert index.head.input_dimension == len(index.pca.mean)


def test_the_packaged_network_can_be_fine_tuned(
    shop: Path, tmp_path: Path, settings: Settings
) -> None:
    chosen = replace(settings, cache=tmp_path / "cache", engine="torch")
    FittingRoom.build(shop, tmp_path / "index", input_size=(64, 48), settings=chosen)
    catalogue, index = load_catalogue(shop), Index.open(tmp_path / "index")
    of_training = options(tmp_path, loss="supcon")
    training_set = training_set_from(catalogue, index, of_training)
    tuned, record = finetune(catalogue, index, training_set, of_training, chosen)
    assert tuned.weights == str(tmp_path / "tuned.safetensors")
    assert record is not None
    index = Index.open(tmp_path / "index")
    assert index.identity["preprocessing"]["input_size"] == [64, 48]
    fitting_room = FittingRoom.open(tmp_path / "index", tuned)
    assert len(fitting_room.search(next((shop / "images").iterdir()), 3)) == 3


# --- what goes wrong --------------------------------------------------------------------------


def test_the_weights_in_use_are_not_overwritten(
    shop: Path, index_folder: Path, small: Settings, tmp_path: Path
) -> None:
    in_use = tmp_path / "tuned.safetensors"
    in_use.write_bytes(b"weights")
    with pytest.raises(TrainingError, match="in use"):
        train(shop, index_folder, options(tmp_path), settings=replace(small, weights=str(in_use)))
    assert in_use.read_bytes() == b"weights"


def test_a_folder_that_is_not_there_is_named_before_the_work(
    shop: Path, index_folder: Path, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetuning, "learn", lambda *_, **__: pytest.fail("it began to learn"))
    with pytest.raises(TrainingError, match="nowhere"):
        train(shop, index_folder, options(tmp_path / "nowhere"), settings=small)


def test_weights_that_cannot_be_written_leave_the_index(
    shop: Path, index_folder: Path, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(finetuning, "write_atomically", full)
    with pytest.raises(TrainingError, match=r"tuned\.safetensors.*No space"):
        train(shop, index_folder, options(tmp_path), settings=small)
    assert Index.open(index_folder).identity["weights"] == "small.pth"


def test_a_device_that_is_not_there_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert finetuning._device("auto") == "cuda"
    assert finetuning._device("torch") == "cpu"
    assert finetuning._device("mps") == "cpu"


def test_what_a_killed_training_left_of_its_weights_is_removed(tmp_path: Path) -> None:
    from fitting_room.learning.finetuning import _checked
    from fitting_room.util.files import beside

    module, path = torch.nn.Module(), tmp_path / "tuned.safetensors"
    module.network = torch.nn.Linear(2, 2)
    beside(path, "new-0123abcd").write_bytes(b"half")
    save_weights(module, path)
    assert list(tmp_path.iterdir()) == [path]
    path.unlink()
    path.symlink_to(path)
    if sys.version_info < (3, 13):  # later ones leave such a link as it is
        with pytest.raises(TrainingError, match="no file can be there"):
            _checked(path, Settings())
