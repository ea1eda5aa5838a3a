"""What folders and archives have in common: files by name, and nothing from anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from fitting_room.catalogue.stores import (
    Container,
    FolderStore,
    ImageStore,
    MountedStore,
    StoreError,
    TarStore,
    ZipStore,
)
from fitting_room.imaging.decode import ImageRejected
from tests.catalogue.stores.helpers import MB, PICTURE, SECRET, fill, names_in, tarred, zipped
from tests.conftest import picture_bytes

posix_names = pytest.mark.skipif(sys.platform == "win32", reason="no such file names there")
Make = Callable[[dict[str, bytes]], ImageStore]


@pytest.fixture(params=["folder", "zip", "tar", "mounted"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes a store of each kind from files, with a secret picture beside it."""

    def make_store(files: dict[str, bytes]) -> ImageStore:
        (tmp_path / "secret.jpg").write_bytes(SECRET)
        if request.param == "zip":
            return ZipStore(zipped(tmp_path / "catalogue.zip", files))
        if request.param == "tar":
            return TarStore(tarred(tmp_path / "catalogue.tar", files))
        store = FolderStore(fill(tmp_path / "catalogue", files))
        return store if request.param == "folder" else MountedStore(store, cache=tmp_path)

    return make_store


def test_files_are_listed_at_any_depth(make: Make) -> None:
    names = ["1.jpg", "shirts/2.PNG", "shirts/long sleeves/näh #3.webp"]
    others = ["styles.csv", "shirts/notes.txt", "shirts/4", "jpg"]
    store = make(dict.fromkeys([*names, *others], PICTURE))
    assert sorted(names_in(store)) == sorted(names)
    assert sorted(store.listing().files) == sorted([*names, *others])


def test_hidden_files_and_folders_are_not_listed(make: Make) -> None:
    hidden = [".thumbnail.jpg", ".git/1.jpg", "shirts/._2.jpg", "shirts/.cache/deep/2.jpg"]
    listing = make(dict.fromkeys([*hidden, "shirts/2.jpg"], PICTURE)).listing()
    assert list(listing.files) == ["shirts/2.jpg"]
    assert not listing.passed_over


def test_every_listed_picture_is_read_as_it_is(make: Make) -> None:
    files = {f"shirts/{colour}.jpg": picture_bytes(colour) for colour in ("red", "green", "blue")}
    store = make(files)
    assert {name: store.read(name, MB) for name in names_in(store)} == files


@posix_names
def test_no_name_is_listed_that_cannot_be_read(make: Make) -> None:
    store = make(dict.fromkeys(["10:30.jpg", "front\\back.jpg", "a..b.jpg", "~x.jpg"], PICTURE))
    assert "10:30.jpg" in names_in(store)
    for name in names_in(store):
        assert store.read(name, MB) == PICTURE


OUTSIDE = [
    "../secret.jpg", "shirts/../../secret.jpg", "shirts/../1.jpg", "./1.jpg", "shirts//2.jpg",
    "/secret.jpg", "//secret.jpg", "..\\secret.jpg", "C:/secret.jpg", "C:secret.jpg",
    "1.jpg\0.png", "..", ".", "", "/",
]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leads_elsewhere_is_refused(make: Make, name: str) -> None:
    store = make({"1.jpg": PICTURE, "shirts/2.jpg": PICTURE})
    with pytest.raises(ImageRejected) as caught:
        store.read(name, MB)
    assert caught.value.name == name
    with pytest.raises(StoreError):
        store.open(name)


def test_an_absolute_path_is_refused_although_it_exists(make: Make, tmp_path: Path) -> None:
    store = make({"1.jpg": PICTURE})
    with pytest.raises(ImageRejected):
        store.read((tmp_path / "secret.jpg").as_posix(), MB)


@pytest.mark.parametrize("name", ["styles.csv", ".env", ".hidden.jpg", ".git/config.jpg"])
def test_only_pictures_that_a_listing_shows_are_read(make: Make, name: str) -> None:
    store = make({"1.jpg": PICTURE, name: b"private"})
    with pytest.raises(ImageRejected):
        store.read(name, MB)


@pytest.mark.parametrize("name", ["2.jpg", "shirts", "shirts/", "1.jpg/", "1.JPG.jpg"])
def test_a_picture_that_is_not_there_is_refused(make: Make, name: str) -> None:
    store = make({"1.jpg": PICTURE, "shirts/1.jpg": PICTURE})
    with pytest.raises(ImageRejected) as caught:
        store.read(name, MB)
    assert caught.value.reason.endswith(".")
    assert str(store.location) not in caught.value.reason


def test_the_byte_limit_is_exact(make: Make) -> None:
    store = make({"1.jpg": PICTURE})
    assert store.read("1.jpg", len(PICTURE)) == PICTURE
    with pytest.raises(ImageRejected, match="too large"):
        store.read("1.jpg", len(PICTURE) - 1)


def test_the_place_of_a_picture_names_the_store_and_the_picture(make: Make) -> None:
    store = make({"shirts/1.jpg": PICTURE})
    assert Path(store.path("shirts/1.jpg")) == Path(store.location) / "shirts" / "1.jpg"


def test_one_store_is_read_from_many_threads_at_once(make: Make) -> None:
    files = {f"{i}.jpg": bytes([i]) * (2_000 + 997 * i) for i in range(30)}
    store = make(files)
    order = [f"{i * 7 % 30}.jpg" for i in range(600)]
    with ThreadPoolExecutor(8) as pool:
        data = list(pool.map(lambda name: store.read(name, MB), order))
    assert data == [files[name] for name in order]


def test_any_file_is_opened_and_read_from_any_place(make: Make) -> None:
    table = b"id,name\n" + bytes(range(256)) * 4_000
    store = make({"data/styles.csv": table, "1.jpg": PICTURE})
    with store.open("data/styles.csv") as file:
        assert file.read() == table
        assert file.seek(-7, 2) == len(table) - 7
        assert file.read() == table[-7:]
        assert file.seek(3) == 3
        assert file.readline() == b"name\n"
    with store.open("1.jpg") as file:
        assert file.read() == PICTURE


@pytest.mark.parametrize("name", ["other.csv", "data", ".env", "data/.env"])
def test_a_file_that_no_listing_shows_is_not_opened(make: Make, name: str) -> None:
    files = {"data/styles.csv": b"id", "1.jpg": PICTURE}
    store = make(files if name in ("other.csv", "data") else files | {name: b"private"})
    with pytest.raises(StoreError) as caught:
        store.open(name)
    assert name in str(caught.value)


def test_what_is_kept_of_a_file_is_named_by_it(make: Make) -> None:
    store = cast(Container, make({"1.jpg": PICTURE, "a/2.jpg": PICTURE + b"."}))
    assert store.has("a/2.jpg")
    assert not any(store.has(name) for name in ("2.jpg", "a", "../secret.jpg", "", "1.jpg\0"))
    assert store.version("1.jpg") != store.version("a/2.jpg")
    assert store.version("1.jpg") == store.version("1.jpg")
    assert 0 < store.size("1.jpg") <= len(PICTURE)
    part = store.part("a/2.jpg")
    assert part is None or part.read() == PICTURE + b"."
    for call in (store.part, store.version, store.size):
        with pytest.raises(StoreError):
            call("3.jpg")


def test_signatures_change_with_the_files_alone(make: Make, tmp_path: Path) -> None:
    store = make({"1.jpg": PICTURE, "2.jpg": PICTURE + b"."})
    first = store.listing().files
    assert store.listing().files == first
    assert first["1.jpg"] != first["2.jpg"]


def test_a_cache_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    from fitting_room.catalogue.stores.cache import kept

    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StoreError, match=r"cache.archives: Nothing can be kept.*FITTING_ROOM_CACH"):
        kept(tmp_path / "cache", "key", "1", ".tar", lambda: iter([b"data"]))
