"""A csv that is safe to open, and a contact sheet on which everything can be seen."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fitting_room.facade import FittingRoom, Match
from fitting_room.search.export import (
    IN_A_ROW,
    MOST_ON_SHEET,
    PICTURE,
    Shown,
    as_png,
    contact_sheet,
    file_name,
    matches_csv,
    safe_cell,
)
from tests.conftest import SAMPLES


@pytest.mark.parametrize(
    "text", ["=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@x", "\t=1", "\r=1", "\n=1", "＝1"]
)
def test_what_a_spreadsheet_takes_for_a_formula_is_defused(text: str) -> None:
    safe = safe_cell(text)
    assert safe.startswith("'")
    assert safe.replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize("text", ["", "Red shirt", "1-2", "a=b", "-3.5", "+7", "O'Neill", "5"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert safe_cell(text) == text


@given(st.text(max_size=40))
def test_no_cell_begins_a_formula(text: str) -> None:
    cell = safe_cell(text)
    assert not cell.startswith(("=", "@", "\t", "\r", "\n"))
    assert not cell.startswith(("+", "-")) or cell[1:].replace(".", "", 1).isdigit()
    assert cell.replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("red;=HYPERLINK(1)", "red;'=HYPERLINK(1)"),
        ("a,@x", "a,'@x"),
        ("a|-cmd", "a|'-cmd"),
        ('a; "=1', "a;' \"=1"),
        ("a\n=1", "a\n'=1"),
        ("=1;=2", "'=1;'=2"),
        ("1,-2", "1,-2"),
        ("a; b, c", "a; b, c"),
    ],
)
def test_no_formula_begins_behind_a_separator_either(text: str, safe: str) -> None:
    assert safe_cell(text) == safe


def match(number: int, name: str = "Shirt", **attributes: str) -> Match:
    attributes = {"name": name, **attributes}
    return Match(str(number), number, 0.5, "", f"{number}.jpg", attributes, 0.75, ("7", "8"))


def test_a_csv_has_all_that_a_card_has(demo_fitting_room: FittingRoom) -> None:
    matches = demo_fitting_room.search(SAMPLES / "red-dress.jpg", 7)
    rows = list(
        csv.DictReader(io.StringIO(matches_csv(matches, demo_fitting_room.index.filter_columns)))
    )
    assert [row["id"] for row in rows] == [m.id for m in matches]
    assert [row["rank"] for row in rows] == [str(n) for n in range(1, 8)]
    assert [row["name"] for row in rows] == [m.name for m in matches]
    for row, expected in zip(rows, matches, strict=True):
        assert float(row["similarity"]) == pytest.approx(expected.similarity, abs=1e-4)
        assert float(row["expected_precision"]) == pytest.approx(
            expected.expected_precision, abs=1e-3
        )
        assert row["articleType"] == expected.attributes["articleType"]


def test_hostile_names_and_columns_stay_text() -> None:
    text = matches_csv([match(1, '=HYPERLINK("x")', **{"=evil": "@a,\nb"})], ["id", "=evil"])
    (head, row) = list(csv.reader(io.StringIO(text)))
    assert head[-1] == "'=evil"
    assert row[2] == '\'=HYPERLINK("x")'
    assert row[-1] == "'@a,\nb"
    assert row[5] == "7 8"


def test_no_matches_make_a_head_only() -> None:
    assert len(matches_csv([], ["id", "gender"]).splitlines()) == 1


# --- contact sheets ---------------------------------------------------------------------------


def shown(colour: str, name: str = "A name") -> Shown:
    return Shown(Image.new("RGB", (30, 40), colour), name, "Alike · 1")


def place_of(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[float, float]:
    """The middle of what has a colour, as (x, y)."""
    pixels = np.asarray(sheet)
    ys, xs = np.nonzero((pixels == colour).all(axis=2))
    assert len(ys) > PICTURE[0] * PICTURE[1] * 0.9
    return float(xs.mean()), float(ys.mean())


def test_query_and_matches_stand_in_their_order() -> None:
    colours = ["#ff0000", "#00ff00", "#0000ff", "#ffff00", "#ff00ff", "#00ffff", "#123456"]
    sheet = contact_sheet([shown("#804020", "Mine")], [shown(c) for c in colours], "Matches")
    places = [place_of(sheet, tuple(bytes.fromhex(c[1:]))) for c in colours]  # type: ignore[arg-type]
    query = place_of(sheet, (0x80, 0x40, 0x20))
    assert all(query[0] < x for x, _ in places)
    assert [x for x, _ in places[:IN_A_ROW]] == sorted(x for x, _ in places[:IN_A_ROW])
    assert len({y for _, y in places[:IN_A_ROW]}) == 1
    assert places[IN_A_ROW][1] > places[0][1]
    assert places[IN_A_ROW][0] == places[0][0]


def test_names_are_written_below() -> None:
    blank, named = (
        np.asarray(contact_sheet([], [shown("red", name)], "T"), np.int16) for name in ("", "Word")
    )
    assert blank.shape == named.shape
    ys, _, _ = np.nonzero(blank != named)
    assert len(ys) > 20
    assert ys.min() > PICTURE[1]


@pytest.mark.parametrize(
    "name", ["", "x" * 5_000, "word " * 900, "تي شيرت 👕", "a\nb\tc", "é" * 90]
)
def test_any_name_fits(name: str) -> None:
    plain = contact_sheet([shown("red")], [shown("blue")] * 3, "T")
    assert contact_sheet([shown("red", name)], [shown("blue", name)] * 3, name).size == plain.size


def test_a_sheet_is_bounded_and_may_be_empty() -> None:
    full = contact_sheet([], [shown("red")] * MOST_ON_SHEET, "T")
    assert contact_sheet([], [shown("red")] * (MOST_ON_SHEET + 50), "T").size == full.size
    assert contact_sheet([], [], "Nothing").size > (0, 0)


def test_a_picture_that_cannot_be_read_leaves_its_place() -> None:
    sheet = contact_sheet([Shown(None, "Gone")], [Shown(None, "Gone too")], "T")
    assert (np.asarray(sheet) == 255).all(axis=2).sum() > PICTURE[0] * PICTURE[1]


def test_extreme_pictures_keep_their_proportions() -> None:
    wide = Shown(Image.new("RGB", (900, 10), "#ff0000"), "Belt")
    pixels = np.asarray(contact_sheet([], [wide], "T"))
    ys, xs = np.nonzero((pixels == (255, 0, 0)).all(axis=2))
    assert np.ptp(xs) + 1 == pytest.approx(PICTURE[0] - 2, abs=1)
    assert np.ptp(ys) < 5


def test_a_sheet_is_a_file_that_opens() -> None:
    sheet = contact_sheet([], [shown("red")], "T")
    with Image.open(io.BytesIO(as_png(sheet))) as image:
        assert (image.format, image.size) == ("PNG", sheet.size)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Red dress.jpg", "red-dress-jpg.csv"),
        ("../../etc/passwd", "etc-passwd.csv"),
        ("CON", "con-file.csv"),
        ("Nul", "nul-file.csv"),
        ("com1", "com1-file.csv"),
        ("LPT9", "lpt9-file.csv"),
        ("COM²", "com²-file.csv"),
        ("console", "console.csv"),
        ("com10", "com10.csv"),
        ("", "fitting-room.csv"),
        ("///", "fitting-room.csv"),
        ("x" * 500, "x" * 60 + ".csv"),
    ],
)
def test_file_names_are_plain(text: str, name: str) -> None:
    assert file_name(text, "csv") == name
