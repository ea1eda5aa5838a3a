"""Two crowds for ``soak.py``: sessions that only lie there, and visitors with the worst files."""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from contextlib import AsyncExitStack

import numpy as np
from common import table
from offenders import WORST, made
from serving import Peak, memory
from visitor import Visitor, new_picture, visiting

#: Visits before the sessions are counted: what they all share is there then.
BEFORE = 20
#: Megabytes of all idle sessions that pass; of all processes with the worst files, and seconds of
#: an ordinary visitor's slowest answer.
IDLE_MB, WORST_MB, WORST_SECONDS = 100, 3 * 1024, 2.0


async def idle(port: int, process: int, options: argparse.Namespace) -> int:
    """Open sessions, leave them open, and print what they cost."""
    chance = random.Random(options.seed)
    async with AsyncExitStack() as stack:

        async def come(count: int) -> None:
            for _ in range(count):
                visitor = await stack.enter_async_context(visiting(port, chance))
                visitor.more_to_come = 0.1  # nothing is clicked
                await visitor.run()

        await come(BEFORE)
        await asyncio.sleep(5)
        before, _ = memory(process)
        await come(options.idle)
        await asyncio.sleep(5)
        after, _ = memory(process)
    cost = after - before
    print(
        f"{options.idle} idle sessions: {before:.0f} MB before, {after:.0f} MB with them, "
        f"{cost:.0f} MB for all, {cost / options.idle:.2f} MB each"
    )
    return 1 if cost > IDLE_MB else 0


async def worst(port: int, process: int, options: argparse.Namespace) -> int:
    """Visitors who upload the worst files again and again, and one with ordinary pictures."""
    files = [made(options.keep, name)[name].read_bytes() for name in WORST]
    stop, outcomes = asyncio.Event(), Counter[str]()
    answers: list[float] = []
    with Peak(process) as peak:
        async with visiting(port, random.Random(options.seed)) as ordinary:
            await ordinary.run()
            alone = [await _ask(ordinary) for _ in range(5)]
            crowd = [
                asyncio.create_task(_offend(port, files, n, stop, outcomes))
                for n in range(options.visitors)
            ]
            until = time.monotonic() + options.minutes * 60
            while time.monotonic() < until:
                answers.append(await _ask(ordinary))
                await asyncio.sleep(1)
            stop.set()
            errors = [e for e in await asyncio.gather(*crowd, return_exceptions=True) if e]
    p50, p95 = np.percentile(answers, [50, 95])
    table(
        [
            {
                "visitors with the worst files": options.visitors, **outcomes,
                "peak MB of all processes": f"{peak.most:.0f}",
                "ordinary alone, median s": f"{np.median(alone):.2f}",
                "beside them: times": len(answers), "median s": f"{p50:.2f}",
                "p95 s": f"{p95:.2f}", "slowest s": f"{max(answers):.2f}",
            }
        ]
    )  # fmt: skip
    for error in errors[:5]:
        print(f"a visitor met an error: {error!r}")
    return 1 if errors or peak.most > WORST_MB or max(answers) > WORST_SECONDS else 0


async def _ask(visitor: Visitor) -> float:
    """Seconds from the upload of an ordinary picture to its matches."""
    visitor.took = None
    picture = await asyncio.to_thread(new_picture, visitor.chance)
    status = await visitor.upload(picture)
    if visitor.took is None or visitor.errors:
        raise RuntimeError(f"an ordinary picture was not answered: {status}, {visitor.errors}")
    return visitor.took


async def _offend(
    port: int, files: list[bytes], number: int, stop: asyncio.Event, outcomes: Counter[str]
) -> None:
    async with visiting(port, random.Random(number)) as visitor:
        await visitor.run()
        while not stop.is_set():
            number += 1
            status = await visitor.upload(files[number % len(files)])
            said = " ".join(visitor.errors)
            if status is not None and status >= 300:
                outcomes[f"status {status}"] += 1
            elif "right now" in said:
                outcomes["busy"] += 1
            else:
                outcomes["refused" if said else "opened"] += 1
