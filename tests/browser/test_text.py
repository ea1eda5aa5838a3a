"""Words in a real browser: typed, taken off and weighed, by mouse and by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.steps import Visit, cards, ids, wait_for_other_cards, wait_until_drawn
from tests.browser.test_accessibility import check


@pytest.mark.parametrize("width", [1280, 390])
def test_words_are_typed_beside_a_picture_and_taken_off(
    visit: Visit, address: str, width: int
) -> None:
    page = visit(f"{address}/?picture=sample-red-dress", width=width)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    before = ids(page)
    field = page.get_by_role("searchbox", name="Add words")
    field.press_sequentially("in blue", delay=20)
    wait_for_other_cards(page, before)
    expect(field).to_be_focused()  # it finds while one types
    expect(field).to_have_value("in blue")
    chip = page.get_by_role("button", name="Blue", exact=True)
    expect(chip).to_be_visible()
    expect(page).to_have_url(re.compile(r"words=in\+blue"))
    expect(page.get_by_role("slider", name="Picture or words")).to_be_visible()
    check(page, "words beside a picture")
    page.reload()
    expect(chip).to_be_visible()
    wait_until_drawn(page)
    chip.press("Enter")
    expect(chip).to_have_count(0)
    wait_until_drawn(page)
    assert ids(page) == before


def test_words_are_typed_on_the_opening_page(visit: Visit, address: str) -> None:
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    field = page.get_by_role("searchbox", name="Find an item")
    field.press_sequentially("dress xyzzy", delay=20)
    expect(page.get_by_role("heading", name=re.compile(r"^\d+ found$"))).to_be_visible()
    expect(page.get_by_text("Nothing in this catalogue is called “xyzzy”.")).to_be_visible()
    expect(field).to_be_focused()
    wait_until_drawn(page)
    check(page, "words in the catalogue")
    propose = page.locator(".st-key-fr-proposals button").first
    propose.click()
    expect(page.get_by_role("button", name="Filter (1)")).to_be_visible()
