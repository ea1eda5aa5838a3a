"""Embeddings and items on disk, and the search in them.

An index is a folder: ``vectors.npy`` (unit rows, memory-mapped; float32, or shorter by choice,
:mod:`fitting_room.index.vectors`), ``appearances.npy`` (what the pictures look like without a
network, uint8), ``items.parquet`` (the catalogue's table, one row per vector), ``manifest.json``
(what made it, and a checksum for each file); where the vectors were reduced, ``pca.npz``; where a
head was trained, ``head.safetensors`` and ``trained.npy``, the items as the head sees them; for
large catalogues ``ann-encoder.safetensors`` and ``ann.faiss``, which find candidates
(:mod:`fitting_room.index.ann`); and ``map.npy``, the items' places on a map, which indexes from
before there were maps do without. :mod:`fitting_room.build.writer` writes all that.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fitting_room.imaging.descriptors import (
    COLOURS,
    DESCRIPTOR_LENGTH,
    PLAIN_BACKGROUND,
    SILHOUETTE,
)
from fitting_room.imaging.features import Features, normalise
from fitting_room.index import calibration
from fitting_room.index.ann import ANN_ENCODER, ANN_INDEX, TRAINED_ANN_ENCODER, Ann
from fitting_room.index.head import Head, HeadError
from fitting_room.index.manifest import (
    DESCRIPTORS,
    HEAD_FILE,
    ITEMS,
    MAP,
    PCA_FILE,
    SCALES,
    TRAINED,
    TRAINED_SCALES,
    VECTORS,
    IndexUnusable,
    check_sum,
    damaged,
    mapped,
    mapped_rows,
    previous_place,
    read_manifest,
)
from fitting_room.index.reduction import PCA
from fitting_room.index.scoring import (
    COLOUR,
    COLOUR_WEIGHT,
    COLOUR_WEIGHT_PHOTOGRAPH,
    COLOUR_WEIGHT_TRAINED,
    COSINE,
    EMBEDDING,
    EMBEDDING_SHARE,
    JACCARD,
    LEARNED,
    OUTLINE,
    ROWS_AT_ONCE,
    Hits,
    JaccardTerm,
    ScoreTerm,
    SimilarityOptions,
    best,
    best_among,
    combine_queries,
    nearest,
    top_k_candidates,
    unit_bytes,
)
from fitting_room.index.vectors import Matrix, release, taken
from fitting_room.util.tables import Table, keys_of

#: Scores (queries x items) computed at once; bounds the memory of a search to 4 bytes each.
SCORES_AT_ONCE = 32_000_000
#: Below this share of the catalogue a filter's rows are gathered and searched by themselves.
SPARSE_FILTER = 0.2

#: Two items look all but the same from these cosines of embeddings and of colours (and of
#: silhouettes) on: what re-encoded, slightly cropped or brightened copies reach.
SAME_SHAPE, SAME_COLOURS = 0.96, 0.95

#: Columns of ``items`` that are the index's own and say nothing of the goods.
INTERNAL_COLUMNS = frozenset({"image", "signature", "digest"})

#: Values wanted by column: any of a column's values, all of the columns.
Where = Mapping[str, str | Sequence[str]]


class FilterError(ValueError):
    """A filter names a column that the catalogue does not have."""


class Index:
    """An opened index. Immutable and safe to share between threads.

    ``vectors`` is float32 ``(N, D)`` with unit rows, or stored shorter and float32 as soon as rows
    are taken out, ``appearances`` uint8 ``(N, APPEARANCE)``, ``items`` the table of ``N`` items,
    which may be given as a file that is read when it is first asked for, ``trained`` float32
    ``(N, E)`` what ``head`` makes of them, ``map`` float32 ``(N, 2)`` their places on a map, if
    there is one.
    """

    def __init__(
        self,
        folder: Path,
        manifest: dict[str, Any],
        vectors: Matrix,
        descriptors: np.ndarray,
        items: pd.DataFrame | pq.ParquetFile,
        pca: PCA | None,
        head: Head | None = None,
        trained: Matrix | None = None,
        places: np.ndarray | None = None,
        ann: Ann | None = None,
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.vectors = vectors
        self.descriptors = descriptors
        self._table, self._lock = None, Lock()
        if isinstance(items, pd.DataFrame):
            self.items = items
        else:
            self._table = items
        self.pca = pca
        self.head = head
        self.trained = trained
        self.map = places
        self.ann = ann
        self.calibration = calibration.Calibration.from_manifest(manifest["calibration"])
        self._scales: dict[int, np.ndarray] = {}

    @classmethod
    def open(cls, folder: str | Path, *, items: bool = True) -> Index:
        """Open an index; the vectors are mapped, not read. Without ``items`` their table, which
        for millions takes more memory than all else, is read only when it is asked for. Raises
        :class:`IndexUnusable`."""
        folder = Path(folder)
        for attempt in range(5):
            try:
                index = cls._open(folder)
                if items:
                    _ = index.items
                # Put in place anew between the first file and the last? Then read once more.
                if read_manifest(folder).get("build") == index.manifest.get("build"):
                    return index
            except IndexUnusable:
                if attempt == 4:
                    if not folder.exists() and previous_place(folder).is_dir():
                        return cls._open(previous_place(folder))
                    raise
        raise IndexUnusable(f"{folder}: the index is being replaced all the time. Try again.")

    @classmethod
    def _open(cls, folder: Path, items: pd.DataFrame | None = None) -> Index:
        """:meth:`open` without items for a folder that nobody replaces. Whoever has just written
        its ``items`` hands them over and need not hold them twice."""
        manifest = read_manifest(folder)
        items_count, dimension = manifest["counts"]["items"], manifest["dimension"]
        storage = manifest["storage"]
        for name, entry in manifest["files"].items():
            try:
                size = (folder / name).stat().st_size
            except OSError as error:
                raise damaged(folder, f"{name} is missing") from error
            if size != entry["bytes"]:
                raise damaged(folder, f"{name} has another size than it was written with")
        if not {VECTORS, ITEMS, DESCRIPTORS} <= set(manifest["files"]):
            raise damaged(folder, "the manifest does not name all files")
        # Small files are read in full anyway, so they are checked in full.
        for name in (ITEMS, PCA_FILE, HEAD_FILE, MAP, ANN_ENCODER, TRAINED_ANN_ENCODER):
            if name in manifest["files"]:
                check_sum(folder, name, manifest)
        try:
            vectors = mapped_rows(folder, storage, VECTORS, SCALES, (items_count, dimension))
            descriptors = mapped(folder, DESCRIPTORS, np.uint8, (items_count, DESCRIPTOR_LENGTH))
            table = pq.ParquetFile(folder / ITEMS)
            pca = _read_pca(folder) if PCA_FILE in manifest["files"] else None
            head, trained = None, None
            if HEAD_FILE in manifest["files"]:
                head = Head.load(folder / HEAD_FILE)
                shape = (items_count, head.dimension)
                trained = mapped_rows(folder, storage, TRAINED, TRAINED_SCALES, shape)
            places = _read_map(folder, items_count) if MAP in manifest["files"] else None
            ann = _open_ann(folder, manifest, head) if ANN_INDEX in manifest["files"] else None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, HeadError) as error:
            raise damaged(folder, str(error)) from error
        if head is not None and head.input_dimension != dimension:
            raise damaged(folder, f"{HEAD_FILE} does not fit the vectors")
        if table.metadata.num_rows != items_count or not {"id", "image"} <= set(
            table.schema_arrow.names
        ):
            raise damaged(folder, f"{ITEMS} does not hold the items of the manifest")
        if pca is not None and pca.dimension != dimension:
            raise damaged(folder, f"{PCA_FILE} does not fit the vectors")
        try:
            return cls(
                folder,
                manifest,
                vectors,
                descriptors,
                table if items is None else items,
                pca,
                head,
                trained,
                places,
                ann,
            )
        except (KeyError, ValueError) as error:
            raise damaged(folder, str(error)) from error

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def items(self) -> pd.DataFrame:
        assert self._table is not None  # noqa: S101  (else they were given)
        with self._lock, self._reading_items():
            # From the file that was opened, not from what may have taken its place since.
            # In one piece: to take some rows of many pieces, Arrow copies all of them first.
            items: pd.DataFrame = self._table.read().combine_chunks().to_pandas()
            if len(items) != len(self) or list(items.columns) != self.columns:
                raise ValueError(f"{ITEMS} is no plain table")
            pa.default_memory_pool().release_unused()  # half of what reading took
            return items

    @property
    def columns(self) -> list[str]:
        """The names of the items' columns, which are known without reading them."""
        if self._table is not None:
            return list(self._table.schema_arrow.names)
        return [str(column) for column in self.items.columns]

    def blocks(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Some columns of the items, some rows at a time, without reading the others. Raises
        :class:`IndexUnusable` when they cannot be read."""
        if self._table is None or "items" in vars(self):
            yield from Table(self.items[list(columns)]).blocks()
            return
        with self._reading_items():
            for rows in self._table.iter_batches(ROWS_AT_ONCE, columns=list(columns)):
                yield rows.to_pandas()

    def keys(self, columns: Sequence[str]) -> np.ndarray:
        """A key for each item's texts in some columns (:func:`fitting_room.util.tables.keys_of`).
        Raises :class:`IndexUnusable` when they cannot be read."""
        return np.concatenate([keys_of(block) for block in self.blocks(columns)])

    @contextmanager
    def _reading_items(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, pa.ArrowException) as error:
            raise damaged(self.folder, str(error)) from error

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
            check_sum(self.folder, name, self.manifest)

    def release(self) -> None:
        """Let go of the memory of rows that were read. For a build, which nobody else asks: the
        index must still lie where it was opened."""
        release(self.vectors, self.descriptors)
        if self.trained is not None:
            release(self.trained)

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
    def mostly_plain_background(self) -> bool:
        """Whether most of the catalogue's pictures have a plain ground."""
        return bool(self.manifest["counts"]["studio"] * 2 > len(self))

    def colour_weight(self, options: SimilarityOptions, *, plain_background: bool = True) -> float:
        """The weight of colour that a ranking comes to here, for a picture from a studio or for a
        photograph."""
        if options.colour is not None:
            return options.colour
        if not plain_background and self.mostly_plain_background:
            return COLOUR_WEIGHT_PHOTOGRAPH
        return COLOUR_WEIGHT_TRAINED if self.uses_head(options) else COLOUR_WEIGHT

    def uses_head(self, options: SimilarityOptions) -> bool:
        """Whether a ranking uses a head here."""
        return options.trained and options.metric == COSINE and self.head is not None

    def search(
        self,
        queries: Sequence[Features] | np.ndarray,
        n: int,
        where: Where | None = None,
        *,
        options: SimilarityOptions = SimilarityOptions(),  # noqa: B008  (frozen)
        exclude: np.ndarray | None = None,
        positives: int | None = None,
        exact: bool = False,
    ) -> list[Hits]:
        """The ``n`` most similar items for each query.

        All items are compared, exactly; where the catalogue is so large that the index has an
        inverted file, those among which it finds the best, and all of them only with ``exact``,
        with another metric than the cosine, or where a filter leaves few.

        ``queries`` are features, or embeddings float32 ``(Q, D0)`` of pictures of which nothing
        else is known, so that colour has no weight (``D0`` is the embedding's dimension; the index
        applies its own PCA). Items that ``exclude``, bool ``(N,)``, marks are not answered. Fewer
        than ``n`` hits come back when the catalogue, or what the filter leaves of it, is smaller.
        Of equally similar items the earlier one comes first. With ``likes`` all queries are one
        and have one answer: the first ``likes`` are wanted, the others are not
        (:func:`fitting_room.index.scoring.together`).

        Raises :class:`FilterError` for an unknown column and ``ValueError`` for ``n`` below 1,
        queries of another dimension, or ``likes`` that are none of them or are compared with
        another metric than the cosine.
        """
        if n < 1:
            raise ValueError("n must be at least 1")
        asked = _as_features(queries)
        if not asked:
            return []
        parts = self._parts(asked, options)
        if positives is not None:
            parts, asked = combine_queries(parts, positives), asked[:1]
        mask = self.mask(where) if where else None
        if exclude is not None:
            mask = ~exclude if mask is None else mask & ~exclude
        if not exact:
            candidates = self._candidates(parts, options, n, mask)
            if candidates is not None:
                return [best_among(parts, query, rows, n) for query, rows in enumerate(candidates)]
        allowed = len(self) if mask is None else int(mask.sum())
        return self._search_all(parts, len(asked), min(n, allowed), mask)

    def _search_all(
        self,
        parts: Sequence[ScoreTerm | JaccardTerm],
        queries: int,
        n: int,
        mask: np.ndarray | None,
    ) -> list[Hits]:
        """:meth:`search` by comparing every item that ``mask`` lets through, at least ``n``."""
        rows = None
        if mask is not None and mask.sum() < SPARSE_FILTER * len(self):
            rows, mask = np.flatnonzero(mask), None
        size = len(self) if rows is None else len(rows)
        hits = []
        step = max(1, SCORES_AT_ONCE // max(1, size))
        for start in range(0, queries, step):
            some = slice(start, min(start + step, queries))
            scores = np.zeros((some.stop - start, size), np.float32)
            if mask is not None:
                scores[:, ~mask] = -np.inf
            if len(scores) == 1:
                found = [nearest(parts, start, n, rows, scores)]
            else:
                for part in parts:
                    part.add_to(scores, some, rows)
                found = [top_k_candidates(of_query, n) for of_query in scores]
            for query, near in enumerate(found, start):
                hits.append(best(parts, query, near if rows is None else rows[near], n))
        return hits

    def _candidates(
        self,
        parts: Sequence[ScoreTerm | JaccardTerm],
        options: SimilarityOptions,
        n: int,
        mask: np.ndarray | None,
    ) -> list[np.ndarray] | None:
        if self.ann is None or options.metric != COSINE:
            return None
        trained = self.uses_head(options)
        of: dict[str, np.ndarray] = {p.of: p.queries for p in parts if isinstance(p, ScoreTerm)}
        shape = of[LEARNED if trained else EMBEDDING]
        return self.ann.candidates(shape, of.get(OUTLINE), of.get(COLOUR), n, mask, trained=trained)

    def likeness(
        self,
        query: Features,
        rows: np.ndarray,
        *,
        options: SimilarityOptions = SimilarityOptions(),  # noqa: B008  (frozen)
    ) -> np.ndarray:
        """The likeness of certain items to a query, float64 ``(len(rows),)``, as :meth:`search`
        measures it."""
        parts = self._parts([query], options)
        return np.clip(sum((p.exact(rows, 0) for p in parts), np.zeros(len(rows))), -1, 1)

    def _parts(
        self, queries: Sequence[Features], options: SimilarityOptions
    ) -> Sequence[ScoreTerm | JaccardTerm]:
        """What the likeness to some queries is the sum of."""
        views = [
            q.embeddings if isinstance(q, _Stored) else self._reduced(q.embeddings) for q in queries
        ]
        looks = np.stack([query.descriptors for query in queries])
        colours = unit_bytes(looks[:, COLOURS])
        # A picture of which only the embedding is known has no colours.
        weights = [
            self.colour_weight(options, plain_background=query.plain_background)
            for query in queries
        ]
        weight = np.where(colours.any(axis=1), weights, 0.0)[:, None]
        parts: list[ScoreTerm | JaccardTerm] = []
        if self.uses_head(options):
            assert self.head is not None and self.trained is not None  # noqa: S101
            ends = np.cumsum([len(part) for part in views])
            projected = self.head.project(
                np.concatenate(views), np.repeat(looks, [len(part) for part in views], axis=0)
            )
            means = [part.mean(axis=0) for part in np.split(projected, ends[:-1])]
            learned = (1 - weight) * (1 - EMBEDDING_SHARE) * normalise(np.stack(means))
            parts.append(ScoreTerm(LEARNED, self.trained, np.asarray(learned, np.float32)))
            means = [part.mean(axis=0) for part in views]
            bare = (1 - weight) * EMBEDDING_SHARE * normalise(np.stack(means))
            parts.append(ScoreTerm(EMBEDDING, self.vectors, np.asarray(bare, np.float32)))
        else:
            outlined = (looks[:, PLAIN_BACKGROUND] > 0) & looks[:, SILHOUETTE].any(axis=1)
            share = np.where(outlined, options.silhouette, 0.0)[:, None]
            if options.metric == JACCARD:
                whole = ((1 - weight) * (1 - share))[:, 0]
                parts.append(JaccardTerm(self.vectors, views, whole))
            else:
                means = [part.mean(axis=0) for part in views]
                shape = (1 - weight) * (1 - share) * normalise(np.stack(means))
                parts.append(ScoreTerm(EMBEDDING, self.vectors, np.asarray(shape, np.float32)))
            if share.any():
                parts.append(
                    self._byte_part(
                        OUTLINE, SILHOUETTE, (1 - weight) * share * unit_bytes(looks[:, SILHOUETTE])
                    )
                )
        if weight.any():
            parts.append(self._byte_part(COLOUR, COLOURS, weight * colours))
        return parts

    def features(self, rows: np.ndarray) -> list[Features]:
        """What is stored of some items, as queries; the index's own PCA is not applied again."""
        return [
            _Stored(vector[None], look)
            for vector, look in zip(
                taken(self.vectors, rows), taken(self.descriptors, rows), strict=True
            )
        ]

    def _reduced(self, embeddings: np.ndarray) -> np.ndarray:
        wanted = self.dimension if self.pca is None else self.pca.components.shape[1]
        if embeddings.ndim != 2 or embeddings.shape[1] != wanted:
            raise ValueError(f"a query has {wanted} dimensions here")
        return normalise(embeddings if self.pca is None else self.pca(embeddings))

    def _byte_part(self, of: str, columns: slice, queries: np.ndarray) -> ScoreTerm:
        rows = self.descriptors[:, columns]
        if columns.start not in self._scales:
            scale = np.empty(len(rows), np.float32)
            for start in range(0, len(rows), ROWS_AT_ONCE):
                block = slice(start, start + ROWS_AT_ONCE)
                lengths = np.linalg.norm(rows[block].astype(np.float32), axis=1)
                scale[block] = 1 / np.where(lengths > 0, lengths, 1)
                release(rows)
            self._scales[columns.start] = scale
        return ScoreTerm(of, rows, np.asarray(queries, np.float32), self._scales[columns.start])

    def expected_precision(
        self, similarity: float, options: SimilarityOptions, *, plain_background: bool = True
    ) -> float | None:
        """How often items of this likeness were of the query's kind, 0 to 1, where measured.
        ``studio`` says whether the query was a picture from a studio or a photograph."""
        if self.calibration is None or options.metric != COSINE:
            return None
        return self.calibration.share(
            similarity,
            colour=self.colour_weight(options, plain_background=plain_background),
            trained=self.uses_head(options),
            street=self.mostly_plain_background and not plain_background,
        )

    def is_out_of_catalogue(self, query: Features, found: Sequence[int] = ()) -> bool:
        """Whether a photograph is less like its nearest item than most items, drawn at random, are
        like each other: nothing here resembles it. Rows that were ``found`` for it save looking
        at all items when one of them does."""
        if self.calibration is None or query.plain_background or not self.mostly_plain_background:
            return False
        bare = SimilarityOptions(colour=0.0, trained=False)
        chance = self.calibration.chance
        if len(found) and self.likeness(query, np.array(found), options=bare).max() >= chance:
            return False
        (best,) = self.search([query], 1, options=bare)
        return len(best) > 0 and float(best.similarities[0]) < chance

    def near_duplicates(self, hits: Hits) -> list[list[int]]:
        """Places in ``hits``, grouped: the first of a group is the best, the others look all but
        the same as it. Groups come in the order of their first."""
        vectors = np.asarray(self.vectors[hits.rows])
        colours = unit_bytes(self.descriptors[hits.rows][:, COLOURS])
        outlines = unit_bytes(self.descriptors[hits.rows][:, SILHOUETTE])
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
        return [column for column in self.columns if column not in INTERNAL_COLUMNS]


class _Stored(Features):
    """Features that come out of an index and are reduced already."""


def _as_features(queries: Sequence[Features] | np.ndarray) -> Sequence[Features]:
    if not isinstance(queries, np.ndarray):
        return queries
    unknown = np.zeros(DESCRIPTOR_LENGTH, np.uint8)
    return [Features(row[None], unknown) for row in np.atleast_2d(queries)]


def _read_pca(folder: Path) -> PCA:
    with np.load(folder / PCA_FILE, allow_pickle=False) as file:
        return PCA(file["mean"], file["components"], int(file["fitted_on"]))


def _open_ann(folder: Path, manifest: Mapping[str, Any], head: Head | None) -> Ann | None:
    count, dimension = manifest["counts"]["items"], manifest["dimension"]
    head_dimension = None if head is None else head.dimension
    return Ann.open(folder, count=count, dimension=dimension, head_dimension=head_dimension)


def _read_map(folder: Path, items: int) -> np.ndarray:
    places = mapped(folder, MAP, np.float32, (items, 2))
    if not (np.abs(places) <= 1e3).all():  # written so that it is false of what is no number
        raise ValueError(f"{MAP} holds other things than places")
    return places


def _in_words(identity: Mapping[str, Any]) -> str:
    return (
        f"{identity.get('backbone')} with weights {identity.get('weights')} "
        f"({str(identity.get('weights_sha256'))[:8]})"
    )
