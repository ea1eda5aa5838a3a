"""What a visitor can turn: how many matches, shape or colour, and which part of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from fitting_room.facade import FittingRoom
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.ui.query import session
from fitting_room.ui.query.session import MAX_MATCHES, MIN_MATCHES, POSITIONS
from fitting_room.ui.query.subjects import plain
from fitting_room.ui.results import facets, swatches
from fitting_room.ui.results.facets import Facet

#: A column with at most this many values shows them all; a larger one is a list to search in.
MOST_PILLS = 12
#: Values of a column of colours that are shown as swatches.
MOST_SWATCHES = 60


def how_many() -> int:
    """The slider for the number of matches."""
    st.session_state.setdefault("n", session.DEFAULT_MATCHES)
    return int(
        st.slider(
            "How many", MIN_MATCHES, MAX_MATCHES, key="n", width="stretch", persist_state="session"
        )
    )


def options(
    fitting_room: FittingRoom, *, trained: bool, plain_background: bool
) -> SimilarityOptions:
    """The slider from shape to colour, for a picture from a studio or for a photograph.

    Its position is the root of the weight: shape and colour change places where it is moved, and
    not all at its lower end. The usual one depends on the picture and on the head: a slider that
    nobody moved goes along with it, and one that was moved stays."""
    usual = _usual(fitting_room, trained=trained, plain_background=plain_background)
    if st.session_state.get("colour") in (None, st.session_state.get("usual_colour")):
        st.session_state.colour = usual
    st.session_state.usual_colour = usual
    position = st.select_slider(
        "Shape or colour",
        POSITIONS,
        format_func=_position_in_words,
        key="colour",
        persist_state="session",
        help="To the left the cut counts, to the right the colour. "
        f"{usual} % was best where it was measured.",
    )
    return SimilarityOptions(
        colour=None if position == usual else (position / 100) ** 2, trained=trained
    )


def trained(fitting_room: FittingRoom) -> bool:
    """The switch for what was learned on the catalogue, where something was."""
    if fitting_room.index.head is None:
        return True
    st.session_state.setdefault("trained", True)
    return st.toggle(
        "Trained on this catalogue",
        key="trained",
        persist_state="session",
        help="Rank with what was learned from this catalogue's own labels; "
        "switched off, as the network sees the pictures by itself.",
    )


def fold() -> bool:
    """The switch for near-duplicates."""
    st.session_state.setdefault("fold", True)
    return st.toggle(
        "Group look-alikes",
        key="fold",
        persist_state="session",
        help="Items that look all but the same share one card, with their number.",
    )


def _usual(fitting_room: FittingRoom, *, trained: bool, plain_background: bool) -> int:
    """The slider's position where nobody moved it: the one nearest to the index's own weight."""
    weight = fitting_room.index.colour_weight(
        SimilarityOptions(trained=trained), plain_background=plain_background
    )
    return min(POSITIONS, key=lambda position: abs(position / 100 - weight**0.5))


def _position_in_words(position: int) -> str:
    return {0: "shape", 100: "colour"}.get(position, f"{position} % colour")


# --- narrowing down ---------------------------------------------------------------------------


def narrow(fitting_room: FittingRoom) -> dict[str, list[str]]:
    """Filters over the catalogue's own columns, with the number of items that each value leaves;
    answers the chosen values by column."""
    offered = facets_of(fitting_room)
    if not offered:
        return {}
    where = session.where()
    chosen = sum(map(len, where.values()))
    counts = facets.count_all(offered, where)
    with st.popover(
        f"Filter ({chosen})" if chosen else "Filter",
        icon=":material/tune:",
        width="stretch",
        key="fr-filter",
    ):
        left = facets.remaining(offered, where)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{left:,}** of {len(fitting_room.index):,} items", width="stretch")
            st.button(
                "Clear all",
                on_click=session.clear_filters,
                key="clear-filters-inside",
                type="tertiary",
                disabled=not chosen,
            )
        for facet in offered:
            _choose(facet, counts[facet.column])
    return session.where()


def _choose(facet: Facet, counts: dict[str, int]) -> None:
    key = session.filter_key(facet.column)
    title = plain(facets.label(facet.column))
    # A value that leaves nothing is not offered, unless it is chosen and may be taken off.
    chosen = session.where().get(facet.column, [])
    values = [value for value in facet.values if counts[value] or value in chosen]
    if key not in st.session_state:
        st.session_state[key] = chosen
    if len(facet.values) > MOST_PILLS and not _has_swatches(facet):
        st.multiselect(
            title,
            values,
            format_func=lambda value: f"{value} ({counts.get(value, 0):,})",
            key=key,
            on_change=session.choose,
            args=(facet.column,),
            persist_state="session",
            placeholder="Any",
            select_all=False,
        )
        return
    with st.container(key=f"fr-values-{key}", gap="xxsmall"):
        if _has_swatches(facet):
            st.html(swatches.style(f"st-key-fr-values-{key}", values))
        st.pills(
            title,
            values,
            selection_mode="multi",
            format_func=lambda value: f"{plain(value)} :small[{counts.get(value, 0):,}]",
            key=key,
            on_change=session.choose,
            args=(facet.column,),
            persist_state="session",
        )


def _has_swatches(facet: Facet) -> bool:
    return len(facet.values) <= MOST_SWATCHES and swatches.are_colours(facet.values)


def chips() -> None:
    """The filters that are on, each with a way to take it off."""
    where = session.where()
    if not where:
        return
    with st.container(horizontal=True, gap="xsmall", key="fr-chips"):
        for column, values in where.items():
            for value in values:
                st.button(
                    plain(value),
                    key=f"chip-{column}-{value}",
                    icon=":material/close:",
                    help=f"{plain(facets.label(column))}: take this filter off",
                    on_click=_take_off,
                    args=(column, value),
                )
        st.button(
            "Clear filters", key="clear-filters", type="tertiary", on_click=session.clear_filters
        )


def _take_off(column: str, value: str) -> None:
    where = session.where()
    where[column] = [other for other in where.get(column, []) if other != value]
    session.set_where(where)


def facets_of(fitting_room: FittingRoom) -> Sequence[Facet]:
    """The columns that a visitor may narrow by, numbered once for an index."""
    return _facets(fitting_room.index.manifest.build, fitting_room)


@st.cache_resource(show_spinner=False, max_entries=4)
def _facets(build: str, _room: FittingRoom) -> list[Facet]:  # noqa: ARG001
    return facets.facets_of(_room.index.items, _room.attributes)
