from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitting_room.catalogue.picture_names import (
    PictureNames,
    bases_of,
    is_reference,
    references,
    without_ending,
)

NAMES = PictureNames(
    [
        "images/1163.jpg", "images/front/1170.jpg", "images/back/1170.jpg", "images/0042.png",
        "images/robe-été.jpg", "images/AB-7.JPG", "images/2001_1.jpg", "images/2001_2.jpg",
        "images/3001/a.jpg", "images/3001/b.jpg", "images/9.jpg", "images/9.png",
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("1163", "images/1163.jpg"),
        ("1163.jpg", "images/1163.jpg"),
        ("1163.PNG", "images/1163.jpg"),
        ("pictures/1163.jpeg", "images/1163.jpg"),
        ("C:\\shop\\1163.jpg", "images/1163.jpg"),
        ("./images/1163.jpg", "images/1163.jpg"),
        ("https://cdn.example/files/1163.jpg?v=15&width=80", "images/1163.jpg"),
        ("https://cdn.example/robe-%C3%A9t%C3%A9.jpg", "images/robe-été.jpg"),
        (unicodedata.normalize("NFD", "robe-été"), "images/robe-été.jpg"),
        ("ROBE-ÉTÉ", "images/robe-été.jpg"),
        ("ab-7", "images/AB-7.JPG"),
        ("'1163", "images/1163.jpg"),
        ("back/1170.jpg", "images/back/1170.jpg"),
        ("9.png", "images/9.png"),
        ("9", "images/9.jpg"),
    ],
)
def test_a_picture_is_found_by_whatever_a_table_calls_it(reference: str, name: str) -> None:
    assert NAMES.named(reference) == [name]


def test_pictures_of_one_name_in_several_folders_are_all_found() -> None:
    assert NAMES.named("1170") == ["images/back/1170.jpg", "images/front/1170.jpg"]


@pytest.mark.parametrize(
    "reference", ["", " ", "/", "../images/../1163", "1163.txt", "116", "..", "?"]
)
def test_what_names_no_picture_finds_none(reference: str) -> None:
    assert NAMES.named(reference) == []


@pytest.mark.parametrize("reference", ["42", "42.0", "'42", "00042", "0042.jpg"])
def test_a_number_finds_its_picture_whatever_a_spreadsheet_made_of_it(reference: str) -> None:
    assert NAMES.numbered(reference) == ["images/0042.png"]


def test_what_is_no_number_has_none() -> None:
    assert NAMES.numbered("4.2") == NAMES.numbered("x42") == NAMES.numbered("") == []


def test_names_that_go_on_belong_to_the_name_they_begin_with() -> None:
    assert NAMES.additions("2001") == ["images/2001_1.jpg", "images/2001_2.jpg"]
    assert NAMES.inside("3001") == ["images/3001/a.jpg", "images/3001/b.jpg"]


@pytest.mark.parametrize(
    ("stem", "base"),
    [
        ("1163_1", "1163"), ("1163-back", "1163"), ("1163 (2)", "1163"), ("a.front", "a"),
        ("1163_front_2", "1163"), ("red-dress-side-view", "red-dress"), ("x_01", "x"),
    ],
)  # fmt: skip
def test_numbers_and_sides_are_additions(stem: str, base: str) -> None:
    assert base in bases_of(stem)


@pytest.mark.parametrize("stem", ["1163", "1163_1001", "dress", "_1", "background", "11632"])
def test_other_names_are_none(stem: str) -> None:
    assert bases_of(stem) == []


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("a.jpg", ["a.jpg"]),
        ("a.jpg, b.png", ["a.jpg", "b.png"]),
        ("a.jpg|b.jpg", ["a.jpg", "b.jpg"]),
        ("https://x.example/a.jpg, https://x.example/b?c=1", ["https://x.example/a.jpg", "https://x.example/b?c=1"]),
        ("https://x.example/a.jpg https://x.example/b.jpg", ["https://x.example/a.jpg", "https://x.example/b.jpg"]),
        ('["a.jpg", "b.jpg"]', ["a.jpg", "b.jpg"]),
        ("['a.jpg', 'b.jpg']", ["a.jpg", "b.jpg"]),
        ("Dress, long.jpg", ["Dress, long.jpg"]),
        ("one, two", ["one, two"]),
        ("[" * 90_000, ["[" * 90_000]),
        ("[1, 2]", ["[1, 2]"]),
        ("", []),
    ],
)  # fmt: skip
def test_a_cell_may_name_several_pictures(cell: str, named: list[str]) -> None:
    assert references(cell) == named


@given(st.text())
def test_any_cell_is_looked_up_and_leads_nowhere(cell: str) -> None:
    for reference in references(cell):
        is_reference(reference)
        for find in (NAMES.named, NAMES.numbered, NAMES.additions, NAMES.inside):
            assert set(find(reference)) <= set(NAMES.names)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1),
        min_size=1,
    )
)
def test_every_picture_is_found_by_its_own_name(stems: list[str]) -> None:
    names = [f"{stem}x.jpg" for stem in stems]
    pictures = PictureNames(names)
    for name in names:
        stem = without_ending(name)
        if stem.strip() == stem and not set(stem) & set("'\"\\?#%") and "://" not in stem:
            assert pictures.named(name), name
