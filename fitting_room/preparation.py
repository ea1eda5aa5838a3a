"""An index that is opened or built once and shared by all who ask: the page's visitors and the
clients of the HTTP API."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import lru_cache

from PIL import Image

from fitting_room.build.builder import BuildError
from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue
from fitting_room.catalogue.place import location_of
from fitting_room.early_catalogue import EarlyCatalogue
from fitting_room.embedding.engine import EngineError
from fitting_room.embedding.weights import BackboneError
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits, open_image
from fitting_room.imaging.gate import CATALOGUE
from fitting_room.imaging.thumbnails import as_jpeg
from fitting_room.index.head import HeadError
from fitting_room.index.manifest import IndexUnusable
from fitting_room.search.synonyms import SynonymsError
from fitting_room.settings import Settings
from fitting_room.util.progress import Pace, Progress
from fitting_room.util.threads import limit_blas_threads

_log = logging.getLogger(__name__)
#: What may hinder a preparation, each with a text for people.
EXPECTED = (
    BackboneError,
    BuildError,
    CatalogueError,
    EngineError,
    HeadError,
    IndexUnusable,
    OSError,
    SynonymsError,
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
        return as_jpeg(self._opened(data), THUMBNAIL_SIZE)

    def _make_preview(self, image: str) -> bytes:
        return as_jpeg(self._opened(self._read(image)), PREVIEW_SIZE, quality=90)

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
        self._given_up: str | None = None
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
        except EXPECTED as error:
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
            place = fitting_room.index.place
            _log.warning("%s holds another catalogue and is built anew", place)
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
                version = now.index.newest_version()
                if version in (now.index.version, self._given_up):
                    return
                self._shared = Shared(self._opened_anew(now))
            except (BackboneError, HeadError, IndexUnusable, OSError) as error:
                _log.warning("the page keeps the version that it has opened: %s", error)
                with suppress(IndexUnusable, OSError):
                    self._given_up = now.index.newest_version()

    def _opened_anew(self, now: FittingRoom) -> FittingRoom:
        try:
            return now.reopened()
        except IndexUnusable:  # or made by another network, which is loaded with the first picture
            return FittingRoom.open(self.settings.index_folder, self.settings)
