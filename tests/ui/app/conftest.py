"""The page run by Streamlit's AppTest, on the demo catalogue's index."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from tests.conftest import PROJECT


def galleries(page: AppTest) -> list[dict[str, Any]]:
    """What each gallery of the page was given to show, in their order."""
    found = [json.loads(element.proto.json) for element in page.get("bidi_component")]
    return [data for data in found if "cards" in data]


def cards(page: AppTest) -> list[dict[str, Any]]:
    """The cards of all galleries, in their order."""
    return [card for data in galleries(page) for card in data["cards"]]


def ids(page: AppTest) -> list[str]:
    return [card["id"] for card in cards(page)]


def send(page: AppTest, component: str, event: str, value: object) -> AppTest:
    """What a component's script tells the page, as the browser would send it."""
    element = next(
        e for e in page.get("bidi_component")
        if e.proto.component_name == f"fitting_room_{component}"
    )  # fmt: skip
    states = page._tree.get_widget_states()
    identity = f"$$STREAMLIT_INTERNAL_KEY_{element.proto.id}__events"
    trigger = json.dumps([{"event": event, "value": value}])
    states.widgets.append(WidgetState(id=identity, json_trigger_value=trigger))
    return page._run(states)


def act(page: AppTest, action: str, item: str) -> AppTest:
    """Use a card's button."""
    return send(page, "gallery", "act", {"action": action, "id": item})


def filter_of(page: AppTest, column: str) -> Any:
    """The element that chooses values of a column."""
    return next(
        element
        for kind in ("pills", "multiselect")
        for element in page.get(kind)
        if re.fullmatch(rf"filter-{column}(-\d+)?", str(element.key))
    )


def headings(page: AppTest) -> list[str]:
    return [heading.value for heading in page.header]


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
def page(new_page: object, demo_fitting_room: FittingRoom) -> AppTest:
    """The page on the demo catalogue, its index built before."""
    return new_page()  # type: ignore[operator]
