"""Errors of the API: problem documents (RFC 9457), with the same sentences as the page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse, Response

from fitting_room.build.edit import EditError, IndexBusyError, ItemExistsError
from fitting_room.catalogue.catalogue import CatalogueError
from fitting_room.embedding.engine import EngineError
from fitting_room.embedding.weights import BackboneError
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.gate import Busy
from fitting_room.index.head import HeadError
from fitting_room.index.index import FilterError
from fitting_room.index.manifest import IndexUnusable
from fitting_room.search.numbers import SortError
from fitting_room.search.vocabulary import WordsUnavailableError

_log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
#: Seconds after which a client may try again what is only a matter of time.
RETRY_AFTER = 2
#: What a problem's ``type`` begins with. The address says what the name after it means.
TYPES = "/api/v1/problems/"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its HTTP status, its title, and what to do about it."""

    status: int
    title: str
    remedy: str


KINDS: Mapping[str, Kind] = {
    "invalid-request": Kind(
        422, "The request cannot be understood", "Compare it with /api/openapi.json."
    ),
    "unusable-picture": Kind(
        422, "The picture cannot be used", "Do what the detail says, or give another picture."
    ),
    "unknown-column": Kind(
        422, "The catalogue has no such column", "Take one of those that /api/v1/columns lists."
    ),
    "no-numbers": Kind(
        422,
        "Matches cannot be sorted by this column",
        "Take one that /api/v1/columns calls numeric.",
    ),
    "no-words": Kind(
        422, "This server cannot search with words", "Give a picture, or filter by values."
    ),
    "not-found": Kind(404, "There is nothing at this address", "Compare it with /api/docs."),
    "no-such-item": Kind(404, "The catalogue has no such item", "Take an id that a search gave."),
    "no-picture": Kind(404, "The picture cannot be shown", "Ask the shop's owner to look at it."),
    "wrong-method": Kind(405, "This address does not do that", "The header Allow says what does."),
    "item-exists": Kind(409, "The item is there already", "Send replace=true to replace it."),
    "being-written": Kind(
        409, "The catalogue is being changed right now", "Try again after the time in Retry-After."
    ),
    "too-large": Kind(413, "That is too large", "Send less: a picture of 1,000 pixels will do."),
    "too-slow": Kind(408, "The request took too long to arrive", "Send it again."),
    "no-token": Kind(401, "A token is needed", "Send it as Authorization: Bearer TOKEN."),
    "read-only": Kind(
        403, "This server changes nothing", "Its owner may set FITTING_ROOM_API_TOKENS."
    ),
    "busy": Kind(503, "Too much at once", "Try again after the time in Retry-After."),
    "not-ready": Kind(
        503, "The catalogue is not ready yet", "Try again after the time in Retry-After."
    ),
    "unusable-catalogue": Kind(
        503, "The catalogue cannot be used", "Its owner finds the reason in the detail."
    ),
    "internal": Kind(500, "Something went wrong inside", "The server's log says more."),
}
_BY_STATUS = {401: "no-token", 404: "not-found", 405: "wrong-method", 408: "too-slow",
              413: "too-large", 503: "busy"}  # fmt: skip
#: Kinds that pass by themselves.
_PASSING = frozenset({"busy", "being-written", "not-ready"})


class Problem(HTTPException):
    """A request that cannot be answered; ``kind`` is one of :data:`KINDS`, ``detail`` a sentence
    for people, ``more`` further members of the document."""

    def __init__(
        self, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        own = {"Retry-After": str(RETRY_AFTER)} if kind in _PASSING else {}
        super().__init__(KINDS[kind].status, detail, {**own, **(headers or {})})
        self.kind, self.more = kind, more

    def response(self, path: str) -> Response:
        """The problem document for a request of this path."""
        of_kind = KINDS[self.kind]
        document = {
            "type": TYPES + self.kind,
            "title": of_kind.title,
            "status": of_kind.status,
            "detail": self.detail,
            "instance": path,
            **self.more,
        }
        return JSONResponse(
            document, of_kind.status, headers=dict(self.headers or {}), media_type=MEDIA_TYPE
        )


def problem_of(error: Exception) -> Problem:
    """What an error of the library is to a client. One that nobody expected says nothing of the
    inside."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ImageRejected):
        kind = "busy" if isinstance(error.__cause__, Busy) else "unusable-picture"
        return Problem(kind, str(error))
    if isinstance(error, FilterError | WordsUnavailableError):
        kinds_of_words = {SortError: "no-numbers", WordsUnavailableError: "no-words"}
        return Problem(kinds_of_words.get(type(error), "unknown-column"), str(error))
    if isinstance(error, EditError):
        kinds = {IndexBusyError: "being-written", ItemExistsError: "item-exists"}
        return Problem(kinds.get(type(error), "invalid-request"), str(error))
    if isinstance(error, BackboneError | CatalogueError | EngineError | HeadError | IndexUnusable):
        _log.error("%s", error)
        return Problem("unusable-catalogue", str(error))
    _log.error("a request ended in an error", exc_info=error)
    return Problem("internal", "Something went wrong inside. The server's log says more.")


def install(app: FastAPI, count: Callable[[str], None]) -> None:
    """Have an application answer with problem documents alone; each one's kind is told to
    ``count``."""

    def answer(request: Request, problem: Problem) -> Response:
        count(problem.kind)
        return problem.response(request.url.path)

    def known(request: Request, error: Exception) -> Response:
        return answer(request, problem_of(error))

    def of_status(request: Request, error: Exception) -> Response:
        if isinstance(error, Problem):
            return answer(request, error)
        error = cast(StarletteHTTPException, error)  # what it is registered for
        kind = _BY_STATUS.get(error.status_code, "invalid-request")
        detail = "The request cannot be read." if kind == "invalid-request" else KINDS[kind].title
        return answer(request, Problem(kind, f"{detail.rstrip('.')}.", headers=error.headers))

    def invalid(request: Request, error: Exception) -> Response:
        error = cast(RequestValidationError, error)  # what it is registered for
        errors = [
            {"where": ".".join(map(str, one["loc"])), "reason": str(one["msg"])}
            for one in error.errors()
        ]
        first = errors[0] if errors else {"where": "body", "reason": "not understood"}
        detail = f"{first['where']}: {first['reason']}."
        return answer(request, Problem("invalid-request", detail, errors=errors))

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(StarletteHTTPException, of_status)
    for kind in (ImageRejected, FilterError, EditError, BackboneError, CatalogueError, EngineError,
                 HeadError, IndexUnusable, WordsUnavailableError, Exception):  # fmt: skip
        app.add_exception_handler(kind, known)
