"""Pictures of a folder or a zip archive, by name, and nothing from anywhere else."""

from __future__ import annotations

import os
import struct
import sys
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.image_store import FolderStore, ImageStore, ZipStore
from fitting_room.imaging.decode import ImageRejected
from tests.conftest import picture_bytes

MB = 2**20
PICTURE = picture_bytes()
SECRET = picture_bytes("black")

posix_names = pytest.mark.skipif(sys.platform == "win32", reason="no such file names there")
Make = Callable[[dict[str, bytes]], ImageStore]


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def zipped(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def names_in(store: ImageStore) -> list[str]:
    return [name for name, _ in store.pictures()]


@pytest.fixture(params=["folder", "zip"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes a store of either kind from files, with a secret picture beside it."""

    def make_store(files: dict[str, bytes]) -> ImageStore:
        (tmp_path / "secret.jpg").write_bytes(SECRET)
        if request.param == "folder":
            return FolderStore(fill(tmp_path / "catalogue", files))
        return ZipStore(zipped(tmp_path / "catalogue.zip", files))

    return make_store


# --- both kinds -----------------------------------------------------------------------------


def test_pictures_are_listed_at_any_depth_and_nothing_else(make: Make) -> None:
    names = ["1.jpg", "shirts/2.PNG", "shirts/long sleeves/näh #3.webp"]
    others = ["styles.csv", "shirts/notes.txt", "shirts/4", "jpg"]
    store = make(dict.fromkeys([*names, *others], PICTURE))
    assert sorted(names_in(store)) == sorted(names)


def test_hidden_files_and_folders_are_not_listed(make: Make) -> None:
    hidden = [".thumbnail.jpg", ".git/1.jpg", "shirts/._2.jpg", "shirts/.cache/deep/2.jpg"]
    assert names_in(make(dict.fromkeys([*hidden, "shirts/2.jpg"], PICTURE))) == ["shirts/2.jpg"]


def test_every_listed_picture_is_read_as_it_is(make: Make) -> None:
    files = {f"shirts/{colour}.jpg": picture_bytes(colour) for colour in ("red", "green", "blue")}
    store = make(files)
    assert {name: store.read(name, MB) for name in names_in(store)} == files


@posix_names
def test_no_name_is_listed_that_cannot_be_read(make: Make) -> None:
    store = make(dict.fromkeys(["10:30.jpg", "front\\back.jpg", "a..b.jpg", "~x.jpg"], PICTURE))
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


def test_an_absolute_path_is_refused_although_it_exists(make: Make, tmp_path: Path) -> None:
    store = make({"1.jpg": PICTURE})
    with pytest.raises(ImageRejected):
        store.read((tmp_path / "secret.jpg").as_posix(), MB)


@pytest.mark.parametrize("name", ["styles.csv", ".env", ".hidden.jpg", ".git/config.jpg"])
def test_only_what_a_listing_shows_can_be_read(make: Make, name: str) -> None:
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
    assert Path(store.path("shirts/1.jpg")) == store.location / "shirts" / "1.jpg"


def test_one_store_is_read_from_many_threads_at_once(make: Make) -> None:
    files = {f"{i}.jpg": bytes([i]) * (2_000 + 997 * i) for i in range(30)}
    store = make(files)
    order = [f"{i * 7 % 30}.jpg" for i in range(600)]
    with ThreadPoolExecutor(8) as pool:
        data = list(pool.map(lambda name: store.read(name, MB), order))
    assert data == [files[name] for name in order]


# --- folders --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one picture, and beside it a folder ``private`` with another."""
    fill(tmp_path / "private", {"secret.jpg": SECRET})
    return fill(tmp_path / "catalogue", {"shirts/1.jpg": PICTURE})


def link(path: Path, to: Path) -> None:
    try:
        path.symlink_to(to, target_is_directory=to.is_dir())
    except OSError:
        pytest.skip("this system lets no links be made")


def test_a_link_to_a_picture_outside_is_neither_listed_nor_read(folder: Path) -> None:
    link(folder / "2.jpg", folder.parent / "private" / "secret.jpg")
    store = FolderStore(folder)
    assert names_in(store) == ["shirts/1.jpg"]
    with pytest.raises(ImageRejected, match="outside"):
        store.read("2.jpg", MB)


def test_a_link_to_a_folder_outside_is_neither_listed_nor_read(folder: Path) -> None:
    link(folder / "more", folder.parent / "private")
    store = FolderStore(folder)
    assert names_in(store) == ["shirts/1.jpg"]
    with pytest.raises(ImageRejected, match="outside"):
        store.read("more/secret.jpg", MB)


def test_a_picture_replaced_by_a_link_after_the_listing_is_not_read(folder: Path) -> None:
    store = FolderStore(folder)
    assert "shirts/1.jpg" in names_in(store)
    (folder / "shirts" / "1.jpg").unlink()
    link(folder / "shirts" / "1.jpg", folder.parent / "private" / "secret.jpg")
    with pytest.raises(ImageRejected, match="outside"):
        store.read("shirts/1.jpg", MB)


def test_a_folder_whose_name_begins_alike_is_outside(tmp_path: Path) -> None:
    fill(tmp_path / "catalogue-private", {"secret.jpg": SECRET})
    folder = fill(tmp_path / "catalogue", {"1.jpg": PICTURE})
    link(folder / "2.jpg", tmp_path / "catalogue-private" / "secret.jpg")
    assert names_in(FolderStore(folder)) == ["1.jpg"]


def test_a_link_within_the_folder_is_a_picture_like_any_other(folder: Path) -> None:
    link(folder / "2.jpg", folder / "shirts" / "1.jpg")
    store = FolderStore(folder)
    assert sorted(names_in(store)) == ["2.jpg", "shirts/1.jpg"]
    assert store.read("2.jpg", MB) == PICTURE


def test_dangling_and_circular_links_are_passed_over(folder: Path) -> None:
    link(folder / "gone.jpg", folder / "nowhere.jpg")
    link(folder / "shirts" / "again", folder)
    link(folder / "self.jpg", folder / "self.jpg")
    with pytest.raises(ImageRejected):
        FolderStore(folder).read("self.jpg", MB)
    assert names_in(FolderStore(folder)) == ["shirts/1.jpg"]


def test_a_folder_reached_by_a_link_is_read_like_the_folder(folder: Path, tmp_path: Path) -> None:
    link(tmp_path / "alias", folder)
    store = FolderStore(tmp_path / "alias")
    assert [store.read(name, MB) for name in names_in(store)] == [PICTURE]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_with_the_name_of_a_picture_is_not_listed(folder: Path) -> None:
    os.mkfifo(folder / "2.jpg")
    assert names_in(FolderStore(folder)) == ["shirts/1.jpg"]


def test_a_folder_with_the_name_of_a_picture_is_only_a_folder(folder: Path) -> None:
    fill(folder, {"3.jpg/4.jpg": PICTURE})
    store = FolderStore(folder)
    assert sorted(names_in(store)) == ["3.jpg/4.jpg", "shirts/1.jpg"]
    with pytest.raises(ImageRejected):
        store.read("3.jpg", MB)


def test_the_signature_stays_as_long_as_the_file(folder: Path) -> None:
    assert dict(FolderStore(folder).pictures()) == dict(FolderStore(folder).pictures())


@pytest.mark.parametrize("change", ["longer", "later"])
def test_the_signature_changes_with_the_file(folder: Path, change: str) -> None:
    before = dict(FolderStore(folder).pictures())
    path = folder / "shirts" / "1.jpg"
    status = path.stat()
    if change == "longer":  # saved again within the same tick of the clock
        path.write_bytes(PICTURE + b"\0")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    else:  # saved again with the same length
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 2_000_000_000))
    assert dict(FolderStore(folder).pictures()) != before


# --- archives -------------------------------------------------------------------------------


def patch_headers(path: Path, local: int, central: int, value: bytes) -> None:
    """Overwrite a field in the headers of an archive's only entry: at an offset in the local
    header and at one in the central directory (APPNOTE.TXT 4.3.7, 4.3.12)."""
    data = bytearray(path.read_bytes())
    start = data.rfind(b"PK\x01\x02")
    data[local : local + len(value)] = value
    data[start + central : start + central + len(value)] = value
    path.write_bytes(data)


def test_what_macos_adds_to_an_archive_is_not_listed(tmp_path: Path) -> None:
    names = ["__MACOSX/shirts/._1.jpg", "__MACOSX/1.jpg", "shirts/1.jpg"]
    store = ZipStore(zipped(tmp_path / "catalogue.zip", dict.fromkeys(names, PICTURE)))
    assert names_in(store) == ["shirts/1.jpg"]


@pytest.mark.parametrize(
    "name", ["../1.jpg", "/1.jpg", "a/../../1.jpg", "a\\..\\..\\1.jpg", "C:/1.jpg"]
)
def test_an_entry_whose_name_leads_outside_is_neither_listed_nor_read(
    tmp_path: Path, name: str
) -> None:
    store = ZipStore(zipped(tmp_path / "evil.zip", {name: SECRET, "1.png": PICTURE}))
    assert names_in(store) == ["1.png"]
    with pytest.raises(ImageRejected):
        store.read(name, MB)


def test_nothing_is_unpacked(tmp_path: Path) -> None:
    store = ZipStore(zipped(tmp_path / "catalogue.zip", {"shirts/1.jpg": PICTURE}))
    for name in names_in(store):
        store.read(name, MB)
    assert [path.name for path in tmp_path.iterdir()] == ["catalogue.zip"]


def test_a_signature_in_an_archive_changes_with_the_bytes_alone(tmp_path: Path) -> None:
    other = bytes(reversed(PICTURE))  # as long, and written within the same two seconds
    stores = [
        ZipStore(zipped(tmp_path / f"{i}.zip", {"1.jpg": data}))
        for i, data in enumerate([PICTURE, PICTURE, other])
    ]
    first, same, changed = (dict(store.pictures())["1.jpg"] for store in stores)
    assert first == same != changed


def test_of_two_entries_with_one_name_listing_and_reading_mean_the_same(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("1.jpg", SECRET)
        archive.writestr("1.jpg", PICTURE)
    store, plain = ZipStore(path), ZipStore(zipped(tmp_path / "once.zip", {"1.jpg": PICTURE}))
    assert list(store.pictures()) == list(plain.pictures())
    assert store.read("1.jpg", MB) == PICTURE


def test_an_encrypted_entry_is_refused_as_such(tmp_path: Path) -> None:
    path = zipped(tmp_path / "locked.zip", {"1.jpg": PICTURE})
    patch_headers(path, 6, 8, b"\x01\x00")
    store = ZipStore(path)
    with pytest.raises(ImageRejected, match="encrypted"):
        store.read(next(store.pictures())[0], MB)


def test_an_entry_packed_in_an_unknown_way_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "odd.zip", {"1.jpg": PICTURE})
    patch_headers(path, 8, 10, struct.pack("<H", 99))
    with pytest.raises(ImageRejected, match="unknown way"):
        ZipStore(path).read("1.jpg", MB)


COMPRESSIONS = pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["stored", "deflated", "bzip2", "lzma"],
)


@COMPRESSIONS
def test_damaged_bytes_of_an_entry_are_refused_and_cost_no_other(
    tmp_path: Path, compression: int
) -> None:
    path = tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.jpg", os.urandom(2_000), compression)
        archive.writestr("2.jpg", PICTURE)
    data = bytearray(path.read_bytes())
    data[60:140] = b"\xff" * 80
    path.write_bytes(data)
    store = ZipStore(path)
    with pytest.raises(ImageRejected):
        store.read("1.jpg", MB)
    assert store.read("2.jpg", MB) == PICTURE


def test_an_entry_whose_two_names_differ_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "damaged.zip", {"näh.jpg": PICTURE})
    data = bytearray(path.read_bytes())
    data[31] = 0xFF  # in the middle of the name in the local header: not UTF-8 any more
    path.write_bytes(data)
    with pytest.raises(ImageRejected):
        ZipStore(path).read("näh.jpg", MB)


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["deflated", "bzip2", "lzma"],
)
def test_a_bomb_that_lies_about_its_size_is_refused_before_it_fills_the_memory(
    tmp_path: Path, compression: int
) -> None:
    path = zipped(tmp_path / "bomb.zip", {"1.jpg": bytes(30 * MB)}, compression)
    patch_headers(path, 22, 24, struct.pack("<I", 1_000))
    store = ZipStore(path)
    tracemalloc.start()
    try:
        with pytest.raises(ImageRejected):
            store.read("1.jpg", MB)
        assert tracemalloc.get_traced_memory()[1] < 8 * MB
    finally:
        tracemalloc.stop()


def test_an_honest_bomb_is_refused_by_its_size(tmp_path: Path) -> None:
    store = ZipStore(zipped(tmp_path / "bomb.zip", {"1.jpg": bytes(5 * MB)}))
    with pytest.raises(ImageRejected, match="too large"):
        store.read("1.jpg", MB)


@pytest.fixture(scope="module")
def damaged_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archives") / "damaged.zip"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("archives") / "sound.zip"
    return zipped(path, {"näh/1.jpg": PICTURE, "2.jpg": PICTURE[::-1]}).read_bytes()


@settings(max_examples=150, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(-250, 1_400), st.integers(0, 255)), min_size=1),
    kept=st.just(1.0) | st.floats(0.5, 1),
)
def test_a_damaged_archive_gives_right_bytes_or_is_refused(
    sound: bytes, damaged_path: Path, edits: list[tuple[int, int]], kept: float
) -> None:
    data = bytearray(sound)
    for position, value in edits:  # negative ones meet the directory at the end
        data[position % len(data)] = value
    damaged_path.write_bytes(data[: int(len(data) * kept)])
    try:
        store = ZipStore(damaged_path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # what the catalogue's loader turns into words
    with store.archive:
        for name, signature in store.pictures():
            try:
                data = store.read(name, MB)
            except ImageRejected:
                continue
            assert signature.endswith(f"-{zlib.crc32(data):08x}")


def test_an_archive_that_broke_off_cannot_be_opened(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "part.zip"
    path.write_bytes(sound[: len(sound) // 2])
    with pytest.raises(zipfile.BadZipFile):
        ZipStore(path)


def test_an_entry_without_a_name_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("good.jpg", "Q.jpg"):
            archive.writestr(name, picture_bytes("red"))
    path.write_bytes(path.read_bytes().replace(b"Q.jpg", b"\0.jpg"))
    assert names_in(ZipStore(path)) == ["good.jpg"]
