"""What the browser tests do again and again."""

from __future__ import annotations

import base64
import csv
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FilePayload, Locator, Page, Position, expect

from tests.conftest import DEMO, DEMO_ITEMS

Visit = Callable[..., Page]


def how_many(**values: str) -> int:
    """How many items of the demo catalogue have these values."""
    with (DEMO / "styles.csv").open(encoding="utf-8", newline="") as file:
        return sum(values.items() <= row.items() for row in csv.DictReader(file))


def so_many(**values: str) -> str:
    """How the page says how many items filters leave."""
    return f"{how_many(**values)} of {DEMO_ITEMS} items"


def cards(page: Page) -> Locator:
    return page.locator(".fr-card")


def ids(page: Page) -> list[str]:
    return cards(page).evaluate_all("cards => cards.map(card => card.dataset.id)")


def wait_for_matches(page: Page) -> None:
    expect(page.get_by_role("heading", name="Most like your picture")).to_be_visible()
    expect(page.locator(".fr-query img")).to_be_visible()
    expect(page.locator("html[data-fr-looking]")).to_have_count(0)
    wait_until_drawn(page)


def wait_until_drawn(page: Page) -> None:
    """Until the server has sent all of the page; before, some cards are still old."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def wait_for_other_cards(page: Page, before: list[str]) -> None:
    """Until the gallery shows something else than ``before``, and all of it."""
    page.wait_for_function(
        "before => before !=="
        " [...document.querySelectorAll('.fr-card')].map(card => card.dataset.id).join()",
        arg=",".join(before),
    )
    wait_until_drawn(page)


def drag_in(page: Page, data: bytes, name: str = "picture.jpg", kind: str = "image/jpeg") -> None:
    """Drop a file somewhere on the page, with the events that a browser sends."""
    page.wait_for_function("() => window.fittingRoomUpload?.listening")
    files = page.evaluate_handle(
        """([data, name, kind]) => {
            const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, {type: kind}));
            return transfer;
        }""",
        [base64.b64encode(data).decode(), name, kind],
    )
    place = page.locator(".fr-masthead")
    for event in ("dragenter", "dragover", "drop"):
        place.dispatch_event(event, {"dataTransfer": files})


def choose(page: Page, *files: FilePayload | Path) -> None:
    """Choose files in the browser's dialog, by the page's button."""
    with page.expect_file_chooser() as dialog:
        page.locator(".fr-upload-main").first.click()
    dialog.value.set_files(files)


def open_options(page: Page) -> None:
    """Open what stands behind the last button in the row of options."""
    page.locator(".st-key-fr-more button").click()
    expect(page.get_by_role("switch", name="Group look-alikes")).to_be_visible()


def open_filters(page: Page) -> None:
    page.get_by_role("button", name="Filter").first.click()
    expect(page.locator(".st-key-fr-filters")).to_be_visible()
    wait_until_drawn(page)


def take_photo(page: Page) -> None:
    """As a person would: once the camera's picture is to be seen and no longer a black frame."""
    page.get_by_role("button", name="Camera").click()
    page.wait_for_function(
        """() => {
            const video = document.querySelector("video");
            if (!video || video.readyState < 2) return false;
            const canvas = new OffscreenCanvas(16, 12);
            const context = canvas.getContext("2d");
            context.drawImage(video, 0, 0, 16, 12);
            return context.getImageData(0, 0, 16, 12).data.some((v, i) => i % 4 < 3 && v > 64);
        }"""
    )
    page.get_by_role("button", name="Take photo").click()


def paste(page: Page, data: bytes | None, kind: str = "image/png") -> None:
    """Paste a picture, or text, with the event that a browser sends."""
    page.wait_for_function("() => window.fittingRoomUpload?.listening")
    page.evaluate(
        """([data, kind]) => {
            const transfer = new DataTransfer();
            if (data === null) transfer.setData("text/plain", "no picture");
            else {
                const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
                transfer.items.add(new File([bytes], "image.png", {type: kind}));
            }
            document.body.dispatchEvent(new ClipboardEvent(
                "paste", {clipboardData: transfer, bubbles: true, cancelable: true}));
        }""",
        [None if data is None else base64.b64encode(data).decode(), kind],
    )


def open_map(page: Page) -> None:
    """Go to the map by its link, until it is drawn, in view and stands still."""
    page.get_by_role("link", name="Map of the catalogue", exact=True).click()
    expect(page.locator(".fr-map[data-view]")).to_be_visible()
    wait_until_drawn(page)
    # What is left of the page before moves the map when it goes.
    expect(page.locator("[data-stale=true], .fr-card")).to_have_count(0)
    # A font that comes late breaks the lines above the map anew and moves it.
    page.wait_for_function(
        """async () => {
            await document.fonts.ready;
            const places = new Set();
            for (let i = 0; i < 10; i++) {
                await new Promise(requestAnimationFrame);
                const map = document.querySelector(".fr-map");
                const box = map.querySelector("canvas").getBoundingClientRect();
                places.add([box.x, box.y, box.width, box.height].join());
                if (box.width !== map.frMap.width) return false;
            }
            return places.size === 1;
        }"""
    )


def in_view(page: Page) -> int:
    """How many points the map shows."""
    return int(page.locator(".fr-map").get_attribute("data-in-view") or -1)


def where(page: Page, row: int) -> Position:
    """Where a point stands on the canvas as it is laid out now, as the map itself computes it."""
    x, y = page.evaluate(
        """row => {
            const map = document.querySelector(".fr-map").frMap;
            map.measure();
            return map.screen(map.points.at(row));
        }""",
        row,
    )
    return {"x": x, "y": y}


def turn_wheel(page: Page, row: int, by: float) -> None:
    """One turn of the wheel over a point of the map, as one event: between a real pointer's move
    and its wheel the page may move."""
    page.locator(".fr-map canvas").evaluate(
        """(canvas, [at, by]) => {
            const box = canvas.getBoundingClientRect();
            canvas.dispatchEvent(new WheelEvent("wheel", {
                deltaY: by, clientX: box.x + at.x, clientY: box.y + at.y,
                bubbles: true, cancelable: true}));
        }""",
        [where(page, row), by],
    )


def download(page: Page, name: str) -> bytes:
    """The file that the button of that name saves."""
    with page.expect_download() as coming:
        page.get_by_role("button", name=name).click()
    return coming.value.path().read_bytes()
