"""Builds on a real Ray cluster: two workers, of which one is killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fitting_room.build.builder import build_index
from fitting_room.build.summary import BuildSummary
from fitting_room.catalogue.catalogue import Catalogue, load_catalogue
from fitting_room.cluster import connection
from fitting_room.cluster.connection import ClusterError, connected
from fitting_room.cluster.databases import build_in_database
from fitting_room.cluster.embedding import PicturesElsewhere, task_for
from fitting_room.cluster.networks import SentNetworks, send
from fitting_room.databases.address import engine_for
from fitting_room.databases.database import Database
from fitting_room.databases.record import open_record
from fitting_room.embedding import converted
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.filters import EVERYTHING
from fitting_room.index.index import Index
from fitting_room.index.manifest import IndexUnusable
from fitting_room.settings import Settings
from fitting_room.util.progress import Listener, Progress, ignore
from tests.cluster.conftest import TestCluster
from tests.cluster.stand_in import waiting_embedder
from tests.conftest import DEMO, colour_embedder, picture_bytes, with_several_pictures
from tests.databases.servers import postgres

ITEMS = 96
PICTURES, SEED_ITEMS, LOST = 40, 12, 5


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of so many pictures of different colours, and one that is damaged."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(ITEMS):
        colour = (2 * number, 255 - number, (37 * number) % 256)
        (folder / f"{number:03d}.png").write_bytes(picture_bytes(colour, (24, 32), "PNG"))
    (folder / "broken.png").write_bytes(picture_bytes("red", kind="PNG")[:60])
    return folder


def build(
    catalogue: Catalogue, folder: Path, work: Path, count: int, listener: Listener = ignore
) -> BuildSummary:
    """Build on the cluster, by workers that wait after so many pictures each until they may go
    on."""
    task = task_for(catalogue, partial(waiting_embedder, work, count), Settings(cache=work))
    return build_index(
        catalogue,
        colour_embedder(),
        folder,
        limits=ImageLimits(),
        elsewhere=PicturesElsewhere(catalogue, task, 4),
        listener=listener,
    )


def assert_same_as_locally(catalogue: Catalogue, folder: Path, tmp_path: Path) -> None:
    """Every item is there once, with the embedding that a build in this process makes."""
    build_index(catalogue, colour_embedder(), tmp_path / "local", limits=ImageLimits())
    local, made = Index.open(tmp_path / "local"), Index.open(folder)
    assert made.items.equals(local.items)
    np.testing.assert_allclose(made.vectors, local.vectors, atol=1e-3)
    np.testing.assert_array_equal(made.descriptors, local.descriptors)


def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(
    cluster: TestCluster, many: Path, tmp_path: Path
) -> None:
    catalogue, work = load_catalogue(many), tmp_path / "work"
    work.mkdir()
    killed: list[int] = []

    def kill(progress: Progress) -> None:
        """Once the first block is there, while the worker that made it waits in the next."""
        if progress.unit == "picture" and progress.done and not killed:
            killed.append(int(next(work.glob("pid-*")).name.removeprefix("pid-")))
            cluster.kill_the_one_with(killed[0])
            (work / "go").touch()

    with connected(cluster.address):
        summary = build(catalogue, tmp_path / "index", work, 16, kill)
    cluster.fill()
    assert killed
    assert (summary.items, summary.reused, summary.failed) == (ITEMS, 0, 1)
    assert [name for name, _ in summary.failures] == ["broken"]
    assert_same_as_locally(catalogue, tmp_path / "index", tmp_path)


def test_a_build_whose_driver_was_stopped_goes_on(
    cluster: TestCluster, many: Path, tmp_path: Path
) -> None:
    catalogue, work, folder = load_catalogue(many), tmp_path / "work", tmp_path / "index"
    work.mkdir()
    done = 0

    def stop(progress: Progress) -> None:
        nonlocal done
        if progress.unit == "picture" and progress.done > 20:
            done = progress.done
            (work / "go").touch()
            raise KeyboardInterrupt

    with connected(cluster.address):
        with pytest.raises(KeyboardInterrupt):
            build(catalogue, folder, work, 32, stop)
        summary = build(catalogue, folder, work, ITEMS)
    assert 20 < done < ITEMS
    assert done - 1 <= summary.reused <= done  # the damaged one may have been among them
    assert (summary.items, summary.failed) == (ITEMS, 1)
    assert_same_as_locally(catalogue, folder, tmp_path)


def test_what_keeps_a_machine_from_working_is_said_with_its_name(
    cluster: TestCluster, many: Path, tmp_path: Path
) -> None:
    catalogue = load_catalogue(many)
    many.rename(tmp_path / "elsewhere")  # a place that the other machines do not have
    with connected(cluster.address), pytest.raises(ClusterError, match=f"{many}.*nothing"):
        build(catalogue, tmp_path / "index", tmp_path, ITEMS)


def test_a_network_is_sent_and_needs_neither_torch_nor_weights(
    cluster: TestCluster,
    demo_fitting_room: FittingRoom,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    embedder = demo_fitting_room.embedder
    picture = embedder.open(picture_bytes("teal"))
    with connected(cluster.address):
        sent = send(embedder, settings)
        monkeypatch.setattr(converted, "_convert", lambda _: pytest.fail("it was made anew"))
        there = SentNetworks(sent.identities, Settings(cache=tmp_path / "cache"), sent.folders)
        received = there.load()
    assert received.selection.identity == embedder.selection.identity
    np.testing.assert_allclose(received.embed([picture]), embedder.embed([picture]), atol=1e-3)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda _: None)
    with (
        pytest.raises(ClusterError, match=r"pip install 'fitting-room\[cluster\]'"),
        connected("x"),
    ):
        pass


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:1"])
def test_an_address_where_nobody_answers_is_named_at_once(address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(ClusterError, match=f"--ray {address}: no Ray"), connected(address):
        pass


# --- an index in a database ---------------------------------------------------------------------


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


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where an index is to be in a real PostgreSQL."""
    with postgres.running(tmp_path_factory.mktemp("pg")) as address_of:
        yield address_of("shop")


def test_a_build_that_is_stopped_and_loses_a_worker_has_every_row_once(
    cluster: TestCluster, two_each: Catalogue, settings: Settings, tmp_path: Path, address: str
) -> None:
    done, killed = 0, False

    def stop(progress: Progress) -> None:
        nonlocal done
        if progress.total == PICTURES and progress.done:
            done = progress.done
            raise KeyboardInterrupt

    def kill(progress: Progress) -> None:
        """Once the first of the other blocks is written."""
        nonlocal killed
        if progress.total == PICTURES - done and progress.done and not killed:
            killed = True
            cluster.kill_one()

    with connected(cluster.address):
        build = partial(
            build_in_database, two_each, address, settings=settings, seed_items=SEED_ITEMS
        )
        with pytest.raises(KeyboardInterrupt):
            build(listener=stop)
        with pytest.raises(IndexUnusable):
            engine_for(address).open(address)  # nobody finds half of it
        summary = build(listener=kill)
    cluster.fill()
    assert killed
    assert 0 < done < PICTURES
    assert done - 3 <= summary.reused <= done
    assert (summary.items, summary.pictures, summary.failed) == (19, PICTURES - 3, 3)
    assert {name for name, _ in summary.failures} == {
        two_each.items["id"].iloc[LOST], two_each.items["id"].iloc[9],
    }  # fmt: skip
    with closing(engine_for(address).open(address)) as database:
        assert_rows(database, two_each, settings, tmp_path)
    assert not [*(settings.cache / "cluster").glob("*/*")]


def assert_rows(
    database: Database, catalogue: Catalogue, settings: Settings, tmp_path: Path
) -> None:
    """The rows are those that a local index has, and the record counts them."""
    local = FittingRoom.build(catalogue, tmp_path / "local", settings=settings).index
    kept = np.flatnonzero(catalogue.items["image"] != "images/none.webp")
    np.testing.assert_array_equal(database.scan(EVERYTHING, ITEMS), kept)
    block, expected = database.block(kept), local.store.block(np.arange(len(local)))
    np.testing.assert_allclose(block.vectors, expected.vectors, atol=1e-3)
    np.testing.assert_array_equal(block.descriptors, expected.descriptors)
    assert block.trained is not None and expected.trained is not None
    # The head knows the labels of the seed alone, and is drawn to them.
    assert (block.trained * expected.trained).sum(axis=1).mean() > 0.98
    columns = ["id", "image", "digest", *catalogue.attributes]
    told, known = (one.table[columns].fillna("").to_numpy().tolist() for one in (block, expected))
    assert told == known
    # A row's first picture is the first that is there, by its number in the catalogue.
    np.testing.assert_array_equal(block.firsts, kept[expected.firsts])
    (tmp_path / "record").mkdir()
    seed, encoder, statistics = open_record(database.record(), tmp_path / "record")
    assert seed.item_count <= SEED_ITEMS
    assert len(seed.manifest.failures) == 3  # those of the whole catalogue
    assert seed.manifest.catalogue.fingerprint == catalogue.fingerprint
    assert encoder.width == database.layout.width
    assert (statistics.counts.items, statistics.counts.embedded) == (19, len(kept))
    assert statistics.counts.plain_background == local.manifest.counts.plain_background
    colours = Counter(catalogue.items["baseColour"].iloc[kept])
    assert statistics.values["baseColour"] == dict(colours)
