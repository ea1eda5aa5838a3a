"""The pictures of an item on its card, in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.steps import Visit, cards, wait_until_drawn
from tests.browser.test_accessibility import SCREENS, check

SOURCE = "image => new URL(image.src).pathname"
SIZE = "image => { const { width, height } = image.closest('.fr-card').getBoundingClientRect();"
SIZE += " return [width, height]; }"


def test_a_button_steps_through_the_pictures_in_place(visit: Visit, several_address: str) -> None:
    page = visit(several_address)
    expect(cards(page)).to_have_count(10)
    wait_until_drawn(page)
    card = cards(page).first
    image, next_picture = card.locator("img"), card.get_by_role("button", name="Next picture: ")
    name = image.get_attribute("alt")
    size, sources = image.evaluate(SIZE), [image.evaluate(SOURCE)]
    expect(card.locator(".fr-count")).to_have_text("1/3")
    expect(next_picture).to_have_attribute("aria-label", f"Next picture: {name}")
    runs = page.evaluate("performance.getEntriesByType('navigation').length")
    for place in (2, 3):
        next_picture.click()
        expect(card.locator(".fr-count")).to_have_text(f"{place}/3")
        expect(image).to_have_attribute("alt", f"{name}, picture {place} of 3")
        page.wait_for_function(
            "image => image.complete && image.naturalWidth > 0", arg=image.element_handle()
        )
        sources.append(image.evaluate(SOURCE))
    assert len(set(sources)) == 3
    next_picture.click()
    expect(card.locator(".fr-count")).to_have_text("1/3")
    assert image.evaluate(SOURCE) == sources[0]
    assert image.evaluate(SIZE) == size
    assert page.evaluate("performance.getEntriesByType('navigation').length") == runs
    assert page.locator(".fr-pending").count() == 0  # the server was asked nothing


def test_the_pictures_are_reached_by_keyboard_and_the_link_stays(
    visit: Visit, several_address: str
) -> None:
    page = visit(several_address)
    expect(cards(page)).to_have_count(10)
    wait_until_drawn(page)
    card = cards(page).first
    item = card.get_attribute("data-id")
    card.get_by_role("link").focus()
    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused.startswith("Next picture: ")
    page.keyboard.press("Enter")
    expect(card.locator(".fr-count")).to_have_text("2/3")
    card.get_by_role("link").click()
    panel = page.get_by_role("dialog")
    expect(panel.locator(".fr-count")).to_have_text("1/3")
    page.keyboard.press("ArrowLeft")
    expect(panel.locator(".fr-count")).to_have_text("3/3")
    panel.get_by_role("button", name="Next picture: ").click()
    expect(panel.locator(".fr-count")).to_have_text("1/3")
    expect(page).to_have_url(re.compile(f"look={item}$"))


@SCREENS
def test_no_violation(visit: Visit, several_address: str, width: int, scheme: str) -> None:
    page: Page = visit(several_address, width=width, color_scheme=scheme)
    expect(cards(page)).to_have_count(10)
    check(page, "start")
    cards(page).first.get_by_role("button", name="Next picture: ").click()
    check(page, "second picture")
