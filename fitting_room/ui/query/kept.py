"""What the page keeps of visitors' pictures, over all visits together."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from typing import Any, TypeVar
from weakref import WeakSet

from fitting_room.imaging.decode import ImageRejected
from fitting_room.ui.query.session import QueryPicture, Session, Upload
from fitting_room.ui.shared import once

K = TypeVar("K")
#: A picture to search with, or one that the browser gave back and that is not embedded yet.
P = TypeVar("P", QueryPicture, Upload)

FULL = "The page keeps as many pictures of its visitors as it may right now. Try again in a minute."


class Kept:
    """The pictures of all sessions, ``most`` bytes at most. Safe to use from any thread.

    Where they become more, the session that has most gives its oldest ones: somebody who opens many
    visits or brings many pictures takes nothing from a visitor with a few. Counted is what is in
    memory: a part of a page may still hold a picture that its session gave.
    """

    def __init__(self, most: float = math.inf) -> None:
        self.most = most
        self._sessions: WeakSet[Session] = WeakSet()
        self._pictures: WeakSet[QueryPicture | Upload] = WeakSet()
        self._lock = threading.Lock()

    def keep(self, session: Session, store: OrderedDict[K, P], key: K, picture: P, count: int) -> P:
        """Keep a picture as the newest of ``count`` in a store of its session. Raises
        :class:`ImageRejected` where nobody can give any more."""
        with self._lock:
            self._sessions.add(session)
            self._pictures.add(picture)
            once.keep(store, key, picture, count)
            while self.held() > self.most:
                if not _give(max(self._sessions, key=_bytes_of), picture):
                    store.pop(key, None)
                    raise ImageRejected(FULL)
        return picture

    def held(self) -> int:
        """Bytes of all that is in memory."""
        return sum(map(_size, self._pictures))


def _size(picture: QueryPicture | Upload) -> int:
    return len(picture.data if isinstance(picture, Upload) else picture.jpeg)


def _stores(session: Session) -> tuple[OrderedDict[Any, Any], ...]:
    """What a session keeps, what it gives first before the others."""
    return session.crops, session.restored, session.pictures


def _give(session: Session, newest: QueryPicture | Upload) -> bool:
    """Have a session give its oldest part of a picture, or else its oldest picture, but for the
    ``newest``; whether it had one."""
    for store in _stores(session):
        for key, picture in store.items():
            if picture is not newest:
                del store[key]
                return True
    return False


def _bytes_of(session: Session) -> int:
    return sum(_size(picture) for store in _stores(session) for picture in store.values())


#: Of this process, which serves one page.
KEPT = Kept()
