"""Pictures in the cells of Parquet and Arrow tables."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.stores import ColumnStore, StoreError, has_pictures, open_store
from fitting_room.catalogue.stores.files import FilePart
from fitting_room.imaging.decode import ImageRejected
from tests.catalogue.stores.helpers import MB, PICTURE, case, fill, names_in, zipped
from tests.conftest import picture_bytes

IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
COLOURS = [picture_bytes((i * 20, 10, 10)) for i in range(12)]
Write = Callable[[Any], Path]


def structs(*pictures: tuple[bytes | None, str | None] | None) -> Any:
    cells = [p and {"bytes": p[0], "path": p[1]} for p in pictures]
    return pa.array(cells, IMAGE)


def write_parquet(table: Any, path: Path) -> None:
    pq.write_table(table, path, row_group_size=5)


def write_stream(table: Any, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, 5)


def write_file(table: Any, path: Path, compression: str | None = None) -> None:
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with (
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_file(file, table.schema, options=options) as writer,
    ):
        writer.write_table(table, 5)


WRITERS: dict[str, Any] = {
    "1.parquet": write_parquet,
    "2.arrow": write_stream,
    "3.arrow": write_file,
    "4.feather": lambda table, path: write_file(table, path, "lz4"),
}


@pytest.fixture(params=list(WRITERS))
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Writes a table in one of the forms, five rows a group."""

    def write_table(table: Any) -> Path:
        WRITERS[request.param](table, tmp_path / request.param)
        return tmp_path / request.param

    return write_table


def test_pictures_are_called_as_their_paths_say(write: Write) -> None:
    pictures = [(data, f"images/{i}.jpg") for i, data in enumerate(COLOURS)]
    store = ColumnStore(write(pa.table({"image": structs(*pictures), "id": range(12)})))
    assert store.picture_columns == ["image"]
    assert store.rows() == [[f"{i}.jpg"] for i in range(12)]
    assert store.listing().files == {
        f"{i}.jpg": f"{len(data)}-{zlib.crc32(data):08x}" for i, data in enumerate(COLOURS)
    }
    assert [store.read(f"{i}.jpg", MB) for i in range(12)] == COLOURS


def test_pictures_without_a_path_are_called_by_their_rows(write: Write) -> None:
    gif = b"GIF89a" + bytes(20)
    cells = structs(
        (PICTURE, None), None, (gif, None), (None, None), (picture_bytes(kind="PNG"), None)
    )
    path = write(pa.table({"image": cells}))
    assert ColumnStore(path).rows() == [["0.jpg"], [], ["2.gif"], [], ["4.png"]]
    assert ColumnStore(path).read("2.gif", MB) == gif
    for name in ("1.jpg", "2.jpg", "3.jpg", "5.jpg", "00.jpg", "0-1.jpg", "0.txt", "a/0.jpg"):
        with pytest.raises(ImageRejected):
            ColumnStore(path).read(name, MB)


def test_paths_that_say_nothing_or_the_same_again_still_name_one_picture(write: Write) -> None:
    paths = ["1.jpg", "b/1.jpg", "../../1.jpg", None, "C:\\x\\é.PNG", ".hidden.jpg", "3.jpg", "x"]
    cells = structs(*((data, path) for data, path in zip(COLOURS, paths, strict=False)))
    path = write(pa.table({"image": cells}))
    names = [name for row in ColumnStore(path).rows() for name in row]
    assert names == [
        "1.jpg", "1-1.jpg", "2-1.jpg", "3.jpg", "é.PNG", "5.jpg", "6-3.jpg", "7.jpg"
    ]  # fmt: skip
    again = ColumnStore(path)  # which knows no listing
    assert [again.read(name, MB) for name in names] == COLOURS[:8]


def test_a_column_of_bytes_and_one_of_lists_are_read(write: Write) -> None:
    lists = pa.array(
        [[{"bytes": COLOURS[0], "path": None}, {"bytes": COLOURS[1], "path": None}], None, []],
        pa.list_(IMAGE),
    )
    plain = pa.array([COLOURS[2], None, COLOURS[3]], pa.binary())
    other = pa.array([b"no", b"picture", b"here"], pa.binary())
    store = ColumnStore(write(pa.table({"front": plain, "more": lists, "hash": other})))
    assert store.picture_columns == ["front", "more"]
    assert store.rows() == [["front/0.jpg", "more/0.jpg", "more/0-1.jpg"], [], ["front/2.jpg"]]
    more = [[name for name in row if name.startswith("more/")] for row in store.rows()]
    assert more == [["more/0.jpg", "more/0-1.jpg"], [], []]
    assert store.read("more/0-1.jpg", MB) == COLOURS[1]
    assert store.read("front/2.jpg", MB) == COLOURS[3]


def test_sound_and_other_bytes_are_no_pictures(write: Write) -> None:
    sound = b"RIFF\x24\0\0\0WAVEfmt "
    path = write(pa.table({"audio": structs((sound, "a.wav"), (sound, "b.wav")), "id": [1, 2]}))
    assert not has_pictures(FilePart.of(path))
    with pytest.raises(StoreError, match="No column holds pictures"):
        ColumnStore(path)


def test_a_cell_without_a_picture_is_counted(write: Write) -> None:
    path = write(pa.table({"image": pa.array([PICTURE, b"<html>", PICTURE], pa.binary())}))
    listing = ColumnStore(path).listing()
    assert list(listing.files) == ["0.jpg", "2.jpg"]
    assert listing.passed_over == {"cells that hold no picture": ["1"]}


def test_the_byte_limit_is_exact(write: Write) -> None:
    store = ColumnStore(write(pa.table({"image": structs((PICTURE, "1.jpg"))})))
    assert store.read("1.jpg", len(PICTURE)) == PICTURE
    with pytest.raises(ImageRejected, match="too large"):
        store.read("1.jpg", len(PICTURE) - 1)


def test_one_table_is_read_from_many_threads_at_once(write: Write) -> None:
    pictures = [b"\xff\xd8\xff" + bytes([i]) * (500 + 97 * i) for i in range(60)]
    cells = structs(*((data, f"{i}.jpg") for i, data in enumerate(pictures)))
    store = ColumnStore(write(pa.table({"image": cells})))
    order = [i * 7 % 60 for i in range(600)]
    with ThreadPoolExecutor(8) as pool:
        data = list(pool.map(lambda i: store.read(f"{i}.jpg", MB), order))
    assert data == [pictures[i] for i in order]


def test_tables_of_hugging_face_are_read(tmp_path: Path) -> None:
    alone = open_store(case("43-parquet-file") / "train.parquet", cache=tmp_path)
    assert sorted(alone.listing().files) == [*(f"{i}.jpg" for i in range(6)), "train.parquet"]
    assert alone.read("3.jpg", MB).startswith(b"\xff\xd8")
    assert pq.read_table(alone.open("train.parquet")).num_rows == 6
    store = open_store(case("44-parquet"), cache=tmp_path)
    table = "data/train-00000-of-00001.parquet"
    assert sorted(names_in(store)) == [f"{table}/{i}.jpg" for i in range(6)]
    assert store.read(f"{table}/5.jpg", MB).startswith(b"\xff\xd8")
    for _ in range(2):
        assert store.rows(table) == [[f"{table}/{i}.jpg"] for i in range(6)]
    assert store.picture_columns(table) == ["image"]


def test_only_the_table_itself_is_opened(write: Write) -> None:
    path = write(pa.table({"image": structs((PICTURE, "1.jpg"))}))
    store = ColumnStore(path, own_name=path.name)
    assert store.open(path.name).read() == path.read_bytes()
    assert store.part(path.name).is_whole  # type: ignore[union-attr]
    assert store.part("1.jpg") is None
    assert store.size("1.jpg") > 0
    assert store.version("1.jpg") != store.version(path.name)
    assert store.rows(path.name) == [["1.jpg"]]
    assert store.path("1.jpg") == f"{path}/1.jpg"
    for name in ("2.jpg", ".1.jpg", "other.parquet"):
        with pytest.raises(StoreError):
            store.open(name)
        with pytest.raises(StoreError):
            store.rows(name)
    with pytest.raises(StoreError, match="read and not opened"):
        store.open("1.jpg")


def test_a_table_that_is_damaged_after_it_was_opened_is_told(tmp_path: Path) -> None:
    path = tmp_path / "1.parquet"
    cells = pa.array(COLOURS, pa.binary())
    pq.write_table(pa.table({"image": cells}), path, row_group_size=2, compression="gzip")
    store = ColumnStore(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="complete Parquet"):
        store.listing()
    outcomes = []
    for row in range(12):
        try:
            outcomes.append(store.read(f"{row}.jpg", MB) == COLOURS[row])
        except ImageRejected as rejected:
            assert "damaged" in rejected.reason
            outcomes.append(False)
    assert True in outcomes
    assert False in outcomes


def test_a_picture_in_another_format_is_known_by_its_bytes(tmp_path: Path) -> None:
    cells = [picture_bytes(kind="WEBP"), picture_bytes(kind="AVIF"), picture_bytes(kind="TIFF")]
    write_parquet(pa.table({"image": pa.array(cells, pa.binary())}), tmp_path / "1.parquet")
    assert ColumnStore(tmp_path / "1.parquet").rows() == [["0.webp"], ["1.avif"], ["2.tif"]]


def test_a_table_without_pictures_is_a_file_like_others(write: Write, tmp_path: Path) -> None:
    path = write(pa.table({"id": [1, 2]}))
    listing = open_store(path.parent, cache=tmp_path / "cache").listing()
    assert list(listing.files) == [path.name]
    assert not listing.passed_over


def test_a_table_in_a_zip_is_read(write: Write, tmp_path: Path) -> None:
    path = write(pa.table({"image": structs(*((d, None) for d in COLOURS))}))
    for compression in (0, 8):
        packed = zipped(
            tmp_path / f"{compression}.zip", {path.name: path.read_bytes()}, compression
        )
        store = open_store(packed, cache=tmp_path / "cache")
        assert [store.read(f"{path.name}/{i}.jpg", MB) for i in range(12)] == COLOURS
        assert len(names_in(store)) == 12


def test_a_stream_with_dictionaries_is_read(tmp_path: Path) -> None:
    kinds = pa.array(["dress", "shoe", "dress"]).dictionary_encode()
    table = pa.table({"kind": kinds, "image": pa.array(COLOURS[:3], pa.binary())})
    write_stream(table, tmp_path / "1.arrow")
    store = ColumnStore(tmp_path / "1.arrow")
    assert [store.read(f"{i}.jpg", MB) for i in range(3)] == COLOURS[:3]


def test_a_row_group_of_many_rows_is_not_read_as_a_whole(tmp_path: Path) -> None:
    rng = random.Random(1)
    pictures = [b"\xff\xd8\xff" + rng.randbytes(100_000) for _ in range(600)]
    table = pa.table({"image": pa.array(pictures, pa.binary())})
    pq.write_table(table, tmp_path / "1.parquet", write_batch_size=16)  # in pages of so many
    before = pa.total_allocated_bytes()
    store = ColumnStore(tmp_path / "1.parquet")
    assert store.read("1.jpg", MB) == pictures[1]
    assert pa.total_allocated_bytes() - before < 25 * MB
    assert store.read("599.jpg", MB) == pictures[599]
    assert store.read("3.jpg", MB) == pictures[3]


def test_one_picture_said_again_and_again_does_not_fill_the_memory(tmp_path: Path) -> None:
    """A dictionary has it once: 100 kB for 30,000 rows, 3 GB if they were all unpacked."""
    big = b"\xff\xd8\xff" + bytes(100_000)
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 30_000, pa.int32()), pa.array([big]))
    table = pa.table({"image": column.cast(pa.dictionary(pa.int32(), pa.binary()))})
    pq.write_table(table, tmp_path / "1.parquet", store_schema=False)
    assert (tmp_path / "1.parquet").stat().st_size < MB
    before, most = pa.total_allocated_bytes(), 0
    store = ColumnStore(tmp_path / "1.parquet")
    for row in range(0, 1_000, 50):
        assert store.read(f"{row}.jpg", MB) == big
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 100 * MB


def test_a_file_cut_short_is_told(write: Write) -> None:
    path = write(pa.table({"image": structs(*((d, None) for d in COLOURS))}))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(StoreError, match=path.name):
        ColumnStore(path).listing()


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff" * 4, b"FEA1" * 9]
)
@pytest.mark.parametrize("name", ["1.parquet", "1.arrow"])
def test_what_is_no_table_is_told(tmp_path: Path, name: str, data: bytes) -> None:
    fill(tmp_path, {name: data})
    with pytest.raises(StoreError, match=name):
        ColumnStore(tmp_path / name)


@pytest.fixture(scope="module", params=list(WRITERS))
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / request.param
    small = [picture_bytes(c, (8, 8)) for c in ("red", "green", "blue")]
    cells = structs((small[0], "a.jpg"), (small[1], "a.jpg"), None, (small[2], None))
    lists = pa.array([[small[0]], None, [small[1], small[2]], []], pa.list_(pa.binary()))
    WRITERS[request.param](pa.table({"image": cells, "more": lists}), path)
    return path


@pytest.fixture
def damaged(sound: Path, tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / f"damaged-{sound.name}"


@settings(max_examples=120)
@given(
    edits=st.lists(st.tuples(st.integers(0, 12_000), st.integers(0, 255)), min_size=1, max_size=8),
    kept=st.just(1.0) | st.floats(0.2, 1),
)
def test_a_damaged_table_gives_what_it_lists_or_is_refused(
    sound: Path, edits: list[tuple[int, int]], kept: float
) -> None:
    data = bytearray(sound.read_bytes())
    for position, value in edits:
        data[-(position % len(data))] = value  # what describes the rest is at the end
    path = sound.with_name(f"damaged-{sound.name}")
    path.write_bytes(data[: int(len(data) * kept)])
    tracemalloc.start()
    try:
        store = ColumnStore(path)
        listing = store.listing()
        for name, signature in listing.pictures():
            read = store.read(name, MB)
            assert signature == f"{len(read)}-{zlib.crc32(read):08x}"
    except (StoreError, ImageRejected):
        pass
    finally:
        assert tracemalloc.get_traced_memory()[1] < 64 * MB
        tracemalloc.stop()
