"""What a visitor takes away: a card's picture, name and link, and all matches as a csv or as one
picture. Files are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import PurePosixPath
from urllib.parse import urlencode, urlsplit

import streamlit as st
from PIL import Image

from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.search import export
from fitting_room.search.searcher import Match, Searcher
from fitting_room.ui.query.address import params_of
from fitting_room.ui.query.history import query_of_items
from fitting_room.ui.query.subjects import ResolvedQuery
from fitting_room.ui.serving import server
from fitting_room.ui.shared import resources
from fitting_room.ui.shared.text import plain


def show(searcher: Searcher, _: ResolvedQuery | None, match: Match) -> None:
    """Open the dialog for an item: its picture, name and link."""
    _dialog(searcher, match)


@st.dialog("Save or share", width="small")
def _dialog(searcher: Searcher, match: Match) -> None:
    st.html('<p class="fr-share-label">Name</p>')
    st.code(match.name, language=None, wrap_lines=True)
    st.html('<p class="fr-share-label">Link to what looks like it</p>')
    st.code(link_to(match.id), language=None, wrap_lines=True)
    try:
        data = searcher.picture(match.image)
        # What a catalogue calls a picture is handed on only if it is one.
        kind = _mime_type(searcher, data)
    except ImageRejected as rejected:
        st.info(plain(rejected.reason), icon=":material/image_not_supported:")
        return
    ending = PurePosixPath(match.image).suffix.lower().lstrip(".") or "jpg"
    st.download_button(
        "Save the picture",
        data,
        file_name=export.file_name(f"{match.name}-{match.id}", ending),
        mime=kind,
        key="save-picture",
        icon=":material/download:",
        on_click="ignore",
        type="primary",
    )


def _mime_type(searcher: Searcher, data: bytes) -> str:
    searcher.open_picture(data)
    with Image.open(BytesIO(data)) as image:
        return str(image.get_format_mimetype())


def link_to(item: str) -> str:
    """The address of the page that searches with an item."""
    here = urlsplit(st.context.url or "http://localhost")
    path = "/".join(part for part in here.path.split("/")[:-1] if part)
    query = urlencode(params_of(query_of_items([item])), doseq=True)
    return f"{here.scheme}://{here.netloc}/{path + '/' if path else ''}?{query}"


def offer(
    searcher: Searcher,
    resolved: ResolvedQuery,
    matches: Sequence[Match],
    words: Sequence[str],
    key: str,
) -> None:
    """The matches as files, below the gallery. ``words`` say how alike each of them is."""
    name, columns = f"matches {resolved.pictures[0].name}", searcher.index.filter_columns
    with st.container(horizontal=True, gap="small"):
        _file(
            "Matches as csv",
            lambda: export.matches_csv(matches, columns).encode("utf-8-sig"),
            export.file_name(name, "csv"),
            "text/csv",
            f"save-csv-{key}",
            ":material/table:",
            "The ranked matches with everything that the catalogue says of them",
        )
        _file(
            "Contact sheet",
            lambda: export.as_png(_sheet(searcher, resolved, matches, words)),
            export.file_name(name, "png"),
            "image/png",
            f"save-sheet-{key}",
            ":material/grid_view:",
            "One picture of the query and its matches",
        )


def _file(
    label: str, make: Callable[[], bytes], name: str, kind: str, key: str, icon: str, about: str
) -> None:
    st.download_button(
        label,
        server.saving(make, kind, name),
        file_name=name,
        mime=kind,
        key=key,
        icon=icon,
        on_click="ignore",
        help=about,
    )


def _sheet(
    searcher: Searcher, resolved: ResolvedQuery, matches: Sequence[Match], words: Sequence[str]
) -> Image.Image:
    queries = [
        export.Shown(_opened(searcher, picture.jpeg), picture.name, "Your picture")
        for picture in resolved.pictures
    ]
    on_sheet = matches[: export.MOST_ON_SHEET]
    # As large as they are drawn there, and mostly made already for the cards.
    pictures = resources.thumbnails([match.image for match in on_sheet])
    shown = [
        export.Shown(_opened(searcher, picture), match.name, f"{word} · {match.id}")
        for match, picture, word in zip(on_sheet, pictures, words, strict=False)
    ]
    return export.contact_sheet(queries, shown, f"Most like {resolved.pictures[0].name}")


def _opened(searcher: Searcher, jpeg: bytes | None) -> Image.Image | None:
    try:
        return open_image(jpeg, limits=searcher.limits) if jpeg else None
    except ImageRejected:
        return None
