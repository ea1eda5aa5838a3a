"""The page's document says its name before any script has come."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st
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


def test_what_the_first_search_needs_is_there_to_be_loaded_early() -> None:
    links = re.findall(r'<link rel="prefetch"[^>]* href="\./([^"]+)"', opening.page())
    static = Path(st.__file__).parent / "static"
    assert len(links) == len(opening.LATER)  # of each kind one: Streamlit still calls them so
    assert all((static / link).is_file() for link in links)
