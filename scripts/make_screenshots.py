"""Take the screenshots of docs/ with the system's Chromium, on the demo catalogue.

pip install -r requirements-dev.txt
python scripts/make_screenshots.py --chromium /usr/bin/chromium
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

PROJECT = Path(__file__).resolve().parent.parent
SAMPLE = PROJECT / "data" / "samples" / "red-dress.jpg"
PORT = 8577


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="Chromium's program")
    parser.add_argument("--output", type=Path, default=PROJECT / "docs")
    options = parser.parse_args()
    command = [
        sys.executable, "-m", "streamlit", "run", str(PROJECT / "app.py"),
        "--server.headless=true", f"--server.port={PORT}", "--server.address=127.0.0.1",
    ]  # fmt: skip
    server = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        next(line for line in server.stdout if str(PORT) in line)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            take_all(browser, options.output)
            browser.close()
    finally:
        server.terminate()
        server.communicate()
    return 0


def take_all(browser: Browser, folder: Path) -> None:
    start = visit(browser, 1280, 940, "light")
    shoot(start, folder / "start.png")
    filters = visit(browser, 1280, 940, "light")
    ask(filters)
    filters.get_by_role("button", name="Filter").click()
    expect(filters.get_by_text("Base colour")).to_be_visible()
    shoot(filters, folder / "filters.png")
    for scheme in ("light", "dark"):
        desktop = visit(browser, 1280, 940, scheme)
        ask(desktop)
        shoot(desktop, folder / f"matches-{scheme}.png")
    phone = visit(browser, 390, 1400, "light")
    ask(phone)
    shoot(phone, folder / "phone.png")


def visit(browser: Browser, width: int, height: int, scheme: str) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(f"http://127.0.0.1:{PORT}")
    expect(page.locator(".fr-card")).to_have_count(12, timeout=120_000)
    return page


def ask(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(SAMPLE)
    expect(page.get_by_role("heading", name="Most like your picture")).to_be_visible()


def shoot(page: Page, path: Path) -> None:
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    page.mouse.move(0, 0)
    page.screenshot(path=path, animations="disabled")
    print(path)


if __name__ == "__main__":
    sys.exit(main())
