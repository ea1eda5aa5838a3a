"""How good the results are: precision, mean average precision and hits of queries with labels."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from fitting_room.catalogue.schema import held_out
from fitting_room.evaluation import measures, metrics, words
from fitting_room.evaluation.queries import Queries
from fitting_room.evaluation.relevance import Relevance, find_relevance
from fitting_room.evaluation.results import (
    ALL,
    Answers,
    ClassMetrics,
    Evaluation,
    EvaluationError,
    Metrics,
    OptionError,
    Published,
)
from fitting_room.evaluation.searching import (
    QUERIES_AT_ONCE,
    embedded,
    gallery_mask,
    picture_digests,
)
from fitting_room.evaluation.words import WordSearch
from fitting_room.facade import FittingRoom
from fitting_room.index.head import is_trained_here, sources_of
from fitting_room.index.index import Where
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.util.progress import Listener, Stage, ignore

#: Results of each query that count where nobody said how many, and at most.
RESULTS, MOST_RESULTS = 4, 1_000
#: The row of a query, the rows of the gallery with its very picture, its results and similarities.
Found = tuple[int, np.ndarray, np.ndarray, np.ndarray]


def evaluate(
    fitting_room: FittingRoom,
    queries: Queries,
    *,
    k: int = RESULTS,
    columns: Sequence[str] | None = None,
    where: Where | None = None,
    holdout: int | None = None,
    options: SimilarityOptions = SimilarityOptions(),  # noqa: B008  (frozen)
    word_search: WordSearch | None = None,
    name_weight: float = 0.0,
    seed: int = 0,
    listener: Listener = ignore,
) -> Evaluation:
    """Search for ``queries`` and count how many of the first ``k`` results are right.

    ``columns`` are judged, each and all together; ``where`` narrows the gallery. With ``holdout``
    the queries are the items of :func:`fitting_room.catalogue.catalogue.held_out`, and those take
    no part in the gallery although the index holds them. Without it, a query's own picture is not
    among its results: neither the item itself, by any of its pictures, nor others that have a
    byte-identical copy of the query.

    Queries by words, in ``queries`` and in the measures that others publish, are answered by
    ``word_search``, or by the index's network where that reads words. The measures of words compare
    items by ``name_weight`` of their name beside their picture
    (:mod:`fitting_room.evaluation.words`).

    Raises :class:`EvaluationError` when there is nothing to evaluate, :class:`OptionError` for
    columns that are not there and for words that nothing reads, and ``FilterError``.
    """
    run = EvaluationRun(
        fitting_room, queries, k, columns, where, holdout, options, word_search, name_weight, seed
    )
    return run.run(listener)


@dataclass(eq=False)
class EvaluationRun:
    """One evaluation; :func:`evaluate` explains its fields and errors. Everything but the pictures
    is checked when it is made."""

    fitting_room: FittingRoom
    queries: Queries
    k: int
    columns: Sequence[str] | None
    where: Where | None
    holdout: int | None
    options: SimilarityOptions
    word_search: WordSearch | None
    name_weight: float
    seed: int

    def __post_init__(self) -> None:
        check_k(self.k)
        self._depth = max(self.k, measures.DEPTH)
        index = self.index = self.fitting_room.index
        self.gallery = gallery_mask(index, self.where, self.holdout)
        self._gallery_once = np.zeros(len(index), bool)
        self._gallery_once[index.once(np.flatnonzero(self.gallery))] = True
        self.relevance = find_relevance(index, self.queries, self.columns)
        self._rows, self._unlabelled = self._choose_queries()
        self.word_search = self.word_search or words.word_search(self.fitting_room)
        if self.word_search is None and any(self.queries.texts):
            raise OptionError(
                f"{self.queries.location}: has queries by words, and {index.identity['backbone']}, "
                f"the network of {index.folder}, reads none. Build the index with one that does."
            )
        if self.name_weight:
            words.check_names(self.fitting_room)
        self._head = index.head if index.uses_head(self.options) else None
        self._index_digests = picture_digests(index)
        self._digests: dict[int, str] = {}

    def run(self, listener: Listener) -> Evaluation:
        """Search for all queries and measure their results."""
        started = time.perf_counter()
        answers, published, rejected = self._search(listener)
        same = [len(rows) > 0 for rows in answers.same_picture]
        return Evaluation(
            settings=self._settings(),
            queries=len(answers.query),
            gallery=int(self._gallery_once.sum()),
            unlabelled=self._unlabelled,
            identical=0 if self.holdout is None else sum(same),
            rejected=tuple((self._name(row), reason) for row, reason in rejected.items()),
            metrics={
                name: self._metrics(name, answers)
                for name, labelled in answers.labelled.items()
                if labelled.any()
            },
            published={**published, **self._words(listener)},
            without_words=self._without_words(),
            leak=self._head_knows(answers.query),
            seconds=time.perf_counter() - started,
            answers=answers,
        )

    def _choose_queries(self) -> tuple[np.ndarray, int]:
        """Rows of the queries that are searched for, and how many lack a label."""
        place, chosen = self.queries.location, np.ones(len(self.queries), bool)
        if self.holdout is not None:
            chosen = held_out(self.queries.items["id"], self.holdout)
            if not chosen.any():
                raise EvaluationError(
                    f"{place}: no item is held out by --holdout {self.holdout}. Take a smaller one."
                )
        labelled = np.any([one.queries >= 0 for one in self.relevance.values()], axis=0)
        if not (chosen & labelled).any():
            names = ", ".join(name for name in self.relevance if name != ALL)
            raise EvaluationError(
                f"{place}: no query has a label in {names}, so nothing can be judged."
            )
        return np.flatnonzero(chosen & labelled), int((chosen & ~labelled).sum())

    def _search(self, listener: Listener) -> tuple[Answers, dict[str, Published], dict[int, str]]:
        """The results of the queries, what others publish of them, and the rows of those without a
        usable picture."""
        rejected: dict[int, str] = {}
        of_words = np.array([bool(self.queries.text(row)) for row in self._rows], bool)
        found = [
            *self._by_pictures(self._rows[~of_words], listener, rejected),
            *(self._by_words(self._rows[of_words], listener) if of_words.any() else ()),
        ]
        if not found:
            row, reason = next(iter(rejected.items()))
            raise EvaluationError(
                f"None of the pictures could be used. The first, {self._name(row)}: {reason}"
            )
        query, same_picture, *results = zip(*sorted(found, key=lambda one: one[0]), strict=True)
        rows, similarities = (np.stack(values) for values in results)
        k, relevance = self.k, self.relevance
        answers = Answers(
            np.array(query),
            rows[:, :k],
            similarities[:, :k],
            {name: one.queries[list(query)] >= 0 for name, one in relevance.items()},
            {name: _right(one, query, rows[:, :k]) for name, one in relevance.items()},
            same_picture,
        )
        return answers, self._published(answers, rows), rejected

    def _by_pictures(
        self, rows: np.ndarray, listener: Listener, rejected: dict[int, str]
    ) -> Iterator[Found]:
        stage = Stage("Searching for the queries", len(rows), "picture", listener)
        with_digest = self.index.items.groupby(self._index_digests, sort=False).indices
        for batch in embedded(self.fitting_room, rows, self._load, stage, rejected):
            same = [np.asarray(with_digest.get(self._digests[row], ()), int) for row, _ in batch]
            same = [self.index.once(rows[self.gallery[rows]]) for rows in same]
            left_out = same if self.holdout is None else [rows[:0] for rows in same]
            hits = self.index.search(
                [features for _, features in batch],
                # So many more that enough are left without the query's own picture.
                self._depth + max(len(rows) for rows in left_out),
                options=self.options,
                exclude=None if self.gallery.all() else ~self.gallery,
            )
            for (row, _), same_picture, out, of_query in zip(
                batch, same, left_out, hits, strict=True
            ):
                yield row, same_picture, *self._first(of_query, out)

    def _by_words(self, rows: np.ndarray, listener: Listener) -> Iterator[Found]:
        stage = Stage("Searching for the queries by words", len(rows), "query", listener)
        nothing = np.empty(0, np.int64)
        for start in range(0, len(rows), QUERIES_AT_ONCE):
            batch = rows[start : start + QUERIES_AT_ONCE].tolist()
            texts = [self.queries.text(row) for row in batch]
            if self.word_search is not None:  # which was checked
                hits = self.word_search(texts, self._depth, ~self.gallery)
                for row, of_query in zip(batch, hits, strict=True):
                    yield row, nothing, *self._first(of_query, nothing)
            stage.advance(len(batch))

    def _published(self, answers: Answers, rows: np.ndarray) -> dict[str, Published]:
        """What others publish, of the results ``rows``, int64 ``(A, depth)``."""
        relevances = measures.published_relevance(self.relevance)
        published = {}
        for measure in measures.MEASURES:
            if (relevance := relevances.get(measure.of)) is None:
                continue
            places = np.flatnonzero(relevance.queries[answers.query] >= 0)
            if len(places):
                right = _right(relevance, answers.query[places], rows[places])
                relevant = self._relevant(relevance, answers, places)
                published[measure.name] = measure(right, relevant, self.seed)
        return published

    def _words(self, listener: Listener) -> dict[str, Published]:
        """What others publish of queries by words, where something reads them."""
        if self.word_search is None:
            return {}
        with_names = None
        if self.name_weight:
            with_names = words.search_with_names(self.fitting_room, self.name_weight, listener)
        return words.measure_words(
            self.index,
            self.word_search,
            self.gallery,
            list(self.relevance),
            with_names=with_names,
            seed=self.seed,
            listener=listener,
        )

    def _without_words(self) -> str | None:
        if self.word_search is not None:
            return None
        network = self.index.identity["backbone"]
        return f"Queries by words (KAGL) were not measured: {network} reads no words."

    def _first(self, hits: Hits, left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The first hits of items other than those of the rows ``left_out``, filled up with -1
        and 0."""
        items, k = self.index.item_numbers, self._depth
        kept = np.flatnonzero(~np.isin(items(hits.rows), items(left_out)))[:k]
        rows, similarities = np.full(k, -1, np.int64), np.zeros(k, np.float32)
        rows[: len(kept)] = hits.rows[kept]
        similarities[: len(kept)] = hits.similarities[kept]
        return rows, similarities

    def _name(self, row: int) -> str:
        return self.queries.text(row) or str(self.queries.items["image"].iat[row])

    def _load(self, row: int) -> Image.Image:
        data = self.queries.store.read(self._name(row), self.fitting_room.limits.max_bytes)
        self._digests[row] = hashlib.blake2b(data, digest_size=16).hexdigest()
        return self.fitting_room.open_picture(data)

    def _metrics(self, name: str, answers: Answers) -> Metrics:
        relevance = self.relevance[name]
        places = np.flatnonzero(answers.labelled[name])
        right, query = answers.right[name][places], answers.query[places]
        codes = relevance.queries[query]
        relevant = self._relevant(relevance, answers, places)
        precision, hit = metrics.precision_at_k(right), metrics.hit_at_k(right)
        average = metrics.average_precision_at_k(right, relevant)
        figures = metrics.bootstrap_figures(np.stack([precision, average, hit]), self.seed)
        without_relevant = int(np.count_nonzero(relevant == 0))
        groups = codes if relevance.groups is None else relevance.groups[query]
        classes = _classes(relevance.values, groups, precision, hit)
        return Metrics(len(places), figures[0], figures[1], figures[2], without_relevant, classes)

    def _relevant(self, relevance: Relevance, answers: Answers, places: np.ndarray) -> np.ndarray:
        """How many right items the gallery has for each of some answers, int ``(len(places),)``."""
        query = answers.query[places]
        relevant = relevance.count(self._gallery_once)[relevance.queries[query]]
        if self.holdout is None:
            relevant -= [
                np.count_nonzero(relevance.is_right(row, answers.same_picture[place]))
                for row, place in zip(query.tolist(), places.tolist(), strict=True)
            ]
        return np.asarray(relevant)

    def _head_knows(self, queries: np.ndarray) -> bool:
        """Whether the head in use was trained on any item whose own picture is a query."""
        if self._head is None or not is_trained_here(self._head):
            return False  # of what was learned elsewhere no list is kept
        known = set(zip(self.index.items["id"].astype(str), self._index_digests, strict=True))
        ids = self.queries.items["id"].iloc[queries].astype(str)
        pairs = zip(ids, (self._digests.get(row) for row in queries), strict=True)
        own = ids[[pair in known for pair in pairs]]
        kept_back = self._head.record.get("holdout")
        if type(kept_back) is int and kept_back > 0:
            own = own[~held_out(own, kept_back)]
        return len(own) > 0

    def _settings(self) -> dict[str, Any]:
        mapping, colours, options = self.queries.mapping, self.queries.colours, self.options
        photographs = 0 if self._head is None else self._head.record.get("photographs")
        return {
            "index": str(self.index.folder),
            "queries": str(self.queries.location),
            "network": str(self.index.identity["backbone"]),
            "k": self.k,
            "columns": None if mapping else [name for name in self.relevance if name != ALL],
            "mapping": None if mapping is None else str(mapping.location),
            "mapping_column": None if mapping is None else mapping.column,
            **(
                {"colours": str(colours.location), "colour_column": colours.column}
                if colours is not None
                else {}
            ),
            "where": dict(self.where or {}),
            "holdout": self.holdout,
            "metric": options.metric,
            "silhouette": options.silhouette,
            **({"name_weight": self.name_weight} if self.name_weight else {}),
            "trained": self._head is not None,
            "head_sources": [] if self._head is None else sources_of(self._head),
            "trained_on_photographs": photographs if type(photographs) is int else 0,
            "colour": {
                "plain_background": self.index.colour_weight(options),
                "photograph": self.index.colour_weight(options, plain_background=False),
            },
            "seed": self.seed,
        }


def _right(relevance: Relevance, query: Iterable[int], rows: np.ndarray) -> np.ndarray:
    """Which results ``rows``, int64 ``(Q, k)``, are right for some queries, bool ``(Q, k)``."""
    pairs = zip(query, rows, strict=True)
    return np.stack([relevance.is_right(row, of_query) for row, of_query in pairs])


def check_k(k: int) -> None:
    """Raise :class:`OptionError` unless ``k`` is a possible number of results."""
    if not 1 <= k <= MOST_RESULTS:
        raise OptionError(f"-k {k}: a whole number from 1 to {MOST_RESULTS:,} is expected.")


def _classes(
    values: Sequence[str], codes: np.ndarray, precision: np.ndarray, hit: np.ndarray
) -> dict[str, ClassMetrics]:
    """The metrics of each class that has a name in ``values``, the most frequent first; queries
    with a code of -1 are of none."""
    if not values:
        return {}
    classes = pd.DataFrame({"precision": precision, "hit": hit}).groupby(codes)
    means = classes.mean()
    counts = classes.size().drop(-1, errors="ignore").sort_values(ascending=False, kind="stable")
    return {
        values[code]: ClassMetrics(count, *(round(mean, 6) for mean in means.loc[code].tolist()))
        for code, count in zip(counts.index, counts.tolist(), strict=True)
    }
