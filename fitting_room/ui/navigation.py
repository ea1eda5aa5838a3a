"""The pages and the links to them at the head of each."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import Page

from fitting_room.ui.pages import about, map, search
from fitting_room.ui.query import session as sessions


def chosen() -> Page:
    """The page that the address names. A new page is one entry here."""
    pages = [
        Page(search.page, title="Search", icon=":material/search:", default=True),
        Page(
            map.page, title="Map of the catalogue", icon=":material/scatter_plot:", url_path="map"
        ),
        Page(about.page, title="About", icon=":material/info:", url_path="about"),
    ]
    sessions.current().pages = pages
    return st.navigation(pages, position="hidden")


def links() -> None:
    """Links to all pages. The one to the search leads back to the view that was last shown."""
    session = sessions.current()
    with st.container(horizontal=True, width="content", gap="xxsmall"):
        for place, page in enumerate(session.pages):
            st.page_link(page, query_params={} if place else session.address or {})
