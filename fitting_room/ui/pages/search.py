"""The page for searching: the query on one side, its matches on the other."""

from __future__ import annotations

import streamlit as st

from fitting_room.ui.query import address, panel, subjects, upload
from fitting_room.ui.query import session as sessions
from fitting_room.ui.results import controls, gallery
from fitting_room.ui.shared import resources
from fitting_room.ui.shared.text import plain


def page() -> None:
    """Draw the page."""
    fitting_room = resources.fitting_room()
    session = sessions.current()
    columns = {facet.column: facet.values for facet in controls.facets_of(fitting_room)}
    address.read(session, fitting_room, columns)
    query_side, results_side = st.columns([1.25, 2.8], gap="large")
    with query_side:
        upload.show(fitting_room)
        subjects.embed_uploads(fitting_room)
        resolved = subjects.resolve(fitting_room)
        for refusal in session.refusals:
            st.error(refusal, icon=":material/image_not_supported:")
        if resolved is not None:
            panel.show(fitting_room, resolved)
        elif session.history.query:
            st.info("That picture is not kept any more. Show it again.", icon=":material/history:")
        upload.samples()
    with results_side:
        if session.complaints:
            text = " ".join(map(plain, session.complaints))
            st.warning(f"Not all of this link could be used. {text}", icon=":material/link_off:")
        panel.trail(fitting_room)
        gallery.show(fitting_room.index.data.version, resolved)
