"""Approximate search in a large catalogue: an inverted file of faiss finds candidates, which are
then compared exactly.

Items are grouped around some thousand centres (Sivic and Zisserman 2003). A search visits the
groups whose centres are closest to the query, to which a graph of the centres leads (HNSW, Malkov
and Yashunin 2018). The file keeps a code of each item, 8 bits a number: its embedding (or the
head's projection of it), silhouette and colours, each reduced to a few directions. A score is a sum
of dot products in which only the query is weighted, so one file serves every weight of colour.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from fitting_room.imaging.descriptors import COLOURS, SILHOUETTE
from fitting_room.index.scoring import ROWS_AT_ONCE, unit_bytes
from fitting_room.index.vectors import Matrix, release

#: Gives the codes, float32 ``(_, width)``, of a slice or an array of row numbers.
Codes = Callable[[Any], np.ndarray]

_log = logging.getLogger(__name__)

#: The files' names: encoder and inverted file, for the embeddings and for the head's projections.
ANN_ENCODER, ANN_INDEX = "ann-encoder.safetensors", "ann.faiss"
TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX = "trained-ann-encoder.safetensors", "trained-ann.faiss"

#: An index has these files from this many numbers (items x dimensions) on: 500,000 items of 128
#: dimensions, 50,000 of 1,280. Below, exact search takes some hundredths of a second.
WORTHWHILE_FROM = 64_000_000
#: A filter that leaves at most this many items is answered by comparing them all.
FEW_ITEMS = 50_000
#: The most directions that embeddings, silhouettes and colours are reduced to, and about how many
#: items they are learned from. Chosen on the catalogue: for every weight of colour, 200 candidates
#: hold at least 0.99 of the exact top 10.
MAX_DIRECTIONS, ENCODER_SAMPLE = (128, 16, 32), 20_000
#: There are ``GROUPS * items ** GROWTH`` groups: more take longer to learn and less to visit. Their
#: centres are learned from this many items a group, in this many rounds.
GROUPS, GROWTH, MAX_GROUPS = 0.5, 0.7, 16_384
ITEMS_PER_GROUP, ROUNDS, MAX_SAMPLE_NUMBERS = 32, 6, 100_000_000
#: Links of each centre, and how broadly their graph is built and searched: for an item's group, and
#: by a query, which keeps up to so many more centres in view than it wants.
LINKS, BUILD_BREADTH, ADD_BREADTH, MAX_EXTRA_CENTRES = 16, 100, 24, 64

MISSING = (
    "Large catalogues are searched faster with faiss, which is not installed. "
    "Run: pip install 'fitting-room[scale]'"
)


class AnnIndexError(ValueError):
    """A file that is damaged or of another index."""


def is_available() -> bool:
    """Whether faiss is installed."""
    return find_spec("faiss") is not None


class AnnSearchParams(NamedTuple):
    """A search visits ``probes`` groups and answers ``per_result`` candidates for each result
    wanted, at least ``least``."""

    probes: int = 32
    per_result: int = 3
    least: int = 30


#: Chosen so that at least 0.99 of the exact top 10 are found. With a head, the score also has a
#: share of the embedding, which the codes lack: more candidates make up for it.
PLAIN, TRAINED = AnnSearchParams(128, 8, 200), AnnSearchParams(64, 8, 400)
#: Groups were made by all parts of the codes, so a query that is mostly colour needs more: from
#: this share of colour in the query's square, so many times as many groups and candidates.
COLOUR_FACTORS = ((0.97, 8), (0.9, 4), (0.8, 2))


class AnnEncoder(NamedTuple):
    """The directions, unit columns, that embeddings, float32 ``(D, E)``, silhouettes, ``(300, S)``,
    and colours, ``(388, C)``, are reduced to."""

    shape: np.ndarray
    silhouette: np.ndarray
    colours: np.ndarray

    def encode(self, *parts: np.ndarray | None) -> np.ndarray:
        """Codes, float32 ``(N, width)``, of items' or queries' embeddings, silhouettes and colours;
        ``None`` has no weight."""
        count = next(len(rows) for rows in parts if rows is not None)
        pairs = zip(parts, self, strict=True)
        codes = [np.zeros((count, d.shape[1])) if p is None else p @ d for p, d in pairs]
        return np.hstack(codes, dtype=np.float32)

    @property
    def width(self) -> int:
        """E + S + C."""
        return sum(directions.shape[1] for directions in self)

    @classmethod
    def load(cls, path: Path, dimension: int) -> AnnEncoder:
        """Read directions for embeddings of ``dimension``. Raises :class:`AnnIndexError`."""
        try:
            encoder = cls(**load_file(path))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise AnnIndexError(f"{path.name} is damaged") from error
        lengths = (dimension, SILHOUETTE.stop - SILHOUETTE.start, COLOURS.stop - COLOURS.start)
        for directions, length in zip(encoder, lengths, strict=True):
            sound = directions.dtype == np.float32 and np.isfinite(directions).all()
            if not sound or directions.ndim != 2 or len(directions) != length:
                raise AnnIndexError(f"{path.name} does not belong to this index")
        return encoder


def _directions(rows: np.ndarray, most: int) -> np.ndarray:
    _, eigenvectors = np.linalg.eigh(rows.T @ rows)
    return np.ascontiguousarray(eigenvectors[:, -most:], np.float32)


class AnnIndex:
    """An inverted file of codes. Safe to share between threads."""

    def __init__(self, inverted: Any) -> None:
        self._inverted = inverted

    def __len__(self) -> int:
        return int(self._inverted.ntotal)

    @classmethod
    def write(
        cls, path: Path, codes: Codes, count: int, width: int, previous: AnnIndex | None = None
    ) -> None:
        """Group ``count`` items by their codes of ``width`` and write the inverted file. The
        centres of ``previous`` are kept while the catalogue is of about its size, since learning
        new ones takes longest. Raises ``OSError``."""
        groups = max(1, min(int(GROUPS * count**GROWTH), count // 8, MAX_GROUPS))
        old = None if previous is None else previous._inverted
        if old is not None and old.d == width and groups / 2 <= old.nlist <= groups * 2:
            inverted = _emptied(old)
        else:
            inverted = _untrained(width, groups)
            inverted.train(_sample(codes, count, width, groups))
        for start in range(0, count, ROWS_AT_ONCE):
            inverted.add(codes(slice(start, min(start + ROWS_AT_ONCE, count))))
        with path.open("wb") as file:  # by Python, whose errors say that a disk is full
            _faiss().write_index(inverted, _faiss().PyCallbackIOWriter(file.write))

    @classmethod
    def open(cls, path: Path, count: int, width: int) -> AnnIndex:
        """Map a file of ``count`` codes of ``width``; groups are read when they are visited. Raises
        :class:`AnnIndexError` unless :meth:`write` could have written it."""
        faiss = _faiss()
        try:
            inverted = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
            groups = faiss.downcast_InvertedLists(inverted.invlists)
        except (RuntimeError, MemoryError, SystemError, AttributeError) as error:
            raise AnnIndexError(f"{path.name} is damaged") from error
        sound = (
            isinstance(inverted, faiss.IndexIVFScalarQuantizer)
            and isinstance(faiss.downcast_index(inverted.quantizer), faiss.IndexHNSWFlat)
            and inverted.metric_type == faiss.METRIC_INNER_PRODUCT
            and (inverted.ntotal, inverted.d) == (count, width)
            and _fits_together(inverted, groups)
        )
        if not sound:
            raise AnnIndexError(f"{path.name} does not belong to this index")
        # Threads that read groups ahead are made anew for each query and take longer than groups.
        groups.prefetch_nthread = 0
        return cls(inverted)

    def candidates(
        self, queries: np.ndarray, n: int, params: AnnSearchParams, mask: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """Rows, ascending, among which each query's ``n`` best are expected. ``queries`` are codes,
        float32 ``(Q, width)``; ``mask``, bool ``(N,)``, says which rows may be answered. Raises
        :class:`AnnIndexError` where the file turns out to be damaged."""
        count = min(max(params.least, params.per_result * n), len(self))
        wanted, groups = max(params.probes, n // 8), self._inverted.nlist
        if mask is None:
            faiss_params = _unfiltered_params(min(wanted, groups))
        else:
            # With fewer items allowed, groups are as many times emptier.
            wanted = round(wanted * len(mask) / max(1, int(mask.sum())))
            selector = _faiss().IDSelectorBitmap(np.packbits(mask, bitorder="little"))
            faiss_params = _faiss_params(min(wanted, groups), selector)
        try:
            _, hits = self._inverted.search(queries, count, params=faiss_params)
        except (RuntimeError, MemoryError, SystemError) as error:
            raise AnnIndexError("what finds candidates is damaged") from error
        hits.sort(axis=1)
        # -1 stands where there were too few, and a damaged file may say anything.
        end = len(self)
        return [
            rows if rows[0] >= 0 and rows[-1] < end else rows[(rows >= 0) & (rows < end)]
            for rows in hits
        ]


def _fits_together(inverted: Any, groups: Any) -> bool:
    """Whether the parts of a file have sizes that go with each other, and no link of its graph
    leads outside: faiss follows them unseen."""
    faiss, count, width = _faiss(), inverted.ntotal, inverted.d
    quantizer = faiss.downcast_index(inverted.quantizer)
    centres = inverted.nlist
    if not 1 <= centres <= MAX_GROUPS or (groups.nlist, groups.code_size) != (centres, width):
        return False
    if (quantizer.ntotal, quantizer.d) != (centres, width) or inverted.by_residual:
        return False
    sizes = [groups.list_size(group) for group in range(centres)]
    if max(sizes) > count or sum(sizes) != count:
        return False
    graph = quantizer.hnsw
    links = faiss.vector_to_array(graph.neighbors)
    levels, offsets = faiss.vector_to_array(graph.levels), faiss.vector_to_array(graph.offsets)
    per_level = faiss.vector_to_array(graph.cum_nneighbor_per_level)
    whole = len(levels) == centres and len(offsets) == centres + 1 and offsets[-1] == len(links)
    if not whole or len(links) == 0 or links.min() < -1 or links.max() >= centres:
        return False
    if not 0 <= graph.entry_point < centres or levels.min() < 1 or levels.max() >= len(per_level):
        return False
    return bool(
        levels[graph.entry_point] > graph.max_level >= 0
        and (np.diff(per_level) >= 0).all()
        and (np.diff(offsets) == per_level[levels]).all()
        and 4 * width * centres == faiss.downcast_index(quantizer.storage).codes.size()
    )


def _faiss() -> Any:
    return import_module("faiss")  # its types describe the C++ side and not the Python one


def _faiss_params(probes: int, selector: Any = None) -> Any:
    faiss = _faiss()
    graph = faiss.SearchParametersHNSW(efSearch=probes + min(probes, MAX_EXTRA_CENTRES))
    return faiss.SearchParametersIVF(sel=selector, nprobe=probes, quantizer_params=graph)


_unfiltered_params = lru_cache(maxsize=64)(_faiss_params)  # 20 us to make, a fifth of a search


def _untrained(width: int, groups: int) -> Any:
    faiss = _faiss()
    kind = f"IVF{groups}_HNSW{LINKS},SQ8"
    inverted = faiss.index_factory(width, kind, faiss.METRIC_INNER_PRODUCT)
    inverted.by_residual = False  # codes are comparable across groups
    graph = faiss.downcast_index(inverted.quantizer).hnsw
    graph.efConstruction, graph.efSearch = BUILD_BREADTH, ADD_BREADTH
    clustering = inverted.cp
    clustering.spherical, clustering.niter, clustering.seed = True, ROUNDS, 1
    clustering.min_points_per_centroid, clustering.max_points_per_centroid = 1, ITEMS_PER_GROUP
    return inverted


def _emptied(old: Any) -> Any:
    """An inverted file with the same centres and no items."""
    faiss, inverted = _faiss(), _untrained(old.d, old.nlist)
    inverted.quantizer.add(old.quantizer.reconstruct_n(0, old.nlist))
    faiss.copy_array_to_vector(faiss.vector_to_array(old.sq.trained), inverted.sq.trained)
    inverted.is_trained = True
    return inverted


def _sample(codes: Codes, count: int, width: int, groups: int) -> np.ndarray:
    size = min(count, groups * ITEMS_PER_GROUP, max(groups, MAX_SAMPLE_NUMBERS // width))
    rows = np.sort(np.random.default_rng(0).choice(count, size, replace=False))
    sample = np.empty((size, width), np.float32)
    for start in range(0, size, ROWS_AT_ONCE):
        block = slice(start, start + ROWS_AT_ONCE)
        sample[block] = codes(rows[block])
    return sample


#: An inverted file and the encoder of its codes.
AnnSearcher = tuple[AnnEncoder, AnnIndex]


@dataclass(frozen=True, slots=True, eq=False)
class Ann:
    """What an index finds candidates with: by the embeddings, and by the head where it has one."""

    plain: AnnSearcher
    trained: AnnSearcher | None

    @classmethod
    def open(
        cls, folder: Path, *, count: int, dimension: int, head_dimension: int | None
    ) -> Ann | None:
        """Open the files in ``folder``, of embeddings ``(count, dimension)`` and projections
        ``(count, head_dimension)``; ``None``, and a warning, without faiss. Raises
        :class:`AnnIndexError`."""
        if not is_available():
            _log.warning("%s: %s Until then every item is compared.", folder, MISSING)
            return None

        def searcher(encoder_name: str, index_name: str, dimension: int) -> AnnSearcher:
            encoder = AnnEncoder.load(folder / encoder_name, dimension)
            return encoder, AnnIndex.open(folder / index_name, count, encoder.width)

        plain = searcher(ANN_ENCODER, ANN_INDEX, dimension)
        if head_dimension is None:
            return cls(plain, None)
        return cls(plain, searcher(TRAINED_ANN_ENCODER, TRAINED_ANN_INDEX, head_dimension))

    def candidates(
        self,
        shape: np.ndarray,
        silhouette: np.ndarray | None,
        colours: np.ndarray | None,
        n: int,
        mask: np.ndarray | None = None,
        *,
        trained: bool = False,
    ) -> list[np.ndarray] | None:
        """Rows, ascending, among which the ``n`` best of each query are expected, or ``None`` where
        all items must be compared: few are allowed by ``mask``, bool ``(N,)``, many are wanted, or
        too few candidates were found. The queries' weighted rows are ``shape``, float32 ``(Q, D)``
        or with ``trained`` ``(Q, E)``, ``silhouette`` and ``colours``; ``None`` has no weight."""
        searcher = self.trained if trained else self.plain
        if searcher is None:
            return None
        encoder, index = searcher
        allowed = len(index) if mask is None else int(mask.sum())
        if allowed <= FEW_ITEMS or n > len(index) // 100:
            return None
        queries = encoder.encode(shape, silhouette, colours)
        params = _search_params(queries, TRAINED if trained else PLAIN)
        candidates = index.candidates(queries, n, params, mask)
        return None if min(map(len, candidates)) < n else candidates


def _search_params(queries: np.ndarray, params: AnnSearchParams) -> AnnSearchParams:
    squares = queries**2
    of_colours = squares[:, -MAX_DIRECTIONS[-1] :].sum() / max(squares.sum(), 1e-12)
    factor = next((factor for least, factor in COLOUR_FACTORS if of_colours > least), 1)
    return AnnSearchParams(*(factor * number for number in params))


def write_ann(
    folder: Path,
    vectors: Matrix,
    descriptors: np.ndarray,
    *,
    trained: bool = False,
    previous: Ann | None = None,
) -> None:
    """Write what finds candidates among items of these unit rows, ``(N, D)``, and descriptors,
    uint8 ``(N, DESCRIPTOR_LENGTH)``; with ``trained``, the rows are the head's projections. What
    ``previous`` learned, of the same network and reduction, is taken over. Raises ``OSError``."""
    learned = None if previous is None else previous.trained if trained else previous.plain
    encoder, centres = learned or (None, None)

    def parts(rows: Any) -> list[np.ndarray]:
        release(vectors, descriptors)  # what was read before
        block = descriptors[rows]
        return [vectors[rows], unit_bytes(block[:, SILHOUETTE]), unit_bytes(block[:, COLOURS])]

    if encoder is None or len(encoder.shape) != vectors.shape[1]:
        rows = np.arange(0, len(vectors), max(1, len(vectors) // ENCODER_SAMPLE))
        blocks = [parts(rows[i : i + ROWS_AT_ONCE]) for i in range(0, len(rows), ROWS_AT_ONCE)]
        sample = map(np.concatenate, zip(*blocks, strict=True))
        encoder = AnnEncoder(*map(_directions, sample, MAX_DIRECTIONS))
        centres = None
    save_file(encoder._asdict(), folder / (TRAINED_ANN_ENCODER if trained else ANN_ENCODER))
    path = folder / (TRAINED_ANN_INDEX if trained else ANN_INDEX)
    AnnIndex.write(
        path, lambda rows: encoder.encode(*parts(rows)), len(vectors), encoder.width, centres
    )
