"""The look-alikes of a catalogue, group by group: its owner keeps them, or says that they are not
the same; others see what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st

from fitting_room.index.marks import DIFFERENT, KEEP, Marks, MarksError, read_marks, set_mark
from fitting_room.index.scoring import Hits
from fitting_room.search import duplicates, export
from fitting_room.search.duplicates import COPIES, IDENTICAL, LOOK_ALIKES, Group
from fitting_room.search.searcher import Searcher
from fitting_room.ui.query import session as sessions
from fitting_room.ui.results import card_actions
from fitting_room.ui.results.card_data import cards_of
from fitting_room.ui.results.gallery import cards
from fitting_room.ui.serving import server
from fitting_room.ui.shared import once, resources
from fitting_room.ui.shared.text import plain

#: Groups on a page, and items of a group that are shown.
GROUPS_ON_PAGE, SHOWN_OF_GROUP = 6, 6
#: What a group's pictures have in common, in words; and its marks.
LIKENESS = {
    IDENTICAL: "the very same file",
    COPIES: "the same picture in another size or compression",
    LOOK_ALIKES: "they look all but the same",
}
MARKED = {KEEP: "Kept", DIFFERENT: "Not the same"}
_CSS = """<style>
.fr-section h4 { font-size: 1.05rem; font-weight: 600; padding: 0; overflow-wrap: anywhere; }
</style>"""
#: The key of the switch for groups that are not marked, and what went wrong with the last mark.
_UNMARKED, _PROBLEM = "only-unmarked", "mark-problem"


@st.fragment
@resources.until_damaged
def show(version: str) -> None:
    """The groups of that version of the index, once they were asked for."""
    whole = resources.still(version)
    card_actions.follow()
    card_actions.open_dialog(whole, None)
    searcher = whole.sampled
    session, build = sessions.current(), searcher.index.manifest.build
    if session.reviewed != build:
        st.markdown(
            "Items whose pictures look all but the same may be listed twice by mistake. To find "
            "them all, every item is compared with every other."
        )
        if whole.sample_in_words:
            st.caption(f"{whole.sample_in_words} Only these are compared.")
        if not st.button("Find look-alikes", icon=":material/content_copy:"):
            return
        session.reviewed = build
    groups = once.compute(
        "look-alikes",
        build,
        lambda listener: duplicates.find(searcher.index, listener),
        "Comparing every item with every other …",
    )
    if whole.sample_in_words:
        st.caption(f"{whole.sample_in_words} Only these were compared.")
    if groups:
        _groups(searcher, groups, _marks(whole))
    else:
        st.markdown("There are none: no two items look all but the same.")


def _marks(searcher: Searcher) -> Marks:
    """What was marked until now, by whichever visit."""
    problem = st.session_state.pop(_PROBLEM, None)
    if not searcher.is_local:
        return Marks()
    try:
        marks = read_marks(searcher.index.folder)
    except MarksError as error:
        marks, problem = Marks(), problem or str(error)
    if problem:
        st.error(plain(problem), icon=":material/error:")
    return marks


def _groups(searcher: Searcher, groups: Sequence[Group], marks: Marks) -> None:
    st.html(_CSS)
    st.markdown(_summary(groups))
    words = {group: marks.of(duplicates.ids_of(searcher.index, group)) for group in groups}
    can_be_marked = resources.now_open().is_local
    with st.container(horizontal=True, vertical_alignment="center"):
        unmarked = False
        if can_be_marked:
            unmarked = st.toggle("Only those without a mark", key=_UNMARKED, width="stretch")
        st.download_button(
            "Groups as csv",
            lambda: _csv(searcher, groups, marked=can_be_marked).encode("utf-8-sig"),
            file_name=export.file_name("look-alikes", "csv"),
            mime="text/csv",
            icon=":material/table:",
            key="save-groups",
            on_click="ignore",
        )
    if not can_be_marked:
        st.caption("Groups of a catalogue in a database cannot be marked.")
    elif not server.is_owners():
        st.caption(
            "Groups can be marked by whoever runs the page, on a page of their own: "
            "`fitting-room serve --owner`."
        )
    numbered = [
        (number, group) for number, group in enumerate(groups, 1) if not (unmarked and words[group])
    ]
    if not numbered:
        st.markdown("Every group has a mark.")
        return
    pages = -(-len(numbered) // GROUPS_ON_PAGE)
    chosen = int(st.pagination(pages, key=f"groups-page-{pages}")) if pages > 1 else 1
    first = (chosen - 1) * GROUPS_ON_PAGE
    for number, group in numbered[first : first + GROUPS_ON_PAGE]:
        _group(searcher, number, group, words[group])


def _summary(groups: Sequence[Group]) -> str:
    counts = {
        likeness: sum(group.likeness == likeness for group in groups) for likeness in LIKENESS
    }
    parts = [f"{count:,} of {likeness}" for likeness, count in counts.items() if count]
    parts[0] = parts[0].replace("identical", "identical files")
    return f"{len(groups):,} groups of {sum(map(len, groups)):,} items: {', '.join(parts)}."


def _csv(searcher: Searcher, groups: Sequence[Group], *, marked: bool) -> str:
    try:
        marks = read_marks(searcher.index.folder) if marked else Marks()
    except MarksError:  # which the page says
        marks = Marks()
    return duplicates.as_csv(searcher.index, groups, marks)


def _group(searcher: Searcher, number: int, group: Group, word: str | None) -> None:
    title = f"Group {number:,}: {len(group):,} items, {LIKENESS[group.likeness]}"
    if group.likeness == LOOK_ALIKES and group.copies:
        title += f", {len(group.copies):,} of them show the same picture"
    if len(group) > SHOWN_OF_GROUP:
        title += f" (the first {SHOWN_OF_GROUP} are shown)"
    with st.container(horizontal=True, vertical_alignment="center", key=f"fr-group-{number}"):
        st.html(f'<div class="fr-section"><h4>{escape(title)}</h4></div>', width="stretch")
        _buttons(number, duplicates.ids_of(searcher.index, group), word)
    rows = np.array(group.rows[:SHOWN_OF_GROUP], np.int64)
    matches = searcher.matches(Hits(rows, np.ones(len(rows), np.float32)), None)
    shown = cards_of(matches, f"group-{number}")
    cards(None, shown, title, f"group-{number}")


def _buttons(number: int, ids: tuple[str, ...], word: str | None) -> None:
    """How a group is marked, and for its owner what to mark it with."""
    if word is not None:
        st.badge(MARKED[word], icon=":material/check:", color="green")
    if not server.is_owners() or not resources.now_open().is_local:
        return
    if word is not None:
        st.button(
            "Undo", key=f"unmark-{number}", type="tertiary", on_click=_mark, args=(ids, None),
            help="Take the mark back",
        )  # fmt: skip
        return
    for label, mark, help_text in (
        ("Keep", KEEP, "All of them are wanted"),
        ("Not the same", DIFFERENT, "They only look alike"),
    ):
        st.button(label, key=f"{mark}-{number}", on_click=_mark, args=(ids, mark), help=help_text)


def _mark(ids: tuple[str, ...], word: str | None) -> None:
    if not server.is_owners() or not resources.now_open().is_local:
        return
    try:
        set_mark(resources.now_open().index.folder, ids, word)
    except MarksError as error:
        st.session_state[_PROBLEM] = str(error)
