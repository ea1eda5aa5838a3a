"""What the benchmarks share: turns, medians, tables, and what machine they ran on."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
DATA = PROJECT.parent / "shared" / "data"
CATALOGUE = DATA / "fashion-product-images-small"
STREET = DATA / "clothing-dataset-small" / "images.zip"


def in_turn(
    contestants: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: bool = True
) -> dict[str, list[float]]:
    """Seconds of each contestant, round by round, one after the other in each, so that a machine
    that slows down slows all of them down."""
    if warm_up:
        for run in contestants.values():
            run()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many times as fast ours was: the median of the rounds' ratios."""
    return statistics.median(b / a for a, b in zip(ours, theirs, strict=True))


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    model = platform.processor() or platform.machine()
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        names = [line for line in cpu.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": model, "cores": cores, "python": platform.python_version()}


def say(text: str = "") -> None:
    """Progress and tables go to stderr, so that ``--json`` has stdout for itself."""
    print(text, file=sys.stderr, flush=True)


def table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows with the same columns."""
    if not rows:
        return
    columns = list(rows[0])
    cells = [columns, *[[_cell(row.get(column)) for column in columns] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for row in cells:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    say()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 1 else f"{value:,.2f}"
    return "" if value is None else str(value)


def finish(result: Mapping[str, object], as_json: bool) -> int:
    """Print the whole result where it was asked for."""
    if as_json:
        print(json.dumps({"machine": machine(), **result}, indent=1))
    return 0
