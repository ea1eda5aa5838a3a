"""An inverted file of faiss: codes in groups, of which a search visits the closest.

Items are grouped around some thousand centres (Sivic and Zisserman 2003). A graph of the centres
leads to the closest (HNSW, Malkov and Yashunin 2018). Under a filter the query is compared with the
centres of all groups that hold an allowed item.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fitting_room.index.scoring import ROWS_AT_ONCE

#: Gives the codes, float32 ``(_, width)``, of a slice or an array of row numbers.
Codes = Callable[[Any], np.ndarray]

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
        probes = min(max(params.probes, n // 8), self._inverted.nlist)
        try:
            if mask is None:
                _, hits = self._inverted.search(queries, count, params=_params(probes))
            else:
                hits = self._search_allowed(queries, count, probes, mask)
        except (RuntimeError, MemoryError, SystemError) as error:
            raise AnnIndexError("what finds candidates is damaged") from error
        hits.sort(axis=1)
        # -1 stands where there were too few, and a damaged file may say anything.
        end = len(self)
        return [
            rows if rows[0] >= 0 and rows[-1] < end else rows[(rows >= 0) & (rows < end)]
            for rows in hits
        ]

    def _search_allowed(
        self, queries: np.ndarray, count: int, probes: int, mask: np.ndarray
    ) -> np.ndarray:
        """Rows, int64 ``(Q, count)``, with -1 where there are too few. A filter may leave nothing
        in the groups around a query. So the closest of those that hold an allowed item are visited,
        as many as hold together what ``probes`` groups hold without a filter."""
        faiss, groups = _faiss(), self._groups
        queries = np.ascontiguousarray(queries, np.float32)
        # compress takes a fifth of the time that indexing by a mask does
        held = np.bincount(np.compress(mask, groups.of_items), minlength=len(groups.centres))
        holding = np.flatnonzero(held)
        scores = np.empty((len(queries), count), np.float32)
        hits = np.full((len(queries), count), -1, np.int64)
        if not len(holding):
            return hits
        closeness = (queries @ groups.centres.T)[:, holding]
        visited = holding[np.argsort(-closeness, axis=1)]
        before = np.cumsum(held[visited], axis=1) - held[visited]
        visited[before >= probes * len(self) / len(groups.centres)] = -1  # faiss passes over these
        most = int((visited >= 0).sum(axis=1).max())
        visited = np.ascontiguousarray(visited[:, :most])
        selector = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        params = faiss.SearchParametersIVF(sel=selector, nprobe=most)
        # The method of this name without _c takes no filter.
        arrays = (np.zeros(visited.shape, np.float32), scores, hits)
        pointers = [faiss.swig_ptr(array) for array in (visited, *arrays)]
        self._inverted.search_preassigned_c(
            len(queries), faiss.swig_ptr(queries), count, *pointers, False, params
        )
        return hits

    @cached_property
    def _groups(self) -> _Groups:
        """Raises :class:`AnnIndexError` where the file names other items than there are."""
        faiss = _faiss()
        groups = faiss.downcast_InvertedLists(self._inverted.invlists)
        of_items = np.zeros(len(self), np.uint16)
        for group in range(groups.nlist):
            if size := groups.list_size(group):
                items = faiss.rev_swig_ptr(groups.get_ids(group), size)
                if items.min() < 0 or items.max() >= len(self):
                    raise AnnIndexError("what finds candidates is damaged")
                of_items[items] = group
        return _Groups(of_items, self._inverted.quantizer.reconstruct_n(0, groups.nlist))


class _Groups(NamedTuple):
    """The group of each item, uint16 ``(N,)``, and the groups' centres, float32 ``(G, width)``."""

    of_items: np.ndarray
    centres: np.ndarray


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


@lru_cache(maxsize=64)  # 20 us to make, a fifth of a search
def _params(probes: int) -> Any:
    faiss = _faiss()
    graph = faiss.SearchParametersHNSW(efSearch=probes + min(probes, MAX_EXTRA_CENTRES))
    return faiss.SearchParametersIVF(nprobe=probes, quantizer_params=graph)


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
