"""The page: ``streamlit run app.py``."""

import streamlit as st

from fitting_room.ui import navigation, theme
from fitting_room.ui.shared import resources

st.set_page_config(page_title="Fitting Room", page_icon=":material/styler:", layout="wide")
theme.apply()

page = navigation.chosen()
theme.masthead()
fitting_room = resources.fitting_room()
page.run()
resources.footer(fitting_room)
