"""The query panel: its pictures and items, the part that is searched with, and its negatives."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import streamlit as st

from fitting_room.search.searcher import Searcher
from fitting_room.ui.components import component, sent
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query import subjects
from fitting_room.ui.query.history import PICTURE, Box, Subject
from fitting_room.ui.query.session import TOGETHER, QueryPicture
from fitting_room.ui.query.subjects import ResolvedQuery
from fitting_room.ui.shared import media
from fitting_room.ui.shared.text import plain, shorten

EACH, COMBINED = "Search each", "Search together"
WHOLE = Box(0, 0, 1000, 1000)


def show(searcher: Searcher, resolved: ResolvedQuery) -> None:
    """The subjects of a query and what can be changed about it."""
    if len(resolved.pictures) == 1:
        _one(searcher, resolved)
    else:
        _several(resolved)
    _negatives(searcher, resolved.query.negatives)


def _one(searcher: Searcher, resolved: ResolvedQuery) -> None:
    session = sessions.current()
    subject, picture = resolved.query.subjects[0], resolved.pictures[0]
    if session.cropping == subject:
        _cropper(searcher, subject, resolved.query.crop)
        return
    with st.container(key="fr-query-one", gap="xsmall"):
        _picture(subject, picture, whole=resolved.query.crop is None)
        with st.container(key="fr-query-about", gap="xxsmall"):
            st.caption(plain(shorten(picture.name)))
            _note(picture)
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                if picture.jpeg:
                    _crop_buttons(subject, resolved.query.crop)
                _clear_button()


def _crop_buttons(subject: Subject, crop: Box | None) -> None:
    st.button(
        "Crop",
        icon=":material/crop:",
        type="tertiary",
        on_click=_begin_crop,
        args=(subject,),
        help="Search with a part of the picture",
    )
    if crop is not None:
        st.button(
            "Whole picture",
            icon=":material/zoom_out_map:",
            type="tertiary",
            on_click=_set_crop,
            args=(WHOLE,),
        )


def _clear_button() -> None:
    back = sessions.current().go_back
    st.button("Clear", icon=":material/close:", type="tertiary", on_click=back, args=(-1,))


def _alt(subject: Subject, name: str) -> str:
    return f"Your picture: {name}" if subject.kind == PICTURE else f"Chosen item: {name}"


def _picture(subject: Subject, picture: QueryPicture, *, whole: bool = True) -> None:
    """The picture; a visitor's own one is marked, so that their browser keeps it for the visit."""
    alt, name = (escape(t, quote=True) for t in (_alt(subject, picture.name), picture.name))
    kept = f' data-picture="{escape(subject.id, quote=True)}" data-name="{name}"'
    own = subject.kind == PICTURE and whole
    if picture.jpeg:
        source = media.data_uri(picture.jpeg)
        image = f'<img src="{source}" alt="{alt}"{kept if own else ""}>'
    else:
        image = '<span class="fr-missing">The picture cannot be read</span>'
    st.html(f'<figure class="fr-query">{image}</figure>')


def _note(picture: QueryPicture) -> None:
    if picture.features.note:
        st.caption(f":material/info: {picture.features.note}")


def _several(resolved: ResolvedQuery) -> None:
    st.segmented_control(
        "Search",
        [EACH, COMBINED],
        required=True,
        **sessions.widget(TOGETHER, EACH if resolved.query.apart else COMBINED, _set_apart),
        label_visibility="collapsed",
        width="stretch",
    )
    with st.grid(3, min_column_width=80, gap="xsmall", key="fr-subjects"):
        pairs = zip(resolved.query.subjects, resolved.pictures, strict=True)
        for place, (subject, picture) in enumerate(pairs):
            with st.container(gap="xxsmall"):
                _picture(subject, picture)
                _note(picture)
                st.button(
                    "Remove",
                    key=f"leave-{place}",
                    type="tertiary",
                    help=f"Search without {plain(shorten(picture.name))}",
                    on_click=_leave_out,
                    args=(subject,),
                )
    _clear_button()


def _negatives(searcher: Searcher, items: tuple[str, ...]) -> None:
    if not items:
        return
    st.caption("Less like")
    with st.container(horizontal=True, gap="xsmall", key="fr-negatives"):
        for match in filter(None, map(searcher.item, items)):
            st.button(
                plain(shorten(match.name, 32)),
                key=f"negative-{match.id}",
                icon=":material/close:",
                help="No longer less like this",
                on_click=_drop_negative,
                args=(match.id,),
            )


def _set_apart() -> None:
    session = sessions.current()
    session.ask(replace(session.history.query, apart=sessions.chosen(TOGETHER) == EACH))


def _leave_out(subject: Subject) -> None:
    session = sessions.current()
    session.ask(session.history.query.without(subject))


def _drop_negative(item: str) -> None:
    session = sessions.current()
    query = session.history.query
    session.ask(replace(query, negatives=tuple(n for n in query.negatives if n != item)))


# --- the part that is searched with -----------------------------------------------------------


def _begin_crop(subject: Subject) -> None:
    sessions.current().act()
    sessions.current().cropping = subject


def _cropper(searcher: Searcher, subject: Subject, box: Box | None) -> None:
    whole = subjects.find(searcher, subject)
    if whole is None:
        return
    component("cropper")(
        key="cropper",
        data={
            "src": media.data_uri(whole.jpeg),
            "alt": _alt(subject, whole.name),
            "box": [box.left, box.top, box.right, box.bottom] if box else None,
        },
        on_box_change=_take_box,
    )


def _take_box() -> None:
    session, message = sessions.current(), sent("cropper", "box")
    session.act()
    session.cropping = None
    try:
        box = Box.parse(message) if isinstance(message, str) else None
    except ValueError:  # also what the button to cancel sends
        return
    if box is not None:
        _set_crop(box)


def _set_crop(box: Box) -> None:
    session = sessions.current()
    query = session.history.query
    if len(query.subjects) == 1:
        session.ask(replace(query, crop=None if box == WHOLE else box))
