"""The vectors of the benchmarks of search: a public set, and as many of the catalogue's own as are
wanted."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from at_hand import index as index_at
from common import say, used

from fitting_room.imaging.features import normalise
from fitting_room.index.index import Index
from fitting_room.index.vectors import PCA

COSINE, EUCLIDEAN = "cosine", "Euclidean"
RESULTS, DIMENSION, NOISE = 10, 128, 0.15
#: Where Debian's package dataset-fashion-mnist has its files.
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
#: Queries are compared with everything in blocks of so many rows.
_BLOCK = 10_000


@dataclass(frozen=True)
class Problem:
    """Rows to find, float32 ``(N, D)``, queries ``(Q, D)``, the metric, and how close the tenth of
    the exact results of each query is, so that of equal rows any is right."""

    name: str
    rows: np.ndarray
    queries: np.ndarray
    metric: str
    tenth: np.ndarray

    def recall(self, hits: np.ndarray) -> float:
        """The part of the exact ten that ``hits``, ``(Q, 10)``, -1 for none, have."""
        found, wanted = 0, min(RESULTS, len(self.rows))
        for answer, query, least in zip(hits, self.queries, self.tenth, strict=True):
            rows = np.unique(answer[answer >= 0])
            near = closeness(self.rows[rows], query[None], self.metric)[:, 0] >= least
            found += min(int(near.sum()), wanted)
        return found / (wanted * len(hits))


def problem(name: str, rows: np.ndarray, queries: np.ndarray, metric: str) -> Problem:
    """With the exact results, which are computed here."""
    best = np.full((RESULTS, len(queries)), -np.inf)
    for start in range(0, len(rows), _BLOCK):
        block = closeness(rows[start : start + _BLOCK], queries, metric)
        best = np.partition(np.concatenate([best, block]), -RESULTS, axis=0)[-RESULTS:]
    tenth = best.min(axis=0)
    return Problem(name, rows, queries, metric, tenth - 1e-6 * np.abs(tenth))


def closeness(rows: np.ndarray, queries: np.ndarray, metric: str) -> np.ndarray:
    """In float64, ``(rows, queries)``: the product, or the negative square of the distance."""
    wide, wanted = rows.astype(np.float64), queries.T.astype(np.float64)
    products = wide @ wanted
    if metric == COSINE:
        return products
    return 2 * products - (wide**2).sum(axis=1)[:, None] - (wanted**2).sum(axis=0)


def fashion_mnist(queries: int, folder: Path = FASHION_MNIST) -> list[Problem]:
    """60,000 pictures of 784 pixels as ann-benchmarks has them, by their Euclidean distance, and
    the same as unit rows, by the cosine. Where the package is not installed, a set of that size is
    made up."""
    train, test = (folder / f"{part}-images-idx3-ubyte.gz" for part in ("train", "t10k"))
    if train.exists() and test.exists():
        name = used["public set"] = "Fashion-MNIST"
        rows, questions = _pictures(train), _pictures(test)
    else:
        name = "made up, like Fashion-MNIST"
        used["public set"] = f"made up: there is no {folder}"
        say(f"{train} is not there (apt-get install dataset-fashion-mnist): a set is made up")
        whole = generated(70_000, 784) * 2_000
        rows, questions = whole[:60_000], whole[60_000:]
    questions = questions[np.random.default_rng(0).permutation(len(questions))[:queries]]
    return [
        problem(name, rows, questions, EUCLIDEAN),
        problem(name, normalise(rows), normalise(questions), COSINE),
    ]


def _pictures(path: Path) -> np.ndarray:
    pixels = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16)
    return pixels.reshape(-1, 784).astype(np.float32)


def catalogue(real: np.ndarray, count: int, queries: int, name: str) -> Problem:
    """``count`` vectors of the catalogue's kind, by the cosine."""
    rows = real[:count] if count <= len(real) else made(real, count, 1)
    return problem(name, rows, made(real, queries, 2), COSINE)


def real_vectors(index: Path | None) -> tuple[np.ndarray, str]:
    """Unit vectors of an index reduced to 128 numbers, and what they are: of ``index``, or of what
    is at hand; made up where no index can be built."""
    try:
        vectors = np.asarray(Index.open(index_at(index)).vectors)
    except Exception as error:  # no network's weights, no demo beside an installed package
        say(f"no index can be had, so vectors are made up: {error}")
        used["vectors"] = "made up"
        return generated(40_000, DIMENSION), "made-up vectors"
    if vectors.shape[1] > DIMENSION:
        vectors = PCA.fit(vectors[:20_000], DIMENSION)(vectors)
    return normalise(vectors), f"vectors between those of {len(vectors):,} items"


def generated(count: int, width: int) -> np.ndarray:
    """Unit rows around some hundred centres, in fewer directions than numbers."""
    generator = np.random.default_rng(0)
    few = width // 4
    centres = generator.standard_normal((300, few), np.float32)
    rows = centres[generator.integers(300, size=count)]
    rows += generator.standard_normal((count, few), np.float32) * 0.8
    return normalise(rows @ generator.standard_normal((few, width), np.float32))


def made(real: np.ndarray, count: int, seed: int, work: Path | None = None) -> np.ndarray:
    """``count`` vectors between a real one and one similar to it, with a little noise."""
    generator = np.random.default_rng(seed)
    similar = _similar_to(real)
    shape = (count, real.shape[1])
    if work is None:
        rows: np.ndarray = np.empty(shape, np.float32)
    else:
        rows = np.lib.format.open_memmap(work / "made.npy", "w+", np.float32, shape)
    for start in range(0, count, 100_000):
        size = min(100_000, count - start)
        one = generator.integers(len(real), size=size)
        other = similar[one, generator.integers(similar.shape[1], size=size)]
        part = generator.random((size, 1), np.float32)
        block = real[one] * part + real[other] * (1 - part)
        block += generator.standard_normal(block.shape, np.float32) * (NOISE / shape[1] ** 0.5)
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
