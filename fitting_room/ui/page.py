"""The page from head to foot, as it is drawn for a visitor."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from fitting_room.ui import navigation, theme
from fitting_room.ui.serving import server
from fitting_room.ui.shared import resources

#: The picture of the browser's tab. Streamlit's own icons come from a font host there.
ICON = Path(__file__).parent / "icon.svg"


def draw() -> None:
    """Draw what the address names."""
    st.set_page_config(page_title="Fitting Room", page_icon=str(ICON), layout="wide")
    server.note_visit()
    theme.apply()
    page = navigation.chosen()
    theme.masthead()
    fitting_room = resources.fitting_room()
    resources.until_damaged(page.run)()
    resources.footer(fitting_room)
