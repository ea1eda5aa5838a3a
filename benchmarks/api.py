"""The HTTP API under load: how long searches take, how many a second, and whether the page answers.

    apt-get install wrk && pip install -r benchmarks/requirements.txt
    python benchmarks/api.py --index cache/fashion [--photographs] [--clients 1 8 32] [--json]

Starts a server of its own and has wrk send pictures of the catalogue (or everyday photographs) for
so many seconds by so many clients at once; server, wrk and the visitor of the page share the
machine. In each round the bare network runs the same pictures in this process, once one by one as a
query is computed, once in full batches on all cores as a build is: nothing is decoded, searched or
sent there. While the clients ask, a visitor of the page gives it pictures.
"""

from __future__ import annotations

import asyncio
import io
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from at_hand import catalogue_pictures, photograph_pictures
from at_hand import index as index_at
from common import finish, parsed, parser_of, say, table
from PIL import Image
from serving import serve
from visitor import new_picture, visiting

from fitting_room.facade import FittingRoom
from fitting_room.imaging.preprocess import prepare

PICTURES = 64
SCRIPT = Path(__file__).with_suffix(".lua")


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photographs", action="store_true")
    options = parsed(parser, clients=[1, 4], seconds=2, rounds=1)
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed. Debian: apt-get install wrk")
    source = photograph_pictures("train", PICTURES) if options.photographs else None
    pictures = [data for _, data in source or catalogue_pictures(PICTURES)]
    index = index_at(options.index)
    bare = _Bare(FittingRoom.open(index), pictures)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder, serve(index) as (port, _):
        paths = [Path(folder) / f"{number}.jpg" for number in range(len(pictures))]
        for path, data in zip(paths, pictures, strict=True):
            path.write_bytes(data)
        url = f"http://127.0.0.1:{port}/api/v1/search"
        _load(url, paths, 1, 5)  # warm
        for round_number in range(options.rounds):
            singly, batched = bare.singly(3), bare.batched(3)
            for clients in options.clients:
                say(f"round {round_number + 1}: {clients} clients")
                with _Page(port) as page:
                    result = _load(url, paths, clients, options.seconds)
                rows.append(
                    {"clients": clients, **result, "bare singly": singly, "bare batched": batched,
                     "page": page.waits}
                )  # fmt: skip
    return finish({"api": _summary(rows, options.clients)}, options.json)


class _Bare:
    """The network by itself, on the pictures as it gets them."""

    def __init__(self, fitting_room: FittingRoom, pictures: list[bytes]) -> None:
        embedder = fitting_room.embedder
        self._engine, size = embedder.engine, embedder.selection.backbone.input_size
        images = [Image.open(io.BytesIO(data)).convert("RGB") for data in pictures]
        self._pixels = np.stack([prepare(image, size) for image in images])
        self.singly(0.5)
        self.batched(0.5)

    def singly(self, seconds: float) -> float:
        """Pictures a second, one after another with all cores on each."""
        until, count, began = time.perf_counter() + seconds, 0, time.perf_counter()
        while time.perf_counter() < until:
            self._engine(self._pixels[count % PICTURES][None])
            count += 1
        return count / (time.perf_counter() - began)

    def batched(self, seconds: float) -> float:
        """Pictures a second in full batches, as many at once as there are cores."""
        size, began = self._engine.batch_size, time.perf_counter()

        def work(_: int) -> int:
            count = 0
            while time.perf_counter() < began + seconds:
                self._engine(self._pixels[:size])
                count += size
            return count

        with ThreadPoolExecutor(self._engine.streams) as pool:
            count = sum(pool.map(work, range(self._engine.streams)))
        return count / (time.perf_counter() - began)


def _load(url: str, paths: list[Path], clients: int, seconds: int) -> dict[str, float]:
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", str(SCRIPT),
               url, "--", *map(str, paths)]  # fmt: skip
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    requests, microseconds, failed, p50, p95, p99, most = map(float, line.split()[1:])
    return {
        "a second": (requests - failed) / microseconds * 1e6,
        "p50": p50 / 1e3, "p95": p95 / 1e3, "p99": p99 / 1e3, "slowest": most / 1e3,
        "failed": failed,
    }  # fmt: skip


class _Page:
    """A visitor who gives the page a picture every second; how long each answer takes."""

    def __init__(self, port: int) -> None:
        self._port, self._stop, self.waits = port, threading.Event(), []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._visit()))

    def __enter__(self) -> _Page:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _visit(self) -> None:
        chance = random.Random(0)
        async with visiting(self._port, chance) as visitor:
            visitor.more_to_come = 0.2
            await visitor.run()
            while not self._stop.is_set():
                await visitor.upload(new_picture(chance))
                if visitor.took is not None:
                    self.waits.append(visitor.took)
                await asyncio.sleep(1)


def _summary(rows: list[dict[str, object]], clients: list[int]) -> list[dict[str, object]]:
    summary = []
    for count in clients:
        of = [row for row in rows if row["clients"] == count]
        waits = [wait for row in of for wait in row["page"]]

        def median(name: str, of: list[dict[str, object]] = of) -> float:
            return statistics.median(row[name] for row in of)

        ratio = {
            how: statistics.median(row["a second"] / row[f"bare {how}"] for row in of)
            for how in ("singly", "batched")
        }
        summary.append(
            {
                "clients": count,
                "searches a second": f"{median('a second'):.0f}",
                "of the bare network, one by one": f"{ratio['singly']:.2f}",
                "in batches": f"{ratio['batched']:.2f}",
                **{f"{name} ms": f"{median(name):.0f}" for name in ("p50", "p95", "p99")},
                "failed": int(sum(row["failed"] for row in of)),
                "page p50 s": f"{np.percentile(waits, 50):.2f}" if waits else "",
                "page p95 s": f"{np.percentile(waits, 95):.2f}" if waits else "",
            }
        )
    table(summary)
    return summary


if __name__ == "__main__":
    sys.exit(main())
