"""The server's options follow from the settings."""

from __future__ import annotations

import asyncio
import gc
import webbrowser
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit import config, runtime

from fitting_room.ui.query import kept
from fitting_room.ui.serving import server
from tests.ui.serving.loops import in_a_loop_of_its_own


@pytest.fixture(autouse=True)
def options() -> Iterator[None]:
    names = ("server.address", "server.maxUploadSize", "server.disconnectedSessionTTL",
             "server.headless", "server.maxMessageSize",
             "global.disableWidgetStateDuplicationWarning")  # fmt: skip
    before = {name: config.get_option(name) for name in names}
    yield
    for name, value in before.items():
        config.set_option(name, value)


@pytest.mark.parametrize(
    ("address", "named", "everywhere"),
    [("localhost", "localhost", False), ("shop.lan", "shop.lan", False), ("0.0.0.0", "::1", True)],
)
def test_names_are_those_that_it_listens_on(address: str, named: str, everywhere: bool) -> None:
    config.set_option("server.address", address)
    (guard,) = server.middleware()
    assert named in guard.kwargs["hosts"]
    assert guard.kwargs["any_address"] is everywhere
    assert address not in guard.kwargs["hosts"] or not everywhere


def test_settings_name_hosts_and_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITTING_ROOM_HOSTS", "shop.example *.shop.example")
    monkeypatch.setenv("FITTING_ROOM_FRAME_ANCESTORS", "https://shop.example")
    (guard,) = server.middleware()
    assert {"shop.example", "*.shop.example"} < set(guard.kwargs["hosts"])
    assert guard.kwargs["frame_ancestors"] == ["https://shop.example"]


def test_an_upload_has_the_size_of_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    server.configure()
    assert config.get_option("server.maxUploadSize") == 32
    monkeypatch.setenv("FITTING_ROOM_MAX_MEGABYTES", "7.5")
    monkeypatch.setenv("FITTING_ROOM_FORGET_AFTER", "90")
    server.configure()
    assert config.get_option("server.maxUploadSize") == 8
    assert config.get_option("server.disconnectedSessionTTL") > 90


def test_messages_and_all_uploads_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.VISITS, "most_held", 0)
    monkeypatch.setattr(kept.KEPT, "most", 0)
    monkeypatch.setenv("FITTING_ROOM_MAX_HELD_MEGABYTES", "2")
    server.configure()
    server.middleware()
    assert config.get_option("server.maxMessageSize") == 32
    assert server.VISITS.most_held == kept.KEPT.most == 2 * 2**20


def test_a_setting_that_makes_no_sense_does_not_keep_the_server_from_saying_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FITTING_ROOM_ENGINE", "steam")
    assert len(server.middleware()) == 1


@pytest.mark.parametrize("headless", [True, False])
def test_the_page_opens_before_whoever_sits_there(
    monkeypatch: pytest.MonkeyPatch, headless: bool
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    # Visits of other tests may be known, and are left alone.
    files = SimpleNamespace(add=lambda *_: "", remove_orphaned_files=lambda: None)
    quiet = SimpleNamespace(is_active_session=lambda _: True, media_file_mgr=files)
    monkeypatch.setattr(runtime, "get_instance", lambda: quiet)
    config.set_option("server.headless", headless)
    app: Any = st.App(__file__)

    async def serve() -> None:
        async with server.lifespan(app):
            # Modules are no garbage, and are not looked through after every run of the page.
            assert gc.get_freeze_count() > 10_000
            await asyncio.sleep(0)

    in_a_loop_of_its_own(serve)
    assert len(opened) == (0 if headless else 1)
    assert gc.get_freeze_count() == 0
