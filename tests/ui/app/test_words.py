"""Words on the page: beside a picture, in the catalogue and on the opening page."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from fitting_room.facade import FittingRoom
from tests.conftest import SAMPLES
from tests.ui.app.conftest import cards, headings, ids, session_of, upload

RED_DRESS = (SAMPLES / "red-dress.jpg").read_bytes()
SAMPLE = "sample-red-dress"


def chips(page: AppTest) -> list[str]:
    return [button.label for button in page.button if str(button.key).startswith("word-")]


def press(page: AppTest, key: str) -> AppTest:
    return next(b for b in page.button if str(b.key).startswith(key)).click().run()


def beside(page: AppTest, words: str) -> AppTest:
    page.query_params["picture"] = SAMPLE
    page.run()
    return page.text_input(key="words").set_value(words).run()


def attributes(page: AppTest, fitting_room: FittingRoom, column: str) -> list[str]:
    found = (fitting_room.item(item) for item in ids(page))
    return [match.attributes[column] for match in found if match is not None]


@pytest.fixture
def dress(page: AppTest) -> AppTest:
    return beside(page, "but in blue, xyzzy")


def test_words_beside_a_picture_change_the_matches(
    dress: AppTest, demo_fitting_room: FittingRoom
) -> None:
    assert not dress.exception
    assert attributes(dress, demo_fitting_room, "baseColour")[:4] == ["Blue"] * 4
    assert attributes(dress, demo_fitting_room, "articleType")[:4] == ["Dresses"] * 4
    assert chips(dress) == ["Blue"]
    assert any("is called “xyzzy”" in caption.value for caption in dress.caption)
    assert dress.query_params == {"picture": SAMPLE, "words": "but in blue, xyzzy"}


def test_cards_say_how_much_of_the_words_they_have(dress: AppTest) -> None:
    assert cards(dress)[0]["similarity"]["text"] == "Has all you ask for"
    assert cards(dress)[0]["similarity"]["title"].startswith("Your picture: ")
    dress.text_input(key="words").set_value("").run()
    assert "ask" not in cards(dress)[0]["similarity"]["text"]


def test_a_chip_takes_its_word_off(dress: AppTest) -> None:
    found = ids(dress)
    press(dress, "word-")
    assert not dress.exception
    assert chips(dress) == []
    assert dress.text_input(key="words").value == "xyzzy"
    assert ids(dress) != found


def test_the_slider_weighs_picture_against_words(
    dress: AppTest, demo_fitting_room: FittingRoom
) -> None:
    def blues(position: int) -> int:
        dress.select_slider(key="text_weight").set_value(position).run()
        assert not dress.exception
        return attributes(dress, demo_fitting_room, "baseColour").count("Blue")

    assert blues(0) < blues(100) == 12
    assert dress.query_params["weight"] == "100"
    blues(40)  # the usual one needs no parameter
    assert "weight" not in dress.query_params


def test_a_link_brings_words_back(dress: AppTest, new_page) -> None:  # type: ignore[no-untyped-def]
    other = new_page()
    other.query_params["picture"] = SAMPLE
    other.query_params["words"] = "but in blue, xyzzy"
    other.query_params["weight"] = "70"
    other.run()
    assert chips(other) == ["Blue"]
    assert other.select_slider(key="text_weight").value == 70
    assert other.text_input(key="words").value == "but in blue, xyzzy"


def test_typing_makes_no_steps_of_the_trail(dress: AppTest) -> None:
    for words in ("r", "re", "red"):
        dress.text_input(key="words").set_value(words).run()
    session = session_of(dress)
    assert len(session.history.queries) == 1
    assert session.history.query.words == "red"


def test_back_brings_the_words_before(dress: AppTest) -> None:
    dress.query_params.clear()
    dress.query_params["picture"] = SAMPLE
    dress.run()
    assert chips(dress) == []
    assert len(session_of(dress).history.queries) == 1


def test_another_query_begins_without_words(dress: AppTest) -> None:
    upload(dress, RED_DRESS)
    assert dress.text_input(key="words").value == ""
    assert chips(dress) == []


def test_the_opening_page_finds_by_words(page: AppTest, demo_fitting_room: FittingRoom) -> None:
    page.text_input(key="find").set_value("navy tee, not striped").run()
    assert not page.exception
    assert chips(page) == ["Navy Blue", "Tshirts", "not Striped"]
    assert set(attributes(page, demo_fitting_room, "articleType")) == {"Tshirts"}
    assert set(attributes(page, demo_fitting_room, "baseColour")) == {"Navy Blue"}
    assert "Striped" not in attributes(page, demo_fitting_room, "pattern")
    assert page.query_params == {"find": "navy tee, not striped"}
    press(page, "word-0")
    assert page.text_input(key="find").value == "tee, not striped"


def test_where_nothing_has_all_of_it_the_closest_are_shown(page: AppTest) -> None:
    page.text_input(key="find").set_value("lavender leggings for boys").run()
    assert headings(page) == ["Nothing has all of that. The closest:"]
    assert cards(page)


def test_values_that_split_the_first_results_are_proposed(dress: AppTest) -> None:
    proposed = [b for b in dress.button if str(b.key).startswith("propose-")]
    assert 0 < len(proposed) <= 5
    assert not any("-Blue" in str(button.key) for button in proposed)  # it is asked for already
    _, column, value = str(proposed[0].key).split("-", 2)
    proposed[0].click().run()
    assert not dress.exception
    assert session_of(dress).where == {column: [value]}
    assert not any(str(b.key) == f"propose-{column}-{value}" for b in dress.button)


def test_a_catalogue_to_browse_proposes_nothing(page: AppTest) -> None:
    page.button(key="browse").click().run()
    assert not any(str(button.key).startswith("propose-") for button in page.button)
