"""Which of the matches are shown, and in which order: a variety or all that is near, good ones
alone, sorted by a price or a year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from fitting_room.search.numbers import order_of
from fitting_room.search.searcher import Match, Searcher
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.address import VARIETIES
from fitting_room.ui.results.card_data import Card
from fitting_room.ui.shared.text import label, plain


@dataclass(frozen=True, slots=True)
class Order:
    """A visitor's choice, as :class:`fitting_room.ui.query.session.Session` has it."""

    variety: int
    only_good: bool
    sort: str

    @property
    def good_alone(self) -> bool:
        """Whether nothing but good matches is shown."""
        return self.only_good or bool(self.sort)

    @property
    def arguments(self) -> dict[str, Any]:
        """The choice as arguments of :meth:`Searcher.search`."""
        sort_by, descending = order_of(self.sort or None)
        return {
            "diversity": self.variety / 100,
            "only_good": self.only_good,
            "sort_by": sort_by,
            "descending": descending,
        }

    def count(self, n: int) -> int:
        """``n`` where other matches are chosen for another number of them, or 0."""
        return n if self.variety or self.good_alone else 0


def chosen(searcher: Searcher) -> Order:
    """What the visitor has chosen, as far as this version of the index has it."""
    session = sessions.current()
    if order_of(session.sort)[0] not in searcher.numeric:
        session.sort = ""
    return Order(session.variety, session.only_good, session.sort)


def offer(searcher: Searcher) -> None:
    """The controls, within the popover of options."""
    chosen(searcher)
    if searcher.numeric:
        st.selectbox(
            "Order",
            ["", *(sign + column for column in searcher.numeric for sign in ("", "-"))],
            format_func=_in_words,
            **sessions.shown_later("sort"),
            help="The good matches, and no others, in the order of a column. "
            "Items without a number come last.",
        )
    st.segmented_control(
        "Variety",
        list(VARIETIES),
        format_func=VARIETIES.__getitem__,
        required=True,
        **sessions.shown_later("variety"),
        help="How different the matches are from each other. None shows whatever is nearest, "
        "be it one thing in ten variants; more leaves variants out.",
    )
    st.toggle(
        "Only good matches",
        **sessions.shown_later("only_good"),
        help="Leaves out what is less than “Alike”. There may be few matches, or none.",
    )


def _in_words(sort: str) -> str:
    if not sort:
        return "Most alike first"
    column, descending = order_of(sort)
    return f"{label(str(column))}, {'highest' if descending else 'lowest'} first"


def say_values(cards: Sequence[Card], matches: Sequence[Match], order: Order) -> None:
    """Have each card say what its match is sorted by."""
    column, _ = order_of(order.sort or None)
    for card, match in zip(cards, matches, strict=True):
        if column is not None and (value := match.attributes.get(column)) is not None:
            others = [text for text in card["text"].split(" · ") if text not in ("", value)]
            card["text"] = " · ".join([f"{label(column)} {value}", *others])


def chips() -> int:
    """What the visitor has chosen, beside the filters, each with a button that takes it back; says
    how many there are."""
    session = sessions.current()
    texts = {"sort": _in_words(session.sort), "only_good": "Only good matches"}
    on = [name for name in texts if getattr(session, name)]
    for name in on:
        st.button(
            plain(texts[name]),
            key=f"chip-{name}",
            icon=":material/close:",
            help="Take this back",
            on_click=take_back,
            args=(name,),
        )
    return len(on)


def take_back(*names: str) -> None:
    """Forget what the visitor has chosen: the fields of the session of these names, or both."""
    session = sessions.current()
    session.act()
    for name in names or ("sort", "only_good"):
        setattr(session, name, type(getattr(session, name))())


def say_few(order: Order, found: int, n: int, place: str) -> None:
    """Below fewer good matches than were asked for, that the others are left out, with a way to see
    them. ``place`` is a name of the gallery's own."""
    with st.container(
        key=f"fr-few-{place}", horizontal=found > 0, vertical_alignment="center", gap="medium"
    ):
        if found >= n or not order.good_alone:
            return
        if found:
            matches = "good match is" if found == 1 else "good matches are"
            text = f"{found:,} {matches} all there is. Less alike ones are left out."
            st.caption(text, width="content")
        else:
            st.html('<p class="fr-nothing">Nothing here is alike enough to be a good match.</p>')
        st.button(
            "Show less alike ones, too",
            key=f"all-matches-{place}",
            on_click=take_back,
            icon=":material/expand_more:",
        )
