"""How fast the most similar items are found, beside other libraries, at the recall of each.

    pip install -r benchmarks/requirements.txt
    python benchmarks/search.py [--items 42000 1000000] [--json]

Vectors are those of the real catalogue, EfficientNet-Lite0 reduced to 128 numbers by PCA (or of the
demo); more than there are items are made of them, between similar items and with a little noise.
Queries are vectors of the same kind that are not among them. It prints the median time of one
query, recall@10 against exact search, the time to build and the bytes on disk or in memory for each
byte of raw float32 vectors. Methods that find more the longer they search run with several
settings; for some recalls the quickest setting of each method that reaches them is printed.

Then our own:  storages, filters from one item in two to one in a thousand, and, with
`--growth`, how time and memory grow from one to four million, with the line through them and what
it says of ten.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from at_hand import index as index_at
from common import finish, parsed, parser_of, say, table

from fitting_room.imaging.features import normalise
from fitting_room.index.ann import FEW_ITEMS, AnnIndex, AnnSearchParams
from fitting_room.index.index import Index
from fitting_room.index.scoring import ScoreTerm, best, best_among, nearest, top_k_candidates
from fitting_room.index.vectors import PCA, STORAGES, Rows, stored

DIMENSION, RESULTS, NOISE = 128, 10, 0.15
#: Past this many items libraries that take minutes to build are left out unless --all is given.
SLOW_BUILDERS_UP_TO = 1_000_000


#: Groups that ours searches, and candidates that graphs keep.
PROBES, BREADTHS = (4, 8, 12, 16, 24, 32, 48, 64), (12, 16, 24, 32, 48, 64, 128, 256)
#: Recalls at which the methods are compared.
LEVELS = (0.99, 0.995, 0.998, 0.9995)

Search = Callable[[np.ndarray], np.ndarray]


@dataclass
class Contestant:
    """``searches`` answer one query with rows, one for each named setting. ``bytes``
    are what it holds, raw vectors of ours included."""

    name: str
    searches: dict[str, Search]
    seconds_to_build: float
    bytes: float


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--items", type=int, nargs="+", default=[42_000, 1_000_000])
    parser.add_argument("--queries", "--questions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="all", help="names, by commas; all; none")
    parser.add_argument("--growth", type=int, nargs="*", metavar="ITEMS", help="sizes to fit")
    options = parsed(parser, items=[20_000], queries=20, rounds=1, peers="none")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        real = real_vectors(options.index)
        results = [race(real, count, work, options) for count in options.items]
        own = [storages_and_filters(real, count, work, options) for count in options.items]
        sizes = options.growth
        growth = None
        if sizes is not None:
            growth = grow(real, sizes or [1_000_000, 2_000_000, 4_000_000], work, options)
    return finish({"search": results, "own": own, "growth": growth}, options.json)


def real_vectors(index: Path | None) -> np.ndarray:
    vectors = np.asarray(Index.open(index_at(index)).vectors)
    return PCA.fit(vectors[:20_000], DIMENSION)(vectors)


def made(real: np.ndarray, count: int, seed: int, work: Path | None = None) -> np.ndarray:
    """``count`` vectors between a real one and one similar to it, with a little noise."""
    generator = np.random.default_rng(seed)
    ann = _similar_to(real)
    shape = (count, real.shape[1])
    if work is None:
        rows: np.ndarray = np.empty(shape, np.float32)
    else:
        rows = np.lib.format.open_memmap(work / "made.npy", "w+", np.float32, shape)
    for start in range(0, count, 100_000):
        size = min(100_000, count - start)
        one = generator.integers(len(real), size=size)
        other = ann[one, generator.integers(ann.shape[1], size=size)]
        part = generator.random((size, 1), np.float32)
        block = real[one] * part + real[other] * (1 - part)
        block += generator.standard_normal(block.shape, np.float32) * (NOISE / DIMENSION**0.5)
        rows[start : start + size] = normalise(block)
    return rows


_SIMILAR: dict[int, np.ndarray] = {}


def _similar_to(real: np.ndarray) -> np.ndarray:
    if id(real) not in _SIMILAR:
        blocks = []
        for start in range(0, len(real), 2_048):
            scores = real[start : start + 2_048] @ real.T
            blocks.append(np.argpartition(-scores, 11, axis=1)[:, 1:11])
        _SIMILAR[id(real)] = np.concatenate(blocks)
    return _SIMILAR[id(real)]


def exact_rows(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    hits = []
    for query in queries:
        scores = vectors @ query
        best = np.argpartition(-scores, RESULTS)[:RESULTS]
        hits.append(best[np.argsort(-scores[best])])
    return np.stack(hits)


def recall(
    hits: np.ndarray, expected: np.ndarray, vectors: np.ndarray, queries: np.ndarray
) -> float:
    """The part of the expected rows among the hits. Of equal items any is right."""
    shares = []
    for rows, right, query in zip(hits, expected, queries, strict=True):
        least = (vectors[right] @ query).min() - 1e-6
        shares.append(min(1.0, (vectors[np.unique(rows)] @ query >= least).sum() / len(right)))
    return float(np.mean(shares))


def race(real: np.ndarray, count: int, work: Path, options: Any) -> dict[str, Any]:
    vectors = real[:count] if count <= len(real) else made(real, count, 1)
    queries = made(real, options.queries, 2)
    expected = exact_rows(vectors, queries)
    wanted = options.peers.split(",")
    rows: list[dict[str, Any]] = []
    contestants = []
    for name, build in CONTESTANTS.items():
        if options.peers != "all" and name not in wanted and not name.startswith("ours"):
            continue
        try:
            say(f"{count:,}: building {name}")
            contestants.append(build(name, vectors, work))
        except Exception as error:  # whatever stops a library's way
            say(f"{name} is left out: {type(error).__name__}: {str(error)[:120]}")
    ways = [
        (c, search_params, search)
        for c in contestants
        for search_params, search in c.searches.items()
    ]
    seconds: list[list[float]] = [[] for _ in ways]
    answers: list[np.ndarray] = [np.empty(0)] * len(ways)
    for _, _, search in ways:
        for query in queries[:5]:
            search(query)
    for _ in range(options.rounds):  # in turn
        for number, (_, _, search) in enumerate(ways):
            hits = []
            for query in queries:
                started = time.perf_counter()
                hits.append(np.resize(search(query), RESULTS))
                seconds[number].append(time.perf_counter() - started)
            answers[number] = np.stack(hits)
    raw = vectors.nbytes
    for (contestant, search_params, _), taken, answer in zip(ways, seconds, answers, strict=True):
        rows.append(
            {
                "search": contestant.name,
                "setting": search_params,
                "median ms": statistics.median(taken) * 1e3,
                "recall@10": recall(answer, expected, vectors, queries),
                "build s": contestant.seconds_to_build,
                "bytes / raw": contestant.bytes / raw,
            }
        )
    say(f"{count:,} x {DIMENSION}")
    table(rows)
    level = at_levels(rows)
    say(f"{count:,} x {DIMENSION}: median ms of the quickest that finds as much")
    table(level)
    return {"items": count, "ways": rows, "levels": level}


def at_levels(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each method the quickest median at each of :data:`LEVELS`, and times as long as ours."""
    hits = []
    for name in dict.fromkeys(row["search"] for row in rows):
        best: dict[str, Any] = {"search": name}
        for level in LEVELS:
            fit = [r for r in rows if r["search"] == name and r["recall@10"] >= level]
            best[f">= {level}"] = min((r["median ms"] for r in fit), default=None)
        hits.append(best)
    ours = hits[1]
    for best in hits:
        for level in LEVELS:
            theirs, mine = best[f">= {level}"], ours[f">= {level}"]
            best[f"times ours, >= {level}"] = theirs / mine if theirs and mine else None
    return hits


# --- who takes part ---------------------------------------------------------------------------


def _timed(build: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return build(), time.perf_counter() - started


def ours_exact(name: str, vectors: np.ndarray, work: Path) -> Contestant:
    def search(query: np.ndarray) -> np.ndarray:
        terms = [ScoreTerm("embedding", vectors, query[None])]
        ann = nearest(terms, 0, RESULTS, None, np.zeros((1, len(vectors)), np.float32))
        return best(terms, 0, ann, RESULTS).rows

    return Contestant(name, {"all": search}, 0.0, vectors.nbytes)


def ours_candidates(name: str, vectors: np.ndarray, work: Path) -> Contestant:
    path = work / f"ann-{len(vectors)}.faiss"

    def build() -> AnnIndex:
        AnnIndex.write(path, vectors.__getitem__, *vectors.shape)
        return AnnIndex.open(path, *vectors.shape)

    ann, seconds = _timed(build)
    searches: dict[str, Search] = {"default": _ann_search(ann, vectors)}
    for probes in PROBES:
        search_params = AnnSearchParams(probes=probes)
        searches[f"{probes} groups"] = _ann_search(ann, vectors, search_params)
    return Contestant(name, searches, seconds, vectors.nbytes + path.stat().st_size)


DEFAULT_PARAMS = AnnSearchParams()


def _ann_search(
    ann: AnnIndex, vectors: Any, search_params: AnnSearchParams = DEFAULT_PARAMS
) -> Any:
    def search(query: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        (rows,) = ann.candidates(query[None], RESULTS, search_params, mask)
        return best_among([ScoreTerm("embedding", vectors, query[None])], 0, rows, RESULTS).rows

    return search


def sklearn_nearest(name: str, vectors: np.ndarray, work: Path) -> Contestant:
    from sklearn.neighbors import NearestNeighbors

    peer, seconds = _timed(
        lambda: NearestNeighbors(metric="cosine", algorithm="brute").fit(vectors)
    )
    return Contestant(
        name,
        {"all": lambda q: peer.kneighbors(q[None], RESULTS, return_distance=False)[0]},
        seconds,
        vectors.nbytes,
    )


def seeds_way(name: str, vectors: np.ndarray, work: Path) -> Contestant:
    from sklearn.metrics.pairwise import cosine_similarity

    return Contestant(
        name,
        {"all": lambda q: np.argsort(-cosine_similarity(q[None], vectors)[0])[:RESULTS]},
        0.0,
        vectors.nbytes,
    )


def faiss_flat(name: str, vectors: np.ndarray, work: Path) -> Contestant:
    import faiss

    peer = faiss.IndexFlatIP(vectors.shape[1])
    _, seconds = _timed(lambda: peer.add(vectors))
    search = {"all": lambda q: peer.search(q[None], RESULTS)[1][0]}
    return Contestant(name, search, seconds, vectors.nbytes)


def _size_of(write: Callable[[str], Any], work: Path) -> int:
    path = work / "size"
    write(str(path))
    size = path.stat().st_size
    path.unlink()
    return size


def faiss_hnsw(name: str, vectors: np.ndarray, work: Path) -> Contestant:
    import faiss

    peer = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    peer.hnsw.efConstruction = 100
    _, seconds = _timed(lambda: peer.add(vectors))
    size = _size_of(lambda path: faiss.write_index(peer, path), work)

    def at(breadth: int) -> Search:
        params = faiss.SearchParametersHNSW(efSearch=breadth)
        return lambda q: peer.search(q[None], RESULTS, params=params)[1][0]

    return Contestant(name, {f"ef {b}": at(b) for b in BREADTHS}, seconds, size)


def usearch_hnsw(name: str, vectors: np.ndarray, work: Path) -> Contestant:
    from usearch.index import Index as USearch

    kind = "i8" if name.endswith("i8") else "f16"
    peer = USearch(ndim=vectors.shape[1], metric="ip", dtype=kind, connectivity=16)
    _, seconds = _timed(lambda: peer.add(np.arange(len(vectors)), vectors))

    def at(breadth: int) -> Search:
        def search(query: np.ndarray) -> np.ndarray:
            peer.expansion_search = breadth
            return np.asarray(peer.search(query, RESULTS).keys)

        return search

    searches = {f"ef {b}": at(b) for b in BREADTHS}
    return Contestant(name, searches, seconds, _size_of(peer.save, work))


def hnswlib_(name: str, vectors: np.ndarray, work: Path) -> Contestant:
    import hnswlib

    peer = hnswlib.Index("ip", vectors.shape[1])
    peer.init_index(len(vectors), M=16, ef_construction=100)
    _, seconds = _timed(lambda: peer.add_items(vectors))
    size = _size_of(peer.save_index, work)

    def at(breadth: int) -> Search:
        def search(query: np.ndarray) -> np.ndarray:
            peer.set_ef(breadth)
            return np.asarray(peer.knn_query(query, RESULTS)[0][0])

        return search

    return Contestant(name, {f"ef {b}": at(b) for b in BREADTHS}, seconds, size)


def lance(name: str, vectors: np.ndarray, work: Path) -> Contestant:
    import lancedb
    import pyarrow as pa

    base = lancedb.connect(work / f"lance-{len(vectors)}")

    def build() -> Any:
        flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        made_of = {"row": pa.array(np.arange(len(vectors))), "vector": flat}
        filled = base.create_table("items", pa.table(made_of))
        filled.create_index(metric="dot", index_type="IVF_PQ", num_sub_vectors=32)
        return filled

    peer, seconds = _timed(build)
    folder = work / f"lance-{len(vectors)}"
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    def at(probes: int) -> Search:
        def search(query: np.ndarray) -> np.ndarray:
            params = peer.search(query).distance_type("dot").nprobes(probes).refine_factor(20)
            return np.array(params.select(["row", "_distance"]).limit(RESULTS).to_arrow()["row"])

        return search

    return Contestant(name, {f"{p} groups": at(p) for p in (8, 32, 128)}, seconds, size)


CONTESTANTS: dict[str, Callable[[str, np.ndarray, Path], Contestant]] = {
    "ours, exact": ours_exact,
    "ours, candidates": ours_candidates,
    "seed's way (cosine_similarity)": seeds_way,
    "sklearn": sklearn_nearest,
    "faiss flat": faiss_flat,
    "faiss hnsw": faiss_hnsw,
    "usearch f16": usearch_hnsw,
    "usearch i8": usearch_hnsw,
    "hnswlib": hnswlib_,
    "lancedb": lance,
}


# --- what is our own --------------------------------------------------------------------------


def storages_and_filters(real: np.ndarray, count: int, work: Path, options: Any) -> dict[str, Any]:
    vectors = real[:count] if count <= len(real) else made(real, count, 1)
    queries = made(real, options.queries, 2)
    expected = exact_rows(vectors, queries)
    path = work / f"ann-{len(vectors)}.faiss"
    ann = AnnIndex.open(path, *vectors.shape)
    stores = []
    for storage in STORAGES:
        values, scales = stored(vectors, storage)
        rows = Rows(values, scales)
        search = _ann_search(ann, rows)
        hits, median = _timed_queries(search, queries)
        held = values.nbytes + (0 if scales is None else scales.nbytes)
        # All compared, in this storage: what the storage loses, not the candidates.
        whole = exact_rows(normalise(rows[:]), queries)
        stores.append(
            {
                "storage": storage,
                "bytes / raw": held / vectors.nbytes,
                "with candidates": (held + path.stat().st_size) / vectors.nbytes,
                "recall@10, exact": recall(whole, expected, vectors, queries),
                "recall@10": recall(hits, expected, vectors, queries),
                "median ms": median,
            }
        )
    say(f"{count:,} x {DIMENSION}: storages")
    table(stores)
    filters = []
    generator = np.random.default_rng(3)
    search = _ann_search(ann, vectors)
    for part in (0.5, 0.1, 0.06, 0.01, 0.001):
        mask = generator.random(len(vectors)) < part
        allowed = np.flatnonzero(mask)
        inside = allowed[exact_rows(np.asarray(vectors[allowed]), queries)]
        few = len(allowed) <= FEW_ITEMS  # then they are all compared

        def answer(
            query: np.ndarray,
            mask: np.ndarray = mask,
            allowed: np.ndarray = allowed,
            few: bool = few,
        ) -> np.ndarray:
            if not few:
                return search(query, mask)
            scores = vectors[allowed] @ query
            return allowed[top_k_candidates(scores, RESULTS)][:RESULTS]

        hits, median = _timed_queries(answer, queries[:50])
        filters.append(
            {
                "items left": part,
                "method": "all of them" if few else "candidates",
                "recall@10": recall(hits, inside[:50], vectors, queries[:50]),
                "median ms": median,
            }
        )
    say(f"{count:,} x {DIMENSION}: filters")
    table(filters)
    return {"items": count, "storages": stores, "filters": filters}


def _timed_queries(
    search: Callable[[np.ndarray], np.ndarray], queries: np.ndarray
) -> tuple[np.ndarray, float]:
    for query in queries[:5]:
        search(query)
    seconds, hits = [], []
    for query in queries:
        started = time.perf_counter()
        rows = search(query)
        seconds.append(time.perf_counter() - started)
        hits.append(np.resize(rows, RESULTS))
    return np.stack(hits), statistics.median(seconds) * 1e3


def grow(real: np.ndarray, sizes: list[int], work: Path, options: Any) -> dict[str, Any]:
    rows = []
    queries = made(real, options.queries, 2)
    for count in sizes:
        vectors = made(real, count, 1, work)
        ann = ours_candidates("ours, candidates", vectors, work)
        hits, median = _timed_queries(ann.searches["default"], queries)
        expected = exact_rows(vectors, queries[:50])
        rows.append(
            {
                "items": count,
                "build s": ann.seconds_to_build,
                "median ms": median,
                "recall@10": recall(hits[:50], expected, vectors, queries[:50]),
                "GB": ann.bytes / 1e9,
            }
        )
        table(rows[-1:])
        del vectors, ann
        (work / f"ann-{count}.faiss").unlink()
    table(rows)
    fits = {}
    if len(rows) > 1:
        logs = np.log([row["items"] for row in rows])
        for figure in ("build s", "median ms", "GB"):
            power, factor = np.polyfit(logs, np.log([row[figure] for row in rows]), 1)
            at_ten = float(np.exp(factor + power * np.log(10_000_000)))
            fits[figure] = {"power of items": float(power), "at 10,000,000": at_ten}
            say(f"{figure}: grows with items ** {power:.2f}; at 10,000,000 items {at_ten:,.3g}")
    return {"sizes": rows, "fits": fits}


if __name__ == "__main__":
    sys.exit(main())
