"""Nothing of the visitor's is lost: reload, a pause, a restart of the server."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Route, expect

from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from tests.browser.conftest import PATIENCE, serve
from tests.browser.steps import (
    Visit,
    cards,
    drag_in,
    ids,
    wait_for_matches,
    wait_for_other_cards,
    wait_until_drawn,
)
from tests.conftest import DEMO, SAMPLES

RED_DRESS = (SAMPLES / "red-dress.jpg").read_bytes()


def test_a_reload_brings_picture_and_trail_back(visit: Visit, address: str) -> None:
    page = visit(address)
    drag_in(page, RED_DRESS, "mine.jpg")
    wait_for_matches(page)
    first = ids(page)
    cards(page).nth(2).get_by_role("button", name="More like this").click()
    wait_for_other_cards(page, first)
    second = ids(page)
    page.reload()
    expect(page.get_by_role("heading", name="Most like this")).to_be_visible()
    back = page.get_by_role("button", name="Back to: mine.jpg")
    expect(back).to_be_visible()
    wait_until_drawn(page)
    assert ids(page) == second
    back.click()
    wait_for_matches(page)
    page.reload()
    wait_for_matches(page)
    assert ids(page)[:3] == first[:3]
    # For this tab alone: another visitor with the link is told.
    other = visit(page.url)
    expect(other.get_by_text("Links cannot carry your picture. Add it again.")).to_be_visible()


def test_a_visit_goes_on_after_the_server_was_started_anew(
    browser: Browser, demo_fitting_room: FittingRoom, settings: Settings
) -> None:
    options = {"cache": settings.cache, "backbone": settings.backbone}
    with serve(**options) as url:
        page = browser.new_context().new_page()  # whose console will complain meanwhile
        page.set_default_timeout(PATIENCE)
        page.goto(url)
        drag_in(page, RED_DRESS, "mine.jpg")
        wait_for_matches(page)
        first = ids(page)
    with serve(port=int(url.rsplit(":", 1)[1]), **options):
        # The page connects again by itself, and takes pictures again.
        expect(page.locator(".stApp[data-test-connection-state=CONNECTED]")).to_be_visible()
        wait_for_matches(page)
        assert ids(page)[:3] == first[:3]
        drag_in(page, (DEMO / "images" / "10005.webp").read_bytes())
        expect(page).to_have_url(re.compile("picture="))
        expect(cards(page).first).to_have_attribute("data-id", "10005")
        page.context.close()


def test_a_sample_has_a_link_that_works_for_everybody(visit: Visit, address: str) -> None:
    page = visit(f"{address}/?picture=sample-red-dress")
    wait_for_matches(page)
    expect(cards(page).first).to_contain_text("Dress")
    page = visit(f"{address}/?picture=sample-nothing")
    expect(page.get_by_text("Links cannot carry your picture. Add it again.")).to_be_visible()


def test_a_second_picture_while_the_first_is_looked_at_loses_neither(
    visit: Visit, address: str
) -> None:
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    for item in ("10005", "10484"):
        drag_in(page, (DEMO / "images" / f"{item}.webp").read_bytes(), f"{item}.webp")
    expect(page.locator(".fr-query img[alt*='10484']")).to_be_visible()
    expect(page.locator("html[data-fr-looking]")).to_have_count(0)
    wait_until_drawn(page)
    # Both are searched with, or the first is a step back.
    if page.locator(".fr-query img[alt*='10005']").count() == 0:
        page.get_by_role("button", name="← Back").click()
    expect(page.locator(".fr-query img[alt*='10005']")).to_be_visible()
    expect(page.locator(".fr-card[data-id='10005']").first).to_be_visible()


def test_pictures_are_sent_one_after_the_other(visit: Visit, address: str) -> None:
    # Streamlit's uploader now and then forgets one that is handed over while another is on its way.
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/_stcore/upload_file/**", hold)
    for item in ("10005", "10484"):
        drag_in(page, (DEMO / "images" / f"{item}.webp").read_bytes(), f"{item}.webp")
    expect(page.get_by_text("Looking at your pictures …")).to_be_visible()
    page.wait_for_function(
        "() => fittingRoomUpload.sending === 1 && fittingRoomUpload.waiting.length === 1"
    )
    while not held:
        page.wait_for_timeout(50)
    held.pop().continue_()
    expect(page.locator(".fr-query img[alt*='10005']")).to_be_visible()
    page.wait_for_function("() => fittingRoomUpload.sending && !fittingRoomUpload.waiting.length")
    while not held:
        page.wait_for_timeout(50)
    held.pop().continue_()
    expect(page.locator(".fr-query img[alt*='10484']")).to_be_visible()
    expect(page.locator("html[data-fr-looking]")).to_have_count(0)


def test_another_page_while_a_picture_is_looked_at_does_not_lose_it(
    visit: Visit, address: str
) -> None:
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    wait_until_drawn(page)
    drag_in(page, (DEMO / "images" / "10005.webp").read_bytes())
    page.get_by_role("link", name="About", exact=True).click()
    there = page.get_by_role("heading", name="About this catalogue")
    expect(there.or_(page.locator(".fr-query img"))).to_be_visible()
    wait_until_drawn(page)
    page.get_by_role("link", name="Search", exact=True).click()
    wait_for_matches(page)
    expect(cards(page).first).to_have_attribute("data-id", "10005")
