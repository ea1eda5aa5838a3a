"""What is fuzzed: functions that take any bytes and accept nothing but the package's own refusals.

A target raises, on anything but a documented error of the package, on a result that breaks a
promise (a picture that is no RGB, a name that leads outside) and on one beyond its bounds.
``corpus.py`` makes what they start from, ``test_fuzzing.py`` tries that and a few mutations in the
gate, ``run.py`` goes on as long as one likes.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path, PurePosixPath

from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.catalogue.place import CatalogueError
from fitting_room.catalogue.stores import StoreError
from fitting_room.catalogue.stores.opening import open_store
from fitting_room.catalogue.tables import TableError, columns_of, read_table
from fitting_room.imaging.decode import WORKING_SIDE, ImageLimits, ImageRejected, open_image
from fitting_room.index.data import CURRENT, current_version
from fitting_room.index.head import Head, HeadError
from fitting_room.index.manifest import CHECKSUM, MANIFEST, IndexUnusable
from tests.catalogue.tables.conftest import check_invariants
from tests.index.damage import answers, forge, make

Target = Callable[[bytes], None]

#: Files of the fuzzer are small, and so are what they may become: a picture beyond these bounds
#: is refused by its header, and what is refused by the ordinary bounds is not even begun.
LIMITS = ImageLimits(max_bytes=2**20, max_pixels=4_000_000)
#: Names that tables go by: the first byte of the input chooses one.
TABLE_NAMES = (
    "styles.csv", "styles.tsv", "styles.txt", "styles.xlsx", "styles.xls", "styles.parquet",
    "styles.arrow", "styles.json", "styles.jsonl", "styles.csv.gz",
)  # fmt: skip
ARCHIVE_NAMES = ("shop.zip", "shop.tar", "shop.tar.gz", "shop.parquet", "shop.arrow", "shop")
#: Cells of a table, and files of an archive, for each byte of input, packed or not. More than any
#: table or archive has; without a bound a loop that never ends looks like a long file.
MAX_FROM_A_BYTE = 2_000
#: Kinds of index whose files are damaged: together they have every file that an index can have,
#: but for those of a million items.
INDEX_KINDS = ("head", "int8", "pca", "network", "several")


# --- the targets ------------------------------------------------------------------------------


def decode(data: bytes) -> None:
    """A picture of an upload or a catalogue."""
    try:
        image = open_image(data, limits=LIMITS)
    except ImageRejected as rejected:
        assert rejected.reason.endswith("."), rejected.reason
        return
    assert image.mode == "RGB"
    assert LIMITS.min_side <= min(image.size) < 2 * WORKING_SIDE
    assert image.width * image.height <= LIMITS.max_pixels


def tables(data: bytes) -> None:
    """A table file, by each of the names that it may have."""
    name, content = TABLE_NAMES[data[0] % len(TABLE_NAMES)] if data else "styles.csv", data[1:]
    with suppress(TableError):
        columns_of(lambda: io.BytesIO(content), name)
    try:
        table = read_table(lambda: io.BytesIO(content), name)
    except TableError:
        return
    check_invariants(table)
    assert table.cells.size <= MAX_FROM_A_BYTE * (len(content) + 100)


def archives(data: bytes) -> None:
    """An archive, or a table with pictures in it: listed, read, and taken for a catalogue."""
    name, content = ARCHIVE_NAMES[data[0] % len(ARCHIVE_NAMES)] if data else "shop", data[1:]
    work = Path(tempfile.mkdtemp(prefix="fuzzing-"))
    try:
        path = work / name
        path.write_bytes(content)
        _read_archive(path, work / "cache", len(content))
        with suppress(CatalogueError), _cache_at(work / "cache"):
            load_catalogue(path)
        assert sorted(p.name for p in work.iterdir()) in ([name], sorted(["cache", name]))
    finally:
        shutil.rmtree(work)


@contextmanager
def _cache_at(folder: Path) -> Iterator[None]:
    before = os.environ.get("FITTING_ROOM_CACHE")
    os.environ["FITTING_ROOM_CACHE"] = str(folder)
    try:
        yield
    finally:
        del os.environ["FITTING_ROOM_CACHE"]
        os.environ |= {} if before is None else {"FITTING_ROOM_CACHE": before}


def _read_archive(path: Path, kept: Path, size: int) -> None:
    try:
        store = open_store(path, cache=kept)
        names = [name for name, _ in store.listing().pictures()]
    except StoreError:
        return
    assert len(names) <= MAX_FROM_A_BYTE * (size + 100)
    for name in names[:20]:
        parts = PurePosixPath(name).parts
        assert ".." not in parts and not name.startswith("/"), name
        with suppress(ImageRejected):
            assert len(store.read(name, LIMITS.max_bytes)) <= LIMITS.max_bytes


def manifest(data: bytes) -> None:
    """A manifest that somebody edited, who made its checksum agree."""
    with suppress(ValueError, RecursionError):
        values = json.loads(data)
        if isinstance(values, dict) and values.pop(CHECKSUM, None) is not None:
            data = json.dumps(values).encode()
    _search(*_index("head"), MANIFEST, data)


def index(data: bytes) -> None:
    """A file of an index that somebody changed, who made the checksums agree."""
    places = index_files()
    (folder, version), name = places[data[0] % len(places) if data else 0]
    _search(folder, version, name, data[1:])


def head(data: bytes) -> None:
    """The file of a head that somebody was given."""
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(data)
        file.flush()
        with suppress(HeadError):
            Head.load(Path(file.name))


TARGETS: dict[str, Target] = {
    target.__name__: target for target in (decode, tables, archives, manifest, index, head)
}


# --- an index to damage -----------------------------------------------------------------------


@cache
def _work() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzzing-")  # goes with the process


@cache
def _index(kind: str) -> tuple[Path, Path]:
    """An index of that kind, and the folder of its version."""
    folder = make(Path(_work().name) / kind, kind)
    return folder, current_version(folder)


@cache
def index_files() -> list[tuple[tuple[Path, Path], str]]:
    """Every file of every kind of index but the manifest: the index, its version's folder, and the
    file's name. The first byte of the input chooses one."""
    places = []
    for kind in INDEX_KINDS:
        folder, version = _index(kind)
        names = sorted(path.name for path in version.iterdir())
        places += [((folder, version), name) for name in names if name != MANIFEST]
    return [(_index(INDEX_KINDS[0]), CURRENT), *places]


def _search(folder: Path, version: Path, name: str, data: bytes) -> None:
    """Open and search an index in which a file holds ``data``, and put the file back."""
    path = folder / name if name == CURRENT else version / name
    whole, manifest_before = path.read_bytes(), (version / MANIFEST).read_bytes()
    try:
        _replace(path, data)
        if name not in (CURRENT, MANIFEST):
            forge(version, name)
        with suppress(IndexUnusable):
            answers(folder)
    finally:
        _replace(path, whole)
        _replace(version / MANIFEST, manifest_before)


def _replace(path: Path, data: bytes) -> None:
    """Another file of that name. One that is mapped must not become shorter."""
    path.unlink()
    path.write_bytes(data)
