"""The page: ``streamlit run app.py``. The same file is the server and what it draws."""

import streamlit as st

from fitting_room.ui import page
from fitting_room.ui.serving import server

if server.is_drawing():
    page.draw()
else:
    server.configure()
    app = st.App(__file__, middleware=server.middleware(), lifespan=page.lifespan)
