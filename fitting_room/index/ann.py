"""Finding candidates among millions of items without looking at each: an inverted file of faiss.

Items are grouped around some thousand centres (Sivic and Zisserman 2003), and a search looks at
the groups whose centres are most like the query, which a graph of the centres leads to (Malkov and
Yashunin 2018). What it looks at are *sketches*, 8 bits a number:
the item's embedding (or what the head makes of it), its silhouette and its colours, each in a few
directions. Likeness is a sum of dot products of which only the query's side has weights, so one
structure serves every weight of colour. The candidates are then compared exactly, as without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.imaging.descriptors import COLOURS, SILHOUETTE
from fitting_room.index.scoring import unit_bytes
from fitting_room.index.vectors import RowsWriter, taken

#: Numbers (items x dimensions) from which on an index gets such a structure: up to here exact
#: search takes some hundredths of a second. 500,000 items of 128 dimensions, 50,000 of 1,280.
WORTHWHILE_FROM = 64_000_000
#: Directions that embeddings, silhouettes and colours are kept in at most. Chosen on the catalogue:
#: with 200 candidates at least 0.99 of the exact top 10 are among them for every weight of colour.
SHAPE_DIRECTIONS, SILHOUETTE_DIRECTIONS, COLOUR_DIRECTIONS = 128, 16, 32
#: There are ``GROUPS * items ** GROWTH`` groups, whose centres a sample is learned from in some
#: rounds. More groups take longer to learn and are smaller to look at.
GROUPS, GROWTH, MOST_GROUPS = 0.5, 0.7, 16_384
POINTS_PER_GROUP, ROUNDS, MOST_SAMPLE_NUMBERS = 32, 6, 100_000_000
#: Links of each centre in their graph, how broadly it is made, and searched for an item's group.
LINKS, BREADTHS = 16, (100, 24)
#: Centres that are kept in sight beside those that are wanted, at most and as many as those.
MOST_IN_SIGHT = 64
#: Bytes of groups that a build holds on to after it has looked at them.
RELEASED_FROM = 32_000_000
#: With a filter that lets at most this many items through they are all compared instead.
FEW_ITEMS = 50_000

#: The newest faiss whose files were compared with ours.
KNOWN = "1.15.1"

MISSING = (
    "Large catalogues are searched faster with faiss, which is not installed. "
    "Run: pip install 'fitting-room[scale]'"
)


class AnnIndexError(ValueError):
    """A file that is no such structure, or of another index."""


def is_available() -> bool:
    """Whether faiss is installed."""
    from importlib.util import find_spec

    return find_spec("faiss") is not None


@dataclass(frozen=True, slots=True)
class AnnSearchParams:
    """How much a question is worth: ``probes`` groups are looked at, and there are ``per_result``
    candidates for each result asked for, at least ``least``."""

    probes: int
    per_result: int
    least: int


#: For rows that are compared by all that the structure holds of them.
BARE = AnnSearchParams(32, 3, 30)


@dataclass(frozen=True, slots=True, eq=False)
class AnnEncoder:
    """The directions, unit columns, that embeddings, float32 ``(D, E)``, silhouettes, ``(300, S)``,
    and colours, ``(388, C)``, are kept in."""

    shape: np.ndarray
    silhouette: np.ndarray
    colours: np.ndarray

    @classmethod
    def fit(cls, vectors: np.ndarray, descriptors: np.ndarray) -> AnnEncoder:
        """The directions that keep most of the dot products among some items, of their embeddings,
        float32 ``(N, D)``, and appearances, uint8 ``(N, APPEARANCE)``: the first eigenvectors of
        their second moments."""
        return cls(
            _directions(vectors, SHAPE_DIRECTIONS),
            _directions(unit_bytes(descriptors[:, SILHOUETTE]), SILHOUETTE_DIRECTIONS),
            _directions(unit_bytes(descriptors[:, COLOURS]), COLOUR_DIRECTIONS),
        )

    def items(self, vectors: np.ndarray, descriptors: np.ndarray) -> np.ndarray:
        """Sketches of items, float32 ``(N, E + S + C)``, of their embeddings, float32 ``(N, D)``,
        and appearances, uint8."""
        silhouettes = unit_bytes(descriptors[:, SILHOUETTE]) @ self.silhouette
        colours = unit_bytes(descriptors[:, COLOURS]) @ self.colours
        return np.hstack([vectors @ self.shape, silhouettes, colours])

    def queries(
        self, shape: np.ndarray, silhouette: np.ndarray | None, colours: np.ndarray | None
    ) -> np.ndarray:
        """Sketches of queries, float32 ``(Q, E + S + C)``, of the weighted rows that items are
        multiplied with."""
        count = len(shape)
        parts = [shape @ self.shape]
        for rows, directions in ((silhouette, self.silhouette), (colours, self.colours)):
            nothing = np.zeros((count, directions.shape[1]), np.float32)
            parts.append(nothing if rows is None else rows @ directions)
        return np.ascontiguousarray(np.hstack(parts), np.float32)

    @property
    def width(self) -> int:
        """E + S + C."""
        parts = (self.shape, self.silhouette, self.colours)
        return sum(int(directions.shape[1]) for directions in parts)


def _directions(rows: np.ndarray, most: int) -> np.ndarray:
    if rows.shape[1] <= most:
        return np.eye(rows.shape[1], dtype=np.float32)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    return np.ascontiguousarray(vectors[:, -most:], np.float32)


class AnnIndex:
    """The inverted file. Safe to share between threads."""

    def __init__(self, path: Path, inverted: Any) -> None:
        self._path, self._inverted = path, inverted
        self._asked: dict[int, Any] = {}
        self._looked_at = 0  # groups, since the file was mapped

    @classmethod
    def write(
        cls,
        path: Path,
        blocks: Callable[[], Iterator[np.ndarray]],
        count: int,
        dimension: int,
        *,
        previous: AnnIndex | None = None,
        seed: int = 0,
    ) -> None:
        """Group ``count`` rows, float32 ``(_, dimension)``, which ``blocks`` hands out in their
        order, as often as it is called, and write the structure to ``path``. The centres of
        ``previous`` are taken over while the catalogue is of about its size; only new centres need
        learning, which takes longest.

        faiss itself would hold all rows in memory to write them. Here they go to a file beside
        ``path`` as they come and from there to their groups, and ten bytes an item are held. Raises
        :class:`NeighboursError` for a faiss that writes other files.
        """
        inverted = cls._learned(blocks, count, dimension, previous, seed)
        unsorted = path.with_name(f"{path.name}.unsorted")
        groups = np.empty(count, np.uint16)
        start = 0
        with RowsWriter(unsorted, np.uint8, count, inverted.code_size) as writer:
            for block in blocks():
                sketches = np.ascontiguousarray(block, np.float32)
                _, nearest = inverted.quantizer.search(sketches, 1)
                # faiss says -1 of a row that is no numbers; it is near no centre and never found.
                groups[start : start + len(block)] = np.maximum(nearest[:, 0], 0)
                writer.append(inverted.sq.compute_codes(sketches))
                start += len(block)
        order = np.argsort(groups, kind="stable")
        sizes = np.bincount(groups, minlength=inverted.nlist)
        codes = np.load(unsorted, mmap_mode="r")
        with path.open("wb") as file:
            file.write(_head(inverted, sizes))
            for rows in np.split(order, np.cumsum(sizes)[:-1]):
                file.write(taken(codes, rows).tobytes())
                file.write(rows.astype("<i8").tobytes())
        del codes
        unsorted.unlink()

    @classmethod
    def _learned(
        cls,
        blocks: Callable[[], Iterator[np.ndarray]],
        count: int,
        dimension: int,
        previous: AnnIndex | None,
        seed: int,
    ) -> Any:
        """An inverted file with centres and without rows."""
        import faiss

        groups = max(1, min(int(GROUPS * count**GROWTH), count // 8, MOST_GROUPS))
        if previous is not None and previous._fits(dimension, groups):
            inverted = faiss.clone_index(previous._inverted.quantizer)
            inverted = cls._empty(inverted, dimension, previous._inverted.nlist)
            faiss.copy_array_to_vector(
                faiss.vector_to_array(previous._inverted.sq.trained), inverted.sq.trained
            )
            inverted.is_trained = True
            return inverted
        graph: Any = faiss.IndexHNSWFlat(dimension, LINKS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = BREADTHS
        inverted = cls._empty(graph, dimension, groups)
        inverted.quantizer_trains_alone = 2  # centres first, then their graph
        inverted.cp.spherical, inverted.cp.niter, inverted.cp.seed = True, ROUNDS, seed + 1
        inverted.cp.min_points_per_centroid = 1
        inverted.cp.max_points_per_centroid = POINTS_PER_GROUP
        inverted.train(_sample(blocks(), count, groups, dimension, seed))
        return inverted

    @staticmethod
    def _empty(quantizer: Any, dimension: int, groups: int) -> Any:
        import faiss

        inverted = faiss.IndexIVFScalarQuantizer(
            quantizer,
            dimension,
            groups,
            faiss.ScalarQuantizer.QT_8bit,
            faiss.METRIC_INNER_PRODUCT,
            False,  # not by residual: a number then costs the same whatever the group
        )
        inverted.own_fields = True
        quantizer.this.disown()
        return inverted

    def _fits(self, dimension: int, groups: int) -> bool:
        return bool(
            self._inverted.d == dimension and groups / 2 <= self._inverted.nlist <= groups * 2
        )

    @classmethod
    def open(cls, path: Path, count: int, dimension: int) -> AnnIndex:
        """Map a file that :meth:`write` wrote; the groups are read when they are looked at. Raises
        :class:`NeighboursError` unless it has ``count`` rows of ``dimension``."""
        import faiss

        try:
            inverted = _mapped(path)
        except RuntimeError as error:
            raise AnnIndexError(f"{path.name} is damaged") from error
        sound = (
            isinstance(inverted, faiss.IndexIVFScalarQuantizer)
            and inverted.metric_type == faiss.METRIC_INNER_PRODUCT
            and (inverted.ntotal, inverted.d) == (count, dimension)
        )
        if not sound:
            raise AnnIndexError(f"{path.name} does not belong to this index")
        return cls(path, inverted)

    def release(self) -> None:
        """Let go of the memory of groups that were looked at, once it may be much. For a build:
        the file must still be where it was opened."""
        of_one = self._inverted.ntotal * self._inverted.code_size / self._inverted.nlist
        if self._looked_at * of_one > RELEASED_FROM:
            self._inverted, self._looked_at = _mapped(self._path), 0

    def candidates(
        self,
        queries: np.ndarray,
        results: int,
        mask: np.ndarray | None = None,
        search_params: AnnSearchParams = BARE,
    ) -> Sequence[np.ndarray]:
        """Rows, ascending, among which the ``results`` best of each query are looked for.
        ``queries`` are sketches, float32 ``(Q, D)``; ``mask``, bool ``(N,)``, says which rows may
        be answered."""
        count = min(
            max(search_params.least, search_params.per_result * results), self._inverted.ntotal
        )
        asked = self._parameters(max(search_params.probes, results // 8), mask)
        self._looked_at += asked.nprobe * len(queries)
        _, found = self._inverted.search(queries, count, params=asked)
        found.sort(axis=1)
        return [rows if rows[0] >= 0 else rows[rows >= 0] for rows in found]

    def _parameters(self, probes: int, mask: np.ndarray | None) -> Any:
        """How many groups are looked at, in faiss's words, and which rows count."""
        if mask is None and probes in self._asked:
            return self._asked[probes]
        # faiss describes its C++ side, and the Python side takes keywords and arrays.
        faiss: Any = import_module("faiss")
        options, wanted = {}, probes
        if mask is not None:
            # Groups are as many times emptier as fewer items are allowed.
            wanted = round(probes * len(mask) / max(1, int(mask.sum())))
            options["sel"] = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        wanted = min(self._inverted.nlist, wanted)
        # A graph finds what it keeps in sight, so it keeps more than is wanted of it.
        in_graph = faiss.SearchParametersHNSW(efSearch=wanted + min(wanted, MOST_IN_SIGHT))
        asked = faiss.SearchParametersIVF(nprobe=wanted, quantizer_params=in_graph, **options)
        if mask is None:
            self._asked[probes] = asked
        return asked


def _mapped(path: Path) -> Any:
    """An inverted file whose groups are read when they are looked at."""
    faiss: Any = import_module("faiss")  # whose C++ side only is described to type checkers
    inverted = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
    if isinstance(inverted, faiss.IndexIVFScalarQuantizer):
        # Threads that read groups ahead, made anew for each question, take longer than groups.
        faiss.downcast_InvertedLists(inverted.invlists).prefetch_nthread = 0
    return inverted


def _head(inverted: Any, sizes: np.ndarray) -> bytes:
    """What faiss writes of an inverted file before the groups' rows: of each group these are the
    codes and then the numbers, of 64 bits. ``sizes`` says how many each group has."""
    import faiss

    inverted.ntotal = int(sizes.sum())
    written = faiss.serialize_index(inverted).tobytes()
    shape = b"ilar" + np.array([inverted.nlist, inverted.code_size], "<u8").tobytes()
    without_rows = shape + b"sprs" + bytes(8)  # how it says that all groups are empty
    if not written.endswith(without_rows):
        raise AnnIndexError(
            f"faiss {faiss.__version__} writes other files than this program knows. Install one "
            f"that does not: pip install 'faiss-cpu=={KNOWN}'"
        )
    counted = np.array([inverted.nlist, *sizes], "<u8").tobytes()
    return bytes(written[: -len(without_rows)] + shape + b"full" + counted)


def _sample(
    blocks: Iterator[np.ndarray], count: int, groups: int, dimension: int, seed: int
) -> np.ndarray:
    wanted = min(count, groups * POINTS_PER_GROUP, max(groups, MOST_SAMPLE_NUMBERS // dimension))
    chosen = np.sort(np.random.default_rng(seed).choice(count, wanted, replace=False))
    sample = np.empty((wanted, dimension), np.float32)
    start = 0
    for block in blocks:
        low, high = np.searchsorted(chosen, (start, start + len(block)))
        sample[low:high] = block[chosen[low:high] - start]
        start += len(block)
    if start != count:
        raise ValueError(f"{start} rows for {count} items")
    return sample
