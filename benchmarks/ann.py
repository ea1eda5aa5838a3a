"""How fast the ten nearest are found beside other libraries, at the recall of each, on a public set
and on vectors of the catalogue's kind; one query at a time, by one thread.

    pip install -r benchmarks/requirements.txt
    sudo apt-get install dataset-fashion-mnist
    python benchmarks/ann.py --index cache/fashion --kept cache/ann --picture docs/ann.png [--json]

The sets are Fashion-MNIST as ann-benchmarks has it (60,000 rows of 784 numbers) and ``--items``
vectors of 128 numbers between those of an index's items, with a little noise. On Fashion-MNIST the
others also run by the Euclidean distance, which is ann-benchmarks' metric; the project's index
compares by the cosine. Each metric has exact results of its own. What is not installed is left out
and named. Methods run with several settings; the table has the quickest of each that reaches a
recall, the picture all that no other setting of the method beats. Indexes are kept in ``--kept``,
so that a second run only searches.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from ann_data import COSINE, RESULTS, Problem, catalogue, fashion_mnist, real_vectors
from ann_libraries import BY_COSINE_ALONE, CONTESTANTS, OURS_NAME, PACKAGES, timed_build
from ann_ours import Contestant
from common import finish, parsed, parser_of, say, table
from plots import draw_recall

#: What libraries read, once and when they are loaded, to know how many threads to take.
ONE_THREAD = {
    f"{library}_THREADS": "1"
    for library in ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "RAYON_NUM", "LANCE_CPU")
}
#: Recalls at which the methods are compared.
LEVELS = (0.95, 0.99, 0.995, 0.999)
#: What compares everything needs fewer queries, and what is slower than this (ms) too.
SLOW, FEW_QUERIES = 2.0, 20


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--items", type=int, nargs="*", default=[1_000_000], help="0 for none")
    parser.add_argument("--public", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="all", help="names, by commas; all; none")
    parser.add_argument("--kept", type=Path, help="a folder for the built indexes")
    parser.add_argument("--build-threads", type=int, default=2)
    parser.add_argument("--picture", type=Path, help="where to draw recall against time")
    options = parsed(parser, items=[3_000], public=False, queries=20, rounds=1, peers="faiss flat")
    if not os.environ.items() >= ONE_THREAD.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    with tempfile.TemporaryDirectory() as folder:
        kept = options.kept or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        versions = installed()
        say("one thread; " + ", ".join(f"{name} {number}" for name, number in versions.items()))
        results = [race(task, kept, options) for task in problems(kept, options)]
    if options.picture is not None:
        draw_recall(results, options.picture)
    return finish({"ann": results, "versions": versions}, options.json)


def installed() -> dict[str, str]:
    """The versions of the libraries that are there."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "is not installed"
    return found


def problems(kept: Path, options: argparse.Namespace) -> list[Problem]:
    tasks = fashion_mnist(options.queries) if options.public else []
    counts = [count for count in options.items if count]
    if counts:
        real, name = real_vectors(options.index)
        tasks += [catalogue(real, count, options.queries, name) for count in counts]
    return tasks


def race(task: Problem, kept: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All methods on one set, in turn in each round."""
    say(f"{task.name}: {len(task.rows):,} x {task.rows.shape[1]}, {task.metric}")
    folder = kept / "-".join(["".join(filter(str.isalnum, task.name)), *map(str, task.rows.shape)])
    contestants, seconds = take_part(task, folder / task.metric, options)
    ways = [(name, s, f) for name, c in contestants.items() for s, f in c.searches.items()]
    times, hits = in_turn(ways, task.queries, options.rounds)
    rows = []
    for (name, setting, _), taken, answer in zip(ways, times, hits, strict=True):
        asked = Problem(
            task.name,
            task.rows,
            task.queries[: len(answer)],
            task.metric,
            task.tenth[: len(answer)],
        )
        rows.append(
            {
                "method": name,
                "setting": setting,
                "median ms": statistics.median(taken) * 1e3,
                "recall@10": asked.recall(answer),
            }
        )
    table(rows)
    levels = at_levels(rows)
    for row in levels:
        name = row["method"]
        row["build s"] = seconds[name]
        row["bytes / raw"] = contestants[name].bytes / task.rows.nbytes
    say(f"{task.name}, {task.metric}: median ms of the quickest setting that finds as much")
    table(levels)
    shape = {"items": len(task.rows), "dimension": task.rows.shape[1], "metric": task.metric}
    return {"set": task.name, **shape, "ways": rows, "levels": levels}


def take_part(
    task: Problem, folder: Path, options: argparse.Namespace
) -> tuple[dict[str, Contestant], dict[str, float]]:
    """The contestants by name, and the seconds that each took to build, which are kept with it."""
    wanted = options.peers.split(",")
    contestants, seconds = {}, {}
    for name, build in CONTESTANTS.items():
        ours = name.startswith("ours")
        if task.metric != COSINE and name in BY_COSINE_ALONE:
            continue
        if not ours and options.peers != "all" and name not in wanted:
            continue
        notes = folder / "seconds.json"
        known = json.loads(notes.read_text()) if notes.exists() else {}
        if name not in known:
            say(f"building {name}")
        try:
            contestants[name], taken = timed_build(build, task, folder, options.build_threads)
        except Exception as error:  # whatever stops a library's way
            say(f"{name} is left out: {type(error).__name__}: {str(error)[:200]}")
            continue
        seconds[name] = known.setdefault(name, taken)
        notes.write_text(json.dumps(known))
    return contestants, seconds


def in_turn(
    ways: Sequence[tuple[str, str, Any]], queries: np.ndarray, rounds: int
) -> tuple[list[list[float]], list[np.ndarray]]:
    """Seconds and answers of each way; those that are slow answer a few queries only."""
    counts = []
    for _, _, search in ways:
        started = time.perf_counter()
        for query in queries[:5]:
            search(query)
        slow = (time.perf_counter() - started) / 5 > SLOW / 1e3
        counts.append(min(FEW_QUERIES, len(queries)) if slow else len(queries))
    times: list[list[float]] = [[] for _ in ways]
    answers: list[np.ndarray] = [np.empty(0)] * len(ways)
    for _ in range(rounds):
        for number, (_, _, search) in enumerate(ways):
            hits = np.full((counts[number], RESULTS), -1, np.int64)
            for place, query in enumerate(queries[: counts[number]]):
                started = time.perf_counter()
                rows = search(query)
                times[number].append(time.perf_counter() - started)
                hits[place, : len(rows)] = rows
            answers[number] = hits
    return times, answers


def at_levels(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each method the quickest median at each of :data:`LEVELS`, the most it found, and how
    many times as long ours takes at 0.99."""
    levels = []
    for name in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == name]
        level: dict[str, Any] = {"method": name}
        for least in LEVELS:
            fit = [row["median ms"] for row in own if row["recall@10"] >= least]
            level[f">= {least}"] = min(fit, default=None)
        level["best recall"] = max(row["recall@10"] for row in own)
        levels.append(level)
    ours = next((level[">= 0.99"] for level in levels if level["method"] == OURS_NAME), None)
    for level in levels:
        theirs = level[">= 0.99"]
        level["ours takes, times"] = ours / theirs if ours and theirs else None
    return levels


if __name__ == "__main__":
    sys.exit(main())
