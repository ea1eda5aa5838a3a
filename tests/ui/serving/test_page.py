"""The server begins with what its first visitor would wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import streamlit as st

from fitting_room.settings import Settings
from fitting_room.ui import page
from fitting_room.ui.shared import resources
from tests.ui.serving.loops import in_a_loop_of_its_own


def test_the_index_is_prepared_before_anybody_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Settings] = []

    @asynccontextmanager
    async def lifespan(_: st.App) -> AsyncIterator[dict[str, Any] | None]:
        yield None

    monkeypatch.setattr(page.server, "lifespan", lifespan)
    monkeypatch.setattr(page, "HEAD_START", 0)
    monkeypatch.setattr(resources, "_prepare", begun.append)

    async def serve() -> None:
        async with page.lifespan(st.App("app.py")):
            await asyncio.sleep(0.05)

    in_a_loop_of_its_own(serve)
    assert begun == [Settings.from_environment()]
    monkeypatch.setenv("FITTING_ROOM_OWNER", "perhaps")  # the page says what is wrong
    in_a_loop_of_its_own(serve)
    assert len(begun) == 1
