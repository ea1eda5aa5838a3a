"""The page run by Streamlit's AppTest, on the demo catalogue's index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fitting_room.room import FittingRoom
from fitting_room.settings import Settings
from tests.conftest import PROJECT


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
