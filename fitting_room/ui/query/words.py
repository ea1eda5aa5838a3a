"""Words as a query: the field for them, what was understood as chips, how much they count beside a
picture, and what the answer may be narrowed down by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from fitting_room.search.facets import Choice
from fitting_room.search.fulfilment import TEXT_WEIGHT, judged
from fitting_room.search.likeness import Likeness
from fitting_room.search.proposals import FIRST, proposals
from fitting_room.search.searcher import Searcher
from fitting_room.search.wishes import Understood, Wish
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.address import POSITIONS
from fitting_room.ui.query.history import MAX_LETTERS
from fitting_room.ui.shared.text import label, plain

#: Key of the field for words beside a picture.
BESIDE = "words"
FIND = "Find an item by words, its name or number"
#: What may be written into it.
HELP = (
    "Types, colours, brands, whatever this catalogue calls its items; “not” or “without” before "
    "what you do not want."
)
#: Values that are proposed at most.
MOST_PROPOSED = 5
#: Where the slider from picture to words stands unless a visitor moves it.
USUAL = round(100 * TEXT_WEIGHT)


def field(searcher: Searcher, *, beside: bool) -> Understood:
    """The field for words, in the catalogue or ``beside`` a picture, with what is understood of
    them."""
    session = sessions.current()
    if beside:
        text = session.history.query.words
        widget = sessions.widget(BESIDE, text, _take)
        _input("Add words", "in red, without stripes", HELP, widget)
    else:
        text = session.find
        find(HELP)
    understood = searcher.understand(text) if text.strip() else Understood()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="fr-words"):
        for number, wish in enumerate(understood.wishes):
            _chip(understood, wish, number, beside=beside)
        if beside and understood:
            _weight()
    if understood.message:
        st.caption(f":material/info: {plain(understood.message)}")
    return understood


def find(explained: str | None = None) -> None:
    """The field to find items of the catalogue; it finds while one types."""
    _input(FIND, "red dress", explained, sessions.current().widget("find"))


def _input(title: str, example: str, explained: str | None, widget: dict[str, Any]) -> None:
    st.text_input(
        title,
        max_chars=MAX_LETTERS,
        **widget,
        placeholder=example,
        icon=":material/search:",
        type="search",
        live=True,
        help=explained,
    )


def _chip(understood: Understood, wish: Wish, number: int, *, beside: bool) -> None:
    columns = ", ".join(label(column) for column, _ in wish.values) or "Name or number"
    st.button(
        plain(wish.in_words),
        key=f"word-{number}-{wish.text}",
        icon=":material/close:",
        help=f"{plain(columns)}, understood of “{plain(wish.words)}”: take this word off",
        on_click=_set,
        args=(understood.without(wish), beside),
    )


def _weight() -> None:
    """The slider from picture to words."""
    session = sessions.current()
    usual = USUAL if session.text_weight is None else session.text_weight
    position = st.select_slider(
        "Picture or words",
        POSITIONS,
        value=usual,
        format_func=lambda at: {0: "picture", 100: "words"}.get(at, f"{at} % words"),
        **session.widget("text_weight", usual),
        width=240,
        help="How much your words count beside your picture. At the end, only items are left that "
        "do all they ask for.",
    )
    session.text_weight = None if position == USUAL else position


def weight() -> float:
    """How much words count beside a picture, 0 to 1."""
    chosen = sessions.current().text_weight
    return (USUAL if chosen is None else chosen) / 100


def similarities(
    searcher: Searcher, text: str, rows: Sequence[int], alike: Sequence[Likeness]
) -> list[dict[str, Any]]:
    """For the cards of matches of a picture and words: how much of the words each has. How alike
    it is to the picture, of which another colour was asked for, says little of it."""
    fulfilled = searcher.fulfilment(searcher.understand(text))
    return [
        {
            "amount": of_words.amount,
            "text": of_words.text,
            "title": f"Your picture: {likeness.text}",
        }
        for of_words, likeness in zip(judged(fulfilled, np.array(rows)), alike, strict=True)
    ]


def _take() -> None:
    _set(str(sessions.chosen(BESIDE) or ""), True)


def _set(text: str, beside: bool) -> None:
    session = sessions.current()
    session.act()
    if beside:
        session.history.reword(text)
    else:
        session.find = text


# --- what the answer may be narrowed down by --------------------------------------------------


def propose(
    searcher: Searcher, offered: Sequence[Choice], rows: np.ndarray, understood: Understood
) -> None:
    """The values that split the first results most, each with a button that keeps only these."""
    session = sessions.current()
    asked = {(c, v) for wish in understood.wishes for c, values in wish.values for v in values}
    chosen = {(column, value) for column, values in session.where.items() for value in values}
    first = rows[:FIRST]
    found = proposals(searcher.index.store, offered, first, MOST_PROPOSED, asked | chosen)
    if not found:
        return
    with st.container(
        horizontal=True, vertical_alignment="center", gap="xsmall", key="fr-proposals"
    ):
        st.caption("Narrow down", width="content")
        for proposal in found:
            st.button(
                f"{plain(proposal.value)} :small[{proposal.count}]",
                key=f"propose-{proposal.column}-{proposal.value}",
                type="tertiary",
                help=f"{plain(label(proposal.column))}: {proposal.count} of the first {len(first)} "
                "are. Show only these",
                on_click=_narrow,
                args=(proposal.column, proposal.value),
            )


def _narrow(column: str, value: str) -> None:
    session = sessions.current()
    session.act()
    session.filter_by({**session.where, column: [*session.where.get(column, []), value]})
