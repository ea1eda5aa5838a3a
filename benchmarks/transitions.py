"""How long a visitor waits in the browser, and how long without a sign that anything happens.

    pip install -r requirements-dev.txt
    python benchmarks/transitions.py [--index cache/fashion] [--rounds 7] [--other CHECKOUT]

A real Chromium opens the page as a new visitor does, with nothing cached, brings a picture,
searches with a part of it, asks for more like one of the cards, and takes a filter. Each is timed
by the browser's own clock, from its event (the navigation, the drop, the click) to the last change
of a card or of its picture. A sign is any visible change of headings, cards, pictures, dialogs or
buttons, and whatever stays visible while something is made: paler results, a pulsing card, a
sentence, a bar. The longest gap is that of all rounds: the longest stretch from the event to the
last card in which the page neither changed nor showed such a sign.

One visit before the rounds warms up the server and counts for nothing. ``--other`` takes another
checkout of this project in turn, as far back as that before the page was made anew. Nothing waits
for ever: what is not there after a minute ends the benchmark with a message.

While a wait is timed the driver asks the page one short question a frame. Playwright's own
assertions, asked again and again, describe all of the page to the driver each time that they fail,
which took as long as a third of all that the browser did.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from common import PROJECT, finish, measured_checkout, parsed, parser_of, say, table, used
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright
from serving import serve

sys.path.append(str(PROJECT))

from tests.browser import steps
from tests.browser.conftest import chromium

#: Seconds after which something counts as hung; the first visit of all may build the demo's index.
PATIENCE, PATIENCE_AT_FIRST = 60, 300
PICTURES = PROJECT / "data" / "demo" / "images"
#: Notes each change of what is seen: when, the cards, all that is looked at, and whether a sign of
#: waiting is there. ``begin`` lets it start anew with the next event.
RECORD = """(() => {
    const all = (selector) => [...document.querySelectorAll(selector)];
    const seen = (element) => !!element && element.checkVisibility({ visibilityProperty: true });
    const card = (element) => {
        const image = element.querySelector("img");
        return element.dataset.id + (image && !(image.complete && image.naturalWidth) ? "…" : "");
    };
    const opacity = (element) => Number(getComputedStyle(element).opacity).toFixed(1);
    const MARKS = ".stSpinner, .stProgress, [data-testid=stSkeleton], [data-testid=stAppSkeleton],"
        + "[data-testid=stStatusWidget], .fr-pending";
    const look = () => {
        const cards = all(".fr-card").map(card).join();
        const main = all(".st-key-fr-results, [data-stale=true], .fr-picture").map(opacity);
        const words = all("h1, h2, .fr-upload-status, [data-testid=stCaptionContainer], .stAlert")
            .filter(seen).map((element) => element.textContent);
        const pictures = all(".fr-query img, .fr-crop-stage img, .fr-trail-step").length;
        const things = all("button, dialog[open], [role=dialog], .stSkeleton").filter(seen).length;
        const waits = main.some((value) => value < 0.95) || all(MARKS).some(seen)
            || all(".fr-upload-status").some((e) => seen(e) && e.textContent);
        return [cards, JSON.stringify([main, words, pictures, things]), waits];
    };
    const recorder = { notes: [[0, "", "", false]], isArmed: false };
    window.frRecorder = recorder;
    recorder.begin = () => { recorder.isArmed = true; };
    const start = () => {
        if (!recorder.isArmed) return;
        recorder.isArmed = false;
        recorder.notes = [[performance.now(), ...look()]];
    };
    for (const event of ["drop", "click"]) addEventListener(event, start, true);
    const note = () => {
        const now = look();
        if (JSON.stringify(now) !== JSON.stringify(recorder.notes.at(-1).slice(1)))
            recorder.notes.push([performance.now(), ...now]);
        requestAnimationFrame(note);
    };
    requestAnimationFrame(note);
})()"""

#: Seconds: all of it, until the first sign, and the longest stretch without one.
Wait = dict[str, float]


@dataclass(frozen=True)
class Visitor:
    """A new visitor of the page at an address, with a picture."""

    page: Page
    address: str
    picture: bytes

    def waits(self) -> Iterator[tuple[str, Wait]]:
        """What the visitor does, one after the other, and how long each took."""
        page = self.page
        with self._timed("document.querySelectorAll('.fr-card').length === 12") as wait:
            page.goto(self.address, wait_until="commit")
        yield "opening", wait
        matches = f"{headed('Most like your picture')} && location.search.includes('picture=')"
        with self._timed(matches) as wait:
            self._drop()
        yield "a picture, to its matches", wait
        page.get_by_role("button", name="Crop").click()
        corner = page.get_by_role("button", name="Lower right corner")
        for _ in range(8):
            corner.press("Shift+ArrowUp")
        with self._timed(button("Whole picture")) as wait:
            page.get_by_role("button", name="Search with this part").click()
        yield "a part of the picture", wait
        with self._timed(headed("Most like this")) as wait:
            steps.cards(page).nth(1).get_by_role("button", name="More like this").click()
        yield "more like this", wait
        page.get_by_role("button", name="Filter").first.click()
        value = page.get_by_role("button", name=re.compile(r"^Blue [\d,]+")).first
        expect(value).to_be_visible()
        steps.wait_until_drawn(page)
        with self._timed(button("Filter (1)")) as wait:
            value.click()
        yield "a filter", wait

    def _drop(self) -> None:
        if self.page.locator(".fr-upload").count():
            steps.drag_in(self.page, self.picture)
            return
        # The page before it was made anew took files on Streamlit's own element alone.
        zone = self.page.get_by_test_id("stFileUploaderDropzone")
        files = self.page.evaluate_handle(
            """bytes => {
                const transfer = new DataTransfer();
                transfer.items.add(
                    new File([Uint8Array.from(bytes)], "picture.jpg", {type: "image/jpeg"}));
                return transfer;
            }""",
            list(self.picture),
        )
        for event in ("dragenter", "dragover", "drop"):
            zone.dispatch_event(event, {"dataTransfer": files})

    @contextmanager
    def _timed(self, done: str) -> Iterator[Wait]:
        """Times what is done within, until ``done``, which is said in the page's own language, and
        the page has stood still after it."""
        page, wait = self.page, Wait()
        if page.url != "about:blank":
            page.evaluate("frRecorder.begin()")
        yield wait
        page.wait_for_function(
            "() => { const [at, cards, , waits] = window.frRecorder?.notes.at(-1) ?? [];"
            " return cards && !waits && !cards.includes('…') && performance.now() - at > 500"
            " && document.querySelector('[data-testid=stApp]')?.dataset.testScriptState"
            f" === 'notRunning' && ({done}); }}"
        )
        wait |= read(page.evaluate("frRecorder.notes"))


def headed(title: str) -> str:
    """Whether the page has a heading of that title, for the page."""
    return f"[...document.querySelectorAll('h2')].some(e => e.textContent.includes('{title}'))"


def button(label: str) -> str:
    """The same of a button."""
    return f"[...document.querySelectorAll('button')].some(e => e.textContent.includes('{label}'))"


def read(notes: list[tuple[float, str, str, bool]]) -> Wait:
    """What the notes of one wait say, in seconds."""
    began = notes[0][0]
    changed = [now[0] for before, now in pairwise(notes) if now[1] != before[1]]
    end = changed[-1] if changed else notes[-1][0]
    notes = [note for note in notes if note[0] <= end]
    gaps = [
        now[0] - before[0]
        for before, now in pairwise(notes)
        if not before[3]  # a sign stood there until the next note
    ]
    first = notes[1][0] if len(notes) > 1 else end
    return {
        "all": (end - began) / 1e3,
        "first": (first - began) / 1e3,
        "gap": max(gaps, default=0.0) / 1e3,
    }


def visit(browser: Browser, address: str, picture: bytes, patience: int) -> dict[str, Wait]:
    """All waits of a new visitor, whose browser has seen nothing of the page before."""
    expect.set_options(timeout=patience * 1_000)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(patience * 1_000)
    page.add_init_script(RECORD)
    waits: dict[str, Wait] = {}
    try:
        for what, wait in Visitor(page, address, picture).waits():
            waits[what] = wait
    except (Error, AssertionError) as error:
        after = list(waits)[-1] if waits else "nothing"
        reason = (str(error).strip().splitlines() or [""])[0]
        raise SystemExit(f"no end was seen of what follows after {after}: {reason}") from error
    else:
        return waits
    finally:
        context.close()


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--index", type=Path, help="the demo catalogue's, in the cache, without")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--other", type=Path, help="a checkout to compare with")
    options = parsed(parser, rounds=1)
    if options.index is not None and not (options.index / "CURRENT").exists():
        say(f"there is no index at {options.index}; the demo's stands for it")
        options.index = None
    used["index"] = "the demo's" if options.index is None else options.index.name
    checkouts = {"this": measured_checkout()}
    if options.other is not None:
        checkouts["other"] = options.other.resolve()
    pictures = sorted(PICTURES.glob("*.webp"))[:: 950 // (options.rounds + 1)]
    taken: dict[str, list[dict[str, Wait]]] = {name: [] for name in checkouts}
    with ExitStack() as stack:
        ports = {
            name: stack.enter_context(serve(options.index, checkout))[0]
            for name, checkout in checkouts.items()
        }
        driver = stack.enter_context(sync_playwright())
        browser = driver.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        for turn in range(options.rounds + 1):
            for name, port in ports.items():
                patience = PATIENCE if turn else PATIENCE_AT_FIRST
                picture = pictures[turn].read_bytes()  # another one: nothing of it is cached
                waits = visit(browser, f"http://127.0.0.1:{port}", picture, patience)
                if turn:
                    taken[name].append(waits)
        browser.close()
    rows = [row for name, rounds in taken.items() for row in rows_of(name, rounds)]
    say(f"a visitor's waits in the browser, seconds, {options.rounds} rounds")
    table(rows)
    return finish({"waits": rows, "rounds": taken}, options.json)


def rows_of(checkout: str, rounds: list[dict[str, Wait]]) -> list[dict[str, Any]]:
    return [
        {
            "checkout": checkout,
            "what": what,
            "median": statistics.median(waits[what]["all"] for waits in rounds),
            "longest": max(waits[what]["all"] for waits in rounds),
            "first sign, median": statistics.median(waits[what]["first"] for waits in rounds),
            "longest gap": max(waits[what]["gap"] for waits in rounds),
        }
        for what in rounds[0]
    ]


if __name__ == "__main__":
    sys.exit(main())
