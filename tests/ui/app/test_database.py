"""The page on an index in a database: as on any other, and what is of a sample says so."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from fitting_room.databases import items as database_items
from fitting_room.facade import FittingRoom
from fitting_room.search import browsing, fulfilment
from tests.conftest import DEMO_ITEMS, SAMPLES
from tests.databases.memory import ADDRESS, MemoryDatabase
from tests.ui.app.conftest import (
    NewPage,
    act,
    cards,
    data_of,
    filter_of,
    go_to,
    headings,
    ids,
    send,
    session_of,
    upload,
)

SAMPLE_SAID = f"A sample of 300 of {DEMO_ITEMS} items."


def said(page: AppTest) -> str:
    texts = " ".join(str(element.value) for element in [*page.markdown, *page.caption])
    return texts.replace("\\", "").replace("\N{WORD JOINER}", "")  # nothing is Markdown


@pytest.fixture
def page(demo_in_database: MemoryDatabase, new_page: NewPage) -> AppTest:
    return new_page(index=ADDRESS)


@pytest.fixture
def dress(page: AppTest) -> AppTest:
    return upload(page, (SAMPLES / "red-dress.jpg").read_bytes())


def test_a_picture_finds_what_it_finds_in_a_folder(
    dress: AppTest, new_page: NewPage, demo_fitting_room: FittingRoom
) -> None:
    assert not dress.exception
    local = upload(new_page(), (SAMPLES / "red-dress.jpg").read_bytes())
    assert ids(dress) == ids(local)
    assert [card["text"] for card in cards(dress)] == [card["text"] for card in cards(local)]


def test_a_card_becomes_the_query(dress: AppTest) -> None:
    first = ids(dress)[0]
    act(dress, "more", first)
    dress.run()
    assert not dress.exception
    assert headings(dress)[0] == "Most like this"
    assert first not in ids(dress)


def test_a_glance_at_the_catalogue_and_its_pages(
    page: AppTest, demo_fitting_room: FittingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert headings(page)[-1] == "A glance at the catalogue"
    assert len(set(ids(page))) == session_of(page).n
    page.button(key="browse").click().run()
    known = demo_fitting_room.index.items["id"].tolist()
    assert ids(page) == known[: len(ids(page))]
    monkeypatch.setattr(browsing, "MOST_BROWSED", 100)
    page.run()
    assert headings(page)[-1] == f"The catalogue: the first 100 of {DEMO_ITEMS} items"


def test_filters_are_counted_by_the_database(page: AppTest, demo_fitting_room: FittingRoom) -> None:
    page.button(key="filter").click().run()
    filter_of(page, "gender").set_value(["Women"]).run()
    women = demo_fitting_room.index.items.query("gender == 'Women'")
    assert any(f"**{len(women):,}** of {DEMO_ITEMS}" in text.value for text in page.markdown)
    shown = {card["id"] for card in cards(page)}
    assert shown <= set(women["id"])
    options = filter_of(page, "season").options
    summer = int((women["season"] == "Summer").sum())
    assert any(f"[{summer:,}]" in str(option) for option in options)


def test_numbers_of_a_sample_say_about(
    demo_in_database: MemoryDatabase, new_page: NewPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryDatabase, "counts", lambda *_: None)
    monkeypatch.setattr(database_items, "COUNTED_HERE", 10)
    page = new_page(index=ADDRESS)
    page.button(key="filter").click().run()
    filter_of(page, "gender").set_value(["Men"]).run()  # not counted by another test before
    assert "counted on a sample" in said(page)
    assert any("[about " in str(option) for option in filter_of(page, "season").options)


def test_words_alone_say_how_many_there_are(
    page: AppTest, demo_fitting_room: FittingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.text_input(key="find").set_value("women").run()
    women = int((demo_fitting_room.index.items["gender"] == "Women").sum())
    assert f"{women:,} found" in headings(page)
    monkeypatch.setattr("fitting_room.search.columns.MOST_LISTED", 20)
    page.text_input(key="find").set_value("women ").run()
    assert f"20 of {women:,} found" in headings(page)
    assert fulfilment.MOST_LISTED > 20


def test_the_map_is_of_a_sample_and_its_points_lead_to_items_of_the_catalogue(
    page: AppTest, demo_fitting_room: FittingRoom
) -> None:
    go_to(page, "map")
    assert not page.exception
    assert SAMPLE_SAID in said(page)
    assert data_of(page, "map")["count"] == 300
    send(page, "previews", "request", [7])
    (preview,) = data_of(page, "previews")["previews"]
    send(page, "map", "pick", 7)
    (subject,) = session_of(page).history.query.subjects
    match = demo_fitting_room.item(subject.id)
    assert match is not None
    assert match.name == preview["name"]
    page.run()
    assert not page.exception
    assert len(ids(page)) == session_of(page).n


def test_about_is_of_all_and_look_alikes_of_a_sample_without_marks(page: AppTest) -> None:
    go_to(page, "about")
    assert not page.exception
    assert "secret" not in said(page)
    assert "in postgresql://localhost/clothes" in said(page)
    next(b for b in page.button if b.label == "Find look-alikes").click().run()
    assert SAMPLE_SAID in said(page)
    assert not page.toggle or all("mark" not in toggle.label for toggle in page.toggle)
