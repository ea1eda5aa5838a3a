"""The search in an index: the items that are most similar to some queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.imaging.descriptors import (
    COLOURS,
    DESCRIPTOR_LENGTH,
    PLAIN_BACKGROUND,
    SILHOUETTE,
)
from fitting_room.imaging.features import Features, normalise
from fitting_room.index import scoring
from fitting_room.index.data import IndexData, check_file, load_index_data
from fitting_room.index.head import Head
from fitting_room.index.manifest import IndexUnusable
from fitting_room.index.scoring import Hits, JaccardTerm, ScoreTerm, SimilarityOptions, Terms
from fitting_room.index.vectors import Matrix, release

#: Scores (queries x items) computed at once; bounds the memory of a search to 4 bytes each.
SCORES_AT_ONCE = 32_000_000
#: Below this fraction of the catalogue a filter's rows are gathered and searched by themselves.
SPARSE_FILTER = 0.2

#: Two items look all but the same from these cosines of embeddings and of colours (and of
#: silhouettes) on: what re-encoded, slightly cropped or brightened copies reach.
SAME_SHAPE, SAME_COLOURS = 0.96, 0.95

#: Columns of ``items`` that are the index's own and say nothing of the catalogue.
INTERNAL_COLUMNS = frozenset({"image", "signature", "digest"})

#: Values wanted by column: any of a column's values, all of the columns.
Where = Mapping[str, str | Sequence[str]]

DEFAULT_OPTIONS = SimilarityOptions()
#: Of each query the embeddings of its views, float32 ``(V, D)``.
Views = Sequence[np.ndarray]


class FilterError(ValueError):
    """A filter names a column that the catalogue does not have."""


class Index:
    """An opened index, with the attributes of its data. Safe to share between threads."""

    def __init__(self, data: IndexData) -> None:
        self.data = data
        self.folder, self.manifest, self.items = data.folder, data.manifest, data.items
        self.vectors, self.descriptors, self.pca = data.vectors, data.descriptors, data.pca
        self.head, self.trained, self.ann = data.head, data.trained, data.ann
        self.map, self.calibration = data.map, data.calibration
        self._scales: dict[int, np.ndarray] = {}

    @classmethod
    def open(cls, folder: str | Path) -> Index:
        """Open an index; the vectors are mapped, not read. Raises :class:`IndexUnusable`."""
        return cls(load_index_data(Path(folder)))

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dimension(self) -> int:
        return self.manifest.dimension

    @property
    def identity(self) -> dict[str, Any]:
        """Which network, weights and preprocessing made it."""
        return self.manifest.identity

    def verify(self) -> None:
        """Read every file and compare its checksum. Raises :class:`IndexUnusable`."""
        for name, entry in self.manifest.files.items():
            check_file(self.folder, self.data.version / name, entry)

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
        """Whether most of the catalogue's pictures have a plain background."""
        return self.manifest.counts.plain_background * 2 > len(self)

    def colour_weight(self, options: SimilarityOptions, *, plain_background: bool = True) -> float:
        """The weight of colour here, for a picture with a plain background or a photograph."""
        if options.colour is not None:
            return options.colour
        if not plain_background and self.mostly_plain_background:
            return scoring.COLOUR_WEIGHT_PHOTOGRAPH
        return scoring.COLOUR_WEIGHT_TRAINED if self.uses_head(options) else scoring.COLOUR_WEIGHT

    def uses_head(self, options: SimilarityOptions) -> bool:
        """Whether ``options`` use a head here."""
        return options.trained and options.metric == scoring.COSINE and self.head is not None

    def search(
        self,
        queries: Sequence[Features] | np.ndarray,
        n: int,
        where: Where | None = None,
        *,
        options: SimilarityOptions = DEFAULT_OPTIONS,
        exclude: np.ndarray | None = None,
        positives: int | None = None,
        exact: bool = False,
    ) -> list[Hits]:
        """The ``n`` most similar items for each query, or all that are left; of equally similar
        ones the earlier first. All are compared, or in a large catalogue candidates, unless
        ``exact``.

        ``queries`` are features, or embeddings float32 ``(Q, D0)``, before the index's PCA, of
        pictures whose colours are not known. ``exclude``, bool ``(N,)``, marks items to leave out.
        With ``positives`` all queries are one: that many are wanted, the others are not
        (:func:`fitting_room.index.scoring.combine_queries`).

        Raises :class:`FilterError` for an unknown column, ``ValueError`` for ``n`` below 1, queries
        of another dimension, and ``positives`` that are none or no cosines.
        """
        if n < 1:
            raise ValueError("n must be at least 1")
        features = _as_features(queries)
        if not features:
            return []
        terms = self._terms(features, options)
        if positives is not None:
            terms, features = scoring.combine_queries(terms, positives), features[:1]
        mask = self.mask(where) if where else None
        if exclude is not None:
            mask = ~exclude if mask is None else mask & ~exclude
        allowed = len(self) if mask is None else int(mask.sum())
        if not exact and (hits := self._search_candidates(terms, options, n, mask)) is not None:
            return hits
        return self._search_all(terms, len(features), min(n, allowed), mask)

    def _search_all(
        self, terms: Terms, queries: int, n: int, mask: np.ndarray | None
    ) -> list[Hits]:
        """:meth:`search` by comparing every item that ``mask`` lets through, at least ``n``."""
        rows = None
        if mask is not None and mask.sum() < SPARSE_FILTER * len(self):
            rows, mask = np.flatnonzero(mask), None
        size = len(self) if rows is None else len(rows)
        hits = []
        step = max(1, SCORES_AT_ONCE // max(1, size))
        for start in range(0, queries, step):
            block = slice(start, min(start + step, queries))
            scores = np.zeros((block.stop - start, size), np.float32)
            if mask is not None:
                scores[:, ~mask] = -np.inf
            if len(scores) == 1:
                candidates = [scoring.nearest(terms, start, n, rows, scores)]
            else:
                for term in terms:
                    term.add_to(scores, block, rows)
                candidates = [scoring.top_k_candidates(of_query, n) for of_query in scores]
            for query, chosen in enumerate(candidates, start):
                hits.append(scoring.best(terms, query, chosen if rows is None else rows[chosen], n))
        return hits

    def _search_candidates(
        self, terms: Terms, options: SimilarityOptions, n: int, mask: np.ndarray | None
    ) -> list[Hits] | None:
        """:meth:`search` among candidates, or ``None`` where that cannot be done: without an
        inverted file, or with a measure that is no dot product, and where it does not pay."""
        if self.ann is None or options.metric != scoring.COSINE:
            return None
        trained = self.uses_head(options)
        of = {term.of: term.queries for term in terms if isinstance(term, ScoreTerm)}
        shape = of[scoring.LEARNED if trained else scoring.EMBEDDING]
        candidates = self.ann.candidates(
            shape, of.get(scoring.OUTLINE), of.get(scoring.COLOUR), n, mask, trained=trained
        )
        if candidates is None:
            return None
        return [scoring.best_among(terms, query, rows, n) for query, rows in enumerate(candidates)]

    def similarities(
        self, query: Features, rows: np.ndarray, *, options: SimilarityOptions = DEFAULT_OPTIONS
    ) -> np.ndarray:
        """The similarity of certain items to a query, float64 ``(len(rows),)``, as :meth:`search`
        measures it."""
        terms = self._terms([query], options)
        return np.clip(sum((term.exact(rows, 0) for term in terms), np.zeros(len(rows))), -1, 1)

    def _terms(self, queries: Sequence[Features], options: SimilarityOptions) -> Terms:
        """What the similarity to some queries is the sum of."""
        views = [
            q.embeddings if isinstance(q, _Stored) else self._reduced(q.embeddings) for q in queries
        ]
        descriptors = np.stack([query.descriptors for query in queries])
        colours = scoring.unit_bytes(descriptors[:, COLOURS])
        weights = [
            self.colour_weight(options, plain_background=q.plain_background) for q in queries
        ]
        # A picture of which only the embedding is known has no colours.
        weight = np.where(colours.any(axis=1), weights, 0.0)[:, None]
        if self.uses_head(options) and self.head is not None and self.trained is not None:
            terms = self._head_terms(views, descriptors, 1 - weight, self.head, self.trained)
        else:
            terms = self._embedding_terms(views, descriptors, 1 - weight, options)
        if weight.any():
            terms.append(self._byte_term(scoring.COLOUR, COLOURS, weight * colours))
        return terms

    def _head_terms(
        self, views: Views, descriptors: np.ndarray, weight: np.ndarray, head: Head, trained: Matrix
    ) -> list[ScoreTerm | JaccardTerm]:
        """What the head makes of the views of each query, and their embeddings."""
        counts = [len(view) for view in views]
        projected = head.project(np.concatenate(views), np.repeat(descriptors, counts, axis=0))
        of_head = _means(np.split(projected, np.cumsum(counts)[:-1]))
        return [
            _term(scoring.LEARNED, trained, weight * (1 - scoring.EMBEDDING_SHARE) * of_head),
            _term(
                scoring.EMBEDDING, self.vectors, weight * scoring.EMBEDDING_SHARE * _means(views)
            ),
        ]

    def _embedding_terms(
        self, views: Views, descriptors: np.ndarray, weight: np.ndarray, options: SimilarityOptions
    ) -> list[ScoreTerm | JaccardTerm]:
        """The embeddings of the views of each query, and its silhouette where it has one."""
        outlines = descriptors[:, SILHOUETTE]
        outlined = (descriptors[:, PLAIN_BACKGROUND] > 0) & outlines.any(axis=1)
        of_outline = np.where(outlined, options.silhouette, 0.0)[:, None]
        whole = weight * (1 - of_outline)
        terms: list[ScoreTerm | JaccardTerm] = []
        if options.metric == scoring.JACCARD:
            terms.append(JaccardTerm(self.vectors, views, whole[:, 0]))
        else:
            terms.append(_term(scoring.EMBEDDING, self.vectors, whole * _means(views)))
        if of_outline.any():
            queries = weight * of_outline * scoring.unit_bytes(outlines)
            terms.append(self._byte_term(scoring.OUTLINE, SILHOUETTE, queries))
        return terms

    def _byte_term(self, of: str, columns: slice, queries: np.ndarray) -> ScoreTerm:
        rows = self.descriptors[:, columns]
        if columns.start not in self._scales:
            scale = np.empty(len(rows), np.float32)
            for start in range(0, len(rows), scoring.ROWS_AT_ONCE):
                block = slice(start, start + scoring.ROWS_AT_ONCE)
                lengths = np.linalg.norm(rows[block].astype(np.float32), axis=1)
                scale[block] = 1 / np.where(lengths > 0, lengths, 1)
                release(rows)
            self._scales[columns.start] = scale
        return _term(of, rows, queries, self._scales[columns.start])

    def features(self, rows: np.ndarray) -> list[Features]:
        """What is stored of some items, as queries; the index's own PCA is not applied again."""
        stored = zip(self.vectors[rows], self.descriptors[rows], strict=True)
        return [_Stored(vector[None], np.asarray(of_item)) for vector, of_item in stored]

    def _reduced(self, embeddings: np.ndarray) -> np.ndarray:
        expected = self.dimension if self.pca is None else self.pca.components.shape[1]
        if embeddings.ndim != 2 or embeddings.shape[1] != expected:
            raise ValueError(f"a query has {expected} dimensions here")
        return normalise(embeddings if self.pca is None else self.pca(embeddings))

    def expected_precision(
        self, similarity: float, options: SimilarityOptions, *, plain_background: bool = True
    ) -> float | None:
        """How often items of this similarity were of the query's kind, 0 to 1, where measured.
        ``plain_background`` says that the query is no photograph with surroundings."""
        if self.calibration is None or options.metric != scoring.COSINE:
            return None
        return self.calibration.expected_precision(
            similarity,
            colour=self.colour_weight(options, plain_background=plain_background),
            trained=self.uses_head(options),
            street=self.mostly_plain_background and not plain_background,
        )

    def is_out_of_catalogue(self, query: Features, rows: Sequence[int] = ()) -> bool:
        """Whether a photograph is less like its nearest item than most items, drawn at random, are
        like each other. Its hits' ``rows``, if known, save a search when one of them is not."""
        if self.calibration is None or query.plain_background or not self.mostly_plain_background:
            return False
        bare = SimilarityOptions(colour=0.0, trained=False)
        chance = self.calibration.chance
        if len(rows) and self.similarities(query, np.array(rows), options=bare).max() >= chance:
            return False
        (hits,) = self.search([query], 1, options=bare)
        return len(hits) > 0 and float(hits.similarities[0]) < chance

    def near_duplicates(self, hits: Hits) -> list[list[int]]:
        """Places in ``hits``, grouped: the first of a group is the best, the others look all but
        the same as it. Groups come in the order of their first."""
        vectors = np.asarray(self.vectors[hits.rows])
        colours = scoring.unit_bytes(self.descriptors[hits.rows][:, COLOURS])
        outlines = scoring.unit_bytes(self.descriptors[hits.rows][:, SILHOUETTE])
        alike = vectors @ vectors.T >= SAME_SHAPE
        alike &= (colours @ colours.T >= SAME_COLOURS) & (outlines @ outlines.T >= SAME_COLOURS)
        groups: dict[int, list[int]] = {}
        for place in range(len(hits)):
            first = next((first for first in groups if alike[first, place]), place)
            groups.setdefault(first, []).append(place)
        return list(groups.values())

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
        return [str(c) for c in self.items.columns if c not in INTERNAL_COLUMNS]


class _Stored(Features):
    """Features that come out of an index and are reduced already."""


def _as_features(queries: Sequence[Features] | np.ndarray) -> Sequence[Features]:
    if not isinstance(queries, np.ndarray):
        return queries
    unknown = np.zeros(DESCRIPTOR_LENGTH, np.uint8)
    return [Features(row[None], unknown) for row in np.atleast_2d(queries)]


def _term(of: str, rows: Matrix, queries: np.ndarray, scale: np.ndarray | None = None) -> ScoreTerm:
    return ScoreTerm(of, rows, np.asarray(queries, np.float32), scale)


def _means(views: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of each query's views, as unit rows."""
    return normalise(np.stack([view.mean(axis=0) for view in views]))


def _in_words(identity: Mapping[str, Any]) -> str:
    return (
        f"{identity.get('backbone')} with weights {identity.get('weights')} "
        f"({str(identity.get('weights_sha256'))[:8]})"
    )
