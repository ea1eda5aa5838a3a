"""What stands before the API counts what comes and lets no request take for ever to arrive."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from fitting_room.server.bounds import Bounds, Limits
from fitting_room.server.figures import Figures
from fitting_room.server.problems import Problem
from tests.ui.serving.loops import in_a_loop_of_its_own

LIMITS = Limits(requests=1, body=100, held=150, patience=60)


def scope(**headers: str) -> Scope:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": "/v1/search", "headers": raw}


async def reading(_: Scope, receive: Receive, send: Send) -> None:
    """An application that reads the whole body."""
    while (await receive()).get("more_body"):
        continue
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def status_of(bounds: Bounds, receive: Receive, **headers: str) -> int:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await bounds(scope(**headers), receive, send)
    return int(sent[0]["status"])


def chunks(*sizes: int) -> Receive:
    left = list(sizes)

    async def receive() -> Message:
        size = left.pop(0)
        return {"type": "http.request", "body": bytes(size), "more_body": bool(left)}

    return receive


def test_a_body_that_trickles_in_is_given_up() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def check() -> None:
        limits = Limits(requests=1, body=100, held=150, patience=0.01)
        bounds = Bounds(reading, limits=limits, figures=Figures())
        with pytest.raises(Problem) as slow:
            await status_of(bounds, never)
        assert slow.value.kind == "too-slow"

    in_a_loop_of_its_own(check)


def test_what_is_held_is_given_back_with_the_request() -> None:
    async def check() -> None:
        bounds = Bounds(reading, limits=LIMITS, figures=Figures())
        for _ in range(5):
            assert await status_of(bounds, chunks(60, 40)) == 200
        with pytest.raises(Problem) as large:
            await status_of(bounds, chunks(60, 41))
        assert large.value.kind == "too-large"
        assert await status_of(bounds, chunks(1), **{"content-length": "101"}) == 413
        assert await status_of(bounds, chunks(1), **{"content-length": "many"}) == 422

    in_a_loop_of_its_own(check)


def test_so_many_requests_at_once() -> None:
    async def check() -> None:
        bounds = Bounds(reading, limits=LIMITS, figures=Figures())
        event = asyncio.Event()

        async def waiting() -> Message:
            await event.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        first = asyncio.create_task(status_of(bounds, waiting))
        await asyncio.sleep(0)
        assert await status_of(bounds, chunks(1)) == 503
        event.set()
        assert await first == 200
        assert await status_of(bounds, chunks(1)) == 200

    in_a_loop_of_its_own(check)


def test_other_connections_pass() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def check() -> None:
        bounds = Bounds(app, limits=LIMITS, figures=Figures())
        await bounds({"type": "lifespan"}, chunks(1), reading)  # type: ignore[arg-type]

    in_a_loop_of_its_own(check)
    assert seen == ["lifespan"]
