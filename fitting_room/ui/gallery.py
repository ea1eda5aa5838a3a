"""The answer: a gallery of cards, ranked."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from fitting_room.catalogue import NAME_COLUMNS
from fitting_room.index import Hits
from fitting_room.room import FittingRoom, Match
from fitting_room.ui import controls, resources
from fitting_room.ui.query import Query

#: What a card says below an item's name, where the catalogue has it; a catalogue with other
#: columns shows its first ones.
PREFERRED_ATTRIBUTES = ("articleType", "baseColour", "gender", "season", "usage", "class")
ATTRIBUTES_ON_CARD = 4


@st.fragment
def show(room: FittingRoom, asked: Query | None) -> None:
    """The controls and the matches of a query, or a glance at the catalogue without one. A
    fragment: the slider and the filters redraw this part only, and nothing is embedded again."""
    slider, filters = st.columns([3, 1], vertical_alignment="bottom")
    with slider:
        n = controls.how_many()
    with filters:
        where = controls.narrow(room)
    if asked is None:
        st.subheader("A glance at the catalogue", anchor=False)
        matches = _glance(room, n, where)
    else:
        st.subheader("Most like your picture", anchor=False)
        matches = room.search(asked.vector, n, where)
    if not matches:
        _nothing_found()
    with st.grid(6, min_column_width=112, gap="small", key="fr-gallery"):
        for match in matches:
            st.html(_card(match, ranked=asked is not None))


def _glance(room: FittingRoom, n: int, where: dict[str, list[str]]) -> list[Match]:
    """Items from all over the catalogue, always the same ones, to show what is there."""
    rows = np.flatnonzero(room.index.mask(where))
    chosen = np.random.default_rng(len(room.index)).permutation(rows)[:n]
    return room.matches(Hits(chosen, np.zeros(len(chosen), np.float32)))


def _nothing_found() -> None:
    st.html(
        '<p class="fr-nothing">Nothing in the catalogue passes these filters. '
        "Take one off, or all.</p>"
    )
    st.button("Clear filters", on_click=controls.clear_filters, icon=":material/filter_alt_off:")


def _card(match: Match, *, ranked: bool) -> str:
    name = escape(match.name, quote=True)
    uri = resources.thumbnail(match.image)
    picture = (
        f'<img src="{uri}" alt="{name}">'
        if uri
        else '<span class="fr-missing">The picture cannot be read</span>'
    )
    attributes = escape(" · ".join(_attributes(match)))
    similarity = _similarity(match.similarity) if ranked else ""
    return (
        f'<article class="fr-card" data-id="{escape(match.id, quote=True)}">'
        f'<div class="fr-picture">{picture}</div>'
        f'<div class="fr-text"><div class="fr-name" title="{name}">{name}</div>'
        f'<p class="fr-attributes">{attributes}</p></div>{similarity}</article>'
    )


def _similarity(similarity: float) -> str:
    return (
        '<div class="fr-similarity" title="Cosine similarity to your picture; 1 is the same" '
        f'role="img" aria-label="Similarity {similarity:.2f}">'
        f'<span class="fr-bar"><span style="width:{max(0.0, similarity):.1%}"></span></span>'
        f"<span>{similarity:.2f}</span></div>"
    )


def _attributes(match: Match) -> list[str]:
    preferred = [match.attributes[c] for c in PREFERRED_ATTRIBUTES if c in match.attributes]
    others = [value for column, value in match.attributes.items() if column not in NAME_COLUMNS]
    return (preferred or others)[:ATTRIBUTES_ON_CARD]
