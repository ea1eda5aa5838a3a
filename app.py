"""The page: ``streamlit run app.py``."""

import streamlit as st

from fitting_room.ui import gallery, query, resources, style

st.set_page_config(page_title="Fitting Room", page_icon=":material/styler:", layout="wide")
style.apply()

style.masthead()
room = resources.fitting_room()

ask_side, answer_side = st.columns([1, 2.6], gap="large")
with ask_side:
    asked = query.ask(room)
with answer_side:
    gallery.show(room, asked)

resources.colophon(room)
