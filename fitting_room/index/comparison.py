"""How similarity to the items of an index is measured: what is compared, and with which weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from fitting_room.imaging.descriptors import (
    COLOURS,
    DESCRIPTOR_LENGTH,
    LAYOUT,
    PLAIN_BACKGROUND,
    SILHOUETTE,
)
from fitting_room.imaging.features import Features, normalise
from fitting_room.index import scoring
from fitting_room.index.data import IndexData
from fitting_room.index.head import Head
from fitting_room.index.item_pictures import ItemPictures
from fitting_room.index.item_store import ItemStore
from fitting_room.index.local_items import LocalItems
from fitting_room.index.manifest import DESCRIPTORS, TRAINED, VECTORS
from fitting_room.index.scoring import (
    LONGEST_ROW,
    Hits,
    JaccardTerm,
    ScoreTerm,
    SimilarityOptions,
    Terms,
)
from fitting_room.index.vectors import Matrix, release

#: Of each query the embeddings of its views, float32 ``(V, D)``.
Views = Sequence[np.ndarray]

#: A picture is the same as another, byte for byte or saved again, where the cosines of embeddings
#: and of colours are at least these, and light and dark differ by no more on average. Of 2,500
#: products no two others are; with embeddings and light alone some lipsticks are.
SAME_EMBEDDING, SAME_HISTOGRAM, SAME_LIGHT = 0.99, 0.99, 0.01
#: What makes an item the very picture of a query: its likeness, and how far that is ahead of the
#: next one's, unless it is all but 1; and the weight of silhouettes in it. Chosen by copy
#: detection: docs/decisions/024-a-packaged-head.md.
LEAST_OF_COPY, LEAST_AHEAD, ALL_BUT_ONE, SILHOUETTE_WEIGHT = 0.87, 0.005, 0.99, 0.5
#: Of near-duplicates, a picture and itself in another size or compression differ in the mean over
#: their layouts by less than this, in units of 1/255: on the demo catalogue and on photographs of
#: clothes, halves and JPEGs of quality 60 by 0.3 to 0.9 and one half in twenty by more than 2, cuts
#: by 2 % of a side by 2.1 to 2.4, pictures 5 % brighter by 1.6 to 1.9 (medians).
COPY_LAYOUT = 1.5


class Comparison:
    """An opened index as far as it compares pictures with its items, with the attributes of its
    data."""

    #: Where the items live, as the search asks for them.
    store: ItemStore

    def __init__(self, data: IndexData) -> None:
        self.data = data
        self.store = self._local = LocalItems(data.items, data)
        self.folder, self.manifest = data.folder, data.manifest
        self.vectors, self.descriptors, self.pca = data.vectors, data.descriptors, data.pca
        self.head, self.trained, self.ann = data.head, data.trained, data.ann
        self.head_vectors = data.head_vectors
        self.map, self.calibration = data.map, data.calibration
        self._scales: dict[int, np.ndarray] = {}
        # A query is ranked, judged and put into words: for each of them the head is asked.
        self._projected: WeakKeyDictionary[Features, np.ndarray] = WeakKeyDictionary()

    def __len__(self) -> int:
        """How many pictures there are: rows of the arrays."""
        return len(self.vectors)

    @property
    def items(self) -> pd.DataFrame:
        """The table of the pictures of items, of which those of one item have the same ``id``."""
        return self.data.items

    @property
    def place(self) -> str:
        """Where the index is, for people."""
        return str(self.folder)

    @property
    def version(self) -> str:
        """The name of this version of it, other than that of any other."""
        return self.data.version.name

    def require_sound(self) -> None:
        """Raise :class:`IndexUnusable` where a file of the index was found to be damaged."""
        if self.data.verifier is not None:
            self.data.verifier.require_sound()

    def found_damage(self, reason: str) -> None:
        """Remember that a file is damaged, and raise :class:`IndexUnusable`, now and from now on.
        An index in memory has no files."""
        if self.data.verifier is not None:
            self.data.verifier.found(reason)

    def require_unit_rows(self, rows: np.ndarray) -> None:
        """Raise :class:`IndexUnusable` unless some rows have length 1, as they were written."""
        arrays = {VECTORS: self.vectors, TRAINED: self.trained}
        for name, matrix in arrays.items():
            if matrix is None or self.data.verifier is None:
                continue
            with np.errstate(all="ignore"):  # of a damaged row anything may come
                lengths = np.linalg.norm(np.asarray(matrix[rows], np.float32), axis=1)
            # Written so that it is false of what is no number. A row of zeros is like nothing.
            if not ((np.abs(lengths - 1) <= LONGEST_ROW - 1) | (lengths == 0)).all():
                self.found_damage(f"{name} has rows that are no unit rows")

    def _require_whole(self, hits: Hits, n: int) -> None:
        """Raise :class:`IndexUnusable` unless there are ``n`` hits with similarities: what is no
        number in a row is no less than anything and no more."""
        if self.data.verifier is None or (len(hits) >= n and np.isfinite(hits.similarities).all()):
            return
        self.data.verifier.found(f"{VECTORS} or {DESCRIPTORS} hold what is no number")

    @property
    def item_pictures(self) -> ItemPictures | None:
        """Which pictures belong to one item, or ``None`` where every item has one picture."""
        return self._local.pictures

    @property
    def items_of_rows(self) -> np.ndarray | None:
        """The number of each row's item, int32 ``(N,)``, in the order of the items' first rows, or
        ``None`` where every item has one picture: then they are the numbers of the rows."""
        return None if self.item_pictures is None else self.item_pictures.items

    @property
    def has_several_pictures(self) -> bool:
        """Whether some item has more than one picture."""
        return self.item_pictures is not None

    @property
    def item_count(self) -> int:
        """How many different items there are."""
        return len(self) if self.item_pictures is None else self.item_pictures.count

    @property
    def first_rows(self) -> np.ndarray:
        """The row of each item's first picture, int64 ``(item_count,)``, ascending."""
        return np.arange(len(self)) if self.item_pictures is None else self.item_pictures.first_rows

    def item_numbers(self, rows: Any) -> np.ndarray:
        """The numbers of the items of some rows: equal for pictures of one item."""
        items = self.items_of_rows
        return np.asarray(rows if items is None else items[rows])

    def rows_of_item(self, row: int) -> np.ndarray:
        """The rows of all pictures of the item that the picture in ``row`` is of, ascending."""
        if self.item_pictures is None:
            return np.array([row])
        return self.item_pictures.rows_of(int(self.item_pictures.items[row]))

    def once(self, rows: np.ndarray) -> np.ndarray:
        """Of some rows the first of each item, in their order."""
        return rows[self.places_once(rows)] if self.has_several_pictures else rows

    def places_once(self, rows: np.ndarray) -> np.ndarray:
        """The places in some rows of the first picture of each item, ascending."""
        return np.sort(np.unique(self.item_numbers(rows), return_index=True)[1])

    @property
    def pictures_factor(self) -> int:
        """So many times as many pictures as items are looked for at first."""
        return 1 if self.item_pictures is None else self.item_pictures.factor

    @property
    def dimension(self) -> int:
        return self.manifest.dimension

    @property
    def identity(self) -> dict[str, Any]:
        """Which network, weights and preprocessing made it."""
        return self.manifest.identity

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

    def terms(self, queries: Sequence[Features], options: SimilarityOptions) -> Terms:
        """What the similarity to some queries is the sum of. Raises :class:`IndexUnusable` where
        the index was found to be damaged."""
        self.require_sound()
        views = [self._own(query) for query in queries]
        descriptors = np.stack([query.descriptors for query in queries])
        colours = scoring.unit_bytes(descriptors[:, COLOURS])
        weights = [
            self.colour_weight(options, plain_background=q.plain_background) for q in queries
        ]
        # A picture of which only the embedding is known has no colours.
        weight = np.where(colours.any(axis=1), weights, 0.0)[:, None]
        projected = self.projected(queries) if self.uses_head(options) else None
        if projected is not None and self.trained is not None:
            terms = self._head_terms(views, projected, 1 - weight, self.trained)
        else:
            terms = self._embedding_terms(views, descriptors, 1 - weight, options)
        if weight.any():
            terms.append(self._byte_term(scoring.COLOUR, COLOURS, weight * colours))
        return terms

    def projected(self, queries: Sequence[Features]) -> np.ndarray | None:
        """What the head makes of queries, float32 ``(Q, E)``, the mean of what it makes of the
        views of each, as unit rows. ``None`` without a head, and where it brings another network
        and a query has only the index's own embedding, which says nothing to it."""
        new = [query for query in queries if query not in self._projected]
        inputs = [self._for_head(query) for query in new]
        known = [of_query for of_query in inputs if of_query is not None]
        if self.head is None or len(known) < len(new):
            return None
        if new:
            counts = [len(view) for view in known]
            descriptors = np.stack([query.descriptors for query in new])
            rows = self.head.project(np.concatenate(known), np.repeat(descriptors, counts, axis=0))
            means = _means(np.split(rows, np.cumsum(counts)[:-1]))
            self._projected.update(zip(new, means, strict=True))
        return np.stack([self._projected[query] for query in queries])

    def copies_among(self, query: Features, rows: np.ndarray) -> np.ndarray:
        """The places in ``rows`` of the item that seems to be the very picture of a query, saved
        again, cropped or brightened, or of all that are exactly it; mostly none. A head sees what
        kind of thing a picture shows and is blind to what tells one white shirt from the next; so
        this goes by a network's own embedding, the descriptors, and where in the picture there is
        what light."""
        own, vectors = self._untaught(query)
        wanted, of_items = query.descriptors[None], self.descriptors[rows]
        likeness = vectors[rows] @ own
        for columns, weight in ((COLOURS, 1.0), (SILHOUETTE, SILHOUETTE_WEIGHT)):
            unit = scoring.unit_bytes(wanted[:, columns])[0]
            likeness += weight * (scoring.unit_bytes(of_items[:, columns]) @ unit)
        layouts = (of[:, LAYOUT].astype(np.float32) / 255 for of in (of_items, wanted))
        light = np.abs(np.subtract(*layouts)).mean(axis=1)
        likeness = likeness / (2 + SILHOUETTE_WEIGHT) - light
        order = np.asarray(np.argsort(-likeness, kind="stable"))
        exact = np.count_nonzero(likeness >= ALL_BUT_ONE)
        if exact:
            return order[:exact]
        best = order[:1]
        # Another picture of the same item is no rival.
        items = self.item_numbers(np.asarray(rows)[order])
        rivals = order[items != items[:1]]
        alone = len(rivals) == 0 or likeness[order[0]] - likeness[rivals[0]] >= LEAST_AHEAD
        return best if alone and likeness[best] >= LEAST_OF_COPY else best[:0]

    def same_pictures(self, query: Features, rows: np.ndarray) -> np.ndarray:
        """Which of some rows hold the query's own picture, bool ``(len(rows),)``: the same file, or
        the same picture saved again, but not one that was changed."""
        wanted, of_items = query.descriptors, self.descriptors[rows]
        if not wanted.any():  # nothing is known of it
            return np.zeros(len(rows), bool)
        own, vectors = self._untaught(query)
        near = np.asarray(vectors[rows], np.float32) @ own >= SAME_EMBEDDING
        colours = scoring.unit_bytes(of_items[:, COLOURS])
        near &= colours @ scoring.unit_bytes(wanted[None, COLOURS])[0] >= SAME_HISTOGRAM
        layouts = (of[..., LAYOUT].astype(np.float32) / 255 for of in (of_items, wanted))
        near &= np.abs(np.subtract(*layouts)).mean(axis=1) <= SAME_LIGHT
        # A photograph is seen in several cuts, and a catalogue's picture in one.
        return np.asarray(near | (of_items == wanted).all(axis=1))

    def copies_of(self, row: int, others: np.ndarray) -> np.ndarray:
        """Which of the near-duplicates of an item, by their rows, show the very same picture: the
        same file, or the picture in another size or compression; bool ``(len(others),)``."""
        layouts = self.descriptors[[row, *others.tolist()]][:, LAYOUT].astype(np.float32)
        same = np.abs(layouts[1:] - layouts[0]).mean(axis=1) <= COPY_LAYOUT
        own, *of_others = self.store.cells("digest", np.array([row, *others.tolist()]))
        same |= [isinstance(own, str) and digest == own for digest in of_others]
        return np.asarray(same)

    @property
    def untaught(self) -> Matrix:
        """Embeddings of all items by the network that the head brings, if it brings one: the
        index's own may be fine-tuned, and as blind as a head to what tells like from like."""
        return self.vectors if self.head_vectors is None else self.head_vectors

    def _untaught(self, query: Features) -> tuple[np.ndarray, Matrix]:
        """A query's embedding, a unit row, and those of all items that it is compared with."""
        if self.head_vectors is None or query.head_embeddings is None:
            return _means([self._own(query)])[0], self.vectors
        return _means([query.head_embeddings])[0], self.head_vectors

    def _own(self, query: Features) -> np.ndarray:
        return query.embeddings if isinstance(query, _Stored) else self.reduced(query.embeddings)

    def embeddings_for(self, head: Head | None, rows: slice | np.ndarray) -> np.ndarray:
        """What a head takes of some items, float32 ``(N, H)``, with its own network or with the
        index's, which is what a head that is yet to be trained takes."""
        if head is not None and self.head_vectors is not None and self._brings_network(head):
            return self.head_vectors[rows]
        return self._whole(head, self.vectors[rows])

    def _brings_network(self, head: Head) -> bool:
        return head.takes(self.manifest.head_network)

    def _for_head(self, query: Features) -> np.ndarray | None:
        if self.head_vectors is not None:
            return query.head_embeddings
        return self._whole(self.head, self._own(query))

    def _whole(self, head: Head | None, vectors: np.ndarray) -> np.ndarray:
        """Embeddings as they were before the PCA; heads of format 1 take the reduced ones."""
        whole = head is None or head.network is not None
        return self.pca.restored(vectors) if self.pca is not None and whole else vectors

    def _head_terms(
        self, views: Views, projected: np.ndarray, weight: np.ndarray, trained: Matrix
    ) -> list[ScoreTerm | JaccardTerm]:
        """What the head makes of each query, ``projected``, and the embeddings of its views."""
        return [
            _term(scoring.LEARNED, trained, weight * (1 - scoring.EMBEDDING_SHARE) * projected),
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
        of_head = [None] * len(rows)
        if self.head_vectors is not None:
            of_head = [row[None] for row in self.head_vectors[rows]]
        stored = zip(self.vectors[rows], self.descriptors[rows], of_head, strict=True)
        return [
            _Stored(vector[None], np.asarray(of_item), of_head_network)
            for vector, of_item, of_head_network in stored
        ]

    def reduced(self, embeddings: np.ndarray) -> np.ndarray:
        """Embeddings as the network makes them, float32 ``(Q, D0)``, as this index keeps those of
        its items: unit rows, after its PCA if it has one. Raises ``ValueError`` for others."""
        expected = self.dimension if self.pca is None else self.pca.components.shape[1]
        if embeddings.ndim != 2 or embeddings.shape[1] != expected:
            raise ValueError(f"a query has {expected} dimensions here")
        return normalise(embeddings if self.pca is None else self.pca(embeddings))


class _Stored(Features):
    """Features that come out of an index and are reduced already."""


def as_features(queries: Sequence[Features] | np.ndarray) -> Sequence[Features]:
    if not isinstance(queries, np.ndarray):
        return queries
    unknown = np.zeros(DESCRIPTOR_LENGTH, np.uint8)
    return [Features(row[None], unknown) for row in np.atleast_2d(queries)]


def _term(of: str, rows: Matrix, queries: np.ndarray, scale: np.ndarray | None = None) -> ScoreTerm:
    return ScoreTerm(of, rows, np.asarray(queries, np.float32), scale)


def _means(views: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of each query's views, as unit rows."""
    return normalise(np.stack([view.mean(axis=0) for view in views]))
