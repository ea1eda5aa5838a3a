"""What a file is, by its bytes; and the tables of the case files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from fitting_room.catalogue.tables import (
    TABLE_SUFFIXES,
    SourceTable,
    TableError,
    columns_of,
    is_table_name,
    read_table,
    what_it_is,
)
from tests.catalogue.tables.conftest import cells, check_invariants, header_of, read

CASES = Path(__file__).parents[4] / "shared/cases/catalogues"


def zipped(*names: str, mimetype: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        if mimetype:
            archive.writestr("mimetype", mimetype)
        for name in names:
            archive.writestr(name, "")
    return file.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000)
KINDS = [
    (b"%PDF-1.7 ...", "a PDF"),
    (b"\xff\xd8\xff\xe0", "a picture"),
    (b"RIFF0000WEBPVP8 ", "a picture"),
    (b"BM0000\0\0\0\0", "a picture"),
    (b"\0\0\0\x20ftypheic", "a picture"),
    (b"\0\0\0\x20ftypmp42", "a video"),
    (b"RIFF0000AVI LIST", "a video"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07\x01", "a rar archive"),
    (bytes(257) + b"ustar\0", "a tar archive"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b" \n<!DOCTYPE html><html>", "an HTML page"),
    (b'<?xml version="1.0"?><svg/>', "a picture"),
    (b'<?xml version="1.0"?><rss/>', "an XML file"),
    (b"{\\rtf1", "a Word document"),
    (zipped("xl/workbook.xml"), "a spreadsheet"),
    (zipped("word/document.xml"), "a Word document"),
    (zipped("ppt/a.xml"), "a presentation"),
    (zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet"), "a spreadsheet"),
    (zipped(mimetype="application/vnd.oasis.opendocument.text"), "a text document"),
    (zipped("images/1.jpg"), "a zip archive"),
    (b"PK\x03\x04 broken", "a zip archive"),
    (OLE + "WordDocument".encode("utf-16-le"), "a Word document"),
    (OLE + "Workbook".encode("utf-16-le"), "a spreadsheet"),
    (OLE, "an old Office document"),
    (b"id,name\n1,shirt\n", None),
    (b"", None),
    (b"\x1f\x8b damaged", None),
]


@pytest.mark.parametrize(("data", "kind"), KINDS)
def test_a_file_is_called_what_it_is(data: bytes, kind: str | None) -> None:
    assert what_it_is(lambda: io.BytesIO(data), "styles.csv") == kind
    if kind is not None and "spreadsheet" not in kind:
        with pytest.raises(TableError, match=f"this is {kind} and no table"):
            read(data)


def test_names_of_tables() -> None:
    assert is_table_name("Styles.CSV")
    assert is_table_name("listings/metadata/listings_0.json.gz")
    assert not is_table_name("1163.jpg")
    assert not is_table_name("images.zip")
    assert {".csv", ".tsv.gz", ".parquet", ".xlsx", ".jsonl"} <= set(TABLE_SUFFIXES)


def test_prose_is_no_table() -> None:
    for text in ("Colours are red, blue.\nSizes are S, M.\n", "Read me.\n", "a\nb\n"):
        with pytest.raises(TableError, match="this text is no table"):
            read(text, "README.txt")
    assert len(read("id\tname\n1\tshirt\n", "goods.txt").cells) == 1


def test_a_list_with_a_count_is_a_table() -> None:
    text = "3\ncategory_name  category_type\nAnorak 1\nprint graphic   2\n\nmany words here 3\n"
    table = read(text, "list_category_cloth.txt")
    assert cells(table)[:2] == [
        {"category_name": "Anorak", "category_type": "1"},
        {"category_name": "print graphic", "category_type": "2"},
    ]
    assert table.unusable == {"too few columns": [2]}
    assert header_of(text, "a.txt") == ["category_name", "category_type"]


def test_a_list_with_another_count_is_none() -> None:
    with pytest.raises(TableError, match="no table"):
        read("7\nname type\nAnorak 1\n", "list.txt")


def test_a_member_of_a_damaged_zip_is_called_damaged() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("styles.csv", "id,name\n" + "1,shirt\n" * 1000)
    data = file.getvalue().replace(b"shirt", b"skirt", 1)
    archive = zipfile.ZipFile(io.BytesIO(data))
    with pytest.raises(TableError, match="damaged"):
        read_table(lambda: archive.open("styles.csv"), "styles.csv")  # type: ignore[arg-type, return-value]


def test_a_file_that_cannot_be_opened_is_refused() -> None:
    def closed() -> io.BytesIO:
        raise PermissionError("no")

    for use in (read_table, columns_of):
        with pytest.raises(TableError, match="cannot be opened"):
            use(closed, "styles.csv")


# --- the case files --------------------------------------------------------------------------


def case(number: str, suffix: str) -> SourceTable:
    folder = next(iter(CASES.glob(f"{number}-*")), None) if CASES.is_dir() else None
    if folder is None:
        pytest.skip("the case files are not there")
    path = next(p for p in sorted(folder.rglob("*")) if p.name.endswith(suffix))
    table = read_table(lambda: path.open("rb"), path.name)
    check_invariants(table)
    assert set(columns_of(lambda: path.open("rb"), path.name)) >= set(table.cells.columns)
    return table


@pytest.mark.parametrize(
    ("number", "suffix", "shape", "columns"),
    [
        ("04", ".jsonl", (6, 3), ["file_name", "text"]),
        ("07", ".csv", (12, 15), ["Handle", "Title", "Body (HTML)"]),
        ("09", "images.csv.gz", (6, 4), ["image_id", "height"]),
        ("09", ".json.gz", (6, 4), ["item_id", "item_name", "product_type", "main_image_id"]),
        ("11", ".json", (6, 5), ["id", "file_name"]),
        ("12", "bbox_inshop.txt", (8, 7), ["image_name", "clothes_type"]),
        ("12", ".json", (1, 3), ["item", "color", "description"]),
        ("19", ".csv", (6, 16), ["ID", "Type", "SKU", "Name"]),
        ("24", ".csv", (6, 2), ["id", "name"]),
        ("29", ".csv", (6, 4), ["id", "Title", "Body (HTML)"]),
        ("30", ".csv", (6, 3), ["id", "size (S; M; L; XL)", "name"]),
        ("32", ".csv", (6, 3), ["id", "name", "colour"]),
        ("33", ".csv", (6, 3), ["id", "name", "colour"]),
        ("35", ".csv", (6, 2), ["id", "name"]),
        ("38", ".csv", (6, 200), ["ID", "Type", "SKU"]),
        ("44", ".parquet", (6, 2), ["productDisplayName", "id"]),
        ("62", ".csv", (6, 3), ["id", "name", "colour"]),
    ],
)
def test_a_case_is_read(
    number: str, suffix: str, shape: tuple[int, int], columns: list[str]
) -> None:
    table = case(number, suffix)
    assert table.cells.shape == shape
    assert table.cells.columns.tolist()[: len(columns)] == columns
    assert table.unusable == table.repaired == {}


def test_what_the_cases_say() -> None:
    assert cells(case("33", ".csv"))[0]["name"] == 'A 5" heel, shiny 1163'
    assert cells(case("62", ".csv"))[0]["name"] == "红色连衣裙 1163"
    assert cells(case("24", ".csv"))[0]["id"] == "'01163"
    assert str(cells(case("29", ".csv"))[1]["Body (HTML)"]).count("\n") > 20
    assert cells(case("11", ".json"))[0]["categories"] == "dress"


def test_cases_that_are_refused() -> None:
    with pytest.raises(TableError, match="`name` occurs twice"):
        case("37", ".csv")
    pytest.importorskip("openpyxl")
    with pytest.raises(TableError, match="this is a spreadsheet that cannot be read"):
        case("45", ".xlsx")
