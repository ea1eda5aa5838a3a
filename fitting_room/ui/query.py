"""How a picture comes in: dropped, chosen, taken with the webcam, or one of the samples.

Whichever way, it is embedded once. What a session keeps of it are its features and a small
upright preview; the upload itself is let go.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import cast

import streamlit as st
from PIL import Image

from fitting_room.embedder import Features
from fitting_room.images import FORMATS_IN_WORDS, SUFFIXES, ImageRejected, open_image
from fitting_room.ranking import Ranking
from fitting_room.room import FittingRoom
from fitting_room.settings import Settings
from fitting_room.ui.resources import data_uri

UPLOAD, WEBCAM = "Picture", "Webcam"
PREVIEW_SIZE = (640, 640)
MAX_SAMPLES = 6
#: Steps of 255 between the least and the greatest value that a blank picture may have.
BLANK_CONTRAST = 8


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A picture that was asked about: its name, a preview as a data URI, its features, and whether
    it is far from everything in the catalogue."""

    name: str
    preview: str
    features: Features
    far: bool


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A picture on its way in, until it is embedded."""

    name: str
    data: bytes
    from_camera: bool = False


def ask(room: FittingRoom) -> Query | None:
    """Let the visitor give a picture; answers the current one, if any."""
    way = st.segmented_control(
        "How do you want to show it?",
        [UPLOAD, WEBCAM],
        default=UPLOAD,
        required=True,
        format_func={
            UPLOAD: ":material/add_photo_alternate: Picture",
            WEBCAM: ":material/photo_camera: Webcam",
        }.__getitem__,
        key="way",
        label_visibility="collapsed",
    )
    again = "query" in st.session_state or "arrived" in st.session_state
    with st.container(key="fr-upload-again" if again else "fr-upload-first"):
        if way == WEBCAM:
            st.camera_input(
                "Take a picture of the garment",
                key=_key("camera"),
                on_change=_take,
                args=("camera",),
            )
        else:
            st.file_uploader(
                "Drop a picture here",
                type=["image", *sorted(SUFFIXES)],
                max_upload_size=max(1, room.limits.max_bytes // 2**20),
                key=_key("upload"),
                on_change=_take,
                args=("upload",),
                help=f"{FORMATS_IN_WORDS}. Pictures are searched with, not kept.",
                label_visibility="collapsed",
            )
    _embed_arrived(room)
    if refusal := st.session_state.get("refusal"):
        st.error(refusal, icon=":material/image_not_supported:")
    asked: Query | None = st.session_state.get("query")
    samples = _samples(Settings.from_environment().samples)
    if asked is not None:
        _show(asked)
    if samples and asked is not None:
        with st.expander("Try a sample picture"):
            _offer(samples)
    elif samples:
        st.caption("Nothing at hand? Try one of these.")
        _offer(samples)
    return asked


def _key(widget: str) -> str:
    """A widget's key, new after each picture taken in: Streamlit then lets go of the upload."""
    return f"{widget}-{st.session_state.get('pictures_taken', 0)}"


def _take(widget: str) -> None:
    upload = st.session_state.get(_key(widget))
    if upload is None:
        return
    camera = widget == "camera"
    name = "Webcam picture" if camera else upload.name
    st.session_state.arrived = _Arrived(name, upload.getvalue(), from_camera=camera)
    st.session_state.pictures_taken = st.session_state.get("pictures_taken", 0) + 1


def _take_sample(path: Path) -> None:
    try:
        st.session_state.arrived = _Arrived(_title(path), path.read_bytes())
    except OSError as error:
        st.session_state.refusal = f"The sample cannot be read ({error.strerror})."


def _embed_arrived(room: FittingRoom) -> None:
    arrived: _Arrived | None = st.session_state.pop("arrived", None)
    if arrived is None:
        return
    try:
        with st.spinner("Looking at your picture …"):
            image = open_image(arrived.data, limits=room.limits)
            if arrived.from_camera and _is_blank(image):
                raise ImageRejected(
                    "The camera showed nothing yet. Wait until its picture is there and try again."
                )
            features = room.describe([arrived.data])[0]
            st.session_state.query = Query(
                arrived.name, data_uri(image, PREVIEW_SIZE), features, _is_far(room, features)
            )
        st.session_state.pop("refusal", None)
    except ImageRejected as rejected:
        st.session_state.refusal = f"{_plain(arrived.name)}: {rejected.reason}"
        st.session_state.pop("query", None)


def _is_blank(image: Image.Image) -> bool:
    """Whether a picture has one colour throughout, as a camera's has that is covered or has not
    begun. A JPEG's blocks differ by a step or two."""
    extremes = cast(tuple[tuple[int, int], ...], image.getextrema())
    return all(high - low <= BLANK_CONTRAST for low, high in extremes)


def _is_far(room: FittingRoom, features: Features) -> bool:
    """Whether nothing in the whole catalogue is close, however it is narrowed and ranked. The head
    is asked about photographs alone: in a drawing it sees one of the kinds it was taught."""
    ranking = Ranking(trained=not features.studio)
    return room.far(room.search(features, 1, ranking=ranking), features)


def _show(asked: Query) -> None:
    name = escape(asked.name, quote=True)
    st.html(
        f'<figure class="fr-query"><img src="{asked.preview}" alt="Your picture: {name}"></figure>'
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_plain(_short(asked.name)), width="stretch")
        st.button("Clear", icon=":material/close:", type="tertiary", on_click=_clear)


def _short(name: str) -> str:
    """A file's name that fits beside a button; its ending tells most."""
    return name if len(name) <= 26 else f"{name[:12]}…{name[-12:]}"


def _plain(text: str) -> str:
    """A file's name as text and not as markup."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+-.!|~$:" else c for c in text)


def _clear() -> None:
    st.session_state.pop("query", None)
    st.session_state.pop("refusal", None)


def _offer(samples: list[tuple[Path, str]]) -> None:
    with st.grid(3, min_column_width=72, gap="xsmall"):
        for number, (path, preview) in enumerate(samples):
            with st.container(key=f"fr-sample-{number}"):
                st.html(f'<div class="fr-sample"><img src="{preview}" alt=""></div>')
                st.button(
                    f"Try: {_title(path)}",
                    key=f"sample-{number}",
                    on_click=_take_sample,
                    args=(path,),
                )


@st.cache_data(show_spinner=False)
def _samples(folder: Path) -> list[tuple[Path, str]]:
    found = sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES)
    samples = []
    for path in found[:MAX_SAMPLES]:
        try:
            samples.append((path, data_uri(open_image(path), (180, 240))))
        except ImageRejected:
            continue  # a folder of one's own may hold anything; the others are still offered
    return samples


def _title(path: Path) -> str:
    return path.stem.replace("-", " ").replace("_", " ").capitalize()
