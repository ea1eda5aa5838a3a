"""The page for searching: a query on one side, the answer on the other, and the way between."""

from __future__ import annotations

import streamlit as st

from fitting_room.ui import asking, controls, gallery, intake, query, resources, state


def page() -> None:
    """Draw the page."""
    room = resources.fitting_room()
    state.arrive(room, {facet.column: facet.values for facet in controls.facets_of(room)})
    ask_side, answer_side = st.columns([1.25, 2.8], gap="large")
    with ask_side:
        intake.ways_in(room)
        query.take_in(room)
        asked = query.current(room)
        for refusal in st.session_state.get("refusal") or []:
            st.error(refusal, icon=":material/image_not_supported:")
        if asked is not None:
            asking.show(room, asked)
        elif state.walk().step:
            st.info("That picture is not kept any more. Show it again.", icon=":material/history:")
        intake.samples()
    with answer_side:
        if complaints := dict.fromkeys(state.complaints()):
            said = " ".join(query.plain(complaint) for complaint in complaints)
            st.warning(f"Not all of this link could be used. {said}", icon=":material/link_off:")
        asking.trail(room)
        gallery.show(room, asked)
