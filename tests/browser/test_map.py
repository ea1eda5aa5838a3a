"""The map, the explanation of a match and the files to save, in a browser."""

from __future__ import annotations

import csv
import io
import re

from PIL import Image
from playwright.sync_api import Page, expect

from fitting_room.facade import FittingRoom
from tests.browser.steps import (
    Visit,
    cards,
    download,
    drag_in,
    ids,
    in_view,
    open_map,
    turn_wheel,
    wait_for_matches,
    wait_until_drawn,
    where,
)
from tests.browser.test_accessibility import SCREENS, check
from tests.conftest import DEMO, DEMO_ITEMS, SAMPLES

RED_DRESS = (SAMPLES / "red-dress.jpg").read_bytes()
ITEM = "10724"


def wait_for_view(page: Page, condition: str) -> None:
    page.wait_for_function(
        f"() => {{ const map = document.querySelector('.fr-map'); return {condition}; }}"
    )


@SCREENS
def test_map_and_explanation_have_no_violation(
    visit: Visit, headed_address: str, width: int, scheme: str
):
    page = visit(f"{headed_address}/?item={ITEM}&n=4", width=width, color_scheme=scheme)
    expect(cards(page)).to_have_count(4)
    cards(page).first.get_by_role("button", name="Why?").click()
    expect(page.locator(".fr-why img")).to_have_count(2)
    check(page, "why")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    open_map(page)
    check(page, "map")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="About", exact=True).click()
    expect(page.get_by_role("heading", name="About this catalogue")).to_be_visible()
    check(page, "about")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_map_is_zoomed_pointed_at_and_clicked(
    visit: Visit, address: str, demo_fitting_room: FittingRoom
):
    page = visit(f"{address}/?item={ITEM}&n=4", height=1400)  # the map as a whole is in view
    expect(cards(page)).to_have_count(4)
    wait_until_drawn(page)
    open_map(page)
    assert in_view(page) == DEMO_ITEMS
    row = 500
    item = str(demo_fitting_room.index.items["id"].iloc[row])
    match = demo_fitting_room.item(item)
    assert match is not None
    canvas = page.locator(".fr-map canvas")
    turn_wheel(page, row, -1500)
    # Close up there are pictures instead of points; one that is pointed at says its name.
    wait_for_view(page, "map.dataset.view === 'pictures'")
    assert in_view(page) < 60
    canvas.hover(position=where(page, row))
    expect(page.locator(".fr-map-tip")).to_contain_text(match.name)
    expect(page.locator(".fr-map-tip img")).to_be_visible()
    canvas.click(position=where(page, row))
    expect(page).to_have_url(re.compile(rf"\?item={item}\b"))
    expect(page.get_by_role("heading", name="Most like this")).to_be_visible()
    expect(page.locator(".fr-query img")).to_have_attribute("alt", f"Chosen item: {match.name}")


def test_the_map_is_used_with_the_keyboard(visit: Visit, address: str):
    page = visit(f"{address}/map")
    expect(page.locator(".fr-map[data-view]")).to_be_visible()
    wait_until_drawn(page)
    canvas = page.locator(".fr-map canvas")
    canvas.focus()
    for _ in range(3):
        page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    wait_for_view(page, f"map.dataset.inView < {DEMO_ITEMS}")
    expect(page.locator(".fr-map-live")).not_to_be_empty()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?item=\d+"))
    expect(page.get_by_role("heading", name="Most like this")).to_be_visible()


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the map, in parts of its width and height."""
    box = page.locator(".fr-map canvas").bounding_box()
    assert box is not None
    corners = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*corners[0])
    page.mouse.down()
    page.mouse.move(*corners[1], steps=3)
    page.mouse.up()


def test_a_part_is_chosen_with_a_rectangle_and_listed_below(visit: Visit, address: str):
    page = visit(f"{address}/map", height=1100)
    expect(page.locator(".fr-map[data-view]")).to_be_visible()
    wait_until_drawn(page)
    page.get_by_role("button", name="Choose a part").click()
    drag(page, (0.3, 0.1), (0.5, 0.6))
    title = page.get_by_role("heading", name="in this part of the map")
    expect(title).to_be_focused()
    expect(page.locator(".st-key-fr-map-part .fr-card")).to_have_count(24)
    expect(page).to_have_url(re.compile(r"/map\?part=\d+"))
    count = title.inner_text()
    # The map has its rectangle, and a link leads to the same part.
    wait_for_view(page, "map.frMap.chooser.part !== null && !map.frMap.chooser.choosing")
    other = visit(page.url)
    expect(other.get_by_role("heading", name=count)).to_be_visible()
    expect(other.locator(".fr-map[data-view]")).to_be_visible()
    wait_for_view(other, "map.frMap.chooser.part !== null")
    page.go_back()
    expect(title).to_have_count(0)
    wait_for_view(page, "map.frMap.chooser.part === null")


def test_back_leaves_an_item_of_a_part_for_the_part(visit: Visit, address: str):
    page = visit(f"{address}/map?part=10000,10000,50000,50000")
    listed = page.locator(".st-key-fr-map-part .fr-card")
    expect(listed).to_have_count(24)
    wait_until_drawn(page)
    url, panel = page.url, page.get_by_role("dialog")
    for leave in (page.go_back, lambda: page.keyboard.press("Escape")):
        listed.first.get_by_role("link", name="Look closer: ").click()
        expect(panel.locator("dl")).to_be_visible()
        wait_until_drawn(page)
        leave()
        expect(panel).to_have_count(0)
        wait_until_drawn(page)
        assert page.url == url
        expect(listed).to_have_count(24)


def test_what_is_in_view_is_listed_without_a_mouse(visit: Visit, address: str):
    page = visit(f"{address}/map", width=390, height=844, reduced_motion="reduce")
    expect(page.locator(".fr-map[data-view]")).to_be_visible()
    wait_until_drawn(page)
    page.locator(".fr-map canvas").focus()
    page.keyboard.press("n")
    expect(page.locator(".fr-map-live")).to_contain_text("items")
    wait_for_view(page, f"map.dataset.inView < {DEMO_ITEMS}")
    expect(page.locator(".fr-map-words")).to_have_text(
        re.compile(rf"^In view: {in_view(page)} items: \d+ \w+")
    )
    page.get_by_role("button", name="Show what is in view in the gallery").press("Enter")
    title = page.get_by_role("heading", name=f"{in_view(page)} items in this part of the map")
    expect(title).to_be_focused()
    check(page, "part of the map")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_names_and_sample_pictures_are_there_from_the_start(visit: Visit, address: str):
    page = visit(f"{address}/map?by=articleType", width=1280, forced_colors="active")
    expect(page.locator(".fr-map[data-view=points]")).to_be_visible()
    wait_until_drawn(page)
    shown = "[...map.frMap.places.names, ...map.frMap.places.samples]"
    loaded = "(place) => map.frMap.previews.get(place.row)?.image?.complete"
    pictured = f"{shown}.filter((place) => place.picture)"
    wait_for_view(page, f"{shown}.length > 8 && {pictured}.every({loaded})")
    # Nine kinds with colours, and the others behind a button.
    legend = page.locator(".fr-map-legend")
    expect(legend.locator("button:visible")).to_have_count(10)
    legend.get_by_role("button", name="23 more").click()
    expect(legend.locator("button:visible")).to_have_count(33)
    belts = legend.get_by_role("button", name="Belts")
    belts.click()
    expect(belts).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".fr-map-words")).to_have_text("In view: 10 items: 10 Belts")
    belts.click()
    # A name leads to its cluster.
    at = page.evaluate(
        """async () => {
            const { places } = document.querySelector(".fr-map").frMap;
            let last = "", still = 0;
            while (still < 10) {
                await new Promise(requestAnimationFrame);
                const now = JSON.stringify(places.names[0].text);
                still = now === last ? still + 1 : 0;
                last = now;
            }
            const { name, text } = places.names[0];
            return {name: name.text, x: (text[0] + text[2]) / 2, y: (text[1] + text[3]) / 2};
        }"""
    )
    page.locator(".fr-map canvas").click(position={"x": at["x"], "y": at["y"]})
    wait_for_view(page, f"map.dataset.inView < {DEMO_ITEMS}")
    expect(page.locator(".fr-map-words")).to_contain_text(at["name"])


def test_kinds_are_shown_by_themselves(visit: Visit, address: str):
    page = visit(f"{address}/map")
    expect(page.locator(".fr-map[data-view]")).to_be_visible()
    wait_until_drawn(page)
    first = page.locator(".fr-map-legend button").first
    first.click()
    expect(first).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Zoom in").click()
    wait_for_view(page, f"map.dataset.inView < {DEMO_ITEMS}")
    page.get_by_role("button", name="Show the whole map").click()
    wait_for_view(page, f"map.dataset.inView === '{DEMO_ITEMS}'")
    first.click()
    expect(first).to_have_attribute("aria-pressed", "false")


def test_matches_are_saved(visit: Visit, address: str):
    page = visit(address)
    drag_in(page, RED_DRESS)
    wait_for_matches(page)
    rows = list(csv.DictReader(io.StringIO(download(page, "Matches as csv").decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == ids(page)
    with Image.open(io.BytesIO(download(page, "Contact sheet"))) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 1_000
    card = cards(page).nth(2)
    item = card.get_attribute("data-id")
    card.get_by_role("button", name="More:").click()
    page.get_by_role("button", name="Save or share").locator("visible=true").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"?item={item}")
    expect(page.get_by_role("dialog")).to_contain_text(address)
    expect(page.locator(".fr-pending")).to_have_count(0)
    assert download(page, "Save the picture") == (DEMO / "images" / f"{item}.webp").read_bytes()
