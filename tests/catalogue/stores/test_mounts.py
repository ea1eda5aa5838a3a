"""Archives as folders of their names."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fitting_room.catalogue.stores import FolderStore, MountedStore, StoreError, mounts, open_store
from fitting_room.imaging.decode import ImageRejected
from tests.catalogue.stores.helpers import MB, PICTURE, case, fill, names_in, tarred, zipped
from tests.conftest import picture_bytes


def zip_bytes(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a table, pictures, and archives of pictures."""
    folder = fill(tmp_path / "shop", {"styles.csv": b"id\n1\n", "0.jpg": picture_bytes("red")})
    zipped(folder / "images.zip", {"images/1.jpg": picture_bytes("green")})
    (folder / "shards").mkdir()
    tarred(folder / "shards" / "00000.tar", {"2.jpg": picture_bytes("blue"), "2.json": b"{}"})
    return folder


NAMES = ["0.jpg", "images.zip/images/1.jpg", "shards/00000.tar/2.jpg"]


def test_archives_are_folders_of_their_names(shop: Path, tmp_path: Path) -> None:
    store = open_store(shop, cache=tmp_path)
    assert sorted(names_in(store)) == NAMES
    assert {"styles.csv", "images.zip", "shards/00000.tar/2.json"} <= store.listing().files.keys()
    colours = [store.read(name, MB) for name in NAMES]
    assert colours == [picture_bytes(colour) for colour in ("red", "green", "blue")]
    assert store.open("shards/00000.tar/2.json").read() == b"{}"
    assert Path(store.path(NAMES[1])) == shop / "images.zip" / "images" / "1.jpg"


def test_only_the_archives_that_are_named_are_listed(shop: Path, tmp_path: Path) -> None:
    store = MountedStore(open_store(shop, mounts=False), ["images.zip"], cache=tmp_path)
    assert sorted(names_in(store)) == NAMES[:2]
    assert names_in(MountedStore(FolderStore(shop), [], cache=tmp_path)) == ["0.jpg"]


def test_reading_opens_the_archive_that_is_asked_for_and_no_other(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    open_archive = mounts.open_archive

    def note(part: Any, name: str, *rest: Any) -> Any:
        opened.append(name)
        return open_archive(part, name, *rest)

    monkeypatch.setattr(mounts, "open_archive", note)
    store = open_store(shop, cache=tmp_path)
    store.read("0.jpg", MB)
    assert not opened
    for _ in range(3):
        store.read("images.zip/images/1.jpg", MB)
    assert opened == ["images.zip"]


def test_a_zip_in_a_zip_is_a_folder_in_a_folder(tmp_path: Path) -> None:
    store = open_store(case("46-zip-in-zip") / "archive.zip", cache=tmp_path)
    names = [f"images.zip/images/{i}.jpg" for i in range(1163, 1169)]
    assert sorted(names_in(store)) == names
    again = open_store(case("46-zip-in-zip") / "archive.zip", cache=tmp_path)
    assert again.read(names[3], MB).startswith(b"\xff\xd8")
    assert not (tmp_path / "archives").exists()  # a stored one is read where it is


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("inner", ["images.zip", "images.tar", "images.tar.gz"])
def test_an_archive_in_a_zip_is_read_stored_or_packed(
    tmp_path: Path, compression: int, inner: str
) -> None:
    files = {f"{i}.jpg": picture_bytes(c) for i, c in enumerate(["red", "green", "blue"])}
    make = zipped if inner.endswith("zip") else tarred
    options = {"mode": "w:gz"} if inner.endswith("gz") else {}
    packed = make(tmp_path / inner, files, **options).read_bytes()
    path = zipped(tmp_path / "archive.zip", {"x": b"x", inner: packed}, compression)
    store = open_store(path, cache=tmp_path / "cache")
    assert {n: store.read(f"{inner}/{n}", MB) for n in files} == files
    assert sorted(names_in(store)) == [f"{inner}/{n}" for n in files]


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_archives_in_archives_are_opened_three_deep(tmp_path: Path, depth: int) -> None:
    data = PICTURE
    for level in range(depth, 0, -1):
        data = zip_bytes({f"{level}.zip" if level < depth else "1.jpg": data})
    # `depth` archives: the outermost is a file of the folder
    (fill(tmp_path / "shop", {"0.zip": data})).resolve()
    name = "/".join(["0.zip", *(f"{level}.zip" for level in range(1, depth)), "1.jpg"])
    store = open_store(tmp_path / "shop", cache=tmp_path / "cache")
    if depth <= mounts.MAX_DEPTH:
        assert names_in(store) == [name]
        assert store.read(name, MB) == PICTURE
        return
    assert not names_in(store)
    assert any("too many archives" in reason for reason in store.listing().passed_over)
    with pytest.raises(ImageRejected, match="too many archives"):
        store.read(name, MB)


def test_an_archive_that_holds_itself_comes_to_an_end(tmp_path: Path) -> None:
    """As those do that unpack to themselves for ever."""
    data = zip_bytes({"a.zip": b"", "1.jpg": PICTURE}, zipfile.ZIP_STORED)
    for _ in range(8):
        data = zip_bytes({"a.zip": data, "b.zip": data, "1.jpg": PICTURE})
    path = fill(tmp_path / "shop", {"a.zip": data})
    assert len(names_in(open_store(path, cache=tmp_path / "cache"))) == 1 + 2 + 4


def test_an_archive_that_cannot_be_opened_is_passed_over(shop: Path, tmp_path: Path) -> None:
    fill(shop, {"broken.zip": b"PK\x03\x04 no more", "broken.parquet": b"PAR1"})
    store = open_store(shop, cache=tmp_path)
    listing = store.listing()
    assert sorted(n for n, _ in listing.pictures()) == NAMES
    said = {name: reason for reason, names in listing.passed_over.items() for name in names}
    assert "not a complete zip archive" in said["broken.zip"]
    assert "Parquet" in said["broken.parquet"]
    assert "broken.zip" in listing.files
    with pytest.raises(ImageRejected) as caught:
        store.read("broken.zip/1.jpg", MB)
    assert caught.value.name == "broken.zip/1.jpg"
    with pytest.raises(StoreError, match=r"broken\.zip"):
        store.open("broken.zip/styles.csv")


def test_what_an_archive_passes_over_is_named_with_it(tmp_path: Path) -> None:
    folder = fill(tmp_path / "shop", {})
    zipped(folder / "images.zip", {"../1.jpg": PICTURE, "2.jpg": PICTURE})
    listing = open_store(folder, cache=tmp_path).listing()
    assert listing.passed_over == {"names that cannot be used": ["images.zip/../1.jpg"]}


def test_a_folder_that_is_called_like_an_archive_is_a_folder(tmp_path: Path) -> None:
    folder = fill(tmp_path / "shop", {"images.zip/1.jpg": PICTURE, "a.tar/b.zip/2.jpg": PICTURE})
    store = open_store(folder, cache=tmp_path)
    assert sorted(names_in(store)) == ["a.tar/b.zip/2.jpg", "images.zip/1.jpg"]
    assert store.read("a.tar/b.zip/2.jpg", MB) == PICTURE


def test_an_archive_outside_is_not_opened(shop: Path, tmp_path: Path) -> None:
    zipped(tmp_path / "secret.zip", {"1.jpg": PICTURE})
    try:
        (shop / "linked.zip").symlink_to(tmp_path / "secret.zip")
    except OSError:
        pytest.skip("this system lets no links be made")
    store = open_store(shop, cache=tmp_path)
    for name in ("../secret.zip/1.jpg", "linked.zip/1.jpg", f"{tmp_path}/secret.zip/1.jpg"):
        with pytest.raises(ImageRejected):
            store.read(name, MB)
    assert store.listing().passed_over == {"links that lead out of the folder": ["linked.zip"]}


def test_of_thousands_of_archives_few_stay_open(tmp_path: Path) -> None:
    folder = fill(tmp_path / "shop", {})
    for i in range(100):
        tarred(folder / f"{i:05d}.tar", {f"{i}.jpg": PICTURE})
    store = MountedStore(FolderStore(folder), cache=tmp_path)
    names = names_in(store)
    assert len(names) == 100
    assert all(store.read(name, MB) == PICTURE for name in names)
    assert len(store._open) <= mounts._OPEN


def test_more_archives_than_there_should_be_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "MAX_MOUNTS", 2)
    folder = fill(tmp_path / "shop", {})
    for i in range(4):
        zipped(folder / f"{i}.zip", {"1.jpg": PICTURE})
    listing = open_store(folder, cache=tmp_path).listing()
    assert len(list(listing.pictures())) == 2
    ((_, names),) = listing.passed_over.items()
    assert len(names) == 2


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    fill(
        tmp_path, {"shop.rar": b"Rar!\x1a\x07\x01\0", "notes.txt": b"hello", "1.7z": b"7z\xbc\xaf"}
    )
    with pytest.raises(StoreError, match=r"shop\.rar: .*RAR.*[Uu]npack"):
        open_store(tmp_path / "shop.rar", cache=tmp_path)
    with pytest.raises(StoreError, match=r"1\.7z: .*7-Zip.*[Uu]npack"):
        open_store(tmp_path / "1.7z", cache=tmp_path)
    with pytest.raises(StoreError, match=r"notes\.txt"):
        open_store(tmp_path / "notes.txt", cache=tmp_path)
    with pytest.raises(StoreError, match="nothing"):
        open_store(tmp_path / "gone", cache=tmp_path)


def test_archives_are_found_by_their_names(shop: Path, tmp_path: Path) -> None:
    store = open_store(shop, cache=tmp_path)
    assert store.mounted("images.zip").has("images/1.jpg")
    assert store.has("images.zip/images/1.jpg")
    assert not store.has("images.zip/images/2.jpg")
    assert store.size("images.zip/images/1.jpg") < store.size("images.zip")
    assert store.version("images.zip/images/1.jpg") != store.version("images.zip")
    assert store.part("images.zip").is_whole  # type: ignore[union-attr]
    for name in ("styles.csv", "other.zip", "shards", "images.zip/images"):
        with pytest.raises(StoreError):
            store.mounted(name)
    with pytest.raises(StoreError, match="no table with pictures"):
        store.rows("images.zip")
    assert store.picture_columns("images.zip") == []
    fill(shop, {"broken.zip": b""})
    assert not store.has("broken.zip/1.jpg")


def test_archives_that_are_not_read_are_named(shop: Path, tmp_path: Path) -> None:
    fill(shop, {"a.rar": b"Rar!", "shards/b.7z": b"7z"})
    (names,) = open_store(shop, cache=tmp_path).listing().passed_over.values()
    assert sorted(names) == ["a.rar", "shards/b.7z"]


def test_an_archive_is_known_by_its_bytes_too(tmp_path: Path) -> None:
    for make in (zipped, tarred):
        path = make(tmp_path / "0123abcd", {"1.jpg": PICTURE})
        assert names_in(open_store(path, cache=tmp_path)) == ["1.jpg"]
