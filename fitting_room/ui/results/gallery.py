"""The answer: a gallery of cards, ranked; or the catalogue, to walk through."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from html import escape
from typing import Any
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from fitting_room.catalogue.schema import NAME_COLUMNS
from fitting_room.facade import FittingRoom, Match
from fitting_room.index.calibration import describe_share
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.ui.components import component
from fitting_room.ui.query import session
from fitting_room.ui.query.history import MOST_SUBJECTS, of_items
from fitting_room.ui.query.subjects import Asked, Kept
from fitting_room.ui.results import card_actions, controls, share_dialog
from fitting_room.ui.shared import media, resources

#: What a card says below an item's name, where the catalogue has it; a catalogue with other
#: columns shows its first ones.
PREFERRED_ATTRIBUTES = ("articleType", "baseColour", "gender", "season", "usage", "class")
ATTRIBUTES_ON_CARD = 4
#: Above this weight of colour it is colours that a likeness tells of, and how often the kind was
#: right says little.
MOSTLY_COLOUR = 0.5

#: Answers that a session keeps: those of one question for each of its pictures.
ANSWERS_KEPT = MOST_SUBJECTS

Card = dict[str, Any]


@st.fragment
def show(fitting_room: FittingRoom, asked: Asked | None) -> None:
    """The controls and the matches of a query, or the catalogue without one. A fragment: what a
    visitor turns redraws this part only, and nothing is embedded again."""
    if st.session_state.pop("moved", False):
        st.rerun()  # what is asked about is another now, and is drawn outside of this part
    if asked is None or st.session_state.get("way") == session.CATALOGUE_WAY:
        _catalogue(fitting_room)
    else:
        _answer(fitting_room, asked)
    session.write()
    card_actions.follow(fitting_room, asked)


def _catalogue(fitting_room: FittingRoom) -> None:
    """Items from all over the catalogue, always the same ones, or those of a name."""
    many, filters = st.columns([3, 1], gap="medium", vertical_alignment="bottom")
    with many:
        n = controls.how_many()
    with filters:
        where = controls.narrow(fitting_room)
    controls.chips()
    words = str(st.session_state.get("find") or "").split()
    browsing = st.session_state.get("way") == session.CATALOGUE_WAY
    mask = fitting_room.index.mask(where)
    if browsing and words:
        mask = mask & fitting_room.named(words)
    rows = np.flatnonzero(mask)
    if browsing and words:
        st.header(f"{len(rows):,} found" if len(rows) else "Nothing found", anchor=False)
    else:
        title = "The catalogue" if browsing else "A glance at the catalogue"
        st.header(title, anchor=False)
        rows = np.random.default_rng(len(fitting_room.index)).permutation(rows)
    if not len(rows):
        _nothing_found(named=browsing and bool(words))
        return
    page = _page(-(-len(rows) // n), repr((words, where, n))) if browsing else 1
    chosen = rows[(page - 1) * n : page * n]
    matches = fitting_room.matches(Hits(chosen, np.zeros(len(chosen), np.float32)), None)
    cards(fitting_room, None, [card(m, f"0-{i}") for i, m in enumerate(matches)], "Catalogue")


def _page(pages: int, what: str) -> int:
    """Which of some pages is shown: the first one where something else is to be seen than before,
    unless a link names another."""
    if st.session_state.get("paged") != what:
        st.session_state.paged = what
        st.session_state.first_page = st.session_state.pop("asked_page", 1)
        st.session_state.page_turn = st.session_state.get("page_turn", 0) + 1
    if pages < 2:
        st.session_state.page = 1
        return 1
    start = min(st.session_state.first_page, pages)
    key = f"page-{st.session_state.page_turn}"
    st.session_state.page = int(st.pagination(pages, default=start, key=key, width="content"))
    return int(st.session_state.page)


def _answer(fitting_room: FittingRoom, asked: Asked) -> None:
    with st.container(key="fr-controls"):
        many, colour, filters = st.columns([3, 3, 2], gap="medium", vertical_alignment="center")
    heading = st.container(horizontal=True, vertical_alignment="center", key="fr-heading")
    with many:
        n = controls.how_many()
    with heading:
        st.header(_heading(asked), anchor=False)
        trained = controls.trained(fitting_room)
        fold = controls.fold()
    with colour:
        options = controls.options(
            fitting_room, trained=trained, plain_background=asked.plain_background
        )
    with filters:
        where = controls.narrow(fitting_room)
    controls.chips()
    if not asked.query.apart:
        _matches(fitting_room, asked, n, where, options, fold, "0")
        return
    for place, subject in enumerate(asked.subjects):
        _section(place, subject)
        _matches(fitting_room, asked.alone(place), n, where, options, fold, str(place))


def _section(place: int, subject: Kept) -> None:
    name = escape(subject.name, quote=True)
    address = media.address(subject.jpeg, f"section-{place}") if subject.jpeg else ""
    picture = f'<img src="{address}" alt="">' if address else ""
    st.html(f'<div class="fr-section">{picture}<h3>{name}</h3></div>')


def _heading(asked: Asked) -> str:
    if asked.query.apart:
        return "Most like each of your pictures"
    if len(asked.subjects) > 1:
        return "Most like these"
    return "Most like your picture" if not asked.items else "Most like this"


def _matches(
    fitting_room: FittingRoom,
    asked: Asked,
    n: int,
    where: dict[str, list[str]],
    options: SimilarityOptions,
    fold: bool,
    place: str,
) -> None:
    if asked.is_out_of_catalogue:
        st.caption(
            ":material/search_off: Nothing in the catalogue is close to your picture. "
            "These come nearest."
        )
    weight = fitting_room.index.colour_weight(options, plain_background=asked.plain_background)
    matches = _found(fitting_room, asked, n, where, options, fold)
    # What was measured on garments says nothing of a picture that is none.
    bare = asked.is_out_of_catalogue or weight > MOSTLY_COLOUR
    if not matches:
        _nothing_found(named=False)
        return
    shown = [card(m, f"{place}-{i}", likeness(m, bare=bare)) for i, m in enumerate(matches)]
    cards(fitting_room, asked, shown, _heading(asked), f"gallery-{place}")
    share_dialog.offer(fitting_room, asked, matches, place)


def _found(
    fitting_room: FittingRoom,
    asked: Asked,
    n: int,
    where: dict[str, list[str]],
    options: SimilarityOptions,
    fold: bool,
) -> list[Match]:
    """The matches. The last answers are kept, so that what does not change them (a card's button,
    fewer of them, the next sheet) does not search again."""
    kept: OrderedDict[str, tuple[int, list[Match]]] = st.session_state.setdefault(
        "answers", OrderedDict()
    )
    name = repr((fitting_room.index.manifest.build, asked.query, where, options, fold))
    count, matches = kept.get(name, (0, []))
    if count < n:
        matches = fitting_room.search(
            asked.features,
            n,
            where,
            options=options,
            fold=fold,
            negatives=asked.negatives,
            without=asked.items,
        )
        kept[name] = (n, matches)
    kept.move_to_end(name)
    while len(kept) > ANSWERS_KEPT:
        kept.popitem(last=False)
    return matches[:n]


def _nothing_found(*, named: bool) -> None:
    if named:
        st.html('<p class="fr-nothing">No item has these words in its name or number.</p>')
        st.button("Show the whole catalogue", on_click=_clear_find, icon=":material/apps:")
        return
    st.html(
        '<p class="fr-nothing">Nothing in the catalogue passes these filters. '
        "Take one off, or all.</p>"
    )
    st.button("Clear filters", on_click=session.clear_filters, key="clear-filters-nothing",
              icon=":material/filter_alt_off:")  # fmt: skip


def _clear_find() -> None:
    st.session_state.find = ""
    st.session_state.moved = True
    session.clear_filters()
    session.acted()


def cards(
    fitting_room: FittingRoom,
    asked: Asked | None,
    shown: Sequence[Card],
    label: str,
    key: str = "gallery",
) -> None:
    """A gallery of cards with their actions."""
    data = {
        "label": label,
        # Of several galleries the first one begins the answer.
        "first": key in ("gallery", "gallery-0"),
        "question": "" if asked is None else repr(asked.query),
        "cards": shown,
        "actions": [
            {"name": a.name, "label": a.label, "place": a.place, "icon": a.icon}
            for a in card_actions.offered(asked)
        ],
    }
    component("gallery")(
        key=key, data=data, on_act_change=partial(card_actions.act, fitting_room, key)
    )


def card(match: Match, place: str, likeness: dict[str, Any] | None = None) -> Card:
    """What the page shows of a match; ``place`` is a name of the card's own on the page."""
    picture = resources.thumbnail(match.image)
    return {
        "id": match.id,
        "name": match.name,
        "src": None if picture is None else media.address(picture, f"card-{place}"),
        "href": "?" + urlencode(session.params_of(of_items([match.id])), doseq=True),
        "text": " · ".join(_attributes(match)),
        "others": _others(match),
        "likeness": likeness,
    }


def _others(match: Match) -> dict[str, str] | None:
    count = len(match.others)
    if not count:
        return None
    verb = "looks" if count == 1 else "look"
    return {"text": f"+{count:,} alike", "title": f"{count:,} more {verb} all but the same"}


def likeness(match: Match, *, bare: bool) -> dict[str, Any]:
    """How good a match is: in words and by how often such a one was right where that was measured
    on this catalogue, and otherwise the bare likeness."""
    if match.expected_precision is None or bare:
        return {
            "amount": max(0.0, match.similarity),
            "text": f"{match.similarity:.2f}",
            "title": "Likeness to your picture; 1 is the same",
        }
    return {
        "amount": match.expected_precision,
        "text": describe_share(match.expected_precision),
        "title": f"Of items this much alike, {match.expected_precision:.0%} were of the same kind",
    }


def _attributes(match: Match) -> list[str]:
    preferred = [match.attributes[c] for c in PREFERRED_ATTRIBUTES if c in match.attributes]
    others = [value for column, value in match.attributes.items() if column not in NAME_COLUMNS]
    return (preferred or others)[:ATTRIBUTES_ON_CARD]
