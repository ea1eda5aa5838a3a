"""A shop's goods on disk become a clean table, and what is wrong with them a report."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue import catalogue as catalogue_module
from fitting_room.catalogue.catalogue import Catalogue, CatalogueError, load_catalogue, open_store
from fitting_room.imaging.decode import ImageRejected
from tests.conftest import COLOURS, picture_bytes

MB = 2**20
PICTURE = picture_bytes(size=(8, 8))


def make_shop(folder: Path, table: str | bytes, ids: Iterable[str] = "123456789") -> Path:
    """A folder with this ``styles.csv``, and a picture for each of ``ids``."""
    (folder / "images").mkdir(parents=True)
    for item in ids:
        (folder / "images" / f"{item}.jpg").write_bytes(PICTURE)
    table = table if isinstance(table, bytes) else table.encode()
    (folder / "styles.csv").write_bytes(table)
    return folder


Load = Callable[..., Catalogue]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a ``styles.csv`` of this text (or these bytes) beside the pictures 1 to 9."""

    def load_table(table: str | bytes, **options: Any) -> Catalogue:
        catalogue = load_catalogue(make_shop(tmp_path / "goods", table, **options))
        check_invariants(catalogue)
        return catalogue

    return load_table


def check_invariants(catalogue: Catalogue) -> None:
    """What is true of every catalogue that loads, however bad its source."""
    report, items = catalogue.report, catalogue.items
    assert report.rows == report.items + sum(report.dropped.values())
    assert report.items == len(items) == len(catalogue) > 0
    assert items["id"].is_unique
    assert not items[["id", "image", "signature"]].isna().any().any()
    assert set(items["image"]) <= set(dict(catalogue.store.pictures()))
    assert report.items + report.unlisted <= len(dict(catalogue.store.pictures()))
    for counts in (report.repaired, report.dropped):
        for reason, count in counts.items():
            assert 1 <= len(report.examples[reason]) <= count
    assert len(catalogue.fingerprint) == 64
    json.dumps(report.as_dict())
    report.in_words().encode()
    for column in items:
        items[column].str.encode("utf-8")  # nothing that cannot be written to a file


def cells(catalogue: Catalogue) -> dict[str, dict[str, str | None]]:
    """What the catalogue says of its items: id -> attribute -> text, or ``None``."""
    table = catalogue.items.set_index("id")[catalogue.attributes]
    return {
        str(item): {str(c): None if pd.isna(cell) else str(cell) for c, cell in row.items()}
        for item, row in table.to_dict("index").items()
    }


def ids(catalogue: Catalogue) -> list[str]:
    return catalogue.items["id"].tolist()


def pack(folder: Path, to: Path, top: str = "") -> Path:
    with zipfile.ZipFile(to, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, top + path.relative_to(folder).as_posix())
    return to


# --- forms ----------------------------------------------------------------------------------


def as_folder(shop: Path) -> Path:
    return shop


def as_zip(shop: Path) -> Path:
    return pack(shop, shop.parent / "shop.zip")


def as_zip_with_a_top_folder(shop: Path) -> Path:
    return pack(shop, shop.parent / "shop.zip", "shop-2024/goods/")


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
    found = zip(catalogue.items["id"], catalogue.items["image"], strict=True)
    assert {item: store.read(image, MB) for item, image in found} == expected


def test_class_folders_become_a_column(tmp_path: Path) -> None:
    for name in ("train/dress/1.jpg", "train/hat/1.jpg", "test/hat/2.png"):
        path = tmp_path / "goods" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    for location in (tmp_path / "goods", pack(tmp_path / "goods", tmp_path / "goods.zip")):
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
    assert catalogue.items["image"].iloc[0] == "shop-2024/goods/images/1.jpg"


def test_the_images_folder_counts_before_pictures_elsewhere(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "goods", "id,name\n1,shirt\n")
    (shop / "1.jpg").write_bytes(PICTURE)
    (shop / "banners").mkdir()
    (shop / "banners" / "1.jpg").write_bytes(PICTURE)
    assert load_catalogue(shop).items["image"].tolist() == ["images/1.jpg"]


def test_pictures_in_folders_below_images_are_found(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "goods", "id,name\n1,shirt\n10,hat\n")
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


# --- cells ----------------------------------------------------------------------------------


def test_unquoted_commas_in_the_name_are_repaired_and_kept_as_they_are(load: Load) -> None:
    catalogue = load(
        "id,gender,productDisplayName\n1,Men,Yes, it's  about,me , shirt \n2,Women,dress\n"
    )
    assert cells(catalogue) == {
        "1": {"gender": "Men", "productDisplayName": "Yes, it's  about,me , shirt"},
        "2": {"gender": "Women", "productDisplayName": "dress"},
    }
    assert catalogue.report.repaired == {"unquoted commas in the last column": 1}
    assert catalogue.report.examples["unquoted commas in the last column"] == ["1"]


def test_commas_too_many_are_not_guessed_where_the_last_column_is_no_name(load: Load) -> None:
    catalogue = load("id,name,colour\n1,shirt, long,red\n2,dress,blue\n")
    assert ids(catalogue) == ["2"]
    assert catalogue.report.dropped == {"too many columns": 1}
    assert catalogue.report.repaired == {}


def test_quoted_commas_and_doubled_quotes_are_read_as_meant(load: Load) -> None:
    catalogue = load('id,gender,name\n1,"Men, tall","The ""best"" shirt, ever"\n2,,"plain"\n')
    assert cells(catalogue) == {
        "1": {"gender": "Men, tall", "name": 'The "best" shirt, ever'},
        "2": {"gender": None, "name": "plain"},
    }
    assert catalogue.report.repaired == {}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_quoted_cell_may_span_lines(load: Load, newline: str) -> None:
    text = newline.join(
        ["id,name,colour", '1,"first', "", 'third, ""last""",red', "2,dress,blue", ""]
    )
    catalogue = load(text.encode())
    assert cells(catalogue) == {
        "1": {"name": f'first{newline}{newline}third, "last"', "colour": "red"},
        "2": {"name": "dress", "colour": "blue"},
    }
    assert catalogue.report.rows == 2


def test_inches_in_a_name_are_no_quotes(load: Load) -> None:
    catalogue = load('id,size,name\n1,5",7" heel\n2,6",9" boot\n')
    assert cells(catalogue) == {
        "1": {"size": '5"', "name": '7" heel'},
        "2": {"size": '6"', "name": '9" boot'},
    }


OTHER_ROWS = {
    "none": "",
    "plain": "2,dress,blue\n3,skirt,green\n",
    "the next row is quoted": '2,"dress, long",blue\n3,skirt,green\n',
    "a later row is quoted": '2,dress,blue\n3,"skirt, short",green\n4,hat,"black"\n',
    "quoted doubled quotes": '2,dress,blue\n3,"a ""good"" skirt",green\n',
    "as far as a quote may reach": "".join(f"{i},hat,black\n" for i in range(2, 10)) * 5,
}


@pytest.mark.parametrize("others", OTHER_ROWS.values(), ids=OTHER_ROWS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_quote_that_is_never_closed_costs_its_own_row_only(
    load: Load, others: str, newline: str
) -> None:
    text = f'id,name,colour\n1,"Men shirt,red\n{others}'
    catalogue = load(text.replace("\n", newline).encode())
    alone = list(csv.DictReader(io.StringIO(f"id,name,colour\n{others}")))
    expected = {row.pop("id"): row for row in reversed(alone)}
    found = cells(catalogue)
    assert found.pop("1") == {"name": '"Men shirt', "colour": "red"}
    assert found == expected
    assert catalogue.report.repaired == {"a quote that is never closed": 1}


def test_stray_quotes_in_every_row_cost_no_row(load: Load) -> None:
    rows = [f'{i},"shirt,red' for i in range(1, 10)]
    catalogue = load("id,name,colour\n" + "\n".join(rows) + "\n")
    assert set(cells(catalogue)) == set("123456789")


def test_a_very_long_quoted_cell_costs_no_other_row(load: Load) -> None:
    catalogue = load(f'id,name,notes\n1,shirt,"{"long, " * 50_000}"\n2,dress,short\n')
    assert cells(catalogue)["2"] == {"name": "dress", "notes": "short"}


@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "BOM"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_what_spreadsheets_write_is_read(
    load: Load, start: str, newline: str, delimiter: str
) -> None:
    rows = [["id", "gender", "name"], ["1", "Men", "Größe, 3 | x"], ["2", "", "dress"]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows(rows)
    catalogue = load((start + text.getvalue()).encode())
    assert cells(catalogue) == {
        "1": {"gender": "Men", "name": "Größe, 3 | x"},
        "2": {"gender": None, "name": "dress"},
    }
    assert (catalogue.report.rows, catalogue.report.repaired) == (2, {})


def test_blank_lines_and_blanks_around_cells_do_not_count(load: Load) -> None:
    catalogue = load("id , name\n\n 1 ,  shirt \n   \n2,dress\n\n")
    assert cells(catalogue) == {"1": {"name": "shirt"}, "2": {"name": "dress"}}
    assert catalogue.report.rows == 2


def test_the_last_line_needs_no_end(load: Load) -> None:
    assert cells(load("id,name\n1,shirt\n2,dress"))["2"] == {"name": "dress"}


def test_windows_1252_is_recognised_and_reported(load: Load) -> None:
    catalogue = load("id,name\n1,Café – “crème”\n2,dress\n".encode("cp1252"))
    assert cells(catalogue)["1"] == {"name": "Café – “crème”"}
    assert catalogue.report.repaired == {"not UTF-8, read as Windows-1252": 1}


def test_windows_1252_in_the_first_line_is_read_too(load: Load) -> None:
    catalogue = load("id;Größe;name\n1;schön;shirt\n".encode("cp1252"))
    assert cells(catalogue) == {"1": {"Größe": "schön", "name": "shirt"}}


def test_a_cell_that_is_utf_8_stays_so_beside_one_that_is_not(load: Load) -> None:
    catalogue = load(b"id,name,colour\n1," + "Café".encode() + b",wei\xdf\n")
    assert cells(catalogue) == {"1": {"name": "Café", "colour": "weiß"}}


def test_bytes_that_no_encoding_knows_stop_nothing(load: Load) -> None:
    catalogue = load(b"id,name\n1,\x81\x8d\xff\n2,dress\n")
    assert ids(catalogue) == ["1", "2"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_refused(load: Load, encoding: str) -> None:
    with pytest.raises(CatalogueError):
        load("id,name\n1,shirt\n".encode(encoding))


def test_utf_16_as_excel_saves_it_is_refused_with_what_to_do(load: Load) -> None:
    with pytest.raises(CatalogueError, match=r"UTF-16.*Save it as UTF-8"):
        load("id\tname\n1\tshirt\n".encode("utf-16"))


@pytest.mark.parametrize("cell", ["", " ", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"])
def test_a_cell_that_says_nothing_is_missing_and_its_item_kept(load: Load, cell: str) -> None:
    catalogue = load(f"id,usage,name\n1,{cell},shirt\n2,Casual,{cell}\n3,Casual,NAvy dress\n")
    assert cells(catalogue) == {
        "1": {"usage": None, "name": "shirt"},
        "2": {"usage": "Casual", "name": None},
        "3": {"usage": "Casual", "name": "NAvy dress"},
    }
    assert catalogue.report.empty == {"usage": 1, "name": 1}


@pytest.mark.parametrize("item", ["NA", "null", "None", "nan"])
def test_an_id_is_an_id_even_where_it_looks_like_nothing(load: Load, item: str) -> None:
    catalogue = load(f"id,name\n{item},shirt\n1,dress\n", ids=[item, "1"])
    assert cells(catalogue) == {item: {"name": "shirt"}, "1": {"name": "dress"}}


def test_numbers_stay_the_text_they_were(load: Load) -> None:
    catalogue = load("id,year,size\n007,2011,1e3\n7,2012.0,True\n", ids=["007", "7"])
    assert cells(catalogue) == {
        "007": {"year": "2011", "size": "1e3"},
        "7": {"year": "2012.0", "size": "True"},
    }


# --- rows -----------------------------------------------------------------------------------


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


@pytest.mark.parametrize("header", ["name,id,colour", "name,ID,colour", "name, Id ,colour"])
def test_the_id_may_stand_in_any_column_and_case(load: Load, header: str) -> None:
    catalogue = load(f"{header}\nshirt,1,red\ndress,2\n")
    assert catalogue.items.columns.tolist() == ["id", "image", "signature", "name", "colour"]
    assert cells(catalogue) == {"1": {"name": "shirt", "colour": "red"}}
    assert catalogue.report.examples == {"too few columns": ["2"]}


def test_commas_are_not_put_into_an_id_that_stands_last(load: Load) -> None:
    catalogue = load("name,id\nshirt,1\nshirt, long,2\n")
    assert ids(catalogue) == ["1"]
    assert catalogue.report.dropped == {"too many columns": 1}


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("name,colour", "id"),
        ("", "id"),
        ("id,image,name", "image"),
        ("id,signature", "signature"),
        ("id,name,name", "different"),
        ("id,name,", "different"),
        ("id,,name", "different"),
        ("id,name,ID", "different"),
        ("ID,id,name", "different"),
        ("id," + ",".join(f"c{i}" for i in range(500)), "200"),
    ],
    ids=lambda value: value[:20],
)
def test_a_first_line_that_names_no_proper_columns_is_refused(
    load: Load, header: str, told: str
) -> None:
    with pytest.raises(CatalogueError, match=told):
        load(f"{header}\n1,2,3\n")


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


# --- what cannot be loaded ------------------------------------------------------------------


def failure(location: Path) -> str:
    """What is told of a location that cannot be loaded."""
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(location)
    text = str(caught.value)
    assert str(location) in text
    assert "Traceback" not in text
    return text


def test_a_missing_location_is_told_with_what_to_give(tmp_path: Path) -> None:
    assert "folder or a .zip" in failure(tmp_path / "nowhere")


def test_a_location_that_no_system_could_have_is_told_too() -> None:
    failure(Path("x" * 5000))


def test_an_empty_folder_is_told_what_was_expected(tmp_path: Path) -> None:
    text = failure(tmp_path)
    assert "no pictures found" in text
    assert "styles.csv" in text


def test_a_folder_without_pictures_is_told_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "no pictures found" in failure(tmp_path)


@pytest.mark.parametrize("contents", [b"", b"PK\x03\x04 broken", b"\xff\xd8\xff\xe0 a picture"])
def test_a_file_that_is_no_archive_is_told(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "goods.zip"
    path.write_bytes(contents)
    assert "zip" in failure(path)


def test_an_archive_that_broke_off_is_told_to_be_brought_again(shop: Path) -> None:
    path = as_zip(shop)
    path.write_bytes(path.read_bytes()[:-100])
    assert "Download it again" in failure(path)


def test_a_broken_images_zip_beside_the_table_is_told(shop: Path) -> None:
    as_table_beside_images_zip(shop)
    (shop / "images.zip").write_bytes(b"broken")
    assert "images.zip" in failure(shop)


def test_an_archive_without_pictures_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no pictures found" in failure(pack(tmp_path / "empty", tmp_path / "empty.zip"))


def test_rows_without_any_picture_are_told_as_such(tmp_path: Path) -> None:
    text = failure(make_shop(tmp_path / "goods", "id,name\n1,shirt\n2,dress\n", ids=[]))
    assert "2 rows read" in text
    assert "no picture" in text


def test_a_table_without_rows_is_not_blamed_on_the_pictures(tmp_path: Path) -> None:
    text = failure(make_shop(tmp_path / "goods", "id,name\n"))
    assert "no pictures found" not in text


def test_the_table_itself_is_not_mistaken_for_a_broken_download(shop: Path) -> None:
    text = failure(shop / "styles.csv")
    assert "folder" in text
    assert "Download it again" not in text


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_table_in_an_archive_is_told(tmp_path: Path, method: int) -> None:
    path = tmp_path / "goods.zip"
    rows = "".join(f"{i},shirt {i * i}\n" for i in range(5_000))
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("styles.csv", "id,name\n" + rows)
        archive.writestr("images/1.jpg", PICTURE)
    data = bytearray(path.read_bytes())
    data[2_000:2_200] = b"\xff" * 200
    path.write_bytes(data)
    assert "styles.csv" in failure(path)


def test_an_encrypted_table_in_an_archive_is_told(tmp_path: Path) -> None:
    path = tmp_path / "goods.zip"
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
def test_a_folder_that_may_not_be_read_is_told(
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


def test_pictures_that_have_gone_are_told(shop: Path) -> None:
    catalogue = load_catalogue(shop)
    image = catalogue.items["image"].iloc[0]
    shutil.rmtree(shop)
    with pytest.raises(ImageRejected):
        catalogue.store.read(image, MB)
    with pytest.raises(CatalogueError, match="not there any more"):
        open_store(shop)


# --- fingerprint ----------------------------------------------------------------------------


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


# --- anything at all ------------------------------------------------------------------------

#: Text with everything that means something in a csv, more often than chance would have it.
TEXT = st.text(
    st.sampled_from(",;\t\"'\n\r |\\éß – NA") | st.characters(exclude_categories=["Cs"]),
    max_size=8,  # two cells hold fewer line breaks than end a row
)
ID = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="/\\:."),
    min_size=1,
    max_size=6,
).filter(lambda item: not item.startswith("__MACOSX") and item.strip() == item)
NOT_AVAILABLE = {"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archives") / "goods.zip"


@settings(max_examples=150, deadline=None)
@given(
    goods=st.dictionaries(ID, st.tuples(TEXT, TEXT), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t"),
)
def test_whatever_a_csv_writer_wrote_comes_back(
    archive: Path, goods: dict[str, tuple[str, str]], delimiter: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["id", "a", "b"])
    writer.writerows([item, *row] for item, row in goods.items())
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("styles.csv", text.getvalue().encode())
        for item in goods:
            packed.writestr(f"images/{item}.jpg", b"")
    catalogue = load_catalogue(archive)
    check_invariants(catalogue)

    def expected(cell: str) -> str | None:
        return None if cell.strip() in NOT_AVAILABLE else cell.strip()

    assert cells(catalogue) == {
        item: {"a": expected(a), "b": expected(b)} for item, (a, b) in goods.items()
    }
    assert catalogue.report.dropped == catalogue.report.repaired == {}


@pytest.fixture(scope="module")
def any_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shop(tmp_path_factory.mktemp("shops") / "any", b"")


PIECES = st.sampled_from(
    [b"id", b"ID", b"name", b"\xef\xbb\xbf", b"\0", b"\xff", b"\xe9", b"\xed\xa0\x80", b"NA"]
    + [bytes([byte]) for byte in b',,;\t"" \r\n\n123456789']
)


@settings(max_examples=250, deadline=None)
@given(
    header=st.sampled_from([b"id,a\n", b"a;id;name\r\n", b"\xef\xbb\xbfid\ta\n", b"id,", b""]),
    rest=st.lists(PIECES, max_size=40).map(b"".join) | st.binary(max_size=60),
)
def test_any_bytes_load_or_are_refused(any_shop: Path, header: bytes, rest: bytes) -> None:
    (any_shop / "styles.csv").write_bytes(header + rest)
    try:
        catalogue = load_catalogue(any_shop)
    except CatalogueError as error:
        str(error).encode()  # fit to be printed
    else:
        check_invariants(catalogue)


@settings(max_examples=100, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(-400, 1_000), st.integers(0, 255)), min_size=1),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
def test_any_damage_to_an_archive_is_survived_or_told(
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


# --- the real catalogues --------------------------------------------------------------------


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


def test_without_room_for_temporary_files_it_says_so(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(catalogue_module, "Listing", full)
    with pytest.raises(CatalogueError, match=r"disk is full.*folder for temporary files"):
        load_catalogue(shop)
    monkeypatch.undo()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(CatalogueError, match="nowhere"):
        load_catalogue(shop)


@pytest.mark.skipif(sys.platform == "win32", reason="no such file names there")
def test_a_picture_in_a_folder_of_no_text_is_no_picture(shop: Path) -> None:
    before = load_catalogue(shop)
    odd = os.fsdecode(b"images/odd \xff")
    (shop / odd).mkdir()
    image = shop / before.items["image"][0]
    shutil.copy(image, shop / odd / image.name)
    image.unlink()
    found = load_catalogue(shop)
    assert len(found) == len(before) - 1
    assert found.report.dropped == {"no picture": 1}


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 5])
def test_a_table_is_the_same_however_many_rows_are_held_at_once(
    load: Load, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    table = "id,usage,name\n1,NA,a\n2,,b\n1,Casual,c\n3,Sports,NA\n4,Casual,d\n"
    expected = load(table)
    monkeypatch.setattr(catalogue_module, "ROWS_AT_ONCE", at_once)
    found = load_catalogue(expected.location)
    pd.testing.assert_frame_equal(found.items, expected.items)
    assert found.report == expected.report
