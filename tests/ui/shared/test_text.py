"""Words for people."""

from __future__ import annotations

from pathlib import Path

from fitting_room.ui.shared import text


def test_columns_and_files_have_names_for_people():
    assert text.label("baseColour") == text.label("colour_group_name") == "Colour"
    assert text.label("articleType") == "Type"
    assert text.label("sleeve_length") == text.label("sleeveLength") == "Sleeve length"
    assert text.label("garment_group_name") == "Garment group"
    assert text.label("name") == "Name"
    assert text.title_of(Path("samples/red-dress_2.jpg")) == "Red dress 2"


def test_any_text_is_shown_as_it_is():
    assert text.plain("*bold* [x](y)") == r"\*bold\* \[x\]\(y\)"


def test_no_stranger_makes_a_link_or_an_icon():
    for word in ("http://x.example", "www.x.example", "a@x.example", ":material/close:", ":smile:"):
        shown = text.plain(word).replace("\\", "")
        assert shown != word
        assert shown.replace("\N{WORD JOINER}", "") == word


def test_long_names_are_shortened_and_strangers_words_quoted():
    assert text.shorten("short.jpg") == "short.jpg"
    assert text.shorten("a" * 30 + ".jpg", 11) == "aaaaa…a.jpg"
    assert text.quoted("word") == "“word”"
    assert text.quoted("x" * 50) == f"“{'x' * 40}…”"


def test_a_fraction_is_a_percentage():
    assert text.percent(0.25) == "25 %"
    assert text.percent(0.1234, 1) == "12.3 %"
