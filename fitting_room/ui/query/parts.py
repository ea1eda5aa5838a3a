"""The garments that a visitor's picture shows, where it shows several: one is chosen to search
with. What is searched with is a crop like any other, in the address and in the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, floor
from weakref import WeakKeyDictionary

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fitting_room.imaging.decode import ImageRejected
from fitting_room.search.parts import Part, parts_of
from fitting_room.search.searcher import Searcher
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query import subjects
from fitting_room.ui.query.history import PICTURE, Box, Query
from fitting_room.ui.query.session import QueryPicture
from fitting_room.ui.query.subjects import ResolvedQuery
from fitting_room.ui.shared.text import plain

#: The key of the widget, and what it calls the whole picture.
PARTS, WHOLE = "parts", "Whole picture"

#: What was seen in pictures, for as long as these are kept.
_seen: WeakKeyDictionary[QueryPicture, list[Part]] = WeakKeyDictionary()


def place(searcher: Searcher, resolved: ResolvedQuery) -> DeltaGenerator:
    """Where the parts of the picture are offered, with those that are known already."""
    container = st.container(key="fr-parts")
    picture = _whole(searcher, resolved)
    if picture is not None and picture in _seen:
        _offer(container, resolved.query, _seen[picture])
    return container


def look(searcher: Searcher, resolved: ResolvedQuery, container: DeltaGenerator) -> None:
    """Look for the parts of a picture that was not looked at yet. This takes longer than a search,
    so it comes after the matches were shown."""
    picture = _whole(searcher, resolved)
    if picture is None or picture in _seen:
        return
    try:
        image = searcher.open_picture(picture.jpeg, picture.name, to_show=True)
    except ImageRejected:  # too many pictures wait: another time
        return
    _seen[picture] = parts_of(searcher, image)
    _offer(container, resolved.query, _seen[picture])


def _whole(searcher: Searcher, resolved: ResolvedQuery) -> QueryPicture | None:
    """The picture that parts are offered of: the only one, and the visitor's own."""
    own = [subject for subject in resolved.query.subjects if subject.kind == PICTURE]
    if len(resolved.query.subjects) != 1 or not own or sessions.current().cropping is not None:
        return None
    return subjects.find(searcher, own[0])


def _offer(container: DeltaGenerator, query: Query, parts: list[Part]) -> None:
    if not parts:
        return
    boxes: dict[str, Box | None] = {WHOLE: None}
    for part in parts:
        kind, number = plain(part.kind), 1
        name = kind
        while name in boxes:
            number += 1
            name = f"{kind} {number}"
        boxes[name] = _box(part)
    chosen = next((name for name, box in boxes.items() if box == query.crop), None)
    with container:
        st.pills(
            "Search with",
            list(boxes),
            required=True,
            wrap=True,
            help="Your picture seems to show several things. Choose the one that is meant; "
            "Crop chooses any other part.",
            **sessions.widget(PARTS, chosen, _choose, boxes),
        )


def _choose(boxes: Mapping[str, Box | None]) -> None:
    name, session = sessions.chosen(PARTS), sessions.current()
    query = session.history.query
    if name in boxes and len(query.subjects) == 1:
        session.ask(replace(query, crop=boxes[name]))


def _box(part: Part) -> Box:
    left, top, right, bottom = part.box
    return Box(
        floor(left * 1000), floor(top * 1000), ceil(right * 1000 - 1e-6), ceil(bottom * 1000 - 1e-6)
    )
