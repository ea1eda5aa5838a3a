"""A build that is stopped on the way, and goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fitting_room.build import writer
from fitting_room.index.data import current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import MANIFEST, IndexUnusable
from tests.build.conftest import add_one, assert_right, beside, build, picture, remove, stop_after
from tests.conftest import COLOURS, PROJECT, colour_embedder, picture_bytes

# --- stopped on the way -----------------------------------------------------------------------


@pytest.mark.parametrize("count", range(11))
def test_an_interrupted_build_goes_on_where_it_was(
    shop: Path, folder: Path, count: int, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(shop, folder, listener=stop_after(count))
    with pytest.raises(IndexUnusable):
        Index.open(folder)
    summary, seen = build(shop, folder)
    assert (seen, summary.items, summary.reused) == (10 - count, 10, count)
    assert_right(folder, shop)
    assert beside(folder) == set()
    build(shop, tmp_path / "uninterrupted")
    resumed, expected = Index.open(folder), Index.open(tmp_path / "uninterrupted")
    np.testing.assert_array_equal(resumed.vectors, expected.vectors)
    assert resumed.items.equals(expected.items)


def test_a_build_may_be_interrupted_again_and_again(shop: Path, folder: Path) -> None:
    total = 0
    for count in (2, 5, 9):
        embedder = colour_embedder()
        with pytest.raises(KeyboardInterrupt):
            build(shop, folder, embedder, listener=stop_after(count))
    summary, total = build(shop, folder)
    assert (total, summary.reused) == (1, 9)
    assert_right(folder, shop)


def test_an_interrupted_build_leaves_the_old_index_as_it_was(shop: Path, folder: Path) -> None:
    build(shop, folder)
    before = (current_version(folder) / MANIFEST).read_bytes()
    for number in range(1, 11):
        picture(shop, number).write_bytes(picture_bytes("gold", size=(50 + number, 80)))
    with pytest.raises(KeyboardInterrupt):
        build(shop, folder, listener=stop_after(4))
    assert (current_version(folder) / MANIFEST).read_bytes() == before
    Index.open(folder).verify()


def test_what_changed_after_an_interruption_is_seen(shop: Path, folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(shop, folder, listener=stop_after(6))
    picture(shop, 1).write_bytes(picture_bytes("gold"))
    remove(shop, 2)
    summary, seen = build(shop, folder)
    assert (seen, summary.items) == (5, 9)
    assert_right(folder, shop)


def test_an_interrupted_build_of_another_network_is_not_gone_on_with(
    shop: Path, folder: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(shop, folder, colour_embedder("other"), listener=stop_after(6))
    summary, seen = build(shop, folder)
    assert (seen, summary.reused) == (10, 0)
    assert_right(folder, shop)


KILLED = """
import os, signal, sys
from pathlib import Path
from fitting_room.build import checkpoint
from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.imaging.decode import ImageLimits
from tests.build.conftest import stop_after, stop_after
from tests.build.conftest import stop_after, add_one
from tests.conftest import colour_embedder

shop, folder, unit, done = sys.argv[1:]
checkpoint.FLUSH_EVERY = 2

def listener(progress):
    if progress.unit == unit and progress.done == int(done):
        os.kill(os.getpid(), signal.SIGKILL)

build_index(load_catalogue(shop), colour_embedder(), Path(folder), limits=ImageLimits(),
            listener=listener)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(("unit", "done", "kept"), [("picture", 7, 6), ("item", 10, 10)])
def test_a_killed_build_goes_on_where_it_was(
    shop: Path, folder: Path, unit: str, done: int, kept: int
) -> None:
    """While pictures are embedded, and while the new index is being written."""
    build(shop, folder)
    old = Index.open(folder).vectors[:].copy()
    for number, colour in enumerate(COLOURS, 1):  # all pictures change
        picture(shop, number).write_bytes(picture_bytes(colour, size=(90, 80)))
    arguments = [sys.executable, "-c", KILLED, str(shop), str(folder), unit, str(done)]
    killed = subprocess.run(arguments, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    # The old index is whole and answers.
    meanwhile = Index.open(folder)
    meanwhile.verify()
    np.testing.assert_array_equal(meanwhile.vectors, old)
    assert meanwhile.search(old[3], 1)[0].rows.tolist() == [3]
    # The next build embeds the rest and tidies up.
    summary, seen = build(shop, folder)
    assert (seen, summary.items, summary.reused) == (10 - kept, 10, kept)
    assert_right(folder, shop)
    assert beside(folder) == set()


def test_a_full_disk_loses_neither_the_old_index_nor_what_is_embedded(
    shop: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(shop, folder)
    add_one(shop)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "open_memmap", full)
        with pytest.raises(OSError, match="No space left"):
            build(shop, folder)
    assert len(Index.open(folder)) == 10
    assert build(shop, folder)[1] == 0
    assert_right(folder, shop)
    assert beside(folder) == set()


def test_a_stop_after_the_new_index_is_in_place_leaves_it_there(
    shop: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the version before is being removed."""
    build(shop, folder)
    add_one(shop)
    real, calls = writer.remove_leftovers, 0

    def stopped(folder: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise KeyboardInterrupt
        real(folder)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "remove_leftovers", stopped)
        with pytest.raises(KeyboardInterrupt):
            build(shop, folder)
    assert_right(folder, shop)
    assert build(shop, folder)[1] == 0
    assert len([p for p in folder.iterdir() if p.is_dir()]) == 1
    assert beside(folder) == set()


def test_a_disk_that_is_full_in_the_last_moment_is_called_full(
    shop: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(shop, folder)
    add_one(shop)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "sync", full)
        with pytest.raises(OSError, match=r"No space left on device.*shop"):
            build(shop, folder)
    assert len(Index.open(folder)) == 10
    assert build(shop, folder)[1] == 0
    assert_right(folder, shop)
