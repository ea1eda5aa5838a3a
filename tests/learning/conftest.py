"""A made-up catalogue with its index, written once and copied for each test."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fitting_room.build.writer import Block, write_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH, PLAIN_BACKGROUND
from fitting_room.imaging.features import normalise
from fitting_room.index.head import Head
from fitting_room.index.index import Index
from fitting_room.index.manifest import CatalogueRecord
from fitting_room.learning import trainer
from fitting_room.learning.dataset import TrainingSet, training_set_from
from fitting_room.learning.options import TrainingOptions
from fitting_room.learning.train import TrainingSummary, train
from fitting_room.learning.trainer import Trainer
from fitting_room.util.progress import Listener, ignore
from tests.index.made import manifest_of

KINDS, COLOURS, ITEMS = ["Shirts", "Caps", "Shoes"], ["Red", "Green", "Blue", "Grey"], 240
DIMENSION = 24
#: Quick, and enough for what the tests want to see.
QUICK = TrainingOptions(epochs=6, hidden=64, dimension=16, columns=("articleType", "baseColour"))


class MadeUpShop:
    """A catalogue and its index: the kind of an item is hidden in some directions of its embedding
    and its colour in others, far below what else there is."""

    def __init__(self, folder: Path) -> None:
        self.catalogue, self.index_folder = folder / "shop", folder / "index"
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

    def write(self) -> None:
        (self.catalogue / "images").mkdir(parents=True)
        for number in range(ITEMS):
            (self.catalogue / "images" / f"{number}.jpg").touch()
        self.write_table()
        self.write_index()

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
        write_index(self.index_folder, [Block(self.vectors, self.descriptors)], items, manifest)

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "id": [str(number) for number in range(ITEMS)],
                "articleType": [KINDS[kind] for kind in self.kinds],
                "baseColour": [COLOURS[colour] for colour in self.colours],
            }
        )

    def write_table(self, table: pd.DataFrame | None = None) -> None:
        table = self.table() if table is None else table
        table.to_csv(self.catalogue / "styles.csv", index=False)

    def training_set(self, index: Index | None = None, **changes: Any) -> TrainingSet:
        options = replace(QUICK, **changes)
        index = Index.open(self.index_folder) if index is None else index
        return training_set_from(load_catalogue(self.catalogue), index, options)

    def fit(self, *, listener: Listener = ignore, **changes: Any) -> Head:
        """A head learned from the catalogue, which is not given to the index."""
        index = Index.open(self.index_folder)
        options, training_set = replace(QUICK, **changes), self.training_set(index, **changes)
        with torch.random.fork_rng():
            torch.manual_seed(options.seed)
            return Trainer(index, training_set, options=options).run(listener)

    def train(self, **changes: Any) -> TrainingSummary:
        return train(self.catalogue, self.index_folder, replace(QUICK, **changes))


@pytest.fixture(scope="session")
def _written_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made-up")
    MadeUpShop(folder).write()
    return folder


@pytest.fixture
def made_up(_written_shop: Path, tmp_path: Path) -> MadeUpShop:
    shutil.copytree(_written_shop, tmp_path, dirs_exist_ok=True)
    return MadeUpShop(tmp_path)


@pytest.fixture(autouse=True)
def _quick_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "MIN_BATCHES", 8)
