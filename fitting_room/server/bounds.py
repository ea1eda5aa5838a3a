"""What stands before the API: how many requests at once, how large and how slow they may be, which
other sites may ask, and what is counted of all of them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fitting_room.imaging.gate import BUSY
from fitting_room.server.figures import Figures
from fitting_room.server.problems import Problem

#: What a form adds to the pictures in it: fields, names and boundaries.
FORM = 2**17
#: Headers of every answer of the API. Nothing of it is shown as a page but /docs, which has its own
#: policy.
HEADERS = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
           "Cache-Control": "no-store"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests at once (``requests``), bytes of one (``body``) and of all at once (``held``), and
    seconds that one may take to arrive (``patience``)."""

    requests: int
    body: int
    held: int
    patience: float


class Bounds:
    """ASGI middleware around the API."""

    def __init__(
        self, app: ASGIApp, *, limits: Limits, figures: Figures, is_shared: bool = False
    ) -> None:
        self._app, self._limits, self._figures = app, limits, figures
        self._now, self._held = 0, 0
        # Another site's page may show the answers' pictures, where it may ask at all.
        sharing = {"Cross-Origin-Resource-Policy": "cross-origin"} if is_shared else {}
        self._headers = {**HEADERS, **sharing}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        body = _Body(self, receive)
        self._now += 1
        self._figures.in_flight.set(self._now)
        try:
            if (problem := self._refusal(scope)) is not None:
                self._figures.refusals.labels(problem.kind).inc()
                await problem.response(scope["path"])(scope, receive, sending)
            else:
                await self._app(scope, body.receive, sending)
        finally:
            self._now -= 1
            self._held -= body.taken
            self._figures.in_flight.set(self._now)
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in ("GET", "POST", "DELETE") else "other"
            self._figures.requests.labels(route, method, str(status)).inc()
            self._figures.seconds.labels(route).observe(time.perf_counter() - began)

    def _refusal(self, scope: Scope) -> Problem | None:
        if self._now > self._limits.requests:
            return Problem("busy", BUSY)
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal():
            return Problem("invalid-request", "Content-Length is no number.")
        return self._too_large() if int(length) > self._limits.body else None

    def _too_large(self) -> Problem:
        most = (self._limits.body - FORM) / 2**20
        return Problem("too-large", f"A request may have {most:,.0f} MB of pictures.")

    def take(self, size: int, so_far: int) -> None:
        """Count bytes that have arrived. Raises ``Problem`` where they are too many."""
        if so_far + size > self._limits.body:
            raise self._too_large()
        if self._held + size > self._limits.held:
            raise Problem("busy", BUSY)
        self._held += size

    @property
    def patience(self) -> float:
        return self._limits.patience


class _Body:
    """The body of one request as it arrives."""

    def __init__(self, bounds: Bounds, receive: Receive) -> None:
        self._bounds, self._receive = bounds, receive
        self._until = time.monotonic() + bounds.patience
        self._whole = False
        self.taken = 0

    async def receive(self) -> Message:
        if self._whole:  # waits for the client to leave, which may take as long as the answer
            return await self._receive()
        try:
            left = max(0.0, self._until - time.monotonic())
            message = await asyncio.wait_for(self._receive(), left)
        except TimeoutError:
            raise Problem("too-slow", "The request took too long to arrive.") from None
        size = len(message.get("body", b""))
        self._bounds.take(size, self.taken)
        self.taken += size
        self._whole = not message.get("more_body", False)
        return message
