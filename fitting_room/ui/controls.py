"""What a visitor can turn: how many matches, and which part of the catalogue."""

from __future__ import annotations

import re

import streamlit as st

from fitting_room.room import FittingRoom

MIN_MATCHES, MAX_MATCHES, DEFAULT_MATCHES = 1, 60, 12
#: A column is offered as a filter when it has at least two and at most this many values.
MAX_FILTER_VALUES = 200


def how_many() -> int:
    """The slider for the number of matches."""
    return int(
        st.slider("How many", MIN_MATCHES, MAX_MATCHES, DEFAULT_MATCHES, key="n", width="stretch")
    )


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
