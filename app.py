"""The page: ``streamlit run app.py``."""

import streamlit as st

from fitting_room.ui import pages, resources, style

st.set_page_config(page_title="Fitting Room", page_icon=":material/styler:", layout="wide")
style.apply()

page = pages.chosen()
style.masthead()
room = resources.fitting_room()
page.run()
resources.colophon(room)
