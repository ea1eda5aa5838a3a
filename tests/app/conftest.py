"""The page run by Streamlit's AppTest, on the demo catalogue's index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fitting_room.room import FittingRoom
from fitting_room.settings import Settings
from tests.app.heads import headed_index
from tests.conftest import PROJECT


def cards(page: AppTest) -> list[str]:
    """The cards of the gallery, as HTML, in their order."""
    return [html.value for html in page.get("html") if 'class="fr-card"' in html.value]


def ids(page: AppTest) -> list[str]:
    return [re.search(r'data-id="([^"]*)"', card)[1] for card in cards(page)]  # type: ignore[index]


def headings(page: AppTest) -> list[str]:
    return [heading.value for heading in page.subheader]


def upload(
    page: AppTest, data: bytes, name: str = "query.jpg", kind: str = "image/jpeg"
) -> AppTest:
    return page.file_uploader[0].set_value((name, data, kind)).run()


@pytest.fixture(autouse=True)
def _nothing_cached() -> Iterator[None]:
    """Each test is a server of its own."""
    st.cache_resource.clear()
    st.cache_data.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def new_page(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> object:
    """Opens a page whose server has the given settings."""

    def start(**environment: str | Path) -> AppTest:
        monkeypatch.setenv("FITTING_ROOM_CACHE", str(settings.cache))
        monkeypatch.setenv("FITTING_ROOM_BACKBONE", "efficientnet_lite0")
        for name, value in environment.items():
            monkeypatch.setenv(f"FITTING_ROOM_{name.upper()}", str(value))
        return AppTest.from_file(PROJECT / "app.py", default_timeout=60).run()

    return start


@pytest.fixture
def page(new_page: object, demo_room: FittingRoom) -> AppTest:
    """The page on the demo catalogue, its index built before."""
    return new_page()  # type: ignore[operator]


@pytest.fixture(scope="session")
def headed_room(
    demo_room: FittingRoom, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> FittingRoom:
    """The demo catalogue with a head that knows its kinds."""
    return FittingRoom.open(
        headed_index(demo_room.index, tmp_path_factory.mktemp("headed") / "index"), settings
    )
