"""How long the first start takes: from the command to a page that answers, with nothing cached.

    pip install -r benchmarks/requirements.txt
    python benchmarks/first_start.py [--other CHECKOUT] [--rounds 3] [--json]

A fresh server with an empty cache builds the index of the demo catalogue, and a visitor opens the
page over a real websocket as soon as the server listens. ``browse`` is when cards are there to look
at (before the index is built, where the page can do that), ``indexed`` when the index is, ``ready``
when the page with it is, ``cpu`` the server's processor time until then, all in seconds. With
``--other``, another checkout takes turns with this one, so that a busy machine slows down both.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import finish, measured_checkout, parsed, parser_of, say, table, used
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from visitor import Visitor
from websockets.asyncio.client import connect

#: Seconds that a start may take at most, and between two looks.
LONGEST, PAUSE = 300.0, 0.02


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--other", type=Path, help="a checkout to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    options = parsed(parser, rounds=1)
    used["catalogue"] = "the demo"
    checkouts = {"this": measured_checkout()}
    if options.other is not None:
        checkouts["other"] = options.other.resolve()
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    for _ in range(options.rounds):
        for name, checkout in checkouts.items():
            with tempfile.TemporaryDirectory() as cache:
                taken[name].append(asyncio.run(_start(checkout, Path(cache), options.backbone)))
    rows = [
        {
            "checkout": name,
            **{what: statistics.median(r[what] for r in rounds) for what in rounds[0]},
        }
        for name, rounds in taken.items()
    ]
    say(f"the first start with the demo catalogue, seconds, medians of {options.rounds}")
    table(rows)
    return finish({"first start": rows, "rounds": taken}, options.json)


async def _start(checkout: Path, cache: Path, backbone: str) -> dict[str, float]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FITTING_ROOM_")}
    environment |= {
        "FITTING_ROOM_CACHE": str(cache),
        "FITTING_ROOM_BACKBONE": backbone,
        "PYTHONPATH": str(checkout),
    }
    command = [
        sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
        f"--server.port={port}", "--server.address=127.0.0.1",
    ]  # fmt: skip
    started = time.perf_counter()
    server = subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(LONGEST):
            return await _visit(port, cache, server.pid, started)
    finally:
        server.terminate()
        server.wait()


async def _visit(port: int, cache: Path, process: int, started: float) -> dict[str, float]:
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    while True:
        try:
            connection = await connect(address, max_size=None, subprotocols=["streamlit"])
            break
        except OSError:
            await asyncio.sleep(PAUSE)
    times: dict[str, float] = {"listens": time.perf_counter() - started}
    async with connection:
        visitor = _Timed(connection, random.Random(0))
        visit = asyncio.create_task(visitor.run())
        while not visit.done():
            if visitor.cards and "browse" not in times:
                times["browse"] = time.perf_counter() - started
            if any(cache.glob("*/CURRENT")):
                times.setdefault("indexed", time.perf_counter() - started)
            await asyncio.sleep(PAUSE)
        visit.result()
        times["ready"] = visitor.last - started
        times.setdefault("browse", times["ready"])
        times["cpu"] = _cpu(process)
    names = ("listens", "browse", "indexed", "ready", "cpu")
    return {name: times[name] for name in names}


class _Timed(Visitor):
    """A visitor that knows when the last element came."""

    last = 0.0

    def _note(self, message: ForwardMsg) -> None:
        super()._note(message)
        self.last = time.perf_counter()


def _cpu(process: int) -> float:
    """Seconds of the processor that a process has used so far."""
    fields: list[Any] = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
