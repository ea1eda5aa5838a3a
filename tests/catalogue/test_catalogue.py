"""A shop's table and pictures -> the catalogue, in each of its forms."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fitting_room.catalogue.catalogue import OTHER_FORMAT, load_catalogue, open_store
from tests.catalogue.conftest import (
    FORMS,
    MB,
    PICTURE,
    Load,
    as_zip_with_a_top_folder,
    cells,
    check_invariants,
    ids,
    make_shop,
    pack,
)
from tests.conftest import COLOURS, picture_bytes

# --- forms -----------------------------------------------------------------------------------


@FORMS
def test_every_form_of_a_shop_gives_the_same_items(
    shop: Path, form: Callable[[Path], Path]
) -> None:
    catalogue = load_catalogue(form(shop))
    check_invariants(catalogue)
    assert catalogue.attributes == ["gender", "articleType", "baseColour", "productDisplayName"]
    assert ids(catalogue) == [str(number) for number in range(1, 11)]
    assert cells(catalogue)["3"] == {
        "gender": "Women",
        "articleType": "Tshirts",
        "baseColour": "Blue",
        "productDisplayName": "Blue shirt",
    }
    first, *read_as = catalogue.report.in_words().splitlines()
    assert first == "10 rows read, 10 items kept"
    assert len(read_as) == 1 and "styles.csv" in read_as[0] and "`id`" in read_as[0]


@FORMS
def test_the_pictures_of_every_form_are_found_again_without_the_table(
    shop: Path, form: Callable[[Path], Path]
) -> None:
    expected = {str(i): picture_bytes(colour) for i, colour in enumerate(COLOURS, 1)}
    catalogue = load_catalogue(form(shop))
    store = open_store(catalogue.location)
    images = zip(catalogue.items["id"], catalogue.items["image"], strict=True)
    assert {item: store.read(image, MB) for item, image in images} == expected


def test_class_folders_become_a_column(tmp_path: Path) -> None:
    for name in ("train/dress/1.jpg", "train/hat/1.jpg", "test/hat/2.png"):
        path = tmp_path / "catalogue" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    for location in (
        tmp_path / "catalogue",
        pack(tmp_path / "catalogue", tmp_path / "catalogue.zip"),
    ):
        catalogue = load_catalogue(location)
        check_invariants(catalogue)
        assert cells(catalogue) == {
            "test/hat/2": {"class": "hat"},
            "train/dress/1": {"class": "dress"},
            "train/hat/1": {"class": "hat"},
        }


def test_a_flat_folder_of_pictures_has_items_without_attributes(tmp_path: Path) -> None:
    for name in ("front.jpg", "back.png", "notes.txt"):
        (tmp_path / name).write_bytes(PICTURE)
    catalogue = load_catalogue(tmp_path)
    check_invariants(catalogue)
    assert cells(catalogue) == {"back": {}, "front": {}}


def test_of_one_picture_in_two_formats_one_is_kept_and_the_other_reported(tmp_path: Path) -> None:
    for name in ("hat/1.jpg", "hat/1.png"):
        (tmp_path / "hat").mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PICTURE)
    catalogue = load_catalogue(tmp_path)
    check_invariants(catalogue)
    assert catalogue.items["image"].tolist() == ["hat/1.jpg"]
    assert catalogue.report.passed_over == {OTHER_FORMAT: 1}
    assert catalogue.report.examples[OTHER_FORMAT] == ["hat/1.png"]


def test_of_two_tables_in_an_archive_the_outer_one_counts(shop: Path) -> None:
    """Kaggle's archive of the fashion pictures holds everything twice."""
    (shop / "again").mkdir()
    (shop / "again" / "styles.csv").write_text("id,name\n1,not this one\n")
    (shop / "again" / "images").mkdir()
    (shop / "again" / "images" / "1.jpg").write_bytes(PICTURE)
    catalogue = load_catalogue(as_zip_with_a_top_folder(shop))
    assert len(catalogue) == 10
    assert catalogue.items["image"].iloc[0] == "shop-2024/catalogue/images/1.jpg"


def test_the_images_folder_counts_before_pictures_elsewhere(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "catalogue", "id,name\n1,shirt\n")
    (shop / "1.jpg").write_bytes(PICTURE)
    (shop / "banners").mkdir()
    (shop / "banners" / "1.jpg").write_bytes(PICTURE)
    assert load_catalogue(shop).items["image"].tolist() == ["images/1.jpg"]


def test_pictures_in_folders_below_images_are_found(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "catalogue", "id,name\n1,shirt\n10,hat\n")
    (shop / "images" / "more").mkdir()
    (shop / "images" / "more" / "10.webp").write_bytes(PICTURE)
    (shop / "images" / "more" / "1.jpg").write_bytes(PICTURE)
    images = load_catalogue(shop).items["image"].tolist()
    assert images == ["images/1.jpg", "images/more/1.jpg", "images/more/10.webp"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names there are Unicode")
def test_a_file_name_in_an_old_encoding_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "hat").mkdir()
    (tmp_path / "hat" / "1.jpg").write_bytes(PICTURE)
    (tmp_path / "hat" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(PICTURE)
    catalogue = load_catalogue(tmp_path)
    check_invariants(catalogue)
    assert "hat/1" in ids(catalogue)


@pytest.mark.skipif(sys.platform == "win32", reason="no such file names there")
def test_a_picture_in_a_folder_of_no_text_is_no_picture(shop: Path) -> None:
    before = load_catalogue(shop)
    odd = os.fsdecode(b"images/odd \xff")
    (shop / odd).mkdir()
    image = shop / before.items["image"][0]
    shutil.copy(image, shop / odd / image.name)
    image.unlink()
    after = load_catalogue(shop)
    assert len(after) == len(before) - 1
    assert after.report.dropped == {"no picture": 1}


# --- rows ------------------------------------------------------------------------------------


def test_unusable_rows_are_dropped_counted_and_named(load: Load) -> None:
    catalogue = load(
        "id,gender,colour\n"
        "1,Men,red\n"
        "1,Women,blue\n"
        ",Men,green\n"
        "2,Men\n"
        "77,Men,red\n"
        "78,Women,red\n"
        "3,Men,red,long,wide\n"
    )
    assert cells(catalogue) == {"1": {"gender": "Men", "colour": "red"}}
    report = catalogue.report
    assert report.rows == 7
    assert report.dropped == {
        "the id occurs before": 1,
        "no id": 1,
        "too few columns": 1,
        "no picture": 2,
        "too many columns": 1,
    }
    assert report.examples["no picture"] == ["77", "78"]
    assert report.examples["the id occurs before"] == ["1"]
    assert report.examples["too few columns"] == ["2"]
    assert report.examples["too many columns"] == ["3"]
    assert report.unlisted == 8


def test_a_row_that_is_dropped_does_not_count_as_repaired(load: Load) -> None:
    catalogue = load("id,gender,name\n1,Men,shirt\n77,Men,shirt, long\n")
    assert catalogue.report.repaired == {}
    assert catalogue.report.dropped == {"no picture": 1}


def test_a_few_examples_stand_for_many_rows(load: Load) -> None:
    catalogue = load("id,name\n1,shirt\n" + "".join(f"{i},hat\n" for i in range(100, 1100)))
    assert catalogue.report.dropped == {"no picture": 1000}
    assert catalogue.report.examples["no picture"] == [str(i) for i in range(100, 110)]


def test_the_report_says_in_words_what_was_done(load: Load) -> None:
    catalogue = load(
        "id,gender,name\n1,Men,shirt, long\n2,,dress\n77,Men,hat\n"
        + "".join(f"{i},Men,hat\n" for i in range(1000, 2500))
    )
    assert catalogue.report.in_words().splitlines() == [
        "1,503 rows read, 2 items kept",
        "  Table: styles.csv. Pictures by the column `id` (the picture's name), which has the ids.",
        "  repaired 1: unquoted commas in the last column (e.g. 1)",
        "  dropped 1,501: no picture (e.g. 77, 1000, 1001, 1002, 1003, 1004, 1005, 1006, "
        "1007, 1008)",
        "  kept with an empty cell: gender 1",
        "  7 pictures without a row were left out (e.g. images/3.jpg, images/4.jpg, images/5.jpg, "
        "images/6.jpg, images/7.jpg, images/8.jpg, images/9.jpg)",
    ]


def test_a_hostile_id_in_the_report_is_cut(load: Load) -> None:
    catalogue = load("id,name\n1,shirt\n" + "x" * 10_000 + ",shirt\n")
    assert len(catalogue.report.in_words()) < 400


HOSTILE_IDS = [
    "../secret", "../../etc/passwd", "/etc/passwd", "..", ".", "images/../1",
    "..\\secret", "C:\\secret", "file:///etc/passwd", "%2e%2e/secret", "*", "1\0",
]  # fmt: skip


@pytest.mark.parametrize("item", HOSTILE_IDS)
def test_no_id_leads_anywhere(load: Load, tmp_path: Path, item: str) -> None:
    (tmp_path / "secret.jpg").write_bytes(PICTURE)
    catalogue = load(f"id,name\n{item},evil\n1,shirt\n")
    assert ids(catalogue) == ["1"]
    assert catalogue.report.dropped == {"no picture": 1}


# --- the real catalogues ---------------------------------------------------------------------


@pytest.mark.real
def test_the_fashion_catalogue_loses_nothing_that_has_a_picture(real_data: Path) -> None:
    catalogue = load_catalogue(real_data / "fashion-product-images-small")
    check_invariants(catalogue)
    report = catalogue.report
    assert report.rows == 42_446
    assert report.items == 42_441
    assert report.repaired == {"unquoted commas in the last column": 22}
    assert report.dropped == {"no picture": 5}
    assert report.unlisted == 0
    assert report.empty["usage"] == 299  # `NA` and not a usage of that name
    names = catalogue.items.set_index("id")["productDisplayName"]
    assert names["3413"] == "Myntra Men's Yes, its all about me White T-shirt"
    with (real_data / "fashion-product-images-small" / "styles.csv").open(newline="") as file:
        lines = [line.rstrip("\r\n") for line in file]
    repaired = [line.split(",", 9) for line in lines if line.count(",") > 9 and '"' not in line]
    assert len(repaired) == 22
    assert all(names[row[0]] == row[9].strip() for row in repaired)


@pytest.mark.real
def test_the_street_photographs_are_a_catalogue_of_ten_classes(real_data: Path) -> None:
    catalogue = load_catalogue(real_data / "clothing-dataset-small")
    check_invariants(catalogue)
    assert len(catalogue) == catalogue.report.rows == 1_341
    counts = catalogue.items["class"].value_counts()
    assert set(counts.index) == {
        "dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt",
        "t-shirt",
    }  # fmt: skip
    assert counts.min() >= 100


# --- endings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
def test_jpegs_of_every_ending_are_read_and_what_is_not_is_named(
    tmp_path: Path, packed: bool
) -> None:
    folder = tmp_path / "shop" / "Shirts"
    folder.mkdir(parents=True)
    for name in ("a.jfif", "b.jpg", "c.HEIC", "d.jpe", "e.jxl", "f.JXL", "g.psd", "h.txt"):
        (folder / name).write_bytes(PICTURE)
    location = folder.parent
    if packed:
        location = Path(shutil.make_archive(str(tmp_path / "shop"), "zip", folder.parent))
    catalogue = load_catalogue(location)
    report = catalogue.report
    assert sorted(catalogue.items["id"]) == [f"Shirts/{letter}" for letter in "abcd"]
    assert (report.rows, report.items) == (4, 4)
    assert report.unread == {".jxl": 2, ".psd": 1}
    assert sorted(report.examples[".jxl"]) == ["Shirts/e.jxl", "Shirts/f.JXL"]
    assert "2 .jxl left out: such pictures are not read" in report.in_words()
