"""The garments of one picture, chosen in a browser."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.steps import Visit, drag_in, ids, wait_for_matches, wait_for_other_cards
from tests.browser.test_accessibility import check
from tests.conftest import SAMPLES


@pytest.mark.parametrize("width", [1280, 390])
def test_a_garment_is_chosen_by_keyboard(visit: Visit, address: str, width: int) -> None:
    outfit, file = Image.new("RGB", (700, 600), "white"), BytesIO()
    for left, name in ((10, "red-dress.jpg"), (390, "brown-handbag.jpg")):
        outfit.paste(Image.open(SAMPLES / name).convert("RGB").resize((300, 400)), (left, 100))
    outfit.save(file, "PNG")
    page = visit(address, width=width)
    drag_in(page, file.getvalue(), "outfit.png", "image/png")
    wait_for_matches(page)
    whole = ids(page)
    chips = page.locator(".st-key-fr-parts").get_by_role("radio")
    expect(chips).to_have_text(["Whole picture", "Dresses", "Handbags"])
    expect(chips.first).to_be_in_viewport()
    check(page, "parts")
    chips.nth(2).focus()
    page.keyboard.press("Enter")
    wait_for_other_cards(page, whole)
    expect(page).to_have_url(re.compile("crop="))
    expect(chips.nth(2)).to_be_checked()
    bags = ids(page)
    page.go_back()
    wait_for_other_cards(page, bags)
    assert ids(page) == whole
    expect(chips.first).to_be_checked()
