"""How fast the project's own index finds the most similar items: storages, filters, growth.

    python benchmarks/search.py [--items 42000 1000000] [--index cache/fashion] [--json]

Vectors lie between the items of an index, reduced to 128 numbers by PCA, with a little noise (the
demo's index is built where none is named); queries are of the same kind and not among them. It
prints the median time of one query and recall@10 against exact search, for each storage, and with
filters that leave one item in two to one in a thousand, at random or of one kind; with ``--growth``
how time and memory grow from one to four million, with the line through them and what it says of
ten. Beside other libraries: ``ann.py``.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from ann_data import COSINE, DIMENSION, RESULTS, Problem, made, problem, real_vectors
from ann_ours import AnnIndex, AnnSearchParams, Search, candidates_search, ours_exact
from common import finish, parsed, parser_of, say, table

from fitting_room.imaging.features import normalise
from fitting_room.index.ann import FEW_ITEMS
from fitting_room.index.scoring import top_k_candidates
from fitting_room.index.vectors import STORAGES, Rows, stored

PARAMS = AnnSearchParams()
#: What filters leave: a share of the items, at random or those most like one of them.
FILTERS = ((0.5, ""), (0.1, ""), (0.06, ""), (0.01, ""), (0.001, ""), (0.5, "kind"), (0.2, "kind"))
#: Queries of the figures that are compared with everything in Python.
FEW_QUERIES = 50


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--items", type=int, nargs="+", default=[42_000, 1_000_000])
    parser.add_argument("--queries", "--questions", type=int, default=200)
    parser.add_argument("--growth", type=int, nargs="*", metavar="ITEMS", help="sizes to fit")
    options = parsed(parser, items=[20_000], queries=20)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        real, name = real_vectors(options.index)
        say(name)
        results = [own(real, count, work, options.queries) for count in options.items]
        growth = None
        if options.growth is not None:
            sizes = options.growth or [1_000_000, 2_000_000, 4_000_000]
            growth = grow(real, sizes, work, options.queries)
    return finish({"vectors": name, "own": results, "growth": growth}, options.json)


def own(real: np.ndarray, count: int, work: Path, queries: int) -> dict[str, Any]:
    """Storages and filters at one size."""
    rows = real[:count] if count <= len(real) else made(real, count, 1)
    task = problem("", rows, made(real, queries, 2), COSINE)
    path = work / f"ann-{count}.faiss"
    ann, seconds = built(path, task.rows)
    every = ours_exact(task, work, 1).searches["all"]
    _, exact = timed(every, task.queries[:FEW_QUERIES])
    say(f"{count:,} x {DIMENSION}: built in {seconds:.1f} s; all items compared: {exact:.3f} ms")
    stores = [storage_of(task, kind, ann, path) for kind in STORAGES]
    table(stores)
    filters = [filtered(task, ann, part, kind) for part, kind in FILTERS]
    say(f"{count:,} x {DIMENSION}: filters")
    table(filters)
    result = {"items": count, "build s": seconds, "exact ms": exact}
    return {**result, "storages": stores, "filters": filters}


def built(path: Path, rows: np.ndarray) -> tuple[AnnIndex, float]:
    """The inverted file of some rows, and the seconds that it took."""
    started = time.perf_counter()
    AnnIndex.write(path, rows.__getitem__, *rows.shape)
    return AnnIndex.open(path, *rows.shape), time.perf_counter() - started


def storage_of(task: Problem, storage: str, ann: AnnIndex, path: Path) -> dict[str, Any]:
    values, scales = stored(task.rows, storage)
    rows = Rows(values, scales)
    hits, median = timed(candidates_search(ann, rows, PARAMS), task.queries)
    held = values.nbytes + (0 if scales is None else scales.nbytes)
    # All compared, in this storage: what the storage loses, not the candidates.
    whole = exact_rows(normalise(rows[:]), task.queries)
    return {
        "storage": storage,
        "bytes / raw": held / task.rows.nbytes,
        "with candidates": (held + path.stat().st_size) / task.rows.nbytes,
        "recall@10, exact": task.recall(whole),
        "recall@10": task.recall(hits),
        "median ms": median,
    }


def filtered(task: Problem, ann: AnnIndex, part: float, kind: str) -> dict[str, Any]:
    """Items left at random say little of a real filter, which leaves one kind of them, far from
    many queries."""
    generator = np.random.default_rng(3)
    if kind:
        closeness = task.rows @ task.rows[generator.integers(len(task.rows))]
        mask = closeness >= np.quantile(closeness, 1 - part)
    else:
        mask = generator.random(len(task.rows)) < part
    allowed = np.flatnonzero(mask)
    few = len(allowed) <= FEW_ITEMS  # then they are all compared
    search = candidates_search(ann, task.rows, PARAMS)

    def answer(query: np.ndarray) -> np.ndarray:
        if not few:
            return np.asarray(search(query, mask))
        scores = task.rows[allowed] @ query
        return np.asarray(allowed[top_k_candidates(scores, RESULTS)][:RESULTS])

    queries = task.queries[:FEW_QUERIES]
    hits, median = timed(answer, queries)
    inside = problem("", task.rows[allowed], queries, COSINE)
    places = np.searchsorted(allowed, hits)
    return {
        "items left": part,
        "which": "of one kind" if kind else "at random",
        "method": "all of them" if few else "candidates",
        "recall@10": inside.recall(places),
        "median ms": median,
    }


def exact_rows(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    hits = [np.argpartition(-(vectors @ query), RESULTS)[:RESULTS] for query in queries]
    return np.stack(hits)


def timed(search: Search, queries: np.ndarray) -> tuple[np.ndarray, float]:
    """The answers, and the median milliseconds of one."""
    for query in queries[:5]:
        search(query)
    seconds, hits = [], []
    for query in queries:
        started = time.perf_counter()
        rows = search(query)
        seconds.append(time.perf_counter() - started)
        hits.append(np.resize(rows, RESULTS))
    return np.stack(hits), statistics.median(seconds) * 1e3


def grow(real: np.ndarray, sizes: list[int], work: Path, queries: int) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    asked = made(real, queries, 2)
    for count in sizes:
        vectors, path = made(real, count, 1, work), work / f"ann-{count}.faiss"
        ann, seconds = built(path, vectors)
        hits, median = timed(candidates_search(ann, vectors, PARAMS), asked)
        task = problem("", vectors, asked[:FEW_QUERIES], COSINE)
        rows.append(
            {
                "items": count,
                "build s": seconds,
                "median ms": median,
                "recall@10": task.recall(hits[:FEW_QUERIES]),
                "GB": (vectors.nbytes + path.stat().st_size) / 1e9,
            }
        )
        table(rows[-1:])
        del vectors, ann, task
        path.unlink()
    table(rows)
    return {"sizes": rows, "fits": fits(rows) if len(rows) > 1 else {}}


def fits(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The line through the logarithms of each figure."""
    result = {}
    logs = np.log([row["items"] for row in rows])
    for figure in ("build s", "median ms", "GB"):
        power, factor = np.polyfit(logs, np.log([row[figure] for row in rows]), 1)
        at_ten = float(np.exp(factor + power * np.log(10_000_000)))
        result[figure] = {"power of items": float(power), "at 10,000,000": at_ten}
        say(f"{figure}: grows with items ** {power:.2f}; at 10,000,000 items {at_ten:,.3g}")
    return result


if __name__ == "__main__":
    sys.exit(main())
