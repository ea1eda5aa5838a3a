"""What the page remembers for one visitor, and how the address bar tells it.

The walk (see :mod:`fitting_room.ui.query.history`), the visitor's own pictures and the positions
of the controls are a session's; all but the pictures stand in the address too, so that the
browser's back button and a shared link bring a view back. The rule is simple: whatever a visitor
does on the page changes the session and is written to the address; when the address differs from
what was written and nothing was done on the page, the visitor came by a link or by the browser's
buttons, and the address is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from fitting_room.facade import FittingRoom
from fitting_room.ui.query.history import (
    ITEM,
    MOST_NEGATIVES,
    MOST_SUBJECTS,
    PICTURE,
    Box,
    History,
    Query,
    Subject,
)
from fitting_room.ui.results.facets import label

MIN_MATCHES, MAX_MATCHES, DEFAULT_MATCHES = 1, 60, 12
#: Where the slider from shape to colour stops, in hundredths.
POSITIONS = range(0, 101, 10)
#: What a column's name begins with in the address, and a filter's key in the session.
FILTER = "filter-"
#: Longest search by name, and most values of one parameter that are looked at.
MOST_LETTERS, MOST_VALUES = 100, 200

PICTURE_WAY, WEBCAM_WAY, CATALOGUE_WAY = "Picture", "Webcam", "Catalogue"

Params = dict[str, list[str]]


def history() -> History:
    """The visitor's walk."""
    if "history" not in st.session_state:
        st.session_state.history = History()
    found: History = st.session_state.history
    return found


def acted() -> None:
    """To be called by whatever a visitor does on the page: the session counts, not the address."""
    st.session_state.acted = True
    st.session_state.complaints = []


def ask_about(query: Query) -> None:
    """Take a step of the walk and come back to the matches; an empty one leads to the start."""
    acted()
    if query:
        history().advance(query)
    else:
        history().back(-1)
    st.session_state.way = PICTURE_WAY
    st.session_state.pop("refusal", None)


# --- filters: what is chosen is kept here, and the elements that choose follow --------------------


def where() -> dict[str, list[str]]:
    """The chosen values by column."""
    found: dict[str, list[str]] = st.session_state.setdefault("where", {})
    return {column: list(values) for column, values in found.items()}


def filter_key(column: str) -> str:
    """The key of the element that chooses values of a column. It is a new one whenever values were
    chosen otherwise than with it: the browser keeps what was chosen in a closed sheet, and would
    bring it back."""
    turn = st.session_state.get("filter_turn", 0)
    return f"{FILTER}{column}-{turn}" if turn else FILTER + column


def choose(column: str) -> None:
    """Take over what the element of a column has chosen."""
    chosen = where()
    chosen[column] = list(st.session_state.get(filter_key(column)) or [])
    st.session_state.where = {c: values for c, values in chosen.items() if values}


def set_where(chosen: Mapping[str, Sequence[str]]) -> None:
    """Choose values otherwise than with the elements."""
    new = {column: list(values) for column, values in chosen.items() if values}
    if new != where():
        st.session_state.where = new
        st.session_state.filter_turn = st.session_state.get("filter_turn", 0) + 1


def clear_filters() -> None:
    """Take every filter off."""
    set_where({})


# --- the address ------------------------------------------------------------------------------


def arrive(fitting_room: FittingRoom, offered: Mapping[str, Sequence[str]]) -> None:
    """Read the address where the visitor came by it; ``offered`` are the values that a column may
    be narrowed to. What is unknown is ignored, and said in :func:`complaints`."""
    done_here = st.session_state.pop("acted", False)
    address = {name: st.query_params.get_all(name)[:MOST_VALUES] for name in st.query_params}
    if done_here or address == st.session_state.get("address"):
        return
    st.session_state.address = address
    st.session_state.complaints = []
    st.session_state.pop("refusal", None)
    reader = _Reader(fitting_room, address)
    history().go(reader.query())
    st.session_state.n = reader.number("n", range(MIN_MATCHES, MAX_MATCHES + 1), DEFAULT_MATCHES)
    st.session_state.colour = reader.number("colour", POSITIONS, None)
    st.session_state.trained = not reader.flag("plain")
    st.session_state.fold = not reader.flag("spread")
    find = address.get("find", [""])[0][:MOST_LETTERS]
    st.session_state.find = find
    browsing = bool(find) or "browse" in address
    st.session_state.asked_page = reader.number("page", range(1, 10_000), 1)
    st.session_state.pop("paged", None)
    st.session_state.way = CATALOGUE_WAY if browsing else PICTURE_WAY
    set_where(
        {
            column: reader.choice(FILTER + column, values, label(column))
            for column, values in offered.items()
        }
    )
    reader.strange(offered)
    st.session_state.complaints = reader.complaints


def complaints() -> list[str]:
    """What in the address that led here was not understood."""
    found: list[str] = st.session_state.get("complaints", [])
    return found


def write() -> None:
    """Bring the address up to date."""
    address = params()
    if address != {name: st.query_params.get_all(name) for name in st.query_params}:
        st.query_params.from_dict(address)
    st.session_state.address = address


def address() -> Params:
    """The parameters of the view that was last shown."""
    found: Params = st.session_state.get("address") or {}
    return found


def params() -> Params:
    """The view of the moment as parameters of an address."""
    found = params_of(history().query)
    state = st.session_state
    if state.get("n", DEFAULT_MATCHES) != DEFAULT_MATCHES:
        found["n"] = [str(state.n)]
    if state.get("colour") is not None and state.colour != state.get("usual_colour"):
        found["colour"] = [str(state.colour)]
    if not state.get("trained", True):
        found["plain"] = ["1"]
    if not state.get("fold", True):
        found["spread"] = ["1"]
    if state.get("way") == CATALOGUE_WAY:
        found |= {"find": [state.find]} if state.get("find") else {"browse": ["1"]}
        if state.get("page", 1) > 1:
            found["page"] = [str(state.page)]
    for column, values in where().items():
        found[FILTER + column] = values
    return found


def params_of(query: Query) -> Params:
    """A question as parameters of an address. A visitor's own picture is named, not carried: it
    is found again in the same session only."""
    found: Params = {}
    for subject in query.subjects:
        found.setdefault(subject.kind, []).append(subject.id)
    if query.negatives:
        found["less"] = list(query.negatives)
    if query.apart:
        found["apart"] = ["1"]
    if query.crop is not None:
        found["crop"] = [str(query.crop)]
    return found


@dataclass(slots=True)
class _Reader:
    """Reads an address, which anybody may have written."""

    fitting_room: FittingRoom
    address: Params
    complaints: list[str]

    def __init__(self, fitting_room: FittingRoom, address: Params) -> None:
        self.fitting_room, self.address, self.complaints = fitting_room, address, []

    def query(self) -> Query:
        items = self._items("item", MOST_SUBJECTS)
        pictures = []
        for name in self.address.get(PICTURE, [])[:MOST_SUBJECTS]:
            if name in st.session_state.get("pictures", {}):
                pictures.append(name)
            else:
                self.complaints.append(
                    "This link was made with a picture that is not kept. Show the picture again."
                )
        subjects = [Subject(ITEM, item) for item in items]
        subjects += [Subject(PICTURE, name) for name in dict.fromkeys(pictures)]
        query = Query(tuple(subjects[:MOST_SUBJECTS]))
        if not query:
            return query
        query = replace(query, negatives=tuple(self._items("less", MOST_NEGATIVES)))
        if len(subjects) > 1:
            return replace(query, apart=self.flag("apart"))
        for text in self.address.get("crop", [])[:1]:
            try:
                query = replace(query, crop=Box.parse(text))
            except ValueError:
                self.complaints.append("The part of the picture in this link makes no sense.")
        return query

    def _items(self, name: str, most: int) -> list[str]:
        known = []
        for item in dict.fromkeys(self.address.get(name, [])[:most]):
            if self.fitting_room.row(item) is None:
                self.complaints.append(f"There is no item {short(item)} in this catalogue.")
            else:
                known.append(item)
        return known

    def number(self, name: str, allowed: range, usual: int | None) -> int | None:
        for text in self.address.get(name, [])[:1]:
            if len(text) <= 4 and text.isascii() and text.isdigit() and int(text) in allowed:
                return int(text)
            self.complaints.append(f"{name} in this link is no number that can be used here.")
        return usual

    def flag(self, name: str) -> bool:
        return self.address.get(name, [])[:1] == ["1"]

    def choice(self, name: str, values: Sequence[str], title: str) -> list[str]:
        chosen = list(dict.fromkeys(self.address.get(name, [])))
        for value in chosen:
            if value not in values:
                self.complaints.append(f"{title} {short(value)} is not in this catalogue.")
        return [value for value in chosen if value in values]

    def strange(self, offered: Mapping[str, Sequence[str]]) -> None:
        """Complain of filters over columns that are none."""
        for name in self.address:
            if name.startswith(FILTER) and name.removeprefix(FILTER) not in offered:
                column = short(name.removeprefix(FILTER))
                self.complaints.append(f"This catalogue cannot be narrowed by {column}.")


def short(text: str) -> str:
    """A word of a stranger's that fits into a sentence."""
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"
