"""A small catalogue and its index, built once for all tests here; those that change one take
``labelled_shop`` and build their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from fitting_room.build.writer import write_head
from fitting_room.evaluation.evaluate import evaluate
from fitting_room.evaluation.queries import Queries, load_queries
from fitting_room.evaluation.results import Evaluation
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.head import DESCRIPTOR_INPUTS, Head
from fitting_room.index.index import Index
from tests.conftest import fitting_room_of, write_items


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Never changed."""
    return write_items(tmp_path_factory.mktemp("evaluation") / "catalogue")


@pytest.fixture(scope="session")
def fitting_room(catalogue: Path) -> FittingRoom:
    return fitting_room_of(catalogue)


@pytest.fixture(scope="session")
def queries(catalogue: Path) -> Queries:
    return load_queries(catalogue)


@pytest.fixture(scope="session")
def evaluation(fitting_room: FittingRoom, queries: Queries) -> Evaluation:
    """The catalogue as its own queries, five results each."""
    return evaluate(fitting_room, queries, k=5)


@pytest.fixture
def own_fitting_room(fitting_room: FittingRoom, tmp_path: Path) -> FittingRoom:
    """A copy of the index, to be changed."""
    folder = shutil.copytree(fitting_room.index.folder, tmp_path / "index")
    return FittingRoom(Index.open(folder), lambda: fitting_room.embedder, ImageLimits())


def with_head(fitting_room: FittingRoom, **record: object) -> FittingRoom:
    """The same index with a head, whose record says how it was trained. Writes into the index."""
    index = fitting_room.index
    inputs, units = index.dimension + DESCRIPTOR_INPUTS, 3
    generator = np.random.default_rng(0)
    head = Head(
        columns=("baseColour",),
        labels={"baseColour": ("Blue", "Red")},
        proxies={"baseColour": np.eye(2, units, dtype=np.float32)},
        weights={"baseColour": 1.0},
        record=record,
        mean=np.zeros(inputs, np.float32),
        scale=np.ones(inputs, np.float32),
        hidden_weight=generator.normal(size=(units, inputs)).astype(np.float32),
        hidden_bias=np.zeros(units, np.float32),
        norm_weight=np.ones(units, np.float32),
        norm_bias=np.zeros(units, np.float32),
        output_weight=np.eye(units, dtype=np.float32),
        output_bias=np.zeros(units, np.float32),
    )
    write_head(index.folder, head)
    return FittingRoom(Index.open(index.folder), lambda: fitting_room.embedder, ImageLimits())
