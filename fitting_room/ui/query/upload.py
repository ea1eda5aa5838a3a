"""How pictures come in: dropped, pasted, chosen or taken with the camera, anywhere on the page; and
samples to try.

The page's own components gather files in the browser and hand them to Streamlit's uploader, which
is on every page but not seen: it sends them. What it holds is taken in the run that follows, also
in the first run of a new session.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile

from fitting_room.imaging.decode import FORMATS_IN_WORDS, SUFFIXES, ImageRejected, open_image
from fitting_room.imaging.thumbnails import as_jpeg
from fitting_room.ui.components import component
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query import subjects
from fitting_room.ui.query.history import MAX_SUBJECTS
from fitting_room.ui.query.session import CAMERA_PICTURE, UPLOAD, Upload
from fitting_room.ui.serving import server
from fitting_room.ui.shared import media
from fitting_room.ui.shared.text import plain, title_of

SAMPLE_SIZE = (180, 240)
TOO_MANY = (
    "The page holds as many pictures of its visitors as it may right now, and did not take yours. "
    "Try again in a minute."
)


def take() -> bool:
    """Take the files that have come in since the last run; whether there were any. Belongs into
    every page, so that each takes what is dropped on it."""
    session, limits = sessions.current(), _limits()
    component("drop")(key="drop", data=limits)
    with st.container(key="fr-transport"):
        files = st.file_uploader(
            "Pictures",
            accept_multiple_files=True,
            max_upload_size=math.ceil(limits["bytes"] / 2**20),
            key=UPLOAD,
            label_visibility="collapsed",
        )
    new = [file for file in files if file.file_id not in session.taken]
    # Those that are not there were taken before, or the server refused them.
    missing = [f.file_id for f in sessions.chosen(UPLOAD) or [] if isinstance(f, DeletedFile)]
    refused = server.were_refused([file for file in missing if file not in session.taken])
    session.taken = {*missing, *(file.file_id for file in files)}
    if not new and not refused:
        return False
    subjects.receive([Upload(_name(f.name), f.getvalue(), file=f.file_id) for f in new])
    if refused:
        session.refusals.append(TOO_MANY)
    return True


def _name(file: str) -> str:
    """A file's name for people: those that the page gives have none of their own."""
    stem = Path(file).stem
    return stem if stem in (CAMERA_PICTURE, "Pasted picture") else file


def _limits() -> dict[str, Any]:
    """What the browser looks at before it sends a file."""
    return {
        "bytes": server.settings_now().limits.max_bytes,
        "files": MAX_SUBJECTS,
        "endings": sorted(SUFFIXES),
        "formats": FORMATS_IN_WORDS,
    }


def show(*, first: bool, again: bool = False) -> None:
    """The place to give a picture at, a large one for the ``first``, and ``again`` one to change it
    with; and below it what could not be taken."""
    session = sessions.current()
    component("upload")(
        key="upload-place",
        data={
            "first": first,
            "again": again,
            "taken": session.uploads_taken,
            "said": "\n".join(session.refusals),
            "limits": _limits(),
        },
    )
    if session.refusals:
        with st.container(key="fr-refusals", gap="xxsmall"):
            for refusal in session.refusals:
                st.error(refusal, icon=":material/image_not_supported:")


# --- samples ----------------------------------------------------------------------------------


def samples(*, first: bool) -> None:
    """Pictures to try, where there are some."""
    previews = _previews()
    if not previews:
        return
    place = st.container()
    if first:
        place.caption("Nothing at hand? Try one of these.")
    else:
        place = place.expander("Try a sample picture")
    with place, st.grid(4 if first else 3, min_column_width=72, gap="xsmall"):
        for number, (name, title, preview) in enumerate(previews):
            with st.container(key=f"fr-sample-{number}"):
                address = media.address(preview, f"sample-{number}")
                st.html(f'<div class="fr-sample"><img src="{address}" alt=""></div>')
                label = f"Try: {plain(title)}"
                st.button(label, key=f"sample-{number}", on_click=_try, args=(name,))


def _try(name: str) -> None:
    sessions.current().ask(subjects.query_of_picture(name))


@st.cache_data(show_spinner=False)
def _previews_of(paths: tuple[tuple[str, str], ...]) -> list[tuple[str, str, bytes]]:
    previews = []
    for name, path in paths:
        try:
            preview = as_jpeg(open_image(Path(path)), SAMPLE_SIZE)
        except ImageRejected:
            continue  # a folder of one's own may hold anything; the others are still offered
        previews.append((name, title_of(Path(path)), preview))
    return previews


def _previews() -> list[tuple[str, str, bytes]]:
    """Name, title and JPEG of each sample."""
    return _previews_of(tuple((n, str(path)) for n, path in subjects.samples().items()))
