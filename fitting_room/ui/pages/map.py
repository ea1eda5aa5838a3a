"""The map of the catalogue: every item a point, near what it looks like.

The points are drawn on a canvas by a component of the page's own: pydeck, which Streamlit brings,
can show no picture of a point that is pointed at unless it has an address for each of them, and
needs WebGL, which not every browser has. Pictures come in small numbers, those of some items from
the start and of others when a visitor zooms in or points at them, by a second component in a
fragment of its own, so that the points are sent once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import streamlit as st

from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.imaging.thumbnails import as_jpeg
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.search.facets import Facet
from fitting_room.search.searcher import Searcher
from fitting_room.ui.components import component, sent
from fitting_room.ui.map import part, points, words
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query import subjects
from fitting_room.ui.query.history import ITEM, query_of_items
from fitting_room.ui.query.subjects import ResolvedQuery
from fitting_room.ui.results import card_actions, controls
from fitting_room.ui.shared import media, resources
from fitting_room.ui.shared.text import label, plain

#: Pictures of points that are sent at once, and their width and height.
MAX_PREVIEWS, PREVIEW_SIZE, PREVIEWS_KEPT = 80, (96, 128), 2_048
#: Matches that are marked.
MARKED = 24


def page() -> None:
    """Draw the page."""
    card_actions.follow()
    fitting_room = resources.fitting_room()
    st.header("Map of the catalogue", anchor=False)
    searcher = fitting_room.sampled
    if not _is_drawn(searcher):
        return
    places, facets = points.places_of(searcher), controls.facets_of(searcher)
    columns = {facet.column: facet.values for facet in facets}
    view = sessions.current().map
    if columns and view.column not in columns:
        view.column = points.usual_column(list(columns))
    view.read(part.shown_address(), columns)
    resolved = subjects.resolve(fitting_room)
    words_side, column_side = st.columns([3, 1], gap="large", vertical_alignment="center")
    with column_side:
        facet = _facet({facet.column: facet for facet in facets})
    marks = _marks(searcher, resolved, places)
    data = points.data(
        searcher.index.manifest.build, "" if facet is None else facet.column, facet, places
    )
    title, names = f"Map of {len(places):,} items", []
    text = "What looks alike stands together."
    if sample := fitting_room.sample_in_words:
        text = f"{sample} {text}"
    if facet is not None:
        naming = points.naming_facet(facet, facets)
        names = points.names(searcher.index.manifest.build, naming.column, naming, places)
        title += f", coloured by {label(facet.column).lower()}"
        if names:
            text += f" Names stand where one {label(naming.column).lower()} is the commonest."
    if marks["matches"]:
        text += " Rings are the matches of your query."
    words_side.caption(plain(text + " Click an item to see what is like it."))
    data = {**data, "names": names, "marks": marks, "label": title}
    component("map")(key="map", data=data, on_pick_change=_pick)
    _previews(fitting_room.index.version)
    part.show(fitting_room.index.version)
    if facet is not None:
        words.show(searcher, facet, places)


def _is_drawn(searcher: Searcher) -> bool:
    """Whether there is a map: the index has one, or a visitor wants it to be drawn now."""
    session, build = sessions.current(), searcher.index.manifest.build
    if searcher.index.map is not None or session.map_wanted == build:
        return True
    st.info(
        "This catalogue was indexed before there were maps. Its next build draws one and keeps "
        "it; it can also be drawn now, for as long as this page runs.",
        icon=":material/map:",
    )
    if not st.button("Draw the map", icon=":material/draw:", type="primary"):
        return False
    session.map_wanted = build
    return True


def _facet(facets: dict[str, Facet]) -> Facet | None:
    """The column that the points are coloured by, as a visitor chooses it."""
    if not facets:
        return None
    view = sessions.current().map

    def choose() -> None:
        view.colour_by(sessions.chosen("map_column"))

    widget = sessions.widget("map_column", view.column, choose)
    return facets[st.selectbox("Colours show", list(facets), format_func=label, **widget)]


def _pick() -> None:
    """A point was clicked: its item becomes the query."""
    point, searcher = sent("map", "pick"), resources.now_open().sampled
    if type(point) is int and 0 <= point < searcher.index.item_count:
        session = sessions.current()
        session.ask(query_of_items([str(searcher.items_once["id"].iloc[point])]))
        session.moved = True


@st.fragment
@resources.until_damaged
def _previews(version: str) -> None:
    """Pictures and names of the points that the map requests."""
    searcher = resources.still(version).sampled
    message = sent("previews", "request")
    wanted = message[:MAX_PREVIEWS] if isinstance(message, list) else []
    wanted = [p for p in wanted if type(p) is int and 0 <= p < searcher.index.item_count]
    rows = searcher.index.first_rows[np.array(wanted, np.int64)]
    hits = Hits(rows, np.zeros(len(rows), np.float32))
    matches = searcher.matches(hits, None)
    thumbnails = resources.thumbnails([match.image for match in matches])
    previews = [
        {"row": number, "name": match.name, "src": _preview(thumbnail)}
        for number, match, thumbnail in zip(wanted, matches, thumbnails, strict=True)
    ]
    # A callback makes Streamlit draw the fragment anew when a request comes.
    component("previews")(
        key="previews", data={"previews": previews}, on_request_change=lambda: None
    )


@lru_cache(PREVIEWS_KEPT)
def _preview(thumbnail: bytes | None) -> str | None:
    try:
        small = as_jpeg(open_image(thumbnail), PREVIEW_SIZE, quality=80) if thumbnail else None
    except ImageRejected:
        return None
    return media.data_uri(small) if small else None


def _marks(
    searcher: Searcher, resolved: ResolvedQuery | None, places: np.ndarray
) -> dict[str, Any]:
    """The query and its matches: points of items, and for the visitor's own pictures the place
    among their nearest items."""
    if resolved is None:
        return {"query": [], "matches": [], "own": []}
    session = sessions.current()
    options = SimilarityOptions(trained=session.trained)
    matches = searcher.search(
        resolved.features,
        MARKED,
        session.where,
        options=options,
        negatives=resolved.negatives,
        without=resolved.items,
    )
    numbers, rows, own = searcher.index.item_numbers, [], []
    for subject, picture in zip(resolved.query.subjects, resolved.pictures, strict=True):
        row = searcher.row(subject.id) if subject.kind == ITEM else None
        if row is not None:
            rows.append(row)
        else:
            nearest = [m.row for m in searcher.search(picture.features, 5, options=options)]
            middle = np.median(places[numbers(nearest)], axis=0)
            own.append(points.in_units(middle, places).tolist())
    found = np.array([match.row for match in matches], np.int64)
    return {
        "query": numbers(np.array(rows, np.int64)).tolist(),
        "matches": numbers(found).tolist(),
        "own": own,
    }
