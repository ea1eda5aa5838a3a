"""The search in an index: the items that are most similar to some queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.imaging.descriptors import COLOURS, SILHOUETTE
from fitting_room.imaging.features import Features
from fitting_room.index import scoring
from fitting_room.index.comparison import Comparison, as_features
from fitting_room.index.data import check_file, current_version, load_index_data
from fitting_room.index.filters import (
    EVERYTHING,
    Filter,
    FilterError,
    Marked,
    Not,
    Where,
    both,
    filter_of,
)
from fitting_room.index.inverted_file import AnnIndexError
from fitting_room.index.item_pictures import best_items
from fitting_room.index.manifest import IndexUnusable, damaged
from fitting_room.index.scoring import Hits, ScoreTerm, SimilarityOptions, Terms
from fitting_room.util.identities import IN_8_BITS

#: Scores (queries x items) computed at once; bounds the memory of a search to 4 bytes each.
SCORES_AT_ONCE = 32_000_000
#: Below this fraction of the catalogue a filter's rows are gathered and searched by themselves.
SPARSE_FILTER = 0.2
#: Of what a head ranks first, so many are looked at whether one is the query's very picture.
COPY_AMONG = 50

#: Two items look all but the same from these cosines of embeddings and of colours (and of
#: silhouettes) on: what re-encoded, slightly cropped or brightened copies reach.
SAME_SHAPE, SAME_COLOURS = 0.96, 0.95

#: Columns of ``items`` that are the index's own and say nothing of the catalogue.
INTERNAL_COLUMNS = frozenset({"image", "signature", "digest"})

DEFAULT_OPTIONS = SimilarityOptions()

__all__ = ["DEFAULT_OPTIONS", "INTERNAL_COLUMNS", "FilterError", "Index", "Where"]


class Index(Comparison):
    """An opened index, with the attributes of its data. Safe to share between threads. Once damage
    was found in a file (:class:`fitting_room.index.verifier.Verifier`), everything that compares
    pictures with it raises :class:`IndexUnusable`."""

    @classmethod
    def open(cls, folder: str | Path) -> Index:
        """Open an index; the vectors are mapped, not read. Raises :class:`IndexUnusable`."""
        return cls(load_index_data(Path(folder)))

    def reopened(self) -> Index:
        """The index as it is now. Raises :class:`IndexUnusable`."""
        return Index.open(self.folder)

    def newest_version(self) -> str:
        """The name of the version that is there now, as :attr:`version` says that of this one.
        Raises :class:`IndexUnusable`."""
        return current_version(self.folder).name

    def verify(self) -> None:
        """Read every file and compare its checksum. Raises :class:`IndexUnusable`."""
        for name, entry in self.manifest.files.items():
            check_file(self.folder, self.data.version / name, entry)
        self.require_sound()

    def start_verifying(self) -> None:
        """Compare the checksums that were not compared yet in the background, which the first
        answer does at the latest."""
        if self.data.verifier is not None:
            self.data.verifier.start()

    def wait_until_verified(self) -> None:
        """Return once all checksums were compared. Raises :class:`IndexUnusable` where a file is
        damaged: what was answered before may be wrong."""
        if self.data.verifier is not None:
            self.data.verifier.wait()

    def require(
        self, identity: Mapping[str, Any], head_network: Mapping[str, Any] | None = None
    ) -> None:
        """Raise :class:`IndexUnusable` unless queries of that network, and of that one for the
        head if it brings one, may be asked here."""
        if dict(identity) == self.identity:
            if head_network == self.manifest.head_network:
                return
            raise IndexUnusable(
                f"{self.place}: the head of this index brings another network than the one that "
                f"is loaded. Build it again with: fitting-room build CATALOGUE --index "
                f"{self.place}"
            )
        raise IndexUnusable(
            f"{self.place}: this index was made by {_in_words(self.identity)} and cannot be "
            f"searched with {_in_words(identity)}. Build it again with: fitting-room build "
            f"CATALOGUE --index {self.place} --backbone {identity.get('backbone')}"
        )

    @property
    def sample(self) -> Index:
        """An index of some of the items, on this machine, for what takes all of its items at once:
        this one itself, where they are on this machine."""
        return self

    def search(
        self,
        queries: Sequence[Features] | np.ndarray,
        n: int,
        where: Where | Filter | None = None,
        *,
        options: SimilarityOptions = DEFAULT_OPTIONS,
        exclude: np.ndarray | None = None,
        positives: int | None = None,
        exact: bool = False,
    ) -> list[Hits]:
        """The ``n`` most similar items for each query, or all that are left, each once, by the row
        of its best picture; of equally similar ones the earlier first, and with a head first of all
        what is the query's very picture (:meth:`copies_among`), with the similarity of the best.
        All are compared, or in a large catalogue candidates, unless ``exact``.

        ``queries`` are features, or embeddings float32 ``(Q, D0)``, before the index's PCA, of
        pictures whose colours are not known. ``exclude``, bool ``(N,)``, marks rows of a local
        index to leave out.
        With ``positives`` all queries are one: that many are wanted, the others are not
        (:func:`fitting_room.index.scoring.combine_queries`).

        Raises :class:`FilterError` for an unknown column, ``ValueError`` for ``n`` below 1, queries
        of another dimension, and ``positives`` that are none or no cosines.
        """
        if n < 1:
            raise ValueError("n must be at least 1")
        if isinstance(queries, np.ndarray):
            queries = np.atleast_2d(queries)
        self.require_sound()
        wanted = self.filter(where)
        if exclude is not None:
            wanted = both(wanted, Not(Marked(exclude)))
        if not self.has_several_pictures or len(queries) == 0:
            return self._answered(self._pictures(queries, n, wanted, options, positives, exact))

        def search(places: list[int], count: int) -> list[Hits]:
            some = queries
            if positives is None and isinstance(queries, np.ndarray):
                some = queries[places]
            elif positives is None:
                some = [queries[place] for place in places]
            return self._pictures(some, count, wanted, options, positives, exact)

        count = len(queries) if positives is None else 1
        return self._answered(best_items(search, count, n, self.pictures_factor, self.places_once))

    def _answered(self, found: list[Hits]) -> list[Hits]:
        """Answers whose rows were looked at, since a damaged row may be like everything. The files
        that were not checked when the index was opened are, from the first answer on."""
        if self.data.verifier is not None and found:
            self.require_unit_rows(np.unique(np.concatenate([hits.rows for hits in found])))
            self.start_verifying()
        return found

    def _pictures(
        self,
        queries: Sequence[Features] | np.ndarray,
        n: int,
        where: Filter,
        options: SimilarityOptions,
        positives: int | None,
        exact: bool,
    ) -> list[Hits]:
        """:meth:`search` for the most similar pictures, whichever items they are of."""
        if self.uses_head(options) and positives is None and not isinstance(queries, np.ndarray):
            some = max(n, self._copy_among)
            found = self._ranked(queries, some, where, options, positives, exact)
            pairs = zip(queries, found, strict=True)
            return [self._copy_first(*pair)[:n] for pair in pairs]
        return self._ranked(queries, n, where, options, positives, exact)

    def _copy_first(self, query: Features, hits: Hits) -> Hits:
        """Hits with the very picture of the query before all others, if it is among the first."""
        if len(hits) == 0:
            return hits
        return hits.with_first(self.copies_among(query, hits.rows[: self._copy_among]))

    @property
    def _copy_among(self) -> int:
        return COPY_AMONG * self.pictures_factor

    def _ranked(
        self,
        queries: Sequence[Features] | np.ndarray,
        n: int,
        where: Filter,
        options: SimilarityOptions,
        positives: int | None,
        exact: bool,
    ) -> list[Hits]:
        features = as_features(queries)
        if not features:
            return []
        terms = self.terms(features, options)
        if positives is not None:
            terms, features = scoring.combine_queries(terms, positives), features[:1]
        if not exact and (hits := self._search_candidates(terms, options, n, where)) is not None:
            return hits
        return self._search_all(terms, len(features), n, where)

    def _search_all(self, terms: Terms, queries: int, n: int, where: Filter) -> list[Hits]:
        """:meth:`search` by comparing every item that ``where`` lets through."""
        mask = None if where == EVERYTHING else self._local.mask(where)
        allowed = len(self) if mask is None else int(mask.sum())
        n, rows = min(n, allowed), None
        if mask is not None and allowed < SPARSE_FILTER * len(self):
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
                best = scoring.best(terms, query, chosen if rows is None else rows[chosen], n)
                self._require_whole(best, n)
                hits.append(best)
        return hits

    def _search_candidates(
        self, terms: Terms, options: SimilarityOptions, n: int, where: Filter
    ) -> list[Hits] | None:
        """:meth:`search` among the candidates that the items' place finds, or ``None`` where that
        cannot be done: with a measure that is no dot product, and where it does not pay."""
        if options.metric != scoring.COSINE:
            return None
        question = {term.of: term.queries for term in terms if isinstance(term, ScoreTerm)}
        try:
            found = self.store.candidates(question, n, where, trained=self.uses_head(options))
        except AnnIndexError as error:
            self.found_damage(str(error))
            raise damaged(self.folder, str(error)) from error
        if found is None:
            return None
        return [scoring.best_among(terms, query, rows, n) for query, rows in enumerate(found)]

    def similarities(
        self, query: Features, rows: np.ndarray, *, options: SimilarityOptions = DEFAULT_OPTIONS
    ) -> np.ndarray:
        """The similarity of certain items to a query, float64 ``(len(rows),)``, as :meth:`search`
        measures it."""
        terms = self.terms([query], options)
        return np.clip(sum((term.exact(rows, 0) for term in terms), np.zeros(len(rows))), -1, 1)

    def similarities_among(
        self, rows: np.ndarray, *, options: SimilarityOptions = DEFAULT_OPTIONS
    ) -> np.ndarray:
        """The similarity of some items to each other, float32 ``(R, R)``: each row is of one as the
        query, as :meth:`search` measures it."""
        scores = np.zeros((len(rows), len(rows)), np.float32)
        queries = self.features(rows)
        for term in self.terms(queries, options) if queries else ():
            term.add_to(scores, slice(0, len(rows)), rows)
        return scores

    def expected_precision(
        self, similarity: float, options: SimilarityOptions, *, plain_background: bool = True
    ) -> float | None:
        """:meth:`expected_precisions` of one similarity."""
        expected = self.expected_precisions(
            np.array([similarity]), options, plain_background=plain_background
        )
        return None if expected is None else float(expected[0])

    def expected_precisions(
        self, similarities: np.ndarray, options: SimilarityOptions, *, plain_background: bool = True
    ) -> np.ndarray | None:
        """How often items of these similarities ``(N,)`` were of the query's kind, 0 to 1, float64
        ``(N,)``, or ``None`` where that was not measured.
        ``plain_background`` says that the query is no photograph with surroundings."""
        if self.calibration is None or options.metric != scoring.COSINE:
            return None
        return self.calibration.expected_precisions(
            similarities,
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

    def look_the_same(self, query: Features, rows: np.ndarray) -> np.ndarray:
        """Which of some rows look all but the same as a query, bool ``(len(rows),)``, as
        :meth:`near_duplicates` measures it. Of a query whose descriptors are not known none do."""
        wanted, of_items = query.descriptors, self.descriptors[rows]
        own, vectors = self._untaught(query)
        alike = np.asarray(vectors[rows], np.float32) @ own >= SAME_SHAPE
        for part in (COLOURS, SILHOUETTE):
            unit = scoring.unit_bytes(wanted[None, part])[0]
            alike &= scoring.unit_bytes(of_items[:, part]) @ unit >= SAME_COLOURS
        return np.asarray(alike)

    def near_duplicates(self, hits: Hits) -> list[list[int]]:
        """Places in ``hits``, grouped: the first of a group is the best, the others look all but
        the same as it. Groups come in the order of their first."""
        vectors = np.asarray(self.untaught[hits.rows])
        colours = scoring.unit_bytes(self.descriptors[hits.rows][:, COLOURS])
        outlines = scoring.unit_bytes(self.descriptors[hits.rows][:, SILHOUETTE])
        alike = vectors @ vectors.T >= SAME_SHAPE
        alike &= (colours @ colours.T >= SAME_COLOURS) & (outlines @ outlines.T >= SAME_COLOURS)
        groups: dict[int, list[int]] = {}
        # Of each the first that it is alike to, if any of a group, before itself.
        firsts = np.zeros(len(hits), bool)
        for place in range(len(hits)):
            of_groups = alike[:place, place] & firsts[:place]
            first = int(of_groups.argmax()) if of_groups.any() else place
            firsts[first] = True
            groups.setdefault(first, []).append(place)
        return list(groups.values())

    def filter(self, where: Where | Filter | None) -> Filter:
        """What ``where`` means, or a filter as it is. Raises :class:`FilterError` for a column that
        the catalogue does not have."""
        if where is None or isinstance(where, Mapping):
            return filter_of(where, self.filter_columns)
        return where

    def mask(self, where: Where) -> np.ndarray:
        """Which rows a filter lets through, bool ``(N,)``. Raises :class:`FilterError`."""
        return self._local.mask(self.filter(where)).copy()

    @property
    def filter_columns(self) -> list[str]:
        """The columns that a filter may name."""
        return [str(c) for c in self.items.columns if c not in INTERNAL_COLUMNS]


def _in_words(identity: Mapping[str, Any]) -> str:
    return (
        f"{identity.get('backbone')} with weights {identity.get('weights')} "
        f"({str(identity.get('weights_sha256'))[:8]})"
        + (f" in 8 bits ({str(of_8_bits)[:8]})" if (of_8_bits := identity.get(IN_8_BITS)) else "")
    )
