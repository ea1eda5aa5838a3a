"""The results: a gallery of cards, ranked; or the catalogue, to browse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from fitting_room.index.calibration import SAME_PICTURE, describe_share
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.search.searcher import Match, Searcher
from fitting_room.ui.components import component
from fitting_room.ui.query import address
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.history import MAX_SUBJECTS, query_of_items
from fitting_room.ui.query.session import CATALOGUE, QueryPicture
from fitting_room.ui.query.subjects import ResolvedQuery
from fitting_room.ui.results import card_actions, card_text, controls, share_dialog
from fitting_room.ui.shared import media, once, resources
from fitting_room.ui.shared.text import percent

#: Other pictures of its item that a card can show, one of the first cards and a later one: each is
#: reduced before the page is drawn.
PICTURES_ON_CARD, FIRST_CARDS, PICTURES_LATER = 6, 12, 2
#: Above this weight of colour a similarity is mostly one of colours, and how often the kind was
#: right says little.
MOSTLY_COLOUR = 0.5
#: Searches that a session keeps: those of one query for each of its pictures.
SEARCHES_KEPT = MAX_SUBJECTS

Card = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Settings:
    """How matches are ranked and narrowed down."""

    n: int
    where: dict[str, list[str]]
    options: SimilarityOptions
    fold: bool


@st.fragment
@resources.until_damaged
def show(version: Path, resolved: ResolvedQuery | None) -> None:
    """The controls and the matches of a query, or the catalogue without one, in that version of the
    index. A fragment: a control draws this part anew and embeds nothing."""
    session, searcher = sessions.current(), resources.still(version)
    if session.moved:
        session.moved = False
        st.rerun()  # the query is another one now, and is drawn outside of this part
    if resolved is None or session.source == CATALOGUE:
        _catalogue(searcher)
    else:
        _matches_of_query(searcher, resolved)
    address.write(session)
    card_actions.open_dialog(searcher, resolved)


def _catalogue(searcher: Searcher) -> None:
    """Items from all over the catalogue, always the same ones, or those that have some words."""
    session = sessions.current()
    number_side, filter_side = st.columns([3, 1], gap="medium", vertical_alignment="bottom")
    with number_side:
        n = controls.how_many()
    with filter_side:
        where = controls.filters(searcher)
    controls.chips()
    browsing = session.source == CATALOGUE
    words = session.find.split() if browsing else []
    mask = searcher.index.mask(where)
    if words:
        rows = searcher.index.once(np.flatnonzero(mask & searcher.named(words)))
        title = f"{len(rows):,} found" if len(rows) else "Nothing found"
    else:
        rows = searcher.index.once(np.flatnonzero(mask))
        rows = np.random.default_rng(len(searcher.index)).permutation(rows)
        title = "The catalogue" if browsing else "A glance at the catalogue"
    st.header(title, anchor=False)
    if not len(rows):
        _nothing_found(named=bool(words))
        return
    page = _page(-(-len(rows) // n), repr((words, where, n))) if browsing else 1
    shown = rows[(page - 1) * n : page * n]
    matches = searcher.matches(Hits(shown, np.zeros(len(shown), np.float32)), None)
    cards(None, cards_of(matches, "0"), "Catalogue")


def _page(pages: int, listing: str) -> int:
    """Which of the pages of a listing is shown: the first one after another listing."""
    session = sessions.current()
    if session.paged not in (None, listing):
        session.page = 1
    session.paged = listing
    session.page = min(session.page, pages)
    if pages > 1:
        st.pagination(pages, **session.widget("page", key=f"page-{pages}"), width="content")
    return session.page


def _matches_of_query(searcher: Searcher, resolved: ResolvedQuery) -> None:
    with st.container(key="fr-controls"):
        number_side, colour_side, filter_side = st.columns(
            [3, 3, 2], gap="medium", vertical_alignment="center"
        )
    heading = st.container(horizontal=True, vertical_alignment="center", key="fr-heading")
    with number_side:
        n = controls.how_many()
    with heading:
        st.header(_heading(resolved), anchor=False)
        trained = controls.trained(searcher)
        fold = controls.fold()
    with colour_side:
        options = controls.options(
            searcher, trained=trained, plain_background=resolved.plain_background
        )
    with filter_side:
        where = controls.filters(searcher)
    controls.chips()
    settings = _Settings(n, where, options, fold)
    if not resolved.query.apart:
        _matches(searcher, resolved, settings, "0")
        return
    for place, picture in enumerate(resolved.pictures):
        _section(picture)
        _matches(searcher, resolved.alone(place), settings, str(place))


def _section(picture: QueryPicture) -> None:
    name = escape(picture.name, quote=True)
    source = media.data_uri(picture.jpeg) if picture.jpeg else ""
    image = f'<img src="{source}" alt="">' if source else ""
    st.html(f'<div class="fr-section">{image}<h3>{name}</h3></div>')


def _heading(resolved: ResolvedQuery) -> str:
    if resolved.query.apart:
        return "Most like each of your pictures"
    if len(resolved.pictures) > 1:
        return "Most like these"
    return "Most like your picture" if not resolved.items else "Most like this"


def _matches(searcher: Searcher, resolved: ResolvedQuery, settings: _Settings, place: str) -> None:
    if resolved.is_out_of_catalogue:
        st.caption(
            ":material/search_off: Nothing in the catalogue is close to your picture. "
            "These come nearest."
        )
    matches = _search(searcher, resolved, settings)
    if not matches:
        _nothing_found(named=False)
        return
    weight = searcher.index.colour_weight(
        settings.options, plain_background=resolved.plain_background
    )
    # What was measured on garments says nothing of a picture that is none.
    bare = resolved.is_out_of_catalogue or weight > MOSTLY_COLOUR
    shown = cards_of(matches, place, [similarity(match, bare=bare) for match in matches])
    cards(resolved, shown, _heading(resolved), f"gallery-{place}")
    share_dialog.offer(searcher, resolved, matches, place)


def _search(searcher: Searcher, resolved: ResolvedQuery, settings: _Settings) -> list[Match]:
    """The matches. The last searches are kept, so that what does not change them (a card's button,
    fewer of them) does not search again."""
    searches, n = sessions.current().searches, settings.n
    build = searcher.index.manifest.build
    key = repr((build, resolved.query, settings.where, settings.options, settings.fold))
    count, matches = searches.get(key, (0, []))
    if count < n:
        matches = searcher.search(
            resolved.features,
            n,
            settings.where,
            options=settings.options,
            fold=settings.fold,
            negatives=resolved.negatives,
            without=resolved.items,
        )
    once.keep(searches, key, (max(count, n), matches), SEARCHES_KEPT)
    return matches[:n]


def _nothing_found(*, named: bool) -> None:
    if named:
        st.html('<p class="fr-nothing">No item has these words in its name or number.</p>')
        st.button("Show the whole catalogue", on_click=_show_all, icon=":material/apps:")
        return
    st.html(
        '<p class="fr-nothing">Nothing in the catalogue passes these filters. '
        "Take one off, or all.</p>"
    )
    controls.clear_button("Clear filters", "nothing", icon=":material/filter_alt_off:")


def _show_all() -> None:
    session = sessions.current()
    session.act()
    session.find = ""
    session.moved = True
    session.filter_by({})


def cards(
    resolved: ResolvedQuery | None, shown: Sequence[Card], label: str, key: str = "gallery"
) -> None:
    """A gallery of cards with their actions."""
    data = {
        "label": label,
        # Of several galleries the first one begins the results.
        "first": key in ("gallery", "gallery-0"),
        "query": "" if resolved is None else repr(resolved.query),
        "cards": shown,
        "actions": [
            {"name": a.name, "label": a.label, "place": a.place, "icon": a.icon}
            for a in card_actions.offered(resolved)
        ],
    }
    component("gallery")(key=key, data=data, on_act_change=partial(card_actions.act, key))


def cards_of(
    matches: Sequence[Match], place: str, similarities: Sequence[dict[str, Any]] | None = None
) -> list[Card]:
    """What the page shows of matches; ``place`` is a name of the gallery's own on the page."""
    named = [
        (match.image, *match.pictures[: PICTURES_ON_CARD if i < FIRST_CARDS else PICTURES_LATER])
        for i, match in enumerate(matches)
    ]
    thumbnails = iter(resources.thumbnails([image for images in named for image in images]))
    return [
        _card(
            match,
            f"{place}-{i}",
            [next(thumbnails) for _ in named[i]],
            similarities[i] if similarities else None,
        )
        for i, match in enumerate(matches)
    ]


def _card(
    match: Match, place: str, thumbnails: Sequence[bytes | None], similarity: dict[str, Any] | None
) -> Card:
    """``thumbnails`` are of the item's best picture and of others; one that cannot be read is
    ``None``."""
    best, *others = (
        None if thumbnail is None else media.address(thumbnail, f"card-{place}-{number}")
        for number, thumbnail in enumerate(thumbnails)
    )
    return {
        "id": match.id,
        "name": match.name,
        "src": best,
        "pictures": [source for source in others if source is not None],
        "href": "./?" + urlencode(address.params_of(query_of_items([match.id])), doseq=True),
        "text": " · ".join(card_text.attributes(match.attributes)),
        "others": _others(match),
        "similarity": similarity,
    }


def _others(match: Match) -> dict[str, str] | None:
    count = len(match.others)
    title = f"{count:,} more look{'s' if count == 1 else ''} all but the same"
    return {"text": f"+{count:,} alike", "title": title} if count else None


def similarity(match: Match, *, bare: bool) -> dict[str, Any]:
    """How good a match is: in words and by how often such a one was right where that was measured
    on this catalogue, and otherwise, or where ``bare``, the similarity alone. The query's own
    picture is called that."""
    precision = match.expected_precision
    if match.same_picture:
        return {
            "amount": 1.0,
            "text": SAME_PICTURE,
            "title": "It is the picture that you search with",
        }
    if precision is None or bare:
        return {
            "amount": max(0.0, match.similarity),
            "text": f"{match.similarity:.2f}",
            "title": "Similarity to your picture; 1 is the same",
        }
    return {
        "amount": precision,
        "text": describe_share(precision),
        "title": f"Of items this similar, {percent(precision)} were of the same kind",
    }
