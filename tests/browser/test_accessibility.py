"""The page under axe-core's rules, in each of its states, wide and light, narrow and dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.steps import (
    Visit,
    cards,
    drag_in,
    open_filters,
    open_options,
    wait_for_matches,
    wait_until_drawn,
)
from tests.conftest import SAMPLES

#: Desk and phone, light and dark.
SCREENS = pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
)
#: Stale parts are drawn paler for a moment.
STANDS_STILL = """() => document.querySelectorAll('[data-stale=true]').length === 0
    && document.getAnimations().every(a => a.playState !== 'running'
        || a.effect.getTiming().iterations === Infinity)"""
#: Notes whether the page's script runs from now on.
WATCH = """() => {
    const app = document.querySelector("[data-testid=stApp]");
    window.ranMeanwhile = app.dataset.testScriptState !== "notRunning";
    new MutationObserver(() => { window.ranMeanwhile = true; }).observe(
        app, { attributes: true, attributeFilter: ["data-test-script-state"] });
}"""


def check(page: Page, state: str) -> None:
    """Nothing that axe finds, however small: critical, serious, moderate, minor."""
    ran_meanwhile = True
    while ran_meanwhile:  # and some parts were stale while axe looked at them
        wait_until_drawn(page)
        page.wait_for_function(STANDS_STILL)
        page.evaluate(WATCH)
        violations = Axe().run(page).response["violations"]
        ran_meanwhile = page.evaluate("window.ranMeanwhile")
    found = [
        f"{state}: {violation['impact']} {violation['id']}: {node['html'][:160]}"
        for violation in violations
        for node in violation["nodes"]
        # Streamlit draws its tooltips outside of the page's landmarks.
        if not (violation["id"] == "region" and 'id="stFloatingOverlayPortal"' in node["html"])
    ]
    assert found == []


@SCREENS
def test_no_violation(visit: Visit, headed_address: str, width: int, scheme: str):
    page = visit(headed_address, width=width, color_scheme=scheme)
    expect(cards(page)).to_have_count(12)
    check(page, "start")
    drag_in(page, (SAMPLES / "red-dress.jpg").read_bytes())
    wait_for_matches(page)
    check(page, "matches")
    open_options(page)
    check(page, "options")
    page.keyboard.press("Escape")
    cards(page).first.get_by_role("button", name="More:").click()
    expect(page.get_by_role("button", name="Save or share").locator("visible=true")).to_be_visible()
    check(page, "menu of a card")
    page.keyboard.press("Escape")
    open_filters(page)
    page.locator("[class*='st-key-filter-baseColour'] button").first.click()
    expect(page.get_by_role("button", name="Filter (1)")).to_be_visible()
    check(page, "filters")
    page.get_by_role("button", name="Close", exact=True).click()
    page.get_by_role("button", name="Crop").click()
    expect(page.get_by_role("button", name="Search with this part")).to_be_visible()
    check(page, "crop")
    page.get_by_role("button", name="Cancel").click()
    cards(page).first.get_by_role("button", name="More like this").click()
    expect(page.get_by_role("button", name="← Back")).to_be_visible()
    check(page, "trail")
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_role("button", name="Browse").click()
    expect(page.get_by_role("searchbox", name="Find an item")).to_be_visible()
    check(page, "catalogue")


def test_everything_is_reached_by_keyboard(visit: Visit, address: str):
    page = visit(f"{address}/?item=10724&n=2")
    expect(cards(page)).to_have_count(2)
    wait_until_drawn(page)
    reached: list[str] = []
    page.locator("body").press("Tab")
    for _ in range(60):
        name = page.evaluate(
            "() => { const e = document.activeElement;"
            " return e.getAttribute('aria-label') || e.innerText || e.type || ''; }"
        )
        reached.append(name)
        page.keyboard.press("Tab")
    names = "\n".join(reached)
    for name in (
        "Change picture",
        "Camera",
        "Crop",
        "Clear",
        "Filter",
        "More like this:",
        "Less like this:",
    ):
        assert name in names, name
    assert page.locator(".fr-card img:not([alt]), .fr-card img[alt='']").count() == 0
