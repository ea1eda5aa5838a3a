"""How long a visitor waits in the browser: from what they do to the last new card.

    pip install -r benchmarks/requirements.txt
    python benchmarks/transitions.py [--index cache/fashion] [--other CHECKOUT] [--rounds 5]

A real Chromium, at a desk's size, opens the page, gives a picture, asks for more like a card,
searches with a part and filters. Of each are printed the median of the seconds until every new card
has its picture, and the longest time in which nothing on the page said that something is going on.
With ``--other``, a server of another checkout takes turns with this one's.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from common import PROJECT, finish, table
from playwright.sync_api import Browser, Page, sync_playwright
from serving import serve

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
SAMPLE = PROJECT / "data" / "samples" / "red-dress.jpg"
LONGEST = 60_000
#: Until the gallery is another one, whole, with all its pictures; notes meanwhile when a sign was
#: to be seen: the results paler, a word that a picture is looked at, a bar, or new cards.
WATCH = """before => new Promise(done => {
    const start = performance.now();
    let sign = start, longest = 0;
    const shown = () => [...document.querySelectorAll(".fr-card")];
    const names = () => shown().map(card => card.dataset.id).join();
    const opacity = () => {
        const card = document.querySelector(".fr-card");
        let value = 1;
        for (let e = card; e; e = e.parentElement) value *= getComputedStyle(e).opacity;
        return value;
    };
    const look = () => {
        const now = performance.now();
        const isNew = names() !== before;
        const status = document.querySelector(".fr-upload-status")?.textContent;
        const spinner = document.querySelector("[data-testid=stSpinner], .fr-pending");
        if (isNew || status || spinner || opacity() < 0.9) {
            longest = Math.max(longest, now - sign);
            sign = now;
        }
        const isDone = isNew && shown().length > 1
            && document.querySelector(".stApp").dataset.testScriptState === "notRunning"
            && [...document.querySelectorAll(".fr-card img")]
                .every(image => image.complete && image.naturalWidth);
        if (isDone) done([(now - start) / 1000, Math.max(longest, now - sign) / 1000]);
        else requestAnimationFrame(look);
    };
    look();
})"""

Times = dict[str, list[tuple[float, float]]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--index", type=Path, help="the demo catalogue's, in the cache, without")
    parser.add_argument("--other", type=Path, help="a checkout to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    checkouts = [PROJECT, *([options.other.resolve()] if options.other else [])]
    with ExitStack() as stack:
        ports = [stack.enter_context(serve(options.index, checkout))[0] for checkout in checkouts]
        browser = stack.enter_context(chromium())
        measured: list[Times] = [{} for _ in checkouts]
        for _ in range(options.rounds + 1):
            for times, port in zip(measured, ports, strict=True):
                round_of(browser, port, times)
    return report(checkouts, measured, options)


def report(checkouts: list[Path], measured: list[Times], options: argparse.Namespace) -> int:
    rows = []
    for checkout, times in zip(checkouts, measured, strict=True):
        for deed, values in times.items():
            taken, gaps = zip(*values[1:], strict=True)  # the first one is the server's first
            row = {"checkout": checkout.name, "what": deed, "seconds": statistics.median(taken)}
            rows.append({**row, "longest without a sign": max(gaps)})
    table([{k: f"{v:.2f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows])
    finish({"rows": rows}, as_json=options.json)
    return 0


@contextmanager
def chromium() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def round_of(browser: Browser, port: int, times: Times) -> None:
    """One visit, in a browser that has kept nothing."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(LONGEST)

    def timed(deed: str, do: Callable[[], object], before: str) -> None:
        do()
        times.setdefault(deed, []).append(tuple(page.evaluate(WATCH, before)))

    timed("opening", lambda: page.goto(f"http://127.0.0.1:{port}"), "")
    chooser = page.locator(".fr-upload-chooser, [data-testid=stFileUploaderDropzoneInput]")
    timed("a picture", lambda: chooser.first.set_input_files(SAMPLE), shown(page))
    more = page.locator(".fr-card").nth(2).get_by_role("button", name="More like this")
    timed("more like a card", more.click, shown(page))
    page.get_by_role("button", name="Crop").click()
    corner = page.get_by_role("button", name="Lower right corner")
    for _ in range(8):
        corner.press("Shift+ArrowUp")
    part = page.get_by_role("button", name="Search with this part")
    timed("a part", part.click, shown(page))
    page.get_by_role("button", name="Filter").first.click()
    value = page.locator("[class*='st-key-filter-'] button:visible").first
    timed("a filter", value.click, shown(page))
    context.close()


def shown(page: Page) -> str:
    page.wait_for_timeout(500)
    return str(
        page.evaluate("[...document.querySelectorAll('.fr-card')].map(c => c.dataset.id).join()")
    )


if __name__ == "__main__":
    sys.exit(main())
