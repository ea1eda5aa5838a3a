"""The dialog that explains a match: where the similarity lies, and in plain words."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from fitting_room.embedding.engine import EngineError
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.thumbnails import as_jpeg
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search.explanation import Explanation, explain
from fitting_room.search.searcher import Match, Searcher
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.history import ITEM
from fitting_room.ui.query.subjects import ResolvedQuery
from fitting_room.ui.shared import media
from fitting_room.ui.shared.text import plain

OVERLAY_SIZE = (480, 480)


def show(searcher: Searcher, resolved: ResolvedQuery | None, match: Match) -> None:
    """Open the dialog for a match of the query."""
    if resolved is not None:
        _dialog(searcher, resolved, match)


@st.dialog("Why this one?", width="medium")
def _dialog(searcher: Searcher, resolved: ResolvedQuery, match: Match) -> None:
    place = _nearest_subject(searcher, resolved, match)
    try:
        with st.spinner("Looking at both pictures …"):
            explanation = _explanation(searcher, resolved, place, match)
    except (ImageRejected, EngineError) as error:
        reason = error.reason if isinstance(error, ImageRejected) else str(error)
        st.info(plain(f"This cannot be shown. {reason}"), icon=":material/image_not_supported:")
        return
    if explanation.sentence:
        st.html(f'<p class="fr-why-sentence">{escape(explanation.sentence)}</p>')
    sides = (
        ("Your picture", resolved.pictures[place].name, explanation.query),
        ("Match", match.name, explanation.item),
    )
    figures = ""
    for title, name, heat in sides:
        address = media.data_uri(as_jpeg(heat.overlay, OVERLAY_SIZE))
        alt = escape(f"{title}: {name}. {_hottest(heat.picture)}", quote=True)
        figures += f'<figure><img src="{address}" alt="{alt}">'
        figures += f"<figcaption>{title}: {escape(name)}</figcaption></figure>"
    st.html(f'<div class="fr-why">{figures}</div>')
    st.html(
        '<div class="fr-why-scale"><span class="fr-why-bar" aria-hidden="true"></span>'
        "<span>Yellow: what looks most alike</span></div>"
    )


def _nearest_subject(searcher: Searcher, resolved: ResolvedQuery, match: Match) -> int:
    """Of several subjects, the one that the match is most like."""
    options = SimilarityOptions(trained=sessions.current().trained)
    row = np.array([match.row])
    similarities = [
        searcher.index.similarities(features, row, options=options)[0]
        for features in resolved.features
    ]
    return int(np.argmax(similarities))


def _explanation(
    searcher: Searcher, resolved: ResolvedQuery, place: int, match: Match
) -> Explanation:
    subject, picture = resolved.query.subjects[place], resolved.pictures[place]
    is_item = subject.kind == ITEM and resolved.query.crop is None
    item = searcher.item(subject.id) if is_item else None
    return explain(
        searcher,
        searcher.open_picture(picture.jpeg, picture.name),
        match.id,
        features=picture.features,
        attributes=None if item is None else item.attributes,
        row=match.row,
        trained=sessions.current().trained,
    )


def _hottest(heat: np.ndarray) -> str:
    """Where the heat is strongest, in words for those who do not see it."""
    if not heat.any():
        return "All of it looks as much alike"
    rows, columns = (np.array_split(np.arange(side), 3) for side in heat.shape)
    cells = [heat[np.ix_(row, column)].mean() for row in rows for column in columns]
    down, across = divmod(int(np.argmax(cells)), 3)
    words = (("upper", "", "lower")[down], ("left", "middle", "right")[across])
    return f"What looks most alike is in the {' '.join(filter(None, words))}"
