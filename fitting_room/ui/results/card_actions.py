"""What a visitor can do with a card.

An :class:`Action` is one entry in :data:`ACTIONS`. ``place`` says where it stands: the ``picture``
itself, its ``corner``, the ``row`` below, or the ``menu`` behind the row's last button. ``take`` is
called in the run that follows a click, with the room, what is asked about, and the item's match; it
may open a dialog. An action that changes what is asked about does so through :func:`act`, before
that run, so that the page is drawn once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from fitting_room.facade import FittingRoom, Match
from fitting_room.ui.components import sent
from fitting_room.ui.query import session
from fitting_room.ui.query.history import of_items
from fitting_room.ui.query.subjects import Asked
from fitting_room.ui.results import explain_dialog, share_dialog

Take = Callable[[FittingRoom, Asked | None, Match], None]


@dataclass(frozen=True, slots=True)
class Action:
    """``name`` is the action's in the page, ``label`` what people read, ``icon`` a name of Material
    Symbols. ``asked`` says that it makes sense only beside a query."""

    name: str
    label: str
    place: str
    icon: str = ""
    asked: bool = False
    take: Take | None = None


MORE, LESS, OPEN = "more", "less", "open"

ACTIONS: list[Action] = [
    Action(OPEN, "More like this", "picture"),
    Action(LESS, "Less like this", "corner", icon="thumb_down", asked=True),
    Action(MORE, "More like this", "row"),
    Action("why", "Why?", "row", asked=True, take=explain_dialog.show),
    Action("take", "Save or share", "menu", icon="ios_share", take=share_dialog.show),
]


def offered(asked: Asked | None) -> list[Action]:
    """The actions that a card has beside that query."""
    return [action for action in ACTIONS if asked is not None or not action.asked]


def act(fitting_room: FittingRoom, key: str) -> None:
    """A card's button was used: ``key`` is the gallery's, which says which one and of which item.
    What it says comes from a browser and is believed only as far as it names what there is."""
    said = sent(key, "act")
    if not isinstance(said, dict):
        return
    name, item = said.get("action"), said.get("id")
    if not isinstance(item, str) or fitting_room.row(item) is None:
        return
    perform(str(name), item)


def perform(name: str, item: str) -> None:
    """Do what an action does before the page is drawn anew."""
    query = session.history().query
    if name in (MORE, OPEN):
        session.ask_about(of_items([item]))
        st.session_state.moved = True
    elif name == LESS and query:
        session.ask_about(query.less_like(item))
        st.session_state.moved = True
    else:
        st.session_state.taken = (name, item)


def follow(fitting_room: FittingRoom, asked: Asked | None) -> None:
    """Take the action that was asked for before this run, if it is one that acts now."""
    name, item = st.session_state.pop("taken", (None, None))
    match = fitting_room.item(item) if item is not None else None
    action = next((a for a in ACTIONS if a.name == name and a.take is not None), None)
    if action is not None and action.take is not None and match is not None:
        action.take(fitting_room, asked, match)
