"""The map of the catalogue: every item a point, near what it looks like.

The points are drawn on a canvas by a component of the page's own: pydeck, which Streamlit brings,
can show no picture of a point that is pointed at unless it has an address for each of them, and
needs WebGL, which not every browser has. Pictures come in small numbers when a visitor points at
something, by a second component in a fragment of its own, so that the points are sent once.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import streamlit as st

from fitting_room.build import embedding_map
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.ui.components import component, sent
from fitting_room.ui.query import session, subjects
from fitting_room.ui.query.history import ITEM, of_items
from fitting_room.ui.query.subjects import Asked
from fitting_room.ui.results import controls
from fitting_room.ui.results.facets import Facet, label
from fitting_room.ui.results.swatches import colour_of
from fitting_room.ui.shared import media, once, resources

#: Values of a column that have a colour of their own; the others share the last one.
COLOURED = 9
#: Colours that are told apart on white and on black, also by those who do not see all of them
#: (Tol 2021, "bright" and "muted"), and grey for the rest.
PALETTE = (
    "#4477aa", "#ee6677", "#228833", "#ccaa33", "#55aadd", "#aa3377", "#dd7733", "#44aa99",
    "#8866cc", "#8d8d8d",
)  # fmt: skip
#: Columns that the points are coloured by at first, the first that a catalogue has.
USUAL = ("masterCategory", "subCategory", "articleType", "class")
#: Pictures that are asked for at once, and the size they have.
MOST_FACES, FACE_SIZE, FACES_KEPT = 80, (96, 128), 2_048
#: Kinds that the map in words tells of.
KINDS_IN_WORDS = 30
#: Matches that are marked.
MARKED = 24


def page() -> None:
    """Draw the page."""
    fitting_room = resources.fitting_room()
    if picked := st.session_state.pop("picked", None):
        session.ask_about(of_items([picked]))
        parts = st.session_state.parts
        st.switch_page(parts[0], query_params=session.params_of(session.history().query))
    st.header("The catalogue at a glance", anchor=False)
    places = _places(fitting_room)
    if places is None:
        return
    asked = subjects.current(fitting_room)
    words_side, column_side = st.columns([3, 1], gap="large", vertical_alignment="center")
    with column_side:
        column = _column(fitting_room)
    name = None if column is None else column.column
    points = _points(fitting_room.index.manifest.build, name, fitting_room, places)
    marks = _marks(fitting_room, asked, places)
    words = "Each point is an item; what looks alike stands together."
    if marks["matches"]:
        words += " Rings are the matches of what you asked about."
    words_side.caption(words + " Click a point to see what is like it.")
    component("atlas")(
        key="atlas",
        data={**points, "marks": marks, "label": _label(fitting_room, column)},
        on_pick_change=partial(_pick, fitting_room),
    )
    _faces(fitting_room)
    if column is not None:
        _in_words(fitting_room, column, places)


def _pick(fitting_room: FittingRoom) -> None:
    """A point was clicked: its item becomes what is asked about."""
    row = sent("atlas", "pick")
    if type(row) is int and 0 <= row < len(fitting_room.index):
        st.session_state.picked = str(fitting_room.index.items["id"].iloc[row])


@st.fragment
def _faces(fitting_room: FittingRoom) -> None:
    """Pictures and names of the points that are asked for."""
    state_of = st.session_state.get("faces")
    wanted = state_of.get("look") if state_of is not None else None
    rows = [row for row in wanted if type(row) is int] if isinstance(wanted, list) else []
    rows = [row for row in rows[:MOST_FACES] if 0 <= row < len(fitting_room.index)]
    component("faces")(
        key="faces", data={"faces": _faces_of(fitting_room, rows)}, on_look_change=_looked
    )


def _looked() -> None:
    """Nothing is to be done but to draw the fragment anew."""


def _faces_of(fitting_room: FittingRoom, rows: Sequence[int]) -> list[dict[str, Any]]:
    nothing = np.zeros(len(rows), np.float32)
    faces = []
    for row, match in zip(
        rows, fitting_room.matches(Hits(np.array(rows, np.int64), nothing), None), strict=True
    ):
        jpeg = resources.thumbnail(match.image)
        faces.append({"row": row, "name": match.name, "src": None if jpeg is None else _face(jpeg)})
    return faces


@lru_cache(FACES_KEPT)
def _face(jpeg: bytes) -> str:
    try:
        return media.data_uri(media.jpeg(open_image(jpeg), FACE_SIZE, quality=80))
    except ImageRejected:
        return ""


# --- the points -------------------------------------------------------------------------------


def _places(fitting_room: FittingRoom) -> np.ndarray | None:
    """Where the items stand: as the index says, or drawn now where it is from before there were
    maps."""
    if fitting_room.index.map is not None:
        return fitting_room.index.map
    build = fitting_room.index.manifest.build
    if build not in st.session_state.setdefault("maps_wanted", set()):
        st.info(
            "This catalogue was indexed before there were maps. Its next build draws one and keeps "
            "it; it can also be drawn now, for as long as this page runs.",
            icon=":material/map:",
        )
        if not st.button("Draw the map", icon=":material/draw:", type="primary"):
            return None
        st.session_state.maps_wanted.add(build)
    rows = (
        fitting_room.index.vectors
        if fitting_room.index.trained is None
        else fitting_room.index.trained
    )
    return once.work_out(
        "map", build, lambda listener: embedding_map.lay_out(rows, listener), "Drawing the map …"
    )


def _column(fitting_room: FittingRoom) -> Facet | None:
    facets = {facet.column: facet for facet in controls.facets_of(fitting_room)}
    if not facets:
        return None
    usual = next((c for c in USUAL if c in facets), next(iter(facets)))
    if st.session_state.get("map_column") not in facets:
        st.session_state.map_column = usual
    chosen = st.selectbox("Colours show", list(facets), format_func=label, key="map_column")
    return facets[chosen]


@st.cache_resource(show_spinner=False, max_entries=8)
def _points(
    build: str,  # noqa: ARG001
    column: str | None,
    _room: FittingRoom,
    _places: np.ndarray,
) -> dict[str, Any]:
    """The points for the component: places in steps of 1/65535 of the map, and the place of each
    point's value among the labels."""
    steps = np.rint(_steps(_places, _places)).astype("<u2")
    facet = next((f for f in controls.facets_of(_room) if f.column == column), None)
    if facet is None:
        codes, values = np.zeros(len(_places), np.uint8), ["Items"]
        counts = [len(_places)]
    else:
        shown = min(len(facet.values), COLOURED if len(facet.values) > COLOURED + 1 else 99)
        known = (facet.codes >= 0) & (facet.codes < shown)
        codes = np.where(known, facet.codes, shown).astype(np.uint8)
        values = list(facet.values[:shown])
        counts = np.bincount(codes, minlength=shown).tolist()
        if len(counts) > shown:
            values.append("Others" if len(facet.values) > shown else "Not said")
    return {
        "count": len(_places),
        "points": base64.b64encode(steps.tobytes()).decode("ascii"),
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
    colours = [*PALETTE[:-1][: len(values)]]
    return [*colours, *[PALETTE[-1]] * (len(values) - len(colours))]


def _marks(fitting_room: FittingRoom, asked: Asked | None, places: np.ndarray) -> dict[str, Any]:
    """What is asked about and its matches: rows of items, and for the visitor's own pictures the
    place among their nearest."""
    if asked is None:
        return {"query": [], "matches": [], "own": []}
    options = SimilarityOptions(trained=bool(st.session_state.get("trained", True)))
    rows = [fitting_room.row(s.id) for s in asked.query.subjects if s.kind == ITEM]
    matches = fitting_room.search(
        asked.features,
        MARKED,
        session.where(),
        options=options,
        negatives=asked.negatives,
        without=asked.items,
    )
    own = []
    for subject, known in zip(asked.query.subjects, asked.subjects, strict=True):
        if subject.kind != ITEM:
            near = fitting_room.search(known.features, 5, options=options)
            found = [row for match in near if (row := fitting_room.row(match.id)) is not None]
            own.append(_steps(np.median(places[found], axis=0), places).tolist())
    return {
        "query": [row for row in rows if row is not None],
        "matches": [row for match in matches if (row := fitting_room.row(match.id)) is not None],
        "own": own,
    }


def _steps(some: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Places in the component's units: 0 to 65534 along the map's longer side."""
    low, high = places.min(axis=0), places.max(axis=0)
    scale = max(float((high - low).max()), 1e-9)
    return np.asarray((some - (low + high) / 2) / scale * 65534 + 32767)


def _label(fitting_room: FittingRoom, column: Facet | None) -> str:
    text = f"Map of {len(fitting_room.index):,} items"
    return text if column is None else f"{text}, coloured by {label(column.column).lower()}"


# --- in words ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    count: int
    where: str
    beside: str


def _in_words(fitting_room: FittingRoom, column: Facet, places: np.ndarray) -> None:
    """The map for those who do not see it, and for those who wonder."""
    with st.expander("The map in words", icon=":material/text_fields:"):
        kinds = _kinds(fitting_room.index.manifest.build, column.column, places, column)
        st.caption(
            "Where most items of each kind stand on the map, and which kinds stand nearest to them."
        )
        st.table(
            {
                label(column.column): [kind.name for kind in kinds],
                "Items": [f"{kind.count:,}" for kind in kinds],
                "Where": [kind.where for kind in kinds],
                "Beside": [kind.beside for kind in kinds],
            },
            hide_index=True,
        )


@st.cache_resource(show_spinner=False, max_entries=8)
def _kinds(
    build: str,  # noqa: ARG001
    column: str,  # noqa: ARG001
    _places: np.ndarray,
    _facet: Facet,
) -> list[_Kind]:
    shown = range(min(len(_facet.values), KINDS_IN_WORDS))
    middles = np.array([np.median(_places[_facet.codes == code], axis=0) for code in shown])
    counts = Counter(_facet.codes.tolist())
    low, high = _places.min(axis=0), _places.max(axis=0)
    kinds = []
    for code in shown:
        across, down = (middles[code] - low) / np.maximum(high - low, 1e-9)
        away = np.square(middles - middles[code]).sum(axis=1)
        nearest = [other for other in np.argsort(away, kind="stable") if other != code][:2]
        kinds.append(
            _Kind(
                _facet.values[code],
                counts[code],
                _part(float(across), float(down)),
                ", ".join(_facet.values[other] for other in nearest),
            )
        )
    return kinds


def _part(across: float, down: float) -> str:
    """A part of the map in words; ``down`` grows downwards."""
    words = (("top", "middle", "bottom")[min(2, int(down * 3))],
             ("left", "centre", "right")[min(2, int(across * 3))])  # fmt: skip
    return {"middle centre": "centre"}.get(" ".join(words), " ".join(words))
