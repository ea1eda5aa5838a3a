"""What the tests share: places, small catalogues, a quick stand-in for the network, and the demo
catalogue's index built once with the packaged network."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from PIL import Image

from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import Catalogue, load_catalogue
from fitting_room.embedding.backbones import Backbone, Selection
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.weights import WeightsFile
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.data import CURRENT
from fitting_room.index.index import Index
from fitting_room.settings import Settings

if TYPE_CHECKING:
    from tests.databases.memory import MemoryDatabase

PROJECT = Path(__file__).resolve().parent.parent
DEMO = PROJECT / "data" / "demo"
DEMO_ITEMS = 950
SAMPLES = PROJECT / "data" / "samples"
REAL_DATA = PROJECT.parent / "shared" / "data"

#: Inputs that hypothesis makes are the same in each run, and none is timed, so that no change fails
#: to land by chance or on a busy machine: ``pytest --hypothesis-profile=others`` tries others.
_UNCHECKED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
for _name, _same in (("same", True), ("others", False)):
    hypothesis_settings.register_profile(
        _name, derandomize=_same, deadline=None, suppress_health_check=_UNCHECKED
    )
hypothesis_settings.load_profile("same")


def pytest_configure() -> None:
    """Each worker computes on one core: more threads than cores only wait for each other. Set
    before the workers start, which inherit it."""
    for library in ("OMP", "OPENBLAS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order in which the workers of a run are handed its files: each of the browser's, which
    take longest and leave a core idle now and then, among some of the others, and those of few
    tests last. So no worker is left with a long file when the others have finished."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    ordered = sorted(files, key=lambda path: (path.parent.name == "browser", -len(files[path])))
    browser = [path for path in ordered if path.parent.name == "browser"]
    for number, path in enumerate(browser):
        ordered.remove(path)
        ordered.insert(4 * number, path)
    items[:] = [item for path in ordered for item in files[path]]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's own, no torch cache of the machine's, no network."""
    for variable in list(os.environ):
        if variable.startswith("FITTING_ROOM_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads fail at once, as on a machine without a connection."""
    import requests

    def refuse(*_: object, **__: object) -> None:
        raise requests.ConnectionError("the tests run offline")

    monkeypatch.setattr(requests, "get", refuse)


@pytest.fixture
def real_data() -> Path:
    """The folder with the real catalogue and the street photographs."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real data is not at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config) -> Path:
    """A folder that the workers of a run share, and later runs while the demo catalogue, the code
    that makes an index and the libraries that it calls are the same."""
    digest = hashlib.sha256()
    for package in ("build", "catalogue", "embedding", "imaging", "index"):
        for path in sorted((PROJECT / "fitting_room" / package).rglob("*.*")):  # the head too
            digest.update(path.read_bytes())
    for path in sorted(DEMO.rglob("*.*")):
        digest.update(path.read_bytes())
    for library in ("numpy", "openvino", "pandas", "pillow", "scipy", "torch"):
        digest.update(version(library).encode())
    folder = pytestconfig.rootpath / ".pytest_cache" / "fitting-room" / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def settings(shared: Path) -> Settings:
    """The packaged network, and a cache that all tests share."""
    return Settings(cache=shared / "cache", backbone="efficientnet_lite0", engine="auto")


@pytest.fixture(scope="session")
def demo_fitting_room(settings: Settings, shared: Path) -> FittingRoom:
    """The demo catalogue, indexed with the packaged network."""
    with FileLock(shared / "demo.lock"):
        if not (settings.index_folder / CURRENT).exists():
            FittingRoom.build(DEMO, settings.index_folder, settings=settings)
    return FittingRoom.open(settings.index_folder, settings)


@pytest.fixture(scope="session")
def headed_fitting_room(
    demo_fitting_room: FittingRoom, settings: Settings, shared: Path
) -> FittingRoom:
    """The demo catalogue with a head that knows its kinds."""
    from tests.ui.app.heads import headed_index

    folder = shared / "headed"
    with FileLock(shared / "headed.lock"):
        if not folder.exists():
            unfinished = shared / "headed.new"
            shutil.rmtree(unfinished, ignore_errors=True)
            headed_index(demo_fitting_room.index, unfinished).rename(folder)
    return FittingRoom.open(folder, settings)


@pytest.fixture(scope="session")
def several_fitting_room(
    demo_fitting_room: FittingRoom, settings: Settings, shared: Path
) -> FittingRoom:
    """Ten items with three pictures each, of garments of the demo catalogue."""
    folder = shared / "several"
    with FileLock(shared / "several.lock"):
        if not (folder / CURRENT).exists():
            demo = load_catalogue(DEMO)
            few = replace(demo, items=demo.items.iloc[::31].iloc[:30].reset_index(drop=True))
            build_index(
                with_several_pictures(few, 3),
                demo_fitting_room.embedder,
                folder,
                head=demo_fitting_room.index.head,
                limits=ImageLimits(),
            )
    return FittingRoom.open(folder, settings)


@pytest.fixture(scope="session")
def _demo_in_memory(demo_fitting_room: FittingRoom) -> MemoryDatabase:
    from tests.databases.memory import published

    return published(demo_fitting_room.index, items_of_sample=300)


@pytest.fixture
def demo_in_database(
    _demo_in_memory: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> MemoryDatabase:
    """The demo's items in a database, whose address is
    :data:`tests.databases.memory.ADDRESS`, with a sample of 300 of them. No test changes its
    rows."""
    from tests.databases.memory import ADDRESS, MemoryEngine

    database = replace(_demo_in_memory, asked=Counter())
    engine = MemoryEngine({ADDRESS: database})
    monkeypatch.setattr("fitting_room.databases.index.engine_for", lambda _: engine)
    return database


def picture_bytes(
    colour: tuple[int, int, int] | str = "red",
    size: tuple[int, int] = (60, 80),
    kind: str = "JPEG",
    **options: object,
) -> bytes:
    """A picture file of one colour."""
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind, **options)
    return buffer.getvalue()


COLOURS = ["red", "green", "blue", "yellow", "black", "white", "purple", "orange", "brown", "pink"]


@pytest.fixture
def with_copies(tmp_path: Path) -> Path:
    """Six garments of the demo catalogue, the first of them also in three worse files."""
    folder = tmp_path / "with-copies"
    (folder / "images").mkdir(parents=True)
    names = [10724, 10005, 10484, 10100, 10300, 10900]
    for name in names:
        shutil.copy(DEMO / "images" / f"{name}.webp", folder / "images")
    with Image.open(DEMO / "images" / "10724.webp") as original:
        for quality in (70, 80, 90):
            original.save(folder / "images" / f"{quality}.jpg", quality=quality)
    rows = [f"{name},Garment {name}" for name in (*names, 70, 80, 90)]
    table = "\n".join(["id,productDisplayName", *rows])
    (folder / "styles.csv").write_text(table + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A catalogue of ten items, one colour each: a folder with ``styles.csv`` and ``images/``."""
    folder = tmp_path / "shop"
    (folder / "images").mkdir(parents=True)
    lines = ["id,gender,articleType,baseColour,productDisplayName"]
    for number, colour in enumerate(COLOURS, 1):
        gender = "Women" if number % 2 else "Men"
        lines.append(f"{number},{gender},Tshirts,{colour.title()},{colour.title()} shirt")
        (folder / "images" / f"{number}.jpg").write_bytes(picture_bytes(colour))
    (folder / "styles.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


class ColourEngine:
    """Stands in for a network: the embedding of a picture is its mean colour and nothing else.

    ``seen`` counts the pictures it was given."""

    name = "colour"
    batch_size = 4
    streams = 2

    def __init__(self) -> None:
        self.seen = 0
        self._lock = threading.Lock()

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        with self._lock:
            self.seen += len(pixels)
        means = pixels.reshape(len(pixels), -1, 3).mean(axis=1) - 127.0
        return np.concatenate([means, np.ones((len(pixels), 1))], axis=1).astype(np.float32)


def colour_embedder(name: str = "colour", sha256: str = "0" * 64) -> Embedder:
    """An embedder on a :class:`ColourEngine`, with a ``Selection`` of its own identity."""
    backbone = Backbone(
        name=name,
        title="Mean colour",
        dimension=4,
        input_size=(16, 12),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        weights=(),
        architecture=lambda: pytest.fail("the stand-in has no architecture"),
        adapt=lambda state, network: state,
    )
    return Embedder(Selection(backbone, WeightsFile("none", sha256), "a test"), ColourEngine())


@pytest.fixture
def embedder() -> Iterator[Embedder]:
    """A fresh embedder that knows colours only."""
    yield colour_embedder()


KINDS = ["Tshirts"] * 4 + ["Shirts"] * 2 + ["Jeans"] * 5 + [""]
GENDERS = ["Women"] * 5 + [""] + ["Women"] * 6


def shade(number: int) -> tuple[int, int, int]:
    """Items 1 to 6 are red, the others blue: each other red is nearer to a red than any blue."""
    return (200 + 4 * number, 10, 10) if number <= 6 else (10, 10, 150 + 4 * number)


def write_items(folder: Path) -> Path:
    """Twelve items: six reds, of which four are Tshirts and two Shirts, and six blues, all Jeans.
    The sixth has no gender and the last no type."""
    (folder / "images").mkdir(parents=True)
    lines = ["id,articleType,baseColour,gender,productDisplayName"]
    for number, (kind, gender) in enumerate(zip(KINDS, GENDERS, strict=True), 1):
        colour = "Red" if number <= 6 else "Blue"
        lines.append(f"{number},{kind},{colour},{gender},Item {number}")
        (folder / "images" / f"{number}.png").write_bytes(picture_bytes(shade(number), kind="PNG"))
    (folder / "styles.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.fixture
def labelled_shop(tmp_path: Path) -> Path:
    """The catalogue of :func:`write_items`."""
    return write_items(tmp_path / "labelled_shop")


def fitting_room_of(catalogue: Path, pictures: int = 1) -> FittingRoom:
    """The catalogue with its index, of items with so many pictures each."""
    embedder = colour_embedder()
    index = catalogue.with_name(f"{catalogue.name}-index")
    loaded = with_several_pictures(load_catalogue(catalogue), pictures)
    build_index(loaded, embedder, index, limits=ImageLimits())
    return FittingRoom(Index.open(index), lambda: embedder, ImageLimits())


@pytest.fixture
def fitting_room(labelled_shop: Path) -> FittingRoom:
    return fitting_room_of(labelled_shop)


def with_several_pictures(catalogue: Catalogue, pictures: int = 2) -> Catalogue:
    """The catalogue with so many of its pictures, one after another, for one item, which has the id
    and the attributes of the first. Their rows do not stand beside each other."""
    rows = np.arange(len(catalogue))
    items = catalogue.items.iloc[rows - rows % pictures].reset_index(drop=True)
    for column in ("image", "signature"):
        items[column] = catalogue.items[column].to_numpy()
    order = np.argsort(rows % pictures, kind="stable")
    return replace(catalogue, items=items.iloc[order].reset_index(drop=True))


def street(folder: Path, **classes: list[int]) -> Path:
    """Photographs in class folders, in the shades of some items."""
    for name, numbers in classes.items():
        (folder / name).mkdir(parents=True)
        for number in numbers:
            # One pixel more, so that no picture is the item's own.
            data = picture_bytes(shade(number), (61, 80), kind="PNG")
            (folder / name / f"{number}.png").write_bytes(data)
    return folder


def mapping_file(folder: Path, content: object) -> Path:
    path = folder / "mapping.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def write_table(labelled_shop: Path, text: str | bytes) -> Path:
    path = labelled_shop / "queries.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path
