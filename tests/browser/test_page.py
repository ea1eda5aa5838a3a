"""What only a browser shows: dragging, the webcam, the keyboard, the phone."""

from __future__ import annotations

import re
import shutil
from io import BytesIO
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from fitting_room.settings import Settings
from tests.browser.conftest import PATIENCE, WEBCAM_ITEM, serve
from tests.browser.steps import (
    Visit,
    cards,
    choose,
    drag_in,
    ids,
    open_options,
    take_photo,
    wait_for_matches,
    wait_for_other_cards,
    wait_until_drawn,
)
from tests.conftest import DEMO, SAMPLES

Box = dict[str, float]
#: The page, whose catalogue is embedded to a half and no further until it is told to.
HELD = """
import threading

import streamlit as st
from starlette.responses import Response
from starlette.routing import Route

from fitting_room.embedding.embedder import Embedder
from fitting_room.ui import page
from fitting_room.ui.serving import server

if server.is_drawing():
    page.draw()
else:
    told, stream = threading.Event(), Embedder.stream

    def held(*arguments, **options):
        for place, one in enumerate(stream(*arguments, **options)):
            if place == 300:
                told.wait()
            yield one

    async def go_on(_):
        told.set()
        return Response()

    Embedder.stream = held
    server.configure()
    app = st.App(
        __file__,
        routes=[Route("/go-on", go_on)],
        middleware=server.middleware(),
        lifespan=page.lifespan,
    )
"""


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
    drag_in(page, (DEMO / "images" / "10005.webp").read_bytes())
    wait_for_matches(page)
    expect(cards(page)).to_have_count(12)
    expect(cards(page).first).to_have_attribute("data-id", "10005")
    expect(cards(page).first).to_contain_text("The same picture")


def test_the_file_dialog_takes_a_phone_picture_upright(visit: Visit, address: str):
    page = visit(address)
    picture = lying(DEMO / "images" / "10724.webp")
    choose(page, {"name": "IMG_1.jpg", "mimeType": "image/jpeg", "buffer": picture})
    wait_for_matches(page)
    expect(cards(page).first).to_have_attribute("data-id", "10724")
    size = page.locator(".fr-query img").evaluate("i => [i.naturalWidth, i.naturalHeight]")
    assert size == [300, 400]


def test_the_webcam_finds_what_is_held_before_it(visit: Visit, address: str):
    page = visit(address)
    count_tracks(page)
    take_photo(page)
    # With the shot the picture stands still and the camera is off.
    expect(page.locator("video")).to_have_count(0)
    assert page.evaluate("window.tracks.map(track => track.readyState)") == ["ended"]
    wait_for_matches(page)
    expect(cards(page).first).to_have_attribute("data-id", WEBCAM_ITEM)
    expect(page.locator(".fr-upload-camera canvas")).to_have_count(0)
    assert page.evaluate("window.tracks.length") == 1  # it was not asked for again
    # And the camera is there for the next one.
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("heading", name="A glance at the catalogue")).to_be_visible()
    take_photo(page)
    wait_for_matches(page)
    expect(cards(page).first).to_have_attribute("data-id", WEBCAM_ITEM)


def count_tracks(page: Page) -> None:
    """Have the page note each camera that it opens."""
    page.evaluate(
        """() => {
            window.tracks = [];
            const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (asked) => {
                const stream = await open(asked);
                window.tracks.push(...stream.getTracks());
                return stream;
            };
        }"""
    )


def test_the_slider_moves_by_keyboard_and_sets_the_count(visit: Visit, address: str):
    page = visit(address)
    drag_in(page, (SAMPLES / "red-dress.jpg").read_bytes())
    wait_for_matches(page)
    expect(cards(page).first).to_contain_text(re.compile("Red .*Dress"))
    before = ids(page)
    slider = page.get_by_role("slider", name="How many")
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


def test_from_shape_to_colour_by_keyboard(visit: Visit, address: str):
    page = visit(address)
    drag_in(page, (SAMPLES / "red-dress.jpg").read_bytes())
    wait_for_matches(page)
    usual = ids(page)
    slider = page.get_by_role("slider", name="Shape or colour")
    for word in ("shape", "colour"):
        expect(page.locator(".st-key-colour").get_by_text(word, exact=True)).to_be_visible()
    slider.focus()
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "shape")
    wait_for_other_cards(page, usual)
    by_shape = ids(page)
    expect(cards(page).first).to_contain_text("Dress")
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "colour")
    wait_for_other_cards(page, by_shape)
    assert all(" Red " in name for name in cards(page).locator(".fr-name").all_inner_texts())
    # The picture is still there, and so is the heading.
    expect(page.locator(".fr-query img")).to_be_visible()
    expect(page.get_by_role("heading", name="Most like your picture")).to_be_visible()


def test_the_head_is_switched_off_and_on(visit: Visit, headed_address: str):
    page = visit(headed_address)
    drag_in(page, (SAMPLES / "red-dress.jpg").read_bytes())
    wait_for_matches(page)
    trained = ids(page)
    open_options(page)
    switch = page.get_by_role("switch", name="Knows fashion")
    expect(switch).to_be_checked()
    switch.press("Space")
    expect(switch).not_to_be_checked()
    wait_for_other_cards(page, trained)
    untrained = ids(page)
    switch.focus()
    switch.press("Space")
    expect(switch).to_be_checked()
    wait_for_other_cards(page, untrained)
    assert ids(page) == trained
    expect(page.locator(".fr-query img")).to_be_visible()


def test_a_control_runs_the_gallery_alone(visit: Visit, address: str):
    page = visit(address)
    drag_in(page, (SAMPLES / "red-dress.jpg").read_bytes())
    wait_for_matches(page)
    page.evaluate(
        """() => {
            window.sent = [];
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (data) {
                new Response(data).arrayBuffer()
                    .then(bytes => window.sent.push([...new Uint8Array(bytes)]));
                return send.call(this, data);
            };
        }"""
    )
    before = ids(page)
    page.get_by_role("slider", name="Shape or colour").press("End")
    wait_for_other_cards(page, before)
    open_options(page)
    page.get_by_role("switch", name="Group look-alikes").press("Space")
    expect(page.get_by_role("switch", name="Group look-alikes")).not_to_be_checked()
    wait_until_drawn(page)
    page.wait_for_function("window.sent.length >= 2")  # noted by a promise each
    messages = [BackMsg.FromString(bytes(message)) for message in page.evaluate("window.sent")]
    reruns = [message.rerun_script for message in messages if message.HasField("rerun_script")]
    assert len(reruns) >= 2
    assert all(rerun.fragment_id for rerun in reruns)


def test_a_sample_is_one_click_away_and_one_key_too(visit: Visit, address: str):
    page = visit(address)
    page.get_by_role("button", name="Try: Brown handbag").click()
    wait_for_matches(page)
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
def test_a_phone_needs_no_sideways_scrolling(visit: Visit, headed_address: str, width: int):
    page = visit(headed_address, width=width, height=844, is_mobile=True, has_touch=True)
    expect(cards(page)).to_have_count(12)
    drag_in(page, (SAMPLES / "red-dress.jpg").read_bytes())
    wait_for_matches(page)
    wide = page.evaluate(
        "() => [...document.querySelectorAll('.stMain, .stMain *')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1"
        "   && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)).length"
    )
    assert wide == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    open_options(page)
    for key in ("n", "colour", "trained", "fold"):
        box = page.locator(f".st-key-{key}").bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width
    lefts = cards(page).evaluate_all(
        "cards => new Set(cards.map(c => Math.round(c.getBoundingClientRect().left))).size"
    )
    assert lefts >= 2  # a gallery, not a list


@pytest.mark.parametrize(
    ("data", "name", "kind", "sentence"),
    [
        (b"no picture", "photo.jpg", "image/jpeg", "not a picture in a format that can be read"),
        (b"a,b\n1,2\n", "table.csv", "text/csv", "table.csv is not a picture that can be"),
        (b"", "empty.png", "image/png", "empty.png is empty"),
    ],
)
def test_a_refusal_is_shown(
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
    choose(page, huge, DEMO / "images" / "10005.webp")
    # It is named beside the one that was taken, and gone with the next attempt.
    wait_for_matches(page)
    expect(cards(page).first).to_have_attribute("data-id", "10005")
    refused = page.get_by_text("huge.jpg has 33 MB; at most 32 MB can be sent.")
    expect(refused).to_be_visible()
    choose(page, DEMO / "images" / "10300.webp")
    expect(cards(page).first).to_have_attribute("data-id", "10300")
    expect(refused).to_have_count(0)
    # What is refused later takes nothing away.
    drag_in(page, b"no picture", "next.jpg")
    expect(page.get_by_text("next.jpg: This is not a picture")).to_be_visible()
    wait_for_matches(page)
    expect(cards(page).first).to_have_attribute("data-id", "10300")


def test_the_first_start_shows_the_catalogue_and_then_turns_into_the_page(
    visit: Visit, tmp_path: Path, settings: Settings
):
    table = (DEMO / "styles.csv").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "styles.csv").write_text("".join(table[:601]), "utf-8")
    shutil.copytree(DEMO / "images", tmp_path / "images")
    environment = {"catalogue": tmp_path, "index": tmp_path / "index", "cache": settings.cache}
    script = tmp_path / "held.py"
    script.write_text(HELD, "utf-8")
    with serve(script, **environment, backbone=settings.backbone) as url:
        page = visit(url)
        bar = page.get_by_test_id("stProgress")
        expect(bar.filter(has_text=re.compile("Getting ready"))).to_be_visible()
        expect(cards(page)).to_have_count(12)
        expect(page.get_by_role("heading", name="The catalogue", exact=True)).to_be_visible()
        expect(bar.filter(has_text="of 600")).to_be_visible()
        expect(page.get_by_role("button", name="Choose pictures")).to_be_visible()
        first = ids(page)
        page.get_by_label("Next page").click()
        expect(cards(page).first).not_to_have_attribute("data-id", first[0])
        before = ids(page)
        with urlopen(f"{url}/go-on"):
            pass
        expect(page.get_by_role("progressbar")).to_have_count(0, timeout=4 * PATIENCE)
        wait_until_drawn(page)
        assert ids(page) == before
        assert "page=2" in page.url
        page.close()  # before its server goes


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_readable_in_light_and_dark(visit: Visit, headed_address: str, scheme: str):
    page = visit(headed_address, color_scheme=scheme)
    drag_in(page, (SAMPLES / "red-dress.jpg").read_bytes())
    wait_for_matches(page)
    ground = colour_of(page, ".stApp", "backgroundColor")
    for text in (".fr-name", ".fr-similarity", ".st-key-colour label", ".fr-upload-main"):
        assert contrast(colour_of(page, text, "color"), ground) >= 7
    assert contrast(colour_of(page, ".fr-bar span", "backgroundColor"), ground) >= 3


@pytest.mark.parametrize("width", [1280, 390])
def test_controls_do_not_overlap(visit: Visit, headed_address: str, width: int):
    page = visit(headed_address, width=width)
    drag_in(page, (SAMPLES / "red-dress.jpg").read_bytes())
    wait_for_matches(page)
    parts = [".st-key-n [role=group]", ".st-key-colour [role=group]"]
    parts += [f".st-key-{key} label" for key in ("n", "colour")]
    parts += [".st-key-fr-results h2", ".stPopover button", ".fr-card >> nth=0"]
    parts += [f".st-key-{key} [data-testid=stSliderTickBar]" for key in ("n", "colour")]
    boxes = [page.locator(part).first.bounding_box() for part in parts]
    for one, first in zip(parts, boxes, strict=True):
        for other, second in zip(parts, boxes, strict=True):
            same = one.split()[0] == other.split()[0]
            assert first and second
            assert same or not overlap(first, second), (one, other)


def overlap(first: Box, second: Box) -> bool:
    return all(
        first[start] < second[start] + second[size] and second[start] < first[start] + first[size]
        for start, size in (("x", "width"), ("y", "height"))
    )


def colour_of(page: Page, selector: str, of: str) -> str:
    return str(page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{of}"))


def contrast(first: str, second: str) -> float:
    """Contrast of two CSS `rgb()` colours as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        values = [int(v) / 255 for v in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
