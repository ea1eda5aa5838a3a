"""The page's document says its name before any script has come."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.testclient import TestClient

from fitting_room.ui.serving import opening
from fitting_room.ui.serving.guard import security_headers


def test_every_page_shows_its_name_at_once() -> None:
    client = TestClient(Starlette(routes=opening.routes()))
    for path in opening.PAGES:
        answer = client.get(path, params={"item": "10244"})
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["cache-control"] == "no-cache"
        assert "<title>Fitting Room</title>" in answer.text
        assert "<h1>Fitting Room</h1>" in answer.text


def test_it_is_streamlits_document_otherwise() -> None:
    page = opening.page()
    assert "<title>Streamlit</title>" not in page
    assert page.count('<div id="root">') == 1
    assert 'type="module"' in page
    # No script is written into it, which the policy would have to allow.
    assert page.count("<script>") == security_headers()["Content-Security-Policy"].count("sha256-")
