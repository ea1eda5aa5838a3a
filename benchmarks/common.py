"""What the benchmarks share: options, turns, medians, tables, and what machine they ran on.

What they run on is in :mod:`at_hand`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
#: Where real data lie; what stands for them elsewhere is in :mod:`at_hand`.
DATA = PROJECT.parent / "shared" / "data"
CATALOGUE = DATA / "fashion-product-images-small"
STREET = DATA / "clothing-dataset-small" / "images.zip"
#: Libraries whose versions stand beside the figures.
LIBRARIES = (
    "numpy", "pillow", "openvino", "torch", "faiss-cpu", "streamlit", "nncf", "hnswlib", "usearch",
    "lancedb", "scann", "scalable-vs", "turbovec", "scikit-learn", "imagededup",
    "img2vec-pytorch", "playwright",
)  # fmt: skip
#: What a run used, in words, by what it is: written there by those who give it out.
used: dict[str, str] = {}


def measured_checkout() -> Path:
    """The checkout of this project that is measured: this one, or where ``benchmarks.run`` was
    told so, an earlier one with the scripts of this."""
    return Path(os.environ.get("BENCHMARKED_CHECKOUT", PROJECT))


def parser_of(doc: str | None, *, index: bool = False) -> argparse.ArgumentParser:
    """A script's options: ``--json``, ``--quick``, and ``--index`` where it needs one."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="the whole result on stdout")
    parser.add_argument("--quick", action="store_true", help="as small as shows that it runs")
    if index:
        parser.add_argument("--index", type=Path, help="cache/fashion, or else the demo's")
    return parser


def parsed(parser: argparse.ArgumentParser, **quick: Any) -> argparse.Namespace:
    """The options, with ``--quick`` these instead of the usual ones; what is given stays."""
    if "--quick" in sys.argv[1:]:
        parser.set_defaults(**quick)
        used["size"] = "as small as shows that it runs (--quick)"
    return parser.parse_args()


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
    model, flags = platform.processor() or platform.machine(), ""
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        lines = dict(
            (part.strip() for part in line.split(":", 1))
            for line in cpu.read_text().split("\n\n")[0].splitlines()
            if ":" in line
        )
        model, flags = lines.get("model name", model), lines.get("flags", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    known = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
    return {
        "processor": model,
        "instructions": [flag for flag in known if flag in flags.split()],
        "cores": cores,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "commit": _commit(),
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    git = ["git", "-C", str(measured_checkout())]
    command = [*git, "describe", "--always", "--dirty", "--abbrev=7"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return None


def say(text: str = "") -> None:
    """Progress and tables go to stderr, so that ``--json`` has stdout for itself."""
    print(text, file=sys.stderr, flush=True)


def table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows with the same columns."""
    if not rows:
        return
    columns = list(rows[0])
    cells = [columns, *[[cell(row.get(column)) for column in columns] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for row in cells:
        say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    say()


def cell(value: object) -> str:
    """A figure as people read it."""
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 1 else f"{value:,.2f}"
    return "" if value is None else str(value)


def finish(result: Mapping[str, object], as_json: bool) -> int:
    """Say what was used, and print the whole result where it was asked for."""
    for what, label in used.items():
        say(f"{what}: {label}")
    if as_json:
        print(json.dumps({"machine": machine(), "data": used, **result}, indent=1))
    return 0
