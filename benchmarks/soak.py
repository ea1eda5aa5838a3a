"""Many visitors at once: how long they wait, and whether the page leaks.

    pip install -r benchmarks/requirements.txt
    python benchmarks/soak.py                                   # 20 visitors, 10 + 10 minutes
    python benchmarks/soak.py --minutes 60 --index cache/fashion --out cache/soak
    python benchmarks/soak.py --idle 200 --index cache/fashion  # sessions that only lie there
    python benchmarks/soak.py --worst --index cache/fashion     # 20 visitors with the worst files
    python benchmarks/soak.py --pause 0 --minutes 2             # as much as the machine can do

Starts a server of its own and drives it over real websockets and HTTP, with the messages that a
browser sends: each visitor gives pictures, moves sliders, narrows, asks for more and
less like a card and for reasons, crops, goes back, browses, looks at the map, saves contact sheets,
loads the pictures that are shown, and now and then leaves, so that another one comes. Between two
things a visitor looks at the page, for ``--pause`` seconds (from and to). Visitors and server share
the machine.

Prints how long each kind of thing took, and the memory of the server and its child processes after
the warm-up and at the end; ``--out`` writes both over time as a csv and a picture. Exits with 1
where p95 is above ``--slowest``, memory above ``--most`` times that after the warm-up, or the page
met an error.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from common import finish, parsed, parser_of, say, table, used
from crowds import idle, worst
from serving import memory, processor_seconds, serve
from visitor import visiting

#: Things done until a visitor leaves, on average.
STAY = 40
#: Seconds between two rows of the series.
EVERY = 10.0


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=20, help="all in all")
    parser.add_argument("--warm-up", type=float, default=10, help="minutes of these, for memory")
    parser.add_argument("--pause", type=float, nargs="+", default=[5, 10], metavar="SECONDS")
    parser.add_argument("--index", type=Path, help="the demo catalogue's, in the cache, without")
    parser.add_argument("--most", type=float, default=1.1, help="the greatest ratio that passes")
    parser.add_argument("--slowest", type=float, default=1.0, help="seconds of p95 that pass")
    parser.add_argument("--idle", type=int, help="so many sessions that do nothing, instead")
    parser.add_argument("--worst", action="store_true", help="visitors with the worst files")
    parser.add_argument("--keep", type=Path, default=Path("cache") / "offenders")
    parser.add_argument("--out", type=Path, help="folder for series.csv, answers.csv and soak.png")
    parser.add_argument("--seed", type=int, default=0)
    options = parsed(parser, visitors=3, minutes=0.5, warm_up=0.25, pause=[0.5, 1], slowest=10.0)
    used["index"] = "the demo's" if options.index is None else options.index.name
    mode = idle if options.idle else worst if options.worst else soak
    with serve(options.index) as (port, process):
        return asyncio.run(mode(port, process, options))


@dataclass(slots=True)
class Record:
    """What was measured: answers as (second, kind, seconds taken), and memory over time."""

    began: float = field(default_factory=time.monotonic)
    answers: list[tuple[float, str, float]] = field(default_factory=list)
    series: list[dict[str, float]] = field(default_factory=list)

    def answered(self, kind: str, took: float) -> None:
        self.answers.append((time.monotonic() - self.began, kind, took))

    def look(self, process: int) -> None:
        """Add a row to the series, of now and of the answers since the row before."""
        now = time.monotonic() - self.began
        since = self.series[-1]["second"] if self.series else 0.0
        took = [t for second, _, t in reversed(self.answers) if second >= since] or [0.0]
        megabytes, processes = memory(process)
        p50, p95 = np.percentile(took, [50, 95])
        self.series.append(
            {"second": now, "megabytes": megabytes, "processes": processes,
             "answers": len(self.answers), "p50": p50, "p95": p95, "slowest": max(took)}
        )  # fmt: skip

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "series.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self.series[0]))
            writer.writeheader()
            writer.writerows({k: f"{v:.3f}" for k, v in row.items()} for row in self.series)
        with (folder / "answers.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["second", "kind", "seconds"])
            rows.writerows((f"{at:.1f}", kind, f"{took:.3f}") for at, kind, took in self.answers)


async def soak(port: int, process: int, options: argparse.Namespace) -> int:
    async with visiting(port, random.Random(options.seed)) as first:
        await first.run()  # the index is opened, or built, before anything is measured
    record, stop = Record(), asyncio.Event()
    computed = processor_seconds(process)
    tasks = [
        asyncio.create_task(visitors(port, random.Random(options.seed + n), options, record, stop))
        for n in range(options.visitors)
    ]
    warm_up, end = min(options.warm_up, options.minutes / 2) * 60, options.minutes * 60
    warm = 0.0
    while (now := time.monotonic() - record.began) < end:
        await asyncio.sleep(min(EVERY, end - now))
        record.look(process)
        if not warm and record.series[-1]["second"] >= warm_up:
            warm = _lately(record)
        if len(record.series) % 6 == 0:
            row = record.series[-1]
            say(
                f"  {row['second']:5.0f} s: {row['megabytes']:.0f} MB, "
                f"{row['answers']} answers, p95 {row['p95']:.2f} s"
            )
    computed = processor_seconds(process) - computed
    stop.set()
    errors = [e for e in await asyncio.gather(*tasks, return_exceptions=True) if e is not None]
    each = computed / max(1, len(record.answers))
    say(f"the server computes {each:.2f} s for an answer, {computed / end:.2f} cores at a time")
    return report(record, options, warm, errors)


def _lately(record: Record) -> float:
    """Megabytes, the median of the last minute: a picture that is decoded comes and goes."""
    rows = record.series[-int(60 / EVERY) :]
    return float(np.median([row["megabytes"] for row in rows]))


def report(
    record: Record, options: argparse.Namespace, warm: float, errors: list[BaseException]
) -> int:
    kinds: dict[str, list[float]] = {}
    for _, kind, took in record.answers:
        kinds.setdefault(kind, []).append(took)
    everything = [took for _, _, took in record.answers]
    rows = [_row(kind, kinds[kind]) for kind in sorted(kinds)] + [_row("all", everything)]
    table(rows)
    at_the_end, p95 = _lately(record), float(np.percentile(everything, 95))
    most = max(row["megabytes"] for row in record.series)
    say(
        f"{options.visitors} visitors, {options.pause} s between two things of each, "
        f"{len(everything) / options.minutes:.0f} answers a minute, p95 {p95:.2f} s\n"
        f"memory after the warm-up {warm:.0f} MB, at the end {at_the_end:.0f} MB, "
        f"ratio {at_the_end / warm:.3f}, {most:.0f} MB at most"
    )
    for error in errors[:5]:
        say(f"a visitor met an error: {error!r}")
    if options.out:
        from plots import draw_soak

        record.write(options.out)
        draw_soak(record.series, options.out / "soak.png")
    measured = {"megabytes": warm, "at the end": at_the_end, "at most": most, "p95": p95}
    finish({"answers": rows, "together": measured, "errors": len(errors)}, options.json)
    return 1 if errors or at_the_end / warm > options.most or p95 > options.slowest else 0


def _row(kind: str, took: list[float]) -> dict[str, object]:
    p50, p95, p99 = np.percentile(took, [50, 95, 99])
    return {
        "what": kind, "times": len(took), "p50 s": f"{p50:.2f}", "p95 s": f"{p95:.2f}",
        "p99 s": f"{p99:.2f}", "slowest s": f"{max(took):.2f}",
    }  # fmt: skip


async def visitors(
    port: int,
    chance: random.Random,
    options: argparse.Namespace,
    record: Record,
    stop: asyncio.Event,
) -> None:
    """One visitor after the other, until ``stop``. The first ones do not come all at once."""
    pause = (options.pause[0], options.pause[-1])
    await asyncio.sleep(chance.uniform(0, pause[1]))
    while not stop.is_set():
        async with visiting(port, chance) as visitor:
            await visitor.run()
            record.answered("page opened", visitor.took or 0.0)
            for _ in range(chance.randrange(STAY // 2, 2 * STAY)):
                await asyncio.sleep(chance.uniform(*pause))
                if stop.is_set():
                    return
                if (done := await visitor.do_something()) is not None:
                    record.answered(*done)


if __name__ == "__main__":
    sys.exit(main())
