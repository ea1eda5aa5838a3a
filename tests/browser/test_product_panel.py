"""An item by itself, in a browser: at once, by keyboard, and back to where one was."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from fitting_room.settings import Settings
from tests.browser.conftest import serve
from tests.browser.steps import (
    Visit,
    cards,
    drag_in,
    ids,
    wait_for_matches,
    wait_for_other_cards,
    wait_until_drawn,
)
from tests.browser.test_accessibility import SCREENS, check

ITEM = "10724"
#: Once a panel that was closed has left the browser's history, and the server knows of it.
CLOSED = """() => {
    const root = document.querySelector(".fr-gallery");
    if (!root?.frPanel) return false;
    const { after, leaving, id } = root.frPanel;
    return !after && !leaving && !id && (root.frTurn ?? 0) <= root.frAnswered;
}"""


@SCREENS
def test_a_picture_opens_its_item_and_gives_the_focus_back(
    visit: Visit, address: str, width: int, scheme: str
) -> None:
    page = visit(f"{address}/?item={ITEM}&n=4", width=width, color_scheme=scheme)
    expect(cards(page)).to_have_count(4)
    wait_until_drawn(page)
    before = ids(page)
    link = cards(page).nth(1).get_by_role("link", name="Look closer: ")
    # The panel is there before anything is asked of the server.
    assert link.evaluate(
        "link => { link.click(); return !!document.querySelector('dialog[open]'); }"
    )
    panel = page.get_by_role("dialog")
    name = cards(page).nth(1).locator(".fr-name").inner_text()
    expect(panel.get_by_role("heading", name=name)).to_be_focused()
    expect(panel.get_by_text("Occasion")).to_be_visible()
    expect(page).to_have_url(re.compile(f"look={before[1]}"))
    check(page, "panel")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    # The focus stays inside, and comes back.
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "() => document.activeElement === document.body"
            " || !!document.activeElement.closest('dialog')"
        )
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(link).to_be_focused()
    expect(page).to_have_url(re.compile(f"item={ITEM}&n=4$"))
    assert ids(page) == before
    # Opened by keyboard, and left by the browser's button.
    page.keyboard.press("Enter")
    expect(panel.get_by_text("Occasion")).to_be_visible()
    expect(page).to_have_url(re.compile("look="))
    wait_until_drawn(page)
    page.go_back()
    expect(panel).to_have_count(0)
    # An action of the panel takes its place, and nothing waits for ever.
    link.click()
    panel.get_by_role("button", name="Why?").click()
    expect(page.get_by_role("dialog").locator(".fr-why img")).to_have_count(2)
    expect(page.locator(".fr-pending")).to_have_count(0)
    assert page.locator("dialog[open]").count() == 0


def look_at(page: Page, place: int) -> str:
    """Open the panel of a card, until all of it is there; returns the item's id."""
    item = ids(page)[place]
    cards(page).nth(place).get_by_role("link", name="Look closer: ").click()
    expect(page.get_by_role("dialog").locator("dl")).to_be_visible()
    expect(page).to_have_url(re.compile(f"look={item}"))
    wait_until_drawn(page)
    return item


def matches_of_a_card(visit: Visit, address: str) -> Page:
    """The opening page, and from there the matches of one of its cards."""
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    before = ids(page)
    cards(page).first.get_by_role("button", name="More like this").click()
    wait_for_other_cards(page, before)
    expect(page.get_by_role("heading", name="Most like this")).to_be_visible()
    return page


def wait_until_closed(page: Page, url: str) -> None:
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_function(CLOSED)
    wait_until_drawn(page)
    expect(page).to_have_url(url)


#: Ways to close the panel, beside the browser's button.
CLOSINGS = {
    "button": lambda page: page.get_by_role("button", name="Close", exact=True).click(),
    "key": lambda page: page.keyboard.press("Escape"),
    "beside": lambda page: page.mouse.click(5, 5),
}


@pytest.mark.parametrize("closing", CLOSINGS)
def test_back_after_the_panel_was_closed_leads_to_what_was_before(
    visit: Visit, address: str, closing: str
) -> None:
    page = matches_of_a_card(visit, address)
    url = page.url
    for place in (1, 2):
        look_at(page, place)
        CLOSINGS[closing](page)
        wait_until_closed(page, url)
    page.go_back()
    expect(page.get_by_role("heading", name="A glance at the catalogue")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_back_closes_the_panel_and_back_again_leads_to_what_was_before(
    visit: Visit, address: str
) -> None:
    page = matches_of_a_card(visit, address)
    url = page.url
    item = look_at(page, 1)
    page.go_back()
    wait_until_closed(page, url)
    page.go_forward()
    expect(page.get_by_role("dialog").locator("dl")).to_be_visible()
    expect(page).to_have_url(re.compile(f"look={item}"))
    wait_until_drawn(page)
    page.keyboard.press("Escape")
    wait_until_closed(page, url)
    page.go_back()
    expect(page.get_by_role("heading", name="A glance at the catalogue")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_panel_that_is_closed_before_the_server_knows_of_it_stays_closed(
    visit: Visit, address: str
) -> None:
    page = matches_of_a_card(visit, address)
    url = page.url
    cards(page).nth(1).get_by_role("link", name="Look closer: ").evaluate(
        "link => { link.click(); document.querySelector('dialog[open]').close(); }"
    )
    wait_until_closed(page, url)
    page.go_back()
    expect(page.get_by_role("heading", name="A glance at the catalogue")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_address_comes_before_the_panel_that_may_leave_it(visit: Visit, address: str) -> None:
    # A panel that is closed leaves its address; one that came afterwards would stay.
    page = visit(f"{address}/about")
    with page.expect_websocket() as connected:
        page.goto(f"{address}/?item={ITEM}&n=4")
    expect(cards(page)).to_have_count(4)
    wait_until_drawn(page)
    messages: list[ForwardMsg] = []
    socket = connected.value
    socket.on("framereceived", lambda frame: messages.append(ForwardMsg.FromString(frame)))
    item = look_at(page, 1)
    written = [f"look={item}" in each.page_info_changed.query_string for each in messages]
    panels = ["details" in each.delta.new_element.bidi_component.json for each in messages]
    assert written.index(True) < panels.index(True)


def test_an_action_of_the_panel_leaves_it_behind(visit: Visit, address: str) -> None:
    page = matches_of_a_card(visit, address)
    url, before = page.url, ids(page)
    item = look_at(page, 1)
    page.get_by_role("dialog").get_by_role("button", name="More like this").click()
    expect(page).to_have_url(re.compile(rf"\?item={item}$"))
    wait_for_other_cards(page, before)
    after = ids(page)
    page.go_back()
    expect(page).to_have_url(url)
    wait_for_other_cards(page, after)
    assert ids(page) == before
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_who_came_by_a_link_leaves_the_panel_for_the_page(visit: Visit, address: str) -> None:
    page = visit(f"{address}/about")
    expect(page.get_by_role("heading", name="About this catalogue")).to_be_visible()
    page.goto(f"{address}/?item={ITEM}&n=4&look={ITEM}")
    expect(page.get_by_role("dialog").locator("dl")).to_be_visible()
    wait_until_drawn(page)
    page.keyboard.press("Escape")
    wait_until_closed(page, f"{address}/?item={ITEM}&n=4")
    page.go_back()
    expect(page.get_by_role("heading", name="About this catalogue")).to_be_visible()


def test_look_alikes_open_from_their_card_and_back_leads_out_of_them(
    visit: Visit, with_copies: Path, tmp_path: Path, settings: Settings
) -> None:
    own = {"cache": settings.cache, "backbone": settings.backbone, "catalogue": with_copies}
    table = pd.read_csv(with_copies / "styles.csv")
    table["price"], table["product_url"] = "29,90", "https://shop.example/dress"
    table.to_csv(with_copies / "styles.csv", index=False)
    with serve(index=tmp_path / "index", **own) as url:
        page = visit(url)
        expect(page.get_by_role("button", name="Filter")).to_have_count(0)
        expect(page.get_by_role("heading", name="A glance at the catalogue")).to_be_visible()
        drag_in(page, (with_copies / "images" / f"{ITEM}.webp").read_bytes())
        wait_for_matches(page)
        address = page.url
        page.get_by_role("button", name=re.compile("(of the same picture|look-alikes?): ")).click()
        panel = page.get_by_role("dialog")
        expect(panel.locator(".fr-card")).to_have_count(3)
        expect(page).to_have_url(re.compile("alike="))
        check(page, "look-alikes")
        panel.locator(".fr-card").first.get_by_role("link").click()
        expect(panel.locator(".fr-panel-price")).to_have_text("29,90")
        shop = panel.get_by_role("link", name="Open in the shop")
        expect(shop).to_have_attribute("href", "https://shop.example/dress")
        expect(shop).to_have_attribute("rel", "noopener noreferrer")
        expect(page).to_have_url(re.compile("look="))
        wait_until_drawn(page)
        page.go_back()
        expect(panel.locator(".fr-card")).to_have_count(3)
        expect(page).to_have_url(re.compile("alike="))
        wait_until_drawn(page)
        panel.locator(".fr-card").last.get_by_role("link").click()
        expect(panel.locator(".fr-panel-price")).to_be_visible()
        expect(page).to_have_url(re.compile("look="))
        wait_until_drawn(page)
        page.keyboard.press("Escape")
        wait_until_closed(page, address)
        page.go_back()
        expect(page.get_by_role("heading", name="A glance at the catalogue")).to_be_visible()
        expect(panel).to_have_count(0)
        page.close()  # before its server goes


def test_a_panel_is_closed_after_a_reload_as_before_it(visit: Visit, address: str) -> None:
    page = visit(f"{address}/?item={ITEM}&n=4")
    expect(cards(page)).to_have_count(4)
    wait_until_drawn(page)
    cards(page).nth(1).get_by_role("link", name="Look closer: ").click()
    expect(page).to_have_url(re.compile("look="))
    page.reload()
    panel = page.get_by_role("dialog")
    expect(panel).to_be_visible()
    wait_until_drawn(page)
    panel.get_by_role("button", name="Close", exact=True).click()
    expect(panel).to_have_count(0)
    page.wait_for_function(CLOSED)
    expect(page).not_to_have_url(re.compile("look="))  # the driver hears of it a little later
    expect(cards(page)).to_have_count(4)
