"""The trail: the queries that led here since a picture came in, as small pictures, each of which
leads back; and a way back to what was before."""

from __future__ import annotations

from typing import Any

from fitting_room.imaging.decode import ImageRejected, open_image
from fitting_room.imaging.thumbnails import as_jpeg
from fitting_room.search.searcher import Searcher
from fitting_room.ui.components import component, sent
from fitting_room.ui.query import session as sessions
from fitting_room.ui.query import subjects
from fitting_room.ui.query.history import ITEM, Query
from fitting_room.ui.query.session import UPLOADED
from fitting_room.ui.shared import media, once, resources

#: Queries of the trail that are shown, and width and height of their pictures.
MAX_SHOWN, SMALL = 6, (72, 92)
#: Small pictures that a session keeps.
MAX_SMALL = 32


def show(searcher: Searcher) -> None:
    """The trail, where there is a way back."""
    history = sessions.current().history
    if history.position < 1:
        return
    first = max(history.start, history.position + 1 - MAX_SHOWN)
    steps = [
        _step(searcher, place, history.queries[place], here=place == history.position)
        for place in range(first, history.position + 1)
    ]
    data = {"steps": steps, "back": history.position - 1}
    component("trail")(key="trail", data=data, on_go_change=_go)


def _step(searcher: Searcher, place: int, query: Query, *, here: bool) -> dict[str, Any]:
    return {
        "position": place,
        "here": here,
        "title": title(searcher, query),
        "src": _small(searcher, place, query),
        "more": len(query.subjects) - 1,
    }


def _small(searcher: Searcher, place: int, query: Query) -> str | None:
    """The address of a small picture of a query's first subject: a visitor's own one has none but
    itself."""
    subject, kept = query.subjects[0], sessions.current().small
    if subject.kind == ITEM and query.crop is None:
        match = searcher.item(subject.id)
        thumbnail = None if match is None else resources.thumbnails([match.image])[0]
        return None if thumbnail is None else media.address(thumbnail, f"trail-{place}")
    if (found := kept.get((subject, query.crop))) is not None:
        return found
    data = subjects.bytes_of(searcher, subject, query.crop)
    if data is None:
        return None
    try:
        small = as_jpeg(open_image(data, limits=searcher.limits), SMALL)
    except ImageRejected:
        return None
    return once.keep(kept, (subject, query.crop), media.data_uri(small), MAX_SMALL)


def title(searcher: Searcher, query: Query) -> str:
    """A query in words."""
    names = filter(None, (subjects.name_of(searcher, subject) for subject in query.subjects))
    words = next(names, "A picture that is gone")
    if len(query.subjects) > 1:
        words = f"{len(query.subjects)} {'pictures, each' if query.apart else 'together'}"
    if query.crop is not None:
        words += ", a part"
    if query.words:
        words += f", with “{query.words}”"
    return words + (", less like others" if query.negatives else "")


def _go() -> None:
    position = sent("trail", "go")
    session = sessions.current()
    if type(position) is int and 0 <= position < len(session.history.queries):
        session.go_back(position)
        session.source = UPLOADED
