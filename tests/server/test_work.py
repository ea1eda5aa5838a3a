"""Work in threads: bounded, and never in the way of the loop that waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from fitting_room.server.problems import Problem
from fitting_room.server.work import Work
from tests.ui.serving.loops import in_a_loop_of_its_own


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_more_than_may_wait_is_refused_and_the_loop_goes_on(gate: threading.Event) -> None:
    async def check() -> None:
        work = Work("test", places=1, waiting=1, patience=60)
        calls = [asyncio.create_task(work.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0)  # the loop is free while both wait
        with pytest.raises(Problem) as refused:
            await work.run(gate.wait)
        assert refused.value.kind == "busy"
        gate.set()
        assert await asyncio.gather(*calls) == [True, True]
        assert await work.run(lambda: 7) == 7
        work.close()

    in_a_loop_of_its_own(check)


def test_what_takes_too_long_keeps_its_place_until_it_is_done(gate: threading.Event) -> None:
    async def check() -> None:
        work = Work("test", places=1, waiting=0, patience=0.01)
        with pytest.raises(Problem):
            await work.run(gate.wait)
        assert work.pending == 1
        with pytest.raises(Problem):
            await work.run(gate.wait)
        gate.set()
        while work.pending:
            await asyncio.sleep(0.001)
        work.close()

    in_a_loop_of_its_own(check)


def test_what_was_given_up_before_it_began_never_begins(gate: threading.Event) -> None:
    begun = []

    async def check() -> None:
        work = Work("test", places=1, waiting=1, patience=0.05)
        first = asyncio.create_task(work.run(gate.wait))
        second = asyncio.create_task(work.run(lambda: begun.append(1)))
        for call in (first, second):
            with pytest.raises(Problem):
                await call
        gate.set()
        while work.pending:
            await asyncio.sleep(0.001)
        work.close()

    in_a_loop_of_its_own(check)
    assert begun == []


def test_errors_are_those_of_the_work() -> None:
    async def check() -> None:
        work = Work("test", places=1, waiting=0, patience=60)
        with pytest.raises(ZeroDivisionError):
            await work.run(lambda: 1 // 0)
        work.close()

    in_a_loop_of_its_own(check)
