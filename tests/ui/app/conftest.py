"""The page run by Streamlit's AppTest, on the demo catalogue's index."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from fitting_room.facade import FittingRoom
from fitting_room.settings import Settings
from fitting_room.ui.query.session import VARIETY, Session
from tests.conftest import PROJECT

NewPage = OpenPage = Callable[..., AppTest]
#: How the page searches where nobody has changed its controls.
AS_ON_PAGE = {"fold": True, "diversity": VARIETY / 100}


def galleries(page: AppTest) -> list[dict[str, Any]]:
    """The data of the page's galleries, in their order."""
    components = [json.loads(element.proto.json) for element in page.get("bidi_component")]
    return [data for data in components if "cards" in data]


def cards(page: AppTest) -> list[dict[str, Any]]:
    """The cards of all galleries, in their order."""
    return [card for data in galleries(page) for card in data["cards"]]


def ids(page: AppTest) -> list[str]:
    return [card["id"] for card in cards(page)]


def data_of(page: AppTest, component: str) -> dict[str, Any]:
    """The data of the page's one component of that name."""
    (data,) = (
        json.loads(element.proto.json)
        for element in page.get("bidi_component")
        if element.proto.component_name == f"fitting_room_{component}"
    )
    return data


def send(page: AppTest, component: str, event: str, value: object) -> AppTest:
    """Send a message of a component's script to the page, as the browser would."""
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


def go_to(page: AppTest, url_path: str) -> AppTest:
    """Open another of the app's pages in the same session."""
    page._page_hash = calc_hash(url_path)
    page.run()
    page._page_hash = ""  # later runs stay where the page itself leads
    return page


def filter_of(page: AppTest, column: str) -> Any:
    """The element that chooses values of a column, in the panel of filters, which is opened."""
    if not session_of(page).filtering:
        page.button(key="filter").click().run()
    return next(
        element
        for kind in ("pills", "multiselect")
        for element in page.get(kind)
        if re.fullmatch(rf"filter-{column}(-\d+)?", str(element.key))
    )


def session_of(page: AppTest) -> Session:
    session: Session = page.session_state["session"]
    return session


def headings(page: AppTest) -> list[str]:
    return [heading.value for heading in page.header]


def upload(
    page: AppTest, data: bytes, name: str = "query.jpg", kind: str = "image/jpeg"
) -> AppTest:
    return page.file_uploader[0].set_value((name, data, kind)).run()


@pytest.fixture(scope="session", autouse=True)
def _installed_components() -> Iterator[None]:
    """AppTest looks through all that is installed for components whenever a page is opened, which
    takes several times as long as the page itself. While the tests run nothing is installed, so
    that once will do."""
    with pytest.MonkeyPatch.context() as patch:
        once = cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", once)
        yield


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Callable[..., None]:
    """Sets the environment variables of the page's server."""

    def configure(**variables: str | Path) -> None:
        monkeypatch.setenv("FITTING_ROOM_CACHE", str(settings.cache))
        monkeypatch.setenv("FITTING_ROOM_BACKBONE", "efficientnet_lite0")
        for name, value in variables.items():
            monkeypatch.setenv(f"FITTING_ROOM_{name.upper()}", str(value))

    return configure


@pytest.fixture
def new_page(environment: Callable[..., None]) -> NewPage:
    """Opens the app for another visitor, on a server with the given settings."""

    def start(**variables: str | Path) -> AppTest:
        environment(**variables)
        return AppTest.from_file(PROJECT / "app.py", default_timeout=120).run()

    return start


@pytest.fixture
def open_page(environment: Callable[..., None]) -> OpenPage:
    """Opens one page by itself."""

    def start(page: Callable[[], None], **variables: str | Path) -> AppTest:
        environment(**variables)
        return AppTest.from_function(page, default_timeout=120).run()

    return start


@pytest.fixture
def page(new_page: NewPage, demo_fitting_room: FittingRoom) -> AppTest:
    """The page on the demo catalogue, its index built before."""
    return new_page()
