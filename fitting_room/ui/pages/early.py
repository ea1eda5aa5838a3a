"""The first start: the catalogue to look at while its index is built. A picture can be given
already; it is answered as soon as the index is there."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from fitting_room.early_catalogue import EarlyCatalogue
from fitting_room.search.facets import count_all
from fitting_room.search.searcher import Match
from fitting_room.ui.components import component
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query import upload
from fitting_room.ui.query import words as words_field
from fitting_room.ui.query.session import CATALOGUE, UPLOADED
from fitting_room.ui.results import controls, gallery
from fitting_room.ui.results.card_data import cards_of
from fitting_room.ui.shared import marks


def show(catalogue: EarlyCatalogue) -> None:
    """Draw the catalogue with what needs no features: names, pictures, words and filters."""
    with st.container(key="fr-page"):
        marks.mark("browse")
        query_side, results_side = st.columns([1.1, 3], gap="large")
    with query_side, st.container(key="fr-query-side"):
        _picture()
    with results_side, st.container(key="fr-results"):
        _catalogue(catalogue)


def _picture() -> None:
    session = sessions.current()
    if session.uploads or session.history.query:
        several = max(len(session.uploads), len(session.history.query.subjects)) > 1
        st.info(
            f"Your picture{'s are' if several else ' is'} here. The matches come as soon as the "
            "catalogue is ready.",
            icon=":material/hourglass_top:",
        )
    else:
        st.caption(
            "The catalogue is still getting ready. Give a picture now if you like: its matches "
            "come as soon as that is done."
        )
    upload.show(first=True)
    upload.samples(first=False)


def _catalogue(catalogue: EarlyCatalogue) -> None:
    session = sessions.current()
    words_field.find()
    words, n = session.find.split(), session.n
    items = catalogue.listing(words, session.where)
    pages = -(-len(items) // n)
    page = gallery.page_of(pages, repr((words, session.where, n))) if pages else 1
    if session.acted:  # the visitor finds this page of it again, or the matches
        given = session.uploads or session.history.query
        session.source = UPLOADED if given else CATALOGUE
    st.header(f"{len(items):,} found" if words else "The catalogue", anchor=False)
    with controls.row(catalogue.facets):
        controls.how_many()
    count = partial(count_all, catalogue.facets)
    with controls.beside_filters(catalogue.facets, count, len(catalogue)):
        if items.empty:
            gallery.nothing_found(named=bool(words))
            return
        shown = items.iloc[(page - 1) * n : page * n]
        matches = [_match(catalogue, item) for _, item in shown.iterrows()]
        # What can be done with a card needs the index.
        data = {"label": "Catalogue", "first": True, "query": "", "actions": [], "panel": None}
        component("gallery")(key="early", data={**data, "cards": cards_of(matches, "0")})
        if pages > 1:
            gallery.pages_below(pages)


def _match(catalogue: EarlyCatalogue, item: pd.Series) -> Match:
    attributes = {c: str(item[c]) for c in catalogue.attributes if not pd.isna(item[c])}
    image = str(item["image"])
    return Match(str(item["id"]), -1, 0.0, image, image, attributes)
