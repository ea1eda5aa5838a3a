"""The API as browsers meet it: on a shop's own page, and on the page to try it."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from tests.browser.conftest import serve, wait_until_ready
from tests.browser.steps import Visit, cards
from tests.conftest import PROJECT, picture_bytes
from tests.server.conftest import TOKEN

SNIPPET = re.compile(r"```html\n(.*?)```", re.DOTALL)


@pytest.fixture
def shop_page() -> Iterator[tuple[str, list[str]]]:
    """A page of another site, to be filled; gives its address and its parts."""
    parts: list[str] = []

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = f"<!doctype html><title>Shop</title><link rel=icon href='data:,'>{parts[0]}"
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", parts
    server.shutdown()


def test_a_shop_shows_similar_items_on_its_own_page(
    browser: Browser,
    demo_fitting_room: FittingRoom,
    settings: Settings,
    shop_page: tuple[str, list[str]],
) -> None:
    shop, parts = shop_page
    document = (PROJECT / "docs" / "api.md").read_text("utf-8")
    (snippet,) = SNIPPET.findall(document)
    with serve(cache=settings.cache, backbone=settings.backbone, api_origins=shop) as address:
        wait_until_ready(address)
        parts.append(snippet.replace("http://localhost:8501", address))
        page, said = browser.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.goto(shop)
        cards = page.locator("#similar a")
        expect(cards).to_have_count(4)
        for number in range(4):
            picture = cards.nth(number).locator("img")
            expect(picture).to_have_js_property("complete", True)
            assert picture.evaluate("img => img.naturalWidth") > 0
            assert picture.get_attribute("alt")
        assert said == []
        page.close()


def test_what_the_api_adds_the_page_shows(
    visit: Visit, demo_fitting_room: FittingRoom, settings: Settings, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    shutil.copytree(demo_fitting_room.index.folder, index)
    named = {"cache": settings.cache, "backbone": settings.backbone, "index": index}
    with serve(**named, api_tokens=TOKEN) as address:
        page = visit(address)
        expect(cards(page)).to_have_count(12)
        picture = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": picture_bytes("teal")}
        added = page.request.post(
            f"{address}/api/v1/items",
            headers={"Authorization": f"Bearer {TOKEN}"},
            multipart={
                "id": "new-one",
                "attributes": '{"productDisplayName": "Teal square"}',
                "picture": picture,
            },
        )
        assert added.status == 201
        page.goto(f"{address}/?find=teal+square")
        expect(cards(page).first).to_contain_text("Teal square")
        page.close()  # before its server ends, of which it would complain


def test_another_site_is_not_answered(
    browser: Browser, address: str, shop_page: tuple[str, list[str]]
) -> None:
    wait_until_ready(address)
    shop, parts = shop_page
    parts.append("<p>Another site</p>")
    page = browser.new_page()
    page.goto(shop)
    asked = f"fetch('{address}/api/v1/columns').then(() => 'answered', () => 'refused')"
    assert page.evaluate(asked) == "refused"
    page.close()


def test_the_api_can_be_tried_on_a_page_of_this_server_alone(
    browser: Browser, address: str
) -> None:
    wait_until_ready(address)
    page, said, hosts = browser.new_page(), [], set()
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(f"{address}/api/docs")
    expect(page.get_by_text("Search with pictures")).to_be_visible()
    page.get_by_text("What one may filter by").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    status = page.locator(".live-responses-table td.response-col_status").last
    expect(status).to_contain_text("200")
    assert hosts == {address.split("/")[2]}
    assert said == []
    page.close()
