"""What a variety costs, and what it gives and takes. Items of an index are the queries, each as if
it were new: how alike their matches are to each other as they look, how similar to the query, and
how many are of its kind; and the milliseconds of a search, of good matches alone and sorted, too.

    python benchmarks/variety.py --index cache/fashion [--column articleType] [--queries 200]
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import numpy as np
from at_hand import index as index_at
from common import finish, parsed, parser_of, table

from fitting_room.facade import FittingRoom
from fitting_room.search.selection import LOOKS

DIVERSITIES = (0.0, 0.2, 0.5)
FIGURES = (
    "alike to each other", "similar to the query", "of its kind, of 4", "of 12",
    "other than the nearest, of 12",
)  # fmt: skip
#: Queries that are timed, and how often each: the quickest counts, whatever else a machine does.
TIMED, ROUNDS = 20, 7


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--column", default="articleType")
    parser.add_argument("--queries", type=int, default=200)
    arguments = parsed(parser, queries=20)
    fitting_room = FittingRoom.open(index_at(arguments.index))
    index = fitting_room.index
    generator = np.random.default_rng(7)
    rows = generator.choice(len(index), min(arguments.queries, len(index)), replace=False)
    kinds = index.items[arguments.column].astype(str).to_numpy()
    lines = []
    for diversity in DIVERSITIES:
        figures = np.mean(
            [_figures(fitting_room, row, kinds, diversity) for row in rows.tolist()], axis=0
        )
        lines.append({"diversity": diversity, **dict(zip(FIGURES, figures.tolist(), strict=True))})
    table(lines)
    times = [_times(fitting_room, rows[:TIMED], n) for n in (12, 60)]
    table(times)
    return finish({"variety": lines, "milliseconds": times}, arguments.json)


def _figures(
    fitting_room: FittingRoom, row: int, kinds: np.ndarray, diversity: float
) -> list[float]:
    found = _search(fitting_room, row, 12, diversity=diversity)
    nearest = {match.row for match in _search(fitting_room, row, 12)}
    places = np.array([match.row for match in found])
    right = kinds[places] == kinds[row]
    return [
        float(fitting_room.index.similarities_among(places, options=LOOKS).mean()),
        float(np.mean([match.similarity for match in found])),
        float(right[:4].mean()),
        float(right.mean()),
        len(set(places.tolist()) - nearest),
    ]


def _times(fitting_room: FittingRoom, rows: np.ndarray, n: int) -> dict[str, float]:
    """Milliseconds of a folded search for ``n`` matches, by what is asked for."""
    ways: dict[str, dict[str, Any]] = {
        "the nearest": {},
        "a variety": {"diversity": 0.2},
        "good ones": {"only_good": True},
    }
    if fitting_room.numeric:
        ways["sorted"] = {"sort_by": next(iter(fitting_room.numeric))}
    quickest: dict[str, list[float]] = {name: [] for name in ways}
    for row in rows.tolist():
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, how in ways.items():  # in turn, so that a slow moment slows all of them down
                started = time.perf_counter()
                _search(fitting_room, row, n, **how)
                seconds[name].append(time.perf_counter() - started)
        for name, times in seconds.items():
            quickest[name].append(min(times))
    medians = {name: 1000 * statistics.median(times) for name, times in quickest.items()}
    return {"matches": n, **medians}


def _search(fitting_room: FittingRoom, row: int, n: int, **how: Any) -> list[Any]:
    query = fitting_room.index.features(np.array([row]))[0]
    item = str(fitting_room.index.items["id"].iloc[row])
    return fitting_room.search(query, n, without=[item], fold=True, **how)


if __name__ == "__main__":
    sys.exit(main())
