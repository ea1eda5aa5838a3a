"""Builds on a real Ray cluster: two workers, of which one is killed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fitting_room.build.builder import build_index
from fitting_room.build.summary import BuildSummary
from fitting_room.catalogue.catalogue import Catalogue, load_catalogue
from fitting_room.cluster import connection
from fitting_room.cluster.connection import ClusterError, connected
from fitting_room.cluster.embedding import PicturesElsewhere, task_for
from fitting_room.cluster.networks import SentNetworks, send
from fitting_room.embedding import converted
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.index import Index
from fitting_room.settings import Settings
from fitting_room.util.progress import Listener, Progress, ignore
from tests.cluster.conftest import TestCluster
from tests.cluster.stand_in import waiting_embedder
from tests.conftest import colour_embedder, picture_bytes

ITEMS = 96


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
