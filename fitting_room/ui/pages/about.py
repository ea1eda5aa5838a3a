"""About the index: what is in it, what was left out and why, what made it, how good it is; and the
items that look all but the same, to be reviewed."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from fitting_room.embedding.backbones import get_backbone
from fitting_room.index.scoring import Hits
from fitting_room.search import duplicates, export
from fitting_room.search.duplicates import Group
from fitting_room.search.searcher import Searcher
from fitting_room.ui.query import session as sessions
from fitting_room.ui.results import card_actions
from fitting_room.ui.results.gallery import card, cards
from fitting_room.ui.shared import once, resources
from fitting_room.ui.shared.text import label, percent, plain

#: Groups on a page, items of a group that are shown, and rejected pictures that are listed.
GROUPS_ON_PAGE, SHOWN_OF_GROUP, FAILURES_SHOWN = 6, 6, 200


def page() -> None:
    """Draw the page."""
    fitting_room = resources.fitting_room()
    st.header("About this catalogue", anchor=False)
    _figures(fitting_room)
    left, right = st.columns(2, gap="large")
    with left:
        _network(fitting_room)
        _head(fitting_room)
        _worth(fitting_room)
    with right:
        _rows(fitting_room)
        _failures(fitting_room)
    st.header("Look-alikes to review", anchor=False)
    _lookalikes(fitting_room)


def _figures(searcher: Searcher) -> None:
    index = searcher.index
    counts = index.manifest.counts
    values = {
        "Items": f"{len(index):,}",
        "Columns": f"{len(searcher.attributes):,}",
        "Plain backgrounds": _share(counts.plain_background, len(index)),
        "Numbers each": f"{index.dimension:,}",
    }
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in values.items()
    )
    st.html(f'<dl class="fr-figures">{cells}</dl>')


def _share(part: int, whole: int) -> str:
    return percent(part / whole, 1) if whole else "–"


def _network(searcher: Searcher) -> None:
    index, identity = searcher.index, searcher.index.identity
    st.subheader("What compares the pictures", anchor=False)
    height, width = get_backbone(identity["backbone"]).input_size
    size = identity.get("preprocessing", {}).get("input_size", [height, width])
    text = (
        f"{get_backbone(identity['backbone']).title}, with the weights {identity['weights']} "
        f"(sha256 {identity['weights_sha256'][:12]}), looks at each picture at {size[0]} x "
        f"{size[1]} pixels and describes it in {index.dimension:,} numbers"
    )
    if index.pca is not None:
        text += f", reduced from {len(index.pca.mean):,} by a PCA"
    st.markdown(plain(f"{text}. Colours and silhouettes are compared beside that."))
    st.caption(plain(f"Built {index.manifest.created.replace('T', ' ')[:16]} (UTC)."))


def _head(searcher: Searcher) -> None:
    head = searcher.index.head
    st.subheader("What was learned", anchor=False)
    if head is None:
        st.markdown(
            "Nothing yet: pictures are ranked as the network sees them. `fitting-room train` "
            "teaches the index what the catalogue's own labels say."
        )
        return
    record = head.record
    columns = ", ".join(label(column).lower() for column in head.columns)
    text = f"From the column{'s' if len(head.columns) > 1 else ''} {columns}"
    if type(record.get("items")) is int:
        text += f" of {record['items']:,} items"
    if type(record.get("photographs")) is int and record["photographs"]:
        text += f" and {record['photographs']:,} photographs"
    st.markdown(plain(f"{text}."))
    rows = _validation(record)
    if rows:
        st.caption("Right among the first four answers to items that were kept back")
        st.table(
            {
                "": [name for name, _, _ in rows],
                "Before": [before for _, before, _ in rows],
                "After": [after for _, _, after in rows],
            },
            hide_index=True,
        )


def _validation(record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The head's record of how good it was; of a record nothing is certain."""
    found = record.get("validation")
    if not isinstance(found, dict):
        return []
    rows = []
    for name, after in found.items():
        if not str(name).endswith("_after") or not isinstance(after, int | float):
            continue
        column = str(name).removesuffix("_after")
        before = found.get(f"{column}_before")
        title = "All of them" if column == "all" else label(column)
        was = percent(before, 1) if isinstance(before, int | float) else "–"
        rows.append((title, was, percent(after, 1)))
    return rows


def _worth(searcher: Searcher) -> None:
    told = searcher.index.calibration
    st.subheader("What a likeness is worth", anchor=False)
    if told is None:
        st.markdown("The catalogue says too little of its items for it to be measured.")
        return
    st.markdown(
        plain(
            f"Measured on {told.queries:,} of the catalogue's own items: how often a result was of "
            f"the same {label(told.column).lower()}. The words on the cards come from it."
        )
    )
    ways = [("As the network sees it", told.plain), ("With what was learned", told.trained)]
    marks = (0.5, 0.6, 0.7, 0.8, 0.9)
    table: dict[str, list[str]] = {"Likeness": [f"{mark:.1f}" for mark in marks]}
    for name, curves in ways:
        if curves:
            table[name] = [percent(curves[1](mark)) for mark in marks]
    st.table(table, hide_index=True)


def _rows(searcher: Searcher) -> None:
    report = searcher.index.manifest.catalogue.report
    counts = searcher.index.manifest.counts
    st.subheader("What became of the rows", anchor=False)
    rows = [("Read", counts.rows, "")]
    for verb, key in (("Repaired", "repaired"), ("Left out", "dropped")):
        reasons = report.get(key)
        if not isinstance(reasons, dict):
            continue
        examples = report.get("examples")
        for reason, count in reasons.items():
            named = examples.get(reason, []) if isinstance(examples, dict) else []
            rows.append((f"{verb}: {reason}", count, ", ".join(map(str, named[:5]))))
    if type(report.get("unlisted")) is int and report["unlisted"]:
        rows.append(("Pictures without a row", report["unlisted"], ""))
    rows.append(("Without a usable picture", counts.failed, ""))
    rows.append(("In the index", len(searcher.index), ""))
    st.table(
        {
            "Rows": [plain(name) for name, _, _ in rows],
            "Number": [f"{n:,}" if type(n) is int else "–" for _, n, _ in rows],
            "For example": [plain(named) for _, _, named in rows],
        },
        hide_index=True,
    )
    empty = report.get("empty")
    if isinstance(empty, dict) and empty:
        cells = ", ".join(f"{label(str(c)).lower()} {n:,}" for c, n in empty.items())
        st.caption(plain(f"Kept with an empty cell: {cells}."))


def _failures(searcher: Searcher) -> None:
    failures = searcher.index.manifest.failures
    if not failures:
        return
    with st.expander(f"Pictures that could not be used ({len(failures):,})"):
        st.table(
            {
                "Item": [plain(str(f.get("id"))) for f in failures[:FAILURES_SHOWN]],
                "Why": [plain(str(f.get("reason"))) for f in failures[:FAILURES_SHOWN]],
            },
            hide_index=True,
        )


# --- look-alikes ------------------------------------------------------------------------------


@st.fragment
def _lookalikes(searcher: Searcher) -> None:
    build = searcher.index.manifest.build
    session = sessions.current()
    card_actions.follow()
    card_actions.open_dialog(searcher, None)
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
    if not groups:
        st.markdown("There are none: no two items look all but the same.")
        return
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
            key="take-groups",
            on_click="ignore",
        )
    pages = -(-len(groups) // GROUPS_ON_PAGE)
    number = int(st.pagination(pages, key="groups-page")) if pages > 1 else 1
    first = (number - 1) * GROUPS_ON_PAGE
    for place, group in enumerate(groups[first : first + GROUPS_ON_PAGE], first + 1):
        _group(searcher, place, group)


def _group(searcher: Searcher, place: int, group: Group) -> None:
    more = len(group) - SHOWN_OF_GROUP
    title = f"Group {place:,}: {len(group):,} items"
    if group.identical:
        title += ", the same picture"
    if more > 0:
        title += f" (the first {SHOWN_OF_GROUP} are shown)"
    st.html(f'<div class="fr-section"><h3>{escape(title)}</h3></div>')
    rows = np.array(group.rows[:SHOWN_OF_GROUP], np.int64)
    matches = searcher.matches(Hits(rows, np.ones(len(rows), np.float32)), None)
    shown = [card(match, f"group-{place}-{i}") for i, match in enumerate(matches)]
    cards(searcher, None, shown, title, f"group-{place}")
