"""Photographs of known classes: which of them are learned from, and that they find their kind."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.weights import WeightsFile
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.head import Head
from fitting_room.index.index import Index
from fitting_room.learning import photographs
from fitting_room.learning.dataset import training_set_from
from fitting_room.learning.losses import LOSSES
from fitting_room.learning.options import TrainingError, TrainingOptions
from fitting_room.learning.photographs import (
    Photographs,
    augmented,
    in_other_light,
    load_photographs,
)
from fitting_room.learning.train import train
from fitting_room.learning.trainer import Trainer
from fitting_room.settings import Settings
from fitting_room.util.progress import Progress, ignore
from tests.conftest import colour_embedder, picture_bytes
from tests.index.test_scoring import a_head
from tests.learning.conftest import COLOURS, QUICK

LIMITS = ImageLimits()
RGB = {"Red": (200, 30, 30), "Green": (30, 160, 40), "Blue": (40, 50, 200), "Grey": (120,) * 3}


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Photographs in class folders; the network of the tests sees nothing but their colour."""
    generator = np.random.default_rng(0)
    for name, colour in {"hot": (200, 30, 30), "cold": (40, 50, 200)}.items():
        folder = tmp_path / "street" / name
        folder.mkdir(parents=True)
        for number in range(6):
            pixels = np.array(colour) + generator.integers(-90, 90, (6, 6, 3))  # no plain ground
            patches = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            patches.resize((60, 60), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    (tmp_path / "street" / "hot" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path / "street"


@pytest.fixture(scope="module")
def colour_shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A catalogue whose labels are its pictures' colours, and its index."""
    folder = tmp_path_factory.mktemp("colours") / "shop"
    (folder / "images").mkdir(parents=True)
    generator = np.random.default_rng(1)
    lines = ["id,baseColour"]
    for number in range(80):
        name = COLOURS[number % 4]
        shade = tuple(int(v) for v in np.clip(RGB[name] + generator.integers(-25, 25, 3), 0, 255))
        (folder / "images" / f"{number}.jpg").write_bytes(picture_bytes(shade, (30, 40)))
        lines.append(f"{number},{name}")
    (folder / "styles.csv").write_text("\n".join(lines), encoding="utf-8")
    index = folder.with_name("index")
    build_index(load_catalogue(folder), colour_embedder(), index, limits=LIMITS)
    return folder, index


@pytest.fixture(autouse=True)
def _colour_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        FittingRoom,
        "open",
        lambda index, settings: FittingRoom(Index.open(index), colour_embedder, LIMITS),
    )


def options_for(street: Path, mapping: object, **changes: Any) -> TrainingOptions:
    path = street.with_name("mapping.json")
    path.write_text(json.dumps(mapping), encoding="utf-8")
    options = replace(QUICK, columns=("baseColour",), photographs=street, mapping=path)
    return replace(options, **{"mapping_column": "baseColour", **changes})


def loaded(
    shop: tuple[Path, Path],
    options: TrainingOptions,
    listener: Any = ignore,
    start: Head | None = None,
) -> Photographs:
    index = Index.open(shop[1])
    training_set = training_set_from(load_catalogue(shop[0]), index, options)
    photographs = load_photographs(index, training_set, options, Settings(), listener, start=start)
    assert photographs is not None
    return photographs


def test_photographs_find_what_the_mapping_says_they_are(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    shutil.copytree(colour_shop[1], index)
    # The other way round than the network sees it: only the photographs can have taught it.
    mapping = {"hot": ["Grey"], "cold": ["Green", "Grey"]}
    summary = train(colour_shop[0], index, options_for(street, mapping, epochs=30))
    assert (summary.photographs, summary.skipped) == (12, 1)
    head = Index.open(index).head
    assert head is not None
    assert head.record["photographs_skipped"] == 1
    fitting_room = FittingRoom.open(index, Settings())
    for name, values in mapping.items():
        (features,) = fitting_room.describe([street / name / "0.png"])
        (projected,) = head.project(features.embeddings[:1], features.descriptors[None])
        best = head.labels["baseColour"][int((head.proxies["baseColour"] @ projected).argmax())]
        assert best in values


def test_of_many_photographs_some_are_for_the_calibration(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path
) -> None:
    picture = (street / "hot" / "0.png").read_bytes()
    for number in range(6, 100):
        (street / "hot" / f"{number}.png").write_bytes(picture)
    index = tmp_path / "index"
    shutil.copytree(colour_shop[1], index)
    options = options_for(street, {"hot": ["Red"], "cold": ["Blue", "Green"]}, epochs=1)
    photographs = loaded(colour_shop, options)
    assert photographs.skipped == 1
    assert len(photographs.views) == len(photographs.allowed["baseColour"]) < 106
    assert len(photographs.views) + len(photographs.for_calibration) == 106
    assert {photograph.column for photograph in photographs.for_calibration} == {"baseColour"}
    summary = train(colour_shop[0], index, options)
    assert summary.photographs == len(photographs.views)
    assert summary.skipped == 1


@pytest.mark.parametrize("loss", list(LOSSES))
def test_photographs_are_learned_from_with_every_loss(
    colour_shop: tuple[Path, Path], street: Path, loss: str
) -> None:
    options = options_for(street, {"hot": ["Red"], "cold": ["Blue", "Green"]}, loss=loss, epochs=2)
    photographs = loaded(colour_shop, options)
    index = Index.open(colour_shop[1])
    training_set = training_set_from(load_catalogue(colour_shop[0]), index, options)
    head = Trainer(index, training_set, options=options, photographs=photographs).run(ignore)
    assert head.record["photographs"] == 12
    assert np.isfinite(head.output_weight).all()


def test_a_head_for_a_reduced_index_takes_whole_embeddings(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path
) -> None:
    index, catalogue = tmp_path / "reduced", load_catalogue(colour_shop[0])
    build_index(catalogue, colour_embedder(), index, pca=3, limits=LIMITS)
    options = options_for(street, {"hot": ["Red"], "cold": ["Blue"]}, epochs=1)
    photographs = loaded((colour_shop[0], index), options)
    assert photographs.views.shape == (12, 12, colour_embedder().dimension)
    assert train(colour_shop[0], index, options).photographs == 12


@pytest.mark.parametrize("quantised", [None, WeightsFile("in 8 bits", "2" * 64)])
def test_a_head_with_its_own_network_learns_from_what_that_sees(
    colour_shop: tuple[Path, Path],
    street: Path,
    monkeypatch: pytest.MonkeyPatch,
    quantised: WeightsFile | None,
) -> None:
    of_head = colour_embedder("of the head", "1" * 64)
    network = of_head.selection.identity
    of_head = Embedder(replace(of_head.selection, quantised=quantised), of_head.engine)
    own = colour_embedder()
    both = Embedder(own.selection, own.engine, of_head)
    monkeypatch.setattr(FittingRoom, "open", lambda *_: SimpleNamespace(embedder=both))
    start = replace(a_head(of_head.dimension), network=network)
    photographs = loaded(
        colour_shop, options_for(street, {"hot": ["Red"], "cold": ["Blue"]}), start=start
    )
    assert of_head.engine.seen == photographs.views.shape[0] * photographs.views.shape[1]  # type: ignore[attr-defined]
    assert own.engine.seen == 0  # type: ignore[attr-defined]


def test_progress_counts_every_photograph(colour_shop: tuple[Path, Path], street: Path) -> None:
    steps: list[Progress] = []
    loaded(colour_shop, options_for(street, {"hot": ["Red"], "cold": ["Blue"]}), steps.append)
    assert [step.done for step in steps] == list(range(14))
    assert steps[-1].total == 13


def test_without_photographs_there_is_nothing_to_load(colour_shop: tuple[Path, Path]) -> None:
    index = Index.open(colour_shop[1])
    options = replace(QUICK, columns=("baseColour",))
    training_set = training_set_from(load_catalogue(colour_shop[0]), index, options)
    assert load_photographs(index, training_set, options, Settings()) is None


def test_a_class_that_the_mapping_lacks_is_named(
    colour_shop: tuple[Path, Path], street: Path
) -> None:
    options = options_for(street, {"hot": ["Red"], "warm": ["Red"]})
    with pytest.raises(TrainingError, match=r"mapping\.json.*'cold'.*baseColour"):
        loaded(colour_shop, options)


def test_photographs_of_what_the_catalogue_has_not_are_left_out(
    colour_shop: tuple[Path, Path], street: Path
) -> None:
    options = options_for(street, {"hot": ["Red", "Pink"], "cold": ["Navy Blue"]})
    photographs = loaded(colour_shop, options)
    assert (len(photographs.views), photographs.skipped) == (6, 7)
    options = options_for(street, {"hot": ["Pink"], "cold": ["Navy Blue"]})
    with pytest.raises(TrainingError, match="none of the photographs"):
        loaded(colour_shop, options)


def test_photographs_must_lie_in_class_folders(
    colour_shop: tuple[Path, Path], street: Path
) -> None:
    options = options_for(street, {"hot": ["Red"]})
    with pytest.raises(TrainingError, match="folders named by their class"):
        loaded(colour_shop, replace(options, photographs=street / "hot"))
    with pytest.raises(CatalogueError):
        loaded(colour_shop, replace(options, photographs=street / "nowhere"))


def test_photographs_speak_of_a_column_that_is_learned(
    colour_shop: tuple[Path, Path], street: Path
) -> None:
    options = options_for(street, {"hot": ["Red"]}, mapping_column="articleType")
    with pytest.raises(TrainingError, match=r"articleType.*not learned.*baseColour"):
        loaded(colour_shop, options)


def test_of_too_many_photographs_a_sample_is_taken(
    colour_shop: tuple[Path, Path], street: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "MAX_PHOTOGRAPHS", 5)
    options = options_for(street, {"hot": ["Red"], "cold": ["Blue"]})
    assert len(loaded(colour_shop, options).views) in (4, 5)


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (1, 9)])
def test_tiny_photographs_have_all_views(size: tuple[int, int]) -> None:
    cuts, wholes = augmented(Image.new("RGB", size, "red"), np.random.default_rng(0))
    assert len(cuts) == len(wholes) == 12
    assert all(min(picture.size) > 0 for picture in cuts + wholes)


# --- the colours of photographs ---------------------------------------------------------------


def test_photographs_learn_which_colours_they_may_have(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path
) -> None:
    path = tmp_path / "colours.json"
    path.write_text(json.dumps({"hot/0.png": ["Red", "Grey"], "cold/1.png": ["Nowhere"]}))
    options = options_for(street, {"hot": ["Red"], "cold": ["Blue"]}, colours=path)
    with pytest.raises(TrainingError, match=r"articleType.*not learned"):
        loaded(colour_shop, replace(options, colour_column="articleType"))
    index = Index.open(colour_shop[1])
    labels = training_set_from(load_catalogue(colour_shop[0]), index, options).labels["baseColour"]
    allowed = loaded(colour_shop, options).allowed["baseColour"]
    assert allowed.sum(axis=1).tolist().count(2) == 1
    assert allowed.sum() == 2
    assert {labels[place] for place in np.flatnonzero(allowed.any(axis=0))} == {"Red", "Grey"}


def test_colours_of_other_photographs_are_refused(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path
) -> None:
    path = tmp_path / "colours.json"
    path.write_text(json.dumps({"elsewhere/7.png": ["Red"]}))
    with pytest.raises(TrainingError, match=r"colours\.json: says nothing of the photographs"):
        loaded(colour_shop, options_for(street, {"hot": ["Red"], "cold": ["Blue"]}, colours=path))


def test_another_light_changes_colours_and_not_the_picture() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8))
    lit = in_other_light(image, np.random.default_rng(1))
    assert lit.size == image.size
    before, after = (np.asarray(picture, float).reshape(-1, 3) for picture in (image, lit))
    assert not np.array_equal(before, after)
    assert min(np.corrcoef(before[:, i], after[:, i])[0, 1] for i in range(3)) > 0.9
