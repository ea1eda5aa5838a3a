"""The narrowest phone, a zoom of 400 %, a wall of pixels, forced colours, no motion."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.steps import Visit, cards, drag_in, wait_for_matches, wait_until_drawn
from tests.conftest import SAMPLES

RED_DRESS = (SAMPLES / "red-dress.jpg").read_bytes()


# A desk of 1280 pixels at 400 % is 320 wide.
@pytest.mark.parametrize(("width", "height"), [(280, 653), (320, 256), (3840, 2160)])
def test_everything_fits(visit: Visit, address: str, width: int, height: int) -> None:
    page = visit(address, width=width, height=height)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    drag_in(page, RED_DRESS)
    wait_for_matches(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    edges = page.evaluate(
        """() => [...document.querySelectorAll(
            ".fr-upload button, .st-key-fr-options button, .st-key-fr-query-one button, .fr-card")]
            .map(e => e.getBoundingClientRect()).map(box => [box.left, box.right])"""
    )
    assert all(left >= 0 and right <= width for left, right in edges)


def test_what_is_drawn_by_colour_is_seen_in_forced_colours(visit: Visit, address: str) -> None:
    page = visit(address, forced_colors="active", color_scheme="dark")
    drag_in(page, RED_DRESS)
    wait_for_matches(page)
    seen = page.evaluate(
        """() => {
            const style = selector => getComputedStyle(document.querySelector(selector));
            const tracks = [...document.querySelectorAll(".stSlider [role=group] *")]
                .filter(e => getComputedStyle(e).backgroundImage.startsWith("linear-gradient"));
            return [style(".fr-bar span").backgroundColor, style(".fr-bar").backgroundColor,
                    tracks.length];
        }"""
    )
    assert seen[0] != seen[1]
    assert seen[2] == 2  # of both sliders


def test_nothing_moves_for_who_wants_no_motion(visit: Visit, address: str) -> None:
    page = visit(f"{address}/?n=40", reduced_motion="reduce")
    expect(cards(page)).to_have_count(40)
    wait_until_drawn(page)
    cards(page).last.scroll_into_view_if_needed()
    drag_in(page, RED_DRESS)
    wait_for_matches(page)
    moving = page.evaluate(
        """() => document.getAnimations().filter(a => a.playState === "running"
            && a.effect.getComputedTiming().iterations === Infinity).length"""
    )
    assert moving == 0
