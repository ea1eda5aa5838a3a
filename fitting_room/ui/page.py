"""The page from head to foot, as it is drawn for a visitor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from fitting_room.ui import navigation, theme
from fitting_room.ui.pages import early
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query import upload
from fitting_room.ui.serving import server
from fitting_room.ui.shared import resources

#: The picture of the browser's tab. Streamlit's own icons come from a font host there.
ICON = Path(__file__).parent / "icon.svg"


#: Seconds after its start in which a server has only itself to start.
HEAD_START = 1.0


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[dict[str, Any] | None]:
    """What happens while the server runs. What the first visitor would wait for begins before they
    come."""
    async with server.lifespan(app) as state:
        beginning = asyncio.get_running_loop().call_later(HEAD_START, resources.prepare)
        try:
            yield state
        finally:
            beginning.cancel()


def draw() -> None:
    """Draw what the address names."""
    st.set_page_config(page_title="Fitting Room", page_icon=str(ICON), layout="wide")
    server.note_visit()
    theme.apply()
    page = navigation.chosen()
    theme.masthead()
    pages = sessions.current().pages
    if upload.take() and page is not pages[0]:
        st.switch_page(pages[0])
    # What stands on other pages needs the index.
    fitting_room = resources.fitting_room(None if page.url_path else early.show)
    resources.until_damaged(page.run)()
    resources.footer(fitting_room)
