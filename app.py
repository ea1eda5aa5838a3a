"""The page and the API: ``streamlit run app.py``. The same file is the server and what it draws."""

import streamlit as st

from fitting_room.server import api
from fitting_room.server.service import Service
from fitting_room.ui import page
from fitting_room.ui.serving import opening, server
from fitting_room.ui.shared import resources

if server.is_drawing():
    page.draw()
else:
    server.configure()
    service = Service(resources.prepared, server.settings_now(), is_local=server.is_local())
    app = st.App(
        __file__,
        routes=[*opening.routes(), *api.routes(service)],
        middleware=server.middleware(),
        lifespan=page.lifespan,
    )
