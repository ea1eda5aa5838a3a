"""An item by itself: what the server says of it, and what a link names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from tests.conftest import DEMO, SAMPLES
from tests.ui.app.conftest import (
    NewPage,
    cards,
    data_of,
    galleries,
    headings,
    ids,
    send,
    session_of,
    upload,
)

ITEM = "10724"


def tell(page: AppTest, **message: object) -> AppTest:
    return send(page, "gallery", "act", message)


def panel(page: AppTest) -> dict | None:
    return data_of(page, "gallery")["panel"]


def test_an_item_is_shown_by_itself_and_searches_nothing(page: AppTest) -> None:
    assert panel(page) is None
    before = ids(page)
    tell(page, action="look", id=before[2], turn=5)
    assert not page.exception
    shown = panel(page)
    assert shown["card"]["id"] == before[2]
    assert shown["large"] != shown["pictures"][0]
    assert ["Type", "Dresses"][0] in dict(shown["details"])
    assert dict(shown["details"])["Colour"]
    assert (shown["price"], shown["shop"]) == (None, None)
    # Without a query nothing can be less like it.
    assert [action["name"] for action in shown["actions"]] == ["look", "more", "take"]
    assert ids(page) == before
    assert data_of(page, "gallery")["answered"] == 5
    assert page.query_params["look"] in (before[2], [before[2]])
    assert shown["address"] == {"shown": f"look={before[2]}", "without": ""}
    tell(page, action="close", turn=6)
    assert panel(page) is None
    assert "look" not in page.query_params
    assert ids(page) == before


def test_a_link_shows_the_item_before_what_looks_like_it(page: AppTest) -> None:
    link = cards(page)[0]["href"]
    item = ids(page)[0]
    assert link == f"./?item={item}&look={item}"
    page.query_params["item"] = page.query_params["look"] = item
    page.run()
    assert headings(page) == ["Most like this"]
    shown = panel(page)
    assert shown["card"]["id"] == item
    assert shown["card"]["similarity"] is None
    # It is neither more nor less like itself.
    assert [action["name"] for action in shown["actions"]] == ["look", "more", "take"]


def test_a_link_to_look_alikes_of_an_item_without_any_shows_the_page(page: AppTest) -> None:
    page.query_params["item"] = page.query_params["alike"] = ITEM
    page.run()
    assert not page.exception
    assert headings(page) == ["Most like this"]
    assert panel(page) is None


def test_a_link_to_what_is_not_there_says_so(page: AppTest) -> None:
    page.query_params["look"] = "no such item"
    page.run()
    assert not page.exception
    assert panel(page) is None
    assert any("no such item" in warning.value for warning in page.warning)


def test_beside_a_query_the_panel_says_how_alike_the_item_is(page: AppTest) -> None:
    upload(page, (SAMPLES / "red-dress.jpg").read_bytes())
    card = cards(page)[0]
    tell(page, action="look", id=card["id"], turn=1)
    shown = panel(page)
    assert shown["card"]["similarity"]["text"] == card["similarity"]["text"]
    names = [action["name"] for action in shown["actions"]]
    assert names == ["look", "less", "more", "why", "take"]
    # An action closes it.
    tell(page, action="more", id=card["id"], turn=2)
    assert headings(page) == ["Most like this"]
    assert panel(page) is None


@pytest.mark.parametrize("action", ["why", "take", "more", "less", "nonsense"])
def test_every_action_is_answered_by_its_number(page: AppTest, action: str) -> None:
    upload(page, (SAMPLES / "red-dress.jpg").read_bytes())
    tell(page, action=action, id=ids(page)[0], turn=1_900_000_000_000)
    assert not page.exception
    assert data_of(page, "gallery")["answered"] == 1_900_000_000_000


@pytest.mark.parametrize(
    "message",
    [
        {"action": "look", "id": "unknown", "turn": 3},
        {"action": "look", "id": ["10724"]},
        {"action": "look"},
        {"turn": -1},
        {"turn": 2**70},
        {"turn": "x", "action": "close"},
        {"action": "look", "id": ITEM, "picture": 99},
        {"action": "look", "id": ITEM, "picture": -1},
        {"action": "look", "id": ITEM, "picture": "0"},
        {"action": "alike", "id": ITEM},
    ],
)
def test_no_message_breaks_the_page(page: AppTest, message: dict[str, object]) -> None:
    tell(page, **message)
    assert not page.exception
    assert type(session_of(page).answered) is int
    assert panel(page) is None or panel(page)["card"]["id"] == ITEM


def test_the_pictures_of_an_item_are_sharp_one_by_one(
    new_page: NewPage, several_fitting_room: FittingRoom
) -> None:
    page = new_page(index=several_fitting_room.index.folder)
    item = ids(page)[0]
    large = []
    for place in range(3):
        tell(page, action="look", id=item, picture=place, turn=place)
        shown = panel(page)
        assert len(set(shown["pictures"])) == 3
        assert shown["shown"] == place
        large.append(shown["large"])
    assert len(set(large)) == 3


def test_look_alikes_are_shown_with_their_actions(
    new_page: NewPage, with_copies: Path, tmp_path: Path
) -> None:
    with Image.open(with_copies / "images" / "10724.webp") as picture:  # no copy, cut by 2 %
        edge = [round(side * 0.02) for side in picture.size]
        box = (*edge, picture.width - edge[0], picture.height - edge[1])
        picture.convert("RGB").crop(box).save(with_copies / "images" / "90.jpg", quality=95)
    page = new_page(catalogue=with_copies, index=tmp_path / "index")
    upload(page, (with_copies / "images" / "10724.webp").read_bytes())
    others = {"text": "+2 copies, +1 alike", "title": "2 of the same picture, 1 look-alike"}
    assert cards(page)[0]["others"] == others
    tell(page, action="alike", id=ITEM, turn=1)
    shown = panel(page)
    assert shown["card"]["id"] == ITEM
    words = {card["id"]: card["similarity"]["text"] for card in shown["cards"]}
    same = "The same picture"
    assert words == {"70": same, "80": same, "90": "Looks the same"}
    assert [*words][-1] == "90"  # copies come first
    assert all(card["src"] and card["href"] for card in shown["cards"])
    assert shown["more"] == 0
    assert "look" not in page.query_params
    assert shown["address"]["shown"] == f"{shown['address']['without']}&alike={ITEM}"
    tell(page, action="look", id="80", turn=2)
    assert panel(page)["card"]["id"] == "80"


# --- a shop's own columns ------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path, demo_fitting_room: FittingRoom) -> Path:
    """An index of a shop with prices, links and a column that says the same of all items."""
    folder = tmp_path / "shop"
    (folder / "images").mkdir(parents=True)
    items = pd.read_csv(DEMO / "styles.csv", dtype="str")["id"].iloc[:4]
    for item in items:
        shutil.copy(DEMO / "images" / f"{item}.webp", folder / "images")
    links = [
        "https://shop.example/dress?a=1",
        "javascript:alert(1)",
        "https://shop.example@evil.example/",
        "",
    ]
    pd.DataFrame(
        {
            "id": items, "title": "<b>Dress</b>", "price": ["29,90", "$30", "", "12"],
            "currency": "EUR", "product_url": links, "fit": "Unisex",
            "colour": ["Red", "Blue", "Red", "Green"],
            "description": "<p>Soft &amp; warm</p><script>alert(1)</script>",
        }
    ).to_csv(folder / "styles.csv", index=False)  # fmt: skip
    index = tmp_path / "index"
    build_index(
        load_catalogue(folder), demo_fitting_room.embedder, index, head=None, limits=ImageLimits()
    )
    return index


def test_price_and_shop_stand_in_the_panel_and_hostile_links_do_not(
    new_page: NewPage, shop: Path
) -> None:
    page = new_page(index=shop)
    assert {card["text"] for card in cards(page)} <= {
        "Red · 29,90", "Blue · $30", "Red", "Green · 12",
    }  # fmt: skip
    said = {}
    for item in ids(page):
        tell(page, action="look", id=item, turn=1)
        shown = panel(page)
        said[shown["card"]["text"]] = (shown["price"], shown["shop"])
        details = dict(shown["details"])
        assert details["Fit"] == "Unisex"
        assert details["Description"] == "Soft & warm"
        assert "Price" not in details
        assert shown["card"]["name"] == "<b>Dress</b>"  # text, and put in as text
    link = {"href": "https://shop.example/dress?a=1", "host": "shop.example"}
    assert said == {
        "Red · 29,90": ("29,90 EUR", link),
        "Blue · $30": ("$30", None),
        "Red": (None, None),
        "Green · 12": ("12 EUR", None),
    }
    assert len(galleries(page)) == 1
