"""The page for searching: at the start a picture is given; then the query stands on one side and
its matches on the other."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from fitting_room.ui.query import address, memory, panel, parts, subjects, trail, upload
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.session import CATALOGUE, UPLOADED
from fitting_room.ui.results import controls, gallery
from fitting_room.ui.shared import marks, resources
from fitting_room.ui.shared.text import plain


def page() -> None:
    """Draw the page. Whatever takes long comes before anything is drawn, so that what was there
    stays until all of the new is."""
    fitting_room = resources.fitting_room()
    session = sessions.current()
    columns = {choice.column: choice.values for choice in controls.choices_of(fitting_room)}
    address.read(session, fitting_room, columns)
    subjects.embed_uploads(fitting_room)
    resolved = subjects.resolve(fitting_room)
    browsing = session.source == CATALOGUE
    start = resolved is None and not browsing
    with st.container(key="fr-page"):
        marks.mark("start" if start else "browse" if browsing else "search")
        query_side, results_side = st.columns([1.1, 3], gap="large")
    with query_side, st.container(key="fr-query-side"):
        with st.container(key="fr-give"):
            if resolved is not None:
                panel.show(fitting_room, resolved)
                chips = parts.place(fitting_room, resolved)
            elif session.history.query:
                st.info(
                    "That picture is not kept any more. Add it again.", icon=":material/history:"
                )
            upload.show(first=start, again=resolved is not None)
        otherwise = st.container(key="fr-else")
    with results_side, st.container(key="fr-results"):
        # Always there, also with nothing in them: what follows keeps its place on the page.
        with st.container(key="fr-late"):
            _complaints(session.complaints)
        with st.container(key="fr-trail"):
            trail.show(fitting_room)
        gallery.show(fitting_room.index.version, resolved)
    with otherwise:  # a browser draws the cards first, which are waited for
        upload.samples(first=start)
        _browse(browsing=browsing)
    if resolved is not None:
        parts.look(fitting_room, resolved, chips)
    memory.keep()


def _complaints(complaints: Sequence[str]) -> None:
    if complaints:
        text = "Not all of this link could be used. " + " ".join(map(plain, complaints))
        st.warning(text, icon=":material/link_off:")


def _browse(*, browsing: bool) -> None:
    """The way to the catalogue itself, and back."""
    title, icon, at = (
        ("Back to the search", ":material/arrow_back:", UPLOADED)
        if browsing
        else ("Browse", ":material/storefront:", CATALOGUE)
    )
    st.button(title, icon=icon, on_click=_look, args=(at,), key="browse")


def _look(at: str) -> None:
    session = sessions.current()
    session.act()
    session.source = at
