"""How good the results are: precision, mean average precision and hits of queries with labels."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from fitting_room.catalogue.schema import held_out
from fitting_room.evaluation import metrics
from fitting_room.evaluation.queries import Queries
from fitting_room.evaluation.relevance import find_relevance
from fitting_room.evaluation.results import (
    ALL,
    Answers,
    ClassMetrics,
    Evaluation,
    EvaluationError,
    Metrics,
    OptionError,
)
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.index.head import is_trained_here, sources_of
from fitting_room.index.index import Index, Where
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.util.progress import Listener, Stage, ignore

#: Results of each query that count where nobody said how many, and at most.
RESULTS, MOST_RESULTS = 4, 1_000
#: Queries that are embedded before the index is searched for them, together.
QUERIES_AT_ONCE = 256


def evaluate(
    fitting_room: FittingRoom,
    queries: Queries,
    *,
    k: int = RESULTS,
    columns: Sequence[str] | None = None,
    where: Where | None = None,
    holdout: int | None = None,
    options: SimilarityOptions = SimilarityOptions(),  # noqa: B008  (frozen)
    seed: int = 0,
    listener: Listener = ignore,
) -> Evaluation:
    """Search for ``queries`` and count how many of the first ``k`` results are right.

    ``columns`` are judged, each and all together; ``where`` narrows the gallery. With ``holdout``
    the queries are the items of :func:`fitting_room.catalogue.catalogue.held_out`, and those take
    no part in the gallery although the index holds them. Without it, a query's own picture is not
    among its results: neither the item itself, by any of its pictures, nor others that have a
    byte-identical copy of the query.

    Raises :class:`EvaluationError` when there is nothing to evaluate, :class:`OptionError` for
    columns that are not there, and ``FilterError``.
    """
    run = EvaluationRun(fitting_room, queries, k, columns, where, holdout, options, seed)
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
    seed: int

    def __post_init__(self) -> None:
        check_k(self.k)
        index = self.index = self.fitting_room.index
        self.gallery = gallery_mask(index, self.where, self.holdout)
        self._gallery_once = np.zeros(len(index), bool)
        self._gallery_once[index.once(np.flatnonzero(self.gallery))] = True
        self.relevance = find_relevance(index, self.queries, self.columns)
        self._rows, self._unlabelled = self._choose_queries()
        self._head = index.head if index.uses_head(self.options) else None
        self._index_digests = picture_digests(index)
        self._digests: dict[int, str] = {}

    def run(self, listener: Listener) -> Evaluation:
        """Search for all queries and measure their results."""
        started = time.perf_counter()
        answers, rejected = self._search(listener)
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

    def _search(self, listener: Listener) -> tuple[Answers, dict[int, str]]:
        """The results of the queries, and the rows of those without a usable picture."""
        stage = Stage("Searching for the queries", len(self._rows), "picture", listener)
        query: list[int] = []
        same_picture: list[np.ndarray] = []
        results: list[tuple[np.ndarray, np.ndarray]] = []
        rejected: dict[int, str] = {}
        with_digest = self.index.items.groupby(self._index_digests, sort=False).indices
        for batch in embedded(self.fitting_room, self._rows, self._load, stage, rejected):
            same = [np.asarray(with_digest.get(self._digests[row], ()), int) for row, _ in batch]
            same = [self.index.once(rows[self.gallery[rows]]) for rows in same]
            left_out = same if self.holdout is None else [rows[:0] for rows in same]
            hits = self.index.search(
                [features for _, features in batch],
                # So many more that k are left without the query's own picture.
                self.k + max(len(rows) for rows in left_out),
                options=self.options,
                exclude=None if self.gallery.all() else ~self.gallery,
            )
            query += [row for row, _ in batch]
            same_picture += same
            results += [self._first(*pair) for pair in zip(hits, left_out, strict=True)]
        if not query:
            row, reason = next(iter(rejected.items()))
            raise EvaluationError(
                f"None of the pictures could be used. The first, {self._name(row)}: {reason}"
            )
        rows, similarities = (np.stack(values) for values in zip(*results, strict=True))
        labelled = {name: one.queries[query] >= 0 for name, one in self.relevance.items()}
        right = {
            name: np.stack([one.is_right(*pair) for pair in zip(query, rows, strict=True)])
            for name, one in self.relevance.items()
        }
        return Answers(np.array(query), rows, similarities, labelled, right, same_picture), rejected

    def _first(self, hits: Hits, left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The first k hits of items other than those of the rows ``left_out``, filled up with -1
        and 0."""
        items, k = self.index.item_numbers, self.k
        kept = np.flatnonzero(~np.isin(items(hits.rows), items(left_out)))[:k]
        rows, similarities = np.full(k, -1, np.int64), np.zeros(k, np.float32)
        rows[: len(kept)] = hits.rows[kept]
        similarities[: len(kept)] = hits.similarities[kept]
        return rows, similarities

    def _name(self, row: int) -> str:
        return str(self.queries.items["image"].iat[row])

    def _load(self, row: int) -> Image.Image:
        data = self.queries.store.read(self._name(row), self.fitting_room.limits.max_bytes)
        self._digests[row] = hashlib.blake2b(data, digest_size=16).hexdigest()
        return self.fitting_room.open_picture(data)

    def _metrics(self, name: str, answers: Answers) -> Metrics:
        relevance = self.relevance[name]
        places = np.flatnonzero(answers.labelled[name])
        right, query = answers.right[name][places], answers.query[places]
        codes = relevance.queries[query]
        relevant = relevance.count(self._gallery_once)[codes]
        if self.holdout is None:
            relevant -= [
                np.count_nonzero(relevance.is_right(row, answers.same_picture[place]))
                for row, place in zip(query.tolist(), places.tolist(), strict=True)
            ]
        precision, hit = metrics.precision_at_k(right), metrics.hit_at_k(right)
        average = metrics.average_precision_at_k(right, relevant)
        figures = metrics.bootstrap_figures(np.stack([precision, average, hit]), self.seed)
        without_relevant = int(np.count_nonzero(relevant == 0))
        groups = codes if relevance.groups is None else relevance.groups[query]
        classes = _classes(relevance.values, groups, precision, hit)
        return Metrics(len(places), figures[0], figures[1], figures[2], without_relevant, classes)

    def _head_knows(self, queries: np.ndarray) -> bool:
        """Whether the head in use was trained on any item whose own picture is a query."""
        if self._head is None or not is_trained_here(self._head):
            return False  # of what was learned elsewhere no list is kept
        known = set(zip(self.index.items["id"].astype(str), self._index_digests, strict=True))
        ids = self.queries.items["id"].iloc[queries].astype(str)
        pairs = zip(ids, (self._digests[row] for row in queries), strict=True)
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
            "trained": self._head is not None,
            "head_sources": [] if self._head is None else sources_of(self._head),
            "trained_on_photographs": photographs if type(photographs) is int else 0,
            "colour": {
                "plain_background": self.index.colour_weight(options),
                "photograph": self.index.colour_weight(options, plain_background=False),
            },
            "seed": self.seed,
        }


def check_k(k: int) -> None:
    """Raise :class:`OptionError` unless ``k`` is a possible number of results."""
    if not 1 <= k <= MOST_RESULTS:
        raise OptionError(f"-k {k}: a whole number from 1 to {MOST_RESULTS:,} is expected.")


def gallery_mask(index: Index, where: Where | None, holdout: int | None) -> np.ndarray:
    """Which items may be found, bool ``(N,)``, at least one of them."""
    if holdout is not None and holdout < 1:
        raise OptionError(f"--holdout {holdout}: a whole number above 0 is expected.")
    gallery = index.mask(where or {})
    if holdout is not None:
        gallery &= ~held_out(index.items["id"], holdout)
    if not gallery.any():
        raise EvaluationError(
            f"{index.folder}: nothing is left to be found. Take another --where or --holdout."
        )
    return gallery


def picture_digests(index: Index) -> pd.Series:
    """What is equal for items with the very same picture, text ``(N,)``."""
    return index.items["digest" if "digest" in index.items else "id"].astype(str)


def embedded(
    fitting_room: FittingRoom,
    rows: np.ndarray,
    load: Callable[[int], Image.Image],
    stage: Stage,
    rejected: dict[int, str],
) -> Iterator[list[tuple[int, Features]]]:
    """Rows and features of the pictures that ``load`` reads, a batch at a time. Those that cannot
    be used go to ``rejected``, with the reason."""
    batch: list[tuple[int, Features]] = []
    views = fitting_room.index.mostly_plain_background
    for row, outcome in fitting_room.embedder.stream(rows.tolist(), load, views=views):
        if isinstance(outcome, Features):
            batch.append((row, outcome))
        elif isinstance(outcome, ImageRejected):
            rejected[row] = outcome.reason
        if len(batch) == QUERIES_AT_ONCE:
            yield batch
            batch = []
        stage.advance()
    if batch:
        yield batch


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
