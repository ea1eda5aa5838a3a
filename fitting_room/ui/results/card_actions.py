"""What a visitor can do with a card.

An :class:`Action` is one entry in :data:`ACTIONS`. One that opens a dialog does so in the run that
follows a click; one that changes the query does so in :func:`act`, before that run, so that the
page is drawn once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from fitting_room.search.searcher import Match, Searcher
from fitting_room.ui.components import sent
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.address import ALIKE, LOOK, params_of
from fitting_room.ui.query.history import query_of_items
from fitting_room.ui.query.session import Look
from fitting_room.ui.query.subjects import ResolvedQuery
from fitting_room.ui.results import explain_dialog, share_dialog
from fitting_room.ui.shared import resources


@dataclass(frozen=True, slots=True)
class Action:
    """``label`` is what people read and ``icon`` a name of Material Symbols. ``place`` is where the
    action stands: the ``picture`` itself, its ``corner``, the ``row`` below, or the ``menu`` behind
    the row's last button. ``needs_query`` says that it makes sense only beside a query. ``open``
    opens its dialog."""

    name: str
    label: str
    place: str
    icon: str = ""
    needs_query: bool = False
    open: Callable[[Searcher, ResolvedQuery | None, Match], None] | None = None


MORE, LESS = "more", "less"
#: To stop looking at an item by itself, or at what looks all but the same as it.
CLOSE = "close"
#: The numbers of messages are milliseconds since 1970, with which a browser counts on.
MOST_TURNS = 2**53

ACTIONS: list[Action] = [
    Action(LOOK, "Look closer", "picture"),
    Action(LESS, "Less like this", "corner", icon="thumb_down", needs_query=True),
    Action(MORE, "More like this", "row"),
    Action("why", "Why?", "row", needs_query=True, open=explain_dialog.show),
    Action("take", "Save or share", "menu", icon="ios_share", open=share_dialog.show),
]


def offered(resolved: ResolvedQuery | None) -> list[Action]:
    """The actions that a card has beside that query."""
    return [action for action in ACTIONS if resolved is not None or not action.needs_query]


def described(actions: Sequence[Action]) -> list[dict[str, Any]]:
    """Actions as plain values for the gallery's script."""
    return [{"name": a.name, "label": a.label, "place": a.place, "icon": a.icon} for a in actions]


def act(key: str) -> None:
    """A card's button was used in the gallery of that key. The message comes from a browser: it may
    be anything, and only a known action of a known item is carried out. Each has a number, and the
    gallery is told which one was answered: with it ends whatever sign there was of waiting."""
    message = sent(key, "act")
    if not isinstance(message, dict):
        return
    session, turn = sessions.current(), message.get("turn")
    if type(turn) is int and 0 <= turn < MOST_TURNS:
        session.answered = turn
    name, item = message.get("action"), message.get("id")
    if name == CLOSE:
        session.act()
        session.looking = None
        return
    if not isinstance(item, str) or resources.now_open().row(item) is None:
        return
    session.looking = None
    query = session.history.query
    if name in (LOOK, ALIKE):
        picture = message.get("picture")
        session.act()
        session.looking = Look(
            item, key, picture if type(picture) is int else 0, alike=name == ALIKE
        )
    elif name == MORE:
        session.ask(query_of_items([item]))
        session.moved = True
    elif name == LESS and query:
        session.ask(query.with_negative(item))
        session.moved = True
    else:
        session.action = (str(name), item)


def open_dialog(searcher: Searcher, resolved: ResolvedQuery | None) -> None:
    """Open the dialog of the action that a card's button stands for, if one was used."""
    session = sessions.current()
    name, item = session.action or ("", "")
    session.action = None
    match = shown(searcher, resolved, item)
    for action in offered(resolved):
        if action.name == name and action.open is not None and match is not None:
            action.open(searcher, resolved, match)


def shown(searcher: Searcher, resolved: ResolvedQuery | None, item: str) -> Match | None:
    """The match of that item in the last searches of the visitor, which names its best picture; or
    the item by itself, or ``None`` where there is none."""
    rows = searcher.rows(item)
    searches = sessions.current().searches.values() if resolved is not None else ()
    for _, matches in reversed(searches):
        for match in matches:
            if match.id == item and match.row in rows:
                return match
    return searcher.item(item)


def follow() -> None:
    """From another page, go to the search where a card or a point has become the query."""
    session = sessions.current()
    if session.moved:
        session.moved = False
        st.switch_page(session.pages[0], query_params=params_of(session.history.query))
