"""The controls: how many matches, shape or colour, and which part of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from fitting_room.index.head import is_trained_here
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search.searcher import Searcher
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.address import POSITIONS
from fitting_room.ui.query.session import COUNTS
from fitting_room.ui.results import facets, swatches
from fitting_room.ui.results.facets import Facet
from fitting_room.ui.shared.text import label, plain

#: A column with at most this many values shows them all; a larger one is a list to search in.
MAX_PILLS = 12
#: Values of a column of colours that are shown as swatches.
MAX_SWATCHES = 60


def how_many() -> int:
    """The slider for the number of matches."""
    number = sessions.current().widget("n")
    return int(st.slider("How many", COUNTS[0], COUNTS[-1], **number, width="stretch"))


def options(searcher: Searcher, *, trained: bool, plain_background: bool) -> SimilarityOptions:
    """The slider from shape to colour.

    Its position is the root of the weight: shape and colour change places all along the slider,
    and not only at its lower end. The usual position depends on the picture and on the head: a
    slider that nobody moved follows it, and one that was moved stays."""
    session = sessions.current()
    weight = searcher.index.colour_weight(
        SimilarityOptions(trained=trained), plain_background=plain_background
    )
    usual = min(POSITIONS, key=lambda position: abs(position / 100 - weight**0.5))
    position = st.select_slider(
        "Shape or colour",
        POSITIONS,
        format_func=_position_in_words,
        **session.widget("colour", usual if session.colour is None else session.colour),
        help="To the left the cut counts, to the right the colour. "
        f"{usual} % was best where it was measured.",
    )
    session.colour = None if position == usual else position
    return SimilarityOptions(
        colour=None if position == usual else (position / 100) ** 2, trained=trained
    )


def _position_in_words(position: int) -> str:
    return {0: "shape", 100: "colour"}.get(position, f"{position} % colour")


def trained(searcher: Searcher) -> bool:
    """The switch for the head, where the index has one."""
    head = searcher.index.head
    if head is None:
        return True
    here = is_trained_here(head)
    learned = "this catalogue's own labels" if here else "pictures of fashion and their labels"
    return st.toggle(
        "Trained on this catalogue" if here else "Trained on fashion",
        **sessions.current().widget("trained"),
        help=f"Rank with what was learned from {learned}; "
        "switched off, as the network sees the pictures by itself.",
    )


def fold() -> bool:
    """The switch for near-duplicates."""
    return st.toggle(
        "Group look-alikes",
        **sessions.current().widget("fold"),
        help="Items that look all but the same share one card, with their number.",
    )


# --- filters ----------------------------------------------------------------------------------


def filters(searcher: Searcher) -> dict[str, list[str]]:
    """Filters over the catalogue's own columns, with the number of items that each value leaves.
    Returns the chosen values by column."""
    session, offered = sessions.current(), facets_of(searcher)
    if not offered:
        return {}
    chosen = sum(map(len, session.where.values()))
    counts = facets.count_all(offered, session.where)
    title = f"Filter ({chosen})" if chosen else "Filter"
    with st.popover(title, icon=":material/tune:", width="stretch", key="fr-filter"):
        remaining = facets.remaining(offered, session.where)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{remaining:,}** of {searcher.index.item_count:,} items", width="stretch"
            )
            clear_button("Clear all", "inside", disabled=not chosen)
        for facet in offered:
            _filter(facet, counts[facet.column])
    return session.where


def clear_button(title: str, place: str, **how: Any) -> None:
    """A button that takes all filters off; ``place`` is a name of its own."""
    st.button(
        title,
        key=f"clear-filters-{place}",
        type="tertiary",
        on_click=sessions.current().filter_by,
        args=({},),
        **how,
    )


def _filter(facet: Facet, counts: dict[str, int]) -> None:
    session, title = sessions.current(), plain(label(facet.column))
    # A value that leaves nothing is not offered, unless it is chosen and may be taken off.
    chosen = session.where.get(facet.column, [])
    values = [value for value in facet.values if counts[value] or value in chosen]
    key = session.filter_key(facet.column)
    widget = sessions.widget(key, chosen, session.take_filter, facet.column)
    has_swatches = len(facet.values) <= MAX_SWATCHES and swatches.are_colours(facet.values)
    if len(facet.values) > MAX_PILLS and not has_swatches:
        st.multiselect(
            title,
            values,
            format_func=lambda value: f"{value} ({counts.get(value, 0):,})",
            **widget,
            placeholder="Any",
            select_all=False,
        )
        return
    with st.container(key=f"fr-values-{key}", gap="xxsmall"):
        if has_swatches:
            st.html(swatches.style(f"st-key-fr-values-{key}", values))
        st.pills(
            title,
            values,
            selection_mode="multi",
            format_func=lambda value: f"{plain(value)} :small[{counts.get(value, 0):,}]",
            **widget,
        )


def chips() -> None:
    """The filters that are on, each with a button that takes it off."""
    where = sessions.current().where
    if not where:
        return
    with st.container(horizontal=True, gap="xsmall", key="fr-chips"):
        for column, values in where.items():
            for value in values:
                st.button(
                    plain(value),
                    key=f"chip-{column}-{value}",
                    icon=":material/close:",
                    help=f"{plain(label(column))}: take this filter off",
                    on_click=_take_off,
                    args=(column, value),
                )
        clear_button("Clear filters", "chips")


def _take_off(column: str, value: str) -> None:
    session = sessions.current()
    values = [other for other in session.where.get(column, []) if other != value]
    session.filter_by({**session.where, column: values})


def facets_of(searcher: Searcher) -> Sequence[Facet]:
    """The columns that a visitor may filter by, numbered once for an index: one code an item, in
    the order of ``index.first_rows``."""
    return _facets(searcher.index.manifest.build, searcher)


@st.cache_resource(show_spinner=False, max_entries=4)
def _facets(build: str, _searcher: Searcher) -> list[Facet]:  # noqa: ARG001
    return facets.facets_of(_searcher.items_once, _searcher.attributes)
