"""The answer: a gallery of cards, ranked."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from fitting_room.calibration import describe_share
from fitting_room.catalogue import NAME_COLUMNS
from fitting_room.ranking import Hits
from fitting_room.room import FittingRoom, Match
from fitting_room.ui import controls, resources
from fitting_room.ui.query import Query

#: What a card says below an item's name, where the catalogue has it; a catalogue with other
#: columns shows its first ones.
PREFERRED_ATTRIBUTES = ("articleType", "baseColour", "gender", "season", "usage", "class")
ATTRIBUTES_ON_CARD = 4


#: Above this weight of colour it is colours that a likeness tells of, and how often the kind was
#: right says little.
MOSTLY_COLOUR = 0.5


@st.fragment
def show(room: FittingRoom, asked: Query | None) -> None:
    """The controls and the matches of a query, or a glance at the catalogue without one. A
    fragment: what a visitor turns redraws this part only, and nothing is embedded again."""
    cards = _glance(room) if asked is None else _answer(room, asked)
    if not cards:
        _nothing_found()
    with st.grid(6, min_column_width=112, gap="small", key="fr-gallery"):
        for card in cards:
            st.html(card)


def _glance(room: FittingRoom) -> list[str]:
    """Items from all over the catalogue, always the same ones, to show what is there."""
    many, filters = st.columns([3, 1], gap="medium", vertical_alignment="center")
    with many:
        n = controls.how_many()
    with filters:
        where = controls.narrow(room)
    st.subheader("A glance at the catalogue", anchor=False)
    rows = np.flatnonzero(room.index.mask(where))
    chosen = np.random.default_rng(len(room.index)).permutation(rows)[:n]
    return [_card(m) for m in room.matches(Hits(chosen, np.zeros(len(chosen), np.float32)))]


def _answer(room: FittingRoom, asked: Query) -> list[str]:
    many, colour, filters = st.columns([3, 3, 2], gap="medium", vertical_alignment="center")
    heading = st.container(horizontal=True, vertical_alignment="center", key="fr-heading")
    with many:
        n = controls.how_many()
    with heading:
        st.subheader("Most like your picture", anchor=False)
        trained = controls.trained(room)
        fold = controls.fold()
    with colour:
        ranking = controls.ranking(room, trained=trained, studio=asked.features.studio)
    with filters:
        where = controls.narrow(room)
    if asked.far:
        st.caption(
            ":material/search_off: Nothing in the catalogue is close to your picture. "
            "These come nearest."
        )
    weight = room.index.colour_weight(ranking, studio=asked.features.studio)
    matches = room.search(asked.features, n, where, ranking=ranking, fold=fold)
    # What was measured on garments says nothing of a picture that is none.
    bare = asked.far or weight > MOSTLY_COLOUR
    return [_card(m, _likeness(m, bare=bare)) for m in matches]


def _nothing_found() -> None:
    st.html(
        '<p class="fr-nothing">Nothing in the catalogue passes these filters. '
        "Take one off, or all.</p>"
    )
    st.button("Clear filters", on_click=controls.clear_filters, icon=":material/filter_alt_off:")


def _card(match: Match, likeness: str = "") -> str:
    name = escape(match.name, quote=True)
    uri = resources.thumbnail(match.image)
    picture = (
        f'<img src="{uri}" alt="{name}">'
        if uri
        else '<span class="fr-missing">The picture cannot be read</span>'
    )
    attributes = escape(" · ".join(_attributes(match)))
    return (
        f'<article class="fr-card" data-id="{escape(match.id, quote=True)}">'
        f'<div class="fr-picture">{picture}{_others(match)}</div>'
        f'<div class="fr-text"><div class="fr-name" title="{name}">{name}</div>'
        f'<p class="fr-attributes">{attributes}</p></div>{likeness}</article>'
    )


def _others(match: Match) -> str:
    count = len(match.others)
    if not count:
        return ""
    verb = "looks" if count == 1 else "look"
    return (
        f'<span class="fr-others" title="{count:,} more {verb} all but the same">'
        f"+{count:,} alike</span>"
    )


def _likeness(match: Match, *, bare: bool) -> str:
    """How good a match is: in words and by how often such a one was right where that was measured
    on this catalogue, and otherwise the bare likeness."""
    if match.worth is None or bare:
        amount, text = max(0.0, match.similarity), f"{match.similarity:.2f}"
        title = "Likeness to your picture; 1 is the same"
    else:
        amount, text = match.worth, describe_share(match.worth)
        title = f"Of items this much alike, {match.worth:.0%} were of the same kind"
    return (
        f'<div class="fr-similarity" title="{title}" role="img" aria-label="{text}. {title}">'
        f'<span class="fr-bar"><span style="width:{amount:.1%}"></span></span>'
        f"<span>{text}</span></div>"
    )


def _attributes(match: Match) -> list[str]:
    preferred = [match.attributes[c] for c in PREFERRED_ATTRIBUTES if c in match.attributes]
    others = [value for column, value in match.attributes.items() if column not in NAME_COLUMNS]
    return (preferred or others)[:ATTRIBUTES_ON_CARD]
