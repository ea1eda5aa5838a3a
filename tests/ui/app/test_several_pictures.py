"""The page on a catalogue of items with several pictures, and the words for the very picture."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.calibration import SAME_PICTURE
from fitting_room.ui.results import card_data
from tests.conftest import DEMO
from tests.ui.app.conftest import (
    NewPage,
    OpenPage,
    act,
    cards,
    data_of,
    galleries,
    go_to,
    headings,
    ids,
    send,
    session_of,
    upload,
)


@pytest.fixture
def page(new_page: NewPage, several_fitting_room: FittingRoom) -> AppTest:
    return new_page(index=several_fitting_room.index.folder)


def picture(fitting_room: FittingRoom, row: int) -> bytes:
    return fitting_room.picture(str(fitting_room.index.items["image"].iloc[row]))


def test_a_card_brings_the_other_pictures_of_its_item(
    page: AppTest, several_fitting_room: FittingRoom
) -> None:
    assert not page.exception
    assert len(set(ids(page))) == len(cards(page)) == 10
    for card in cards(page):
        assert len(card["pictures"]) == 2
        assert all(re.fullmatch(r"/mock/media/\w+\.jpg", source) for source in card["pictures"])
        assert len({card["src"], *card["pictures"]}) == 3


def test_a_match_is_shown_by_its_best_picture(
    page: AppTest, several_fitting_room: FittingRoom
) -> None:
    row = 25  # the third picture of an item
    upload(page, picture(several_fitting_room, row))
    assert len(set(ids(page))) == len(cards(page))
    first, *others = cards(page)
    assert first["id"] == several_fitting_room.index.items["id"].iloc[row]
    assert first["similarity"]["text"] == SAME_PICTURE
    assert all(card["similarity"]["text"] != SAME_PICTURE for card in others)
    act(page, "more", first["id"])
    assert headings(page) == ["Most like this"]
    assert first["id"] not in ids(page)


def test_the_best_picture_is_explained_and_saved(
    page: AppTest, several_fitting_room: FittingRoom
) -> None:
    row = 25
    upload(page, picture(several_fitting_room, row))
    item = ids(page)[0]
    searches = session_of(page).searches.values()
    assert {m.row for _, found in searches for m in found if m.id == item} == {row}
    assert several_fitting_room.row(item) != row
    act(page, "why", item)
    assert not page.exception
    assert any("fr-why-sentence" in html.value for html in page.get("html"))
    act(page, "take", item)
    assert not page.exception


def test_later_cards_bring_fewer_pictures(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_data, "FIRST_CARDS", 4)
    monkeypatch.setattr(card_data, "PICTURES_LATER", 1)
    page.run()
    assert [len(card["pictures"]) for card in cards(page)] == [2] * 4 + [1] * 6


def test_everything_counts_items(page: AppTest, several_fitting_room: FittingRoom) -> None:
    page.button(key="filter").click().run()
    assert any("**10** of 10 items" in text.value for text in page.markdown)
    assert any("10 items with 30 pictures" in caption.value for caption in page.caption)
    name = several_fitting_room.items_once["id"].iloc[0]
    page.query_params["find"] = str(name)
    page.run()
    assert ids(page) == [name]
    assert headings(page) == ["1 found"]


def test_the_map_shows_each_item_once(page: AppTest, several_fitting_room: FittingRoom) -> None:
    upload(page, picture(several_fitting_room, 25))
    go_to(page, "map")
    assert not page.exception
    data = data_of(page, "map")
    assert data["count"] == 10
    assert data["label"].startswith("Map of 10 items")
    assert sum(data["counts"]) == 10
    assert data["marks"]["matches"][0] == 5  # row 25 is of the sixth item
    assert len(set(data["marks"]["matches"])) == 10
    send(page, "previews", "request", [5, 9, 10, 29])
    assert [preview["row"] for preview in data_of(page, "previews")["previews"]] == [5, 9]
    send(page, "map", "pick", 9)
    item = several_fitting_room.items_once["id"].iloc[9]
    assert page.query_params["item"] in (item, [item])


def _about() -> None:
    from fitting_room.ui.pages import about

    about.page()


def test_about_counts_items_and_pictures(
    open_page: OpenPage, several_fitting_room: FittingRoom
) -> None:
    page = open_page(_about, index=several_fitting_room.index.folder)
    assert not page.exception
    text = " ".join(html.value for html in page.get("html"))
    assert "<dt>Items</dt><dd>10</dd>" in text
    assert "<dt>Pictures</dt><dd>30</dd>" in text


def test_an_ordinary_card_has_no_other_pictures(
    new_page: NewPage, demo_fitting_room: FittingRoom
) -> None:
    assert all(card["pictures"] == [] for card in cards(new_page()))


# --- the very picture ----------------------------------------------------------------------------


def test_the_very_picture_is_called_that_whatever_was_measured(
    new_page: NewPage, demo_fitting_room: FittingRoom, tmp_path: Path
) -> None:
    """The column `class` has numbers that say nothing of what the pictures show."""
    shop = tmp_path / "shop"
    (shop / "images").mkdir(parents=True)
    table = pd.read_csv(DEMO / "styles.csv", dtype="str").iloc[::20].head(40)
    for item in table["id"]:
        shutil.copy(DEMO / "images" / f"{item}.webp", shop / "images")
    shards = [f"{number % 6:03}" for number in range(len(table))]
    pd.DataFrame({"id": table["id"], "class": shards}).to_csv(shop / "styles.csv", index=False)
    build_index(
        load_catalogue(shop),
        demo_fitting_room.embedder,
        tmp_path / "index",
        head=demo_fitting_room.index.head,
        limits=ImageLimits(),
    )
    page = new_page(index=tmp_path / "index")
    item = table["id"].iloc[7]
    upload(page, (DEMO / "images" / f"{item}.webp").read_bytes())
    assert not page.exception
    first, *others = cards(page)
    assert first["id"] == item
    assert first["similarity"]["text"] == SAME_PICTURE
    assert first["similarity"]["amount"] == 1
    assert not any("This is the nearest we have" in c.value for c in page.caption)
    assert {card["similarity"]["text"] for card in others} & {"Not alike", "A little alike"}
    page.select_slider[0].set_value(100).run()
    assert cards(page)[0]["similarity"]["text"] == SAME_PICTURE
    assert len(galleries(page)) == 1
