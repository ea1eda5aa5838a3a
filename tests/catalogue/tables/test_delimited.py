"""Delimited text as people and programs write it, and anything else that calls itself a csv."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import time

import pytest

from fitting_room.catalogue.tables import TableError, records
from tests.catalogue.tables.conftest import cells, counts, header_of, read

# --- cells -----------------------------------------------------------------------------------


def test_unquoted_commas_in_the_name_are_repaired_and_kept_as_they_are() -> None:
    found = read(
        "id,gender,productDisplayName\n1,Men,Yes, it's  about,me , shirt \n2,Women,dress\n"
    )
    assert cells(found) == [
        {"id": "1", "gender": "Men", "productDisplayName": "Yes, it's  about,me , shirt"},
        {"id": "2", "gender": "Women", "productDisplayName": "dress"},
    ]
    assert found.repaired == {"unquoted commas in the last column": [0]}


def test_the_name_may_be_written_in_any_case() -> None:
    assert cells(read("SKU;Title\n1;shirt; long\n"))[0]["Title"] == "shirt; long"


def test_commas_too_many_are_not_guessed_where_the_last_column_is_no_name() -> None:
    found = read("id,name,colour\n1,shirt, long,red\n2,dress,blue\n")
    assert found.unusable == {"too many columns": [0]}
    assert found.repaired == {}


def test_a_row_with_too_few_cells_is_named_by_its_first() -> None:
    found = read("name,id,colour\nshirt,1,red\ndress,2\n")
    assert found.unusable == {"too few columns": [1]}
    assert cells(found)[1]["name"] == "dress"


def test_quoted_commas_and_doubled_quotes_are_read_as_meant() -> None:
    found = read('id,gender,name\n1,"Men, tall","The ""best"" shirt, ever"\n2,,"plain"\n')
    assert cells(found) == [
        {"id": "1", "gender": "Men, tall", "name": 'The "best" shirt, ever'},
        {"id": "2", "gender": None, "name": "plain"},
    ]
    assert found.repaired == {}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_quoted_cell_may_span_lines(newline: str) -> None:
    text = newline.join(
        ["id,name,colour", '1,"first', "", 'third, ""last""",red', "2,dress,blue", ""]
    )
    assert cells(read(text)) == [
        {"id": "1", "name": f'first{newline}{newline}third, "last"', "colour": "red"},
        {"id": "2", "name": "dress", "colour": "blue"},
    ]


@pytest.mark.parametrize("others", ["", '3,hat,5" or 7"\n4,"a"b,c\n'], ids=["regular", "careful"])
def test_a_quoted_cell_may_be_of_any_length_and_have_any_number_of_lines(others: str) -> None:
    html = "<ul>\n" + "<li>soft, warm</li>\n" * 10_000 + "</ul>"
    text = io.StringIO()
    csv.writer(text).writerows([["id", "body", "colour"], ["1", html, "red"], ["2", "x", "blue"]])
    found = read(text.getvalue() + others)
    assert cells(found)[:2] == [
        {"id": "1", "body": html, "colour": "red"},
        {"id": "2", "body": "x", "colour": "blue"},
    ]
    assert found.repaired == found.unusable == {}


def test_inches_in_a_name_are_no_quotes() -> None:
    found = read('id,size,name\n1,5",7" heel\n2,6",9" boot\n')
    assert cells(found) == [
        {"id": "1", "size": '5"', "name": '7" heel'},
        {"id": "2", "size": '6"', "name": '9" boot'},
    ]


OTHER_ROWS = {
    "none": "",
    "plain": "2,dress,blue\n3,skirt,green\n",
    "the next row is quoted": '2,"dress, long",blue\n3,skirt,green\n',
    "a later row is quoted": '2,dress,blue\n3,"skirt, short",green\n4,hat,"black"\n',
    "quoted doubled quotes": '2,dress,blue\n3,"a ""good"" skirt",green\n',
    "a later row ends in inches": '2,dress,blue\n3,skirt 5",green\n',
    "many": "".join(f"{i},hat,black\n" for i in range(2, 10)) * 500,
}


@pytest.mark.parametrize("others", OTHER_ROWS.values(), ids=OTHER_ROWS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_quote_that_is_never_closed_costs_its_own_row_only(others: str, newline: str) -> None:
    text = f'id,name,colour\n1,"Men shirt,red\n{others}'
    found = read(text.replace("\n", newline))
    alone = list(csv.DictReader(io.StringIO(f"id,name,colour\n{others}")))
    assert cells(found) == [{"id": "1", "name": '"Men shirt', "colour": "red"}, *alone]
    assert counts(found.repaired) == {"a quote that is never closed": 1}


def test_stray_quotes_in_every_row_cost_no_row() -> None:
    rows = [f'{i},"shirt,red' for i in range(1, 10)]
    found = read("id,name,colour\n" + "\n".join(rows) + "\n")
    assert found.cells["id"].tolist() == list("123456789")


def test_stray_quotes_do_not_take_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these rows opens a cell that goes on to the end of the file."""
    monkeypatch.setattr(records, "MAX_LOOKAHEAD", 10_000)
    rows = [f'{i},"shirt,"" """' for i in range(20_000)]
    before = time.monotonic()
    read("id,name,colour\n" + "\n".join(rows) + "\n")
    assert time.monotonic() - before < 20


def test_a_cell_longer_than_any_is_a_stray_quote(monkeypatch: pytest.MonkeyPatch) -> None:
    before = csv.field_size_limit(1000)
    try:
        found = read('id,name\n1,"shirt\n' + "2,dress\n" * 500)
    finally:
        csv.field_size_limit(before)
    assert counts(found.repaired) == {"a quote that is never closed": 1}
    assert len(found.cells) == 501


@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "BOM"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"], ids=["comma", "semi", "tab", "bar"])
def test_what_spreadsheets_write_is_read(start: str, newline: str, delimiter: str) -> None:
    rows = [["id", "gender", "name"], ["1", "Men", "Größe, 3 / x"], ["2", "", "dress"]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows(rows)
    found = read(start + text.getvalue())
    assert cells(found) == [
        {"id": "1", "gender": "Men", "name": "Größe, 3 / x"},
        {"id": "2", "gender": None, "name": "dress"},
    ]
    assert (found.repaired, found.unusable, found.notes) == ({}, {}, ())
    assert header_of(start + text.getvalue()) == ["id", "gender", "name"]


def test_blank_lines_and_blanks_around_cells_do_not_count() -> None:
    assert cells(read("id , name\n\n 1 ,  shirt \n   \n2,dress\n\n")) == [
        {"id": "1", "name": "shirt"},
        {"id": "2", "name": "dress"},
    ]


def test_the_last_line_needs_no_end() -> None:
    assert cells(read("id,name\n1,shirt\n2,dress"))[1] == {"id": "2", "name": "dress"}


@pytest.mark.parametrize("cell", ["", " ", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"])
def test_a_cell_that_says_nothing_is_missing(cell: str) -> None:
    found = read(f"id,usage,name\n1,{cell},shirt\n2,Casual,{cell}\n3,Casual,NAvy dress\n")
    assert cells(found) == [
        {"id": "1", "usage": None, "name": "shirt"},
        {"id": "2", "usage": "Casual", "name": None},
        {"id": "3", "usage": "Casual", "name": "NAvy dress"},
    ]


@pytest.mark.parametrize("item", ["NA", "null", "None", "nan"])
@pytest.mark.parametrize("column", ["id", "SKU", "Handle", "article_id", "Product ID", "image_id"])
def test_an_id_is_an_id_even_where_it_looks_like_nothing(column: str, item: str) -> None:
    found = read(f"{column},name\n{item},shirt\n1,dress\n,hat\n")
    assert [row[column] for row in cells(found)] == [item, "1", None]


def test_numbers_stay_the_text_they_were() -> None:
    assert cells(read("id,year,size\n007,2011,1e3\n7,2012.0,True\n0108775015,19.90,-0\n")) == [
        {"id": "007", "year": "2011", "size": "1e3"},
        {"id": "7", "year": "2012.0", "size": "True"},
        {"id": "0108775015", "year": "19.90", "size": "-0"},
    ]


# --- quotes and delimiters -------------------------------------------------------------------


def test_quotes_escaped_by_a_backslash_are_read_as_meant() -> None:
    found = read('id,name,colour\n1,"A 5\\" heel, shiny",red\n2,"C:\\\\new\\n",""\n')
    assert cells(found) == [
        {"id": "1", "name": 'A 5" heel, shiny', "colour": "red"},
        {"id": "2", "name": "C:\\new\\n", "colour": None},
    ]
    assert found.repaired == {}


def test_a_backslash_before_a_closing_quote_is_a_backslash_where_quotes_are_doubled() -> None:
    found = read('id,name,colour\n1,"a ""b"" \\",red\n2,"c\\n",blue\n')
    assert [row["name"] for row in cells(found)] == ['a "b" \\', "c\\n"]


def test_quotes_may_follow_a_blank() -> None:
    found = read('id, name, colour\n1, "shirt, long", "red"\n2, "dress", "blue"\n')
    assert [row["name"] for row in cells(found)] == ["shirt, long", "dress"]


def test_a_header_with_other_delimiters_and_lines_in_quotes() -> None:
    text = 'id,"size\n(S; M; L; XL)",name\n1,"S; M",shirt\n2,L,dress\n'
    assert cells(read(text))[0] == {"id": "1", "size\n(S; M; L; XL)": "S; M", "name": "shirt"}
    assert header_of(text) == ["id", "size\n(S; M; L; XL)", "name"]


def test_decimal_commas_do_not_make_it_a_table_of_commas() -> None:
    assert cells(read("id;price;weight\n1;19,90;0,5\n2;5,00;1,5\n"))[0]["price"] == "19,90"


@pytest.mark.parametrize("hint", ["sep=;\r\n", '"sep=;"\n', "SEP=;\n", "sep=^\n"])
def test_a_first_line_may_tell_the_delimiter(hint: str) -> None:
    delimiter = "^" if "^" in hint else ";"
    text = f"{hint}id;name, full\r\n1;shirt\r\n".replace(";", delimiter)
    assert cells(read(text)) == [{"id": "1", "name, full": "shirt"}]


# --- the header ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "title",
    ["Products export 2024-01-01\n", "Shop\n\nJanuary,,\n", "\n\n", "Shop, January\n", "Shop,,\n"],
)
def test_lines_before_the_header_are_no_header(title: str) -> None:
    text = f"{title}id,name,colour\n1,shirt,red\n2,dress,blue\n"
    found = read(text)
    assert [row["name"] for row in cells(found)] == ["shirt", "dress"]
    assert bool(found.notes) == bool(title.strip())
    assert header_of(text) == ["id", "name", "colour"]


def test_a_table_of_one_column_has_no_title() -> None:
    assert cells(read("name\nshirt, long\ndress\n")) == [{"name": "shirt, long"}, {"name": "dress"}]
    assert cells(read("id\n1\n2\n")) == [{"id": "1"}, {"id": "2"}]


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_a_column_of_row_numbers_without_a_name_is_left_out(name: str) -> None:
    found = read(f"{name},sku,title\n0,a,shirt\n1,b,dress\n2,c,hat\n")
    assert found.cells.columns.tolist() == ["sku", "title"]
    assert len(found.notes) == 1


def test_a_first_column_without_a_name_that_may_be_ids_is_kept() -> None:
    found = read(",title\nAB-1,shirt\nAB-2,dress\n")
    assert cells(found)[0] == {"row name": "AB-1", "title": "shirt"}


def test_row_names_as_r_writes_them() -> None:
    found = read('"sku","title"\n"1","a","shirt"\n"2","b","dress"\n"3","c","hat"\n')
    assert cells(found)[0] == {"sku": "a", "title": "shirt"}


def test_empty_columns_of_a_spreadsheet_are_left_out() -> None:
    assert cells(read("id,name,,\n1,shirt,,\n2,dress,,\n3,hat\n"))[0] == {
        "id": "1",
        "name": "shirt",
    }


def test_a_column_without_a_name_gets_one() -> None:
    found = read("id,,name\n1,red,shirt\n2,blue,dress\n")
    assert cells(found)[0] == {"id": "1", "column 2": "red", "name": "shirt"}
    assert found.notes == ("column 2 has no name and is called `column 2`",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("\0\1\2\3" * 20, "no text"),
        ("\n \n", "empty"),
        ("id,name,colour, name \n1,2,3,4\n", "`name` occurs twice"),
        ("id," + ",".join(f"c{i}" for i in range(10_001)), "10,000"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read(text)


def test_of_many_columns_the_first_with_anything_in_them_are_kept() -> None:
    names = [f"c{i}" for i in range(5_000)]
    rows = [[str(i) if i % 2 else "" for i in range(5_000)] for _ in range(300)]
    rows[299][0] = "late"
    text = io.StringIO()
    csv.writer(text).writerows([names, *rows])
    found = read(text.getvalue())
    assert found.cells.columns.tolist() == ["c0", *[f"c{i}" for i in range(1, 399, 2)]]
    assert found.cells["c0"].dropna().to_dict() == {299: "late"}
    assert found.cells["c397"].tolist() == ["397"] * 300
    assert found.notes == ("4,800 of 5,000 columns left out: empty, or more than 200",)


# --- packed files ----------------------------------------------------------------------------

PACKED = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, "": gzip.compress}


@pytest.mark.parametrize("suffix", PACKED)
def test_a_packed_table_is_unpacked(suffix: str) -> None:
    packed = PACKED[suffix](b"id,name\n1,shirt\n")
    assert cells(read(packed, f"a.csv{suffix}")) == [{"id": "1", "name": "shirt"}]


def test_a_zstandard_table_is_unpacked() -> None:
    import pyarrow as pa

    packed = pa.compress(b"id,name\n1,shirt\n", "zstd", asbytes=True)
    assert cells(read(packed, "a.csv.zst")) == [{"id": "1", "name": "shirt"}]


def test_a_packed_table_that_is_cut_off_is_called_damaged() -> None:
    packed = gzip.compress(b"id,name\n" + b"1,shirt\n" * 1000)
    with pytest.raises(TableError, match=r"damaged.*again"):
        read(packed[:-20], "a.csv.gz")


def test_a_table_that_unpacks_to_much_more_than_it_is_is_refused() -> None:
    packed = bz2.compress(bytes(80 * 2**20))
    with pytest.raises(TableError, match="1,000 times"):
        read(packed, "a.csv.bz2")


@pytest.mark.parametrize("rows", [0, 3])
def test_a_wide_table_that_says_nothing_keeps_its_first_columns(rows: int) -> None:
    """Found by fuzzing: it had no columns at all, and so no rows."""
    header = ",".join(f"c{number}" for number in range(1_000))
    found = read(f"{header}\n" + ("," * 999 + "\n") * rows)
    assert list(found.cells.columns[:2]) == ["c0", "c1"]
    assert found.cells.isna().all(axis=None)
