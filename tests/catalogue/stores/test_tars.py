"""Files in tar archives, in place and unpacked once."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.stores import StoreError, TarStore, cache, open_store, tar_index
from fitting_room.imaging.decode import ImageRejected
from tests.catalogue.stores.helpers import MB, PICTURE, case, names_in, tarred


def with_members(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def test_a_shard_of_img2dataset_is_read() -> None:
    store = TarStore(case("41-webdataset-tar") / "00000.tar")
    listing = store.listing()
    assert sorted(names_in(store)) == [f"{i:09d}.jpg" for i in range(6)]
    assert "000000000.json" in listing.files
    assert store.open("000000000.json").read().startswith(b"{")
    assert store.read("000000005.jpg", MB).startswith(b"\xff\xd8")


def test_names_begin_where_the_archive_does(tmp_path: Path) -> None:
    names = ["./dress/1.jpg", "a/" * 60 + "long.jpg", "./", "shirts\\2.jpg", "__MACOSX/1.jpg"]
    store = TarStore(tarred(tmp_path / "shop.tar", dict.fromkeys(names, PICTURE)))
    assert sorted(names_in(store)) == sorted(
        ["dress/1.jpg", "a/" * 60 + "long.jpg", "shirts/2.jpg"]
    )
    assert all(store.read(name, MB) == PICTURE for name in names_in(store))


def test_what_is_no_file_or_leads_outside_is_passed_over(tmp_path: Path) -> None:
    path = with_members(
        tmp_path / "shop.tar",
        (member("1.jpg"), PICTURE),
        (member("../2.jpg"), PICTURE),
        (member("/3.jpg"), PICTURE),
        (member("4.jpg", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (member("5.jpg", tarfile.LNKTYPE, "1.jpg"), b""),
        (member("6.jpg", tarfile.CHRTYPE), b""),
        (member("folder", tarfile.DIRTYPE), b""),
    )
    listing = TarStore(path).listing()
    assert list(listing.files) == ["1.jpg"]
    assert listing.passed_over == {
        "names that cannot be used": ["../2.jpg", "/3.jpg"],
        "links, devices and sparse files": ["4.jpg", "5.jpg", "6.jpg"],
    }
    for name in ("../2.jpg", "/3.jpg", "4.jpg", "5.jpg"):
        with pytest.raises(ImageRejected):
            TarStore(path).read(name, MB)


def test_of_two_members_with_one_name_the_last_counts(tmp_path: Path) -> None:
    path = with_members(
        tmp_path / "shop.tar", (member("1.jpg"), b"old"), (member("1.jpg"), PICTURE)
    )
    assert TarStore(path).read("1.jpg", MB) == PICTURE
    assert len(TarStore(path).listing().files) == 1


def test_signatures_are_those_of_the_files_and_not_of_the_archive(tmp_path: Path) -> None:
    one, two, other = (
        TarStore(tarred(tmp_path / f"{i}.tar", {"x.jpg": b"x" * i, "1.jpg": data})).listing().files
        for i, data in enumerate([PICTURE, PICTURE, PICTURE[:-1] + b"?"])
    )
    assert one["1.jpg"] == two["1.jpg"] != other["1.jpg"]


def test_an_archive_that_breaks_off_has_the_files_before(tmp_path: Path) -> None:
    path = tarred(tmp_path / "shop.tar", {f"{i}.jpg": PICTURE for i in range(5)})
    path.write_bytes(path.read_bytes()[: 3 * 512 + 2 * (len(PICTURE) // 512 + 1) * 512 + 100])
    store = TarStore(path)
    listing = store.listing()
    assert list(listing.files) == ["0.jpg", "1.jpg"]
    assert "breaks off" in next(iter(listing.passed_over))
    assert store.read("1.jpg", MB) == PICTURE


@pytest.mark.parametrize("data", [b"", b"no archive" * 100, PICTURE])
def test_what_is_no_archive_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "shop.tar").write_bytes(data)
    with pytest.raises(StoreError, match=r"shop\.tar: .*not a tar archive"):
        TarStore(tmp_path / "shop.tar")


def header(size: bytes, kind: bytes = b"0", name: bytes = b"1.jpg") -> bytes:
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108], block[124:136], block[136:148] = b"0000644\0", size, b"00000000000\0"
    block[156:157], block[257:265], block[148:156] = kind, b"ustar\x0000", b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", [b"0", b"x", b"L", b"g", b"S"])
@pytest.mark.parametrize(
    "size", [b"\xff" * 11 + b"\xfe", b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7, b"77777777777\0"]
)
def test_sizes_that_lead_back_or_far_away_end_nowhere(
    tmp_path: Path, kind: bytes, size: bytes
) -> None:
    """CVE-2025-8194: a negative size sends the reader back to where it was."""
    path = tmp_path / "evil.tar"
    good = header(b"%011o\0" % len(PICTURE), name=b"good.jpg") + PICTURE.ljust(2048, b"\0")[:2048]
    with path.open("wb") as file:
        file.write(good + header(size, kind) + bytes(10_240))
        file.truncate(2**33)
    tracemalloc.start()
    try:
        store = TarStore(path)
        for name in names_in(store):
            store.read(name, MB)
    except (StoreError, ImageRejected):
        pass
    finally:
        assert tracemalloc.get_traced_memory()[1] < 16 * MB
        tracemalloc.stop()


def test_headers_upon_headers_end(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    path.write_bytes((header(b"00000000005\0", b"L") + b"1.jpg".ljust(512, b"\0")) * 5_000)
    with pytest.raises(StoreError):
        TarStore(path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tarred(
        tmp_path_factory.mktemp("tars") / "sound.tar",
        {"1.jpg": PICTURE, "näh/" * 40 + "2.jpg": PICTURE[::-1], "styles.csv": b"id"},
    )


@settings(max_examples=150)
@given(
    edits=st.lists(st.tuples(st.integers(0, 6_000), st.integers(0, 255)), min_size=1),
    kept=st.just(1.0) | st.floats(0.05, 1),
)
def test_a_damaged_archive_gives_right_bytes_or_is_refused(
    sound: Path, edits: list[tuple[int, int]], kept: float
) -> None:
    data = bytearray(sound.read_bytes())
    for position, value in edits:
        data[position % len(data)] = value
    path = sound.with_name("damaged.tar")
    path.write_bytes(data[: int(len(data) * kept)])
    try:
        store = TarStore(path)
        listing = store.listing()
    except StoreError:
        return
    for name, signature in listing.pictures():
        read = store.read(name, MB)
        assert signature.startswith(f"{len(read)}-")
        assert signature.endswith(f"{zlib.crc32(read[-1024:]):08x}")


# --- packed ---------------------------------------------------------------------------------

FILES = {"dress/1.jpg": PICTURE, "styles.csv": b"id\n1\n"}


def packed(path: Path) -> Path:
    ending = path.name.rpartition(".")[2]
    if ending in ("zst", "tzst"):
        import pyarrow as pa

        plain = tarred(path.with_suffix(".plain"), FILES).read_bytes()
        with pa.OSFile(str(path), "wb") as raw, pa.CompressedOutputStream(raw, "zstd") as file:
            file.write(plain)
        return path
    mode = {"gz": "gz", "tgz": "gz", "bz2": "bz2", "tbz2": "bz2", "xz": "xz", "txz": "xz"}[ending]
    return tarred(path, FILES, f"w:{mode}")


@pytest.mark.parametrize(
    "name", ["s.tar.gz", "s.TGZ", "s.tar.bz2", "s.tbz2", "s.tar.xz", "s.txz", "s.tar.zst", "s.tzst"]
)
def test_a_packed_archive_is_unpacked_once(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / name.lower()).rename(tmp_path / name)
    store = open_store(path, cache=tmp_path / "cache")
    assert store.listing().files.keys() == FILES.keys()
    assert store.read("dress/1.jpg", MB) == PICTURE
    assert store.location == str(path)
    (unpacked,) = (tmp_path / "cache" / "archives").glob("*.tar")
    before = unpacked.stat()
    open_store(path, cache=tmp_path / "cache").read("dress/1.jpg", MB)
    assert unpacked.stat() == before


def test_a_changed_archive_replaces_what_was_unpacked_of_it(tmp_path: Path) -> None:
    path = packed(tmp_path / "s.tar.gz")
    open_store(path, cache=tmp_path).listing()
    tarred(path, {"2.jpg": PICTURE}, "w:gz")
    os.utime(path, (time.time() + 5, time.time() + 5))
    assert names_in(open_store(path, cache=tmp_path)) == ["2.jpg"]
    assert len(list((tmp_path / "archives").glob("*.tar"))) == 1


@pytest.mark.parametrize("name", ["s.tar.gz", "s.tar.bz2", "s.tar.xz", "s.tar.zst"])
def test_a_packed_archive_that_breaks_off_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / name)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(StoreError, match=r"s\.tar.*damaged"):
        open_store(path, cache=tmp_path / "cache").listing()
    assert not [p for p in (tmp_path / "cache" / "archives").iterdir() if p.suffix != ".lock"]


def test_a_bomb_is_given_up(tmp_path: Path) -> None:
    path = tarred(tmp_path / "bomb.tar.gz", {"1.jpg": bytes(60 * MB)}, "w:gz")
    with pytest.raises(StoreError, match="larger than"):
        open_store(path, cache=tmp_path / "cache").listing()
    assert not [p for p in (tmp_path / "cache" / "archives").iterdir() if p.suffix != ".lock"]


def test_an_archive_that_wants_much_memory_is_given_up(tmp_path: Path) -> None:
    """An xz whose dictionary is said to be 1.5 GiB."""
    import lzma

    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 3 * 2**29, "mode": lzma.MODE_FAST}]
    try:
        data = lzma.compress(b"x", filters=filters)
    except MemoryError:
        pytest.skip("no memory to make it")
    (tmp_path / "s.tar.xz").write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        open_store(tmp_path / "s.tar.xz", cache=tmp_path / "cache").listing()


def test_a_disk_without_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / "s.tar.gz")
    monkeypatch.setattr(cache, "_KEEP_FREE", 2**60)
    with pytest.raises(StoreError, match="disk is nearly full"):
        open_store(path, cache=tmp_path / "cache").listing()


def test_the_cache_is_where_the_settings_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from fitting_room.settings import Settings

    assert cache.default_cache() == Settings().cache
    monkeypatch.setenv("FITTING_ROOM_CACHE", "/somewhere")
    assert cache.default_cache() == Settings.from_environment().cache


def test_a_header_of_many_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    path.write_bytes(header(b"%011o\0" % (3 * MB), b"x") + struct.pack("B", 65) * 4 * MB)
    with pytest.raises(StoreError):
        TarStore(path)


def test_headers_of_a_large_archive_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar_index, "_WORTH_KEEPING", 0)
    path = with_members(
        tmp_path / "shop.tar", (member("1.jpg"), PICTURE), (member("../2.jpg"), PICTURE)
    )
    first = open_store(path, cache=tmp_path / "cache").listing()
    monkeypatch.setattr(tar_index, "_read_index", lambda _: pytest.fail("read again"))
    again = open_store(path, cache=tmp_path / "cache")
    assert again.listing() == first
    assert again.read("1.jpg", MB) == PICTURE


@pytest.mark.parametrize("kept", [b"", b"nonsense", zlib.compress(b'{"members": 3}')])
def test_damage_to_what_was_kept_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bytes
) -> None:
    monkeypatch.setattr(tar_index, "_WORTH_KEEPING", 0)
    path = tarred(tmp_path / "shop.tar", {"1.jpg": PICTURE})
    open_store(path, cache=tmp_path / "cache").listing()
    (index,) = (tmp_path / "cache" / "archives").glob("*.idx")
    index.write_bytes(kept)
    assert open_store(path, cache=tmp_path / "cache").read("1.jpg", MB) == PICTURE
