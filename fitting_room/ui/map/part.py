"""The gallery below the map: the items of the part that a visitor chose.

It is a fragment with a component of its own, by which the map tells what was chosen, so that a
choice sends no points again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from fitting_room.index.scoring import Hits
from fitting_room.search.facets import Facet
from fitting_room.search.searcher import Searcher
from fitting_room.ui.components import component, sent
from fitting_room.ui.map import points
from fitting_room.ui.map.view import box_of
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.history import MAX_SUBJECTS, query_of_items
from fitting_room.ui.results import card_actions, controls
from fitting_room.ui.results.card_data import cards_of
from fitting_room.ui.results.gallery import cards
from fitting_room.ui.shared import resources
from fitting_room.ui.shared.text import plain, quoted

#: Cards on a page.
ON_PAGE = 24


@st.fragment
@resources.until_damaged
def show(version: str) -> None:
    """Draw what the visitor chose of the map that was drawn with that ``version`` of the index."""
    fitting_room, session = resources.still(version), sessions.current()
    searcher = fitting_room.sampled
    if session.moved:
        st.rerun()  # a card became the query, which another page shows
    facets = controls.facets_of(searcher)
    facet = next((f for f in facets if f.column == session.map.column), None)
    if session.map.part is not None:
        with st.container(key="fr-map-part"):
            _gallery(searcher, facet)
    write_address(facets)
    only = None
    if session.map.only is not None and facet is not None:
        values = facet.values
        only = values.index(session.map.only) if session.map.only in values else len(values)
    component("part")(
        key="part", data={"part": session.map.part, "only": only}, on_choose_change=_choose
    )
    card_actions.open_dialog(fitting_room, None)


def write_address(facets: Sequence[Facet]) -> None:
    """Bring the address up to date."""
    view = sessions.current().map
    view.acted = False
    view.address = view.params(points.usual_column([f.column for f in facets]) if facets else "")
    if view.address != shown_address():
        st.query_params.from_dict(view.address)


def shown_address() -> dict[str, list[str]]:
    """The parameters of the address as it is."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def _choose() -> None:
    """A part was chosen on the map. The message comes from a browser: it may be anything."""
    message, view = sent("part", "choose"), sessions.current().map
    if not isinstance(message, dict) or (part := box_of(message.get("part"))) is None:
        return
    only, value = message.get("only"), None
    if type(only) is int and only >= 0:
        facets = {facet.column: facet for facet in controls.facets_of(resources.now_open().sampled)}
        values = facets[view.column].values if view.column in facets else ()
        value = values[only] if only < len(values) else ""
    view.choose(part, value)


def items_of(
    searcher: Searcher, facet: Facet | None, part: tuple[int, ...], only: str | None
) -> np.ndarray:
    """The numbers, int64 ``(n,)``, of the items within a part of the map, and of that value where
    one is named; the ones in its middle first."""
    places = points.places_of(searcher)
    left, top, right, bottom = part
    at = np.rint(points.in_units(places, places))  # as the browser has them
    inside = ((at >= (left, top)) & (at <= (right, bottom))).all(axis=1)
    if facet is not None and only is not None:
        inside &= facet.mask([only]) if only else facet.codes < 0
    items = np.flatnonzero(inside)
    away = np.square(at[items] - ((left + right) / 2, (top + bottom) / 2)).sum(axis=1)
    return np.asarray(items[np.argsort(away, kind="stable")])


def _gallery(searcher: Searcher, facet: Facet | None) -> None:
    view = sessions.current().map
    if view.part is None:
        return
    items = items_of(searcher, facet, view.part, view.only)
    with st.container(horizontal=True, vertical_alignment="center", key="fr-map-part-head"):
        title = f"{len(items):,} item{'' if len(items) == 1 else 's'} in this part of the map"
        st.subheader(title, anchor=False)
        if 0 < len(items) <= MAX_SUBJECTS:
            st.button(
                "Search with these", icon=":material/search:", on_click=_search_with, args=(items,)
            )
        st.button("Close", icon=":material/close:", on_click=view.choose, args=(None,))
    if words := _in_words(facet, items, view.only):
        st.caption(plain(words))
    if not len(items):
        st.html('<p class="fr-nothing">Nothing stands here. Choose another part of the map.</p>')
        return
    pages = -(-len(items) // ON_PAGE)
    view.page = min(view.page, pages)
    if pages > 1:
        _pagination(pages)
    shown = items[(view.page - 1) * ON_PAGE : view.page * ON_PAGE]
    rows = searcher.index.first_rows[shown]
    matches = searcher.matches(Hits(rows, np.zeros(len(rows), np.float32)), None)
    cards(None, cards_of(matches, "map"), title, "map-cards")


def _pagination(pages: int) -> None:
    view = sessions.current().map
    key = f"map-page-{pages}"

    def turn() -> None:
        view.page, view.acted = int(sessions.chosen(key)), True

    st.pagination(pages, **sessions.widget(key, view.page, turn), width="content")


def _in_words(facet: Facet | None, items: np.ndarray, only: str | None) -> str:
    """Which values these items have, the commonest first, and in which order they stand."""
    if facet is None or not len(items):
        return ""
    order = "The ones in its middle come first."
    if only is not None:
        return f"{quoted(only) if only else points.NO_VALUE} alone. {order}"
    known = facet.codes[items][facet.codes[items] >= 0]
    counts = np.bincount(known, minlength=1)
    commonest = [code for code in np.argsort(-counts, kind="stable")[:4].tolist() if counts[code]]
    parts = [f"{counts[code]:,} {facet.values[code]}" for code in commonest]
    more = " …" if (counts > 0).sum() > len(parts) else "."
    return f"{', '.join(parts)}{more} {order}" if parts else order


def _search_with(items: np.ndarray) -> None:
    """The items of a small part become the query."""
    searcher, session = resources.now_open().sampled, sessions.current()
    if items.max() < searcher.index.item_count:
        session.ask(query_of_items(searcher.items_once["id"].iloc[items].astype(str)))
        session.moved = True
