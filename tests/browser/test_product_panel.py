"""An item by itself, in a browser: at once, by keyboard, and back to where one was."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.steps import Visit, cards, ids, wait_until_drawn
from tests.browser.test_accessibility import check

ITEM = "10724"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
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
