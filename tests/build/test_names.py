"""Indexes and catalogues of any name, side by side, and places where there can be none."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest

from fitting_room.build import place
from fitting_room.build.edit import add_items, remove_items
from fitting_room.build.writer import write_head
from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue
from fitting_room.catalogue.place import location_of
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.index import Index
from fitting_room.index.manifest import IndexUnusable
from fitting_room.index.vectors import new_array
from tests.build.conftest import add_one, assert_right, build, stop_after
from tests.build.test_head_network import head_for
from tests.conftest import colour_embedder, picture_bytes

LIMITS = ImageLimits()
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names and links")
#: What a pattern, a format or a shell would take for something else; the last is as long as a name
#: can be.
NAMES = [
    "*", "[ps]hop", "?lain", "plai[n]", "**", "%s", "{}", "{0.name}", "$HOME", "~", "a\nb", "-x",
    "--index", "plain.", " plain ", "plain\\", "hämd", "衣服", ".hidden", "plain.checkpoint",
    "new-01234567", "v-0123456789ab", "é" * 127,
]  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def others(parent: Path, name: str) -> dict[str, bytes]:
    """The files beside the index of that name that are not its lock."""
    lock = place.build_lock(parent / name).lock_file
    return {
        file: data
        for file, data in contents(parent).items()
        if Path(file).parts[0] != name and str(parent / file) != str(lock)
    }


@posix
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_an_index_of_any_name_leaves_those_beside_it_alone(
    shop: Path, tmp_path: Path, name: str
) -> None:
    parent, picture = tmp_path / "indexes", tmp_path / "new.jpg"
    picture.write_bytes(picture_bytes("cyan"))
    build(shop, parent / "shop")
    with pytest.raises(KeyboardInterrupt):  # its checkpoint is there for the next
        build(shop, parent / "plain", listener=stop_after(5))
    before = others(parent, name)
    index, embedder = parent / name, colour_embedder()
    with pytest.raises(KeyboardInterrupt):
        build(shop, index, listener=stop_after(5))
    assert build(shop, index)[1] == 5
    assert_right(index, shop)
    add_one(shop)
    assert build(shop, index)[1] == 1
    add_items(index, [picture], lambda: embedder, ids=[name.strip()[:50].replace("\n", "")],
              limits=LIMITS)  # fmt: skip
    write_head(index, head_for(embedder))
    remove_items(index, ["1"])
    assert len(Index.open(index)) == 11
    assert others(parent, name) == before
    assert build(shop, parent / "plain")[1] == 6


@posix
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_catalogue_of_any_name_is_read_and_only_it(shop: Path, tmp_path: Path, name: str) -> None:
    parent = tmp_path / "shops"
    for beside in ("plain", "shop"):
        (parent / beside).mkdir(parents=True)
        (parent / beside / "other.jpg").write_bytes(picture_bytes("gold"))
    before = contents(parent)
    named = shutil.copytree(shop, parent / name, dirs_exist_ok=name == "shop")
    catalogue = load_catalogue(named)
    assert len(catalogue) == 10
    assert catalogue.location == str(named)
    build(named, tmp_path / "index")
    assert_right(tmp_path / "index", named)
    assert {k: v for k, v in contents(parent).items() if not k.startswith(f"{name}/")} == before


@posix
def test_pictures_of_any_name_are_read(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    names = ["*.jpg", "[a].jpg", "?.jpg", "%s.jpg", "{}.jpg", "-x.jpg", " a .jpg", "é.jpg"]
    for number, name in enumerate(names):
        (shop / name).write_bytes(picture_bytes((20 * number, 10, 10)))
    build(shop, tmp_path / "index")
    assert_right(tmp_path / "index", shop)
    assert set(Index.open(tmp_path / "index").items["image"]) == set(names)


# --- places where there can be none -----------------------------------------------------------


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    """A link that leads to itself."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    return tmp_path / "loop"


@posix
@pytest.mark.parametrize("below", ["", "index", "a/index"])
def test_an_index_behind_a_loop_of_links_is_refused(shop: Path, loop: Path, below: str) -> None:
    folder, embedder = loop / below, colour_embedder()
    for operation in (
        lambda: build(shop, folder),
        lambda: Index.open(folder),
        lambda: write_head(folder, None),
        lambda: remove_items(folder, ["1"]),
        lambda: add_items(folder, [shop / "images/1.jpg"], lambda: embedder, limits=LIMITS),
    ):
        with pytest.raises(IndexUnusable, match=r"levels of symbolic links.*another place") as told:
            operation()
        assert str(folder) in str(told.value)


@posix
@pytest.mark.parametrize("below", ["", "shop", "shop/styles.csv"])
def test_a_catalogue_behind_a_loop_of_links_is_refused(loop: Path, below: str) -> None:
    with pytest.raises(CatalogueError, match=r"loop.*levels of symbolic links.*another place"):
        load_catalogue(loop / below)
    if sys.version_info < (3, 13):  # later ones leave such a link as it is
        with pytest.raises(OSError, match="loop"):
            location_of(loop / below)


@posix
def test_a_catalogue_with_a_link_to_itself_is_read_once(shop: Path, tmp_path: Path) -> None:
    (shop / "again").symlink_to(shop)
    (shop / "images" / "loop.jpg").symlink_to(shop / "images" / "loop.jpg")
    build(shop, tmp_path / "index")
    assert_right(tmp_path / "index", shop)
    assert len(Index.open(tmp_path / "index")) == 10


def test_an_index_in_the_place_of_a_file_is_refused(shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(IndexUnusable, match="something else than an index"):
        build(shop, file)
    with pytest.raises(IndexUnusable, match=r"file: this folder cannot be made.*another place"):
        build(shop, file / "index")
    with pytest.raises(IndexUnusable, match="no index here"):
        Index.open(file / "index")
    assert file.read_text() == "mine"
    assert not (tmp_path / ".file.lock").exists()


def test_a_lock_that_cannot_be_made_is_named(shop: Path, tmp_path: Path) -> None:
    embedder = colour_embedder()
    build(shop, tmp_path / "index")
    lock = tmp_path / ".index.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    for operation in (
        lambda: build(shop, tmp_path / "index"),
        lambda: write_head(tmp_path / "index", None),
        lambda: remove_items(tmp_path / "index", ["1"]),
        lambda: add_items(tmp_path / "index", [shop / "a.jpg"], lambda: embedder, limits=LIMITS),
    ):
        with pytest.raises(IndexUnusable, match=r"\.index\.lock: the lock of the index cannot be"):
            operation()


def test_a_place_that_cannot_be_written_is_named(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By stand-ins, since nothing is read-only for who runs the tests as root."""

    def read_only(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(IndexUnusable, match=r"places: this folder cannot be made \(Read-only"):
        build(shop, tmp_path / "places" / "index")


def test_an_index_that_nobody_may_read_is_not_called_missing(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(shop, tmp_path / "index")

    def denied(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(IndexUnusable, match=r"index: the index cannot be read \(Permission"):
        Index.open(tmp_path / "index")


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system cannot reserve space")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EINVAL, errno.EOPNOTSUPP])
def test_the_place_of_an_array_is_taken_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Where a mapped file has no place, the process is ended and nobody told."""
    array = new_array(tmp_path / "whole.npy", float, (1_000, 100))  # type: ignore[arg-type]
    assert (tmp_path / "whole.npy").stat().st_blocks * 512 >= array.nbytes

    def cannot(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", cannot)
    if number == errno.ENOSPC:
        with pytest.raises(OSError, match=r"No space.*array\.npy"):
            new_array(tmp_path / "array.npy", float, (10, 10))  # type: ignore[arg-type]
    else:
        assert new_array(tmp_path / "array.npy", float, (10, 10)).shape == (10, 10)  # type: ignore[arg-type]
