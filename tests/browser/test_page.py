"""What only a browser shows: dragging, the webcam, the keyboard, the phone."""

from __future__ import annotations

import base64
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import WEBCAM_ITEM, serve
from tests.conftest import DEMO, SAMPLES

Visit = Callable[..., Page]


def cards(page: Page):
    return page.locator(".fr-card")


def ids(page: Page) -> list[str]:
    return cards(page).evaluate_all("cards => cards.map(card => card.dataset.id)")


def wait_for_answer(page: Page) -> None:
    expect(page.get_by_role("heading", name="Most like your picture")).to_be_visible()
    expect(page.locator(".fr-query img")).to_be_visible()
    wait_until_drawn(page)


def wait_until_drawn(page: Page) -> None:
    """Until the server has sent the whole of its answer; before, some cards are still old."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def drag_in(page: Page, data: bytes, name: str = "picture.jpg", kind: str = "image/jpeg") -> None:
    """Drop a file on the page's drop zone, as the browser tells a page about it."""
    files = page.evaluate_handle(
        """([data, name, kind]) => {
            const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, {type: kind}));
            return transfer;
        }""",
        [base64.b64encode(data).decode(), name, kind],
    )
    zone = page.get_by_test_id("stFileUploaderDropzone")
    for event in ("dragenter", "dragover", "drop"):
        zone.dispatch_event(event, {"dataTransfer": files})


def lying(picture: Path) -> bytes:
    """The picture as a phone saves it: on its side, with a note to turn it."""
    buffer = BytesIO()
    with Image.open(picture) as upright:
        exif = Image.Exif()
        exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
        upright.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


def test_a_picture_dragged_in_finds_itself_first(visit: Visit, address: str):
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    drag_in(page, (DEMO / "images" / "10005.jpg").read_bytes())
    wait_for_answer(page)
    expect(cards(page)).to_have_count(12)
    expect(cards(page).first).to_have_attribute("data-id", "10005")
    expect(cards(page).first).to_contain_text("1.00")


def test_the_file_dialog_takes_a_phone_picture_upright(visit: Visit, address: str):
    page = visit(address)
    with page.expect_file_chooser() as dialog:
        page.get_by_test_id("stFileUploaderDropzone").get_by_role("button").last.click()
    picture = {"name": "IMG_1.jpg", "mimeType": "image/jpeg"}
    dialog.value.set_files({**picture, "buffer": lying(DEMO / "images" / "10724.jpg")})
    wait_for_answer(page)
    expect(cards(page).first).to_have_attribute("data-id", "10724")
    size = page.locator(".fr-query img").evaluate("i => [i.naturalWidth, i.naturalHeight]")
    assert size == [96, 128]


def test_the_webcam_finds_what_is_held_before_it(visit: Visit, address: str):
    page = visit(address)
    page.get_by_text("Webcam").click()
    page.get_by_role("button", name="Take photo").click()
    wait_for_answer(page)
    expect(cards(page).first).to_have_attribute("data-id", WEBCAM_ITEM)
    # And the camera is ready for the next one.
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("heading", name="A glance at the catalogue")).to_be_visible()
    page.get_by_role("button", name="Take photo").click()
    wait_for_answer(page)
    expect(cards(page).first).to_have_attribute("data-id", WEBCAM_ITEM)


def test_the_slider_moves_by_keyboard_and_sets_the_count(visit: Visit, address: str):
    page = visit(address)
    drag_in(page, (SAMPLES / "red-dress.jpg").read_bytes())
    wait_for_answer(page)
    expect(cards(page).first).to_contain_text("Red Dress")
    before = ids(page)
    slider = page.get_by_role("slider")
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    expect(cards(page)).to_have_count(15)
    wait_until_drawn(page)
    assert ids(page)[:12] == before
    slider.press("Home")
    expect(cards(page)).to_have_count(1)
    wait_until_drawn(page)
    assert ids(page) == before[:1]
    slider.press("End")
    expect(cards(page)).to_have_count(60)


def test_a_sample_is_one_click_away_and_one_key_too(visit: Visit, address: str):
    page = visit(address)
    page.get_by_role("button", name="Try: Brown handbag").click()
    wait_for_answer(page)
    expect(cards(page).first).to_contain_text("Handbag")
    page.get_by_text("Try a sample picture").click()
    page.get_by_role("button", name="Try: Red dress").press("Enter")
    expect(cards(page).first).to_contain_text("Dress")


def test_cards_of_a_row_are_equally_high_and_pictures_not_stretched(visit: Visit, address: str):
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    boxes = cards(page).evaluate_all(
        "cards => cards.map(c => [Math.round(c.getBoundingClientRect().top),"
        " Math.round(c.getBoundingClientRect().height)])"
    )
    rows: dict[int, set[int]] = {}
    for top, height in boxes:
        rows.setdefault(top, set()).add(height)
    assert all(len(heights) == 1 for heights in rows.values())
    fits = page.locator(".fr-card img").evaluate_all(
        "i => i.map(x => getComputedStyle(x).objectFit)"
    )
    assert set(fits) == {"contain"}


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_needs_no_sideways_scrolling(visit: Visit, address: str, width: int):
    page = visit(address, width=width, height=844, is_mobile=True, has_touch=True)
    expect(cards(page)).to_have_count(12)
    drag_in(page, (SAMPLES / "red-dress.jpg").read_bytes())
    wait_for_answer(page)
    wide = page.evaluate(
        "() => [...document.querySelectorAll('.stMain, .stMain *')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1"
        "   && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)).length"
    )
    assert wide == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    lefts = cards(page).evaluate_all(
        "cards => new Set(cards.map(c => Math.round(c.getBoundingClientRect().left))).size"
    )
    assert lefts >= 2  # a gallery, not a list


@pytest.mark.parametrize(
    ("data", "name", "kind", "sentence"),
    [
        (b"no picture", "photo.jpg", "image/jpeg", "not a picture in a format that can be read"),
        (b"a,b\n1,2\n", "table.csv", "text/csv", "not allowed"),
    ],
)
def test_what_is_refused_is_said(
    visit: Visit, address: str, data: bytes, name: str, kind: str, sentence: str
):
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    drag_in(page, data, name, kind)
    expect(page.get_by_text(sentence).first).to_be_visible()
    expect(page.get_by_role("heading", name="A glance at the catalogue")).to_be_visible()


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(
    visit: Visit, address: str, tmp_path: Path
):
    huge = tmp_path / "huge.jpg"
    with huge.open("wb") as file:
        file.truncate(33 * 2**20)
    page = visit(address)
    expect(cards(page)).to_have_count(12)
    page.locator("input[type=file]").set_input_files(huge)
    expect(page.get_by_text("must be 32").first).to_be_visible()


def test_the_first_start_shows_progress_and_then_the_gallery(
    visit: Visit, tmp_path: Path, address: str
):
    with serve(cache=tmp_path, backbone="efficientnet_lite0") as url:
        page = visit(url)
        expect(page.get_by_text("Looking at pictures")).to_be_visible()
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(page.get_by_text("left")).to_be_visible()
        expect(cards(page)).to_have_count(12)
        expect(page.get_by_role("progressbar")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_readable_in_light_and_dark(visit: Visit, address: str, scheme: str):
    page = visit(address, color_scheme=scheme)
    expect(cards(page)).to_have_count(12)
    text, ground = page.evaluate(
        "() => [getComputedStyle(document.querySelector('.fr-name')).color,"
        " getComputedStyle(document.querySelector('.stApp')).backgroundColor]"
    )
    assert contrast(text, ground) >= 7


def contrast(first: str, second: str) -> float:
    """Contrast of two CSS `rgb()` colours as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        values = [int(v) / 255 for v in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
