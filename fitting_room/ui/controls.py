"""What a visitor can turn: how many matches, and which part of the catalogue."""

from __future__ import annotations

import re

import streamlit as st

from fitting_room.ranking import Ranking
from fitting_room.room import FittingRoom

MIN_MATCHES, MAX_MATCHES, DEFAULT_MATCHES = 1, 60, 12
#: A column is offered as a filter when it has at least two and at most this many values.
MAX_FILTER_VALUES = 200
#: Where the slider from shape to colour stops, in hundredths.
POSITIONS = range(0, 101, 10)


def how_many() -> int:
    """The slider for the number of matches."""
    return int(
        st.slider("How many", MIN_MATCHES, MAX_MATCHES, DEFAULT_MATCHES, key="n", width="stretch")
    )


def ranking(room: FittingRoom, *, trained: bool, studio: bool) -> Ranking:
    """The slider from shape to colour, for a picture from a studio or for a photograph.

    Its position is the root of the weight: shape and colour change places where it is moved, and
    not all at its lower end. The usual one depends on the picture and on the head: a slider that
    nobody moved goes along with it, and one that was moved stays."""
    usual = _usual(room, trained=trained, studio=studio)
    if st.session_state.get("colour") == st.session_state.get("usual_colour"):
        st.session_state.colour = usual
    st.session_state.usual_colour = usual
    position = st.select_slider(
        "Shape or colour",
        POSITIONS,
        format_func=_position_in_words,
        key="colour",
        persist_state="page",
        help="To the left the cut counts, to the right the colour. "
        f"{usual} % was best where it was measured.",
    )
    return Ranking(colour=None if position == usual else (position / 100) ** 2, trained=trained)


def trained(room: FittingRoom) -> bool:
    """The switch for what was learned on the catalogue, where something was."""
    if room.index.head is None:
        return True
    return st.toggle(
        "Trained on this catalogue",
        value=True,
        key="trained",
        persist_state="page",
        help="Rank with what was learned from this catalogue's own labels; "
        "switched off, as the network sees the pictures by itself.",
    )


def fold() -> bool:
    """The switch for near-duplicates."""
    return st.toggle(
        "Group look-alikes",
        value=True,
        key="fold",
        persist_state="page",
        help="Items that look all but the same share one card, with their number.",
    )


def _usual(room: FittingRoom, *, trained: bool, studio: bool) -> int:
    """The slider's position where nobody moved it: the one nearest to the index's own weight."""
    weight = room.index.colour_weight(Ranking(trained=trained), studio=studio)
    return min(POSITIONS, key=lambda position: abs(position / 100 - weight**0.5))


def _position_in_words(position: int) -> str:
    return {0: "shape", 100: "colour"}.get(position, f"{position} % colour")


def narrow(room: FittingRoom) -> dict[str, list[str]]:
    """Filters over the catalogue's own columns; answers the chosen values by column."""
    choices = _choices(room.index.manifest["build"], room)
    if not choices:
        return {}
    chosen = {column: st.session_state.get(f"filter-{column}", []) for column in choices}
    count = sum(map(len, chosen.values()))
    with st.popover(
        f"Filter ({count})" if count else "Filter", icon=":material/tune:", width="stretch"
    ):
        for column, values in choices.items():
            st.multiselect(label(column), values, key=f"filter-{column}", placeholder="Any")
        if count:
            st.button("Clear all", on_click=clear_filters, key="clear-filters-inside")
    return {
        column: values
        for column in choices
        if (values := st.session_state.get(f"filter-{column}", []))
    }


def clear_filters() -> None:
    """Take every filter off."""
    for key in list(st.session_state):
        if str(key).startswith("filter-"):
            st.session_state[key] = []


@st.cache_resource(show_spinner=False, max_entries=4)
def _choices(build: str, _room: FittingRoom) -> dict[str, list[str]]:  # noqa: ARG001
    """Values by column, most frequent first; counted once for an index (``build`` tells which)."""
    by_column = {column: _room.values(column) for column in _room.attributes}
    return {c: v for c, v in by_column.items() if 2 <= len(v) <= MAX_FILTER_VALUES}


def label(column: str) -> str:
    """A column's name for people: `baseColour` -> `Base colour`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).replace("_", " ")
    return words[:1].upper() + words[1:].lower()
