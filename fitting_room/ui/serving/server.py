"""How the page is served: Streamlit's server behind a :class:`Guard`, and visits that end."""

from __future__ import annotations

import asyncio
import gc
import math
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from streamlit import config, runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from fitting_room.settings import Settings, SettingsError
from fitting_room.ui.query import kept
from fitting_room.ui.query import session as sessions
from fitting_room.ui.serving.guard import EVERYWHERE, LOCAL, Guard
from fitting_room.ui.serving.saved import SAVED
from fitting_room.ui.serving.sockets import send_at_once
from fitting_room.ui.serving.visits import Visits
from fitting_room.util.memory import give_back_at_once

#: Of this process, which serves one page.
VISITS = Visits()
#: Megabytes of a message of the page's connection in either direction. What a browser gives
#: back of a visit has four, the map of a million items seven.
MOST_MESSAGE = 32


def is_drawing() -> bool:
    """Whether Streamlit is running the script for a visitor, and not being started."""
    return get_script_run_ctx() is not None


def is_local() -> bool:
    """Whether nobody reaches the server from another machine."""
    return config.get_option("server.address") in LOCAL


def is_owners() -> bool:
    """Whether what is marked on the page is marked by its owner: the settings say so, and nobody
    reaches the server from another machine. There are no accounts."""
    return settings_now().owner and is_local()


def note_visit() -> None:
    """Remember that this visitor is here, to let go of all that is theirs when they have left."""
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return
    session, parts = sessions.current(), context.fragment_storage

    def forget() -> None:
        session.forget()
        # Parts of the page that are drawn by themselves hold the query that they were drawn with,
        # and Streamlit's loop holds the last session that it has served until it serves another.
        parts.clear()

    VISITS.note(context.session_id, forget)


def give_back(files: Iterable[str]) -> None:
    """Let go of this visitor's uploads of these ids, which the page has taken."""
    if (context := get_script_run_ctx()) is None:
        return
    # Streamlit's own manager has it, but not the interface that others are written to.
    remove = getattr(context.uploaded_file_mgr, "remove_file", None)
    for file in files:
        VISITS.given_back(context.session_id, file)
        if remove is not None:
            remove(context.session_id, file)


def were_refused(files: Iterable[str]) -> bool:
    """Whether one of this visitor's uploads of these ids was refused because all visits together
    hold too much."""
    context = get_script_run_ctx()
    return context is not None and any(
        VISITS.was_refused(context.session_id, file) for file in files
    )


def saving(make: Callable[[], bytes], kind: str, name: str) -> Callable[[], bytes]:
    """For a button that saves a file: what makes it when the button is used. The file stays until
    the browser has come for it, and not for long."""

    def made() -> bytes:
        data = make()
        if runtime.exists():
            SAVED.keep(runtime.get_instance().media_file_mgr, data, kind, name)
        return data

    return made


def settings_now() -> Settings:
    """The settings, or the usual ones where they make no sense."""
    try:
        return Settings.from_environment()
    except SettingsError:  # the page says it to whoever opens it
        return Settings()


def middleware() -> list[Middleware]:
    """What stands before Streamlit's own server, as the settings say."""
    settings, address = settings_now(), str(config.get_option("server.address") or "")
    VISITS.most_held = kept.KEPT.most = settings.most_held
    everywhere = address in ("", *EVERYWHERE)
    guard = Middleware(
        Guard,
        visits=VISITS,
        hosts=[*LOCAL, *([] if everywhere else [address]), *settings.hosts.split()],
        any_address=everywhere,
        max_bytes=settings.limits.max_bytes,
        frame_ancestors=settings.frame_ancestors.split(),
    )
    return [guard]


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[dict[str, Any] | None]:
    """Opens the page in the browser of whoever sits before this machine, as ``streamlit run`` does
    for a script without a server of its own, and ends visits while the server runs."""
    settings = settings_now()
    # Streamlit looks for garbage after every run, while no other thread computes. Modules are most
    # of what it would go through each time (a tenth of a second), and never garbage. There are no
    # visitors yet and no index: what is theirs is looked through as before.
    gc.collect()
    gc.freeze()
    tidying = asyncio.create_task(
        VISITS.keep_tidy(runtime.get_instance(), settings.forget_after), name="visits"
    )
    sending = asyncio.create_task(send_at_once(), name="sockets")
    if not config.get_option("server.headless"):
        url = f"http://{config.get_option('browser.serverAddress')}"
        url += f":{config.get_option('server.port')}/{config.get_option('server.baseUrlPath')}"
        asyncio.get_running_loop().run_in_executor(None, webbrowser.open, url)
    try:
        yield None
    finally:
        gc.unfreeze()
        for task in (tidying, sending):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def configure() -> None:
    """What is set before the server starts: how memory is given back, the size of an upload and of
    a message, and that a visit is not ended behind the back of
    :mod:`fitting_room.ui.serving.visits`."""
    st.secrets.load_if_toml_exists()  # which makes variables of what stands in .streamlit/secrets
    settings = settings_now()
    give_back_at_once()
    # Of 200 MB by default, each connection may have one on its way.
    config.set_option("server.maxMessageSize", MOST_MESSAGE)
    # What a widget shows is what the session says, also where it has a default.
    config.set_option("global.disableWidgetStateDuplicationWarning", True)
    config.set_option("server.maxUploadSize", max(1, math.ceil(settings.max_megabytes)))
    config.set_option("server.disconnectedSessionTTL", math.ceil(settings.forget_after) + 3600)
