"""The address bar as the state of the page.

All of a session but the visitor's pictures stands in the address, so that the browser's back button
and a shared link bring a view back. Whatever a visitor does on the page changes the session and is
written to the address; where the address differs from what was written and nothing was done on the
page, the visitor came by a link or by the browser's buttons, and the address is read.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import streamlit as st

from fitting_room.search.numbers import order_of
from fitting_room.search.searcher import Searcher
from fitting_room.ui.query import history
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.history import ITEM, MAX_LETTERS, PICTURE, Box, Query, Subject
from fitting_room.ui.query.session import CATALOGUE, FILTER, UPLOADED, Look, Params, Session
from fitting_room.ui.query.subjects import has_picture
from fitting_room.ui.shared.text import label, quoted

#: Where the slider from shape to colour stops, in hundredths.
POSITIONS = range(0, 101, 10)
#: How much a variety counts against likeness, in hundredths, and what that is called.
VARIETIES = {0: "None", sessions.VARIETY: "Some", 50: "Much"}
#: Values of one parameter that are read at most.
MAX_VALUES = 200
#: What is looked at by itself, and what looks all but the same as it.
LOOK, ALIKE = "look", "alike"
#: Said of a picture that neither the session nor the visitor's browser has.
NO_PICTURE = "Links cannot carry your picture. Add it again."


def read(session: Session, searcher: Searcher, offered: Mapping[str, Sequence[str]]) -> None:
    """Read the address where the visitor came by it; ``offered`` are the values that a column may
    be filtered by. What is unknown is ignored, and complained of."""
    address = {name: values[:MAX_VALUES] for name, values in _shown().items()}
    if session.acted or address == session.address:
        return
    session.address = address
    session.refusals, session.came_by = [], None
    reader = _Reader(searcher, session, address)
    session.history.go(reader.query())
    session.n = reader.number("n", sessions.COUNTS) or sessions.DEFAULT_MATCHES
    session.colour = reader.number("colour", POSITIONS)
    session.trained = not reader.flag("plain")
    session.fold = not reader.flag("spread")
    variety = reader.number("variety", VARIETIES)
    session.variety = sessions.VARIETY if variety is None else variety
    session.only_good = reader.flag("good")
    session.sort = reader.sort()
    session.text_weight = reader.number("weight", POSITIONS)
    session.find = address.get("find", [""])[0][:MAX_LETTERS]
    session.page, session.paged = reader.number("page", range(1, 10_000)) or 1, None
    session.source = CATALOGUE if session.find or "browse" in address else UPLOADED
    session.looking = reader.look()
    session.filter_by({column: reader.filter(column, offered[column]) for column in offered})
    reader.check_filters(offered)
    session.complaints = list(dict.fromkeys(reader.complaints))


def write(session: Session) -> None:
    """Bring the address up to date."""
    session.acted = False
    session.address = _params(session)
    if session.address != _shown():
        st.query_params.from_dict(session.address)


def of_panel(session: Session) -> dict[str, str]:
    """The address as it is ``shown`` with what is looked at by itself, and ``without`` it, as
    Streamlit writes them."""
    params = _params(session)
    without = {name: values for name, values in params.items() if name not in (LOOK, ALIKE)}
    return {"shown": urlencode(params, doseq=True), "without": urlencode(without, doseq=True)}


def query_of(searcher: Searcher, session: Session, params: Params) -> Query:
    """The query of parameters that anybody may have written, as far as it can be asked."""
    return _Reader(searcher, session, params).query()


def params_of(query: Query) -> Params:
    """A query as parameters of an address. A visitor's own picture is named, not carried: it is
    found again in the same session only."""
    params: Params = {}
    for subject in query.subjects:
        params.setdefault(subject.kind, []).append(subject.id)
    if query.negatives:
        params["less"] = list(query.negatives)
    if query.apart:
        params["apart"] = ["1"]
    if query.crop is not None:
        params["crop"] = [str(query.crop)]
    if query.words:
        params["words"] = [query.words]
    return params


def _shown() -> Params:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def _params(session: Session) -> Params:
    params = params_of(session.history.query)
    if session.n != sessions.DEFAULT_MATCHES:
        params["n"] = [str(session.n)]
    if session.colour is not None:
        params["colour"] = [str(session.colour)]
    if not session.trained:
        params["plain"] = ["1"]
    if not session.fold:
        params["spread"] = ["1"]
    if session.variety != sessions.VARIETY:
        params["variety"] = [str(session.variety)]
    if session.only_good:
        params["good"] = ["1"]
    if session.sort:
        params["sort"] = [session.sort]
    if session.text_weight is not None and session.history.query:
        params["weight"] = [str(session.text_weight)]
    if session.source == CATALOGUE or (session.find and not session.history.query):
        params |= {"find": [session.find]} if session.find else {"browse": ["1"]}
        if session.page > 1:
            params["page"] = [str(session.page)]
    if session.looking is not None:
        params[ALIKE if session.looking.alike else LOOK] = [session.looking.item]
    return params | {FILTER + column: values for column, values in session.where.items()}


@dataclass(slots=True)
class _Reader:
    """Reads an address, which anybody may have written."""

    searcher: Searcher
    session: Session
    address: Params
    complaints: list[str] = field(default_factory=list)

    def query(self) -> Query:
        subjects = [Subject(ITEM, item) for item in self._items("item", history.MAX_SUBJECTS)]
        for name in dict.fromkeys(self.address.get(PICTURE, [])[: history.MAX_SUBJECTS]):
            if has_picture(name):
                subjects.append(Subject(PICTURE, name))
            else:
                self.session.came_by = self.address
                self.complaints.append(NO_PICTURE)
        query = Query(tuple(subjects[: history.MAX_SUBJECTS]))
        if not query:
            return query
        words = self.address.get("words", [""])[0][:MAX_LETTERS]
        negatives = tuple(self._items("less", history.MAX_NEGATIVES))
        query = replace(query, negatives=negatives, words=words)
        if len(subjects) > 1:
            return replace(query, apart=self.flag("apart"))
        for text in self.address.get("crop", [])[:1]:
            try:
                query = replace(query, crop=Box.parse(text))
            except ValueError:
                self.complaints.append("The part of the picture in this link makes no sense.")
        return query

    def look(self) -> Look | None:
        """The item that is to be shown by itself, or what looks all but the same as it."""
        for item in self._items(LOOK, 1):
            return Look(item)
        return next((Look(item, alike=True) for item in self._items(ALIKE, 1)), None)

    def _items(self, name: str, most: int) -> list[str]:
        known = []
        for item in dict.fromkeys(self.address.get(name, [])[:most]):
            if self.searcher.row(item) is None:
                self.complaints.append(f"There is no item {quoted(item)} in this catalogue.")
            else:
                known.append(item)
        return known

    def sort(self) -> str:
        """The order of good matches, of a column of numbers, or the usual one."""
        for text in self.address.get("sort", [])[:1]:
            if order_of(text)[0] in self.searcher.numeric:
                return text
            self.complaints.append(
                f"Matches of this catalogue cannot be sorted by {quoted(text.removeprefix('-'))}."
            )
        return ""

    def number(self, name: str, allowed: Container[int]) -> int | None:
        for text in self.address.get(name, [])[:1]:
            if len(text) <= 4 and text.isascii() and text.isdigit() and int(text) in allowed:
                return int(text)
            self.complaints.append(f"{name} in this link is no number that can be used here.")
        return None

    def flag(self, name: str) -> bool:
        return self.address.get(name, [])[:1] == ["1"]

    def filter(self, column: str, offered: Sequence[str]) -> list[str]:
        values = list(dict.fromkeys(self.address.get(FILTER + column, [])))
        for value in values:
            if value not in offered:
                self.complaints.append(f"{label(column)} {quoted(value)} is not in this catalogue.")
        return [value for value in values if value in offered]

    def check_filters(self, offered: Mapping[str, Sequence[str]]) -> None:
        for name in self.address:
            column = name.removeprefix(FILTER)
            if column != name and column not in offered:
                self.complaints.append(f"This catalogue cannot be filtered by {quoted(column)}.")
