"""Visits that go on, and what the server holds for them. A visit ends when its connection has been
gone for a while; what was kept for it ends with it.

Streamlit itself ends a visit only when the next one begins, which may be hours later.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from fitting_room.ui.serving.saved import SAVED

#: Bytes of uploads that are held for one visit at a time.
MOST_UPLOADED = 128 * 2**20
#: Names of refused uploads that are remembered for one visit, until its page asks for them.
MOST_REFUSED = 64
#: Seconds after which an upload that the page has not taken is given back.
UPLOAD_KEPT = 60.0
#: Seconds between two looks at the visits, and after its end that a visit is looked after: a run
#: of its page that was going on may still put something aside.
INTERVAL, AFTERWARDS = 2.0, 30.0


class Server(Protocol):
    """What is needed of Streamlit's ``Runtime``."""

    @property
    def uploaded_file_mgr(self) -> Any: ...
    @property
    def media_file_mgr(self) -> Any: ...
    def is_active_session(self, session_id: str) -> bool: ...
    def close_session(self, session_id: str) -> None: ...


@dataclass(slots=True)
class _Visit:
    #: Bytes and time of uploads by their file's id.
    uploads: dict[str, tuple[int, float]] = field(default_factory=dict)
    #: Ids of uploads that were refused because all visits together hold too much.
    refused: list[str] = field(default_factory=list)
    #: When the connection was missed first, and when the visit was ended.
    left: float | None = None
    ended: float | None = None
    forget: Callable[[], None] | None = None


class Visits:
    """The visits of one server. Safe to use from any thread but for :meth:`tidy`, which belongs to
    the event loop's. ``most_held`` is what uploads of all visits together may have, in bytes."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, most_held: float = math.inf
    ) -> None:
        self.most_held = most_held
        self._clock = clock
        self._visits: dict[str, _Visit] = {}
        self._lock = threading.Lock()

    def note(self, session: str, forget: Callable[[], None]) -> None:
        """A page was drawn for this session; ``forget`` empties what the page remembers of it."""
        with self._lock:
            self._visits.setdefault(session, _Visit()).forget = forget

    def may_upload(self, session: str, file: str, size: int) -> bool:
        """Whether a file of that many bytes still fits into what a visit may hold, and into what
        all may hold together; if so, it is counted from now on."""
        with self._lock:
            visit = self._visits.setdefault(session, _Visit())
            before, _ = visit.uploads.get(file, (0, 0.0))
            if _bytes_of(visit) - before + size > MOST_UPLOADED:
                return False
            if sum(map(_bytes_of, self._visits.values())) - before + size > self.most_held:
                visit.refused = [*visit.refused, file][-MOST_REFUSED:]
                return False
            visit.uploads[file] = (size, self._clock())
            return True

    def was_refused(self, session: str, file: str) -> bool:
        """Whether a file was refused because all visits together hold too much."""
        with self._lock:
            visit = self._visits.get(session)
            return visit is not None and file in visit.refused

    def given_back(self, session: str, file: str) -> None:
        """A file is held no more."""
        with self._lock:
            if (visit := self._visits.get(session)) is not None:
                visit.uploads.pop(file, None)

    def tidy(self, server: Server, forget_after: float) -> None:
        """End visits whose connection has been gone for ``forget_after`` seconds, and give uploads
        back that nobody has taken."""
        now = self._clock()
        with self._lock:
            visits = list(self._visits.items())
        for session, visit in visits:
            if visit.ended is None:
                self._give_back(server, session, visit, now)
                if server.is_active_session(session):
                    visit.left = None
                    continue
                visit.left = now if visit.left is None else visit.left
                if now - visit.left < forget_after:
                    continue
                visit.ended = now
            self._end(server, session, visit)
            if now - visit.ended >= AFTERWARDS:
                with self._lock:
                    del self._visits[session]

    def _give_back(self, server: Server, session: str, visit: _Visit, now: float) -> None:
        with self._lock:
            old = [name for name, (_, at) in visit.uploads.items() if now - at >= UPLOAD_KEPT]
        for name in old:
            server.uploaded_file_mgr.remove_file(session, name)
            self.given_back(session, name)

    def _end(self, server: Server, session: str, visit: _Visit) -> None:
        server.close_session(session)
        server.uploaded_file_mgr.remove_session_files(session)
        server.media_file_mgr.clear_session_refs(session)
        # A file to be saved is let go at the second time of asking.
        server.media_file_mgr.remove_orphaned_files()
        if visit.forget is not None:
            visit.forget()
        visit.uploads.clear()
        visit.refused.clear()

    def held(self) -> Iterable[str]:
        """The sessions that anything is remembered of."""
        with self._lock:
            return list(self._visits)

    async def keep_tidy(self, server: Server, forget_after: float) -> None:
        """Tidy for ever, several times within ``forget_after`` seconds."""
        while True:
            self.tidy(server, forget_after)
            SAVED.tidy(server.media_file_mgr)
            await asyncio.sleep(min(INTERVAL, forget_after / 4))


def _bytes_of(visit: _Visit) -> int:
    return sum(size for size, _ in visit.uploads.values())
