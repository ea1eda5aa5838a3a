"""What the page's server says to others, keeps of visitors, and refuses them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from tests import recording
from tests.browser.conftest import PATIENCE, serve
from tests.browser.steps import Visit, cards, choose, wait_for_matches, wait_until_drawn
from tests.conftest import PROJECT, SAMPLES

PICTURE = SAMPLES / "red-dress.jpg"
#: The page, and beside it what the server holds of visitors.
WATCHED = """
import gc

import streamlit as st
from starlette.responses import JSONResponse
from starlette.routing import Route
from streamlit import runtime

from fitting_room.ui import page
from fitting_room.ui.query.session import QueryPicture
from fitting_room.ui.serving import server

async def held(_):
    gc.collect()
    uploads = runtime.get_instance().uploaded_file_mgr.file_storage
    pictures = [thing for thing in gc.get_objects() if issubclass(type(thing), QueryPicture)]
    return JSONResponse({"uploads": sum(map(len, uploads.values())), "pictures": len(pictures)})

if server.is_drawing():
    page.draw()
else:
    server.configure()
    routes = [Route("/held", held)]
    app = st.App(
        __file__, routes=routes, middleware=server.middleware(), lifespan=server.lifespan
    )
"""


def get(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET", parts.path or "/", headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body


def test_a_visit_asks_no_other_machine(
    browser: Browser, demo_fitting_room: FittingRoom, settings: Settings, tmp_path: Path
) -> None:
    environment = recording.environment(tmp_path, PROJECT)
    asked: list[str] = []
    complaints: list[str] = []
    with serve(environment=environment, cache=settings.cache, backbone=settings.backbone) as url:
        context = browser.new_context()
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(url)
        expect(cards(page)).to_have_count(12)
        wait_until_drawn(page)
        choose(page, PICTURE)
        wait_for_matches(page)
        page.get_by_role("button", name="Why?").first.click()
        expect(page.locator(".fr-why img")).to_have_count(2)
        page.keyboard.press("Escape")
        for name in ("Map of the catalogue", "About"):
            page.get_by_role("link", name=name).click()
            wait_until_drawn(page)
        icon = page.locator("link[rel~=icon]").first.get_attribute("href") or ""
        context.close()
    assert icon.startswith("data:image/svg+xml")
    hosts = {urlsplit(address).netloc for address in asked if address.startswith(("http", "ws"))}
    assert hosts == {urlsplit(url).netloc}
    # Nothing that the policy forbids was tried, nor anything that failed.
    assert [text for text in complaints if "Content Security Policy" in text] == []
    assert recording.said(tmp_path) == []
    assert recording.written_at_home(tmp_path) == []


@pytest.fixture
def watched(demo_fitting_room: FittingRoom, settings: Settings, tmp_path: Path) -> Iterator[str]:
    """A server that tells what it holds, and forgets visits a second after their end."""
    script = tmp_path / "watched.py"
    script.write_text(WATCHED, encoding="utf-8")
    own = {"cache": settings.cache, "backbone": settings.backbone, "forget_after": "1"}
    with serve(script, **own) as url:
        yield url


def held(page: Page, url: str, *, until: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until the server holds what it should."""
    for _ in range(PATIENCE // 250):
        if until(json.loads(get(f"{url}/held")[2])):
            return
        page.wait_for_timeout(250)
    pytest.fail(f"the server holds {get(f'{url}/held')[2]!r}")


def gone(page: Page, address: str) -> None:
    """Wait until an address is answered to no more."""
    for _ in range(PATIENCE // 250):
        if get(address)[0] == 404:
            return
        page.wait_for_timeout(250)
    pytest.fail(f"{address} is still there")


def test_a_picture_ends_with_its_visit(browser: Browser, watched: str) -> None:
    staying, leaving = browser.new_context().new_page(), browser.new_context().new_page()
    media: list[str] = []
    leaving.on("request", lambda r: media.append(r.url) if "/media/" in r.url else None)
    for page in (staying, leaving):
        page.set_default_timeout(PATIENCE)
        page.goto(watched)
        expect(cards(page)).to_have_count(12)
        wait_until_drawn(page)
    media.clear()
    choose(leaving, PICTURE)
    wait_for_matches(leaving)
    # What came in is a picture of the session now, and has no address: it is sent to its owner.
    held(staying, watched, until=lambda now: now == {"uploads": 0, "pictures": 1})
    shown = leaving.locator(".fr-query img").get_attribute("src") or ""
    assert shown.startswith("data:image/jpeg")
    with leaving.expect_download() as sheet:
        leaving.get_by_role("button", name="Contact sheet").click()
    addresses = [*media, sheet.value.url]
    assert get(addresses[-1])[0] == 200
    # A little later nobody can load it any more, though the visit goes on.
    gone(leaving, addresses[-1])
    leaving.context.close()
    held(staying, watched, until=lambda now: now == {"uploads": 0, "pictures": 0})
    # The one who stays has the pictures still.
    for card in staying.locator(".fr-card img").all():
        assert get(watched + (card.get_attribute("src") or ""))[0] == 200
    staying.context.close()


def test_doors_are_closed_and_names_are_known(visit: Visit, address: str) -> None:
    status, headers, _ = get(address)
    assert status == 200
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    for path in ("metrics", "agent/openapi.json", "agent/interact", "script-health-check"):
        assert get(f"{address}/_stcore/{path}")[0] == 404
    assert get(f"{address}/_stcore/health")[0] == 200
    for path in ("/", "/_stcore/health", "/_stcore/host-config"):
        assert get(address + path, Host="evil.example")[0] == 400


def test_where_all_visitors_hold_too_much_the_page_says_so(
    browser: Browser, demo_fitting_room: FittingRoom, settings: Settings
) -> None:
    own = {"cache": settings.cache, "backbone": settings.backbone, "max_held_megabytes": "0.02"}
    with serve(**own) as url:
        page = browser.new_context().new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(url)
        expect(cards(page)).to_have_count(12)
        wait_until_drawn(page)
        choose(page, PICTURE)
        expect(page.get_by_text("did not take yours")).to_be_visible()
        expect(page.get_by_text("Try again in a minute")).to_be_visible()
        page.context.close()
