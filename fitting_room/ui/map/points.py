"""The points of the map for its component: where items stand, their colours and clusters' names."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from fitting_room.build import embedding_map
from fitting_room.build.cluster_names import name_clusters
from fitting_room.catalogue.schema import columns_like
from fitting_room.search.facets import Facet
from fitting_room.search.searcher import Searcher
from fitting_room.ui.results.swatches import are_colours, colour_of
from fitting_room.ui.shared import once

#: The component's units: places are from 0 to this along the longer side of the map.
UNITS = 65534
#: Values of a column that have a colour of their own; the others share the last one and are told
#: apart by the names on the map.
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
#: Columns that clusters are named by where the colours say all of the other column.
TELLING = (
    "articleType", "product_type_name", "product_type", "type", "category", "class",
    "subCategory", "product_group_name", "masterCategory", "index_group_name",
)  # fmt: skip
#: How items without a value are called.
NO_VALUE = "No value"


def places_of(searcher: Searcher) -> np.ndarray:
    """Where the items stand, each by its first picture: as the index says, or computed now where it
    is from before there were maps."""
    index = searcher.index
    places = index.map
    if places is None:
        rows = index.vectors if index.trained is None else index.trained
        places = once.compute(
            "map",
            index.manifest.build,
            lambda listener: embedding_map.lay_out(rows, listener),
            "Drawing the map …",
        )
    return places if index.item_pictures is None else places[index.first_rows]


def in_units(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Points in the component's units."""
    low, high = places.min(axis=0), places.max(axis=0)
    scale = max(float((high - low).max()), 1e-9)
    return np.asarray((points - (low + high) / 2) / scale * UNITS + 32767)


def usual_column(columns: Sequence[str]) -> str:
    """The column that a map is coloured by until a visitor chooses another."""
    return next(iter(columns_like(USUAL, columns)), columns[0])


def naming_facet(facet: Facet, facets: Sequence[Facet]) -> Facet:
    """The column that clusters are named by: the one the points are coloured by where its colours
    do not tell all of its values, otherwise the one that says most of what an item is."""
    if len(facet.values) > COLOURED + 1 and not are_colours(facet.values):
        return facet
    by_name = {other.column: other for other in facets}
    return by_name[next(iter(columns_like(TELLING, by_name)), facet.column)]


@st.cache_resource(show_spinner=False, max_entries=8)
def data(build: str, column: str, _facet: Facet | None, _places: np.ndarray) -> dict[str, Any]:  # noqa: ARG001
    """The points for the component: places in its units, the place of each point's value among the
    labels, and how many of these have a colour of their own."""
    if _facet is None:
        codes, values, coloured = np.zeros(len(_places), np.uint8), ["Items"], 1
        colours = [PALETTE[0]]
    else:
        values = list(_facet.values)
        colours, coloured = _colours(values)
        codes = np.where(_facet.codes < 0, len(values), _facet.codes).astype(np.uint8)
        if (_facet.codes < 0).any():
            values.append(NO_VALUE)
            colours.append(PALETTE[-1])
            coloured += coloured == len(_facet.values)
    points = np.rint(in_units(_places, _places)).astype("<u2")
    return {
        "count": len(_places),
        "points": base64.b64encode(points.tobytes()).decode("ascii"),
        "codes": base64.b64encode(codes.tobytes()).decode("ascii"),
        "labels": values,
        "counts": np.bincount(codes, minlength=len(values)).tolist(),
        "colours": colours,
        "coloured": coloured,
    }


def _colours(values: Sequence[str]) -> tuple[list[str], int]:
    """A colour for each value, and how many of the first ones the legend explains at once: where
    the values are colours their own, else the palette's."""
    coloured = len(values) if len(values) <= COLOURED + 1 else COLOURED
    if are_colours(values):
        own = [colour_of(value) for value in values]
        return [c if c is not None and c.startswith("#") else PALETTE[-1] for c in own], coloured
    last = len(PALETTE) - 1
    places = [place if place < coloured else last for place in range(len(values))]
    return [PALETTE[place] for place in places], coloured


@st.cache_resource(show_spinner=False, max_entries=8)
def names(build: str, column: str, _facet: Facet, _places: np.ndarray) -> list[dict[str, Any]]:  # noqa: ARG001
    """The names of clusters by the values of a column, in the component's units."""

    def units(*values: float) -> list[int]:
        points = in_units(np.array(values).reshape(-1, 2), _places)
        return [int(value) for value in np.rint(points).ravel()]

    return [
        {
            "text": ", ".join(_facet.values[code] for code in name.codes),
            "count": name.count,
            "place": units(*name.place),
            "box": units(*name.box),
            "row": name.item,
            "levels": [name.first, name.last],
        }
        for name in name_clusters(_places, _facet.codes)
    ]
