"""The map in words."""

from __future__ import annotations

import numpy as np
import streamlit as st

from fitting_room.search.facets import Facet
from fitting_room.search.searcher import Searcher
from fitting_room.ui.shared.text import label, plain

#: Kinds in the map in words.
KINDS_IN_WORDS = 30


def show(searcher: Searcher, facet: Facet, places: np.ndarray) -> None:
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
