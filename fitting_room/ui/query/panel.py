"""What is asked about, shown: the pictures and items, the part that counts, what is wanted less,
and the trail of steps that led there."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import streamlit as st

from fitting_room.facade import FittingRoom
from fitting_room.ui.components import component, sent
from fitting_room.ui.query import session, subjects
from fitting_room.ui.query.history import PICTURE, Box, Query, Subject
from fitting_room.ui.query.subjects import Asked, plain, short
from fitting_room.ui.shared import media

#: Steps of the trail that are shown.
STEPS_SHOWN = 6
EACH, TOGETHER = "Each for itself", "Like these"


def show(fitting_room: FittingRoom, asked: Asked) -> None:
    """The subjects of a question and what can be changed about it."""
    if len(asked.subjects) == 1:
        _one(fitting_room, asked)
    else:
        _several(asked)
    _less(fitting_room, asked)


def _one(fitting_room: FittingRoom, asked: Asked) -> None:
    subject, known = asked.query.subjects[0], asked.subjects[0]
    if st.session_state.get("cropping") == asked.query.subjects[0]:
        _crop(fitting_room, asked, subject)
        return
    _picture(known.jpeg, _alt(subject, known.name), "asked")
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.caption(plain(short(known.name)), width="stretch")
        if known.jpeg:
            st.button(
                "Crop",
                icon=":material/crop:",
                type="tertiary",
                on_click=_begin_crop,
                args=(subject,),
                help="Search with a part of the picture",
            )
        st.button("Clear", icon=":material/close:", type="tertiary", on_click=_clear)
    if asked.query.crop is not None:
        st.button(
            "Use the whole picture",
            icon=":material/zoom_out_map:",
            on_click=_set_crop,
            args=(None,),
        )


def _alt(subject: Subject, name: str) -> str:
    return f"Your picture: {name}" if subject.kind == PICTURE else f"Asked about: {name}"


def _picture(jpeg: bytes, alt: str, place: str) -> None:
    if jpeg:
        address = media.address(jpeg, place)
        image = f'<img src="{address}" alt="{escape(alt, quote=True)}">'
    else:
        image = '<span class="fr-missing">The picture cannot be read</span>'
    st.html(f'<figure class="fr-query">{image}</figure>')


def _several(asked: Asked) -> None:
    st.session_state.together = EACH if asked.query.apart else TOGETHER
    st.segmented_control(
        "Search",
        [EACH, TOGETHER],
        required=True,
        key="together",
        on_change=_choose_together,
        label_visibility="collapsed",
        width="stretch",
    )
    with st.grid(3, min_column_width=80, gap="xsmall", key="fr-subjects"):
        pairs = zip(asked.query.subjects, asked.subjects, strict=True)
        for place, (subject, known) in enumerate(pairs):
            with st.container(gap="xxsmall"):
                _picture(known.jpeg, _alt(subject, known.name), f"asked-{place}")
                st.button(
                    "Leave out",
                    key=f"leave-{place}",
                    type="tertiary",
                    help=f"Ask without {plain(short(known.name))}",
                    on_click=_leave_out,
                    args=(subject,),
                )
    st.button("Clear", icon=":material/close:", type="tertiary", on_click=_clear)


def _less(fitting_room: FittingRoom, asked: Asked) -> None:
    if not asked.query.negatives:
        return
    st.caption("Less like")
    with st.container(horizontal=True, gap="xsmall", key="fr-less"):
        for item in asked.query.negatives:
            match = fitting_room.item(item)
            if match is not None:
                st.button(
                    plain(short(match.name, 32)),
                    key=f"less-{item}",
                    icon=":material/close:",
                    help="No longer less like this",
                    on_click=_forgive,
                    args=(item,),
                )


def _choose_together() -> None:
    apart = st.session_state.get("together") == EACH
    session.ask_about(replace(session.history().query, apart=apart))


def _leave_out(subject: Subject) -> None:
    left = session.history().query.without(subject)
    session.ask_about(replace(left, apart=left.apart and len(left.subjects) > 1))


def _forgive(item: str) -> None:
    query = session.history().query
    session.ask_about(
        replace(query, negatives=tuple(other for other in query.negatives if other != item))
    )


def _clear() -> None:
    session.acted()
    session.history().back(-1)
    st.session_state.pop("refusal", None)
    st.session_state.pop("cropping", None)


# --- the part that counts ---------------------------------------------------------------------


def _begin_crop(subject: Subject) -> None:
    session.acted()
    st.session_state.cropping = subject


def _crop(fitting_room: FittingRoom, asked: Asked, subject: Subject) -> None:
    whole = subjects.known(fitting_room, subject)
    assert whole is not None  # noqa: S101  (it is being shown)
    box = asked.query.crop
    component("cropper")(
        key="cropper",
        data={
            "src": media.address(whole.jpeg, "crop"),
            "alt": _alt(subject, whole.name),
            "box": [box.left, box.top, box.right, box.bottom] if box else None,
        },
        on_box_change=_take_box,
    )


def _take_box() -> None:
    session.acted()
    given = sent("cropper", "box")
    st.session_state.pop("cropping", None)
    if not isinstance(given, str) or given == "cancel":
        return
    try:
        box = Box.parse(given)
    except ValueError:
        return
    _set_crop(box)


def _set_crop(box: Box | None) -> None:
    if box == Box(0, 0, 1000, 1000):
        box = None
    query = session.history().query
    if len(query.subjects) == 1:
        session.ask_about(replace(query, crop=box))


# --- the trail --------------------------------------------------------------------------------


def trail(fitting_room: FittingRoom) -> None:
    """The steps that led here; each leads back."""
    steps = session.history().trail
    if len(steps) < 2:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="fr-trail"):
        st.button(
            "Back", key="back", icon=":material/arrow_back:", on_click=_back, args=(len(steps) - 2,)
        )
        first = max(0, len(steps) - STEPS_SHOWN)
        for place, query in enumerate(steps[first:-1], first):
            st.button(
                plain(short(_title(fitting_room, query), 22)),
                key=f"step-{place}",
                type="tertiary",
                on_click=_back,
                args=(place,),
            )
        st.caption(plain(short(_title(fitting_room, steps[-1]), 28)), width="content")


def _title(fitting_room: FittingRoom, query: Query) -> str:
    names = [
        name for s in query.subjects if (name := subjects.name_of(fitting_room, s)) is not None
    ]
    title = names[0] if names else "A picture that is gone"
    if len(query.subjects) > 1:
        title = f"{len(query.subjects)} {'pictures, each' if query.apart else 'together'}"
    if query.crop is not None:
        title += ", a part"
    return title + (", less like others" if query.negatives else "")


def _back(place: int) -> None:
    session.acted()
    session.history().back(place)
    st.session_state.pop("cropping", None)
    st.session_state.way = session.PICTURE_WAY
