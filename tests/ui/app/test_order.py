"""Variety, only good matches, and their order: on the page and in its address."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from fitting_room.facade import FittingRoom
from fitting_room.search.searcher import Searcher
from fitting_room.ui.query.session import VARIETY
from tests.conftest import SAMPLES
from tests.ui.app.conftest import act, cards, filter_of, ids, upload

NewPage = Callable[..., AppTest]
SWEATER, DRESS, BOOT = (
    SAMPLES / f"{name}.jpg" for name in ("green-sweater", "red-dress", "black-boot")
)
OPEN = {"picture": "sample-green-sweater"}


def opened(page: AppTest, **address: str) -> AppTest:
    """The page as a link opens it."""
    page.query_params.clear()
    for name, value in {**OPEN, **address}.items():
        page.query_params[name] = value
    return page.run()


def ids_of(fitting_room: FittingRoom, n: int = 12, picture: Any = SWEATER, **how: Any) -> list[str]:
    how = {"diversity": VARIETY / 100, **how}
    return [match.id for match in fitting_room.search(picture, n, fold=True, **how)]


def variety(page: AppTest) -> Any:
    (control,) = (c for c in page.get("button_group") if c.key == "variety")
    return control


def chip_labels(page: AppTest) -> list[str]:
    return [b.label for b in page.button if str(b.key).startswith("chip-")]


def press(page: AppTest, label: str) -> AppTest:
    return next(b for b in page.button if b.label == label).click().run()


def notes(page: AppTest) -> str:
    return " ".join([*(c.value for c in page.caption), *(h.proto.body for h in page.get("html"))])


def complaints(page: AppTest) -> str:
    return " ".join(warning.value for warning in page.warning)


def test_a_variety_is_mild_until_it_is_chosen(page: AppTest, demo_fitting_room: FittingRoom):
    opened(page, picture="sample-black-boot")
    assert ids(page) == ids_of(demo_fitting_room, picture=BOOT)
    assert ids(page) != ids_of(demo_fitting_room, picture=BOOT, diversity=0)
    assert "variety" not in page.query_params
    for chosen in (0, 50):
        variety(page).set_value(chosen).run()
        assert ids(page) == ids_of(demo_fitting_room, picture=BOOT, diversity=chosen / 100)
        assert page.query_params["variety"] == str(chosen)
    # What is chosen depends on how many: fewer of them are no beginning of more.
    for n in (20, 12):
        page.slider(key="n").set_value(n).run()
        assert ids(page) == ids_of(demo_fitting_room, n, BOOT, diversity=0.5)
    variety(page).set_value(VARIETY).run()
    assert "variety" not in page.query_params


def test_good_matches_sorted_by_a_year(page: AppTest, demo_fitting_room: FittingRoom):
    opened(page)
    order = page.selectbox(key="sort")
    assert order.options == ["Most alike first", "Year, lowest first", "Year, highest first"]
    order.set_value("-year").run()
    assert page.query_params["sort"] == "-year"
    assert ids(page) == ids_of(demo_fitting_room, sort_by="year", descending=True)
    assert chip_labels(page) == ["Year, highest first"]
    years = demo_fitting_room.index.items.set_index("id")["year"]
    for card in cards(page):
        assert card["text"].startswith(f"Year {years[card['id']]} · ")
    filter_of(page, "gender").set_value(["Women"]).run()
    where = {"gender": ["Women"]}
    expected = ids_of(demo_fitting_room, where=where, sort_by="year", descending=True)
    assert ids(page) == expected
    # It stays for what comes next: the same order of what is like a card.
    act(page, "more", expected[0])
    row = demo_fitting_room.index.features(demo_fitting_room.rows(expected[0]))
    assert ids(page) == ids_of(
        demo_fitting_room, picture=row, where=where, without=[expected[0]], sort_by="year",
        descending=True,
    )  # fmt: skip
    press(page, "Year, highest first")
    assert "sort" not in page.query_params
    assert page.selectbox(key="sort").value == ""
    assert chip_labels(page) == ["Women"]


def test_a_link_brings_all_of_it_back(page: AppTest, demo_fitting_room: FittingRoom):
    opened(page, variety="0", good="1", sort="year", crop="100,100,900,900")
    assert not complaints(page)
    assert variety(page).value == 0
    assert page.toggle(key="only_good").value is True
    assert page.selectbox(key="sort").value == "year"
    assert chip_labels(page) == ["Year, lowest first", "Only good matches"]
    before = ids(page)
    shown = demo_fitting_room.index.items.set_index("id")["year"][ids(page)].astype(int).tolist()
    assert shown == sorted(shown)
    press(page, "Clear all")
    assert set(page.query_params) == {"picture", "variety", "crop"}
    assert not chip_labels(page)
    assert ids(page) != before


def test_what_a_link_says_wrongly_is_complained_of(page: AppTest, demo_fitting_room: FittingRoom):
    opened(page, variety="7", sort="-gender")
    assert "variety in this link" in complaints(page)
    assert "cannot be sorted by “gender”" in complaints(page)
    assert ids(page) == ids_of(demo_fitting_room)
    assert set(page.query_params) == {"picture"}


def test_few_good_matches_are_said_with_a_way_to_the_others(
    page: AppTest, demo_fitting_room: FittingRoom
):
    opened(page, n="40", good="1")
    good = ids_of(demo_fitting_room, 40, only_good=True)
    assert ids(page) == good
    assert 1 < len(good) < 40
    assert f"{len(good)} good matches are all there is" in notes(page)
    press(page, "Show less alike ones, too")
    assert "good" not in page.query_params
    assert len(cards(page)) == 40
    assert "all there is" not in notes(page)


def test_no_good_match_is_said_and_filters_are_not_blamed(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
):
    search = Searcher.search

    def nothing_good(self: Searcher, *query: Any, **how: Any) -> Any:
        return [] if how.get("only_good") or how.get("sort_by") else search(self, *query, **how)

    monkeypatch.setattr(Searcher, "search", nothing_good)
    opened(page, sort="year")
    assert "Nothing here is alike enough to be a good match" in notes(page)
    assert "passes these filters" not in notes(page)
    press(page, "Show less alike ones, too")
    assert len(cards(page)) == 12


def test_pictures_one_by_one_have_it_each(page: AppTest, demo_fitting_room: FittingRoom):
    page.query_params["picture"] = ["sample-green-sweater", "sample-red-dress"]
    page.query_params["apart"] = "1"
    page.query_params["good"] = "1"
    page.query_params["n"] = "30"
    page.run()
    each = [ids_of(demo_fitting_room, 30, p, only_good=True) for p in (SWEATER, DRESS)]
    assert ids(page) == [*each[0], *each[1]]
    few = [len(good) for good in each if len(good) < 30]
    assert few
    said = re.findall(r"(\d+) good matches? (?:is|are) all there is", notes(page))
    assert [int(number) for number in said] == few


def test_a_catalogue_without_numbers_offers_no_order(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Searcher, "numeric", property(lambda _: {}))
    upload(page, DRESS.read_bytes())
    assert not [box for box in page.selectbox if box.key == "sort"]
    assert page.toggle(key="only_good").value is False
