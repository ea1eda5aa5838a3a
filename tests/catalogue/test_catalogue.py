"""A catalogue on disk becomes a clean table, and what is wrong with it a report."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue, open_store
from fitting_room.imaging.decode import ImageRejected
from tests.catalogue.conftest import (
    MB,
    PICTURE,
    Load,
    cells,
    check_invariants,
    ids,
    make_shop,
    pack,
)
from tests.conftest import COLOURS, picture_bytes

# --- forms -----------------------------------------------------------------------------------


def as_folder(shop: Path) -> Path:
    return shop


def as_zip(shop: Path) -> Path:
    return pack(shop, shop.parent / "shop.zip")


def as_zip_with_a_top_folder(shop: Path) -> Path:
    return pack(shop, shop.parent / "shop.zip", "shop-2024/catalogue/")


def as_table_beside_images_zip(shop: Path) -> Path:
    pack(shop / "images", shop / "images.zip", "images/")
    shutil.rmtree(shop / "images")
    return shop


def as_table_beside_a_flat_images_zip(shop: Path) -> Path:
    pack(shop / "images", shop / "images.zip")
    shutil.rmtree(shop / "images")
    return shop


def as_table_among_its_pictures(shop: Path) -> Path:
    for path in (shop / "images").iterdir():
        path.rename(shop / path.name)
    (shop / "images").rmdir()
    return shop


FORMS = pytest.mark.parametrize(
    "form",
    [
        as_folder, as_zip, as_zip_with_a_top_folder, as_table_beside_images_zip,
        as_table_beside_a_flat_images_zip, as_table_among_its_pictures,
    ],
)  # fmt: skip


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
    assert catalogue.report.in_words() == "10 rows read, 10 items kept"


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
    assert catalogue.report.dropped == {"the id occurs before": 1}


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
    assert images == ["images/1.jpg", "images/more/10.webp"]


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
    assert catalogue.report.examples["no picture"] == ["100", "101", "102", "103", "104"]


def test_the_report_says_in_words_what_was_done(load: Load) -> None:
    catalogue = load(
        "id,gender,name\n1,Men,shirt, long\n2,,dress\n77,Men,hat\n"
        + "".join(f"{i},Men,hat\n" for i in range(1000, 2500))
    )
    assert catalogue.report.in_words().splitlines() == [
        "1,503 rows read, 2 items kept",
        "  repaired 1: unquoted commas in the last column (e.g. 1)",
        "  dropped 1,501: no picture (e.g. 77, 1000, 1001, 1002, 1003)",
        "  kept with an empty cell: gender 1",
        "  7 pictures without a row were left out",
    ]


def test_a_hostile_id_in_the_report_is_cut(load: Load) -> None:
    catalogue = load("id,name\n1,shirt\n" + "x" * 10_000 + ",shirt\n")
    assert len(catalogue.report.in_words()) < 400


HOSTILE_IDS = [
    "../secret", "../../etc/passwd", "/etc/passwd", "images/1", "..", ".", "images/../1",
    "..\\secret", "C:\\secret", "file:///etc/passwd", "%2e%2e/secret", "*", "1.jpg", "1\0",
]  # fmt: skip


@pytest.mark.parametrize("item", HOSTILE_IDS)
def test_no_id_leads_anywhere(load: Load, tmp_path: Path, item: str) -> None:
    (tmp_path / "secret.jpg").write_bytes(PICTURE)
    catalogue = load(f"id,name\n{item},evil\n1,shirt\n")
    assert ids(catalogue) == ["1"]
    assert catalogue.report.dropped == {"no picture": 1}


# --- what cannot be loaded -------------------------------------------------------------------


def failure(location: Path) -> str:
    """The message for a location that cannot be loaded."""
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(location)
    text = str(caught.value)
    assert str(location) in text
    assert "Traceback" not in text
    return text


def test_a_missing_location_is_refused_with_what_to_give(tmp_path: Path) -> None:
    assert "folder or a .zip" in failure(tmp_path / "nowhere")


def test_a_location_that_no_system_could_have_is_refused_too() -> None:
    failure(Path("x" * 5000))


def test_an_empty_folder_is_refused_what_was_expected(tmp_path: Path) -> None:
    text = failure(tmp_path)
    assert "no pictures found" in text
    assert "styles.csv" in text


def test_a_folder_without_pictures_is_refused_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "no pictures found" in failure(tmp_path)


@pytest.mark.parametrize("contents", [b"", b"PK\x03\x04 broken", b"\xff\xd8\xff\xe0 a picture"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "catalogue.zip"
    path.write_bytes(contents)
    assert "zip" in failure(path)


def test_an_archive_that_broke_off_is_refused_to_be_brought_again(shop: Path) -> None:
    path = as_zip(shop)
    path.write_bytes(path.read_bytes()[:-100])
    assert "Download it again" in failure(path)


def test_a_broken_images_zip_beside_the_table_is_refused(shop: Path) -> None:
    as_table_beside_images_zip(shop)
    (shop / "images.zip").write_bytes(b"broken")
    assert "images.zip" in failure(shop)


def test_an_archive_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no pictures found" in failure(pack(tmp_path / "empty", tmp_path / "empty.zip"))


def test_rows_without_any_picture_are_refused_as_such(tmp_path: Path) -> None:
    text = failure(make_shop(tmp_path / "catalogue", "id,name\n1,shirt\n2,dress\n", ids=[]))
    assert "2 rows read" in text
    assert "no picture" in text


def test_a_table_without_rows_is_not_blamed_on_the_pictures(tmp_path: Path) -> None:
    text = failure(make_shop(tmp_path / "catalogue", "id,name\n"))
    assert "no pictures found" not in text


def test_the_table_itself_is_not_mistaken_for_a_broken_download(shop: Path) -> None:
    text = failure(shop / "styles.csv")
    assert "folder" in text
    assert "Download it again" not in text


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_table_in_an_archive_is_refused(tmp_path: Path, method: int) -> None:
    path = tmp_path / "catalogue.zip"
    rows = "".join(f"{i},shirt {i * i}\n" for i in range(5_000))
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("styles.csv", "id,name\n" + rows)
        archive.writestr("images/1.jpg", PICTURE)
    data = bytearray(path.read_bytes())
    data[2_000:2_200] = b"\xff" * 200
    path.write_bytes(data)
    assert "styles.csv" in failure(path)


def test_an_encrypted_table_in_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("styles.csv", "id,name\n1,shirt\n")
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "encrypted" in failure(path)


def test_a_table_that_is_a_link_to_elsewhere_is_refused(shop: Path, tmp_path: Path) -> None:
    (shop / "styles.csv").rename(tmp_path / "private.csv")
    try:
        (shop / "styles.csv").symlink_to(tmp_path / "private.csv")
    except OSError:
        pytest.skip("this system lets no links be made")
    assert "outside" in failure(shop)


@pytest.mark.parametrize("with_table", [True, False])
def test_a_folder_that_may_not_be_read_is_refused(
    shop: Path, monkeypatch: pytest.MonkeyPatch, with_table: bool
) -> None:
    """Simulated, since nothing is forbidden to the root user of a container."""
    if not with_table:
        (shop / "styles.csv").unlink()
    scan = os.scandir

    def refuse_images(path: Path) -> Any:
        if Path(path).name == "images":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr("fitting_room.catalogue.image_store.os.scandir", refuse_images)
    assert "Permission denied" in failure(shop)


def test_pictures_that_have_gone_are_refused(shop: Path) -> None:
    catalogue = load_catalogue(shop)
    image = catalogue.items["image"].iloc[0]
    shutil.rmtree(shop)
    with pytest.raises(ImageRejected):
        catalogue.store.read(image, MB)
    with pytest.raises(CatalogueError, match="not there any more"):
        open_store(shop)


@settings(max_examples=100, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(-400, 1_000), st.integers(0, 255)), min_size=1),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
def test_any_damage_to_an_archive_is_survived_or_refused(
    archive: Path, edits: list[tuple[int, int]], method: int
) -> None:
    with zipfile.ZipFile(archive, "w", method) as packed:
        packed.writestr("göods/styles.csv", "id,name\n1,shirt\n2,dress\n3,skirt\n")
        for item in "123":
            packed.writestr(f"göods/images/{item}.jpg", PICTURE[:50])
    data = bytearray(archive.read_bytes())
    for position, value in edits:
        data[position % len(data)] = value
    archive.write_bytes(data)
    try:
        catalogue = load_catalogue(archive)
    except CatalogueError as error:
        str(error).encode()
    else:
        check_invariants(catalogue)


# --- fingerprint -----------------------------------------------------------------------------


@FORMS
def test_the_fingerprint_of_an_unchanged_catalogue_stays(
    shop: Path, form: Callable[[Path], Path]
) -> None:
    location = form(shop)
    assert load_catalogue(location).fingerprint == load_catalogue(location).fingerprint


def change_a_cell(shop: Path) -> None:
    table = shop / "styles.csv"
    table.write_text(table.read_text().replace("Black shirt", "Black dress"))


def empty_a_cell(shop: Path) -> None:
    table = shop / "styles.csv"
    table.write_text(table.read_text().replace("Black shirt", ""))


def move_a_value_to_the_next_column(shop: Path) -> None:
    table = shop / "styles.csv"
    table.write_text(table.read_text().replace("Tshirts,Black,Black", ",TshirtsBlack,Black"))


def rename_a_column(shop: Path) -> None:
    table = shop / "styles.csv"
    table.write_text(table.read_text().replace("baseColour", "colour"))


def swap_two_ids(shop: Path) -> None:
    table = shop / "styles.csv"
    table.write_text(table.read_text().replace("\n1,", "\nX,").replace("\n3,", "\n1,", 1)
                     .replace("\nX,", "\n3,"))  # fmt: skip


def change_a_picture(shop: Path) -> None:
    path = shop / "images" / "4.jpg"
    path.write_bytes(picture_bytes("cyan", size=(60, 81)))


def remove_a_picture(shop: Path) -> None:
    (shop / "images" / "10.jpg").unlink()


def remove_a_row(shop: Path) -> None:
    table = shop / "styles.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]))


def add_an_item(shop: Path) -> None:
    (shop / "images" / "11.jpg").write_bytes(PICTURE)
    table = shop / "styles.csv"
    table.write_text(table.read_text() + "11,Men,Tshirts,Red,Red shirt\n")


@pytest.mark.parametrize(
    "change",
    [
        change_a_cell, empty_a_cell, move_a_value_to_the_next_column, rename_a_column,
        swap_two_ids, change_a_picture, remove_a_picture, remove_a_row, add_an_item,
    ],
)  # fmt: skip
def test_the_fingerprint_changes_with_the_catalogue(
    shop: Path, change: Callable[[Path], None]
) -> None:
    before = load_catalogue(shop).fingerprint
    change(shop)
    assert load_catalogue(shop).fingerprint != before


@pytest.mark.parametrize("form", [as_folder, as_zip])
def test_the_fingerprint_of_class_folders_changes_with_a_picture(
    shop: Path, form: Callable[[Path], Path]
) -> None:
    (shop / "styles.csv").unlink()
    before = load_catalogue(form(shop)).fingerprint
    assert load_catalogue(form(shop)).fingerprint == before
    change_a_picture(shop)
    assert load_catalogue(form(shop)).fingerprint != before


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
