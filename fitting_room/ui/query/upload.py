"""The ways in: dropped or chosen files, the clipboard, the webcam, the samples, the catalogue."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

import streamlit as st

from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import FORMATS_IN_WORDS, SUFFIXES, ImageRejected, open_image
from fitting_room.settings import Settings
from fitting_room.ui.components import component, sent
from fitting_room.ui.query import session, subjects
from fitting_room.ui.query.subjects import Arrived
from fitting_room.ui.shared import media

MAX_SAMPLES = 6
SAMPLE_SIZE = (180, 240)
#: Bytes of a pasted picture; the browser reduces what is larger before it sends it.
MOST_PASTED = 4 * 2**20
WAYS = {
    session.PICTURE_WAY: ":material/add_photo_alternate: Picture",
    session.WEBCAM_WAY: ":material/photo_camera: Webcam",
    session.CATALOGUE_WAY: ":material/storefront: Catalogue",
}


def ways_in(fitting_room: FittingRoom) -> None:
    """Let the visitor give a picture, or look for an item."""
    way = st.segmented_control(
        "How do you want to show it?",
        list(WAYS),
        required=True,
        format_func=WAYS.__getitem__,
        key="way",
        on_change=session.acted,
        persist_state="session",
        label_visibility="collapsed",
        width="stretch",
    )
    if way == session.CATALOGUE_WAY:
        st.text_input(
            "Find an item by its name or number",
            key="find",
            max_chars=session.MOST_LETTERS,
            on_change=session.acted,
            persist_state="session",
            placeholder="red dress",
            icon=":material/search:",
        )
        st.caption("Then choose *More like this* below a picture.")
    elif way == session.WEBCAM_WAY:
        st.camera_input(
            "Take a picture of the garment", key=_key("camera"), on_change=_take, args=("camera",)
        )
    else:
        again = bool(session.history().query) or "arrived" in st.session_state
        with st.container(key="fr-upload-again" if again else "fr-upload-first"):
            st.file_uploader(
                "Drop pictures here",
                type=["image", *sorted(SUFFIXES)],
                accept_multiple_files=True,
                max_upload_size=max(1, fitting_room.limits.max_bytes // 2**20),
                key=_key("upload"),
                on_change=_take,
                args=("upload",),
                help=f"{FORMATS_IN_WORDS}. Pictures are searched with, not kept.",
                label_visibility="collapsed",
            )
    component("paste")(key="paste", data={"most": MOST_PASTED}, on_picture_change=_take_pasted)


def _key(widget: str) -> str:
    """A widget's key, new after each picture taken in: Streamlit then lets go of the upload."""
    return f"{widget}-{st.session_state.get('pictures_taken', 0)}"


def _take(widget: str) -> None:
    given = st.session_state.get(_key(widget))
    uploads = given if isinstance(given, list) else [given] if given else []
    if not uploads:
        return
    camera = widget == "camera"
    subjects.arrive(
        [
            Arrived("Webcam picture" if camera else u.name, u.getvalue(), from_camera=camera)
            for u in uploads
        ]
    )
    st.session_state.pictures_taken = st.session_state.get("pictures_taken", 0) + 1


def _take_pasted() -> None:
    given = sent("paste", "picture")
    session.acted()
    if not isinstance(given, dict):
        return
    if problem := given.get("problem"):
        st.session_state.refusal = [
            "The picture in the clipboard is too large to be sent. Save it and choose the file."
            if problem == "large"
            else "There is no picture in the clipboard. Copy one and paste again."
        ]
        return
    data = _decoded(given.get("data"))
    if data is None:
        st.session_state.refusal = ["The clipboard sent something that is no picture."]
    else:
        subjects.arrive([Arrived("Pasted picture", data)])


def _decoded(text: object) -> bytes | None:
    if not isinstance(text, str) or len(text) > MOST_PASTED * 4 // 3 + 4:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def samples() -> None:
    """Pictures to try, where there are some."""
    found = _samples(Settings.from_environment().samples)
    if not found:
        return
    if session.history().query:
        with st.expander("Try a sample picture"):
            _offer(found)
    else:
        st.caption("Nothing at hand? Try one of these.")
        _offer(found)


def _offer(found: list[tuple[Path, bytes]]) -> None:
    with st.grid(3, min_column_width=72, gap="xsmall"):
        for number, (path, preview) in enumerate(found):
            with st.container(key=f"fr-sample-{number}"):
                address = media.address(preview, f"sample-{number}")
                st.html(f'<div class="fr-sample"><img src="{address}" alt=""></div>')
                st.button(
                    f"Try: {subjects.title_of(path)}",
                    key=f"sample-{number}",
                    on_click=_take_sample,
                    args=(path,),
                )


def _take_sample(path: Path) -> None:
    try:
        subjects.arrive([Arrived(subjects.title_of(path), path.read_bytes())])
    except OSError as error:
        st.session_state.refusal = [f"The sample cannot be read ({error.strerror})."]


@st.cache_data(show_spinner=False)
def _samples(folder: Path) -> list[tuple[Path, bytes]]:
    found = sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES)
    read = []
    for path in found[:MAX_SAMPLES]:
        try:
            read.append((path, media.jpeg(open_image(path), SAMPLE_SIZE)))
        except ImageRejected:
            continue  # a folder of one's own may hold anything; the others are still offered
    return read
