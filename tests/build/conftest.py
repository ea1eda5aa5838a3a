"""What the tests of builds share: a quick build, and what is right of its result."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fitting_room.build.builder import build_index
from fitting_room.build.summary import BuildSummary
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.embedding.embedder import Embedder
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.index import Index
from fitting_room.index.manifest import MANIFEST
from fitting_room.util.files import sha256_of
from fitting_room.util.progress import Listener, Progress, ignore
from tests.conftest import colour_embedder, picture_bytes
from tests.index.made import manifest_values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "indexes" / "shop"


def build(
    shop: Path,
    folder: Path,
    embedder: Embedder | None = None,
    *,
    pca: int | None = None,
    listener: Listener = ignore,
) -> tuple[BuildSummary, int]:
    """Build, and count the pictures that the network saw."""
    embedder = embedder or colour_embedder()
    before = embedder.engine.seen  # type: ignore[attr-defined]
    summary = build_index(
        load_catalogue(shop), embedder, folder, pca=pca, limits=ImageLimits(), listener=listener
    )
    return summary, embedder.engine.seen - before  # type: ignore[attr-defined]


def picture(shop: Path, item: int | str) -> Path:
    return shop / "images" / f"{item}.jpg"


def add(shop: Path, item: int | str, colour: tuple[int, int, int] | str) -> None:
    with (shop / "styles.csv").open("a", encoding="utf-8") as file:
        file.write(f"{item},Women,Tshirts,Odd,New shirt\n")
    picture(shop, item).write_bytes(picture_bytes(colour))


def remove(shop: Path, item: int) -> None:
    lines = (shop / "styles.csv").read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(f"{item},")]
    (shop / "styles.csv").write_text("".join(kept), "utf-8")
    picture(shop, item).unlink()


def assert_right(folder: Path, shop: Path) -> None:
    """The index is whole, has the catalogue's items in its order, and each one's own embedding."""
    index, catalogue = Index.open(folder), load_catalogue(shop)
    index.verify()
    assert index.items["id"].tolist() == catalogue.items["id"].tolist()
    from fitting_room.imaging.decode import open_image

    pictures = [open_image(shop / name) for name in catalogue.items["image"]]
    expected = colour_embedder().embed(pictures)
    if index.pca is not None:
        expected = index.pca(expected)
    np.testing.assert_allclose(index.vectors, expected, atol=1e-5)


def forge(path: Path) -> None:
    """Make the manifest agree with a file of an index that was changed."""
    manifest = path.with_name(MANIFEST)
    values = manifest_values(manifest)
    values["files"][path.name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    manifest.write_text(json.dumps(values), "utf-8")


def beside(folder: Path) -> set[str]:
    """What lies beside an index, but for the lock."""
    return {p.name for p in folder.parent.iterdir()} - {folder.name, f".{folder.name}.lock"}


def stop_after(count: int, error: type[BaseException] = KeyboardInterrupt) -> Listener:
    def listener(progress: Progress) -> None:
        if progress.unit == "picture" and progress.done == count:
            raise error

    return listener


def add_one(shop: Path) -> None:
    add(shop, 11, "cyan")
