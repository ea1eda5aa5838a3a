"""Every source of a query, with a picture whose right match is known, and what a visitor does from
there: at a desk in light and on a phone in dark."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from fitting_room.facade import FittingRoom
from tests.browser.conftest import WEBCAM_ITEM
from tests.browser.steps import (
    Visit,
    cards,
    choose,
    download,
    drag_in,
    ids,
    in_view,
    open_filters,
    open_map,
    paste,
    so_many,
    take_photo,
    turn_wheel,
    wait_for_matches,
    wait_for_other_cards,
    wait_until_drawn,
    where,
)
from tests.conftest import DEMO, DEMO_ITEMS

SCREENS = pytest.mark.parametrize(
    "screen",
    [
        {"width": 1280, "height": 900, "color_scheme": "light"},
        {
            "width": 390, "height": 844, "is_mobile": True, "has_touch": True,
            "color_scheme": "dark",
        },
    ],
    ids=["desk", "phone"],
)  # fmt: skip


def picture(item: str) -> bytes:
    return (DEMO / "images" / f"{item}.webp").read_bytes()


def wait_for_item(page: Page, item: str) -> None:
    """Until the item whose picture was given is the first match."""
    wait_for_matches(page)
    expect(cards(page).first).to_have_attribute("data-id", item)


@SCREENS
def test_every_source_and_on_from_there(visit: Visit, address: str, screen: dict[str, object]):
    page = visit(address, **screen)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    drag_in(page, picture("10005"))
    wait_for_item(page, "10005")
    paste(page, picture("10484"), "image/webp")
    wait_for_item(page, "10484")
    choose(page, {"name": "a.webp", "mimeType": "image/webp", "buffer": picture("10300")})
    wait_for_item(page, "10300")
    take_photo(page)
    wait_for_item(page, WEBCAM_ITEM)
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_role("button", name="Browse").click()
    field = page.get_by_role("searchbox", name="Find an item")
    field.fill("10244")
    expect(page.get_by_role("heading", name="1 found")).to_be_visible()
    expect(cards(page)).to_have_count(1)
    wait_until_drawn(page)
    before = ids(page)
    assert before == ["10244"]
    cards(page).first.get_by_role("button", name="More like this").click()
    expect(page.get_by_role("heading", name="Most like this")).to_be_visible()
    wait_for_other_cards(page, before)
    expect(page.locator(".fr-query img")).to_have_attribute(
        "alt", "Chosen item: Fern Women Red Pleated Dress"
    )
    expect(cards(page).first).to_contain_text("Dress")
    # From there: a filter, a part of the picture, the link to it, and back.
    unfiltered = ids(page)
    open_filters(page)
    page.get_by_role("button", name=re.compile("^Green ")).click()
    expect(page.get_by_text(so_many(baseColour="Green"))).to_be_visible()
    page.get_by_role("button", name="Close", exact=True).click()
    wait_for_other_cards(page, unfiltered)
    assert all(" Green " in n for n in cards(page).locator(".fr-name").all_inner_texts())
    green = ids(page)
    page.get_by_role("button", name="Crop").click()
    corner = page.get_by_role("button", name="Lower right corner")
    for _ in range(8):
        corner.press("Shift+ArrowUp")
    page.get_by_role("button", name="Search with this part").click()
    wait_for_other_cards(page, green)
    part = ids(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    other = visit(page.url, **screen)
    expect(cards(other)).to_have_count(12)
    wait_until_drawn(other)
    assert ids(other) == part
    page.go_back()
    wait_for_other_cards(page, part)
    assert ids(page) == green
    page.go_back()
    wait_for_other_cards(page, green)
    assert ids(page) == unfiltered


@SCREENS
def test_explanation_files_and_the_map(
    visit: Visit, address: str, demo_fitting_room: FittingRoom, screen: dict[str, object]
):
    page = visit(f"{address}/?item=10244&n=4", **screen)
    expect(cards(page)).to_have_count(4)
    wait_until_drawn(page)
    cards(page).first.get_by_role("button", name="Why?").click()
    explanation = page.get_by_role("dialog")
    expect(explanation.locator(".fr-why img")).to_have_count(2)
    expect(explanation.locator(".fr-why img").first).to_have_attribute(
        "alt",
        re.compile("^Your picture: Fern Women Red Pleated Dress. What looks most alike is in "),
    )
    page.wait_for_function(
        "() => [...document.querySelectorAll('.fr-why img')].every(i => i.naturalWidth > 100)"
    )
    expect(explanation).to_contain_text("Same type (Dresses)")
    page.keyboard.press("Escape")
    expect(explanation).to_have_count(0)
    text = download(page, "Matches as csv").decode("utf-8-sig")
    assert [row["id"] for row in csv.DictReader(io.StringIO(text))] == ids(page)
    with Image.open(io.BytesIO(download(page, "Contact sheet"))) as sheet:
        assert sheet.format == "PNG"
    open_map(page)
    assert in_view(page) == DEMO_ITEMS
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    row = loneliest(demo_fitting_room)
    canvas = page.locator(".fr-map canvas")
    # From afar a name or a sample picture may stand before it.
    turn_wheel(page, row, -1500)
    expect(page.locator(".fr-map[data-view=pictures]")).to_be_visible()
    # A pointer shows and clicks; a finger shows with its first touch and takes with the second.
    touch = "has_touch" in screen
    (canvas.tap if touch else canvas.hover)(position=where(page, row))
    item = str(demo_fitting_room.index.items["id"].iloc[row])
    match = demo_fitting_room.item(item)
    assert match is not None
    expect(page.locator(".fr-map-tip")).to_contain_text(match.name)
    (canvas.tap if touch else canvas.click)(position=where(page, row))
    expect(page).to_have_url(re.compile(rf"\?item={item}\b"))
    expect(page.locator(".fr-query img")).to_have_attribute("alt", f"Chosen item: {match.name}")


def loneliest(fitting_room: FittingRoom) -> int:
    """The row whose point on the map stands farthest from all others: nothing else is hit."""
    places = fitting_room.index.map
    assert places is not None
    away = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(away, np.inf)
    return int(away.min(axis=1).argmax())
