"""Tables as people and programs write them, and anything else that calls itself a csv."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue import readers
from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue
from tests.catalogue.conftest import Load, cells, check_invariants, ids, make_shop

# --- cells -----------------------------------------------------------------------------------


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
    items = cells(catalogue)
    assert items.pop("1") == {"name": '"Men shirt', "colour": "red"}
    assert items == expected
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


# --- the first line --------------------------------------------------------------------------


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
    ("header", "message"),
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
    load: Load, header: str, message: str
) -> None:
    with pytest.raises(CatalogueError, match=message):
        load(f"{header}\n1,2,3\n")


# --- anything at all -------------------------------------------------------------------------

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


@settings(max_examples=150, deadline=None)
@given(
    rows=st.dictionaries(ID, st.tuples(TEXT, TEXT), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t"),
)
def test_whatever_a_csv_writer_wrote_comes_back(
    archive: Path, rows: dict[str, tuple[str, str]], delimiter: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["id", "a", "b"])
    writer.writerows([item, *row] for item, row in rows.items())
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("styles.csv", text.getvalue().encode())
        for item in rows:
            packed.writestr(f"images/{item}.jpg", b"")
    catalogue = load_catalogue(archive)
    check_invariants(catalogue)

    def expected(cell: str) -> str | None:
        return None if cell.strip() in NOT_AVAILABLE else cell.strip()

    assert cells(catalogue) == {
        item: {"a": expected(a), "b": expected(b)} for item, (a, b) in rows.items()
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


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 5])
def test_a_table_is_the_same_however_many_rows_are_parsed_at_once(
    load: Load, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    table = (
        'id,usage,name\n1,NA,a\n2,,b\n1,"Casual",c\n3,Sports,NA\n\n4,"a\nb",d\n5,e,f, g\n6,"h,i\n'
    )
    expected = load(table)
    monkeypatch.setattr(readers, "ROWS_AT_ONCE", at_once)
    again = load_catalogue(expected.location)
    pd.testing.assert_frame_equal(again.items, expected.items)
    assert again.report == expected.report


def test_a_cell_with_a_nul_byte_is_kept_whole(load: Load) -> None:
    assert cells(load("id,name\n1,sh\0irt\n2,dress\n"))["1"] == {"name": "sh\0irt"}


def test_a_table_with_too_many_rows_is_refused(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_ROWS", 2)
    with pytest.raises(CatalogueError, match=r"styles\.csv: more than 2 rows"):
        load("id,name\n1,shirt\n2,dress\n3,hat\n")
