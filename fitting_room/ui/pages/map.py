"""The map of the catalogue: every item a point, near what it looks like.

The points are drawn on a canvas by a component of the page's own: pydeck, which Streamlit brings,
can show no picture of a point that is pointed at unless it has an address for each of them, and
needs WebGL, which not every browser has. Pictures come in small numbers when a visitor points at
something, by a second component in a fragment of its own, so that the points are sent once.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from fitting_room.build import embedding_map
from fitting_room.catalogue.schema import columns_like
from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.search.searcher import Searcher
from fitting_room.ui.components import component, sent
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query import subjects
from fitting_room.ui.query.history import ITEM, query_of_items
from fitting_room.ui.query.subjects import ResolvedQuery
from fitting_room.ui.results import card_actions, controls
from fitting_room.ui.results.facets import Facet
from fitting_room.ui.results.swatches import colour_of
from fitting_room.ui.shared import media, once, resources
from fitting_room.ui.shared.text import label, plain

#: Values of a column that have a colour of their own; the others share the last one.
COLOURED = 9
#: Colours that differ on white and on black, also by those who do not see all of them
#: (Tol 2021, "bright" and "muted"), and grey for the rest.
PALETTE = (
    "#4477aa", "#ee6677", "#228833", "#ccaa33", "#55aadd", "#aa3377", "#dd7733", "#44aa99",
    "#8866cc", "#8d8d8d",
)  # fmt: skip
#: Columns that the points are coloured by at first, the first that a catalogue has.
USUAL = (
    "masterCategory", "subCategory", "product_group_name", "index_group_name", "articleType",
    "product_type_name", "product_type", "type", "category", "class",
)  # fmt: skip
#: Pictures of points that are sent at once, and their width and height.
MAX_PREVIEWS, PREVIEW_SIZE, PREVIEWS_KEPT = 80, (96, 128), 2_048
#: Kinds in the map in words.
KINDS_IN_WORDS = 30
#: Matches that are marked.
MARKED = 24


def page() -> None:
    """Draw the page."""
    card_actions.follow()
    fitting_room = resources.fitting_room()
    st.header("The catalogue at a glance", anchor=False)
    places = _places(fitting_room)
    if places is None:
        return
    resolved = subjects.resolve(fitting_room)
    words_side, column_side = st.columns([3, 1], gap="large", vertical_alignment="center")
    with column_side:
        facet = _facet(fitting_room)
    column = "" if facet is None else facet.column
    points = _points(fitting_room.index.manifest.build, column, facet, places)
    marks = _marks(fitting_room, resolved, places)
    words = "Each point is an item; what looks alike stands together."
    if marks["matches"]:
        words += " Rings are the matches of your query."
    words_side.caption(words + " Click a point to see what is like it.")
    title = f"Map of {len(places):,} items"
    if facet is not None:
        title += f", coloured by {label(column).lower()}"
    component("map")(
        key="map", data={**points, "marks": marks, "label": title}, on_pick_change=_pick
    )
    _previews(fitting_room.index.data.version)
    if facet is not None:
        _in_words(fitting_room, facet, places)


def _pick() -> None:
    """A point was clicked: its item becomes the query."""
    point, searcher = sent("map", "pick"), resources.now_open()
    if type(point) is int and 0 <= point < searcher.index.item_count:
        session = sessions.current()
        session.ask(query_of_items([str(searcher.items_once["id"].iloc[point])]))
        session.moved = True


@st.fragment
@resources.until_damaged
def _previews(version: Path) -> None:
    """Pictures and names of the points that the map requests."""
    searcher = resources.still(version)
    message = sent("previews", "request")
    points = message[:MAX_PREVIEWS] if isinstance(message, list) else []
    points = [p for p in points if type(p) is int and 0 <= p < searcher.index.item_count]
    rows = searcher.index.first_rows[np.array(points, np.int64)]
    hits = Hits(rows, np.zeros(len(rows), np.float32))
    matches = searcher.matches(hits, None)
    thumbnails = resources.thumbnails([match.image for match in matches])
    previews = [
        {"row": point, "name": match.name, "src": _preview(thumbnail)}
        for point, match, thumbnail in zip(points, matches, thumbnails, strict=True)
    ]
    # A callback makes Streamlit draw the fragment anew when a request comes.
    component("previews")(
        key="previews", data={"previews": previews}, on_request_change=lambda: None
    )


@lru_cache(PREVIEWS_KEPT)
def _preview(thumbnail: bytes | None) -> str | None:
    try:
        small = media.jpeg(open_image(thumbnail), PREVIEW_SIZE, quality=80) if thumbnail else None
    except ImageRejected:
        return None
    return media.data_uri(small) if small else None


# --- the points -------------------------------------------------------------------------------


def _places(searcher: Searcher) -> np.ndarray | None:
    """Where the items stand, each by its first picture: as the index says, or computed now where it
    is from before there were maps."""
    index, session = searcher.index, sessions.current()
    if index.map is not None:
        return index.map if index.item_pictures is None else index.map[index.first_rows]
    build = index.manifest.build
    if session.map_wanted != build:
        st.info(
            "This catalogue was indexed before there were maps. Its next build draws one and keeps "
            "it; it can also be drawn now, for as long as this page runs.",
            icon=":material/map:",
        )
        if not st.button("Draw the map", icon=":material/draw:", type="primary"):
            return None
        session.map_wanted = build
    rows = index.vectors if index.trained is None else index.trained
    places = once.compute(
        "map", build, lambda listener: embedding_map.lay_out(rows, listener), "Drawing the map …"
    )
    return places if index.item_pictures is None else places[index.first_rows]


def _facet(searcher: Searcher) -> Facet | None:
    """The column that the points are coloured by, as a visitor chooses it."""
    facets = {facet.column: facet for facet in controls.facets_of(searcher)}
    if not facets:
        return None
    session = sessions.current()
    if session.map_column not in facets:
        session.map_column = next(iter(columns_like(USUAL, facets)), next(iter(facets)))
    widget = session.widget("map_column")
    return facets[st.selectbox("Colours show", list(facets), format_func=label, **widget)]


@st.cache_resource(show_spinner=False, max_entries=8)
def _points(build: str, column: str, _facet: Facet | None, _places: np.ndarray) -> dict[str, Any]:  # noqa: ARG001
    """The points for the component: places in its units, and the place of each point's value among
    the labels."""
    if _facet is None:
        codes, values = np.zeros(len(_places), np.uint8), ["Items"]
        counts = [len(_places)]
    else:
        shown = min(len(_facet.values), COLOURED if len(_facet.values) > COLOURED + 1 else 99)
        known = (_facet.codes >= 0) & (_facet.codes < shown)
        codes = np.where(known, _facet.codes, shown).astype(np.uint8)
        values = list(_facet.values[:shown])
        counts = np.bincount(codes, minlength=shown).tolist()
        if len(counts) > shown:
            values.append("Others" if len(_facet.values) > shown else "No value")
    points = np.rint(_in_units(_places, _places)).astype("<u2")
    return {
        "count": len(_places),
        "points": base64.b64encode(points.tobytes()).decode("ascii"),
        "codes": base64.b64encode(codes.tobytes()).decode("ascii"),
        "labels": values,
        "counts": counts,
        "colours": _colours(values),
    }


def _colours(values: Sequence[str]) -> list[str]:
    """A colour for each value: where the values are colours their own, else the palette's."""
    own = [colour_of(value) for value in values]
    if sum(colour is not None for colour in own) >= 0.7 * len(values):
        return [c if c is not None and c.startswith("#") else PALETTE[-1] for c in own]
    return [PALETTE[min(place, len(PALETTE) - 1)] for place in range(len(values))]


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
    points, rows, own = searcher.index.item_numbers, [], []
    for subject, picture in zip(resolved.query.subjects, resolved.pictures, strict=True):
        if subject.kind == ITEM:
            rows.append(searcher.row(subject.id))
        else:
            nearest = [m.row for m in searcher.search(picture.features, 5, options=options)]
            middle = np.median(places[points(nearest)], axis=0)
            own.append(_in_units(middle, places).tolist())
    found = np.array([match.row for match in matches], np.int64)
    return {
        "query": points(np.array(rows, np.int64)).tolist(),
        "matches": points(found).tolist(),
        "own": own,
    }


def _in_units(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Points in the component's units: 0 to 65534 along the longer side of the map."""
    low, high = places.min(axis=0), places.max(axis=0)
    scale = max(float((high - low).max()), 1e-9)
    return np.asarray((points - (low + high) / 2) / scale * 65534 + 32767)


# --- in words ---------------------------------------------------------------------------------


def _in_words(searcher: Searcher, facet: Facet, places: np.ndarray) -> None:
    """The map for those who do not see it, and for those who wonder."""
    with st.expander("The map in words", icon=":material/text_fields:"):
        st.caption(
            "Where most items of each kind stand on the map, and which kinds stand nearest to them."
        )
        table = _kinds(searcher.index.manifest.build, facet.column, places, facet)
        st.table(table, hide_index=True)


@st.cache_resource(show_spinner=False, max_entries=8)
def _kinds(build: str, column: str, _places: np.ndarray, _facet: Facet) -> dict[str, list[str]]:  # noqa: ARG001
    shown = range(min(len(_facet.values), KINDS_IN_WORDS))
    middles = np.array([np.median(_places[_facet.codes == code], axis=0) for code in shown])
    low, high = _places.min(axis=0), _places.max(axis=0)
    where, beside = [], []
    for code, middle in enumerate(middles):
        across, down = (middle - low) / np.maximum(high - low, 1e-9)
        where.append(_region(float(across), float(down)))
        distances = np.square(middles - middle).sum(axis=1)
        nearest = [other for other in np.argsort(distances, kind="stable") if other != code][:2]
        beside.append(plain(", ".join(_facet.values[other] for other in nearest)))
    return {
        plain(label(column)): list(map(plain, _facet.values[: len(shown)])),
        "Items": [f"{count:,}" for count in _facet.counts(None).values()][: len(shown)],
        "Where": where,
        "Beside": beside,
    }


def _region(across: float, down: float) -> str:
    """A part of the map in words; ``down`` grows downwards."""
    words = (("top", "middle", "bottom")[min(2, int(down * 3))],
             ("left", "centre", "right")[min(2, int(across * 3))])  # fmt: skip
    return {"middle centre": "centre"}.get(" ".join(words), " ".join(words))
