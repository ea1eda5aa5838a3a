"""What is asked about, shown: the pictures and items, the part that counts, what is wanted less,
and the trail of steps that led there."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import streamlit as st

from fitting_room.room import FittingRoom
from fitting_room.ui import media, query, state
from fitting_room.ui.components import component, sent
from fitting_room.ui.query import Asked, plain, short
from fitting_room.ui.walk import PICTURE, Box, Step, Subject

#: Steps of the trail that are shown.
STEPS_SHOWN = 6
EACH, TOGETHER = "Each for itself", "Like these"


def show(room: FittingRoom, asked: Asked) -> None:
    """The subjects of a question and what can be changed about it."""
    if len(asked.subjects) == 1:
        _one(room, asked)
    else:
        _several(asked)
    _less(room, asked)


def _one(room: FittingRoom, asked: Asked) -> None:
    subject, known = asked.step.subjects[0], asked.subjects[0]
    if st.session_state.get("cropping") == asked.step.subjects[0]:
        _crop(room, asked, subject)
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
    if asked.step.crop is not None:
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
    st.session_state.together = EACH if asked.step.apart else TOGETHER
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
        pairs = zip(asked.step.subjects, asked.subjects, strict=True)
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


def _less(room: FittingRoom, asked: Asked) -> None:
    if not asked.step.less:
        return
    st.caption("Less like")
    with st.container(horizontal=True, gap="xsmall", key="fr-less"):
        for item in asked.step.less:
            match = room.item(item)
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
    state.ask_about(replace(state.walk().step, apart=apart))


def _leave_out(subject: Subject) -> None:
    left = state.walk().step.without(subject)
    state.ask_about(replace(left, apart=left.apart and len(left.subjects) > 1))


def _forgive(item: str) -> None:
    step = state.walk().step
    state.ask_about(replace(step, less=tuple(other for other in step.less if other != item)))


def _clear() -> None:
    state.acted()
    state.walk().back(-1)
    st.session_state.pop("refusal", None)
    st.session_state.pop("cropping", None)


# --- the part that counts ---------------------------------------------------------------------


def _begin_crop(subject: Subject) -> None:
    state.acted()
    st.session_state.cropping = subject


def _crop(room: FittingRoom, asked: Asked, subject: Subject) -> None:
    whole = query.known(room, subject)
    assert whole is not None  # noqa: S101  (it is being shown)
    box = asked.step.crop
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
    state.acted()
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
    step = state.walk().step
    if len(step.subjects) == 1:
        state.ask_about(replace(step, crop=box))


# --- the trail --------------------------------------------------------------------------------


def trail(room: FittingRoom) -> None:
    """The steps that led here; each leads back."""
    steps = state.walk().trail
    if len(steps) < 2:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="fr-trail"):
        st.button(
            "Back",
            key="back",
            icon=":material/arrow_back:",
            on_click=_back,
            args=(len(steps) - 2,),
        )
        first = max(0, len(steps) - STEPS_SHOWN)
        for place, step in enumerate(steps[first:-1], first):
            st.button(
                plain(short(_title(room, step), 22)),
                key=f"step-{place}",
                type="tertiary",
                on_click=_back,
                args=(place,),
            )
        st.caption(plain(short(_title(room, steps[-1]), 28)), width="content")


def _title(room: FittingRoom, step: Step) -> str:
    names = [name for s in step.subjects if (name := query.name_of(room, s)) is not None]
    title = names[0] if names else "A picture that is gone"
    if len(step.subjects) > 1:
        title = f"{len(step.subjects)} {'pictures, each' if step.apart else 'together'}"
    if step.crop is not None:
        title += ", a part"
    return title + (", less like others" if step.less else "")


def _back(place: int) -> None:
    state.acted()
    state.walk().back(place)
    st.session_state.pop("cropping", None)
    st.session_state.way = state.PICTURE_WAY
