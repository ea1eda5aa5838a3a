"""The controls: how many matches, shape or colour, and which part of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from fitting_room.index.head import is_trained_here
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search import facets
from fitting_room.search.facets import Choice, Counted, Facet
from fitting_room.search.searcher import Searcher
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.address import POSITIONS
from fitting_room.ui.query.session import COUNTS
from fitting_room.ui.results import order, swatches
from fitting_room.ui.shared import marks
from fitting_room.ui.shared.text import label, plain

#: A column with at most this many values shows them all; a larger one is a list to search in.
MAX_PILLS = 12
#: Seconds for which the numbers of a database are shown before they are counted again.
COUNTED_FOR = 60
#: Counts what each value would leave, beside filters by column.
Counter = Callable[[Mapping[str, Sequence[str]]], Counted]
#: Width of a slider in the row of options, in pixels.
SLIDER = 240
#: Values of a column of colours that are shown as swatches.
MAX_SWATCHES = 60


@contextmanager
def row(offered: Sequence[Choice], searcher: Searcher | None = None) -> Iterator[None]:
    """One row of options: what is drawn within, then the filters, of the columns that are
    ``offered``, and beside a query the rest, behind buttons."""
    with st.container(key="fr-options", horizontal=True, vertical_alignment="bottom", gap="medium"):
        yield
        _filter_button(offered)
        if searcher is not None:
            with st.popover("Options", icon=":material/more_horiz:", key="fr-more"):
                order.offer(searcher)
                _fold()
                _trained(searcher)
    chips()


def how_many() -> int:
    """The slider for the number of matches."""
    session = sessions.current()
    number = session.widget("n")
    return int(
        st.slider("How many", COUNTS[0], COUNTS[-1], value=session.n, **number, width=SLIDER)
    )


def options(searcher: Searcher, *, plain_background: bool) -> SimilarityOptions:
    """The slider from shape to colour.

    Its position is the root of the weight: shape and colour change places all along the slider,
    and not only at its lower end. The usual position depends on the picture and on the head: a
    slider that nobody moved follows it, and one that was moved stays."""
    session = sessions.current()
    trained = session.trained or searcher.index.head is None
    weight = searcher.index.colour_weight(
        SimilarityOptions(trained=trained), plain_background=plain_background
    )
    usual = min(POSITIONS, key=lambda position: abs(position / 100 - weight**0.5))
    shown = usual if session.colour is None else session.colour
    position = st.select_slider(
        "Shape or colour",
        POSITIONS,
        value=shown,
        format_func=_position_in_words,
        **session.widget("colour", shown),
        width=SLIDER,
    )
    session.colour = None if position == usual else position
    return SimilarityOptions(
        colour=None if position == usual else (position / 100) ** 2, trained=trained
    )


def _position_in_words(position: int) -> str:
    return {0: "shape", 100: "colour"}.get(position, f"{position} % colour")


def _trained(searcher: Searcher) -> None:
    """The switch for the head, where the index has one."""
    head = searcher.index.head
    if head is None:
        return
    labels = (
        "this catalogue's own" if is_trained_here(head) else "many pictures of fashion and their"
    )
    st.toggle(
        "Knows fashion",
        **sessions.shown_later("trained"),
        help=f"Ranks with what was learned from {labels} labels; "
        "switched off, by shapes and colours as they are.",
    )


def _fold() -> None:
    """The switch for near-duplicates."""
    st.toggle(
        "Group look-alikes",
        **sessions.shown_later("fold"),
        help="Items that look all but the same share one card, with their number.",
    )


# --- filters ----------------------------------------------------------------------------------


def _filter_button(offered: Sequence[Choice]) -> None:
    session = sessions.current()
    if not offered:
        return
    chosen = sum(map(len, session.where.values()))
    st.button(
        f"Filter ({chosen})" if chosen else "Filter",
        icon=":material/tune:",
        key="filter",
        on_click=_open_filters,
    )


def _open_filters() -> None:
    session = sessions.current()
    session.filtering = not session.filtering


@contextmanager
def beside_filters(offered: Sequence[Choice], count: Counter, items: int) -> Iterator[None]:
    """A place for cards; the panel of filters stands beside it while it is open. It is there when
    it is closed, empty and unseen, so that opening it moves no card to another place of the page.
    The cards are waited for, and come first."""
    session = sessions.current()
    is_open = session.filtering and bool(offered)
    with st.container(key="fr-body"):
        marks.mark("open" if is_open else "closed")
        cards_side, filter_side = st.columns([3.2, 1.2], gap="medium")
    with filter_side:
        panel = st.container(key="fr-filters")
    with cards_side:
        yield
    if is_open:
        with panel:
            _filters(offered, count, items)


def _filters(offered: Sequence[Choice], count: Counter, items: int) -> None:
    """Filters over the catalogue's own columns, with the number of items that each value leaves, of
    so many items."""
    session = sessions.current()
    chosen = sum(map(len, session.where.values()))
    counted = count(session.where)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{counted.items:,}** of {items:,} items", width="stretch")
        clear_button("Clear all", "inside", disabled=not chosen)
    if counted.estimated:
        st.caption("The numbers are estimates, counted on a sample of the catalogue.")
    for choice in offered:
        _filter(choice, counted.by_column[choice.column], estimated=counted.estimated)
    st.button("Close", key="close-filters", on_click=_open_filters, width="stretch")


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


def _filter(choice: Choice, counts: Mapping[str, int], *, estimated: bool) -> None:
    session, title = sessions.current(), plain(label(choice.column))
    # A value that leaves nothing is not offered, unless it is chosen and may be taken off.
    chosen = session.where.get(choice.column, [])
    # What a sample lacks may be there, so that of an estimate everything is offered.
    values = [v for v in choice.values if counts.get(v) or v in chosen or estimated]
    values.sort(key=lambda value: -counts.get(value, 0))  # the commonest of what is left first
    key = session.filter_key(choice.column)
    widget = sessions.widget(key, chosen, session.take_filter, choice.column)
    has_swatches = len(choice.values) <= MAX_SWATCHES and swatches.are_colours(choice.values)
    if len(choice.values) > MAX_PILLS and not has_swatches:
        st.multiselect(
            title,
            values,
            format_func=lambda value: f"{value} ({_number(counts.get(value), estimated)})",
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
            format_func=lambda value: (
                f"{plain(value)} :small[{_number(counts.get(value), estimated)}]"
            ),
            **widget,
        )


def _number(count: int | None, estimated: bool) -> str:
    """A number of items; what was counted on a sample to two digits."""
    if not estimated:
        return f"{count or 0:,}"
    if not count:
        return "few"
    return f"about {round(count, 2 - len(str(count))):,}"


def chips() -> None:
    """The filters that are on, and an order other than the usual, each with a button that takes it
    off."""
    where = sessions.current().where
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
        ordered = order.chips()
        if ordered and ordered + len(where) > 1:
            st.button("Clear all", key="clear-all", type="tertiary", on_click=_clear_all)
        elif where:
            clear_button("Clear filters", "chips")


def _clear_all() -> None:
    order.take_back()
    sessions.current().filter_by({})


def _take_off(column: str, value: str) -> None:
    session = sessions.current()
    values = [other for other in session.where.get(column, []) if other != value]
    session.filter_by({**session.where, column: values})


def choices_of(searcher: Searcher) -> Sequence[Choice]:
    """The columns that a visitor may filter by, found once for an index."""
    return _choices(searcher.index.manifest.build, searcher)


@st.cache_resource(show_spinner=False, max_entries=4)
def _choices(build: str, _searcher: Searcher) -> list[Choice]:  # noqa: ARG001
    return facets.choices_of(_searcher.index, _searcher.attributes)


def counter(searcher: Searcher) -> Counter:
    """What counts the items that each value of these columns would leave."""
    columns = tuple(choice.column for choice in choices_of(searcher))
    if searcher.is_local:
        return lambda where: facets.counted(searcher.index.store, columns, where)
    return lambda where: _counted(
        searcher.index.version,
        tuple((column, tuple(values)) for column, values in where.items()),
        columns,
        searcher,
    )


@st.cache_resource(show_spinner=False, max_entries=256, ttl=COUNTED_FOR)
def _counted(
    version: str,  # noqa: ARG001
    where: Sequence[tuple[str, Sequence[str]]],
    columns: Sequence[str],
    _searcher: Searcher,
) -> Counted:
    """What a database counts for all visitors, which takes it a while."""
    return facets.counted(_searcher.index.store, columns, dict(where))


def facets_of(searcher: Searcher) -> Sequence[Facet]:
    """The same of a local index, numbered once: one code an item, in the order of
    ``index.first_rows``."""
    return _facets(searcher.index.manifest.build, searcher)


@st.cache_resource(show_spinner=False, max_entries=4)
def _facets(build: str, _searcher: Searcher) -> list[Facet]:  # noqa: ARG001
    return facets.facets_of(_searcher.items_once, _searcher.attributes)
