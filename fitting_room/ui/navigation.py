"""The page's parts that one can go to, and the way to them in its head."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import Page

from fitting_room.ui.pages import about, map, search
from fitting_room.ui.query import session


def chosen() -> Page:
    """The part that the address names. A new one is one entry here; its way stands in the head of
    every page."""
    parts = [
        Page(search.page, title="Search", icon=":material/search:", default=True),
        Page(map.page, title="Map", icon=":material/scatter_plot:", url_path="map"),
        Page(about.page, title="About", icon=":material/info:", url_path="about"),
    ]
    st.session_state.parts = parts
    return st.navigation(parts, position="hidden")


def ways() -> None:
    """The ways to all parts, where there are several. The one to the search leads back to what was
    looked at."""
    parts: list[Page] = st.session_state.parts
    if len(parts) < 2:
        return
    with st.container(horizontal=True, width="content", gap="xxsmall"):
        for part in parts:
            back = session.address() if part is parts[0] else {}
            st.page_link(part, query_params=back)
