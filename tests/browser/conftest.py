"""The page in a real Chromium, the system's own, driven by Playwright."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from tests.conftest import DEMO, PROJECT

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
NO_CHROMIUM = (
    "no Chromium found: install it (Debian: apt-get install chromium) or name its program in "
    "CHROMIUM, and the browser tests will run"
)
#: Nothing here waits on the clock; this only ends a test that would wait for ever.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)

#: The catalogue's item that the fake webcam is pointed at.
WEBCAM_ITEM = "10724"


def chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if chromium() is None:
                item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))


@contextmanager
def serve(
    script: str | Path = "app.py",
    environment: Mapping[str, str] | None = None,
    port: int = 0,
    **settings: str | Path,
) -> Iterator[str]:
    """A server of the page with these settings, in this process's environment or another one, at
    that port or any; gives its address."""
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    inherited = os.environ if environment is None else environment
    variables = {k: v for k, v in inherited.items() if not k.startswith("FITTING_ROOM_")}
    variables |= {f"FITTING_ROOM_{k.upper()}": str(v) for k, v in settings.items()}
    command = [
        sys.executable, "-m", "streamlit", "run", str(script), "--server.headless=true",
        f"--server.port={port}", "--server.address=127.0.0.1",
    ]  # fmt: skip
    server = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if f":{port}" in line and "http" in line:
                break
        else:
            pytest.fail("the server did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.communicate()


def wait_until_ready(address: str) -> None:
    """Return once the index of a server is open, which is later than that it listens."""
    until = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < until:
        with suppress(HTTPError), urlopen(f"{address}/ready"):
            return
        time.sleep(0.1)  # another process: nothing here says when
    pytest.fail("the server is not ready")


@pytest.fixture(scope="session")
def address(demo_fitting_room: FittingRoom, settings: Settings) -> Iterator[str]:
    """The page on the demo catalogue, its index built before."""
    with serve(cache=settings.cache, backbone=settings.backbone) as url:
        yield url


@pytest.fixture(scope="session")
def headed_address(headed_fitting_room: FittingRoom, settings: Settings) -> Iterator[str]:
    """The page on the demo catalogue with a head that knows its kinds."""
    index = headed_fitting_room.index.folder
    with serve(cache=settings.cache, backbone=settings.backbone, index=index) as url:
        yield url


@pytest.fixture(scope="session")
def several_address(several_fitting_room: FittingRoom, settings: Settings) -> Iterator[str]:
    """The page on a catalogue of items with three pictures each."""
    index = several_fitting_room.index.folder
    with serve(cache=settings.cache, backbone=settings.backbone, index=index) as url:
        yield url


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium with a webcam that always sees one picture of the catalogue."""
    film = tmp_path_factory.mktemp("webcam") / "film.mjpeg"
    film.write_bytes(webcam_picture() * 60)
    running = playwright.chromium.launch(
        executable_path=chromium(),
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ],
    )
    yield running
    running.close()


def webcam_picture() -> bytes:
    """The item held before a webcam: enlarged, on a light wall, in the webcam's 4:3."""
    from io import BytesIO

    from PIL import Image

    item = Image.open(DEMO / "images" / f"{WEBCAM_ITEM}.webp").resize((360, 480), Image.LANCZOS)
    scene = Image.new("RGB", (640, 480), "white")
    scene.paste(item, (140, 0))
    buffer = BytesIO()
    scene.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def contexts(browser: Browser) -> Callable[..., BrowserContext]:
    """A context for each set of options. Pages of one context share what the browser keeps of the
    page's scripts, compiled, which takes it longest; a visitor's session belongs to a page."""
    opened: dict[str, BrowserContext] = {}

    def context(**options: object) -> BrowserContext:
        key = repr(sorted(options.items()))
        if key not in opened:
            opened[key] = browser.new_context(permissions=["camera"], **options)
        return opened[key]

    return context


def complaints(message: ConsoleMessage) -> list[str]:
    """What a browser's console says is wrong, but for what is not there on purpose: on a page other
    than the first one Streamlit asks for its server below that page first; and a picture of an
    answer that was replaced before the browser came for it is let go."""
    path = urlsplit(message.location["url"]).path
    below, found, _ = path.partition("/_stcore/")
    if message.type not in ("error", "warning") or (found and below) or path.startswith("/media/"):
        return []
    return [f"{message.text} {path}"]


@pytest.fixture
def visit(contexts: Callable[..., BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Opens pages as a visitor; afterwards checks that none of them met a script error, and that
    the browser's console has nothing to complain of."""
    pages = []
    errors: list[str] = []

    def open_page(url: str, *, width: int = 1280, height: int = 900, **options: object) -> Page:
        page = contexts(viewport={"width": width, "height": height}, **options).new_page()
        pages.append(page)
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.extend(complaints(message)))
        page.goto(url)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert errors == []
