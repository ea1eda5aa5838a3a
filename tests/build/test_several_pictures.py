"""Building an index of items with several pictures, and what is measured on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fitting_room.build.builder import build_index
from fitting_room.build.calibrate import calibrate
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.index import Index
from tests.conftest import colour_embedder, with_several_pictures, write_items
from tests.index.made import in_memory, random_rows, table


def test_all_pictures_are_indexed_and_items_are_counted(tmp_path: Path) -> None:
    catalogue = with_several_pictures(load_catalogue(write_items(tmp_path / "shop")), 3)
    embedder, folder = colour_embedder(), tmp_path / "index"
    summary = build_index(catalogue, embedder, folder, limits=ImageLimits())
    assert (summary.items, summary.pictures) == (4, 12)
    index = Index.open(folder)
    counts = index.manifest.counts
    assert (counts.items, counts.pictures) == (4, 12)
    assert (len(index), index.item_count) == (12, 4)
    assert index.map is not None
    assert index.map.shape == (12, 2)
    again = build_index(catalogue, embedder, folder, limits=ImageLimits())
    assert (again.reused, again.items, again.pictures) == (12, 4, 12)


def test_of_an_ordinary_catalogue_both_are_the_same(tmp_path: Path) -> None:
    catalogue = load_catalogue(write_items(tmp_path / "shop"))
    summary = build_index(catalogue, colour_embedder(), tmp_path / "index", limits=ImageLimits())
    assert summary.items == summary.pictures == 12
    index = Index.open(tmp_path / "index")
    assert index.manifest.counts.pictures == 12
    assert index.items_of_rows is None


def test_a_picture_that_cannot_be_used_takes_no_other_with_it(tmp_path: Path) -> None:
    shop = write_items(tmp_path / "shop")
    (shop / "images" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    catalogue = with_several_pictures(load_catalogue(shop), 3)
    summary = build_index(catalogue, colour_embedder(), tmp_path / "index", limits=ImageLimits())
    assert (summary.items, summary.pictures, summary.failed) == (4, 11, 1)
    assert summary.failures[0][0] == "1"


def test_other_pictures_of_an_item_are_no_results_for_it() -> None:
    """Pictures of an item are all but equal, and those of others far away."""
    count = 40
    middles = random_rows(0, count, 16)
    rows = np.repeat(middles, 3, axis=0) + 0.01 * random_rows(1, 3 * count, 16)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    kinds = ["Shirts", "Shoes"] * (count // 2)
    apart = table(3 * count, articleType=np.repeat(kinds, 3).tolist())
    apart["digest"] = [str(number) for number in range(3 * count)]
    together = apart.assign(id=[f"item-{number // 3}" for number in range(3 * count)])
    nearest = []
    for items in (apart, together):
        calibration = calibrate(in_memory(rows.astype(np.float32), items))
        assert calibration is not None
        nearest.append(calibration.plain[0].similarity[-1])
    assert nearest[0] > 0.99  # each picture finds the two others
    assert nearest[1] < 0.9


def test_a_calibration_by_a_column_that_is_no_kind_is_not_taken_over(tmp_path: Path) -> None:
    shop = write_items(tmp_path / "shop")
    table_file = shop / "styles.csv"
    text = table_file.read_text("utf-8")
    table_file.write_text(text.replace("articleType", "Type"), "utf-8")
    embedder, folder = colour_embedder(), tmp_path / "index"
    build_index(load_catalogue(shop), embedder, folder, limits=ImageLimits())
    first = Index.open(folder).calibration
    assert first is not None
    assert first.column == "Type"
    words = ["simple", "variable", "Shirts"], ["Tshirts", "Shirts", "Jeans"]
    for technical, kind in zip(*words, strict=True):
        if technical != "Shirts":
            text = text.replace(kind, technical)
    text = text.replace("Jeans", "simple").replace("Shirts", "variable")
    table_file.write_text(text.replace("articleType", "Type"), "utf-8")
    build_index(load_catalogue(shop), embedder, folder, limits=ImageLimits())
    assert Index.open(folder).calibration is None


def test_an_index_can_be_made_of_data_in_memory() -> None:
    items = table(6).assign(id=["a", "a", "b", "c", "c", "c"])
    index = in_memory(random_rows(0, 6, 4), items)
    assert index.item_count == 3
    assert Index(replace(index.data, items=table(6))).item_count == 6
