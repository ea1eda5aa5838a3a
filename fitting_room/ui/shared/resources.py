"""What all visitors share: the opened room, made once, with its progress shown to who waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import lru_cache

import streamlit as st
from PIL import Image

from fitting_room.build.builder import BuildError
from fitting_room.catalogue.catalogue import CatalogueError
from fitting_room.embedding.backbones import get_backbone
from fitting_room.embedding.engine import EngineError
from fitting_room.embedding.weights import BackboneError
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.index.manifest import IndexUnusable
from fitting_room.settings import Settings, SettingsError
from fitting_room.ui.shared import media
from fitting_room.util.progress import Progress
from fitting_room.util.threads import limit_blas_threads

_log = logging.getLogger(__name__)
_EXPECTED = (BackboneError, BuildError, CatalogueError, EngineError, IndexUnusable, OSError)

#: Width and height that a card's picture is reduced to: twice its size on the page, for sharp
#: screens. Files below THUMBNAIL_BYTES are shown as they are.
THUMBNAIL_SIZE = (360, 480)
THUMBNAIL_BYTES = 24_000
THUMBNAILS_KEPT = 2_048  # some 50 MB at most
#: The same for a picture that is looked at by itself.
PREVIEW_SIZE = (1024, 1024)
PREVIEWS_KEPT = 64


class Shared:
    """The room, opened or built in a thread of its own: a visitor who leaves while the index is
    being built takes nothing with him, and one who comes sees how far it is."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.fitting_room: FittingRoom | None = None
        self.error: str | None = None
        self.progress: Progress | None = None
        self.finished = threading.Event()
        self._thumbnail = lru_cache(THUMBNAILS_KEPT)(self._make_thumbnail)
        self._preview = lru_cache(PREVIEWS_KEPT)(self._make_preview)
        threading.Thread(target=self._prepare, name="fitting-room", daemon=True).start()

    def _prepare(self) -> None:
        try:
            fitting_room = self._open_or_build()
            # The network starts now and not under the first visitor's eyes.
            fitting_room.embed([Image.new("RGB", (60, 80), "white")])
            limit_blas_threads()
            self.fitting_room = fitting_room
        except _EXPECTED as error:
            self.error = str(error)
            _log.error("%s", error)
        except Exception:
            self.error = "Something went wrong inside. The server's log tells more."
            _log.exception("the room could not be prepared")
        finally:
            self.finished.set()

    def _open_or_build(self) -> FittingRoom:
        settings = self.settings
        catalogue = settings.catalogue
        if catalogue is None:
            assert settings.index is not None  # noqa: S101  (Settings sees to it)
            return FittingRoom.open(settings.index, settings)
        try:
            fitting_room = FittingRoom.open(settings.index_folder, settings)
            if fitting_room.catalogue_location == catalogue.resolve():
                return fitting_room
            _log.warning("%s holds another catalogue and is built anew", settings.index_folder)
        except IndexUnusable as error:
            _log.warning("the index is built: %s", error)
        except BackboneError as error:
            if settings.index is not None:
                raise  # somebody's own index, perhaps hours of work: its network is to be named
            _log.warning("the index is built anew: %s", error)
        return FittingRoom.build(
            catalogue, settings.index_folder, settings=settings, listener=self._listen
        )

    def _listen(self, progress: Progress) -> None:
        self.progress = progress

    def thumbnail(self, image: str) -> bytes | None:
        """See the module's function of that name."""
        return self._or_none(self._thumbnail, image)

    def preview(self, image: str) -> bytes | None:
        """See the module's function of that name."""
        return self._or_none(self._preview, image)

    def _or_none(self, make: Callable[[str], bytes], image: str) -> bytes | None:
        try:
            return make(image)
        except ImageRejected as rejected:  # not remembered: the picture may come back
            _log.warning("%s", rejected)
            return None

    def _make_thumbnail(self, image: str) -> bytes:
        assert self.fitting_room is not None  # noqa: S101  (the name comes from it)
        data = self.fitting_room.picture(image)
        if data.startswith(b"\xff\xd8") and len(data) <= THUMBNAIL_BYTES:
            return data
        return media.jpeg(open_image(data, limits=self.fitting_room.limits), THUMBNAIL_SIZE)

    def _make_preview(self, image: str) -> bytes:
        assert self.fitting_room is not None  # noqa: S101  (the name comes from it)
        opened = open_image(self.fitting_room.picture(image), limits=self.fitting_room.limits)
        return media.jpeg(opened, PREVIEW_SIZE, quality=90)


@st.cache_resource(show_spinner=False)
def _shared() -> Shared:
    return Shared(Settings.from_environment())


def fitting_room() -> FittingRoom:
    """The room that all visitors share. While it is being prepared, shows how far it is; if it
    cannot be, says why and stops the page here."""
    try:
        shared = _shared()
    except SettingsError as error:
        st.error(str(error), icon=":material/settings_alert:")
        st.stop()
    if not shared.finished.is_set():
        _wait_for(shared)
    if shared.fitting_room is None:
        st.error(f"The catalogue cannot be shown. {shared.error}", icon=":material/error:")
        if st.button("Try again", icon=":material/refresh:"):
            _shared.clear()
            st.rerun()
        st.stop()
    return shared.fitting_room


def _wait_for(shared: Shared) -> None:
    place = st.empty()
    # Opening takes a moment, building longer; only the latter deserves a bar.
    while not shared.finished.wait(0.2):
        with place.container():
            progress = shared.progress
            if progress is None:
                st.progress(0.0, "Opening the catalogue …")
            else:
                st.progress(progress.fraction, _in_words(progress))
                st.caption("This happens once. The result is kept for every later visit.")
    place.empty()


def _in_words(progress: Progress) -> str:
    if progress.unit == "B":
        return f"{progress.stage}: {progress.done / 1e6:.0f} of {progress.total / 1e6:.0f} MB"
    if progress.total == 1:
        return f"{progress.stage} …"
    text = f"{progress.stage}: {progress.done:,} of {progress.total:,}"
    if progress.rate:
        text += f", {progress.rate:,.0f} a second"
    if progress.seconds_left is not None:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        text += f", {minutes}:{seconds:02} left"
    return text


def thumbnail(image: str) -> bytes | None:
    """The catalogue's picture of that name at a card's size, a JPEG made once; ``None`` where it
    cannot be read."""
    return _shared().thumbnail(image)


def preview(image: str) -> bytes | None:
    """The catalogue's picture of that name, upright and within :data:`PREVIEW_SIZE`, as a JPEG;
    ``None`` where it cannot be read."""
    return _shared().preview(image)


def colophon(fitting_room: FittingRoom) -> None:
    """At the page's foot: what is searched and which network does it; and where that is not the
    named default, why, and how to get it."""
    manifest = fitting_room.index.manifest
    title = get_backbone(fitting_room.index.identity["backbone"]).title
    st.divider()
    line = f"{len(fitting_room.index):,} items"
    if failed := manifest.counts.failed:
        line += f" ({failed:,} more have no usable picture)"
    line += f". Pictures are compared by {title}"
    if not manifest.advice:
        st.caption(line + ".")
        return
    with st.container(horizontal=True, vertical_alignment="center", key="fr-network"):
        st.caption(f"{line}, because {manifest.chosen_because}.", width="content")
        with st.popover("How to get ResNet50", type="tertiary"):
            st.markdown(
                "ResNet50 is the network this page is meant for. Its weights are downloaded when "
                "an index is built, which was not possible here. Whoever runs the page can either"
                "\n\n- build again on a machine with a connection: "
                "`fitting-room build CATALOGUE --index DIR --backbone resnet50`, or"
                "\n- bring the file there in another way: `fitting-room info --index DIR` says "
                "where it is downloaded from and where to put it; `--weights FILE` takes it from "
                "anywhere."
            )
