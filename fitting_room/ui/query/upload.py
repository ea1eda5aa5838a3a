"""The sources of a query: dropped or chosen files, the clipboard, the webcam, samples, the
catalogue."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from fitting_room.imaging.decode import FORMATS_IN_WORDS, SUFFIXES, ImageRejected, open_image
from fitting_room.search.searcher import Searcher
from fitting_room.settings import Settings
from fitting_room.ui.components import component, sent
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query import subjects
from fitting_room.ui.query.address import MAX_LETTERS
from fitting_room.ui.query.session import CAMERA, CATALOGUE, UPLOAD, UPLOADED, WEBCAM, Upload
from fitting_room.ui.serving import server
from fitting_room.ui.shared import media
from fitting_room.ui.shared.text import plain, title_of

MAX_SAMPLES = 9
SAMPLE_SIZE = (180, 240)
#: Bytes of a pasted picture; the browser reduces what is larger before it sends it.
MAX_PASTED = 4 * 2**20
SOURCES = {
    UPLOADED: ":material/add_photo_alternate: Picture",
    WEBCAM: ":material/photo_camera: Webcam",
    CATALOGUE: ":material/storefront: Catalogue",
}


def show(searcher: Searcher) -> None:
    """Let the visitor give a picture, or look for an item."""
    session = sessions.current()
    source = st.segmented_control(
        "How do you want to show it?",
        list(SOURCES),
        required=True,
        format_func=SOURCES.__getitem__,
        **session.widget("source"),
        label_visibility="collapsed",
        width="stretch",
    )
    if source == CATALOGUE:
        st.text_input(
            "Find an item by its name or number",
            max_chars=MAX_LETTERS,
            **session.widget("find"),
            placeholder="red dress",
            icon=":material/search:",
        )
        st.caption("Then choose *More like this* below a picture.")
    elif source == WEBCAM:
        key = _key(CAMERA)
        st.camera_input(
            "Take a picture of the garment", key=key, on_change=_take, args=(key, "Webcam picture")
        )
    else:
        _uploader(searcher)
    component("paste")(key="paste", data={"most": MAX_PASTED}, on_picture_change=_take_pasted)


def _uploader(searcher: Searcher) -> None:
    session = sessions.current()
    again = bool(session.history.query or session.uploads)
    key = _key(UPLOAD)
    with st.container(key="fr-upload-again" if again else "fr-upload-first"):
        st.file_uploader(
            "Drop pictures here",
            type=["image", *sorted(SUFFIXES)],
            accept_multiple_files=True,
            max_upload_size=max(1, searcher.limits.max_bytes // 2**20),
            key=key,
            on_change=_take,
            args=(key,),
            help=f"{FORMATS_IN_WORDS}. Pictures are searched with, not kept.",
            label_visibility="collapsed",
        )


def _key(widget: str) -> str:
    """A widget's key, new after each upload: the browser then lets go of the file."""
    return f"{widget}-{sessions.current().uploads_taken}"


def _take(key: str, name: str = "") -> None:
    chosen = sessions.chosen(key)
    chosen = chosen if isinstance(chosen, list) else [chosen]
    # A browser may name a file again that was taken and given back: then it comes as deleted.
    files = [file for file in chosen if isinstance(file, UploadedFile)]
    if not files:
        return
    subjects.receive([Upload(name or f.name, f.getvalue(), from_camera=bool(name)) for f in files])
    server.give_back(file.file_id for file in files)
    sessions.current().uploads_taken += 1


def _take_pasted() -> None:
    session, message = sessions.current(), sent("paste", "picture")
    session.act()
    if not isinstance(message, dict):
        return
    if problem := message.get("problem"):
        session.refusals = [
            "The picture in the clipboard is too large to be sent. Save it and choose the file."
            if problem == "large"
            else "There is no picture in the clipboard. Copy one and paste again."
        ]
        return
    data = _decoded(message.get("data"))
    if data is None:
        session.refusals = ["The clipboard sent something that is no picture."]
    else:
        subjects.receive([Upload("Pasted picture", data)])


def _decoded(text: object) -> bytes | None:
    if not isinstance(text, str) or len(text) > MAX_PASTED * 4 // 3 + 4:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def samples() -> None:
    """Pictures to try, where there are some."""
    previews = _samples(Settings.from_environment().samples)
    if not previews:
        return
    place = st.container()
    if sessions.current().history.query:
        place = place.expander("Try a sample picture")
    else:
        place.caption("Nothing at hand? Try one of these.")
    with place, st.grid(3, min_column_width=72, gap="xsmall"):
        for number, (path, preview) in enumerate(previews):
            with st.container(key=f"fr-sample-{number}"):
                address = media.address(preview, f"sample-{number}")
                st.html(f'<div class="fr-sample"><img src="{address}" alt=""></div>')
                label = f"Try: {plain(title_of(path))}"
                st.button(label, key=f"sample-{number}", on_click=_take_sample, args=(path,))


def _take_sample(path: Path) -> None:
    try:
        subjects.receive([Upload(title_of(path), path.read_bytes())])
    except OSError as error:
        sessions.current().refusals = [f"The sample cannot be read ({error.strerror})."]


@st.cache_data(show_spinner=False)
def _samples(folder: Path) -> list[tuple[Path, bytes]]:
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES)
    previews = []
    for path in paths[:MAX_SAMPLES]:
        try:
            previews.append((path, media.jpeg(open_image(path), SAMPLE_SIZE)))
        except ImageRejected:
            continue  # a folder of one's own may hold anything; the others are still offered
    return previews
