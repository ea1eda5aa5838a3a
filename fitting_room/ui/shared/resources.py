"""What all visitors share: the index, opened or built once, and the catalogue meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import lru_cache, wraps
from pathlib import Path
from typing import ParamSpec

import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from fitting_room.build.builder import BuildError
from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue
from fitting_room.catalogue.place import location_of
from fitting_room.embedding.engine import EngineError
from fitting_room.embedding.weights import BackboneError
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits, ImageRejected, open_image
from fitting_room.imaging.gate import CATALOGUE
from fitting_room.index.data import current_version
from fitting_room.index.description import count_in_words
from fitting_room.index.head import HeadError
from fitting_room.index.manifest import IndexUnusable
from fitting_room.search.searcher import Searcher
from fitting_room.settings import Settings, SettingsError
from fitting_room.ui.shared import media
from fitting_room.ui.shared.early_catalogue import EarlyCatalogue
from fitting_room.util.progress import Pace, Progress
from fitting_room.util.threads import limit_blas_threads

P = ParamSpec("P")

_log = logging.getLogger(__name__)
_EXPECTED = (
    BackboneError,
    BuildError,
    CatalogueError,
    EngineError,
    HeadError,
    IndexUnusable,
    OSError,
)

#: Width and height that a card's picture is reduced to: twice its size on the page, for sharp
#: screens. Files below THUMBNAIL_BYTES are shown as they are.
THUMBNAIL_SIZE = (360, 480)
THUMBNAIL_BYTES = 24_000
THUMBNAILS_KEPT = 2_048  # some 50 MB at most
#: The same for a picture that is looked at by itself.
PREVIEW_SIZE = (1024, 1024)
PREVIEWS_KEPT = 64


class Pictures:
    """The catalogue's pictures, which ``read`` reads, reduced for the page."""

    def __init__(self, read: Callable[[str], bytes], limits: ImageLimits) -> None:
        self._read, self._limits = read, limits
        self.make_thumbnail = lru_cache(THUMBNAILS_KEPT)(self._make_thumbnail)
        self.make_preview = lru_cache(PREVIEWS_KEPT)(self._make_preview)

    def _make_thumbnail(self, image: str) -> bytes:
        data = self._read(image)
        if data.startswith(b"\xff\xd8") and len(data) <= THUMBNAIL_BYTES:
            return data
        return media.jpeg(self._opened(data), THUMBNAIL_SIZE)

    def _make_preview(self, image: str) -> bytes:
        return media.jpeg(self._opened(self._read(image)), PREVIEW_SIZE, quality=90)

    def _opened(self, data: bytes) -> Image.Image:
        return open_image(data, limits=self._limits, gate=CATALOGUE)


class Shared(Pictures):
    """An opened index and the reduced pictures of its items."""

    def __init__(self, fitting_room: FittingRoom) -> None:
        super().__init__(fitting_room.picture, fitting_room.limits)
        self.fitting_room = fitting_room


class Preparation:
    """Opens or builds the index in a thread of its own, which survives the session that began it;
    whoever comes meanwhile sees its ``progress``. The ``result`` is there in the end, or the
    reason why it is not."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.progress: Progress | None = None
        self.pace = Pace()
        #: The catalogue to look at while its index is built, and its pictures.
        self.early: EarlyCatalogue | None = None
        self.early_pictures: Pictures | None = None
        self.result: Future[None] = Future()
        self._shared: Shared | None = None
        self._given_up: Path | None = None
        self._lock = threading.Lock()
        self._start(self._open_or_build)

    def _start(self, prepare: Callable[[], FittingRoom]) -> None:
        arguments = prepare, self.result
        threading.Thread(target=self._run, args=arguments, name="fitting-room", daemon=True).start()

    def repair(self) -> None:
        """Build the index again, whose damage was found after it was opened, unless somebody else
        has begun to. Only where there is a catalogue to build it from."""
        with self._lock:
            if self.result.done():
                self.progress, self.result, self._shared = None, Future(), None
                self._start(self._build)

    def _run(self, prepare: Callable[[], FittingRoom], result: Future[None]) -> None:
        try:
            fitting_room = prepare()
            # The network starts now and not while the first visitor waits.
            fitting_room.embed([Image.new("RGB", (60, 80), "grey")])
            limit_blas_threads()
            self._shared = Shared(fitting_room)
            self.early = self.early_pictures = None
            result.set_result(None)
        except _EXPECTED as error:
            _log.error("%s", error)
            result.set_exception(error)
        except Exception as error:
            _log.exception("the index could not be opened or built")
            result.set_exception(error)

    def _open_or_build(self) -> FittingRoom:
        settings, catalogue = self.settings, self.settings.catalogue
        if catalogue is None:
            return FittingRoom.open(settings.index_folder, settings)
        try:
            fitting_room = FittingRoom.open(settings.index_folder, settings)
            if fitting_room.catalogue_location == location_of(catalogue):
                return fitting_room
            _log.warning("%s holds another catalogue and is built anew", settings.index_folder)
        except IndexUnusable as error:
            _log.warning("the index is built: %s", error)
        except BackboneError as error:
            if settings.index is not None:
                raise  # somebody's own index, perhaps hours of work: its network is to be named
            _log.warning("the index is built anew: %s", error)
        return self._build()

    def _build(self) -> FittingRoom:
        settings = self.settings
        if settings.catalogue is None:
            return FittingRoom.open(settings.index_folder, settings)
        catalogue = load_catalogue(settings.catalogue)
        limits = settings.limits
        self.early_pictures = Pictures(
            lambda image: catalogue.store.read(image, limits.max_bytes), limits
        )
        self.early = EarlyCatalogue(catalogue)
        return FittingRoom.build(
            catalogue, settings.index_folder, settings=settings, listener=self._listen
        )

    def _listen(self, progress: Progress) -> None:
        self.pace.note(progress)
        self.progress = progress

    @property
    def pictures(self) -> Pictures:
        """The catalogue's pictures, those of the index as soon as there is one. Raises what
        hindered the preparation."""
        return self.early_pictures or self.shared

    @property
    def shared(self) -> Shared:
        """What was prepared, or a newer version of the index that :meth:`refresh` has found. Only
        one is held: the memory of an older version is given back with the last run that uses it.
        Raises what hindered the preparation."""
        self.result.result()
        if self._shared is None:
            raise RuntimeError("the preparation ended with nothing")
        return self._shared

    def refresh(self) -> None:
        """Open the version of the index that is on disk now, if that is another: items were added
        or removed, it was trained or built again, perhaps with another network. One that cannot
        be opened is left alone, and what was open stays."""
        with self._lock:
            now = self.shared.fitting_room
            try:
                version = current_version(now.index.folder)
                if version in (now.index.data.version, self._given_up):
                    return
                self._shared = Shared(self._opened_anew(now))
            except (BackboneError, HeadError, IndexUnusable, OSError) as error:
                _log.warning("the page keeps the version that it has opened: %s", error)
                with suppress(IndexUnusable, OSError):
                    self._given_up = current_version(now.index.folder)

    def _opened_anew(self, now: FittingRoom) -> FittingRoom:
        try:
            return now.reopened()
        except IndexUnusable:  # or made by another network, which is loaded with the first picture
            return FittingRoom.open(now.index.folder, self.settings)


@st.cache_resource(show_spinner=False, max_entries=2, hash_funcs={Settings: repr})
def _prepare(settings: Settings) -> Preparation:
    return Preparation(settings)


def _preparation() -> Preparation:
    return _prepare(Settings.from_environment())


def prepare() -> None:
    """Begin to open or build the index before the first visitor comes."""
    with suppress(SettingsError):  # the page says it to whoever opens it
        _preparation()


def fitting_room(meanwhile: Callable[[EarlyCatalogue], None] | None = None) -> FittingRoom:
    """The index that all visitors share. While it is being prepared, shows how far it is and what
    ``meanwhile`` draws of the catalogue; if it cannot be, says why and stops the page here."""
    try:
        preparation = _preparation()
    except SettingsError as error:
        st.error(str(error), icon=":material/settings_alert:")
        st.stop()
    # Both are there in every run, so that what follows keeps its place on the page.
    line, below = st.empty(), st.container()
    if not preparation.result.done():
        _wait_for(preparation, meanwhile, line, below)
    failure = preparation.result.exception()
    if failure is not None:
        expected = isinstance(failure, _EXPECTED)
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
                _preparation().shared.fitting_room.index.require_sound()
            except IndexUnusable:
                st.rerun()
            st.error(str(error), icon=":material/error:")  # of something else

    return drawing


def now_open() -> FittingRoom:
    """The index that is open, for callbacks and parts of the page: they hold on to none, which
    would keep the memory of an old one for as long as a forgotten tab is open."""
    return _preparation().shared.fitting_room


def still(version: Path) -> FittingRoom:
    """The index for a part of the page that was drawn with its ``version``, in a run of that part
    alone. Where there is a newer one by now, all of the page is drawn anew."""
    preparation = _preparation()
    preparation.refresh()
    fitting_room = preparation.shared.fitting_room
    if fitting_room.index.data.version != version:
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
    make = _preparation().pictures.make_thumbnail
    return [_picture(make, image) for image in images]


def preview(image: str) -> bytes | None:
    """The catalogue's picture of that name, upright and within :data:`PREVIEW_SIZE`, as a JPEG;
    ``None`` where it cannot be read."""
    return _picture(_preparation().pictures.make_preview, image)


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
