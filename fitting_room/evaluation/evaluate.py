"""How good the answers are: precision, mean average precision.

A catalogue's own labels say what a right answer is: an item of the same kind, the same colour, for
the same people. Photographs from elsewhere know only a class, and a mapping says which of the
catalogue's kinds answer it. Every figure comes with the interval that it would lie in, 19 times out
of 20, had other queries of the same sort been asked (bootstrap over queries, Efron 1979).
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from fitting_room.catalogue.label_mapping import LabelMapping
from fitting_room.catalogue.schema import held_out
from fitting_room.evaluation.queries import CLASS, Queries
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.index.index import Index, Where
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.util.progress import Listener, Stage, ignore

#: Results of each query that are looked at where nobody said how many, and at most.
RESULTS, MOST_RESULTS = 4, 1_000
#: Columns that are judged where nobody named any: those of them that both sides have, and where
#: there are none, the class folders.
DEFAULT_COLUMNS = ("articleType", "baseColour", "gender")
#: The name of what is right in all columns together.
ALL = "all"

CONFIDENCE, RESAMPLES = 0.95, 2_000
#: Numbers that one step of the bootstrap draws at most; bounds its memory to some dozen bytes each.
DRAWN_AT_ONCE = 1_000_000
#: Queries that are described before the index is asked about them, together.
QUERIES_AT_ONCE = 256

S = TypeVar("S")
P = TypeVar("P", bytes, Image.Image)


class EvaluationError(Exception):
    """Nothing can be evaluated; the text says why and what to do."""


class QuestionError(EvaluationError, ValueError):
    """What was asked for makes no sense for these queries and this index: a column that is not
    there, too many results."""


# --- figures ----------------------------------------------------------------------------------


def precision_at_k(right: np.ndarray) -> np.ndarray:
    """The share of right results among the first k, float ``(Q,)``.

    ``right`` is bool ``(Q, k)``, best result first. A result that is missing, because the gallery
    is smaller than k, is not right.
    """
    return np.asarray(right.mean(axis=1, dtype=np.float64))


def average_precision_at_k(right: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Average precision among the first k results, float ``(Q,)``: the mean over queries is mAP@k.

    ``right`` is bool ``(Q, k)``, best result first; ``relevant`` int ``(Q,)`` says how many right
    answers the gallery has for each query. For one query it is
    ``sum over ranks i that are right of (right results up to i) / i``, over
    ``min(k, relevant)``, so that 1 is the best possible answer. A query without any right answer in
    the gallery gets 0.
    """
    ranks = np.arange(1, right.shape[1] + 1)
    sums = np.where(right, np.cumsum(right, axis=1) / ranks, 0.0).sum(axis=1)
    best = np.minimum(relevant, right.shape[1])
    return np.asarray(sums / np.maximum(best, 1))


def hit_at_k(right: np.ndarray) -> np.ndarray:
    """Whether at least one of the first k results is right, bool ``(Q,)``. ``right`` is bool
    ``(Q, k)``."""
    return np.asarray(right.any(axis=1))


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over queries, and the 95 % bootstrap interval around it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


def figures(values: np.ndarray, seed: int = 0) -> list[Figure]:
    """The mean of each row of ``values``, float ``(F, Q)`` between 0 and 1, with its interval: the
    percentile bootstrap over the ``Q`` queries, which are drawn for all rows alike. A single query
    tells nothing about others, so its interval is everything."""
    means = values.mean(axis=1)
    low, high = np.zeros(len(values)), np.ones(len(values))
    if values.shape[1] > 1:
        from scipy import stats

        result = stats.bootstrap(
            (values,),
            np.mean,
            axis=1,
            vectorized=True,
            method="percentile",
            confidence_level=CONFIDENCE,
            n_resamples=RESAMPLES,
            batch=max(1, DRAWN_AT_ONCE // values.size),
            # The older of the two names of this argument, which all of its versions know.
            random_state=np.random.default_rng(seed),
        )
        low, high = result.confidence_interval
    return [Figure(*(float(v) for v in row)) for row in zip(means, low, high, strict=True)]


@dataclass(frozen=True, slots=True)
class ClassMeasure:
    """How the queries with one ``value`` of a column fared."""

    value: str
    queries: int
    precision: float
    hit: float


@dataclass(frozen=True, slots=True)
class Measure:
    """How the queries that have a label fared. ``precision``, ``average_precision`` (mAP) and
    ``hit`` (a right result among the first k) are those of :func:`precision_at_k`,
    :func:`average_precision_at_k` and :func:`hit_at_k`. For ``without_relevant`` of the
    ``queries`` the gallery has no right answer at all; they count as 0. ``classes``, the most
    frequent first, is empty for all columns together."""

    queries: int
    precision: Figure
    average_precision: Figure
    hit: Figure
    without_relevant: int
    classes: tuple[ClassMeasure, ...] = ()


# --- what is right ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Test:
    """What makes a result right. ``gallery``, int64 ``(N,)``, and ``queries``, ``(Q,)``, are codes
    of labels, -1 where there is none; ``values`` are the labels of the queries' codes.
    ``allowed`` are the gallery's codes that answer each code of a query, or ``None`` where codes
    are the same on both sides."""

    gallery: np.ndarray
    queries: np.ndarray
    values: Sequence[str] = ()
    allowed: Sequence[np.ndarray] | None = None

    def right(self, query: int, rows: np.ndarray) -> np.ndarray:
        """Which rows of the index are right for a query that has a label, bool ``(len(rows),)``."""
        wanted, found = self.queries[query], self.gallery[rows]
        if self.allowed is None:
            return np.asarray(found == wanted)
        return np.isin(found, self.allowed[wanted])

    def relevant(self, among: np.ndarray) -> np.ndarray:
        """How many right answers there are for each code of a query, int ``(codes,)``. ``among``
        is bool ``(N,)``."""
        codes = self.gallery[among & (self.gallery >= 0)]
        most = int(max(self.gallery.max(initial=-1), self.queries.max(initial=-1))) + 1
        counts = np.bincount(codes, minlength=most)
        if self.allowed is None:
            return counts
        return np.array([counts[codes].sum() for codes in self.allowed], np.int64)


def _tests(index: Index, queries: Queries, columns: Sequence[str] | None) -> dict[str, _Test]:
    if queries.mapping is not None:
        if columns is not None:
            raise QuestionError("Columns and a mapping do not go together: the mapping is judged.")
        return {CLASS: _mapping_test(index, queries, queries.mapping)}
    tests = {
        column: _column_test(index.items[column], queries.items[column])
        for column in _columns(index, queries, columns)
    }
    return {**tests, ALL: _together(list(tests.values()))}


def _columns(index: Index, queries: Queries, columns: Sequence[str] | None) -> list[str]:
    sides = [(str(index.folder), index.filter_columns), (str(queries.location), queries.labels)]
    shared = [column for column in sides[0][1] if column in sides[1][1] and column != ALL]
    if columns is None:
        columns = [column for column in DEFAULT_COLUMNS if column in shared]
        columns = columns or [column for column in (CLASS,) if column in shared]
        if not columns:
            raise QuestionError(
                f"{queries.location}: none of the usual columns {', '.join(DEFAULT_COLUMNS)} is "
                "both here and in the index. Name others with --columns: "
                f"{', '.join(shared) or 'there are none, give a mapping'}."
            )
    for column in columns:
        for place, there in sides:
            if column not in there or column == ALL:
                raise QuestionError(
                    f"{place}: there is no column {column!r} to judge by. Queries and index share: "
                    f"{', '.join(shared) or 'none'}."
                )
    if not columns:
        raise QuestionError("Name at least one column to judge by.")
    return list(dict.fromkeys(columns))


def _column_test(gallery: pd.Series, queries: pd.Series) -> _Test:
    both = pd.concat([gallery.astype("string"), queries.astype("string")])
    codes, values = pd.factorize(both)
    return _Test(
        codes[: len(gallery)], codes[len(gallery) :], tuple(str(value) for value in values)
    )


def _together(tests: Sequence[_Test]) -> _Test:
    """Right in every column at once. Who lacks a label in one is not asked, and never right."""
    size = len(tests[0].gallery)
    combined = np.concatenate([tests[0].gallery, tests[0].queries])
    for test in tests[1:]:
        codes = np.concatenate([test.gallery, test.queries])
        missing = (combined < 0) | (codes < 0)
        pairs = combined * (int(codes.max(initial=0)) + 1) + codes
        combined = np.where(missing, -1, pd.factorize(pairs)[0])
    return _Test(combined[:size], combined[size:])


def _mapping_test(index: Index, queries: Queries, mapping: LabelMapping) -> _Test:
    if mapping.column not in index.filter_columns:
        raise QuestionError(
            f"{index.folder}: there is no column {mapping.column!r} that a mapping could answer. "
            f"The catalogue has: {', '.join(index.filter_columns)}."
        )
    gallery, kinds = pd.factorize(index.items[mapping.column].astype("string"))
    asked, classes = pd.factorize(queries.items[CLASS].astype("string"))
    allowed = [np.flatnonzero(kinds.isin(mapping.values[str(name)])) for name in classes]
    return _Test(gallery, asked, tuple(str(name) for name in classes), allowed)


# --- asking -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What the index answered to ``A`` queries. ``query`` ``(A,)`` are rows of ``Queries.items``;
    ``rows`` int64 ``(A, k)`` rows of the index, best first, -1 where the gallery had no more;
    ``similarities`` float32 ``(A, k)``. By column, ``asked`` bool ``(A,)`` says which queries have
    a label there, and ``right`` bool ``(A, k)`` which of their results have it too."""

    query: np.ndarray
    rows: np.ndarray
    similarities: np.ndarray
    asked: Mapping[str, np.ndarray]
    right: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How good the answers to some queries were.

    ``settings`` tells what was asked, as plain values. ``queries`` were answered from a ``gallery``
    of so many items; ``rejected`` are the names of pictures that could not be used, and why;
    ``unlabelled`` queries were not asked, since nothing is expected of their answers;
    ``identical`` queries could be answered with the very same picture, byte for byte.

    ``measures`` has one for each column that any query has a label in, and ``"all"`` (for which a
    query must have all of the labels); with a mapping only ``"class"``. ``leak`` says that the
    index's head was trained on items that were asked about, so that the figures flatter it; of
    ``photographs`` that it was trained on nobody can tell whether they were among the queries.
    """

    settings: Mapping[str, Any]
    queries: int
    gallery: int
    unlabelled: int
    identical: int
    rejected: tuple[tuple[str, str], ...]
    measures: Mapping[str, Measure]
    leak: bool
    photographs: int
    seconds: float
    answers: Answers = field(repr=False)

    @property
    def k(self) -> int:
        """How many results were looked at."""
        return int(self.answers.rows.shape[1])

    @property
    def main(self) -> str:
        """The measure that counts most: all columns together, or the mapping."""
        return next(name for name in (ALL, *self.measures) if name in self.measures)

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "settings": dict(self.settings),
            "counts": {
                "queries": self.queries,
                "gallery": self.gallery,
                "rejected": len(self.rejected),
                "unlabelled": self.unlabelled,
                "identical": self.identical,
            },
            "metrics": {
                name: {key: value for key, value in asdict(measure).items() if key != "classes"}
                for name, measure in self.measures.items()
            },
            "classes": {
                name: {
                    one.value: {"queries": one.queries, "precision": one.precision, "hit": one.hit}
                    for one in measure.classes
                }
                for name, measure in self.measures.items()
                if measure.classes
            },
            "leak": self.leak,
            "seconds": round(self.seconds, 3),
        }


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
    """Ask ``room`` about ``queries`` and count how many of the first ``k`` results are right.

    ``columns`` are judged, each and all together; ``where`` narrows the gallery. With ``holdout``
    the queries are the items of :func:`fitting_room.catalogue.schema.held_out`, and those take
    no part in the gallery although the index holds them. Without it, a query's own picture is not
    among its answers: neither the item itself nor byte-identical copies of it.

    Raises :class:`EvaluationError` when nothing can be asked, :class:`QuestionError` for columns
    that are not there, and ``FilterError``.
    """
    started = time.perf_counter()
    index = fitting_room.index
    check_results(k)
    gallery = gallery_of(index, where, holdout)
    tests = _tests(index, queries, columns)
    chosen = np.ones(len(queries), bool)
    if holdout is not None:
        chosen = held_out(queries.items["id"], holdout)
        if not chosen.any():
            raise EvaluationError(
                f"{queries.location}: no item is held out by --holdout {holdout}. Take a smaller "
                "number."
            )
    labelled = np.any([test.queries >= 0 for test in tests.values()], axis=0)
    if not (chosen & labelled).any():
        raise EvaluationError(
            f"{queries.location}: no query has a label in {', '.join(n for n in tests if n != ALL)}"
            ", so nothing can be judged."
        )
    run = EvaluationRun(fitting_room, queries, gallery, k, options, itself=holdout is not None)
    run.run(np.flatnonzero(chosen & labelled), listener)
    query = np.array(run.query, np.int64)
    if not len(query):
        name, reason = run.rejected[0]
        raise EvaluationError(f"None of the pictures could be used. The first, {name}: {reason}")
    rows = np.stack(run.rows)
    asked = {name: test.queries[query] >= 0 for name, test in tests.items()}
    right = {name: _right(test, query, rows) for name, test in tests.items()}
    answers = Answers(query, rows, np.stack(run.similarities), asked, right)
    return Evaluation(
        settings={
            "index": str(index.folder),
            "queries": str(queries.location),
            "network": str(index.identity["backbone"]),
            "k": k,
            "columns": None if queries.mapping else [name for name in tests if name != ALL],
            "mapping": None if queries.mapping is None else str(queries.mapping.location),
            "mapping_column": None if queries.mapping is None else queries.mapping.column,
            "where": {} if where is None else {column: where[column] for column in where},
            "holdout": holdout,
            "metric": options.metric,
            "silhouette": options.silhouette,
            "trained": index.uses_head(options),
            "trained_on_photographs": _photographs(index, options),
            "colour": {
                "studio": index.colour_weight(options),
                "photograph": index.colour_weight(options, plain_background=False),
            },
            "seed": seed,
        },
        queries=len(query),
        gallery=int(gallery.sum()),
        unlabelled=int((chosen & ~labelled).sum()),
        identical=run.identical,
        rejected=tuple(run.rejected),
        measures={
            name: _measure(tests[name], answers, name, gallery, run.left_out, seed)
            for name in tests
            if asked[name].any()
        },
        leak=index.uses_head(options) and _was_trained_on(index, np.array(run.items, np.int64)),
        photographs=_photographs(index, options),
        seconds=time.perf_counter() - started,
        answers=answers,
    )


def check_results(k: int) -> None:
    if not 1 <= k <= MOST_RESULTS:
        raise QuestionError(f"-k {k}: a whole number from 1 to {MOST_RESULTS:,} is expected.")


def gallery_of(index: Index, where: Where | None, holdout: int | None) -> np.ndarray:
    """Which items may be answered, bool ``(N,)``, some of them."""
    if holdout is not None and holdout < 1:
        raise QuestionError(f"--holdout {holdout}: a whole number above 0 is expected.")
    gallery = index.mask(where or {})
    if holdout is not None:
        gallery &= ~held_out(index.items["id"], holdout)
    if not gallery.any():
        raise EvaluationError(
            f"{index.folder}: nothing is left to be answered. Take another --where or --holdout."
        )
    return gallery


def _right(test: _Test, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
    right = np.zeros(rows.shape, bool)
    for place in np.flatnonzero(test.queries[query] >= 0):
        right[place] = test.right(query[place], rows[place]) & (rows[place] >= 0)
    return right


def _measure(
    test: _Test,
    answers: Answers,
    name: str,
    gallery: np.ndarray,
    left_out: Sequence[np.ndarray],
    seed: int,
) -> Measure:
    places = np.flatnonzero(answers.asked[name])
    right = answers.right[name][places]
    asked = answers.query[places]
    codes = test.queries[asked]
    relevant = test.relevant(gallery)[codes]
    for number, (query, place) in enumerate(zip(asked.tolist(), places.tolist(), strict=True)):
        relevant[number] -= np.count_nonzero(test.right(query, left_out[place]))
    values = np.stack(
        [precision_at_k(right), average_precision_at_k(right, relevant), hit_at_k(right)]
    ).astype(np.float64)
    precision, average_precision, hit = figures(values, seed)
    return Measure(
        queries=len(places),
        precision=precision,
        average_precision=average_precision,
        hit=hit,
        without_relevant=int(np.count_nonzero(relevant == 0)),
        classes=_classes(test, codes, values[0], values[2]),
    )


def _classes(
    test: _Test, codes: np.ndarray, precision: np.ndarray, hit: np.ndarray
) -> tuple[ClassMeasure, ...]:
    if not test.values:
        return ()
    counts = np.bincount(codes)
    precisions = np.bincount(codes, precision)
    hits = np.bincount(codes, hit)
    order = np.lexsort([codes_in_order := np.arange(len(counts)), -counts])
    return tuple(
        ClassMeasure(
            test.values[code],
            int(counts[code]),
            round(float(precisions[code] / counts[code]), 6),
            round(float(hits[code] / counts[code]), 6),
        )
        for code in codes_in_order[order]
        if counts[code]
    )


def _was_trained_on(index: Index, items: np.ndarray) -> bool:
    """Whether the index's head learned from any of some items. ``items`` are rows."""
    assert index.head is not None  # noqa: S101  (it is in use)
    kept_back = index.head.record.get("holdout")
    if not len(items):
        return False
    if type(kept_back) is not int or kept_back < 1:
        return True
    return not held_out(index.items["id"].iloc[items], kept_back).all()


def _photographs(index: Index, options: SimilarityOptions) -> int:
    if not index.uses_head(options) or index.head is None:
        return 0
    count = index.head.record.get("photographs")
    return count if type(count) is int else 0


class EvaluationRun:
    """One course of questions: describes pictures, asks the index in batches and keeps, of each
    query that could be answered, a few numbers only. ``left_out`` are the index's rows with the
    query's own picture, which were kept out of its answers; ``identical`` counts the queries that
    could be answered with their own picture; ``items`` are rows of the index that were asked about
    themselves."""

    def __init__(
        self,
        fitting_room: FittingRoom,
        queries: Queries,
        gallery: np.ndarray,
        k: int,
        options: SimilarityOptions,
        *,
        itself: bool,
    ) -> None:
        self.fitting_room, self.queries, self.k, self.options = fitting_room, queries, k, options
        self.gallery = gallery
        self.itself = itself  # whether a query's own picture may be among its answers
        self.query: list[int] = []
        self.rows: list[np.ndarray] = []
        self.similarities: list[np.ndarray] = []
        self.left_out: list[np.ndarray] = []
        self.identical = 0
        self.items: list[int] = []
        self.rejected: list[tuple[str, str]] = []
        table = fitting_room.index.items
        self._ids = {str(item): row for row, item in enumerate(table["id"])}
        self._same: Mapping[Any, Any] = (
            table.groupby("digest", sort=False).indices if "digest" in table else {}
        )

    def run(self, rows: np.ndarray, listener: Listener) -> None:
        """Ask about some rows of the queries."""
        stage = Stage("Asking about pictures", len(rows), "picture", listener)
        waiting: list[tuple[int, np.ndarray, Features]] = []
        for (row, digest), outcome in described(self.fitting_room, self._pictures(rows, stage)):
            if isinstance(outcome, Features):
                waiting.append((row, self._with_picture(row, digest), outcome))
            else:
                self.rejected.append((self._name(row), outcome.reason))
            if len(waiting) == QUERIES_AT_ONCE:
                self._ask(waiting)
                waiting = []
            stage.advance()
        self._ask(waiting)

    def _name(self, row: int) -> str:
        return str(self.queries.items["image"].iat[row])

    def _pictures(self, rows: np.ndarray, stage: Stage) -> Iterator[tuple[tuple[int, str], bytes]]:
        for row in rows.tolist():
            try:
                data = self.queries.store.read(self._name(row), self.fitting_room.limits.max_bytes)
            except ImageRejected as rejected:
                self.rejected.append((self._name(row), rejected.reason))
                stage.advance()
                continue
            yield (row, hashlib.blake2b(data, digest_size=16).hexdigest()), data

    def _with_picture(self, row: int, digest: str) -> np.ndarray:
        """The index's rows with this very picture."""
        same = np.asarray(self._same.get(digest, ()), np.int64)
        own = self._ids.get(str(self.queries.items["id"].iat[row]))
        if own is not None and own in same:
            self.items.append(own)
        return np.asarray(same[self.gallery[same]])

    def _ask(self, waiting: Sequence[tuple[int, np.ndarray, Features]]) -> None:
        if not waiting:
            return
        # So many more that k are left without the query's own picture.
        more = 0 if self.itself else max(len(same) for _, same, _ in waiting)
        hits = self.fitting_room.index.search(
            [features for _, _, features in waiting],
            self.k + more,
            options=self.options,
            exclude=None if self.gallery.all() else ~self.gallery,
        )
        for (row, same, _), found in zip(waiting, hits, strict=True):
            left_out = same[:0] if self.itself else same
            rows, similarities = _first(found, left_out, self.k)
            self.query.append(row)
            self.rows.append(rows)
            self.similarities.append(similarities)
            self.left_out.append(left_out)
            self.identical += len(same) > len(left_out)


def _first(hits: Hits, left_out: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The first k hits that are not left out, filled up with -1 and 0."""
    kept = np.flatnonzero(~np.isin(hits.rows, left_out))[:k]
    rows, similarities = np.full(k, -1, np.int64), np.zeros(k, np.float32)
    rows[: len(kept)] = hits.rows[kept]
    similarities[: len(kept)] = hits.similarities[kept]
    return rows, similarities


def described(
    fitting_room: FittingRoom, pictures: Iterable[tuple[S, P]]
) -> Iterator[tuple[S, Features | ImageRejected]]:
    """``room.describe_many`` for pictures that belong to something: what belongs to each, and what
    became of it, in their order and with bounded memory."""
    waiting: deque[S] = deque()

    def without_tags() -> Iterator[P]:
        for tag, picture in pictures:
            waiting.append(tag)
            yield picture

    for _, outcome in fitting_room.describe_many(without_tags()):
        yield waiting.popleft(), outcome


def worst(evaluation: Evaluation, count: int) -> list[int]:
    """Places in ``evaluation.answers`` of the queries with the worst precision, in the measure that
    counts most, the worst first; of equal ones that whose wrong result looked most alike. Queries
    without a wrong result are not among them."""
    answers, name = evaluation.answers, evaluation.main
    right = answers.right[name]
    precision = precision_at_k(right)
    wrong = np.where(right | (answers.rows < 0), -np.inf, answers.similarities).max(axis=1)
    order = np.lexsort([-wrong, precision])
    return [int(place) for place in order if answers.asked[name][place] and precision[place] < 1][
        :count
    ]
