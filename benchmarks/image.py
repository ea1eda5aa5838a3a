"""How long an image takes from nothing to the first answer, and what it weighs unpacked.

    pip install -r benchmarks/requirements.txt
    python benchmarks/image.py -- docker run --rm -p 8501:8501 --read-only --tmpfs /tmp \\
        --cap-drop ALL --security-opt no-new-privileges fitting-room

The command starts a container, which is stopped by SIGTERM. Timed are: until its health check
answers, until a visitor who follows a link to a sample picture has the ranked gallery, over a real
websocket, and until it has stopped. A traceback in its log is an error.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

from common import finish, parsed, parser_of, say, table, used
from visitor import visiting

ANSWER = "picture=sample-red-dress"
PATIENCE = 120.0


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("command", nargs="+", help="what starts the container")
    options = parsed(parser, rounds=1)
    used["picture"] = "a sample, by its link"
    rounds = [_round(options.command, options.port) for _ in range(options.rounds)]
    say("a fresh container, seconds: the median of all rounds, and the slowest")
    rows = []
    for name in rounds[0]:
        seconds = [one[name] for one in rounds]
        rows.append({"until": name, "s": statistics.median(seconds), "slowest": max(seconds)})
    table(rows)
    return finish({"container": rows}, options.json)


def _round(command: list[str], port: int) -> dict[str, float]:
    started = time.perf_counter()
    container = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    result = {}
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        result["it is healthy"] = time.perf_counter() - started
        asyncio.run(_first_answer(port))
        result["the first answer"] = time.perf_counter() - started
    finally:
        stopped = time.perf_counter()
        container.terminate()
        log, _ = container.communicate(timeout=PATIENCE)
    result["it has stopped"] = time.perf_counter() - stopped
    if b"Traceback" in log:
        raise SystemExit(log.decode(errors="replace"))
    return result


def _wait_for(url: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(url, timeout=PATIENCE):
                return
        except (URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


async def _first_answer(port: int) -> None:
    async with visiting(port, random.Random(0)) as visitor:
        visitor.query = ANSWER
        visitor.more_to_come = 0.0
        await visitor.run()
        if not visitor.cards or visitor.errors:
            raise SystemExit(f"no answer: {visitor.errors}")


if __name__ == "__main__":
    sys.exit(main())
