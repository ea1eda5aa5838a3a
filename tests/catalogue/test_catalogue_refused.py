"""Catalogues that cannot be loaded, and what is known of one by its fingerprint."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue, open_store
from fitting_room.catalogue.items import LONG_CELL, LONG_ID, LONGEST_CELL
from fitting_room.imaging.decode import ImageRejected
from tests.catalogue.conftest import (
    FORMS,
    MB,
    PICTURE,
    as_folder,
    as_table_beside_images_zip,
    as_zip,
    check_invariants,
    make_shop,
    pack,
)
from tests.conftest import picture_bytes

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
    assert "Give a folder, an archive" in failure(tmp_path / "nowhere")


def test_a_location_that_no_system_could_have_is_refused_too() -> None:
    failure(Path("x" * 5000))


def test_an_empty_folder_is_refused_what_was_expected(tmp_path: Path) -> None:
    text = failure(tmp_path)
    assert "no pictures found" in text
    assert "a table beside its pictures" in text


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
    assert "no pictures found beside this table of 2 rows" in text


def test_a_table_without_rows_is_not_blamed_on_the_pictures(tmp_path: Path) -> None:
    text = failure(make_shop(tmp_path / "catalogue", "id,name\n"))
    assert "no pictures found" not in text


def test_the_table_itself_is_its_catalogue(shop: Path) -> None:
    assert load_catalogue(shop / "styles.csv").items.equals(load_catalogue(shop).items)


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        ("film.mp4", b"\0\0\0\x18ftypmp42", "a video"),
        ("shop.pdf", b"%PDF-1.7\n", "a PDF"),
        ("1.jpg", PICTURE, "a picture"),
        ("shop.rar", b"Rar!\x1a\x07\x01\0", "a rar archive"),
        ("index.html", b"<!DOCTYPE html><html>", "HTML"),
        ("shop", b"just some words", "neither a table nor an archive"),
    ],
)
def test_a_file_that_is_no_catalogue_is_called_what_it_is(
    tmp_path: Path, name: str, start: bytes, kind: str
) -> None:
    (tmp_path / name).write_bytes(start)
    text = failure(tmp_path / name)
    assert kind in text
    assert "again" not in text


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


def test_a_table_that_unpacks_to_far_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("styles.csv", b"id,name\n" + b"1,shirt\n" * 10_000_000)
        archive.writestr("images/1.jpg", PICTURE)
    assert path.stat().st_size < 2**20
    text = failure(path)
    assert "styles.csv" in text and "times its size" in text


@pytest.mark.parametrize("cell", ["x" * 40_000, "é" * 40_000])
def test_a_very_long_cell_is_cut_and_counted(tmp_path: Path, cell: str) -> None:
    shop = make_shop(tmp_path / "catalogue", f"id,name,text\n1,dress,{cell}\n2,shirt,short\n")
    catalogue = load_catalogue(shop)
    assert catalogue.items["text"].str.len().tolist() == [LONGEST_CELL, 5]
    assert catalogue.report.repaired == {LONG_CELL: 1}


def test_an_id_of_any_length_is_dropped(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "catalogue", f"id,image\n{'x' * 600},1.jpg\n2,2.jpg\n")
    assert load_catalogue(shop).report.dropped == {LONG_ID: 1}


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
    assert "links that lead out" in failure(shop)


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

    monkeypatch.setattr("fitting_room.catalogue.stores.folder.os.scandir", refuse_images)
    assert "Permission denied" in failure(shop)


def test_pictures_that_have_gone_are_refused(shop: Path) -> None:
    catalogue = load_catalogue(shop)
    image = catalogue.items["image"].iloc[0]
    shutil.rmtree(shop)
    with pytest.raises(ImageRejected):
        catalogue.store.read(image, MB)
    with pytest.raises(CatalogueError, match="not there any more"):
        open_store(shop)


@settings(max_examples=100)
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
