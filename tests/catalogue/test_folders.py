from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitting_room.catalogue.folders import classes_of, read_folders


def said(names: list[str]) -> dict[str, tuple[str | None, ...]]:
    """What folders say of each item: id -> (class, group)."""
    cells = read_folders(names).source.cells
    columns = [cells[c] if c in cells else [None] * len(cells) for c in ("class", "group")]
    words = [tuple(None if pd.isna(w) else w for w in of) for of in zip(*columns, strict=True)]
    return dict(zip(cells["id"], words, strict=True))


def test_a_folder_is_a_class_and_the_one_above_it_a_group() -> None:
    assert said(["women/dress/1.jpg", "men/shirt/2.jpg"]) == {
        "women/dress/1": ("dress", "women"),
        "men/shirt/2": ("shirt", "men"),
    }


@pytest.mark.parametrize(
    "folder",
    ["images", "train", "Images", "data/train/images", "images.zip", "shop.tar.gz/images", "test"],
)
def test_a_shelf_is_no_class(folder: str) -> None:
    assert set(said([f"{folder}/1.jpg", f"{folder}/2.jpg"]).values()) == {(None, None)}
    assert said([f"{folder}/dress/1.jpg"]) == {f"{folder}/dress/1": ("dress", None)}
    assert said([f"dress/{folder}/1.jpg"]) == {f"dress/{folder}/1": ("dress", None)}


@pytest.mark.parametrize(
    "folders",
    [
        ["00", "01", "fe"], ["010"], ["010", "011", "012"], ["00000", "00001"], ["a0", "a1", "ff"],
        ["2023", "2024"],
    ],
)  # fmt: skip
def test_a_share_of_many_pictures_is_no_class(folders: list[str]) -> None:
    names = [f"images/{folder}/{folder}{n}5.jpg" for folder in folders for n in range(3)]
    assert set(said(names).values()) == {(None, None)}
    assert len(said(names)) == len(names)


@pytest.mark.parametrize(
    "folders", [["0", "1", "9"], ["501", "dress"], ["bed", "dad"], ["10", "9"]]
)
def test_folders_that_may_mean_something_are_classes(folders: list[str]) -> None:
    names = [f"{folder}/{n}.jpg" for folder in folders for n in range(3)]
    assert {word for word, _ in said(names).values()} == set(folders)


@pytest.mark.parametrize("folder", ["id_00000002", "1163", "item-20014", "0108775015", "SKU12345"])
def test_a_folder_for_each_product_is_an_item_with_several_pictures(folder: str) -> None:
    found = read_folders([f"women/dress/{folder}/front.jpg", f"women/dress/{folder}/back.jpg"])
    assert found.source.cells.iloc[0].tolist() == [f"women/dress/{folder}", "dress", "women"]
    assert found.claims == [
        [f"women/dress/{folder}/back.jpg", f"women/dress/{folder}/front.jpg"]
    ]  # fmt: skip


def test_a_number_with_very_many_pictures_is_no_product() -> None:
    assert len(said([f"1163/{n}.jpg" for n in range(100)])) == 100


def test_of_one_picture_in_two_formats_the_first_is_kept() -> None:
    assert read_folders(["a/1.png", "a/1.jpg"]).claims == [["a/1.jpg"]]


def test_a_name_in_no_encoding_is_said_and_not_used() -> None:
    found = read_folders(["a/\udce9.jpg", "a/1.jpg"])
    assert list(found.source.unusable.values()) == [[1]]
    assert found.source.cells["id"].str.encode("utf-8").notna().all()


_PART = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(st.lists(_PART, min_size=1, max_size=4).map("/".join), max_size=30, unique=True))
def test_every_picture_belongs_to_one_item(stems: list[str]) -> None:
    names = [f"{stem}.jpg" for stem in stems]
    found = read_folders(names)
    assert sorted(name for of in found.claims for name in of) == sorted(names)
    assert found.source.cells["id"].is_unique
    assert len(classes_of(names)) == len(names)
