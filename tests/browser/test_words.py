"""What the page says: words that a shopper understands, and nothing of what compares pictures."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.browser.steps import Visit, cards, drag_in, wait_for_matches, wait_until_drawn
from tests.conftest import SAMPLES

RED_DRESS = (SAMPLES / "red-dress.jpg").read_bytes()
#: The one scale on the cards.
SCALE = re.compile(
    r"^(The same picture|Looks the same|Very alike|Alike|A little alike|Not alike)"
    r"(, same colours)?$"
)


def test_likeness_is_said_in_words(visit: Visit, address: str) -> None:
    page = visit(f"{address}/?n=40")
    expect(page.locator(".fr-upload")).to_contain_text("Your picture is not kept")
    drag_in(page, RED_DRESS)
    wait_for_matches(page)
    expect(cards(page)).to_have_count(40)
    expect(page.locator(".fr-upload")).to_contain_text("Your picture is not kept")
    words = page.locator(".fr-card .fr-similarity").all_inner_texts()
    assert len(words) == 40
    assert [word for word in words if not SCALE.match(word.strip())] == []
    assert len(set(words)) > 1
    cards(page).first.get_by_role("button", name="Why?").click()
    why = page.get_by_role("dialog")
    expect(why).to_contain_text("Yellow: what looks most alike")
    expect(why).not_to_contain_text("%")


def test_a_picture_without_a_garment_is_told(visit: Visit, address: str) -> None:
    places = (np.indices((480, 360)) // 60).sum(axis=0) % 2
    tiles = Image.fromarray(np.array([[240, 240, 230], [30, 60, 140]], np.uint8)[places])
    buffer = BytesIO()
    tiles.save(buffer, "PNG")
    page = visit(address)
    drag_in(page, buffer.getvalue(), "tiles.png", "image/png")
    wait_for_matches(page)
    expect(page.get_by_text("No garment seen in this picture")).to_be_visible()
    drag_in(page, RED_DRESS)
    expect(page.get_by_text("No garment seen in this picture")).to_have_count(0)


def test_what_compares_pictures_is_said_to_the_owner_alone(visit: Visit, address: str) -> None:
    page = visit(address)
    drag_in(page, RED_DRESS)
    wait_for_matches(page)
    jargon = re.compile(r"EfficientNet|ResNet|embedding|network|dimension|cosine", re.IGNORECASE)
    expect(page.locator("body")).not_to_contain_text(jargon, use_inner_text=True)
    page.get_by_role("link", name="About", exact=True).click()
    expect(page.get_by_role("heading", name="For the owner")).to_be_visible()
    wait_until_drawn(page)
    expect(page.locator("body")).to_contain_text("EfficientNet")
