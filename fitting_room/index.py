"""Embeddings and items on disk, and the search in them.

An index is a folder: ``vectors.npy`` (float32 unit rows, memory-mapped), ``appearances.npy``
(what the pictures look like without a network, uint8), ``items.parquet`` (the catalogue's table,
one row per vector), ``manifest.json`` (what made it, and a checksum for each file); where the
vectors were reduced, ``pca.npz``; and where a head was trained, ``head.safetensors`` and
``trained.npy``, the items as the head sees them. It is written under another name and put in place
at once, so that a reader sees the old one or the new one and nothing between.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import shutil
import sys
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from fitting_room import appearance, calibration
from fitting_room.appearance import APPEARANCE, COLOURS, SILHOUETTE, STUDIO
from fitting_room.embedder import Features, normalise
from fitting_room.head import Head, HeadError

FORMAT = "fitting-room-index"
FORMAT_VERSION = 2
VECTORS, ITEMS, MANIFEST, PCA_FILE = "vectors.npy", "items.parquet", "manifest.json", "pca.npz"
APPEARANCES, HEAD_FILE, TRAINED = "appearances.npy", "head.safetensors", "trained.npy"
FILES = frozenset({VECTORS, ITEMS, PCA_FILE, APPEARANCES, HEAD_FILE, TRAINED})

MAX_MANIFEST_BYTES = 64 * 2**20
MAX_DIMENSION = 65_536
#: How far a float32 score may be from the exact one: sums of some thousand products of unit
#: vectors, each rounded to 2**-24.
SCORE_ERROR = 4e-6
#: Scores (queries x items) computed at once; bounds the memory of a search to 4 bytes each.
SCORES_AT_ONCE = 32_000_000
#: Below this share of the catalogue a filter's rows are gathered and searched by themselves.
SPARSE_FILTER = 0.2
#: Rows that are turned from bytes into numbers, or compared one number at a time, at once.
ROWS_AT_ONCE = 8_192

#: Two items look all but the same from these cosines of embeddings and of colours (and of
#: silhouettes) on: what re-encoded, slightly cropped or brightened copies reach.
SAME_SHAPE, SAME_COLOURS = 0.96, 0.95

COSINE, JACCARD = "cosine", "jaccard"
METRICS = (COSINE, JACCARD)
#: Share of the silhouette in the likeness of shape, between studio pictures and without a head.
SILHOUETTE_SHARE = 0.3
#: Share of the network's own embedding in the likeness of shape beside a head, which knows kinds
#: and colours better but forgets what tells one item from its like: a copy finds its original.
EMBEDDING_SHARE = 0.15
#: Weight of colour where nobody chose one: without a head, which knows no colour of its own, and
#: with one; and of photographs, whose light and surroundings make colours less sure. Chosen by
#: evaluation, as the share above: docs/relevance.md.
COLOUR_WEIGHT, COLOUR_WEIGHT_TRAINED, COLOUR_WEIGHT_PHOTOGRAPH = 0.12, 0.1, 0.03

#: Columns of ``items`` that are the index's own and say nothing of the goods.
INTERNAL_COLUMNS = frozenset({"image", "signature", "digest"})

#: Values wanted by column: any of a column's values, all of the columns.
Where = Mapping[str, str | Sequence[str]]


class IndexUnusable(Exception):  # noqa: N818
    """An index that is not there, is damaged, or was made by another network; says what to do."""


class FilterError(ValueError):
    """A filter names a column that the catalogue does not have."""


class ReductionError(ValueError):
    """A PCA to more dimensions than there are pictures or numbers in an embedding."""


@dataclass(frozen=True, slots=True)
class PCA:
    """A linear reduction: ``x -> normalise((x - mean) @ components.T)``. ``components`` is float32
    ``(d, D)``, ``mean`` ``(D,)``; ``fitted_on`` counts the embeddings it was learned from."""

    mean: np.ndarray
    components: np.ndarray
    fitted_on: int

    @classmethod
    def fit(cls, vectors: np.ndarray, dimension: int) -> PCA:
        """Learn the ``dimension`` directions of greatest variance. Raises
        :class:`ReductionError` when there are fewer embeddings, or they have fewer dimensions."""
        from sklearn import decomposition

        if dimension < 1 or dimension > min(vectors.shape):
            raise ReductionError(
                f"--pca {dimension} needs embeddings of at least that many dimensions and at least "
                f"that many pictures; there are {vectors.shape[0]} of {vectors.shape[1]}."
            )
        fitted = decomposition.PCA(dimension, svd_solver="covariance_eigh").fit(vectors)
        return cls(
            np.asarray(fitted.mean_, np.float32),
            np.asarray(fitted.components_, np.float32),
            len(vectors),
        )

    @property
    def dimension(self) -> int:
        return len(self.components)

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        return normalise((vectors - self.mean) @ self.components.T)


@dataclass(frozen=True, slots=True)
class Hits:
    """The result for one query: rows of the index and their cosine similarities, best first."""

    rows: np.ndarray
    similarities: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Ranking:
    """How likeness is measured: ``(1 - colour) * shape + colour * likeness of the colours``.

    ``colour`` is a weight from 0 to 1, or ``None`` for the index's own. Shape is the cosine of
    what the head makes of the pictures, with a share of the network's own, where the index has a
    head and ``trained`` is set. Otherwise it is the ``metric`` of the network's embeddings, with
    the silhouette beside it where both pictures were taken in a studio; ``silhouette`` is its
    share, from 0 to 1. ``metric`` is ``"cosine"``, or ``"jaccard"`` for the weighted Jaccard
    similarity (Ruzicka 1958), which compares embeddings and therefore never the head's.
    """

    colour: float | None = None
    trained: bool = True
    metric: str = COSINE
    silhouette: float = SILHOUETTE_SHARE

    def __post_init__(self) -> None:
        if self.colour is not None and not 0 <= self.colour <= 1:
            raise ValueError("the weight of colour lies between 0 and 1")
        if not 0 <= self.silhouette <= 1:
            raise ValueError("the share of the silhouette lies between 0 and 1")
        if self.metric not in METRICS:
            raise ValueError(f"There is no metric {self.metric!r}. Known: {', '.join(METRICS)}.")


@dataclass(frozen=True, slots=True)
class _Part:
    """One summand of the likeness: ``rows`` ``(N, d)`` of the index, float32, or uint8 with a
    ``scale`` for each row, and the ``queries`` ``(Q, d)`` with their weights already in them."""

    rows: np.ndarray
    queries: np.ndarray
    scale: np.ndarray | None = None

    def add_to(self, scores: np.ndarray, queries: slice, rows: np.ndarray | None) -> None:
        """Add this part's scores ``(queries, rows)`` for some of the queries."""
        wanted = self.queries[queries]
        for start in range(0, scores.shape[1], ROWS_AT_ONCE):
            block = slice(start, start + ROWS_AT_ONCE)
            chosen: slice | np.ndarray = block if rows is None else rows[block]
            values = self.rows[chosen]
            if self.scale is not None:
                values = values.astype(np.float32)
            # One query is a matrix-vector product, which reads the rows once and fastest.
            part = (values @ wanted[0])[None] if len(wanted) == 1 else wanted @ values.T
            if self.scale is not None:
                part = part * self.scale[chosen]
            scores[:, block] += part

    def exact(self, rows: np.ndarray, query: int) -> np.ndarray:
        """The scores of some rows in float64, each summed in the same order: equal rows get equal
        scores, which a matrix product does not promise, so that ties can be told."""
        wanted = self.queries[query].astype(np.float64)
        result = np.empty(len(rows), np.float64)
        for start in range(0, len(rows), 1024):
            block = slice(start, start + 1024)
            result[block] = np.multiply(self.rows[rows[block]], wanted).sum(axis=1)
        if self.scale is not None:
            result *= self.scale[rows]
        return result


@dataclass(frozen=True, slots=True)
class _JaccardPart:
    """The weighted Jaccard similarity of embeddings, averaged over the views of each query:
    the sum of the lesser over the sum of the greater values. Embeddings after a PCA have negative
    values; positive and negative parts then count as coordinates of their own. Either way it is
    ``(a + b - d) / (a + b + d)`` with the two sums of absolute values and their city-block
    distance ``d``, so that one pass over the rows does, a block at a time."""

    rows: np.ndarray
    views: Sequence[np.ndarray]
    weights: np.ndarray

    def add_to(self, scores: np.ndarray, queries: slice, rows: np.ndarray | None) -> None:
        step = max(1, ROWS_AT_ONCE * 64 // self.rows.shape[1])  # some 2 MB: stays in the cache
        work = np.empty((step, self.rows.shape[1]), np.float32)
        for start in range(0, scores.shape[1], step):
            block = slice(start, start + step)
            values = self.rows[block if rows is None else rows[block]]
            sums = np.abs(values, out=work[: len(values)]).sum(axis=1)
            for place, query in enumerate(range(*queries.indices(len(self.views)))):
                for view in self.views[query]:
                    np.subtract(values, view, out=work[: len(values)])
                    distance = np.abs(work[: len(values)], out=work[: len(values)]).sum(axis=1)
                    share = self.weights[query] / len(self.views[query])
                    both = sums + np.abs(view).sum()
                    scores[place, block] += share * (both - distance) / (both + distance)

    def exact(self, rows: np.ndarray, query: int) -> np.ndarray:
        values = np.asarray(self.rows[rows], np.float64)
        result = np.zeros(len(rows), np.float64)
        for view in self.views[query].astype(np.float64):
            both = np.abs(values).sum(axis=1) + np.abs(view).sum()
            distance = np.abs(values - view).sum(axis=1)
            result += (both - distance) / (both + distance) / len(self.views[query])
        result *= self.weights[query]
        return result


class Index:
    """An opened index. Immutable and safe to share between threads.

    ``vectors`` is float32 ``(N, D)`` with unit rows, ``appearances`` uint8 ``(N, APPEARANCE)``,
    ``items`` the table of ``N`` items, ``trained`` float32 ``(N, E)`` what ``head`` makes of them.
    """

    def __init__(
        self,
        folder: Path,
        manifest: dict[str, Any],
        vectors: np.ndarray,
        appearances: np.ndarray,
        items: pd.DataFrame,
        pca: PCA | None,
        head: Head | None = None,
        trained: np.ndarray | None = None,
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.vectors = vectors
        self.appearances = appearances
        self.items = items
        self.pca = pca
        self.head = head
        self.trained = trained
        self.calibration = calibration.Calibration.from_manifest(manifest["calibration"])
        self._scales: dict[int, np.ndarray] = {}

    @classmethod
    def open(cls, folder: str | Path) -> Index:
        """Open an index; the vectors are mapped, not read. Raises :class:`IndexUnusable`."""
        folder = Path(folder)
        for attempt in range(5):
            try:
                index = cls._open(folder)
                # Put in place anew between the first file and the last? Then read once more.
                if _read_manifest(folder).get("build") == index.manifest.get("build"):
                    return index
            except IndexUnusable:
                if attempt == 4:
                    if not folder.exists() and _previous(folder).is_dir():
                        return cls._open(_previous(folder))
                    raise
        raise IndexUnusable(f"{folder}: the index is being replaced all the time. Try again.")

    @classmethod
    def _open(cls, folder: Path) -> Index:
        manifest = _read_manifest(folder)
        items_count, dimension = manifest["counts"]["items"], manifest["dimension"]
        for name, entry in manifest["files"].items():
            try:
                size = (folder / name).stat().st_size
            except OSError as error:
                raise _damaged(folder, f"{name} is missing") from error
            if size != entry["bytes"]:
                raise _damaged(folder, f"{name} has another size than it was written with")
        if not {VECTORS, ITEMS, APPEARANCES} <= set(manifest["files"]):
            raise _damaged(folder, "the manifest does not name all files")
        # Small files are read in full anyway, so they are checked in full.
        for name in (ITEMS, PCA_FILE, HEAD_FILE):
            if name in manifest["files"]:
                _check_sum(folder, name, manifest)
        try:
            vectors = _mapped(folder, VECTORS, np.float32, (items_count, dimension))
            appearances = _mapped(folder, APPEARANCES, np.uint8, (items_count, APPEARANCE))
            items = pd.read_parquet(folder / ITEMS)
            pca = _read_pca(folder) if PCA_FILE in manifest["files"] else None
            head, trained = None, None
            if HEAD_FILE in manifest["files"]:
                head = Head.load(folder / HEAD_FILE)
                trained = _mapped(folder, TRAINED, np.float32, (items_count, head.dimension))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, HeadError) as error:
            raise _damaged(folder, str(error)) from error
        if head is not None and head.input_dimension != dimension:
            raise _damaged(folder, f"{HEAD_FILE} does not fit the vectors")
        if len(items) != items_count or not {"id", "image"} <= set(items.columns):
            raise _damaged(folder, f"{ITEMS} does not hold the items of the manifest")
        if pca is not None and pca.dimension != dimension:
            raise _damaged(folder, f"{PCA_FILE} does not fit the vectors")
        try:
            return cls(folder, manifest, vectors, appearances, items, pca, head, trained)
        except (KeyError, ValueError) as error:
            raise _damaged(folder, str(error)) from error

    def __len__(self) -> int:
        return len(self.items)

    @property
    def dimension(self) -> int:
        return int(self.manifest["dimension"])

    @property
    def identity(self) -> dict[str, Any]:
        """Which network, weights and preprocessing made it."""
        identity: dict[str, Any] = self.manifest["identity"]
        return identity

    def verify(self) -> None:
        """Read every file and compare its checksum. Raises :class:`IndexUnusable`."""
        for name in self.manifest["files"]:
            _check_sum(self.folder, name, self.manifest)

    def require(self, identity: Mapping[str, Any]) -> None:
        """Raise :class:`IndexUnusable` unless queries of that network may be asked here."""
        if dict(identity) == self.identity:
            return
        raise IndexUnusable(
            f"{self.folder}: this index was made by {_in_words(self.identity)} and cannot be "
            f"searched with {_in_words(identity)}. Build it again with: fitting-room build "
            f"CATALOGUE --index {self.folder} --backbone {identity.get('backbone')}"
        )

    @property
    def mostly_studio(self) -> bool:
        """Whether most of the catalogue's pictures have a plain ground."""
        return bool(self.manifest["counts"]["studio"] * 2 > len(self))

    def colour_weight(self, ranking: Ranking, *, studio: bool = True) -> float:
        """The weight of colour that a ranking comes to here, for a picture from a studio or for a
        photograph."""
        if ranking.colour is not None:
            return ranking.colour
        if not studio and self.mostly_studio:
            return COLOUR_WEIGHT_PHOTOGRAPH
        return COLOUR_WEIGHT_TRAINED if self.uses_head(ranking) else COLOUR_WEIGHT

    def uses_head(self, ranking: Ranking) -> bool:
        """Whether a ranking uses a head here."""
        return ranking.trained and ranking.metric == COSINE and self.head is not None

    def search(
        self,
        queries: Sequence[Features] | np.ndarray,
        n: int,
        where: Where | None = None,
        *,
        ranking: Ranking = Ranking(),
        exclude: np.ndarray | None = None,
    ) -> list[Hits]:
        """The ``n`` most similar items for each query, exactly.

        ``queries`` are features, or embeddings float32 ``(Q, D0)`` of pictures of which nothing
        else is known, so that colour has no weight (``D0`` is the embedding's dimension; the index
        applies its own PCA). Items that ``exclude``, bool ``(N,)``, marks are not answered. Fewer
        than ``n`` hits come back when the catalogue, or what the filter leaves of it, is smaller.
        Of equally similar items the earlier one comes first.

        Raises :class:`FilterError` for an unknown column and ``ValueError`` for ``n`` below 1 or
        queries of another dimension.
        """
        if n < 1:
            raise ValueError("n must be at least 1")
        asked = _as_features(queries)
        if not asked:
            return []
        parts = self._parts(asked, ranking)
        mask = self.mask(where) if where else None
        if exclude is not None:
            mask = ~exclude if mask is None else mask & ~exclude
        rows = None
        if mask is not None:
            rows = np.flatnonzero(mask)
            if len(rows) < SPARSE_FILTER * len(self):
                mask = None
            else:
                rows = None
        size = len(self) if rows is None else len(rows)
        allowed = size if mask is None else int(mask.sum())
        hits = []
        step = max(1, SCORES_AT_ONCE // max(1, size))
        for start in range(0, len(asked), step):
            some = slice(start, min(start + step, len(asked)))
            scores = np.zeros((some.stop - start, size), np.float32)
            for part in parts:
                part.add_to(scores, some, rows)
            for query, of_query in enumerate(scores, start):
                if mask is not None:
                    of_query[~mask] = -np.inf
                near = _near_top(of_query, min(n, allowed))
                if rows is not None:
                    near = rows[near]
                exact = sum((p.exact(near, query) for p in parts), np.zeros(len(near)))
                best = np.argsort(-exact, kind="stable")[:n]
                hits.append(Hits(near[best], np.clip(exact[best], -1.0, 1.0).astype(np.float32)))
        return hits

    def _parts(
        self, queries: Sequence[Features], ranking: Ranking
    ) -> Sequence[_Part | _JaccardPart]:
        """What the likeness to some queries is the sum of."""
        views = [
            q.embeddings if isinstance(q, _Stored) else self._reduced(q.embeddings) for q in queries
        ]
        looks = np.stack([query.appearance for query in queries])
        colours = _unit_bytes(looks[:, COLOURS])
        # A picture of which only the embedding is known has no colours.
        weights = [self.colour_weight(ranking, studio=query.studio) for query in queries]
        weight = np.where(colours.any(axis=1), weights, 0.0)[:, None]
        parts: list[_Part | _JaccardPart] = []
        if self.uses_head(ranking):
            assert self.head is not None and self.trained is not None  # noqa: S101
            ends = np.cumsum([len(part) for part in views])
            projected = self.head.project(
                np.concatenate(views), np.repeat(looks, [len(part) for part in views], axis=0)
            )
            means = [part.mean(axis=0) for part in np.split(projected, ends[:-1])]
            learned = (1 - weight) * (1 - EMBEDDING_SHARE) * normalise(np.stack(means))
            parts.append(_Part(self.trained, np.asarray(learned, np.float32)))
            means = [part.mean(axis=0) for part in views]
            bare = (1 - weight) * EMBEDDING_SHARE * normalise(np.stack(means))
            parts.append(_Part(self.vectors, np.asarray(bare, np.float32)))
        else:
            outlined = (looks[:, STUDIO] > 0) & looks[:, SILHOUETTE].any(axis=1)
            share = np.where(outlined, ranking.silhouette, 0.0)[:, None]
            if ranking.metric == JACCARD:
                whole = ((1 - weight) * (1 - share))[:, 0]
                parts.append(_JaccardPart(self.vectors, views, whole))
            else:
                means = [part.mean(axis=0) for part in views]
                shape = (1 - weight) * (1 - share) * normalise(np.stack(means))
                parts.append(_Part(self.vectors, np.asarray(shape, np.float32)))
            if share.any():
                parts.append(
                    self._byte_part(
                        SILHOUETTE, (1 - weight) * share * _unit_bytes(looks[:, SILHOUETTE])
                    )
                )
        if weight.any():
            parts.append(self._byte_part(COLOURS, weight * colours))
        return parts

    def features(self, rows: np.ndarray) -> list[Features]:
        """What is stored of some items, as queries; the index's own PCA is not applied again."""
        return [
            _Stored(vector[None], look)
            for vector, look in zip(self.vectors[rows], self.appearances[rows], strict=True)
        ]

    def _reduced(self, embeddings: np.ndarray) -> np.ndarray:
        wanted = self.dimension if self.pca is None else self.pca.components.shape[1]
        if embeddings.ndim != 2 or embeddings.shape[1] != wanted:
            raise ValueError(f"a query has {wanted} dimensions here")
        return normalise(embeddings if self.pca is None else self.pca(embeddings))

    def _byte_part(self, columns: slice, queries: np.ndarray) -> _Part:
        rows = self.appearances[:, columns]
        if columns.start not in self._scales:
            scale = np.empty(len(rows), np.float32)
            for start in range(0, len(rows), ROWS_AT_ONCE):
                block = slice(start, start + ROWS_AT_ONCE)
                lengths = np.linalg.norm(rows[block].astype(np.float32), axis=1)
                scale[block] = 1 / np.where(lengths > 0, lengths, 1)
            self._scales[columns.start] = scale
        return _Part(rows, np.asarray(queries, np.float32), self._scales[columns.start])

    def worth(self, similarity: float, ranking: Ranking, *, studio: bool = True) -> float | None:
        """How often items of this likeness were of the query's kind, 0 to 1, where measured.
        ``studio`` says whether the query was a picture from a studio or a photograph."""
        if self.calibration is None or ranking.metric != COSINE:
            return None
        return self.calibration.share(
            similarity,
            colour=self.colour_weight(ranking, studio=studio),
            trained=self.uses_head(ranking),
            street=self.mostly_studio and not studio,
        )

    def unlike_all(self, query: Features) -> bool:
        """Whether a photograph is less like its nearest item than most items, drawn at random, are
        like each other: nothing here resembles it."""
        if self.calibration is None or query.studio or not self.mostly_studio:
            return False
        (nearest,) = self.search([query], 1, ranking=Ranking(colour=0.0, trained=False))
        return len(nearest) > 0 and float(nearest.similarities[0]) < self.calibration.chance

    def near_duplicates(self, hits: Hits) -> list[list[int]]:
        """Places in ``hits``, grouped: the first of a group is the best, the others look all but
        the same as it. Groups come in the order of their first."""
        vectors = np.asarray(self.vectors[hits.rows])
        colours = _unit_bytes(self.appearances[hits.rows][:, COLOURS])
        outlines = _unit_bytes(self.appearances[hits.rows][:, SILHOUETTE])
        groups: list[list[int]] = []
        for place in range(len(hits)):
            for group in groups:
                first = group[0]
                alike = (
                    vectors[first] @ vectors[place] >= SAME_SHAPE
                    and colours[first] @ colours[place] >= SAME_COLOURS
                    and outlines[first] @ outlines[place] >= SAME_COLOURS
                )
                if alike:
                    group.append(place)
                    break
            else:
                groups.append([place])
        return groups

    def mask(self, where: Where) -> np.ndarray:
        """Which items a filter lets through, bool ``(N,)``. Raises :class:`FilterError`."""
        mask = np.ones(len(self), dtype=bool)
        for column, wanted in where.items():
            if column not in self.filter_columns:
                known = ", ".join(self.filter_columns)
                raise FilterError(f"The catalogue has no column {column!r}. It has: {known}.")
            values = [wanted] if isinstance(wanted, str) else [str(value) for value in wanted]
            mask &= self.items[column].isin(values).to_numpy(dtype=bool)
        return mask

    @property
    def filter_columns(self) -> list[str]:
        """The columns that a filter may name."""
        return [str(column) for column in self.items.columns if column not in INTERNAL_COLUMNS]


def _near_top(scores: np.ndarray, n: int) -> np.ndarray:
    """Positions, ascending, of all ``scores`` that may be among the ``n`` greatest once they are
    computed exactly. Takes time linear in their number."""
    if n >= len(scores):
        return np.arange(len(scores))
    least = np.partition(scores, len(scores) - n)[len(scores) - n]
    return np.flatnonzero(scores >= least - SCORE_ERROR)


class _Stored(Features):
    """Features that come out of an index and are reduced already."""


def _as_features(queries: Sequence[Features] | np.ndarray) -> Sequence[Features]:
    if not isinstance(queries, np.ndarray):
        return queries
    unknown = np.zeros(APPEARANCE, np.uint8)
    return [Features(row[None], unknown) for row in np.atleast_2d(queries)]


def _unit_bytes(rows: np.ndarray) -> np.ndarray:
    return normalise(rows.astype(np.float32))


# --- reading ----------------------------------------------------------------------------------


#: What a manifest's identity says in words; the preprocessing is compared as it is.
_IDENTITY_TEXTS = ("backbone", "weights", "weights_sha256")


def _damaged(folder: Path, what: str) -> IndexUnusable:
    return IndexUnusable(f"{folder}: the index is damaged ({what}). Build it again.")


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise IndexUnusable(
            f"{folder}: there is no index here. Build one with: fitting-room build CATALOGUE "
            f"--index {folder}"
        ) from error
    try:
        if len(data) > MAX_MANIFEST_BYTES:
            raise ValueError("manifest.json is too large")
        manifest = json.loads(data)
        if manifest["format"] != FORMAT:
            raise ValueError("manifest.json is of something else")
        version = manifest["format_version"]
        if version != FORMAT_VERSION or manifest["appearance"] != appearance.VERSION:
            raise IndexUnusable(
                f"{folder}: the index has format {version}, this program reads "
                f"{FORMAT_VERSION}. Build it again."
            )
        files = manifest["files"]
        sound = (
            isinstance(manifest["identity"], dict)
            and all(isinstance(manifest["identity"][key], str) for key in _IDENTITY_TEXTS)
            and isinstance(manifest["catalogue"]["location"], str)
            and isinstance(manifest["catalogue"]["report"], dict)
            and isinstance(manifest["created"], str)
            and isinstance(manifest["chosen_because"], str)
            and isinstance(manifest["failures"], list)
            and isinstance(manifest["counts"]["failed"], int)
            and isinstance(manifest["counts"]["studio"], int)
            and isinstance(manifest["head"], dict | None)
            and (manifest["head"] is not None) == (HEAD_FILE in files)
            and (HEAD_FILE in files) == (TRAINED in files)
            and manifest["counts"]["items"] > 0
            and 0 < manifest["dimension"] <= MAX_DIMENSION
            and set(files) <= FILES
            and all(e["bytes"] >= 0 and isinstance(e["sha256"], str) for e in files.values())
        )
        if not sound:
            raise ValueError("manifest.json makes no sense")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(folder, str(error)) from error
    return dict(manifest)


def _mapped(folder: Path, name: str, kind: type[np.generic], shape: tuple[int, int]) -> np.ndarray:
    array = np.load(folder / name, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):  # an archive under the name of an array
        raise ValueError(f"{name} is no array")
    if array.dtype != kind or array.shape != shape:
        raise ValueError(f"{name} holds {array.dtype} {array.shape}")
    return array


def _check_sum(folder: Path, name: str, manifest: dict[str, Any]) -> None:
    try:
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _damaged(folder, f"{name} cannot be read") from error
    if found != manifest["files"][name]["sha256"]:
        raise _damaged(folder, f"{name} is not what was written")


def _read_pca(folder: Path) -> PCA:
    with np.load(folder / PCA_FILE, allow_pickle=False) as file:
        return PCA(file["mean"], file["components"], int(file["fitted_on"]))


def _in_words(identity: Mapping[str, Any]) -> str:
    return (
        f"{identity.get('backbone')} with weights {identity.get('weights')} "
        f"({str(identity.get('weights_sha256'))[:8]})"
    )


# --- writing ----------------------------------------------------------------------------------


@contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder``, on the same disk, that is gone afterwards."""
    path = folder.with_name(f".{folder.name}.new-{uuid.uuid4().hex[:8]}")
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def write_index(
    folder: Path,
    *,
    blocks: Iterator[tuple[np.ndarray, np.ndarray]],
    items: pd.DataFrame,
    dimension: int,
    pca: PCA | None,
    head: Head | None,
    manifest: Mapping[str, Any],
    calibrated: calibration.Calibration | None = None,
    previous: calibration.Calibration | None = None,
) -> None:
    """Write an index and put it in place of ``folder`` as a whole.

    ``blocks`` are float32 unit rows and the uint8 appearances that belong to them, as many rows
    together as ``items`` has. ``manifest`` carries ``identity``, ``catalogue`` and ``counts``; the
    rest is added here. What a likeness is worth is measured unless ``calibrated`` tells it;
    ``previous`` tells what cannot be measured again.
    """
    with work_folder(folder) as new:
        vectors = _new_array(new / VECTORS, np.float32, (len(items), dimension))
        appearances = _new_array(new / APPEARANCES, np.uint8, (len(items), APPEARANCE))
        row = 0
        for block, looks in blocks:
            vectors[row : row + len(block)] = block
            appearances[row : row + len(block)] = looks
            row += len(block)
        if row != len(items):
            raise ValueError(f"{row} vectors for {len(items)} items")
        studio = int(np.count_nonzero(appearances[:, STUDIO]))
        vectors.flush()
        appearances.flush()
        items.to_parquet(new / ITEMS, index=False)
        if pca is not None:
            np.savez(
                new / PCA_FILE, mean=pca.mean, components=pca.components, fitted_on=pca.fitted_on
            )
        if head is not None:
            _write_trained(new, head, vectors, appearances, items)
        del vectors, appearances
        full = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "appearance": appearance.VERSION,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "dimension": dimension,
            "pca": None if pca is None else {"dimension": dimension, "fitted_on": pca.fitted_on},
            **manifest,
            "counts": {**manifest["counts"], "studio": studio},
        }
        _complete(new, folder, full, head, calibrated, (), previous)


def write_head(
    folder: Path, head: Head | None, photographs: Sequence[calibration.Photograph] = ()
) -> None:
    """Give an index a head, or take it away, and put the index in place as a whole. What a
    likeness is worth is measured anew, for photographs with the given ones. Raises
    :class:`IndexUnusable` when there is no sound index, another build is running, or the head was
    trained on embeddings of another dimension."""
    folder = folder.resolve()
    try:
        with build_lock(folder).acquire(timeout=0), work_folder(folder) as new:
            old = Index.open(folder)
            old.verify()
            if head is not None and head.input_dimension != old.dimension:
                raise IndexUnusable(
                    f"{folder}: the head was trained on another index. Train again."
                )
            for name in set(old.manifest["files"]) - {HEAD_FILE, TRAINED}:
                _link(old.folder / name, new / name)
            if head is not None:
                _write_trained(new, head, old.vectors, old.appearances, old.items)
            _complete(new, folder, old.manifest, head, None, photographs, old.calibration)
    except Timeout as error:
        raise IndexUnusable(
            f"{folder}: another build of this index is running. Wait for it."
        ) from error


def build_lock(folder: Path) -> FileLock:
    """What a process holds while it replaces the index at ``folder``."""
    return FileLock(folder.with_name(f".{folder.name}.lock"))


def _new_array(path: Path, kind: type[np.generic], shape: tuple[int, int]) -> np.memmap[Any, Any]:
    return np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)


def _write_trained(
    new: Path, head: Head, vectors: np.ndarray, appearances: np.ndarray, items: pd.DataFrame
) -> None:
    head.save(new / HEAD_FILE)
    trained = _new_array(new / TRAINED, np.float32, (len(items), head.dimension))
    for start in range(0, len(items), ROWS_AT_ONCE):
        block = slice(start, start + ROWS_AT_ONCE)
        trained[block] = head.project_items(vectors[block], appearances[block], items.iloc[block])
    trained.flush()


def _link(source: Path, target: Path) -> None:
    """The same file under another name: an index's files are never written to again."""
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def _complete(
    new: Path,
    folder: Path,
    manifest: Mapping[str, Any],
    head: Head | None,
    calibrated: calibration.Calibration | None,
    photographs: Sequence[calibration.Photograph] = (),
    previous: calibration.Calibration | None = None,
) -> None:
    """Add the manifest to an index's files in ``new`` and put them in place of ``folder``."""
    full = {
        **manifest,
        "build": uuid.uuid4().hex,
        "head": None if head is None else dict(head.record),
        "calibration": None if calibrated is None else calibrated.as_manifest(),
        "files": {
            path.name: _file_entry(path) for path in sorted(new.iterdir()) if path.name in FILES
        },
    }
    _write_manifest(new, full)
    if calibrated is None:
        measured = calibration.calibrate(Index._open(new), photographs, previous)
        full["calibration"] = None if measured is None else measured.as_manifest()
        _write_manifest(new, full)
    for path in new.iterdir():
        _sync(path)
    _put_in_place(new, folder)


def _write_manifest(new: Path, manifest: Mapping[str, Any]) -> None:
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (new / MANIFEST).write_text(text, encoding="utf-8")


def _file_entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def require_replaceable(folder: Path) -> None:
    """Raise :class:`IndexUnusable` unless an index may be put at ``folder``: nothing is there, or
    a folder of nothing but an index's files, whole or not."""
    if not folder.exists():
        return
    files = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    # What file managers leave in any folder they show is nobody's work.
    files = {name for name in files if not name.startswith(".") and name != "Thumbs.db"}
    others = files - FILES - {MANIFEST}
    # A manifest alone is that of some web app rather than ours.
    if others or files == {MANIFEST} or not folder.is_dir():
        named = ", ".join(sorted(others or files)[:3])
        raise IndexUnusable(
            f"{folder}: there is something else than an index ({named}). Name another place."
        )


def _put_in_place(new: Path, folder: Path) -> None:
    """Give ``new`` the name ``folder``; what had it before is left under the name ``new``."""
    require_replaceable(folder)
    try:
        if folder.exists():
            if not _exchange(new, folder):
                folder.rename(_previous(folder))
                new.rename(folder)
                restore(folder)
        else:
            new.rename(folder)
    except OSError as error:
        raise IndexUnusable(
            f"{folder}: the new index could not be put in place ({error}). "
            "Close the programs that have it open and build again."
        ) from error


def _previous(folder: Path) -> Path:
    """Where an index stands for the moment between two renames, and after a kill just then."""
    return folder.with_name(f".{folder.name}.previous")


def restore(folder: Path) -> None:
    """Clear up after a replacement by two renames: an index that was only moved aside gets its
    name back, one that was replaced goes. Only for who holds the lock of the build."""
    if _previous(folder).exists():
        if folder.exists():
            shutil.rmtree(_previous(folder), ignore_errors=True)
        else:
            _previous(folder).rename(folder)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two names in one step, where the system can: no moment without an index, and a kill
    at any point leaves a whole one. Python's ``os`` has no call for it."""
    if sys.platform == "win32":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(first), os.fsencode(second)
    if sys.platform.startswith("linux") and hasattr(library, "renameat2"):
        at_cwd, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE: renameat2(2)
        done = library.renameat2(at_cwd, names[0], at_cwd, names[1], exchange)
    elif sys.platform == "darwin" and hasattr(library, "renamex_np"):
        done = library.renamex_np(*names, 2)  # RENAME_SWAP
    else:
        return False
    if done == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # a file system that cannot
        return False
    raise OSError(number, os.strerror(number))
