"""Why a card is among the matches, in a dialog: where the likeness lies, and in plain words."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from fitting_room.embedding.engine import EngineError
from fitting_room.facade import FittingRoom, Match
from fitting_room.imaging.decode import ImageRejected
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search.explanation import Explanation, explain
from fitting_room.ui.query.history import ITEM
from fitting_room.ui.query.subjects import Asked, plain
from fitting_room.ui.shared import media

OVERLAY_SIZE = (480, 480)


def show(fitting_room: FittingRoom, asked: Asked | None, match: Match) -> None:
    """Open the dialog for a match of what is asked about."""
    if asked is not None:
        _dialog(fitting_room, asked, match)


@st.dialog("Why this one?", width="medium")
def _dialog(fitting_room: FittingRoom, asked: Asked, match: Match) -> None:
    place = _nearest_subject(fitting_room, asked, match)
    known = asked.subjects[place]
    try:
        with st.spinner("Looking at both pictures …"):
            told = _explained(fitting_room, asked, place, match)
    except (ImageRejected, EngineError) as error:
        reason = error.reason if isinstance(error, ImageRejected) else str(error)
        st.info(plain(f"This cannot be shown. {reason}"), icon=":material/image_not_supported:")
        return
    if told.sentence:
        st.html(f'<p class="fr-why-sentence">{escape(told.sentence)}</p>')
    sides = (
        ("Asked about", known.name, told.query, "why-query"),
        ("Found", match.name, told.item, "why-item"),
    )
    figures = []
    for title, name, heat, key in sides:
        address = media.address(media.jpeg(heat.overlay, OVERLAY_SIZE), key)
        alt = escape(f"{title}: {name}. {_where(heat.picture)}", quote=True)
        figures.append(
            f'<figure><img src="{address}" alt="{alt}">'
            f"<figcaption>{title}: {escape(name)}</figcaption></figure>"
        )
    st.html(f'<div class="fr-why">{"".join(figures)}</div>')
    st.html(
        '<div class="fr-why-scale"><span>counts little</span>'
        '<span class="fr-why-bar" aria-hidden="true"></span><span>counts most</span></div>'
    )
    st.caption(told.note)


def _nearest_subject(fitting_room: FittingRoom, asked: Asked, match: Match) -> int:
    """Of several that are asked about, the one that the match is most like."""
    row = fitting_room.row(match.id)
    if len(asked.subjects) == 1 or row is None:
        return 0
    options = SimilarityOptions(trained=_trained())
    likeness = [
        fitting_room.index.likeness(subject.features, np.array([row]), options=options)[0]
        for subject in asked.subjects
    ]
    return int(np.argmax(likeness))


def _explained(fitting_room: FittingRoom, asked: Asked, place: int, match: Match) -> Explanation:
    subject, known = asked.query.subjects[place], asked.subjects[place]
    item = (
        fitting_room.item(subject.id) if subject.kind == ITEM and asked.query.crop is None else None
    )
    return explain(
        fitting_room,
        fitting_room.open_picture(known.jpeg, known.name),
        match.id,
        features=known.features,
        attributes=None if item is None else item.attributes,
        trained=_trained(),
    )


def _trained() -> bool:
    return bool(st.session_state.get("trained", True))


def _where(heat: np.ndarray) -> str:
    """In words for those who do not see it: where the heat is strongest."""
    if not heat.any():
        return "All of it counts alike"
    rows, columns = (np.array_split(np.arange(side), 3) for side in heat.shape)
    cells = [heat[np.ix_(row, column)].mean() for row in rows for column in columns]
    down, across = divmod(int(np.argmax(cells)), 3)
    words = (("upper", "", "lower")[down], ("left", "middle", "right")[across])
    return f"What counts most is in the {' '.join(filter(None, words))}"
