"""The results: a gallery of cards, ranked; or the catalogue, to browse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape

import numpy as np
import streamlit as st

from fitting_room.index.filters import FirstPictures, both
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.search import answers
from fitting_room.search.browsing import browse, glance
from fitting_room.search.proposals import FIRST
from fitting_room.search.searcher import Match, Searcher
from fitting_room.search.wishes import Understood
from fitting_room.ui.components import component
from fitting_room.ui.query import address, words
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.history import MAX_SUBJECTS
from fitting_room.ui.query.session import CATALOGUE, QueryPicture
from fitting_room.ui.query.subjects import ResolvedQuery
from fitting_room.ui.results import card_actions, controls, order, product_panel, share_dialog
from fitting_room.ui.results.card_data import Card, cards_of, similarity
from fitting_room.ui.results.order import Order
from fitting_room.ui.shared import marks, media, once, resources

#: Above this weight of colour a similarity is mostly one of colours, and how often the kind was
#: right says little.
MOSTLY_COLOUR = 0.5
#: How the keys of the search page's galleries begin: what is looked at there is in the address.
SEARCH = "gallery-"
#: Items that are listed at most where a network has read words: it finds all items close to some
#: degree.
MOST_BY_NETWORK = 240
#: Searches that a session keeps: those of one query for each of its pictures, and before.
SEARCHES_KEPT = 2 * MAX_SUBJECTS


@dataclass(frozen=True, slots=True)
class _Settings:
    """How matches are ranked and narrowed down."""

    n: int
    where: dict[str, list[str]]
    options: SimilarityOptions
    fold: bool
    order: Order
    text: str
    text_weight: float


@st.fragment
@resources.until_damaged
def show(version: str, resolved: ResolvedQuery | None) -> None:
    """The controls and the matches of a query, or the catalogue without one, in that version of the
    index. A fragment: a control draws this part anew and embeds nothing."""
    session, searcher = sessions.current(), resources.still(version)
    if session.moved:
        session.moved = False
        st.rerun()  # the query is another one now, and is drawn outside of this part
    look = session.looking
    if look is not None and look.gallery and not look.gallery.startswith(SEARCH):
        session.looking = None  # of another page
    if resolved is None or session.source == CATALOGUE:
        _catalogue(searcher)
    else:
        _matches_of_query(searcher, resolved)
    address.write(session)
    card_actions.open_dialog(searcher, resolved)


def _catalogue(searcher: Searcher) -> None:
    """Items from all over the catalogue, always the same ones, or those that words ask for."""
    session = sessions.current()
    browsing = session.source == CATALOGUE
    with st.container(key="fr-find"):  # beside a query as well, so that cards keep their place
        understood = words.field(searcher, beside=False)
    text, n, where = session.find.strip(), session.n, searcher.index.filter(session.where)
    rows, pages = np.array([], np.int64), 1
    if text:
        rows, title = _of_words(searcher, understood)
        pages = -(-len(rows) // n)
        first = _first_of_page(pages, text)
        shown = rows[first : first + n]
    elif browsing:
        items, title = browse(searcher.index, where), "The catalogue"
        pages = -(-items.listed // n)
        shown = items.rows(_first_of_page(pages, text), n)
        if items.listed < items.items:
            title += f": the first {items.listed:,} of {items.items:,} items"
    else:
        shown, title = glance(searcher.index, where, n), "A glance at the catalogue"
    matches = searcher.matches(Hits(shown, np.zeros(len(shown), np.float32)), None)
    found = cards_of(matches, "0", constant=searcher.constant_columns)
    st.header(title, anchor=False)
    offered = controls.choices_of(searcher)
    with controls.row(offered):
        controls.how_many()
        st.container(key="fr-colour", width="content")  # what follows keeps its place
    with st.container(key="fr-propose-0"):
        if text:
            words.propose(searcher, offered, rows, understood)
    with controls.beside_filters(offered, controls.counter(searcher), searcher.index.item_count):
        st.container(key="fr-nothing-close-0")
        if not found:
            nothing_found(named=bool(text))
            return
        cards(None, found, "Catalogue")
        if pages > 1:
            pages_below(pages)


def _first_of_page(pages: int, text: str) -> int:
    """The place in the listing of the first item on the page that is shown."""
    session = sessions.current()
    page = page_of(pages, repr((text.split(), session.where, session.n))) if pages else 1
    return (page - 1) * session.n


def _of_words(searcher: Searcher, understood: Understood) -> tuple[np.ndarray, str]:
    """The rows that do all that words ask for, or where none does those that do most of it, the
    best first; and a heading."""
    if understood.by_network:
        session = sessions.current()
        found = searcher.search(text=session.find, n=MOST_BY_NETWORK, where=session.where)
        return np.array([match.row for match in found], np.int64), "Closest to your words"
    where = searcher.index.filter(sessions.current().where)
    hits = searcher.ranked(understood, where)
    complete = hits.rows[hits.similarities == 1]  # those that have all of it
    if len(complete):
        there = len(complete)
        if not searcher.is_local and there == len(hits):  # perhaps more than are listed
            all_of_it = searcher.fulfilment(understood).all_of_it
            there = searcher.index.store.count(both(where, FirstPictures(), all_of_it))
        of_all = f" of {there:,}" if there > len(complete) else ""
        return complete, f"{len(complete):,}{of_all} found"
    return hits.rows, "Nothing has all of that. The closest:" if len(hits) else "Nothing found"


def page_of(pages: int, listing: str) -> int:
    """Which of the pages of a listing is shown: the first one after another listing."""
    session = sessions.current()
    if session.paged not in (None, listing):
        session.page = 1
    session.paged = listing
    session.page = min(session.page, pages)
    return session.page


def pages_below(pages: int) -> None:
    """The numbers of a listing's pages."""
    widget = sessions.current().widget("page", key=f"page-{pages}")
    st.pagination(pages, **widget, width="content")


def _matches_of_query(searcher: Searcher, resolved: ResolvedQuery) -> None:
    # The words are the session's: they change without the rest of the page being drawn anew.
    text = sessions.current().history.query.words
    resolved = replace(resolved, query=replace(resolved.query, words=text))
    with st.container(key="fr-find"):
        understood = words.field(searcher, beside=True)
    st.header(_heading(resolved), anchor=False)
    offered = controls.choices_of(searcher)
    with controls.row(offered, searcher):
        n = controls.how_many()
        with st.container(key="fr-colour", width="content"):
            options = controls.options(searcher, plain_background=resolved.plain_background)
    session = sessions.current()
    settings = _Settings(
        n,
        session.where,
        options,
        session.fold,
        order.chosen(searcher),
        text if understood else "",
        words.weight(),
    )
    proposals = st.container(key="fr-propose-0")
    if not resolved.query.apart:
        with proposals:  # their place, so that no card moves when they come
            marks.mark("proposing")
    with controls.beside_filters(offered, controls.counter(searcher), searcher.index.item_count):
        if resolved.query.apart:
            for place, picture in enumerate(resolved.pictures):
                _section(picture)
                _matches(searcher, resolved.alone(place), settings, str(place))
            return
        _matches(searcher, resolved, settings, "0")
        with proposals:  # after the cards, which are waited for
            rows = _first(searcher, resolved, settings)
            words.propose(searcher, offered, rows, understood)


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
    matches = _search(searcher, resolved, settings)
    with st.container(key=f"fr-nothing-close-{place}"):
        if resolved.is_out_of_catalogue and matches:
            st.caption(f":material/search_off: {answers.message(searcher, resolved.features)}")
    if not matches:
        if settings.order.good_alone and _any_passes(searcher, settings.where):
            order.say_few(settings.order, 0, settings.n, place)
        else:
            nothing_found(named=False)
        return
    weight = searcher.index.colour_weight(
        settings.options, plain_background=resolved.plain_background
    )
    alike = searcher.likeness(
        resolved.features, [m.row for m in matches], nothing_close=resolved.is_out_of_catalogue
    )
    similarities = [similarity(each, by_colour=weight > MOSTLY_COLOUR) for each in alike]
    if settings.text and settings.text_weight:
        rows = [match.row for match in matches]
        similarities = words.similarities(searcher, settings.text, rows, alike)
    shown = cards_of(matches, place, similarities, searcher.constant_columns)
    order.say_values(shown, matches, settings.order)
    cards(resolved, shown, _heading(resolved), f"{SEARCH}{place}")
    order.say_few(settings.order, len(matches), settings.n, place)
    share_dialog.offer(searcher, resolved, matches, [each["text"] for each in similarities], place)


def _any_passes(searcher: Searcher, where: dict[str, list[str]]) -> bool:
    return len(searcher.index.store.scan(searcher.index.filter(where), 1)) > 0


def _search(searcher: Searcher, resolved: ResolvedQuery, settings: _Settings) -> list[Match]:
    """The matches. The last searches are kept, so that what does not change them (a card's button,
    fewer of them) does not search again."""
    searches, n = sessions.current().searches, settings.n
    build = searcher.index.manifest.build
    chosen = settings.where, settings.options, settings.fold, settings.order, settings.text_weight
    key = repr((build, resolved.query, *chosen, settings.order.count(n)))
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
            text=settings.text or None,
            text_weight=settings.text_weight,
            **settings.order.arguments,
        )
    once.keep(searches, key, (max(count, n), matches), SEARCHES_KEPT)
    return matches[:n]


def _first(searcher: Searcher, resolved: ResolvedQuery, settings: _Settings) -> np.ndarray:
    """The rows of the first matches, more than are shown and without a variety chosen of them, by
    which the answer may be narrowed down."""
    nearest = replace(settings, n=FIRST, fold=False, order=Order(0, only_good=False, sort=""))
    return np.array([match.row for match in _search(searcher, resolved, nearest)], np.int64)


def nothing_found(*, named: bool) -> None:
    if named:
        st.html(
            '<p class="fr-nothing">No item has these words in its name or number, '
            "and no kind of item is called so.</p>"
        )
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
    resolved: ResolvedQuery | None, shown: Sequence[Card], label: str, key: str = f"{SEARCH}0"
) -> None:
    """A gallery of cards with their actions, and what is looked at by itself, if it is of these."""
    session = sessions.current()
    # Of several galleries the first one begins the results, and shows what a link names.
    first = key == f"{SEARCH}0"
    look = session.looking
    if look is not None and look.gallery != key and (look.gallery or not first):
        look = None
    panel = None if look is None else product_panel.data_of(resources.now_open(), resolved, look)
    if panel is not None and key.startswith(SEARCH):
        # Before the panel hears of it: one that is closed at once leaves an address, and what came
        # after it would stay.
        address.write(session)
        panel["address"] = address.of_panel(session)
    data = {
        "label": label,
        "first": first,
        "query": "" if resolved is None else repr(resolved.query),
        "cards": shown,
        "actions": card_actions.described(card_actions.offered(resolved)),
        "answered": session.answered,
        "panel": panel,
    }
    component("gallery")(key=key, data=data, on_act_change=partial(card_actions.act, key))
