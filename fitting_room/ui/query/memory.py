"""What the visitor's browser keeps for the tab, and gives back where the server does not know the
visit: after a reload, a pause that was longer than the server waits, or a restart.

The browser keeps working copies of the visitor's pictures and the trail. What it gives back comes
from anybody's browser: pictures are opened like every other, and queries are read like an address.
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress
from typing import Any

from fitting_room.imaging.decode import ImageRejected
from fitting_room.ui.components import component, sent
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query.address import params_of, query_of
from fitting_room.ui.query.history import MAX_QUERIES, PICTURE, History, Query
from fitting_room.ui.query.kept import KEPT
from fitting_room.ui.query.session import Params, Session, Upload
from fitting_room.ui.query.subjects import MAX_PICTURES
from fitting_room.ui.shared import resources

_ID = re.compile(r"[0-9a-f]{12}")
_HEAD = "data:image/jpeg;base64,"
#: Letters of a working copy and of a picture's name that are taken back.
MOST_LETTERS, LONGEST_NAME = 3_000_000, 300
#: Parameters of a query, and values of one, that are read.
MOST_PARAMS = 16


def keep() -> None:
    """Have the browser keep the visit as it is now, and give it back where it knows more of it."""
    session = sessions.current()
    history = session.history
    subjects = [subject for query in history.queries for subject in query.subjects]
    component("memory")(
        key="memory",
        data={
            "visit": session.visit,
            "back": session.is_back,
            "trail": [params_of(query) for query in history.queries],
            "position": history.position,
            "pictures": sorted({s.id for s in subjects if s.kind == PICTURE}),
        },
        on_back_change=_take_back,
    )


def _take_back() -> None:
    session, message = sessions.current(), sent("memory", "back")
    if session.is_back or not isinstance(message, dict):
        return
    session.is_back = True
    for picture in _listed(message, "pictures")[-MAX_PICTURES:]:
        if (upload := _picture(picture)) is not None and picture["id"] not in session.restored:
            with suppress(ImageRejected):  # no room for it: the page says that it is not kept
                KEPT.keep(session, session.restored, picture["id"], upload, MAX_PICTURES)
    searcher = resources.now_open()
    trail = [_params(params) for params in _listed(message, "trail")[-MAX_QUERIES:]]
    queries = [query for params in trail if (query := query_of(searcher, session, params))]
    session.complaints = []
    _go_on(session, queries, message.get("position"))


def _go_on(session: Session, queries: list[Query], position: object) -> None:
    """Make these queries the trail, at the one that the address names, or else at the position."""
    searcher = resources.now_open()
    if session.came_by is not None:
        now = query_of(searcher, session, session.came_by)
    else:
        now = session.history.query
    was_read = session.address is not None
    last = position if type(position) is int else len(queries) - 1
    session.history = History(queries, max(-1, min(last, len(queries) - 1)))
    if was_read:
        session.history.go(now)
    session.came_by = None
    session.act()


def _listed(message: dict[str, Any], name: str) -> list[Any]:
    values = message.get(name)
    return values if isinstance(values, list) else []


def _picture(value: object) -> Upload | None:
    """A working copy that the browser kept, where it can be one."""
    if not isinstance(value, dict):
        return None
    name, source, key = value.get("name"), value.get("src"), value.get("id")
    if not (isinstance(name, str) and isinstance(source, str) and isinstance(key, str)):
        return None
    if not _ID.fullmatch(key) or not source.startswith(_HEAD) or len(source) > MOST_LETTERS:
        return None
    try:
        data = base64.b64decode(source.removeprefix(_HEAD), validate=True)
    except (binascii.Error, ValueError):
        return None
    return Upload(name[:LONGEST_NAME], data)


def _params(value: object) -> Params:
    """Parameters of a query, where the value is such."""
    if not isinstance(value, dict):
        return {}
    params = {}
    for name, values in list(value.items())[:MOST_PARAMS]:
        if isinstance(values, list):
            params[str(name)] = [v for v in values[:MOST_PARAMS] if isinstance(v, str)]
    return params
