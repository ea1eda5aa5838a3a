"""From one answer to the next: what was there stays until the next is there, and all of it at once;
on a phone and on a desk the results come first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, FloatRect, Page, expect

from tests.browser.steps import (
    Visit,
    cards,
    drag_in,
    ids,
    open_filters,
    wait_for_matches,
    wait_for_other_cards,
    wait_until_drawn,
)
from tests.conftest import DEMO, SAMPLES

RED_DRESS = (SAMPLES / "red-dress.jpg").read_bytes()
#: Notes for every picture that the browser draws what would let a person down.
RECORD = """() => {
    window.seen = new Set();
    window.frames = 0;
    const note = () => {
        window.frames++;
        const all = [...document.querySelectorAll(".fr-card")];
        const boxes = all.map(card => card.getBoundingClientRect());
        if (!all.length) seen.add("no card");
        if (document.querySelectorAll(".st-key-filter button").length !== 1)
            seen.add("not one button to filter");
        if (document.querySelectorAll(".st-key-fr-results h2").length !== 1)
            seen.add("not one heading");
        if (boxes.some(box => box.width < 110)) seen.add("squeezed cards");
        if (all.some(card => card.closest(".st-key-fr-query-side"))) seen.add("cards in the query");
        window.frame = requestAnimationFrame(note);
    };
    note();
}"""


@contextmanager
def recorded(page: Page, what: str) -> Iterator[None]:
    page.evaluate(RECORD)
    yield
    seen = page.evaluate("() => { cancelAnimationFrame(window.frame); return [...window.seen]; }")
    assert page.evaluate("window.frames") > 3
    assert seen == [], what


@pytest.mark.parametrize("width", [1280, 390])
def test_an_answer_is_replaced_at_once(visit: Visit, address: str, width: int) -> None:
    page = visit(address, width=width)
    expect(cards(page)).to_have_count(12)
    # A browser that is here for the first time fetches the script of each kind of element.
    expect(page.get_by_role("button", name="Filter")).to_be_visible()
    wait_until_drawn(page)
    with recorded(page, "a picture"):
        before = ids(page)
        drag_in(page, RED_DRESS)
        wait_for_other_cards(page, before)
        wait_for_matches(page)
    with recorded(page, "more like this"):
        before = ids(page)
        cards(page).nth(1).get_by_role("button", name="More like this").click()
        wait_for_other_cards(page, before)
    with recorded(page, "filters"):
        open_filters(page)
        page.get_by_role("button", name="Close", exact=True).click()
        expect(page.locator(".st-key-fr-filters")).not_to_be_visible()
        wait_until_drawn(page)
    with recorded(page, "a part"):
        before = ids(page)
        page.get_by_role("button", name="Crop").click()
        corner = page.get_by_role("button", name="Lower right corner")
        for _ in range(8):
            corner.press("Shift+ArrowUp")
        page.get_by_role("button", name="Search with this part").click()
        wait_for_other_cards(page, before)


def test_a_sign_comes_while_a_picture_is_looked_at(visit: Visit, address: str) -> None:
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    page.locator(".fr-upload-status").wait_for(state="attached")
    page.evaluate(
        """() => {
            window.signs = [];
            const status = document.querySelector(".fr-upload-status");
            new MutationObserver(() => window.signs.push(status.textContent))
                .observe(status, { childList: true });
        }"""
    )
    drag_in(page, RED_DRESS)
    # It is said before the server knows of it, and is gone with the answer.
    page.wait_for_function("() => window.signs.some(s => s.startsWith('Looking at your picture'))")
    wait_for_matches(page)
    expect(page.locator(".fr-upload-status")).to_have_text("")


def test_on_a_phone_results_are_in_view(visit: Visit, address: str) -> None:
    page = visit(address, width=390, height=844, is_mobile=True, has_touch=True)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    cards(page).nth(6).scroll_into_view_if_needed()
    drag_in(page, RED_DRESS)
    wait_for_matches(page)
    page.wait_for_function(
        """() => {
            const box = document.querySelector(".fr-picture").getBoundingClientRect();
            return box.top >= 0 && box.bottom <= window.innerHeight;
        }"""
    )
    picture = page.locator(".fr-query img").bounding_box()
    assert picture and picture["height"] <= 110


def test_on_a_desk_results_come_first(visit: Visit, address: str) -> None:
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    # The best place of the opening page is the one to give a picture at.
    place, samples = box(page, ".fr-upload.fr-first"), box(page, ".st-key-fr-else")
    assert place["width"] > samples["width"]
    assert place["y"] + place["height"] <= box(page, ".fr-card")["y"]
    assert place["y"] + place["height"] <= 900
    expect(page.get_by_role("slider", name="How many")).to_be_visible()
    drag_in(page, RED_DRESS)
    wait_for_matches(page)
    # Below the heading there is one row of options, and then the first row of results, in view.
    row = [box(page, f".st-key-{key}") for key in ("n", "colour", "filter", "fr-more")]
    top, bottom = min(b["y"] for b in row), max(b["y"] + b["height"] for b in row)
    heading, picture = box(page, ".st-key-fr-results h2"), box(page, ".fr-picture")
    assert heading["y"] + heading["height"] <= top
    assert all(b["y"] < bottom and b["y"] + b["height"] > top for b in row)
    assert bottom - top < 1.5 * max(b["height"] for b in row)
    assert bottom <= picture["y"]
    assert picture["y"] + picture["height"] <= 900


def box(page: Page, selector: str) -> FloatRect:
    found = page.locator(selector).first.bounding_box()
    assert found, selector
    return found


@pytest.mark.parametrize(("width", "height"), [(390, 844), (320, 844)])
def test_on_a_phone_the_catalogue_is_at_hand_beside_a_query(
    visit: Visit, address: str, width: int, height: int
) -> None:
    page = visit(address, width=width, height=height, is_mobile=True, has_touch=True)
    expect(cards(page)).to_have_count(12)
    drag_in(page, RED_DRESS)
    wait_for_matches(page)
    browse = page.get_by_role("button", name="Browse")
    expect(browse).to_be_in_viewport()
    # It takes no room of the results, and none of the other buttons'.
    box = browse.bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
    for name in ("Change picture", "Camera", "Crop", "Clear"):
        other = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert other
        beside = other["x"] + other["width"] <= box["x"] or box["x"] + box["width"] <= other["x"]
        assert beside or other["y"] + other["height"] <= box["y"], name
    page.wait_for_function(
        """() => document.querySelector(".fr-picture").getBoundingClientRect().bottom
            <= window.innerHeight"""
    )
    first = ids(page)
    browse.tap()
    expect(page.get_by_role("searchbox", name="Find an item")).to_be_visible()
    wait_until_drawn(page)
    page.get_by_role("button", name="Back to the search").tap()
    wait_for_matches(page)
    assert ids(page) == first


def test_on_a_desk_the_query_stays_in_view(visit: Visit, address: str) -> None:
    page = visit(f"{address}/?n=40", height=760)
    expect(cards(page)).to_have_count(40)
    drag_in(page, RED_DRESS)
    wait_for_matches(page)
    cards(page).last.scroll_into_view_if_needed()
    expect(page.get_by_role("heading", name="Most like your picture")).not_to_be_in_viewport()
    expect(page.locator(".fr-query img")).to_be_in_viewport()


def test_the_page_says_that_it_takes_a_drop(visit: Visit, address: str) -> None:
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    overlay = page.locator(".fr-drop-overlay")
    event = """type => {
        const transfer = new DataTransfer();
        transfer.items.add(new File(["x"], "a.png", { type: "image/png" }));
        const init = { bubbles: true, cancelable: true, dataTransfer: transfer };
        document.querySelector(".fr-card").dispatchEvent(new DragEvent(type, init));
    }"""
    page.wait_for_function("() => window.fittingRoomUpload?.listening")
    page.evaluate(event, "dragenter")
    expect(overlay).to_be_visible()
    expect(overlay).to_have_text("Drop it anywhere")
    page.evaluate(event, "dragleave")
    expect(overlay).not_to_be_visible()


def test_a_picture_dropped_on_the_map_is_searched_with(visit: Visit, address: str) -> None:
    page = visit(f"{address}/map")
    expect(page.locator(".fr-map[data-view]")).to_be_visible()
    wait_until_drawn(page)
    drag_in(page, (DEMO / "images" / "10005.webp").read_bytes())
    wait_for_matches(page)
    expect(cards(page).first).to_have_attribute("data-id", "10005")


def test_the_pages_name_stands_there_before_a_script_has_come(browser: Browser, address: str):
    page = browser.new_page()
    page.route("**/*.js", lambda route: route.abort())
    page.goto(address)
    expect(page.get_by_role("heading", name="Fitting Room")).to_be_visible()
    expect(page.get_by_text("Opening")).to_be_visible()
    page.unroute("**/*.js")
    page.reload()
    expect(cards(page)).to_have_count(12)
    expect(page.get_by_role("heading", name="Fitting Room")).to_have_count(1)
    page.close()
