"""The page for searching: a query on one side, the answer on the other, and the way between."""

from __future__ import annotations

import streamlit as st

from fitting_room.ui.query import panel, session, subjects, upload
from fitting_room.ui.results import controls, gallery
from fitting_room.ui.shared import resources


def page() -> None:
    """Draw the page."""
    fitting_room = resources.fitting_room()
    session.arrive(
        fitting_room, {facet.column: facet.values for facet in controls.facets_of(fitting_room)}
    )
    ask_side, answer_side = st.columns([1.25, 2.8], gap="large")
    with ask_side:
        upload.ways_in(fitting_room)
        subjects.take_in(fitting_room)
        asked = subjects.current(fitting_room)
        for refusal in st.session_state.get("refusal") or []:
            st.error(refusal, icon=":material/image_not_supported:")
        if asked is not None:
            panel.show(fitting_room, asked)
        elif session.history().query:
            st.info("That picture is not kept any more. Show it again.", icon=":material/history:")
        upload.samples()
    with answer_side:
        if complaints := dict.fromkeys(session.complaints()):
            said = " ".join(subjects.plain(complaint) for complaint in complaints)
            st.warning(f"Not all of this link could be used. {said}", icon=":material/link_off:")
        panel.trail(fitting_room)
        gallery.show(fitting_room, asked)
