"""About the index: what is in it, what was left out and why, what made it, how good it is; and the
items that look all but the same, to be reviewed."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import numpy as np
import streamlit as st

from fitting_room.embedding.backbones import get_backbone
from fitting_room.index.description import IndexDescription, describe_index
from fitting_room.index.scoring import Hits
from fitting_room.search import duplicates, export
from fitting_room.search.duplicates import Group
from fitting_room.search.searcher import Searcher
from fitting_room.ui.query import session as sessions
from fitting_room.ui.results import card_actions
from fitting_room.ui.results.gallery import cards, cards_of
from fitting_room.ui.shared import once, resources
from fitting_room.ui.shared.text import label, percent, plain

#: Groups on a page, items of a group that are shown, and rejected pictures that are listed.
GROUPS_ON_PAGE, SHOWN_OF_GROUP, FAILURES_SHOWN = 6, 6, 200


def page() -> None:
    """Draw the page."""
    fitting_room = resources.fitting_room()
    title = get_backbone(fitting_room.index.identity["backbone"]).title
    description = describe_index(fitting_room.index, title)
    st.header("About this catalogue", anchor=False)
    _figures(fitting_room)
    left, right = st.columns(2, gap="large")
    with left:
        _network(description)
        _training(description)
        _calibration(fitting_room)
    with right:
        _rows(fitting_room, description)
        _failures(description)
    st.header("Look-alikes to review", anchor=False)
    _lookalikes(fitting_room.index.data.version)


def _figures(searcher: Searcher) -> None:
    index = searcher.index
    plain_background = index.manifest.counts.plain_background / max(1, len(index))
    figures = {
        "Items": f"{index.item_count:,}",
        **({} if index.item_pictures is None else {"Pictures": f"{len(index):,}"}),
        "Columns": f"{len(searcher.attributes):,}",
        "Plain backgrounds": percent(plain_background, 1),
        "Numbers each": f"{index.dimension:,}",
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>" for name, text in figures.items())
    st.html(f'<dl class="fr-figures">{cells}</dl>')


def _network(description: IndexDescription) -> None:
    st.subheader("What compares the pictures", anchor=False)
    st.markdown(f"{plain(description.network)}. Colours and silhouettes are compared beside that.")
    lines = (
        description.embeddings,
        f"searched: {description.searched}",
        f"built {description.built}",
        *([] if description.changed is None else [f"changed {description.changed}"]),
    )
    st.caption(plain("; ".join(lines) + "."))


def _training(description: IndexDescription) -> None:
    st.subheader("What was learned", anchor=False)
    if description.trained is None:
        st.markdown(
            "Nothing yet: pictures are ranked as the network sees them. `fitting-room train` "
            "teaches the index what the catalogue's own labels say."
        )
        return
    st.markdown(f"Trained {plain(description.trained)}.")
    if not description.trained_here:
        st.caption(
            "`fitting-room train` goes on from there with what this catalogue's own labels say."
        )
    validation = description.validation
    if validation:
        st.caption("Right among the first four matches of items that were kept back")
        table = {
            "": ["All of them" if c == "all" else plain(label(c)) for c, _, _ in validation],
            "Before": ["–" if b is None else percent(b, 1) for _, b, _ in validation],
            "After": [percent(after, 1) for _, _, after in validation],
        }
        st.table(table, hide_index=True)


def _calibration(searcher: Searcher) -> None:
    calibration = searcher.index.calibration
    st.subheader("What a similarity means", anchor=False)
    if calibration is None:
        st.markdown("The catalogue says too little of its items for it to be measured.")
        return
    st.markdown(
        plain(
            f"Measured on {calibration.queries:,} of the catalogue's own pictures: how often a "
            f"match was of the same {label(calibration.column).lower()}. The words on the cards "
            "come from it."
        )
    )
    marks = (0.5, 0.6, 0.7, 0.8, 0.9)
    table: dict[str, list[str]] = {"Similarity": [f"{mark:.1f}" for mark in marks]}
    for name, curves in (
        ("As the network sees it", calibration.plain),
        ("With what was learned", calibration.trained),
    ):
        if curves:
            table[name] = [percent(curves[1](mark)) for mark in marks]
    st.table(table, hide_index=True)


def _rows(searcher: Searcher, description: IndexDescription) -> None:
    st.subheader("What became of the rows", anchor=False)
    rows: list[tuple[str, int | None, tuple[str, ...]]] = [
        ("Read", description.rows, ()),
        *description.outcomes,
        ("Without a usable picture", description.failed, ()),
        ("In the index", searcher.index.item_count, ()),
    ]
    if searcher.index.item_pictures is not None:
        rows.append(("Their pictures", len(searcher.index), ()))
    table = {
        "Rows": [plain(f"{name[:1].upper()}{name[1:]}") for name, _, _ in rows],
        "Number": ["–" if number is None else f"{number:,}" for _, number, _ in rows],
        "For example": [plain(", ".join(ids)) for _, _, ids in rows],
    }
    for sentence in description.read_as:
        st.markdown(plain(re.sub("`([^`]*)`", "“\\1”", sentence)))
    st.table(table, hide_index=True)
    if description.empty:
        cells = ", ".join(f"{label(c).lower()} {n:,}" for c, n in description.empty.items())
        st.caption(plain(f"Kept with an empty cell: {cells}."))


def _failures(description: IndexDescription) -> None:
    if not description.failures:
        return
    with st.expander(f"Pictures that could not be used ({description.failed:,})"):
        shown = description.failures[:FAILURES_SHOWN]
        table = {"Item": [plain(i) for i, _ in shown], "Why": [plain(why) for _, why in shown]}
        st.table(table, hide_index=True)


# --- look-alikes ------------------------------------------------------------------------------


@st.fragment
@resources.until_damaged
def _lookalikes(version: Path) -> None:
    searcher = resources.still(version)
    card_actions.follow()
    card_actions.open_dialog(searcher, None)
    session, build = sessions.current(), searcher.index.manifest.build
    if session.reviewed != build:
        st.markdown(
            "Items whose pictures look all but the same may be listed twice by mistake. To find "
            "them all, every item is compared with every other."
        )
        if not st.button("Find look-alikes", icon=":material/content_copy:"):
            return
        session.reviewed = build
    groups = once.compute(
        "look-alikes",
        build,
        lambda listener: duplicates.find(searcher.index, listener),
        "Comparing every item with every other …",
    )
    if groups:
        _groups(searcher, groups)
    else:
        st.markdown("There are none: no two items look all but the same.")


def _groups(searcher: Searcher, groups: list[Group]) -> None:
    same = sum(group.identical for group in groups)
    text = f"{len(groups):,} groups of {sum(map(len, groups)):,} items"
    if same:
        text += f"; in {same:,} of them the pictures are the very same file"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{text}.", width="stretch")
        st.download_button(
            "Groups as csv",
            lambda: duplicates.as_csv(searcher.index, groups).encode("utf-8-sig"),
            file_name=export.file_name("look-alikes", "csv"),
            mime="text/csv",
            icon=":material/table:",
            key="save-groups",
            on_click="ignore",
        )
    pages = -(-len(groups) // GROUPS_ON_PAGE)
    number = int(st.pagination(pages, key="groups-page")) if pages > 1 else 1
    first = (number - 1) * GROUPS_ON_PAGE
    for place, group in enumerate(groups[first : first + GROUPS_ON_PAGE], first + 1):
        _group(searcher, place, group)


def _group(searcher: Searcher, place: int, group: Group) -> None:
    title = f"Group {place:,}: {len(group):,} items"
    if group.identical:
        title += ", the same picture"
    if len(group) > SHOWN_OF_GROUP:
        title += f" (the first {SHOWN_OF_GROUP} are shown)"
    st.html(f'<div class="fr-section"><h3>{escape(title)}</h3></div>')
    rows = np.array(group.rows[:SHOWN_OF_GROUP], np.int64)
    matches = searcher.matches(Hits(rows, np.ones(len(rows), np.float32)), None)
    shown = cards_of(matches, f"group-{place}")
    cards(None, shown, title, f"group-{place}")
