"""Files in zip archives as people and attackers make them."""

from __future__ import annotations

import os
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.stores import StoreError, ZipStore
from fitting_room.catalogue.stores.zip_names import encoding_of
from fitting_room.imaging.decode import ImageRejected
from tests.catalogue.stores.helpers import MB, PICTURE, SECRET, case, names_in, zipped
from tests.conftest import picture_bytes


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
    "name", ["../1.jpg", "/1.jpg", "a/../../1.jpg", "a\\..\\..\\1.jpg", "C:/1.jpg", "C:\\1.jpg"]
)
def test_an_entry_whose_name_leads_outside_is_neither_listed_nor_read(
    tmp_path: Path, name: str
) -> None:
    store = ZipStore(zipped(tmp_path / "evil.zip", {name: SECRET, "1.png": PICTURE}))
    assert names_in(store) == ["1.png"]
    assert store.listing().passed_over == {"names that cannot be used": [name.replace("\\", "/")]}
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
    first, same, changed = (store.listing().files["1.jpg"] for store in stores)
    assert first == same != changed


def test_of_two_entries_with_one_name_listing_and_reading_mean_the_same(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("1.jpg", SECRET)
        archive.writestr("1.jpg", PICTURE)
    store, plain = ZipStore(path), ZipStore(zipped(tmp_path / "once.zip", {"1.jpg": PICTURE}))
    assert store.listing() == plain.listing()
    assert store.read("1.jpg", MB) == PICTURE


def test_an_encrypted_entry_is_refused_as_such(tmp_path: Path) -> None:
    path = zipped(tmp_path / "locked.zip", {"1.jpg": PICTURE})
    patch_headers(path, 6, 8, b"\x01\x00")
    store = ZipStore(path)
    with pytest.raises(ImageRejected, match="encrypted"):
        store.read("1.jpg", MB)


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


@settings(max_examples=150)
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
    except StoreError:
        return
    with store.archive:
        for name, signature in store.listing().pictures():
            try:
                data = store.read(name, MB)
            except ImageRejected:
                continue
            assert signature.endswith(f"-{zlib.crc32(data):08x}")


def test_an_archive_that_broke_off_cannot_be_opened(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "part.zip"
    path.write_bytes(sound[: len(sound) // 2])
    with pytest.raises(StoreError, match="complete zip archive"):
        ZipStore(path)


def test_an_entry_without_a_name_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("good.jpg", "Q.jpg"):
            archive.writestr(name, picture_bytes("red"))
    path.write_bytes(path.read_bytes().replace(b"Q.jpg", b"\0.jpg"))
    assert names_in(ZipStore(path)) == ["good.jpg"]


def test_an_encrypted_archive_is_named_as_such(tmp_path: Path) -> None:
    path = zipped(tmp_path / "locked.zip", {"1.jpg": PICTURE})
    patch_headers(path, 6, 8, b"\x01\x00")
    store = ZipStore(path)
    assert not store.listing().files
    ((reason, names),) = store.listing().passed_over.items()
    assert "encrypted" in reason
    assert names == ["1.jpg"]
    with pytest.raises(StoreError, match="encrypted"):
        store.open("1.jpg")


def test_a_damaged_table_is_told_as_it_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "shop.zip", {"styles.csv": os.urandom(5_000)})
    data = bytearray(path.read_bytes())
    data[100:140] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"styles\.csv: .*damaged"):
        ZipStore(path).open("styles.csv").read()


def test_names_of_windows_and_of_go_are_those_of_the_folders(tmp_path: Path) -> None:
    backslashes = ZipStore(case("55-zip-backslashes") / "shop.zip")
    assert "images/1163.jpg" in names_in(backslashes)
    assert len(names_in(backslashes)) == 6
    dotted = ZipStore(case("57-dot-slash-zip") / "shop.zip")
    assert sorted(names_in(dotted)) == [f"dress/{i}.jpg" for i in range(1163, 1169)]
    for store in (backslashes, dotted):
        assert all(store.read(name, MB).startswith(b"\xff\xd8") for name in names_in(store))


def test_names_in_chinese_are_read_as_such(tmp_path: Path) -> None:
    store = ZipStore(case("60-zip-gbk-names") / "shop.zip")
    assert {name.split("/")[0] for name in names_in(store)} == {"连衣裙", "衬衫", "鞋"}
    assert store.read("连衣裙/0.jpg", MB).startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        ("T恤 牛仔裤 外套 短裙", "gbk"), ("ワンピース シャツ 靴", "cp932"), ("日本", "cp932"),
        ("원피스 셔츠 신발", "cp949"), ("連衣裙 襯衫 鞋", "big5"), ("платья рубашки", "cp866"),
        ("платья рубашки", "cp1251"), ("Kleider Hüte Schöne", "cp437"), ("naïve café", "cp1252"),
        ("sukienki płaszcze żółte", "cp852"), ("連衣裙 Größe", "utf-8"), ("Röcke", "cp850"),
    ],
)  # fmt: skip
def test_names_without_an_encoding_are_read_in_the_likeliest(names: str, encoding: str) -> None:
    raw = [f"{name}/1.jpg".encode(encoding) for name in names.split()]
    found = encoding_of(raw)
    assert [name.decode(found) for name in raw] == [f"{name}/1.jpg" for name in names.split()]


def test_links_in_an_archive_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "shop.zip"
    info = zipfile.ZipInfo("1.jpg")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
        archive.writestr("2.jpg", PICTURE)
    listing = ZipStore(path).listing()
    assert list(listing.files) == ["2.jpg"]
    assert listing.passed_over == {"links": ["1.jpg"]}


def test_a_name_that_an_entry_says_in_unicode_as_well_is_that_one(tmp_path: Path) -> None:
    """Info-ZIP's Unicode path, beside a name in the code page of a country."""
    path = tmp_path / "shop.zip"
    raw, name = "ñandú.jpg".encode("cp850"), "ñandú 鞋.jpg".encode()
    extra = struct.pack("<HHBI", 0x7075, 5 + len(name), 1, zlib.crc32(raw)) + name
    info = zipfile.ZipInfo("?" * len(raw))
    info.extra = struct.pack("<HH2s", 0xCAFE, 2, b"??") + extra
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, PICTURE)
    path.write_bytes(path.read_bytes().replace(b"?" * len(raw), raw))
    store = ZipStore(path)
    assert names_in(store) == ["ñandú 鞋.jpg"]
    assert store.read("ñandú 鞋.jpg", MB) == PICTURE


def test_an_archive_within_whose_entry_is_damaged_is_told(tmp_path: Path) -> None:
    path = zipped(tmp_path / "shop.zip", {"inner.zip": b"x" * 99}, zipfile.ZIP_STORED)
    path.write_bytes(b"??" + path.read_bytes()[2:])
    store = ZipStore(path)
    with pytest.raises(StoreError, match="damaged"):
        store.part("inner.zip")
    with pytest.raises(StoreError, match="damaged"):
        store.open("inner.zip")
