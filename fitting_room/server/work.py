"""Work that takes long, in threads of its own: so much at once, so much in a queue, and no more.
The page's event loop only waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from fitting_room.imaging.gate import BUSY
from fitting_room.server.problems import Problem

P = ParamSpec("P")
T = TypeVar("T")


class Work:
    """At most ``places`` calls at once and ``waiting`` more in a queue, each for ``patience``
    seconds in all."""

    def __init__(self, name: str, *, places: int, waiting: int, patience: float) -> None:
        self.most, self.patience, self.pending = places + waiting, patience, 0
        self._pool = ThreadPoolExecutor(places, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What a call returns. Raises ``Problem`` where the queue is full or it took too long; a
        call that has begun by then is not ended, and keeps its place until it is done."""
        if self.pending >= self.most:
            raise Problem("busy", BUSY)
        self.pending += 1
        loop = asyncio.get_running_loop()
        future = self._pool.submit(work, *arguments, **named)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.patience)
        except TimeoutError:
            raise Problem("busy", BUSY) from None

    def _done(self) -> None:
        self.pending -= 1

    def close(self) -> None:
        """Let go of the threads; what waits is never begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)
