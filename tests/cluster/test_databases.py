"""An index in a database that is built on a real Ray cluster."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fitting_room.catalogue.catalogue import Catalogue, load_catalogue
from fitting_room.cluster import databases, networks
from fitting_room.cluster.connection import connected
from fitting_room.cluster.databases import build_in_database
from fitting_room.databases.address import DatabaseError
from fitting_room.databases.record import open_record
from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from fitting_room.util.progress import Progress
from tests.cluster import folder_database
from tests.cluster.conftest import TestCluster
from tests.conftest import DEMO, with_several_pictures

PICTURES, SEED_ITEMS, LOST = 40, 12, 5


@pytest.fixture
def two_each() -> Catalogue:
    """Twenty items of the demo catalogue with two pictures each. The first picture of one is not
    there, nor both of another."""
    demo = load_catalogue(DEMO)
    few = replace(demo, items=demo.items.iloc[::23].iloc[:PICTURES].reset_index(drop=True))
    catalogue = with_several_pictures(few, 2)
    items = catalogue.items
    both = np.flatnonzero(items["id"] == items["id"].iloc[9])
    items.loc[[LOST, *both], "image"] = "images/none.webp"
    return catalogue


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the workers know the stand-in of a database."""

    def send(*arguments: object) -> SimpleNamespace:
        load = networks.send(*arguments).load  # type: ignore[arg-type]
        return SimpleNamespace(load=partial(folder_database.known_there, load))

    monkeypatch.setattr(databases, "send", send)


def test_a_build_that_was_stopped_goes_on_and_every_row_is_there_once(
    cluster: TestCluster, two_each: Catalogue, settings: Settings, tmp_path: Path, sent: None
) -> None:
    address = f"folder://here{tmp_path}/database"
    done = 0

    def stop(progress: Progress) -> None:
        nonlocal done
        if progress.total == PICTURES and progress.done:
            done = progress.done
            raise KeyboardInterrupt

    with connected(cluster.address):
        build = partial(
            build_in_database, two_each, address, settings=settings, seed_items=SEED_ITEMS
        )
        with pytest.raises(KeyboardInterrupt):
            build(listener=stop)
        with pytest.raises(DatabaseError):
            folder_database.open_version(address)  # nobody finds half of it
        summary = build()
    assert 0 < done < PICTURES
    assert done - 3 <= summary.reused <= done
    assert (summary.items, summary.pictures, summary.failed) == (19, PICTURES - 3, 3)
    assert {name for name, _ in summary.failures} == {
        two_each.items["id"].iloc[LOST], two_each.items["id"].iloc[9],
    }  # fmt: skip
    assert_rows(folder_database.open_version(address), two_each, settings, tmp_path)
    assert not [*(settings.cache / "cluster").glob("*/*")]


def assert_rows(
    database: folder_database.FolderDatabase,
    catalogue: Catalogue,
    settings: Settings,
    tmp_path: Path,
) -> None:
    """The rows are those that a local index has, and the record counts them."""
    local = FittingRoom.build(catalogue, tmp_path / "local", settings=settings).index
    kept = np.flatnonzero(catalogue.items["image"] != "images/none.webp")
    np.testing.assert_array_equal(database.rows(), kept)
    block, expected = database.block(kept), local.store.block(np.arange(len(local)))
    np.testing.assert_allclose(block.vectors, expected.vectors, atol=1e-3)
    np.testing.assert_array_equal(block.descriptors, expected.descriptors)
    assert block.trained is not None and expected.trained is not None
    # The head knows the labels of the seed alone, and is drawn to them.
    assert (block.trained * expected.trained).sum(axis=1).mean() > 0.98
    columns = ["id", "image", "digest", *catalogue.attributes]
    assert block.table[columns].fillna("").equals(expected.table[columns].fillna(""))
    # A row's first picture is the first that is there, by its number in the catalogue.
    np.testing.assert_array_equal(block.firsts, kept[expected.firsts])
    (tmp_path / "record").mkdir()
    seed, encoder, statistics = open_record(database.record(), tmp_path / "record")
    assert seed.item_count <= SEED_ITEMS
    assert encoder.width == database.layout.width
    assert (statistics.counts.items, statistics.counts.embedded) == (19, len(kept))
    assert statistics.counts.plain_background == local.manifest.counts.plain_background
    colours = Counter(catalogue.items["baseColour"].iloc[kept])
    assert statistics.values["baseColour"] == dict(colours)
