"""How fast the nearest items are found, beside the peers, at the recall that each reaches.

    pip install -r benchmarks/requirements.txt
    python benchmarks/search.py [--items 42000 1000000] [--json]

Vectors are those of the real catalogue, EfficientNet-Lite0 reduced to 128 numbers by PCA (an index
is made where none is named); more than there are items are made of them, between neighbours and
with a little noise. Questions are vectors of the same kind that are not among them. Printed are the
median of one question at a time, recall@10 against exact search, the time to build and the bytes on
disk or in memory for each byte of raw float32 vectors. Ways that find more the longer they look are
asked with several efforts; for some recalls the quickest of each way that reaches them is printed.

Then what is our own: storages, filters from one item in two to one in a thousand, and, with
`--growth`, how time and memory grow from one to four million, with the line through them and what
it says of ten.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import CATALOGUE, finish, say, table

from fitting_room.facade import FittingRoom
from fitting_room.imaging.features import normalise
from fitting_room.index.ann import FEW_ITEMS, AnnIndex, AnnSearchParams
from fitting_room.index.index import Index
from fitting_room.index.scoring import ScoreTerm, best, best_among, nearest, top_k_candidates
from fitting_room.index.vectors import PCA, STORAGES, Rows, stored

DIMENSION, RESULTS, NOISE = 128, 10, 0.15
#: Past this many items peers that take minutes to build are left out unless --all is given.
SLOW_BUILDERS_UP_TO = 1_000_000


#: Groups that ours looks at, and what graphs keep of the way there.
PROBES, BREADTHS = (4, 8, 12, 16, 24, 32, 48, 64), (12, 16, 24, 32, 48, 64, 128, 256)
#: Recalls at which the ways are compared.
LEVELS = (0.99, 0.995, 0.998, 0.9995)

Search = Callable[[np.ndarray], np.ndarray]


@dataclass
class Contestant:
    """``searches`` answer one question with rows, each with an effort of its own, named. ``bytes``
    are what it holds, raw vectors of ours included."""

    name: str
    searches: dict[str, Search]
    seconds_to_build: float
    bytes: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[42_000, 1_000_000])
    parser.add_argument("--index", type=Path, help="an index of the real catalogue without PCA")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="all", help="names, by commas; all; none")
    parser.add_argument("--growth", type=int, nargs="*", metavar="ITEMS", help="sizes to fit")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        real = real_vectors(options.index, work)
        results = [race(real, count, work, options) for count in options.items]
        own = [storages_and_filters(real, count, work, options) for count in options.items]
        sizes = options.growth
        growth = None
        if sizes is not None:
            growth = grow(real, sizes or [1_000_000, 2_000_000, 4_000_000], work, options)
    return finish({"search": results, "own": own, "growth": growth}, options.json)


def real_vectors(index: Path | None, work: Path) -> np.ndarray:
    if index is None:
        say("building an index of the real catalogue first; name one with --index next time")
        FittingRoom.build(CATALOGUE, work / "index", backbone="efficientnet_lite0")
        index = work / "index"
    vectors = np.asarray(Index.open(index).vectors)
    return PCA.fit(vectors[:20_000], DIMENSION)(vectors)


def made(real: np.ndarray, count: int, seed: int, work: Path | None = None) -> np.ndarray:
    """``count`` vectors between a real one and one of its neighbours, with a little noise."""
    generator = np.random.default_rng(seed)
    near = _neighbours_of(real)
    shape = (count, real.shape[1])
    if work is None:
        rows: np.ndarray = np.empty(shape, np.float32)
    else:
        rows = np.lib.format.open_memmap(work / "made.npy", "w+", np.float32, shape)
    for start in range(0, count, 100_000):
        size = min(100_000, count - start)
        one = generator.integers(len(real), size=size)
        other = near[one, generator.integers(near.shape[1], size=size)]
        share = generator.random((size, 1), np.float32)
        block = real[one] * share + real[other] * (1 - share)
        block += generator.standard_normal(block.shape, np.float32) * (NOISE / DIMENSION**0.5)
        rows[start : start + size] = normalise(block)
    return rows


_NEAR: dict[int, np.ndarray] = {}


def _neighbours_of(real: np.ndarray) -> np.ndarray:
    if id(real) not in _NEAR:
        blocks = []
        for start in range(0, len(real), 2_048):
            scores = real[start : start + 2_048] @ real.T
            blocks.append(np.argpartition(-scores, 11, axis=1)[:, 1:11])
        _NEAR[id(real)] = np.concatenate(blocks)
    return _NEAR[id(real)]


def exact_rows(vectors: np.ndarray, questions: np.ndarray) -> np.ndarray:
    found = []
    for question in questions:
        scores = vectors @ question
        best = np.argpartition(-scores, RESULTS)[:RESULTS]
        found.append(best[np.argsort(-scores[best])])
    return np.stack(found)


def recall(
    found: np.ndarray, expected: np.ndarray, vectors: np.ndarray, questions: np.ndarray
) -> float:
    """The share of the expected that was found. Of equal items any is right."""
    shares = []
    for rows, right, question in zip(found, expected, questions, strict=True):
        least = (vectors[right] @ question).min() - 1e-6
        shares.append(min(1.0, (vectors[np.unique(rows)] @ question >= least).sum() / len(right)))
    return float(np.mean(shares))


def race(real: np.ndarray, count: int, work: Path, options: Any) -> dict[str, Any]:
    vectors = real[:count] if count <= len(real) else made(real, count, 1)
    questions = made(real, options.questions, 2)
    expected = exact_rows(vectors, questions)
    wanted = options.peers.split(",")
    rows: list[dict[str, Any]] = []
    contestants = []
    for name, build in CONTESTANTS.items():
        if options.peers != "all" and name not in wanted and not name.startswith("ours"):
            continue
        try:
            say(f"{count:,}: building {name}")
            contestants.append(build(name, vectors, work))
        except Exception as error:  # whatever stands in a peer's way
            say(f"{name} is left out: {type(error).__name__}: {str(error)[:120]}")
    ways = [
        (c, search_params, search)
        for c in contestants
        for search_params, search in c.searches.items()
    ]
    seconds: list[list[float]] = [[] for _ in ways]
    answers: list[np.ndarray] = [np.empty(0)] * len(ways)
    for _, _, search in ways:
        for question in questions[:5]:
            search(question)
    for _ in range(options.rounds):  # in turn
        for number, (_, _, search) in enumerate(ways):
            found = []
            for question in questions:
                started = time.perf_counter()
                found.append(np.resize(search(question), RESULTS))
                seconds[number].append(time.perf_counter() - started)
            answers[number] = np.stack(found)
    raw = vectors.nbytes
    for (contestant, search_params, _), taken, answer in zip(ways, seconds, answers, strict=True):
        rows.append(
            {
                "search": contestant.name,
                "effort": search_params,
                "median ms": statistics.median(taken) * 1e3,
                "recall@10": recall(answer, expected, vectors, questions),
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
    """For each way the quickest median at each of :data:`LEVELS`, and times as long as ours."""
    found = []
    for name in dict.fromkeys(row["search"] for row in rows):
        best: dict[str, Any] = {"search": name}
        for level in LEVELS:
            fit = [r for r in rows if r["search"] == name and r["recall@10"] >= level]
            best[f">= {level}"] = min((r["median ms"] for r in fit), default=None)
        found.append(best)
    ours = found[1]
    for best in found:
        for level in LEVELS:
            theirs, mine = best[f">= {level}"], ours[f">= {level}"]
            best[f"times ours, >= {level}"] = theirs / mine if theirs and mine else None
    return found


# --- who takes part ---------------------------------------------------------------------------


def _timed(build: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return build(), time.perf_counter() - started


def ours_exact(name: str, vectors: np.ndarray, work: Path) -> Contestant:
    def search(question: np.ndarray) -> np.ndarray:
        parts = [ScoreTerm("embedding", vectors, question[None])]
        near = nearest(parts, 0, RESULTS, None, np.zeros((1, len(vectors)), np.float32))
        return best(parts, 0, near, RESULTS).rows

    return Contestant(name, {"all": search}, 0.0, vectors.nbytes)


def ours_near(name: str, vectors: np.ndarray, work: Path) -> Contestant:
    path = work / f"near-{len(vectors)}.faiss"

    def build() -> AnnIndex:
        AnnIndex.write(path, vectors.__getitem__, *vectors.shape)
        return AnnIndex.open(path, *vectors.shape)

    near, seconds = _timed(build)
    searches: dict[str, Search] = {"default": _near_search(near, vectors)}
    for probes in PROBES:
        search_params = AnnSearchParams(probes=probes)
        searches[f"{probes} groups"] = _near_search(near, vectors, search_params)
    return Contestant(name, searches, seconds, vectors.nbytes + path.stat().st_size)


DEFAULT_PARAMS = AnnSearchParams()


def _near_search(
    near: AnnIndex, vectors: Any, search_params: AnnSearchParams = DEFAULT_PARAMS
) -> Any:
    def search(question: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        (rows,) = near.candidates(question[None], RESULTS, search_params, mask)
        return best_among([ScoreTerm("embedding", vectors, question[None])], 0, rows, RESULTS).rows

    return search


def sklearn_neighbours(name: str, vectors: np.ndarray, work: Path) -> Contestant:
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
        asked = faiss.SearchParametersHNSW(efSearch=breadth)
        return lambda q: peer.search(q[None], RESULTS, params=asked)[1][0]

    return Contestant(name, {f"ef {b}": at(b) for b in BREADTHS}, seconds, size)


def usearch_hnsw(name: str, vectors: np.ndarray, work: Path) -> Contestant:
    from usearch.index import Index as USearch

    kind = "i8" if name.endswith("i8") else "f16"
    peer = USearch(ndim=vectors.shape[1], metric="ip", dtype=kind, connectivity=16)
    _, seconds = _timed(lambda: peer.add(np.arange(len(vectors)), vectors))

    def at(breadth: int) -> Search:
        def search(question: np.ndarray) -> np.ndarray:
            peer.expansion_search = breadth
            return np.asarray(peer.search(question, RESULTS).keys)

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
        def search(question: np.ndarray) -> np.ndarray:
            peer.set_ef(breadth)
            return np.asarray(peer.knn_query(question, RESULTS)[0][0])

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
        def search(question: np.ndarray) -> np.ndarray:
            asked = peer.search(question).distance_type("dot").nprobes(probes).refine_factor(20)
            return np.array(asked.select(["row", "_distance"]).limit(RESULTS).to_arrow()["row"])

        return search

    return Contestant(name, {f"{p} groups": at(p) for p in (8, 32, 128)}, seconds, size)


CONTESTANTS: dict[str, Callable[[str, np.ndarray, Path], Contestant]] = {
    "ours, exact": ours_exact,
    "ours, candidates": ours_near,
    "seed's way (cosine_similarity)": seeds_way,
    "sklearn": sklearn_neighbours,
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
    questions = made(real, options.questions, 2)
    expected = exact_rows(vectors, questions)
    path = work / f"near-{len(vectors)}.faiss"
    near = AnnIndex.open(path, *vectors.shape)
    stores = []
    for storage in STORAGES:
        values, scales = stored(vectors, storage)
        rows = Rows(values, scales)
        search = _near_search(near, rows)
        found, median = _ask(search, questions)
        held = values.nbytes + (0 if scales is None else scales.nbytes)
        # All compared, in this storage: what is lost by it and not by looking for candidates.
        whole = exact_rows(normalise(rows[:]), questions)
        stores.append(
            {
                "storage": storage,
                "bytes / raw": held / vectors.nbytes,
                "with candidates": (held + path.stat().st_size) / vectors.nbytes,
                "recall@10, exact": recall(whole, expected, vectors, questions),
                "recall@10": recall(found, expected, vectors, questions),
                "median ms": median,
            }
        )
    say(f"{count:,} x {DIMENSION}: storages")
    table(stores)
    filters = []
    generator = np.random.default_rng(3)
    search = _near_search(near, vectors)
    for share in (0.5, 0.1, 0.06, 0.01, 0.001):
        mask = generator.random(len(vectors)) < share
        allowed = np.flatnonzero(mask)
        inside = allowed[exact_rows(np.asarray(vectors[allowed]), questions)]
        few = len(allowed) <= FEW_ITEMS  # then they are all compared

        def answer(
            question: np.ndarray,
            mask: np.ndarray = mask,
            allowed: np.ndarray = allowed,
            few: bool = few,
        ) -> np.ndarray:
            if not few:
                return search(question, mask)
            scores = vectors[allowed] @ question
            return allowed[top_k_candidates(scores, RESULTS)][:RESULTS]

        found, median = _ask(answer, questions[:50])
        filters.append(
            {
                "let through": share,
                "way": "all of them" if few else "candidates",
                "recall@10": recall(found, inside[:50], vectors, questions[:50]),
                "median ms": median,
            }
        )
    say(f"{count:,} x {DIMENSION}: filters")
    table(filters)
    return {"items": count, "storages": stores, "filters": filters}


def _ask(
    search: Callable[[np.ndarray], np.ndarray], questions: np.ndarray
) -> tuple[np.ndarray, float]:
    for question in questions[:5]:
        search(question)
    seconds, found = [], []
    for question in questions:
        started = time.perf_counter()
        rows = search(question)
        seconds.append(time.perf_counter() - started)
        found.append(np.resize(rows, RESULTS))
    return np.stack(found), statistics.median(seconds) * 1e3


def grow(real: np.ndarray, sizes: list[int], work: Path, options: Any) -> dict[str, Any]:
    rows = []
    questions = made(real, options.questions, 2)
    for count in sizes:
        vectors = made(real, count, 1, work)
        near = ours_near("ours, candidates", vectors, work)
        found, median = _ask(near.searches["default"], questions)
        expected = exact_rows(vectors, questions[:50])
        rows.append(
            {
                "items": count,
                "build s": near.seconds_to_build,
                "median ms": median,
                "recall@10": recall(found[:50], expected, vectors, questions[:50]),
                "GB": near.bytes / 1e9,
            }
        )
        table(rows[-1:])
        del vectors, near
        (work / f"near-{count}.faiss").unlink()
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
