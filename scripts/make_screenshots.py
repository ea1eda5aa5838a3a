"""Take the screenshots of docs/ with the system's Chromium, on the demo catalogue.

pip install -r requirements-dev.txt
python scripts/make_screenshots.py --chromium /usr/bin/chromium

Takes some minutes: the catalogue is indexed, and a head trained on it, in a folder of their own.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fitting_room import FittingRoom
from fitting_room.learning.options import TrainingOptions
from fitting_room.learning.train import train
from fitting_room.settings import Settings

PROJECT = Path(__file__).resolve().parent.parent
CATALOGUE = PROJECT / "data" / "demo"
SAMPLE = PROJECT / "data" / "samples" / "red-dress.jpg"
PORT = 8577


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="Chromium's program")
    parser.add_argument("--output", type=Path, default=PROJECT / "docs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = Settings(cache=Path(folder), backbone="efficientnet_lite0")
        FittingRoom.build(CATALOGUE, settings.index_folder, settings=settings)
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        with serve(settings):
            take_all(browser, options.output)
        train(CATALOGUE, settings.index_folder, TrainingOptions(), settings=settings)
        with serve(settings):
            take_trained(browser, options.output)
        browser.close()
    return 0


@contextmanager
def serve(settings: Settings) -> Iterator[None]:
    """A server of the page, as a visitor would meet it."""
    command = [
        sys.executable, "-m", "streamlit", "run", str(PROJECT / "app.py"),
        "--server.headless=true", f"--server.port={PORT}", "--server.address=127.0.0.1",
    ]  # fmt: skip
    environment = os.environ | {
        "FITTING_ROOM_CACHE": str(settings.cache),
        "FITTING_ROOM_BACKBONE": settings.backbone,
    }
    server = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        next(line for line in server.stdout if str(PORT) in line)
        yield
    finally:
        server.terminate()
        server.communicate()


def take_all(browser: Browser, folder: Path) -> None:
    start = visit(browser, 1280, 940, "light")
    shoot(start, folder / "start.png")
    filters = visit(browser, 1280, 940, "light")
    upload(filters)
    filters.get_by_role("button", name="Filter").click()
    for value in ("Women", "Red", "Pink", "Orange"):
        panel = filters.locator(".st-key-fr-filters")
        panel.get_by_role("button", name=re.compile(rf"^{value} \d")).click()
        settle(filters)
    shoot(filters, folder / "filters.png")
    for scheme in ("light", "dark"):
        desktop = visit(browser, 1280, 940, scheme)
        upload(desktop)
        shoot(desktop, folder / f"matches-{scheme}.png")
        phone = visit(browser, 390, 1400, scheme)
        upload(phone)
        shoot(phone, folder / ("phone.png" if scheme == "light" else "phone-dark.png"))
    ends = visit(browser, 1280, 940, "light")
    upload(ends)
    slider = ends.get_by_role("slider", name="Shape or colour")
    for key, word in (("Home", "shape"), ("End", "colour")):
        slider.press(key)
        expect(slider).to_have_attribute("aria-valuetext", word)
        shoot(ends, folder / f"colour-{word}.png")
    take_history(visit(browser, 1280, 940, "light"), folder)
    take_parts(visit(browser, 1280, 940, "light"), folder)
    take_words(visit(browser, 1280, 940, "light"), folder)
    take_map(visit(browser, 1280, 1100, "light"), folder)
    take_order(visit(browser, 1280, 940, "light"), folder)
    several = visit(browser, 1280, 940, "light")
    several.locator(".fr-upload-chooser").set_input_files(
        [SAMPLE, SAMPLE.with_name("brown-handbag.jpg")]
    )
    expect(several.get_by_role("heading", name="Most like each of your pictures")).to_be_visible()
    shoot(several, folder / "several.png")
    catalogue = visit(browser, 1280, 940, "dark")
    catalogue.get_by_role("button", name="Browse").click()
    catalogue.get_by_role("searchbox", name="Find an item").fill("green shirt")
    expect(catalogue.get_by_role("heading", name="found")).to_be_visible()
    shoot(catalogue, folder / "catalogue.png")


def take_history(page: Page, folder: Path) -> None:
    """More like one card, more like another, less like a third; and a part of the picture."""
    upload(page)
    page.get_by_role("button", name="Crop").click()
    corner = page.get_by_role("button", name="Lower right corner")
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp"):
        corner.press(f"Shift+{key}")
    shoot(page, folder / "crop.png")
    page.get_by_role("button", name="Cancel").click()
    for place in (2, 5):
        settle(page)
        page.locator(".fr-card").nth(place).get_by_role("button", name="More like this").click()
    settle(page)
    page.locator(".fr-card").nth(1).get_by_role("button", name="Less like this").press("Enter")
    expect(page.get_by_text("Less like", exact=True)).to_be_visible()
    shoot(page, folder / "history.png")


def take_order(page: Page, folder: Path) -> None:
    """Good matches alone, the newest first, and the options that say so."""
    page.goto(f"http://127.0.0.1:{PORT}?picture=sample-green-sweater&sort=-year")
    chip = page.get_by_role("button", name="Year, highest first")
    expect(chip).to_be_visible(timeout=120_000)
    settle(page)
    page.locator(".st-key-fr-more button").click()
    expect(page.get_by_role("switch", name="Only good matches")).to_be_visible()
    shoot(page, folder / "order.png", pointing=True)


def take_parts(page: Page, folder: Path) -> None:
    """One garment of a picture that shows two."""
    outfit, file = Image.new("RGB", (700, 560), "white"), BytesIO()
    for left, name in ((10, SAMPLE.name), (390, "brown-handbag.jpg")):
        with Image.open(SAMPLE.with_name(name)) as sample:
            outfit.paste(sample.convert("RGB").resize((300, 400)), (left, 80))
    outfit.save(file, "PNG")
    page.locator(".fr-upload-chooser").set_input_files(
        {"name": "outfit.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    expect(page.get_by_role("heading", name="Most like your picture")).to_be_visible()
    page.get_by_role("radio", name="Handbags").click()
    expect(page.get_by_role("radio", name="Handbags")).to_be_checked()
    shoot(page, folder / "parts.png")


def take_words(page: Page, folder: Path) -> None:
    """Words beside a picture, with what was understood of them."""
    upload(page)
    page.get_by_role("searchbox", name="Add words").fill("like this but in blue, not striped")
    expect(page.get_by_role("button", name="not Striped")).to_be_visible()
    settle(page)
    shoot(page, folder / "words.png")


def take_trained(browser: Browser, folder: Path) -> None:
    page = visit(browser, 1280, 940, "light")
    upload(page)
    shoot(page, folder / "head-on.png")
    page.locator(".st-key-fr-more button").click()
    switch = page.get_by_role("switch", name="Knows fashion")
    switch.press("Space")
    expect(switch).not_to_be_checked()
    page.keyboard.press("Escape")
    shoot(page, folder / "head-off.png")
    why = visit(browser, 1280, 940, "light")
    upload(why)
    why.locator(".fr-card").nth(1).get_by_role("button", name="Why?").click()
    expect(why.locator(".fr-why img")).to_have_count(2)
    shoot(why, folder / "why.png")
    panel = visit(browser, 1280, 940, "light")
    upload(panel)
    panel.locator(".fr-card").nth(2).get_by_role("link").click()
    expect(panel.locator("dialog[open]")).to_be_visible()
    shoot(panel, folder / "panel.png")
    about = visit(browser, 1280, 1100, "light")
    about.get_by_role("link", name="About", exact=True).click()
    expect(about.get_by_role("heading", name="About this catalogue")).to_be_visible()
    expect(about.locator(".fr-card")).to_have_count(0)
    shoot(about, folder / "about.png")


def take_map(page: Page, folder: Path) -> None:
    """The map with the query and its matches, one of them pointed at."""
    upload(page)
    page.get_by_role("link", name="Map of the catalogue", exact=True).click()
    expect(page.locator(".fr-map[data-view]")).to_be_visible()
    expect(page.locator(".fr-card")).to_have_count(0)
    page.get_by_role("combobox", name="Colours show").click()
    page.get_by_role("option", name="Type").click()
    expect(page.locator(".fr-map-legend").get_by_text("Dresses", exact=True)).to_be_visible()
    settle(page)
    point = page.evaluate(
        """() => {
            const map = document.querySelector(".fr-map").frMap;
            const row = map.marks.matches[0];
            const [x, y] = map.screen(map.points.at(row));
            return {x, y};
        }"""
    )
    page.locator(".fr-map canvas").hover(position=point)
    expect(page.locator(".fr-map-tip img")).to_be_visible()
    shoot(page, folder / "map.png", pointing=True)


def visit(browser: Browser, width: int, height: int, scheme: str) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(f"http://127.0.0.1:{PORT}")
    expect(page.locator(".fr-card")).to_have_count(12, timeout=120_000)
    return page


def upload(page: Page) -> None:
    page.locator(".fr-upload-chooser").set_input_files(SAMPLE)
    expect(page.get_by_role("heading", name="Most like your picture")).to_be_visible()
    settle(page)


def settle(page: Page) -> None:
    page.wait_for_timeout(500)  # a control that was moved tells the server a moment later
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def shoot(page: Page, path: Path, *, pointing: bool = False) -> None:
    settle(page)
    page.wait_for_function("() => [...document.images].every(image => image.complete)")
    if not pointing:
        page.mouse.move(0, 0)
    save(page.screenshot(animations="disabled"), path)
    print(path)


def save(screenshot: bytes, path: Path) -> None:
    """256 well chosen colours show the page in a third of the bytes."""
    with Image.open(BytesIO(screenshot)) as picture:
        picture.convert("RGB").quantize(256, kmeans=4).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
