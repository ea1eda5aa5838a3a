"""Workbooks of Excel and of OpenDocument."""

from __future__ import annotations

import base64
import builtins
import datetime
import io
import time
import zipfile
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.tables import TableError, spreadsheet
from tests.catalogue.tables.conftest import cells, header_of, read

openpyxl = pytest.importorskip("openpyxl")

#: A workbook of an empty sheet and one with two rows, as Excel 97 writes it: no library that is
#: still alive writes this form.
OLD_EXCEL = zlib.decompress(base64.b85decode(
    'c-rk)O-NKx6#nj;_jDA0#z_MeY!I?C4JAZ3IvJ*`5o^;AL5<EMhOrqLC&CtG*(`&gRnbPUMH{P4KU7fAqD5fTA_y'
    'd>maT${7CNtU&U<5O3J#cHyzg<(J?Gqe&%N)SbAR4@J5w<?`Jg6)73hKoS*r*IOLU4-QBLrI$}Nl8T<)c0x!6)D@'
    '{%J93_LA;Q^-DKe`lcKzW$OZ@R`y{jG#XeHv^l9gEEG&;xTk8onlYJZAxXRmT~!o4hh{R^q$mxCiH-4t_kg=x^wC'
    'TW`g~V9Znn{)9R(HjHtpRY4cGut*F9lj^j($m0j0BcQP6t-eLuHdI_dLF6}epW|HM{+(9vLoX{K!HTU$)p_1G^g&'
    '$S`_?}zWF9NQ9bM*?O|Fv9SxQ5<KPF$(Kq3OUltka5vIgL_u>s(^MJUfyaW5qecR-8#BBBS%@m93hS2N;cUX)2l;'
    'HYp!TMu$w&M#5u6<K}q^nU>a;j`sGpmew|or{vF1W}uDMN`H4T9|*F6_?B%TrLwF_h(=H@e1$A7AN4tZ_uISB;6U'
    '({XvSp}Hg@uRz`|v2L5<5+97&DRVz1CEVzpNI8ljc+dXzT|R5?uVgw(kzr47{2e!=_Tt|k0#;?rLbKdwuE3GN|&x'
    '-WB~a{5DX67_V{MW{VL6KGOR>efxhlVC1a&L%V~wEC|NsY~<YAv3fc{lUh~nObwsJh0up_2$g0`JAy^&Yhzi3o>V'
    '*`C!-*&yHG@G-s}C$wQK7QPN4$9m{GJ%StR8PJJbo*&okoq)IIB^Yd}j_(~(IhUO)$F1@owP5N7IQ4@>o*ozuVY@'
    '>FE6AxG|9$dI^;lhOr7cMptO0G}#l~H#tjePwnbpGosP|CW$N&Z_LL4uwXeNrAmobn{b@`|7BFjUT#T4$Tw|3b!5'
    '>OF}V24x(vyyKTXC)CpSS$9L<#x0?I`_JYx&VSthZw^rlGX'
))  # fmt: skip


def workbook(*sheets: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


CONTENT = """<?xml version="1.0"?>{doctype}<office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
<office:body><office:spreadsheet><table:table table:name="none"/>
<table:table table:name="goods">{rows}</table:table></office:spreadsheet></office:body>
</office:document-content>"""


def open_document(rows: str, doctype: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", CONTENT.format(rows=rows, doctype=doctype))
    return file.getvalue()


def ods_row(*cells: str, repeated: int = 1) -> str:
    inner = "".join(f"<table:table-cell>{cell}</table:table-cell>" for cell in cells)
    return f'<table:table-row table:number-rows-repeated="{repeated}">{inner}</table:table-row>'


def ods_text(*texts: str) -> list[str]:
    return [f"<text:p>{text}</text:p>" for text in texts]


ROWS = [
    ["sku", "title", "price", "day", "new", None],
    ["0108775015", "Größe 5", 1163.0, datetime.datetime(2024, 1, 31), True],
    [None] * 5,
    ["NA", None, 19.9, None, False],
]
EXPECTED = [
    {"sku": "0108775015", "title": "Größe 5", "price": "1163", "day": "2024-01-31", "new": "true"},
    {"sku": "NA", "title": None, "price": "19.9", "day": None, "new": "false"},
]


def test_the_first_sheet_with_rows_is_read() -> None:
    data = workbook([], [["only a header"]], ROWS, [["id"], [1]])
    table = read(data, "products.xlsx")
    assert cells(table) == EXPECTED
    assert table.notes == ("read from the sheet `Sheet2`",)
    assert header_of(data, "products.xlsx") == ["sku", "title", "price", "day", "new"]


def test_a_title_above_the_header_is_left_out() -> None:
    table = read(workbook([["Shop, January"], [], *ROWS]))
    assert cells(table) == EXPECTED
    assert table.notes[1] == "rows above the header that are a title and not read: 1"


def test_cells_beyond_the_header_do_not_cost_their_row() -> None:
    table = read(workbook([["id", "name"], [1, "shirt", "a remark"], [2, "dress"]]))
    assert cells(table) == [{"id": "1", "name": "shirt"}, {"id": "2", "name": "dress"}]
    assert table.notes[1] == "rows with cells beyond the header, which are left out: 1"


def test_old_excel_is_read() -> None:
    pytest.importorskip("xlrd")
    table = read(OLD_EXCEL, "products.xls")
    assert cells(table) == [EXPECTED[0], EXPECTED[1] | {"new": None}]
    assert header_of(OLD_EXCEL, "products.xls")[0] == "sku"


def test_open_document_is_read() -> None:
    header = ods_row(*ods_text("sku", "title", "price", "day", "new"))
    first = (
        "<table:table-row><table:table-cell><text:p>0108775015</text:p></table:table-cell>"
        "<table:table-cell><text:p>Größe <text:span>5</text:span></text:p></table:table-cell>"
        '<table:table-cell office:value="1163"><text:p>1.163,00 €</text:p></table:table-cell>'
        '<table:table-cell office:date-value="2024-01-31"><text:p>31.1.</text:p>'
        '</table:table-cell><table:table-cell office:boolean-value="true"/>'
        '<table:table-cell table:number-columns-repeated="16379"/></table:table-row>'
    )
    second = ods_row(*ods_text("NA", ""))
    rows = header + first + ods_row("", repeated=1_000_000) + second
    table = read(open_document(rows), "products.ods")
    assert cells(table)[0] == EXPECTED[0]
    assert cells(table)[1]["sku"] == "NA"
    assert table.notes == ("read from the sheet `goods`",)


def test_rows_that_are_repeated_are_as_many_rows() -> None:
    rows = ods_row(*ods_text("id", "name")) + ods_row(*ods_text("1", "shirt"), repeated=3)
    assert len(read(open_document(rows)).cells) == 3


def test_more_rows_than_a_sheet_can_have_are_refused() -> None:
    rows = ods_row(*ods_text("id")) + ods_row(*ods_text("1"), repeated=10**9) * 3
    with pytest.raises(TableError, match="more rows or columns"):
        read(open_document(rows))


LAUGHS = "<!DOCTYPE l [<!ENTITY a0 'laugh'>" + "".join(
    f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 10)
)


def test_entities_that_grow_are_refused() -> None:
    rows = ods_row(*ods_text("id")) + ods_row(*ods_text("&a9;"))
    before = time.monotonic()
    with pytest.raises(TableError, match="cannot be read"):
        read(open_document(rows, LAUGHS + "]>"))
    assert time.monotonic() - before < 10


def _with_sheet(xml: str) -> bytes:
    """A workbook of Excel with this XML for its sheet."""
    old, file = io.BytesIO(workbook([["id"], ["1"]])), io.BytesIO()
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in source.namelist():
            is_sheet = name.startswith("xl/worksheets/")
            new.writestr(name, xml if is_sheet else source.read(name))
    return file.getvalue()


SHEET = (
    '<?xml version="1.0"?>{doctype}<worksheet '
    'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1"/>'
    "<sheetData>{rows}</sheetData></worksheet>"
)


def _excel_row(number: int, *refs: str) -> str:
    inner = "".join(f'<c r="{ref}" t="str"><v>x{ref}</v></c>' for ref in refs)
    return f'<row r="{number}">{inner}</row>'


def test_entities_that_grow_are_refused_in_excel_too() -> None:
    rows = _excel_row(1, "A1") + '<row r="2"><c r="A2" t="str"><v>&a9;</v></c></row>'
    before = time.monotonic()
    with pytest.raises(TableError, match="cannot be read"):
        read(_with_sheet(SHEET.format(rows=rows, doctype=LAUGHS + "]>")))
    assert time.monotonic() - before < 10


def test_a_file_named_as_an_entity_is_not_read(tmp_path: Any) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    doctype = f'<!DOCTYPE l [<!ENTITY s SYSTEM "{secret.as_uri()}">]>'
    rows = _excel_row(1, "A1") + '<row r="2"><c r="A2" t="str"><v>&s;</v></c></row>'
    ods = ods_row(*ods_text("id")) + ods_row(*ods_text("&s;"))
    for data in (
        _with_sheet(SHEET.format(rows=rows, doctype=doctype)),
        open_document(ods, doctype),
    ):
        try:
            assert "secret" not in str(cells(read(data)))
        except TableError as error:
            assert "cannot be read" in str(error)


@pytest.mark.parametrize(
    "rows",
    [
        _excel_row(1, "A1") + _excel_row(2_000_000_000, "A2000000000"),
        _excel_row(1, "A1") + _excel_row(2, "XFD2") + _excel_row(1_048_576, "XFD1048576"),
        _excel_row(1, "A1") + _excel_row(2, "ZZZZZZZZ2"),
        _excel_row(1, "A1", "XFE1") + _excel_row(2, "A2"),
    ],
)
def test_cells_far_away_cost_neither_memory_nor_time(rows: str) -> None:
    before = time.monotonic()
    try:
        read(_with_sheet(SHEET.format(rows=rows, doctype="")))
    except TableError as error:
        assert "spreadsheet" in str(error)
    assert time.monotonic() - before < 20


def test_a_workbook_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MAX_UNPACKED", 1000)
    with pytest.raises(TableError, match="unpacks to more"):
        read(workbook(ROWS))


def test_a_workbook_without_rows_is_refused() -> None:
    with pytest.raises(TableError, match="without rows"):
        read(workbook([], [["id"]]))


def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name in ("openpyxl", "xlrd"):
            raise ImportError(name)
        return real(name, *args, **options)

    data = workbook(ROWS)
    monkeypatch.setattr(builtins, "__import__", without)
    for content in (data, OLD_EXCEL):
        with pytest.raises(TableError, match=r"pip install .fitting-room\[excel\].,"):
            read(content, "products.xls")


@settings(max_examples=150)
@given(
    source=st.sampled_from(
        [workbook(ROWS), OLD_EXCEL, open_document(ods_row(*ods_text("id", "a")) * 2)]
    ),
    data=st.data(),
)
def test_damaged_workbooks_give_a_table_or_are_refused(source: bytes, data: st.DataObject) -> None:
    content = bytearray(source)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    for use in (read, header_of):
        try:
            use(bytes(content[:cut]), "a.xls")
        except TableError as error:
            str(error).encode()


@settings(max_examples=100)
@given(data=st.data())
def test_damaged_sheets_give_a_table_or_are_refused(data: st.DataObject) -> None:
    """Damage inside a member, which its checksum would otherwise tell."""
    rows = _excel_row(1, "A1", "B1") + _excel_row(2, "A2", "B2") + _excel_row(9, "A9")
    xml = bytearray(SHEET.format(rows=rows, doctype="").encode())
    for _ in range(data.draw(st.integers(1, 4))):
        xml[data.draw(st.integers(60, len(xml) - 1))] = data.draw(st.sampled_from(b'0129AZ<>"&/'))
    try:
        read(_with_sheet(xml.decode()))
    except TableError as error:
        str(error).encode()
