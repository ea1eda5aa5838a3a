"""What a visitor takes away: a card's picture, name and link, and all matches as a csv or as one
picture. Files are made when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import PurePosixPath
from urllib.parse import urlencode, urlsplit

import streamlit as st
from PIL import Image

from fitting_room.facade import FittingRoom, Match
from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.search import export
from fitting_room.ui.query import session
from fitting_room.ui.query.history import of_items
from fitting_room.ui.query.subjects import Asked, plain
from fitting_room.ui.shared import resources

CSV, PNG = "text/csv", "image/png"


def show(fitting_room: FittingRoom, asked: Asked | None, match: Match) -> None:  # noqa: ARG001
    """Open the dialog for an item: its picture, name and link."""
    _dialog(fitting_room, match)


@st.dialog("Take it away", width="small")
def _dialog(fitting_room: FittingRoom, match: Match) -> None:
    st.html('<p class="fr-take-label">Name</p>')
    st.code(match.name, language=None, wrap_lines=True)
    st.html('<p class="fr-take-label">Link to what looks like it</p>')
    st.code(link_to(match.id), language=None, wrap_lines=True)
    try:
        data = fitting_room.picture(match.image)
        # What a catalogue calls a picture is handed on only if it is one.
        kind = _kind(fitting_room, data)
    except ImageRejected as rejected:
        st.info(plain(rejected.reason), icon=":material/image_not_supported:")
        return
    ending = PurePosixPath(match.image).suffix.lower().lstrip(".") or "jpg"
    st.download_button(
        "Save the picture",
        data,
        file_name=export.file_name(f"{match.name}-{match.id}", ending),
        mime=kind,
        key="take-picture",
        icon=":material/download:",
        on_click="ignore",
        type="primary",
    )


def _kind(fitting_room: FittingRoom, data: bytes) -> str:
    fitting_room.open_picture(data)
    with Image.open(BytesIO(data)) as image:
        return str(image.get_format_mimetype())


def link_to(item: str) -> str:
    """The address of the page that asks about an item."""
    here = urlsplit(st.context.url or "http://localhost")
    path = "/".join(part for part in here.path.split("/")[:-1] if part)
    query = urlencode(session.params_of(of_items([item])), doseq=True)
    return f"{here.scheme}://{here.netloc}/{path + '/' if path else ''}?{query}"


def offer(fitting_room: FittingRoom, asked: Asked, matches: Sequence[Match], key: str) -> None:
    """The matches as files, below the gallery."""
    with st.container(horizontal=True, gap="small", key=f"fr-take-{key}"):
        st.download_button(
            "Matches as csv",
            lambda: export.matches_csv(matches, fitting_room.index.filter_columns).encode(
                "utf-8-sig"
            ),
            file_name=export.file_name(f"matches {asked.subjects[0].name}", "csv"),
            mime=CSV,
            key=f"take-csv-{key}",
            icon=":material/table:",
            on_click="ignore",
            help="The ranked matches with everything that the catalogue says of them",
        )
        st.download_button(
            "Contact sheet",
            lambda: export.as_png(_sheet(fitting_room, asked, matches)),
            file_name=export.file_name(f"matches {asked.subjects[0].name}", "png"),
            mime=PNG,
            key=f"take-sheet-{key}",
            icon=":material/grid_view:",
            on_click="ignore",
            help="One picture of what was asked about and its matches",
        )


def _sheet(fitting_room: FittingRoom, asked: Asked, matches: Sequence[Match]) -> Image.Image:
    queries = [
        export.Shown(_opened(fitting_room, known.jpeg), known.name, "Asked about")
        for known in asked.subjects
    ]
    shown = [
        export.Shown(
            _opened(fitting_room, resources.preview(match.image)),
            match.name,
            export.detail_of(match),
        )
        for match in matches[: export.MOST_ON_SHEET]
    ]
    title = f"Most like {asked.subjects[0].name}"
    return export.contact_sheet(queries, shown, title)


def _opened(fitting_room: FittingRoom, jpeg: bytes | None) -> Image.Image | None:
    try:
        return open_image(jpeg, limits=fitting_room.limits) if jpeg else None
    except ImageRejected:
        return None
