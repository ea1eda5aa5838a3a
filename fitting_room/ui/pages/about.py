"""About the catalogue: how much there is and what the words on the cards mean; and for the owner
what became of the rows, what compares pictures, and the look-alikes to review."""

from __future__ import annotations

import re

import numpy as np
import streamlit as st

from fitting_room.embedding.backbones import title_of
from fitting_room.index.description import IndexDescription, describe_index
from fitting_room.search.searcher import Searcher
from fitting_room.ui.results import review
from fitting_room.ui.shared import resources
from fitting_room.ui.shared.text import label, percent, plain

#: Rejected pictures that are listed.
FAILURES_SHOWN = 200
GET_RESNET50 = (
    "ResNet50 is the network this page is meant for. Its weights are downloaded when an index is "
    "built, which was not possible here. Whoever runs the page can either"
    "\n\n- build again on a machine with a connection: "
    "`fitting-room build CATALOGUE --index DIR --backbone resnet50`, or"
    "\n- bring the file there in another way: `fitting-room info --index DIR` says where it is "
    "downloaded from and where to put it; `--weights FILE` takes it from anywhere."
)


def page() -> None:
    """Draw the page."""
    fitting_room = resources.fitting_room()
    title = title_of(fitting_room.index.identity["backbone"])
    description = describe_index(fitting_room.index, title, _column)
    st.header("About this catalogue", anchor=False)
    _figures(fitting_room)
    _words(fitting_room)
    st.header("For the owner", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        _network(fitting_room, description)
        _training(description)
        _calibration(fitting_room)
    with right:
        _rows(fitting_room, description)
        _failures(description)
    st.subheader("Look-alikes to review", anchor=False)
    review.show(fitting_room.index.version)


def _figures(searcher: Searcher) -> None:
    index = searcher.index
    plain_background = index.manifest.counts.plain_background / max(1, len(index))
    figures = {
        "Items": f"{index.item_count:,}",
        **({} if not index.has_several_pictures else {"Pictures": f"{len(index):,}"}),
        "Said of each, at most": f"{len(searcher.attributes):,} things",
        "On a plain background": percent(plain_background),
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>" for name, text in figures.items())
    st.html(f'<dl class="fr-figures">{cells}</dl>')


def _words(searcher: Searcher) -> None:
    """What the words on the cards rest on."""
    calibration = searcher.index.calibration
    if calibration is None:
        st.markdown("The catalogue says too little of its items to say how good a match is.")
        return
    st.markdown(
        plain(
            "The words on the cards say how often a match like that is of the same "
            f"{_column(calibration.column)}: {calibration.queries:,} of the catalogue's own "
            "pictures were searched for to find that out."
        )
    )


def _column(column: str) -> str:
    """A column's name within a sentence."""
    return label(column).lower()


def _network(searcher: Searcher, description: IndexDescription) -> None:
    st.subheader("What compares the pictures", anchor=False)
    st.markdown(f"{plain(description.network)}. Colours and silhouettes are compared beside that.")
    if searcher.index.manifest.advice:
        with st.popover("How to get ResNet50", type="tertiary"):
            st.markdown(GET_RESNET50)
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
            "Alike in": [
                "All of them" if c == "all" else plain(label(c)) for c, _, _ in validation
            ],
            "Before": ["–" if b is None else percent(b, 1) for _, b, _ in validation],
            "After": [percent(after, 1) for _, _, after in validation],
        }
        st.table(table, hide_index=True)


def _calibration(searcher: Searcher) -> None:
    calibration = searcher.index.calibration
    if calibration is None:
        return
    st.subheader("What a similarity means", anchor=False)
    st.markdown(f"How often a match was of the same {plain(_column(calibration.column))}.")
    marks = (0.5, 0.6, 0.7, 0.8, 0.9)
    table: dict[str, list[str]] = {"Similarity": [f"{mark:.1f}" for mark in marks]}
    for name, curves in (
        ("As the network sees it", calibration.plain),
        ("With what was learned", calibration.trained),
    ):
        if curves:
            table[name] = [percent(expected) for expected in curves[1](np.array(marks)).tolist()]
    st.table(table, hide_index=True)


def _rows(searcher: Searcher, description: IndexDescription) -> None:
    st.subheader("What became of the rows", anchor=False)
    rows: list[tuple[str, int | None, tuple[str, ...]]] = [
        ("Read", description.rows, ()),
        *description.outcomes,
        ("Without a usable picture", description.failed, ()),
        ("In the index", searcher.index.item_count, ()),
    ]
    if searcher.index.has_several_pictures:
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
        cells = ", ".join(f"{_column(c)} {n:,}" for c, n in description.empty.items())
        st.caption(plain(f"Kept with an empty cell: {cells}."))


def _failures(description: IndexDescription) -> None:
    if not description.failures:
        return
    with st.expander(f"Pictures that could not be used ({description.failed:,})"):
        shown = description.failures[:FAILURES_SHOWN]
        table = {"Item": [plain(i) for i, _ in shown], "Why": [plain(why) for _, why in shown]}
        st.table(table, hide_index=True)
