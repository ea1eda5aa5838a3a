"""The catalogue can be looked at while its index is built, and nothing of that is lost."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.early_catalogue import EarlyCatalogue
from fitting_room.facade import FittingRoom
from fitting_room.ui.pages import early
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.session import CATALOGUE, Session, Upload
from fitting_room.ui.shared import resources
from tests.ui.app.conftest import NewPage, cards, filter_of, headings, ids, session_of

TIMEOUT = 60


def _early() -> None:
    from fitting_room.catalogue.catalogue import load_catalogue
    from fitting_room.early_catalogue import EarlyCatalogue
    from fitting_room.settings import Settings
    from fitting_room.ui.pages import early

    catalogue = Settings.from_environment().catalogue
    assert catalogue is not None
    early.show(EarlyCatalogue(load_catalogue(catalogue)))


def test_names_pictures_words_and_filters_need_no_index(
    open_page: Any, shop: Path, tmp_path: Path
) -> None:
    page = open_page(_early, catalogue=shop, index=tmp_path / "index")
    assert not page.exception
    assert headings(page) == ["The catalogue"]
    assert {card["name"] for card in cards(page)} >= {"Red shirt", "Pink shirt"}
    assert all(card["src"] for card in cards(page))
    filter_of(page, "gender").set_value(["Men"]).run()
    assert len(cards(page)) == 5
    page.text_input[0].set_value("BLUE").run()
    assert not cards(page)
    assert any("these words" in html.value for html in page.get("html"))
    filter_of(page, "gender").set_value([]).run()
    assert [card["name"] for card in cards(page)] == ["Blue shirt"]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[Session]:
    """The first build goes on once the catalogue was shown; returns the visits that saw it."""
    shown, seen, build, show = threading.Event(), [], FittingRoom.build, early.show

    def wait_and_build(*arguments: Any, **named: Any) -> FittingRoom:
        assert shown.wait(TIMEOUT)
        return build(*arguments, **named)

    def show_and_go_on(catalogue: Any) -> None:
        show(catalogue)
        seen.append(sessions.current())
        shown.set()

    monkeypatch.setattr(resources.FittingRoom, "build", wait_and_build)
    monkeypatch.setattr(early, "show", show_and_go_on)
    return seen


def begin_with(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    """A visit that has done something by the time the catalogue is shown."""

    class Begun(Session):
        def __init__(self) -> None:
            super().__init__(acted=True, **fields)

    monkeypatch.setattr(sessions, "Session", Begun)


def turned(new_page: NewPage, shop: Path, tmp_path: Path, held: list[Session]) -> AppTest:
    """The page after it was opened while the index was built, once."""
    page = new_page(catalogue=shop, index=tmp_path / "index")
    assert not page.exception
    assert len(held) == 1
    return page


def test_the_page_turns_into_the_usual_one_by_itself(
    new_page: NewPage, shop: Path, tmp_path: Path, held: list[Session]
) -> None:
    page = turned(new_page, shop, tmp_path, held)
    assert headings(page) == ["A glance at the catalogue"]
    assert len(cards(page)) == 10


def test_what_a_visitor_looks_at_stays(
    new_page: NewPage,
    shop: Path,
    tmp_path: Path,
    held: list[Session],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin_with(monkeypatch, n=4, page=2, where={"gender": ["Women", "Men"]})
    page = turned(new_page, shop, tmp_path, held)
    assert session_of(page).source == CATALOGUE
    assert (session_of(page).page, session_of(page).n) == (2, 4)
    listed = EarlyCatalogue(load_catalogue(shop)).listing([], {"gender": ["Women", "Men"]})
    assert ids(page) == listed["id"].iloc[4:8].tolist()


def test_a_picture_that_was_given_early_is_answered(
    new_page: NewPage,
    shop: Path,
    tmp_path: Path,
    held: list[Session],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = (shop / "images" / "3.jpg").read_bytes()
    begin_with(monkeypatch, uploads=[Upload("blue.jpg", data)])
    page = turned(new_page, shop, tmp_path, held)
    assert headings(page) == ["Most like your picture"]
    assert ids(page)[0] == "3"
