"""From query to query and back, in a browser: trail, browser buttons, links, filters, crops."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import (
    Visit,
    cards,
    drag_in,
    how_many,
    ids,
    open_filters,
    so_many,
    wait_for_matches,
    wait_for_other_cards,
    wait_until_drawn,
)
from tests.conftest import DEMO, SAMPLES

RED_DRESS = (SAMPLES / "red-dress.jpg").read_bytes()
ITEM = "10724"


def more_like(page: Page, place: int) -> str:
    """Search for more like one of the cards; returns the item's id."""
    before = ids(page)
    cards(page).nth(place).get_by_role("button", name="More like this").click()
    expect(page).to_have_url(re.compile(rf"\?item={before[place]}$"))
    wait_for_other_cards(page, before)
    return before[place]


def test_from_card_to_card_and_back(visit: Visit, address: str):
    page = visit(address)
    drag_in(page, RED_DRESS, "mine.jpg")
    wait_for_matches(page)
    first = ids(page)
    item = more_like(page, 2)
    expect(page.get_by_role("heading", name="Most like this")).to_be_visible()
    assert item not in ids(page)
    second = ids(page)
    more_like(page, 0)
    third = ids(page)
    # Back, by the browser's buttons ...
    page.go_back()
    wait_for_other_cards(page, third)
    assert ids(page) == second
    page.go_back()
    wait_for_other_cards(page, second)
    assert ids(page) == first
    page.go_forward()
    wait_for_other_cards(page, first)
    assert ids(page) == second
    # ... and by the page's own.
    page.get_by_role("button", name="mine.jpg").click()
    wait_for_other_cards(page, second)
    assert ids(page) == first


def test_a_new_picture_begins_a_new_trail_of_small_pictures(visit: Visit, address: str):
    page = visit(address)
    drag_in(page, RED_DRESS, "mine.jpg")
    wait_for_matches(page)
    more_like(page, 2)
    trail = page.get_by_role("list", name="The way here")
    expect(trail.locator("img")).to_have_count(2)
    before = ids(page)
    drag_in(page, (DEMO / "images" / "10005.webp").read_bytes())
    wait_for_matches(page)
    expect(cards(page).first).to_have_attribute("data-id", "10005")
    expect(trail).to_have_count(0)
    # What was before is a step back.
    page.get_by_role("button", name="← Back").click()
    expect(page.get_by_role("heading", name="Most like this")).to_be_visible()
    expect(trail.locator("img")).to_have_count(2)
    wait_until_drawn(page)
    assert ids(page) == before


@pytest.mark.parametrize("width", [1280, 390])
def test_the_matches_of_a_card_far_down_are_shown_from_their_beginning(
    visit: Visit, address: str, width: int
):
    page = visit(f"{address}/?item={ITEM}", width=width)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    cards(page).last.scroll_into_view_if_needed()
    heading = page.get_by_role("heading", name="Most like this")
    expect(heading).not_to_be_in_viewport()
    more_like(page, 11)
    expect(heading).to_be_in_viewport()
    expect(page.get_by_role("status").filter(has_text="Most like this: 12 items")).to_be_attached()


def test_a_card_opens_in_another_tab_and_its_link_is_the_view(visit: Visit, address: str):
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    link = cards(page).nth(3).get_by_role("link").get_attribute("href")
    item = ids(page)[3]
    other = visit(f"{address}/{link}")
    expect(other.get_by_role("heading", name="Most like this")).to_be_visible()
    expect(other.locator(".fr-query img")).to_be_visible()
    expect(other).to_have_url(re.compile(rf"\?item={item}&look={item}$"))
    # The item itself is shown before them.
    expect(other.get_by_role("dialog")).to_be_visible()
    expect(cards(other)).to_have_count(12)


def test_a_shared_link_shows_the_same_to_another_visitor(visit: Visit, headed_address: str):
    page = visit(f"{headed_address}/?item={ITEM}")
    expect(page.get_by_role("heading", name="Most like this")).to_be_visible()
    wait_until_drawn(page)
    usual = ids(page)
    page.get_by_role("slider", name="Shape or colour").press("End")
    wait_for_other_cards(page, usual)
    page.get_by_role("slider", name="How many").press("ArrowRight")
    expect(cards(page)).to_have_count(13)
    open_filters(page)
    page.get_by_role("button", name=re.compile("^Red")).first.click()
    expect(page).to_have_url(re.compile("filter-baseColour=Red"))
    wait_until_drawn(page)
    other = visit(page.url)
    expect(cards(other)).to_have_count(13)
    wait_until_drawn(other)
    assert ids(other) == ids(page)
    slider = other.get_by_role("slider", name="Shape or colour")
    expect(slider).to_have_attribute("aria-valuetext", "colour")


def test_a_link_that_makes_no_sense_is_reported_and_the_page_goes_on(visit: Visit, address: str):
    page = visit(f"{address}/?item=nothing&n=999&filter-x=1")
    expect(page.get_by_text("Not all of this link could be used")).to_be_visible()
    expect(cards(page)).to_have_count(12)


def test_less_like_this_by_keyboard(visit: Visit, address: str):
    page = visit(f"{address}/?item={ITEM}")
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    before = ids(page)
    button = cards(page).first.get_by_role("button", name="Less like this")
    button.focus()
    expect(button).to_have_css("opacity", "1")
    button.press("Enter")
    wait_for_other_cards(page, before)
    assert before[0] not in ids(page)
    expect(page).to_have_url(re.compile(f"less={before[0]}"))
    without = ids(page)
    page.locator(".st-key-fr-negatives").get_by_role("button").click()
    wait_for_other_cards(page, without)
    assert ids(page) == before


@pytest.mark.parametrize("width", [1280, 390])
def test_filters_are_narrowed_combined_and_cleared(visit: Visit, address: str, width: int):
    page = visit(address, width=width)
    drag_in(page, RED_DRESS)
    wait_for_matches(page)
    before = ids(page)
    open_filters(page)
    red = page.get_by_role("button", name=re.compile(f"^Red {how_many(baseColour='Red')}"))
    swatch = red.evaluate("e => getComputedStyle(e, '::before').backgroundColor")
    assert swatch == "rgb(255, 0, 0)"
    red.click()
    expect(page.get_by_text(so_many(baseColour="Red"))).to_be_visible()
    red_sports = {"baseColour": "Red", "usage": "Sports"}
    page.get_by_role("button", name=re.compile("^Sports")).click()
    expect(page.get_by_text(so_many(**red_sports))).to_be_visible()
    # The panel stays open for the next one; what would leave nothing is not offered.
    expect(page.get_by_role("button", name=re.compile("^Accessories"))).to_have_count(0)
    page.get_by_role("button", name="Close", exact=True).click()
    expect(cards(page)).to_have_count(how_many(**red_sports))
    wait_until_drawn(page)
    names = cards(page).locator(".fr-name").all_inner_texts()
    assert all(" Red " in name for name in names)
    page.get_by_role("button", name="Clear filters").click()
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    assert ids(page) == before
    # Not even the closed panel brings them back.
    page.get_by_role("slider", name="How many").press("ArrowRight")
    expect(cards(page)).to_have_count(13)
    assert "filter" not in page.url


def test_filters_stand_beside_the_cards(visit: Visit, address: str):
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    open_filters(page)
    panel = page.locator(".st-key-fr-filters").bounding_box()
    rights = cards(page).evaluate_all("c => c.map(card => card.getBoundingClientRect().right)")
    assert panel and max(rights) <= panel["x"]


def test_a_long_list_of_values_is_searched_while_typing(visit: Visit, address: str):
    page = visit(f"{address}/?item={ITEM}&n=8")
    expect(cards(page)).to_have_count(8)
    wait_until_drawn(page)
    open_filters(page)
    page.get_by_role("combobox", name="Type").click()
    page.keyboard.type("heel")
    heels = how_many(articleType="Heels")
    expect(page.get_by_role("option")).to_have_text([f"Heels ({heels})"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("filter-articleType=Heels"))
    expect(page.get_by_text(so_many(articleType="Heels"))).to_be_visible()


def test_a_part_of_a_picture_is_chosen_by_keyboard(visit: Visit, address: str):
    page = visit(address)
    drag_in(page, (DEMO / "images" / f"{ITEM}.webp").read_bytes())
    wait_for_matches(page)
    whole = ids(page)
    page.get_by_role("button", name="Crop").click()
    corner = page.get_by_role("button", name="Lower right corner")
    expect(corner).to_be_focused()
    for _ in range(10):
        corner.press("Shift+ArrowUp")
    page.get_by_role("button", name="Search with this part").click()
    wait_for_other_cards(page, whole)
    expect(page).to_have_url(re.compile("crop=0%2C0%2C1000%2C500"))
    expect(page.get_by_role("button", name="Whole picture")).to_be_visible()
    part = ids(page)
    page.get_by_role("button", name="Whole picture").click()
    wait_for_other_cards(page, part)
    assert ids(page) == whole


def test_a_part_of_a_picture_is_drawn_with_the_mouse(visit: Visit, address: str):
    """A picture of two garments side by side: cropped to the right one, that one is found."""
    from io import BytesIO

    from PIL import Image

    scene = Image.new("RGB", (800, 500), "white")
    for place, item in enumerate(("10005", ITEM)):
        with Image.open(DEMO / "images" / f"{item}.webp") as picture:
            scene.paste(picture.resize((360, 480)), (20 + 400 * place, 10))
    buffer = BytesIO()
    scene.save(buffer, "JPEG", quality=95)
    page = visit(address)
    drag_in(page, buffer.getvalue())
    wait_for_matches(page)
    page.get_by_role("button", name="Crop").click()
    expect(page.locator(".fr-crop-stage img")).to_be_visible()
    page.wait_for_function("() => document.querySelector('.fr-crop-stage img').complete")
    expect(page.locator(".fr-cropper")).not_to_contain_text("%")
    stage = page.locator(".fr-crop-stage").bounding_box()
    assert stage
    # A frame is drawn at once, wherever the press is.
    page.mouse.move(stage["x"] + 0.52 * stage["width"], stage["y"] + 2)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"], stage["y"] + stage["height"] + 5, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Search with this part").click()
    expect(page).to_have_url(re.compile("crop="))
    expect(cards(page).first).to_have_attribute("data-id", ITEM)


def test_the_catalogue_is_searched_by_name(visit: Visit, address: str):
    page = visit(address)
    page.get_by_role("button", name="Browse").click()
    field = page.get_by_role("searchbox", name="Find an item")
    found = how_many(baseColour="Purple", articleType="Dresses")
    field.fill("purple dress")
    expect(page.get_by_role("heading", name=f"{found} found")).to_be_visible()
    wait_until_drawn(page)
    more_like(page, 0)
    expect(page.locator(".fr-query img")).to_have_attribute(
        "alt", re.compile("Chosen item: .* Purple .*Dress")
    )
