"""What all visitors share: the index, opened or built once, and the catalogue meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import astuple
from functools import wraps
from typing import ParamSpec

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fitting_room.early_catalogue import EarlyCatalogue
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected
from fitting_room.index.description import count_in_words
from fitting_room.index.manifest import IndexUnusable
from fitting_room.preparation import EXPECTED, Preparation
from fitting_room.search.searcher import Searcher
from fitting_room.settings import Settings, SettingsError
from fitting_room.util.progress import Progress

P = ParamSpec("P")

_log = logging.getLogger(__name__)


@st.cache_resource(show_spinner=False, max_entries=2, hash_funcs={Settings: astuple})
def _prepare(settings: Settings) -> Preparation:
    return Preparation(settings)


def prepared() -> Preparation:
    """The one preparation of this process, which the HTTP API shares. Raises ``SettingsError``."""
    return _prepare(Settings.from_environment())


def prepare() -> None:
    """Begin to open or build the index before the first visitor comes."""
    with suppress(SettingsError):  # the page says it to whoever opens it
        prepared()


def fitting_room(meanwhile: Callable[[EarlyCatalogue], None] | None = None) -> FittingRoom:
    """The index that all visitors share. While it is being prepared, shows how far it is and what
    ``meanwhile`` draws of the catalogue; if it cannot be, says why and stops the page here."""
    try:
        preparation = prepared()
    except SettingsError as error:
        st.error(str(error), icon=":material/settings_alert:")
        st.stop()
    # Both are there in every run, so that what follows keeps its place on the page.
    line, below = st.empty(), st.container()
    if not preparation.result.done():
        _wait_for(preparation, meanwhile, line, below)
    failure = preparation.result.exception()
    if failure is not None:
        expected = isinstance(failure, EXPECTED)
        reason = failure if expected else "Something went wrong inside. The server's log says more."
        st.error(f"The catalogue cannot be shown. {reason}", icon=":material/error:")
        if st.button("Try again", icon=":material/refresh:"):
            _prepare.clear()
            st.rerun()
        st.stop()
    preparation.refresh()
    room = preparation.shared.fitting_room
    try:
        room.index.require_sound()
    except IndexUnusable as damage:
        _say_damaged(preparation, damage)
    return room


def _say_damaged(preparation: Preparation, damage: IndexUnusable) -> None:
    """Say that the open index turned out to be damaged, and stop the page here. It goes on with the
    version that a build puts in its place."""
    st.error(f"The catalogue cannot be shown any more. {damage}", icon=":material/error:")
    catalogue = preparation.settings.catalogue
    if catalogue is None and st.button("Try again", icon=":material/refresh:"):
        st.rerun()
    if catalogue is not None and st.button("Build it again", icon=":material/refresh:"):
        preparation.repair()
        st.rerun()
    st.stop()


def until_damaged(draw: Callable[P, None]) -> Callable[P, None]:
    """A function that draws a part of the page, a fragment's as well. Where it comes upon damage to
    the index that is open, the page is run again, which says so (:func:`fitting_room`)."""

    @wraps(draw)
    def drawing(*arguments: P.args, **named: P.kwargs) -> None:
        try:
            draw(*arguments, **named)
        except IndexUnusable as error:
            _log.error("%s", error)
            try:
                prepared().shared.fitting_room.index.require_sound()
            except IndexUnusable:
                st.rerun()
            st.error(str(error), icon=":material/error:")  # of something else

    return drawing


def now_open() -> FittingRoom:
    """The index that is open, for callbacks and parts of the page: they hold on to none, which
    would keep the memory of an old one for as long as a forgotten tab is open."""
    return prepared().shared.fitting_room


def still(version: str) -> FittingRoom:
    """The index for a part of the page that was drawn with its ``version``, in a run of that part
    alone. Where there is a newer one by now, all of the page is drawn anew."""
    preparation = prepared()
    preparation.refresh()
    fitting_room = preparation.shared.fitting_room
    if fitting_room.index.version != version:
        st.rerun()
    return fitting_room


def _wait_for(
    preparation: Preparation,
    meanwhile: Callable[[EarlyCatalogue], None] | None,
    line: DeltaGenerator,
    below: DeltaGenerator,
) -> None:
    """Show how far the preparation is until it is done. Whatever the visitor does meanwhile draws
    the page anew and comes back here."""
    drawn = False
    while not preparation.result.done():
        progress, early = preparation.progress, preparation.early
        text = _in_words(progress, preparation.pace.seconds_left)
        line.progress(0.0 if progress is None else _fraction(progress), text)
        if meanwhile is not None and early is not None and not drawn:
            drawn = True
            with below:
                meanwhile(early)
        wait([preparation.result], 0.2)
    if drawn:
        st.rerun()  # the page itself, with what the visitor has chosen meanwhile
    line.empty()


def _in_words(progress: Progress | None, seconds_left: float | None) -> str:
    """How far a preparation is, for a shopper; the time left only where it is known."""
    if progress is None:
        return "Opening the catalogue …"
    if progress.unit == "B":
        so_far = f"{progress.done / 1e6:.0f} of {progress.total / 1e6:.0f} MB"
        return f"Getting ready: {so_far} of what compares pictures are here"
    if progress.unit != "picture":
        return "Getting ready …" if progress.total == 1 else "Almost ready …"
    text = f"Getting ready: {progress.done:,} of {progress.total:,}"
    return text if seconds_left is None else f"{text}, about {_duration(seconds_left)} left"


def _fraction(progress: Progress) -> float:
    """How much of a preparation is done; what comes after the pictures is short."""
    return progress.fraction if progress.unit in ("B", "picture") else float(progress.total > 1)


def _duration(seconds: float) -> str:
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{round(minutes / 60)} h"


def thumbnails(images: Sequence[str]) -> list[bytes | None]:
    """The catalogue's pictures of those names at a card's size, JPEGs made once; ``None`` where one
    cannot be read."""
    make = prepared().pictures.make_thumbnail
    return [_picture(make, image) for image in images]


def preview(image: str) -> bytes | None:
    """The catalogue's picture of that name, upright and within :data:`PREVIEW_SIZE`, as a JPEG;
    ``None`` where it cannot be read."""
    return _picture(prepared().pictures.make_preview, image)


def _picture(make: Callable[[str], bytes], image: str) -> bytes | None:
    try:
        return make(image)
    except ImageRejected as rejected:  # not remembered: the picture may come back
        _log.warning("%s", rejected)
        return None


def footer(searcher: Searcher) -> None:
    """At the page's foot: how much there is to look at. What compares it is the owner's business
    (:mod:`fitting_room.ui.pages.about`)."""
    st.divider()
    st.caption(f"{count_in_words(searcher.index)} in this catalogue.")
