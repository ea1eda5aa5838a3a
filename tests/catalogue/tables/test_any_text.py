"""Delimited text of any kind: what programs write comes back, and the readers agree."""

from __future__ import annotations

import csv
import io
from contextlib import suppress

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.tables import TableError, delimited, records, table
from tests.catalogue.tables.conftest import cells, counts, header_of, read

#: Text with everything that means something in a csv, more often than chance would have it.
TEXT = st.text(
    st.sampled_from(",;\t|\"'\n\r \\éß – NA") | st.characters(exclude_categories=["Cs"]),
    max_size=12,
)
ID = st.text(st.sampled_from("abcXYZ019-_/é"), min_size=1, max_size=6)
NOTHING = {"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"}


def _expected(cell: str) -> str | None:
    return None if cell.strip() in NOTHING else cell.strip()


@settings(max_examples=200)
@given(
    rows=st.lists(st.tuples(ID, TEXT, TEXT), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    newline=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_whatever_a_csv_writer_wrote_comes_back(
    rows: list[tuple[str, str, str]], delimiter: str, quoting: int, newline: str, encoding: str
) -> None:
    if newline == "\n":  # then the csv module writes a "\r" without quotes, and none can read it
        rows = [(item, a.replace("\r", " "), b.replace("\r", " ")) for item, a, b in rows]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=newline)  # type: ignore[arg-type]
    writer.writerow(["id", "a", "b"])
    writer.writerows(rows)
    found = read(text.getvalue().encode(encoding))
    assert cells(found) == [
        {"id": item.strip(), "a": _expected(a), "b": _expected(b)} for item, a, b in rows
    ]
    assert found.unusable == found.repaired == {}


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(ID, TEXT, TEXT), min_size=2, max_size=6),
    sep=st.sampled_from(",;\t|"),
    index=st.booleans(),
)
def test_whatever_pandas_wrote_comes_back(
    rows: list[tuple[str, str, str]], sep: str, index: bool
) -> None:
    frame = pd.DataFrame(rows, columns=["id", "a", "b"])
    frame = frame.replace("\r", " ", regex=True)  # as above
    found = read(frame.to_csv(sep=sep, index=index).encode())
    assert cells(found) == [
        {"id": item, "a": _expected(a), "b": _expected(b)}
        for item, a, b in frame.itertuples(index=False)
    ]


ROWS = st.lists(
    st.lists(
        st.sampled_from(["1", "23", "a", '"', '"a"', '"a\nb"', '"a,b"', '5"', '"1,a\n2', "", " "]),
        max_size=5,
    ).map(",".join),
    max_size=8,
).map("\n".join)


@settings(max_examples=300)
@given(header=st.sampled_from(["id,a", "id,a,b", "id,a,name"]), rows=ROWS, end=st.booleans())
def test_the_readers_agree(header: str, rows: str, end: bool) -> None:
    """Each leaves to the next one what it would read otherwise."""

    def leave(*args: object) -> None:
        raise records.IrregularError

    text = f"{header}\n{rows}" + "\n" * end
    first = read(text)
    with pytest.MonkeyPatch.context() as patch:
        for reader in ("_read_quickly", "_read_regular"):
            patch.setattr(delimited, reader, leave)
            again = read(text)
            pd.testing.assert_frame_equal(again.cells, first.cells)
            assert (again.repaired, again.unusable) == (first.repaired, first.unusable)


def test_many_odd_rows_and_blank_lines_are_the_same_to_all_readers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = ["1,a,b", "2,a", " ", "", "3,a,b,c", '4,"a\nb",c', ",,", "5,a,b,,"]
    text = "id,a,b\n" + "\n".join(lines * 300)
    first = read(text)
    assert counts(first.unusable) == {"too few columns": 300, "too many columns": 300}
    assert len(first.cells) == 6 * 300
    monkeypatch.setattr("fitting_room.catalogue.tables.quick.MAX_ODD_ROWS", 10)
    again = read(text)
    pd.testing.assert_frame_equal(again.cells, first.cells)
    assert again.unusable == first.unusable


PIECES = st.sampled_from(
    [b"id", b"ID", b"name", b"\xef\xbb\xbf", b"\0", b"\xff", b"\xe9", b"\xed\xa0\x80", b"NA"]
    + [b'\\"', b'""', b'"\n', b', "', b"sep=;\n", b"\xff\xfe", b"\x1f\x8b", b"[{", b'{"']
    + [bytes([byte]) for byte in b',,;\t|"" \r\n\n123456789']
)
HEADERS = [b"id,a\n", b"a;id;name\r\n", b"\xef\xbb\xbfid\ta\n", b"id,", b"3\na b\n", b""]


@settings(max_examples=400)
@given(
    header=st.sampled_from(HEADERS),
    rest=st.lists(PIECES, max_size=40).map(b"".join) | st.binary(max_size=60),
    name=st.sampled_from(["a.csv", "a.txt", "a", "a.json", "a.csv.gz"]),
)
def test_any_bytes_give_a_table_or_are_refused(header: bytes, rest: bytes, name: str) -> None:
    for use in (read, header_of):
        try:
            use(header + rest, name)
        except TableError as error:
            str(error).encode()  # fit to be printed


def test_a_title_that_is_not_utf_8_can_be_told() -> None:
    found = read("Schuhe für Männer\nid,name\n1,Café\n2,dress\n".encode("cp1252"))
    assert found.notes == ("the first line is a title and not read: Schuhe für Männer",)
    assert found.repaired == {"not UTF-8, read as Windows-1252": [0]}


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("last", ["", '6,"h,i\n'], ids=["regular", "careful"])
def test_a_table_is_the_same_however_many_rows_are_parsed_at_once(
    monkeypatch: pytest.MonkeyPatch, at_once: int, last: str
) -> None:
    text = f'id,usage,name\n1,NA,a\n2,,b\n1,"Casual",c\n3,Sports,NA\n\n4,"a\nb",d\n5,e,f, g\n{last}'
    expected = read(text)
    for module in ("records", "delimited"):
        monkeypatch.setattr(f"fitting_room.catalogue.tables.{module}.in_blocks", lambda _: at_once)
    again = read(text)
    pd.testing.assert_frame_equal(again.cells, expected.cells)
    assert (again.repaired, again.unusable) == (expected.repaired, expected.unusable)


def test_a_cell_with_a_nul_byte_is_kept_whole() -> None:
    assert cells(read("id,name\n1,sh\0irt\n2,dress\n"))[0]["name"] == "sh\0irt"


def test_a_table_with_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_ROWS", 2)
    with pytest.raises(TableError, match="more than 2 rows"):
        read("id,name\n1,shirt\n2,dress\n3,hat\n")


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_LINE", 1000)
    with pytest.raises(TableError, match="a line of more than"):
        read("id,name\n1,shirt\n2," + "x" * 2000)


@pytest.mark.parametrize("name", ["a.txt", "a"])
def test_a_count_in_another_encoding_is_none(name: str) -> None:
    """The first line is a count in UTF-8, and as UTF-16, which the zeros speak for, a letter."""
    with suppress(TableError):
        read(b"3\na b\n" + "a,b\n1,2\n3,4\n".encode("utf-16-le") * 8, name)
