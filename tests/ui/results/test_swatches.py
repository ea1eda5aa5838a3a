"""Colours for names of colours."""

from __future__ import annotations

import re

import pytest

from fitting_room.ui.results.swatches import are_colours, colour_of, style


@pytest.mark.parametrize("name", ["Red", "Navy Blue", "Off White", "Grey Melange", "light blue"])
def test_a_colour_is_known_by_its_name(name: str):
    assert re.fullmatch("#[0-9a-f]{6}", str(colour_of(name)))


@pytest.mark.parametrize("name", ["Summer", "", "#fff", "rgb(1,2,3)", "}*{color:red", "красный"])
def test_what_is_no_name_has_no_colour(name: str):
    assert colour_of(name) is None


def test_a_column_of_colours_is_told_from_others():
    assert are_colours(["Red", "Green", "Blue", "Assorted"])
    assert not are_colours(["Summer", "Winter", "Spring"])
    assert not are_colours(["Red", "Summer", "Winter"])


def test_no_name_reaches_the_style_sheet():
    sheet = style("st-key-x", ["Red", "</style><script>alert(1)</script>", "Multi"])
    assert "script" not in sheet.replace("<style>", "").replace("</style>", "")
    assert sheet.count("nth-of-type") == 2
    assert "nth-of-type(3)::before{background:conic-gradient" in sheet
