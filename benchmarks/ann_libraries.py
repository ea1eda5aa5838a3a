"""Who takes part in ``ann.py``: how each library builds, keeps and searches an index.

Each function gets the problem, the folder where its index is kept from run to run, and the threads
to build with; searching takes one thread. It gives searches by the names of their settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ann_data import COSINE, RESULTS, Problem
from ann_ours import Contestant, Search, kept, ours, ours_exact

#: Candidates that graphs keep, and groups that inverted files visit.
BREADTHS, PROBES = (10, 16, 24, 32, 48, 64, 128, 256), (1, 2, 4, 8, 16, 32, 64, 128)
LINKS, BUILD_BREADTH = 16, 100


def _folder_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def first_version(task: Problem, folder: Path, threads: int) -> Contestant:
    from sklearn.metrics.pairwise import cosine_similarity

    def search(query: np.ndarray) -> np.ndarray:
        return np.asarray(np.argsort(-cosine_similarity(query[None], task.rows)[0])[:RESULTS])

    return Contestant({"all": search}, task.rows.nbytes)


# --- faiss ------------------------------------------------------------------------------------


def _faiss(task: Problem, folder: Path, threads: int, kind: str) -> tuple[Any, int]:
    import faiss

    metric = faiss.METRIC_INNER_PRODUCT if task.metric == COSINE else faiss.METRIC_L2

    def make(path: Path) -> None:
        faiss.omp_set_num_threads(threads)
        index = faiss.index_factory(task.rows.shape[1], kind, metric)
        if hasattr(index, "hnsw"):
            index.hnsw.efConstruction = BUILD_BREADTH
        index.train(task.rows)
        index.add(task.rows)
        faiss.write_index(index, str(path))

    path = kept(folder, f"{kind}.faiss", make)
    faiss.omp_set_num_threads(1)
    return faiss.read_index(str(path)), path.stat().st_size


def faiss_flat(task: Problem, folder: Path, threads: int) -> Contestant:
    index, size = _faiss(task, folder, threads, "Flat")
    return Contestant({"all": lambda q: index.search(q[None], RESULTS)[1][0]}, size)


def faiss_hnsw(task: Problem, folder: Path, threads: int) -> Contestant:
    return _faiss_graph(task, folder, threads, f"HNSW{LINKS}")


def faiss_hnsw_8_bits(task: Problem, folder: Path, threads: int) -> Contestant:
    """Its candidates are compared exactly, as ours are."""
    found = _faiss_graph(task, folder, threads, f"HNSW{LINKS}_SQ8", 2 * RESULTS)

    def exactly(search: Search) -> Search:
        def exact(query: np.ndarray) -> np.ndarray:
            rows = search(query)
            values = task.rows[rows]
            close = values @ query
            if task.metric != COSINE:
                close = -((values - query) ** 2).sum(axis=1)
            return np.asarray(rows[np.argsort(-close)[:RESULTS]])

        return exact

    searches = {name: exactly(search) for name, search in found.searches.items()}
    return Contestant(searches, task.rows.nbytes + found.bytes)


def _faiss_graph(
    task: Problem, folder: Path, threads: int, kind: str, wanted: int = RESULTS
) -> Contestant:
    import faiss

    index, size = _faiss(task, folder, threads, kind)

    def at(breadth: int) -> Search:
        params = faiss.SearchParametersHNSW(efSearch=breadth)
        return lambda q: index.search(q[None], wanted, params=params)[1][0]

    return Contestant({f"ef {b}": at(b) for b in BREADTHS}, size)


def faiss_ivf(task: Problem, folder: Path, threads: int) -> Contestant:
    import faiss

    groups = 1 << round(np.log2(4 * len(task.rows) ** 0.5))
    index, size = _faiss(task, folder, threads, f"IVF{groups},Flat")

    def at(probes: int) -> Search:
        params = faiss.SearchParametersIVF(nprobe=probes)
        return lambda q: index.search(q[None], RESULTS, params=params)[1][0]

    return Contestant({f"{p} of {groups} groups": at(p) for p in PROBES}, size)


# --- others -----------------------------------------------------------------------------------


def hnswlib_graph(task: Problem, folder: Path, threads: int) -> Contestant:
    import hnswlib

    space = "ip" if task.metric == COSINE else "l2"

    def make(path: Path) -> None:
        index = hnswlib.Index(space, task.rows.shape[1])
        index.init_index(len(task.rows), M=LINKS, ef_construction=BUILD_BREADTH)
        index.add_items(task.rows, num_threads=threads)
        index.save_index(str(path))

    path = kept(folder, "hnswlib", make)
    index = hnswlib.Index(space, task.rows.shape[1])
    index.load_index(str(path), len(task.rows))
    index.set_num_threads(1)

    def at(breadth: int) -> Search:
        def search(query: np.ndarray) -> np.ndarray:
            index.set_ef(breadth)
            return np.asarray(index.knn_query(query, RESULTS)[0][0]).astype(np.int64)

        return search

    return Contestant({f"ef {b}": at(b) for b in BREADTHS}, path.stat().st_size)


def usearch_graph(task: Problem, folder: Path, threads: int) -> Contestant:
    """Rows of 16 bits, mapped."""
    from usearch.index import Index

    metric = "ip" if task.metric == COSINE else "l2sq"

    def make(path: Path) -> None:
        index = Index(
            ndim=task.rows.shape[1],
            metric=metric,
            dtype="f16",
            connectivity=LINKS,
            expansion_add=BUILD_BREADTH,
        )
        # Half floats reach to 65,504: squares of bytes' distances would not fit.
        index.add(np.arange(len(task.rows)), task.rows * _scale(task), threads=threads)
        index.save(str(path))

    path = kept(folder, "usearch", make)
    index = Index.restore(str(path), view=True)
    scale = _scale(task)

    def at(breadth: int) -> Search:
        def search(query: np.ndarray) -> np.ndarray:
            index.expansion_search = breadth
            return np.asarray(index.search(query * scale, RESULTS, threads=1).keys).astype(np.int64)

        return search

    return Contestant({f"ef {b}": at(b) for b in BREADTHS}, path.stat().st_size)


def _scale(task: Problem) -> np.float32:
    return np.float32(1 if task.metric == COSINE else 1 / 255)


def scann(task: Problem, folder: Path, threads: int) -> Contestant:
    """Groups, 4-bit codes of pairs of numbers, and an exact comparison of 100."""
    from scann import scann_ops_pybind as ops

    measure = "dot_product" if task.metric == COSINE else "squared_l2"
    groups = round(2 * len(task.rows) ** 0.5)

    def make(path: Path) -> None:
        builder = ops.builder(task.rows, RESULTS, measure)
        builder.set_n_training_threads(threads)
        builder = builder.tree(
            groups, PROBES[-1], training_sample_size=min(len(task.rows), 250_000)
        )
        threshold = 0.2 if task.metric == COSINE else float("nan")
        builder = builder.score_ah(2, anisotropic_quantization_threshold=threshold).reorder(100)
        index = builder.build()
        path.mkdir()
        index.serialize(str(path), relative_path=True)

    path = kept(folder, "scann", make)
    index = ops.load_searcher(str(path))
    index.set_num_threads(1)

    def at(probes: int) -> Search:
        return lambda q: np.asarray(index.search(q, RESULTS, 100, probes)[0], np.int64)

    return Contestant({f"{p} of {groups} groups": at(p) for p in PROBES}, _folder_size(path))


def svs_graph(task: Problem, folder: Path, threads: int) -> Contestant:
    """Intel's SVS: a Vamana graph over codes of 4 and 8 bits (LVQ)."""
    import svs

    distance = svs.DistanceType.MIP if task.metric == COSINE else svs.DistanceType.L2
    alpha = 0.95 if task.metric == COSINE else 1.2

    def make(path: Path) -> None:
        path.mkdir()
        svs.write_vecs(task.rows, str(path / "rows.fvecs"))
        svs.convert_vecs_to_svs(str(path / "rows.fvecs"), str(path / "rows.svs"))
        rows = svs.VectorDataLoader(
            str(path / "rows.svs"), svs.DataType.float32, dims=task.rows.shape[1]
        )
        codes = svs.LVQLoader(rows, primary=4, residual=8)
        params = svs.VamanaBuildParameters(
            alpha=alpha, graph_max_degree=2 * LINKS, window_size=BUILD_BREADTH
        )
        index = svs.Vamana.build(params, codes, distance, num_threads=threads)
        index.save(*(str(path / part) for part in ("config", "graph", "data")))
        for raw in (path / "rows.fvecs", path / "rows.svs"):
            raw.unlink()

    path = kept(folder, "svs", make)
    index = svs.Vamana(
        str(path / "config"),
        svs.GraphLoader(str(path / "graph")),
        svs.LVQLoader(str(path / "data")),
        distance,
        num_threads=1,
    )

    def at(breadth: int) -> Search:
        def search(query: np.ndarray) -> np.ndarray:
            index.search_window_size = breadth
            return np.asarray(index.search(query[None], RESULTS)[0][0]).astype(np.int64)

        return search

    return Contestant({f"window {b}": at(b) for b in BREADTHS}, _folder_size(path))


def turbovec(task: Problem, folder: Path, threads: int) -> Contestant:
    """Codes of 4 bits a number, all compared; for products alone."""
    from turbovec import TurboQuantIndex

    if task.metric != COSINE:
        raise ValueError("it knows products only")

    def make(path: Path) -> None:
        index = TurboQuantIndex(dim=task.rows.shape[1], bit_width=4)
        index.calibrate(task.rows[np.random.default_rng(0).permutation(len(task.rows))[:4_096]])
        index.add(task.rows)
        index.write(str(path))

    path = kept(folder, "turbovec", make)
    index = TurboQuantIndex.load(str(path))

    def at(wanted: int) -> Search:
        def search(query: np.ndarray) -> np.ndarray:
            rows = index.search(query[None], wanted)[1][0].astype(np.int64)
            close = task.rows[rows] @ query
            return np.asarray(rows[np.argsort(-close)[:RESULTS]])

        return search

    searches = {"codes alone": at(RESULTS), "40 compared exactly": at(40)}
    return Contestant(searches, path.stat().st_size + task.rows.nbytes)


def lancedb(task: Problem, folder: Path, threads: int) -> Contestant:
    import lancedb as lance
    import pyarrow as pa
    from lancedb.index import IvfPq

    metric = "dot" if task.metric == COSINE else "l2"

    def make(path: Path) -> None:
        flat = pa.FixedSizeListArray.from_arrays(pa.array(task.rows.ravel()), task.rows.shape[1])
        table = pa.table({"row": pa.array(np.arange(len(task.rows))), "vector": flat})
        filled = lance.connect(path).create_table("items", table)
        groups = round(len(task.rows) ** 0.5)
        # Learned in 10 rounds and not in 50, which take minutes for 20,000 rows.
        config = IvfPq(metric, groups, num_sub_vectors=16, max_iterations=10)
        filled.create_index("vector", config=config)

    path = kept(folder, "lancedb", make)
    table = lance.connect(path).open_table("items")

    def at(probes: int) -> Search:
        def search(query: np.ndarray) -> np.ndarray:
            asked = table.search(query).distance_type(metric).nprobes(probes).refine_factor(20)
            return np.asarray(asked.select(["row", "_distance"]).limit(RESULTS).to_arrow()["row"])

        return search

    return Contestant({f"{p} groups": at(p) for p in (8, 32, 128)}, _folder_size(path))


Build = Callable[[Problem, Path, int], Contestant]
OURS_NAME, OURS_EXACT = "ours, candidates", "ours, exact"
#: By the package that each needs. Ours compares by the cosine alone.
CONTESTANTS: dict[str, Build] = {
    OURS_EXACT: ours_exact,
    OURS_NAME: ours,
    "scikit-learn (first version)": first_version,
    "faiss flat": faiss_flat,
    "faiss HNSW": faiss_hnsw,
    "faiss HNSW 8 bit": faiss_hnsw_8_bits,
    "faiss IVF": faiss_ivf,
    "usearch 16 bit": usearch_graph,
    "hnswlib": hnswlib_graph,
    "ScaNN": scann,
    "SVS LVQ 4x8": svs_graph,
    "turbovec 4 bit": turbovec,
    "LanceDB": lancedb,
}
BY_COSINE_ALONE = (OURS_EXACT, OURS_NAME, "scikit-learn (first version)")
PACKAGES = ("faiss-cpu", "usearch", "hnswlib", "scann", "scalable-vs", "turbovec", "lancedb")


def timed_build(
    build: Build, task: Problem, folder: Path, threads: int
) -> tuple[Contestant, float]:
    """A contestant, and the seconds that its index took to build or, from the folder, to open."""
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    contestant = build(task, folder, threads)
    return contestant, time.perf_counter() - started
