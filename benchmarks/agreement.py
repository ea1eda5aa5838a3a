"""Whether an index in a database answers as the same one in a folder does: what share of the local
answers it finds, in which order, and how long a search takes beside the local one.

    python benchmarks/agreement.py [ADDRESS] [--index cache/fashion] [--questions 500] [--json]

ADDRESS is that of an index in a database, such as milvus://localhost:19530/trial; the local index
is copied there first, unless --there says that it was. The questions are pictures of the index
itself, drawn at random, with each weight of colour, without and with filters, as the page asks.
"""

from __future__ import annotations

import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import numpy as np
from at_hand import database as database_at
from at_hand import index as index_at
from common import PROJECT, finish, parsed, parser_of, say, table

from fitting_room.build.publishing import publish
from fitting_room.databases.index import DatabaseIndex
from fitting_room.index.index import Index
from fitting_room.index.scoring import Hits, SimilarityOptions

RESULTS, COLOURS = 12, (0.0, 0.12, 0.5, 0.95)
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "Women": {"gender": "Women"},
    "Dresses, Skirts, Jeans": {"articleType": ["Dresses", "Skirts", "Jeans"]},
    "Girls, Red or Pink": {"gender": "Girls", "baseColour": ["Red", "Pink"]},
}


def timed(search: Callable[..., list[Hits]], *question: Any) -> tuple[Hits, float]:
    query, where, options = question
    started = time.perf_counter()
    (hits,) = search([query], RESULTS, where, options=options)
    return hits, time.perf_counter() - started


def compare(local: Index, there: Index, questions: int) -> list[dict[str, Any]]:
    """A line for each filter and weight of colour."""
    rows = np.sort(np.random.default_rng(1).choice(len(local), questions, replace=False))
    features, lines = local.features(rows), []
    for name, where in FILTERS.items():
        for colour in COLOURS:
            options = SimilarityOptions(colour=colour)
            found, same, alike, here, away = [], [], [], [], []
            for query in features:
                wanted, seconds = timed(local.search, query, where, options)
                here.append(seconds)
                hits, seconds = timed(there.search, query, where, options)
                away.append(seconds)
                found.append(np.isin(wanted.rows, hits.rows).mean() if len(wanted) else 1.0)
                same.append(wanted.rows.tolist() == hits.rows.tolist())
                # Where the same items were found, in the same order and with the same similarities?
                if set(wanted.rows.tolist()) == set(hits.rows.tolist()):
                    alike.append(
                        same[-1] and np.array_equal(wanted.similarities, hits.similarities)
                    )
            lines.append(
                {
                    "filter": name, "colour": colour, "recall": float(np.mean(found)),
                    "least recall": float(min(found)), "same answer": float(np.mean(same)),
                    "of the same items same order and sums": float(np.mean(alike)),
                    "ms": 1000 * statistics.median(away),
                    "local ms": 1000 * statistics.median(here),
                }
            )  # fmt: skip
            say(str(lines[-1]))
    return lines


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("address", nargs="?", help="a PostgreSQL is started where none is named")
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--there", action="store_true", help="the index is in the database already")
    arguments = parsed(parser, questions=5)
    sys.path.append(str(PROJECT))  # the server comes from the tests
    local = Index.open(index_at(arguments.index))
    with database_at(arguments.address) as address:
        return measured(local, address, arguments)


def measured(local: Index, address: str, arguments: Namespace) -> int:
    started = time.perf_counter()
    if not arguments.there:
        publish(local, address)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    there = DatabaseIndex.open_at(address)
    opened = time.perf_counter() - started
    say(f"{len(there):,} rows; written in {seconds:.1f} s, opened in {opened:.2f} s")
    lines = compare(local, there, arguments.questions)
    table(lines)
    said = {"rows": len(there), "written s": seconds, "opened s": opened, "questions": lines}
    return finish(said, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
