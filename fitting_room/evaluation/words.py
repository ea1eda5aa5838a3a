"""Queries by words: what answers them, and the measures that KAGL's benchmark takes with them.

KAGL is the catalogue "Fashion Product Images" as marqo-ai/marqo-FashionCLIP asks it (configs/
KAGL.json, eval.py, utils/metrics.py): each value of a column is a query, and right is what has it;
2,000 names, drawn at random, are queries, and right is what is called so. It compares words with
nine tenths of an item's picture and one of its name, and names with the picture alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from fitting_room.catalogue.schema import columns_like, name_column
from fitting_room.evaluation import metrics
from fitting_room.evaluation.results import OptionError, Published
from fitting_room.facade import FittingRoom
from fitting_room.imaging.features import normalise
from fitting_room.index.index import Index
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.util.progress import Listener, Stage, ignore

#: Texts, how many results of each, and the rows to leave out, bool ``(N,)``: the hits of each text,
#: of each item at most one row, best first.
WordSearch = Callable[[Sequence[str], int, np.ndarray | None], list[Hits]]
#: Texts -> embeddings beside those of pictures, float32 ``(len(texts), D)``.
Embed = Callable[[Sequence[str]], np.ndarray]

#: Columns whose values KAGL's benchmark asks for, by the names of its tasks.
COLUMNS = ("masterCategory", "subCategory", "articleType", "baseColour", "season", "usage")
#: Queries of each task at most, and results of each that count.
MAX_QUERIES, RESULTS = 2_000, 10
#: Texts that are embedded at once.
TEXTS_AT_ONCE = 256
SOURCE = "as KAGL in marqo-ai/marqo-FashionCLIP"


@runtime_checkable
class ReadsWords(Protocol):
    """A searcher that may have a network of words beside that of pictures."""

    @property
    def reads_words(self) -> bool:
        """Whether it has one."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings beside those of pictures, float32 ``(len(texts), D)``."""
        ...


def word_search(fitting_room: FittingRoom) -> WordSearch | None:
    """The search for words by the network of an index, or ``None`` where that reads none."""
    if not isinstance(fitting_room, ReadsWords) or not fitting_room.reads_words:
        return None
    index, embed = fitting_room.index, fitting_room.embed_texts
    # What a head makes of a picture it does not make of words.
    options = SimilarityOptions(trained=False)
    return lambda texts, n, exclude: index.search(
        in_batches(embed, texts), n, options=options, exclude=exclude
    )


def check_names(fitting_room: FittingRoom) -> tuple[str, Embed]:
    """The column of names of a catalogue and what embeds them. Raises :class:`OptionError` where
    one of them is missing."""
    index = fitting_room.index
    if not isinstance(fitting_room, ReadsWords) or not fitting_room.reads_words:
        network = index.identity["backbone"]
        raise OptionError(
            f"--name-weight: {network}, the network of {index.folder}, reads no words."
        )
    if (column := name_column(index.filter_columns)) is None:
        raise OptionError(f"--name-weight: {index.folder}: the catalogue has no column of names.")
    return column, fitting_room.embed_texts


def search_with_names(
    fitting_room: FittingRoom, weight: float, listener: Listener = ignore
) -> WordSearch:
    """:func:`word_search` among items that are compared by so much of their name, 0 to 1, beside
    their picture. Every name is embedded once. Raises as :func:`check_names`."""
    index, (column, embed) = fitting_room.index, check_names(fitting_room)
    codes, names = pd.factorize(index.items[column].astype("string").fillna(""))
    stage = Stage("Reading the names of items", len(names), "name", listener)
    of_names = index.reduced(in_batches(embed, [str(name) for name in names], stage))
    items = np.asarray(index.vectors[:], np.float32) * np.float32(1 - weight)
    items += of_names[codes] * np.float32(weight)
    items = normalise(items)

    def search(texts: Sequence[str], n: int, exclude: np.ndarray | None) -> list[Hits]:
        found = []
        for query in index.reduced(in_batches(embed, texts)):
            scores = items @ query
            rows = np.argsort(-scores, kind="stable")
            rows = index.once(rows if exclude is None else rows[~exclude[rows]])[:n]
            found.append(Hits(rows, scores[rows]))
        return found

    return search


def in_batches(embed: Embed, texts: Sequence[str], stage: Stage | None = None) -> np.ndarray:
    """Embeddings of any number of texts, float32 ``(len(texts), D)``."""
    parts = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        batch = texts[start : start + TEXTS_AT_ONCE]
        parts.append(np.asarray(embed(batch), np.float32))
        if stage is not None:
            stage.advance(len(batch))
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class WordMeasure:
    """Every value of a ``column`` is a query by words, and right is what has it; of more than
    :data:`MAX_QUERIES` values so many are drawn. Of ``names``, which few items share, how many of
    those are found counts, and otherwise how many of the results are right."""

    column: str
    names: bool = False

    @property
    def metric(self) -> str:
        """What the primary figure is called."""
        return f"{'recall' if self.names else 'precision'}@{RESULTS}"

    def __call__(
        self, index: Index, search: WordSearch, gallery: np.ndarray, seed: int = 0
    ) -> Published | None:
        """Measure ``search`` among the rows that ``gallery``, bool ``(N,)``, marks, or answer
        ``None`` where none of them has a value."""
        codes, values = pd.factorize(index.items[self.column].astype("string").where(gallery))
        if len(values) == 0:
            return None
        asked = np.arange(len(values))
        if len(values) > MAX_QUERIES:
            asked = np.sort(np.random.default_rng(seed).choice(asked, MAX_QUERIES, replace=False))
        found = search([str(value) for value in values[asked]], RESULTS, ~gallery)
        right = np.zeros((len(asked), RESULTS), bool)
        for place, hits in enumerate(found):
            right[place, : len(hits)] = codes[hits.rows] == asked[place]
        once = index.once(np.flatnonzero(gallery & (codes >= 0)))
        relevant = np.bincount(codes[once], minlength=len(values))[asked]
        return self._published(right, relevant, seed)

    def _published(self, right: np.ndarray, relevant: np.ndarray, seed: int) -> Published:
        several = {f"MRR@{RESULTS}": metrics.reciprocal_rank(right)}
        for k in (1, RESULTS):
            first = right[:, :k]
            values = first.sum(axis=1) / relevant if self.names else metrics.precision_at_k(first)
            several[f"{'recall' if self.names else 'precision'}@{k}"] = values
        figures = metrics.bootstrap_figures(np.stack(list(several.values())), seed)
        by_name = dict(zip(several, figures, strict=True))
        primary = by_name.pop(self.metric)
        kind = "the names of items" if self.names else "the values of a column"
        source = f"{SOURCE}: {kind} in words find their items"
        return Published(self.metric, primary, len(right), 0, source, by_name)


def measure_words(
    index: Index,
    search: WordSearch,
    gallery: np.ndarray,
    judged: Sequence[str],
    *,
    with_names: WordSearch | None = None,
    seed: int = 0,
    listener: Listener = ignore,
) -> dict[str, Published]:
    """The measures of KAGL's benchmark by their names: those of its columns that the catalogue
    has, or where there is none of the columns that are ``judged``, and the items' names. Values
    are searched for ``with_names`` where that is given, names never are."""
    columns = columns_like(COLUMNS, index.filter_columns)
    columns = columns or [name for name in judged if name in index.filter_columns]
    measures = [WordMeasure(column) for column in columns]
    if (names := name_column(index.filter_columns)) is not None and names not in columns:
        measures.append(WordMeasure(names, names=True))
    stage = Stage("Searching for words", len(measures), "measure", listener)
    published = {}
    for measure in measures:
        how = search if measure.names or with_names is None else with_names
        if (one := measure(index, how, gallery, seed)) is not None:
            published["names in words" if measure.names else f"{measure.column} in words"] = one
        stage.advance()
    return published
