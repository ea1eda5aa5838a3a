"""Training: a head learned from labels answers better, photographs find their kind, and what
cannot be learned from says so."""

from __future__ import annotations

import json
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

from fitting_room.build.builder import build_index
from fitting_room.build.writer import write_index
from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue
from fitting_room.catalogue.schema import held_out
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH, LAYOUT, PLAIN_BACKGROUND
from fitting_room.imaging.features import normalise
from fitting_room.index.data import current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import CatalogueRecord, IndexUnusable
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.learning import dataset, photographs, trainer
from fitting_room.learning.dataset import training_set_from
from fitting_room.learning.losses import LOSSES, LossError
from fitting_room.learning.options import TrainingError, TrainingOptions
from fitting_room.learning.train import TrainingSummary, train
from fitting_room.learning.trainer import Trainer, batch_size
from fitting_room.learning.validation import Validator
from fitting_room.settings import Settings
from fitting_room.util.progress import Progress
from tests.conftest import colour_embedder, picture_bytes
from tests.index.made import manifest_of

KINDS, COLOURS, ITEMS = ["Shirts", "Caps", "Shoes"], ["Red", "Green", "Blue", "Grey"], 240
#: Quick, and enough for what the tests below want to see.
QUICK = TrainingOptions(epochs=6, hidden=64, dimension=16, columns=("articleType", "baseColour"))
DIMENSION = 24


class Goods:
    """A catalogue and its index, both made up: the kind of an item is hidden in some directions of
    its embedding and its colour in others, far below what else there is."""

    def __init__(self, folder: Path) -> None:
        self.catalogue, self.index = folder / "shop", folder / "index"
        generator = np.random.default_rng(0)
        self.kinds = generator.integers(0, len(KINDS), ITEMS)
        self.colours = generator.integers(0, len(COLOURS), ITEMS)
        vectors = generator.normal(size=(ITEMS, DIMENSION))
        vectors[:, :3] = np.eye(3)[self.kinds] + generator.normal(size=(ITEMS, 3)) / 5
        vectors[:, 3:7] = np.eye(4)[self.colours] + generator.normal(size=(ITEMS, 4)) / 5
        self.vectors = normalise(vectors)
        self.descriptors = np.zeros((ITEMS, DESCRIPTOR_LENGTH), np.uint8)
        self.descriptors[:, :20] = generator.integers(0, 256, (ITEMS, 20))
        self.descriptors[:, PLAIN_BACKGROUND] = 255
        (self.catalogue / "images").mkdir(parents=True)
        for number in range(ITEMS):
            (self.catalogue / "images" / f"{number}.jpg").touch()
        self.write_table()
        self.write_index()

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "id": [str(number) for number in range(ITEMS)],
                "articleType": [KINDS[kind] for kind in self.kinds],
                "baseColour": [COLOURS[colour] for colour in self.colours],
            }
        )

    def write_table(self, table: pd.DataFrame | None = None) -> None:
        (self.table() if table is None else table).to_csv(
            self.catalogue / "styles.csv", index=False
        )

    def write_index(self) -> None:
        items = self.table()
        items.insert(1, "image", [f"images/{number}.jpg" for number in range(ITEMS)])
        items.insert(2, "signature", "s")
        items.insert(3, "digest", [f"d{number}" for number in range(ITEMS)])
        manifest = manifest_of(
            ITEMS,
            DIMENSION,
            identity={"backbone": "none", "weights": "none", "weights_sha256": "0"},
            catalogue=CatalogueRecord(str(self.catalogue), "f", {}),
        )
        write_index(self.index, [(self.vectors, self.descriptors)], items, manifest)

    def train(self, **changes: Any) -> TrainingSummary:
        return train(self.catalogue, self.index, replace(QUICK, **changes))


@pytest.fixture
def goods(tmp_path: Path) -> Goods:
    return Goods(tmp_path)


@pytest.fixture(autouse=True)
def _quick_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "MIN_BATCHES", 8)


# --- what comes of it -------------------------------------------------------------------------


@pytest.mark.parametrize("loss", list(LOSSES))
def test_a_trained_index_answers_with_the_right_labels(goods: Goods, loss: str) -> None:
    summary = goods.train(loss=loss, holdout=5, epochs=20, patience=20)
    assert summary.loss == loss
    assert summary.validation["all_after"] > summary.validation["all_before"] + 0.2
    index = Index.open(goods.index)
    assert index.head is not None
    assert index.manifest.head["loss"] == loss
    # Items that took no part, asked about as if they were new, among those that did.
    kept_back = held_out(index.items["id"], 5)
    asked = np.flatnonzero(kept_back)

    def right(ranking: SimilarityOptions) -> float:
        hits = index.search(index.features(asked), 4, options=ranking, exclude=kept_back)
        found = np.stack([of_query.rows for of_query in hits])
        same = (goods.kinds[found] == goods.kinds[asked, None]) & (
            goods.colours[found] == goods.colours[asked, None]
        )
        return float(same.mean())

    assert (
        right(SimilarityOptions(colour=0)) > right(SimilarityOptions(colour=0, trained=False)) + 0.2
    )


def test_the_summary_and_the_record_tell_what_was_done(goods: Goods) -> None:
    summary = goods.train(holdout=4)
    record = Index.open(goods.index).manifest.head
    part = ITEMS * 3 // 4
    assert record["items"] == summary.items == part * 9 // 10
    assert record["validation_items"] == part // 10
    assert record["columns"] == ["articleType", "baseColour"]
    assert record["labels"] == {"articleType": 3, "baseColour": 4}
    assert (record["holdout"], record["seed"], record["loss"]) == (4, 0, "proxies")
    assert 1 <= summary.best_epoch <= summary.epochs <= QUICK.epochs
    assert record["best_epoch"] == summary.best_epoch
    assert record["validation"] == summary.validation
    assert set(summary.validation) == {
        f"{name}_{when}"
        for name in ("articleType", "baseColour", "all")
        for when in ("before", "after")
    }
    assert record["libraries"]["torch"].startswith(torch.__version__.split("+")[0])
    assert summary.photographs == summary.skipped == 0
    assert summary.seconds > 0


def test_the_same_seed_gives_the_same_head(goods: Goods) -> None:
    heads = []
    for seed in (1, 1, 2):
        torch.rand(3)  # whatever went on before
        goods.train(seed=seed, epochs=2)
        heads.append((goods.index / "head.safetensors").read_bytes())
    assert heads[0] == heads[1]
    assert heads[0] != heads[2]


def test_training_leaves_torchs_random_numbers_alone(goods: Goods) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    goods.train(epochs=1)
    assert torch.equal(torch.rand(3), expected)


def test_progress_is_told_step_by_step(goods: Goods) -> None:
    seen: list[Progress] = []
    train(goods.catalogue, goods.index, QUICK, listener=seen.append)
    learning = [progress for progress in seen if progress.stage == "Learning"]
    assert len(learning) > QUICK.epochs
    assert learning[0].done == 0
    assert learning[-1].done <= learning[-1].total


def test_it_stops_when_nothing_gets_better(goods: Goods, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: Iterator[float] = iter([0.5, 0.4, 0.6, 0.6, 0.5, 0.9])
    monkeypatch.setattr(
        Validator,
        "trained",
        lambda self, head: {"articleType": 0.0, "baseColour": 0.0, "all": next(figures)},
    )
    summary = goods.train(patience=2, epochs=6)
    assert (summary.epochs, summary.best_epoch) == (5, 3)
    assert summary.validation["all_after"] == 0.6


def test_what_is_held_out_is_not_looked_at(goods: Goods) -> None:
    goods.train(holdout=3, epochs=1)
    first = (goods.index / "head.safetensors").read_bytes()
    kept_back = held_out(pd.Series([str(n) for n in range(ITEMS)]), 3)
    goods.kinds[kept_back] = 0
    goods.vectors[kept_back] = goods.vectors[0]
    goods.write_table()
    goods.write_index()
    goods.train(holdout=3, epochs=1)
    second = (goods.index / "head.safetensors").read_bytes()
    assert first == second


def test_the_validation_items_are_apart_and_share_no_picture(goods: Goods) -> None:
    index = Index.open(goods.index)
    index.items["digest"] = [f"d{n // 3}" for n in range(ITEMS)]
    training_set = training_set_from(
        load_catalogue(goods.catalogue), index, replace(QUICK, holdout=7)
    )
    train_rows, validation = set(training_set.train.tolist()), set(training_set.validation.tolist())
    kept_back = set(np.flatnonzero(held_out(index.items["id"], 7)).tolist())
    assert len(validation) == pytest.approx(len(train_rows) / 9, abs=4)
    assert train_rows | validation | kept_back == set(range(ITEMS))
    assert not train_rows & validation
    assert not (train_rows | validation) & kept_back
    assert not {n // 3 for n in train_rows} & {n // 3 for n in validation}


def test_items_without_a_label_are_learned_from_all_the_same(goods: Goods) -> None:
    table = goods.table()
    table.loc[::3, "baseColour"] = None
    table.loc[1::3, "articleType"] = "NA"
    table.loc[2:20, ["articleType", "baseColour"]] = None
    goods.write_table(table)
    summary = goods.train()
    empty = table.replace("NA", None)[["articleType", "baseColour"]].isna().all(axis=1).sum()
    assert summary.items == pytest.approx((ITEMS - empty) * 0.9, abs=1)
    assert summary.validation["all_after"] > summary.validation["all_before"] + 0.1


def test_a_label_that_one_item_has_is_fine(goods: Goods) -> None:
    table = goods.table()
    table.loc[0, "articleType"] = "Umbrellas"
    goods.write_table(table)
    goods.train(epochs=1)
    head = Index.open(goods.index).head
    assert head is not None
    assert np.isfinite(head.proxies["articleType"]).all()


def test_the_labels_are_the_catalogues_of_today(goods: Goods) -> None:
    table = goods.table().iloc[::-1].drop(index=[5, 6])  # another order, two items gone
    table["articleType"] = table["articleType"].replace("Caps", "Hats")
    goods.write_table(table)
    goods.train(epochs=1)
    head = Index.open(goods.index).head
    assert head is not None
    assert head.labels["articleType"] == ("Hats", "Shirts", "Shoes")


def test_of_the_default_columns_those_that_tell_something_are_learned(goods: Goods) -> None:
    table = goods.table()
    table["gender"] = "Women"  # the same for all
    goods.write_table(table)
    goods.train(columns=TrainingOptions().columns, epochs=1)
    assert Index.open(goods.index).manifest.head["columns"] == ["articleType", "baseColour"]


def test_pictures_without_a_plain_ground_can_be_learned_from(goods: Goods) -> None:
    goods.descriptors[:, PLAIN_BACKGROUND] = 0
    goods.write_index()
    summary = goods.train()
    assert summary.validation["all_after"] > summary.validation["all_before"]


def test_what_never_varies_counts_for_little_the_first_time(goods: Goods) -> None:
    goods.descriptors[:, LAYOUT] = 7
    goods.write_index()
    goods.train(epochs=1)
    head = Index.open(goods.index).head
    assert head is not None
    np.testing.assert_array_equal(head.scale[DIMENSION:][LAYOUT], 1)


@pytest.mark.parametrize(
    ("items", "most", "expected"),
    [(9, 512, 9), (100, 512, 32), (1_200, 512, 150), (40_000, 512, 512), (40_000, 64, 64)],
)
def test_small_catalogues_are_learned_in_small_batches(
    items: int, most: int, expected: int
) -> None:
    assert batch_size(items, most) == expected


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "magic"}, r"magic.*proxies.*supcon"),
        ({"epochs": 0}, "--epochs"),
        ({"batch_size": 1}, "--batch-size"),
        ({"dimension": 10**9}, "--dimension"),
        ({"seed": -1}, "--seed"),
        ({"holdout": 1}, "--holdout"),
        ({"columns": ()}, "--columns"),
        ({"columns": ("articleType", "price")}, r"price.*articleType, baseColour"),
        ({"photographs": Path("street")}, "--mapping"),
        ({"mapping": Path("mapping.json")}, "--photographs"),
        ({"finetune_blocks": 1}, "--save-weights"),
        ({"finetune_blocks": 1, "save_weights": Path("w.pth")}, "safetensors"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    goods: Goods, changes: dict[str, Any], message: str
) -> None:
    before = (current_version(goods.index) / "manifest.json").read_bytes()
    with pytest.raises(TrainingError, match=message):
        goods.train(**changes)
    assert (current_version(goods.index) / "manifest.json").read_bytes() == before


def test_another_catalogue_is_refused(goods: Goods) -> None:
    table = goods.table()
    table.loc[: ITEMS * 2 // 3, "id"] = [f"x{n}" for n in range(ITEMS * 2 // 3 + 1)]
    for number in range(ITEMS * 2 // 3 + 1):
        (goods.catalogue / "images" / f"x{number}.jpg").touch()
    goods.write_table(table)
    with pytest.raises(TrainingError, match=r"only 79 are in .*fitting-room build"):
        goods.train()


def test_labels_that_tell_nothing_apart_are_refused(goods: Goods) -> None:
    table = goods.table()
    table["articleType"], table["baseColour"] = "Shirts", None
    goods.write_table(table)
    with pytest.raises(TrainingError, match="nothing to learn"):
        goods.train()


def test_too_few_items_are_refused(goods: Goods) -> None:
    table = goods.table()
    table.loc[9:, ["articleType", "baseColour"]] = None
    goods.write_table(table)
    with pytest.raises(TrainingError, match="At least 10 items"):
        goods.train()


def test_one_picture_for_all_is_refused(goods: Goods) -> None:
    index = Index.open(goods.index)
    index.items["digest"] = "same"
    with pytest.raises(TrainingError, match="the same picture"):
        training_set_from(load_catalogue(goods.catalogue), index, QUICK)


def test_a_column_of_names_is_refused(goods: Goods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "MAX_LABELS", 3)
    with pytest.raises(TrainingError, match=r"baseColour.*too many"):
        goods.train()


def test_an_index_that_is_not_there_and_a_catalogue_that_is_not_there(goods: Goods) -> None:
    with pytest.raises(IndexUnusable, match="no index"):
        train(goods.catalogue, goods.index / "nowhere", QUICK)
    with pytest.raises(CatalogueError, match="no such catalogue"):
        train(goods.catalogue / "nowhere", goods.index, QUICK)


def test_an_index_that_was_built_anew_meanwhile_is_left_alone(
    goods: Goods, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Trainer.run

    def run(self: Any, listener: Any) -> Any:
        head = original(self, listener)
        manifest = json.loads((current_version(goods.index) / "manifest.json").read_text("utf-8"))
        manifest["identity"]["weights"] = "others"
        (current_version(goods.index) / "manifest.json").write_text(json.dumps(manifest), "utf-8")
        return head

    monkeypatch.setattr(Trainer, "run", run)
    with pytest.raises(TrainingError, match="built anew"):
        goods.train(epochs=1)
    assert Index.open(goods.index).head is None


def test_a_missing_library_is_named(goods: Goods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    with pytest.raises(LossError, match="pip install pytorch-metric-learning"):
        goods.train()


# --- photographs ------------------------------------------------------------------------------


RGB = {"Red": (200, 30, 30), "Green": (30, 160, 40), "Blue": (40, 50, 200), "Grey": (120,) * 3}


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Photographs in class folders; the network of the tests sees nothing but their colour."""
    generator = np.random.default_rng(0)
    for name, colour in {"hot": (200, 30, 30), "cold": (40, 50, 200)}.items():
        folder = tmp_path / "street" / name
        folder.mkdir(parents=True)
        for number in range(6):
            # noise: no studio has such a ground
            pixels = np.array(colour) + generator.integers(-30, 30, (60, 60, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    (tmp_path / "street" / "hot" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path / "street"


@pytest.fixture
def colour_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A catalogue whose labels are its pictures' colours, and its index."""
    folder = tmp_path / "shop"
    (folder / "images").mkdir(parents=True)
    generator = np.random.default_rng(1)
    lines = ["id,baseColour"]
    for number in range(80):
        name = COLOURS[number % 4]
        shade = tuple(int(v) for v in np.clip(RGB[name] + generator.integers(-25, 25, 3), 0, 255))
        (folder / "images" / f"{number}.jpg").write_bytes(picture_bytes(shade, (30, 40)))
        lines.append(f"{number},{name}")
    (folder / "styles.csv").write_text("\n".join(lines), encoding="utf-8")
    embedder = colour_embedder()
    build_index(load_catalogue(folder), embedder, tmp_path / "index", limits=ImageLimits())
    monkeypatch.setattr(
        FittingRoom,
        "open",
        lambda index, settings: FittingRoom(Index.open(index), lambda: embedder, ImageLimits()),
    )
    return folder, tmp_path / "index"


def mapping_file(folder: Path, mapping: object) -> Path:
    path = folder / "mapping.json"
    path.write_text(json.dumps(mapping), encoding="utf-8")
    return path


def with_photographs(street: Path, mapping: Path, **changes: Any) -> TrainingOptions:
    return replace(
        QUICK,
        columns=("baseColour",),
        photographs=street,
        mapping=mapping,
        mapping_column="baseColour",
        **changes,
    )


def test_of_many_photographs_some_are_kept_back_and_tell_what_a_likeness_is_worth(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path
) -> None:
    picture = (street / "hot" / "0.png").read_bytes()
    for number in range(6, 100):
        (street / "hot" / f"{number}.png").write_bytes(picture)
    mapping = mapping_file(tmp_path, {"hot": ["Red"], "cold": ["Blue", "Green"]})
    summary = train(*colour_shop, with_photographs(street, mapping, epochs=2))
    assert summary.skipped == 1
    assert 80 <= summary.photographs < 106
    head = Index.open(colour_shop[1]).head
    assert head is not None
    assert set(head.record["kept_back"]) <= set(Index.open(colour_shop[1]).items["id"])


def test_photographs_find_what_the_mapping_says_they_are(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path
) -> None:
    catalogue, index = colour_shop
    # The other way round than the network sees it: only the photographs can have taught it.
    mapping = mapping_file(tmp_path, {"hot": ["Grey"], "cold": ["Green", "Grey"]})
    summary = train(catalogue, index, with_photographs(street, mapping, epochs=30))
    assert (summary.photographs, summary.skipped) == (12, 1)
    head = Index.open(index).head
    assert head is not None
    assert head.record["photographs_skipped"] == 1
    fitting_room = FittingRoom.open(index, Settings())
    for name in ("hot", "cold"):
        (features,) = fitting_room.describe([street / name / "0.png"])
        (projected,) = head.project(features.embeddings[:1], features.descriptors[None])
        best = head.labels["baseColour"][int((head.proxies["baseColour"] @ projected).argmax())]
        assert best in {"hot": ["Grey"], "cold": ["Green", "Grey"]}[name]


@pytest.mark.parametrize("loss", ["proxy_anchor", "supcon", "multi_similarity"])
def test_photographs_are_learned_from_with_every_loss(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path, loss: str
) -> None:
    mapping = mapping_file(tmp_path, {"hot": ["Red"], "cold": ["Blue", "Green"]})
    summary = train(*colour_shop, with_photographs(street, mapping, loss=loss, epochs=2))
    assert summary.photographs == 12
    head = Index.open(colour_shop[1]).head
    assert head is not None
    assert np.isfinite(head.output_weight).all()


def test_photographs_are_learned_from_with_a_reduced_index_too(
    tmp_path: Path, street: Path, colour_shop: tuple[Path, Path]
) -> None:
    catalogue, _ = colour_shop
    embedder = colour_embedder()
    build_index(
        load_catalogue(catalogue), embedder, tmp_path / "index", pca=3, limits=ImageLimits()
    )
    mapping = mapping_file(tmp_path, {"hot": ["Red"], "cold": ["Blue"]})
    summary = train(catalogue, tmp_path / "index", with_photographs(street, mapping, epochs=2))
    assert summary.photographs == 12


def test_a_class_that_the_mapping_lacks_is_named(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path
) -> None:
    mapping = mapping_file(tmp_path, {"hot": ["Red"], "warm": ["Red"]})
    with pytest.raises(TrainingError, match=r"mapping\.json.*'cold'.*baseColour"):
        train(*colour_shop, with_photographs(street, mapping))


def test_photographs_of_what_the_catalogue_has_not_are_left_out(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path
) -> None:
    mapping = mapping_file(tmp_path, {"hot": ["Red", "Pink"], "cold": ["Navy Blue"]})
    summary = train(*colour_shop, with_photographs(street, mapping, epochs=1))
    assert (summary.photographs, summary.skipped) == (6, 7)
    mapping = mapping_file(tmp_path, {"hot": ["Pink"], "cold": ["Navy Blue"]})
    with pytest.raises(TrainingError, match="none of the photographs"):
        train(*colour_shop, with_photographs(street, mapping, epochs=1))


def test_photographs_must_lie_in_class_folders(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path
) -> None:
    mapping = mapping_file(tmp_path, {"hot": ["Red"]})
    with pytest.raises(TrainingError, match="folders named by their class"):
        train(*colour_shop, with_photographs(street / "hot", mapping))
    with pytest.raises(CatalogueError):
        train(*colour_shop, with_photographs(street / "nowhere", mapping))


def test_photographs_speak_of_a_column_that_is_learned(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path
) -> None:
    options = with_photographs(street, mapping_file(tmp_path, {"hot": ["Red"]}))
    with pytest.raises(TrainingError, match=r"articleType.*not learned.*baseColour"):
        train(*colour_shop, replace(options, mapping_column="articleType"))


def test_no_more_photographs_than_a_sample_are_looked_at(
    colour_shop: tuple[Path, Path], street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "MAX_PHOTOGRAPHS", 5)
    mapping = mapping_file(tmp_path, {"hot": ["Red"], "cold": ["Blue"]})
    summary = train(*colour_shop, with_photographs(street, mapping, epochs=1))
    assert summary.photographs in (4, 5)


def test_tiny_photographs_have_all_views() -> None:
    views = photographs.augmented(Image.new("RGB", (8, 8), "red"))
    assert len({view.size for view in views}) > 1
    assert all(min(view.size) > 0 for view in views)
