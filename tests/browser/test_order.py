"""The order of matches as a visitor chooses it: behind one button, on a phone as well."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.steps import Visit, ids, open_options, wait_for_other_cards, wait_until_drawn

SWEATER = "?picture=sample-green-sweater&n=30"


def edges_of_options(page: Page) -> list[float]:
    """How far to the left and to the right the popover of options reaches."""
    box = page.get_by_test_id("stPopoverBody").bounding_box()
    assert box is not None
    return [box["x"], box["x"] + box["width"]]


def test_an_order_is_chosen_kept_by_a_reload_and_taken_back(visit: Visit, address: str) -> None:
    page = visit(f"{address}?picture=sample-red-dress&n=30")
    expect(page.locator(".fr-card")).to_have_count(30)
    wait_until_drawn(page)
    usual = ids(page)
    open_options(page)
    page.get_by_role("combobox", name="Order").click()
    page.get_by_role("option", name="Year, highest first").click()
    wait_for_other_cards(page, usual)
    chosen = ids(page)
    assert 0 < len(chosen) < 30
    expect(page).to_have_url(re.compile("sort=-year"))
    expect(page.get_by_text(f"{len(chosen)} good matches are all there is")).to_be_visible()
    page.reload()
    expect(page.locator(".fr-card")).to_have_count(len(chosen))
    wait_until_drawn(page)
    assert ids(page) == chosen
    page.get_by_role("button", name="Year, highest first").click()
    wait_for_other_cards(page, chosen)
    assert ids(page) == usual
    expect(page).not_to_have_url(re.compile("sort="))


def test_on_a_phone_the_options_fit_and_a_sentence_explains_each(
    visit: Visit, address: str
) -> None:
    page = visit(address + SWEATER, width=320, height=740)
    expect(page.locator(".fr-card")).to_have_count(30)
    wait_until_drawn(page)
    usual = ids(page)
    open_options(page)
    left, right = edges_of_options(page)
    assert left >= 0
    assert right <= 320
    page.get_by_test_id("stPopoverBody").get_by_test_id("stTooltipHoverTarget").nth(1).hover()
    expect(page.get_by_text("How different the matches are from each other")).to_be_visible()
    page.get_by_role("radio", name="Much").click()
    wait_for_other_cards(page, usual)
    expect(page).to_have_url(re.compile("variety=50"))
