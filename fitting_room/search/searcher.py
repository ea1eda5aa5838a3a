"""Searcher: an opened index and the network that made it; a picture in, ranked matches out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from fitting_room.catalogue.catalogue import CatalogueError, open_store
from fitting_room.catalogue.stores import ImageStore
from fitting_room.embedding.embedder import Embedder
from fitting_room.imaging.decode import ImageLimits, ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.imaging.gate import VISITORS
from fitting_room.index.added import added_path, is_added, read_added
from fitting_room.index.comparison import as_features
from fitting_room.index.filters import Filter, Not, Rows, Where, both
from fitting_room.index.index import DEFAULT_OPTIONS, Index
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.search import likeness, selection, texts
from fitting_room.search.closeness import LEAST_EXPECTED_PRECISION, nothing_close
from fitting_room.search.columns import Columns
from fitting_room.search.fulfilment import TEXT_WEIGHT, Weighed, judged, names_colour
from fitting_room.search.likeness import Likeness
from fitting_room.search.match import MOST_PICTURES, Match
from fitting_room.search.synonyms import Synonyms
from fitting_room.search.wishes import Understood
from fitting_room.search.words import WordsAsQueries
from fitting_room.util.aliases import old_attribute, old_keywords

__all__ = ["Match", "Searcher"]

#: A picture in any form that a query may take.
Picture = str | Path | bytes | Image.Image
P = TypeVar("P", str, Path, bytes, Image.Image)


class Searcher(WordsAsQueries, Columns):
    """An opened index and the network that made it. Safe to share between threads."""

    def __init__(
        self,
        index: Index,
        load_embedder: Callable[[], Embedder],
        limits: ImageLimits,
        synonyms: Synonyms | None = None,
    ) -> None:
        super().__init__(index, synonyms)
        self.limits = limits
        self._load_embedder = load_embedder
        self._embedder: Embedder | None = None
        self._lock = threading.Lock()

    @property
    def embedder(self) -> Embedder:
        """The network, loaded when it is first needed. Raises ``IndexUnusable`` unless it is the
        one that made the index."""
        with self._lock:
            if self._embedder is None:
                embedder = self._load_embedder()
                self.index.require(embedder.selection.identity, embedder.head_network)
                self._embedder = embedder
            return self._embedder

    def open_picture(
        self, picture: Picture, name: str | None = None, *, to_show: bool = False
    ) -> Image.Image:
        """The picture upright, in RGB, and no larger than the network needs, or ``to_show`` large
        enough for people. Files are decoded in turn with those of other visitors
        (:mod:`fitting_room.imaging.gate`). Raises ``ImageRejected``, also when too many wait."""
        return self.embedder.open(
            picture, name=name, limits=self.limits, to_show=to_show, gate=VISITORS
        )

    def _open_of_many(self, picture: Picture) -> Image.Image:
        """The same for one of many pictures, which are no more at once than there are threads."""
        return self.embedder.open(picture, limits=self.limits)

    def embed(self, pictures: Sequence[Picture]) -> np.ndarray:
        """Embeddings of pictures, float32 ``(len(pictures), D)``. Raises ``ImageRejected``."""
        return self.embedder.embed([self.open_picture(picture) for picture in pictures])

    def describe(self, pictures: Sequence[Picture]) -> list[Features]:
        """Features of query pictures; of a photograph in several cuts where most of the catalogue
        has a plain background. Raises ``ImageRejected``."""
        opened = [self.open_picture(picture) for picture in pictures]
        return self.embedder.describe(opened, views=self.index.mostly_plain_background)

    def describe_many(self, pictures: Iterable[P]) -> Iterator[tuple[P, Features | ImageRejected]]:
        """:meth:`describe` for any number of pictures, in their order, with bounded memory and on
        all cores. A picture that cannot be used comes back with the reason."""
        views = self.index.mostly_plain_background
        for picture, outcome in self.embedder.stream(pictures, self._open_of_many, views=views):
            if outcome is not None:
                yield picture, outcome

    @old_keywords
    def search(
        self,
        query: Picture | Features | np.ndarray | Sequence[Features] | None = None,
        n: int = 12,
        where: Where | None = None,
        *,
        text: str | None = None,
        text_weight: float = TEXT_WEIGHT,
        options: SimilarityOptions = DEFAULT_OPTIONS,
        fold: bool = False,
        negatives: Sequence[Features] = (),
        without: Collection[str] = (),
        diversity: float = 0.0,
        only_good: bool = False,
        sort_by: str | None = None,
        descending: bool = False,
    ) -> list[Match]:
        """The ``n`` items most similar to a picture, or to its features or embedding, best first,
        each by its best picture; beside it or alone, what a ``text`` asks for.

        >>> searcher.search("dress.jpg", text="in red, without stripes")     # doctest: +SKIP
        >>> searcher.search(text="red dress for women")                      # doctest: +SKIP

        Of the text counts what :meth:`understand` makes of it. ``text_weight``, 0 to 1, is how much
        it counts beside a picture; with 1 only items are left that fulfil all of it. Where it
        asks for a colour, the picture's do not count unless ``options`` say how much. Matches of
        words have no expected precision, and those of words alone the share of the text that they
        fulfil as similarity; good ones fulfil all of it. A network that reads words reads them too
        (:mod:`fitting_room.search.texts`): similarity is then the cosine to them or with them.

        Several features are one query, for items similar to all of them and unlike ``negatives``;
        its matches have no expected precision. ``where`` narrows the catalogue: ``{"gender":
        ["Women", "Girls"], "season": "Summer"}``. With ``fold``, near-duplicates are one match,
        the best of them, which names the ``others``. Ids in ``without`` are left out.
        ``diversity``, 0 to 1, is how much a variety counts against likeness in the choice of the
        ``n`` (:func:`fitting_room.search.selection.chosen`); with ``only_good`` there may be fewer,
        all of which are alike in the words of :meth:`likeness`. ``sort_by``, one of
        :attr:`numeric`, puts the good matches, and no others, in the order of that column: the
        smallest first, or ``descending`` the largest; those without a number come last, and of
        equal ones the nearer is first. Raises ``ImageRejected`` for an unusable picture,
        ``FilterError`` for an unknown column and ``SortError`` for one without numbers.
        """
        if not 0 <= diversity <= 1 or not 0 <= text_weight <= 1:
            raise ValueError("diversity and the weight of words lie between 0 and 1")
        counts = text_weight > 0 or query is None
        words = self.understand(text) if text is not None and counts else None
        if query is None and words is None:
            raise ValueError("search with a picture, with words, or with both")
        numbers = None if sort_by is None else self.numbers(sort_by)
        excluded = self.index.store.rows_of(list(without)).tolist() if without else []
        among = both(self.index.filter(where), Not(Rows(tuple(excluded))) if excluded else None)
        choose = partial(
            selection.select, self.index, n=n, fold=fold, diversity=diversity,
            only_good=only_good or numbers is not None, numbers=numbers, descending=descending,
        )  # fmt: skip
        if query is None and (words is None or not words.by_network):
            return self._search_words(words or Understood(), among, choose)
        queries = self._as_queries(query, words, text_weight)
        wanted = as_features(queries)
        plain_background = isinstance(queries, np.ndarray) or queries[0].plain_background
        positives = None
        if not isinstance(queries, np.ndarray) and (negatives or len(queries) > 1):
            positives, queries = len(queries), [*queries, *negatives]
        if words and options.colour is None and names_colour(words):
            options = replace(options, colour=0.0)
        top = selection.nearest_of(self.index, queries, among, options, positives)
        weighed = None
        if words:
            fulfilled = self.fulfilment(words)
            weighed = Weighed(top, fulfilled, text_weight, among)
            hits, others = choose(weighed, lambda hits: judged(fulfilled, hits.rows))
            hits = weighed.by_picture(hits)
        else:
            good_alone = only_good or numbers is not None
            judge = partial(self._likeness_of, wanted, only_good=good_alone)
            hits, others = choose(top, judge)
        measured = None if positives is not None or weighed is not None else options
        matches = self.matches(hits, measured, plain_background=plain_background, others=others)
        if isinstance(queries, np.ndarray) or positives is not None:
            return matches
        same = self.index.same_pictures(queries[0], hits.rows).tolist()
        return [replace(m, same_picture=s) if s else m for m, s in zip(matches, same, strict=True)]

    def understand(self, text: str) -> Understood:
        """What a text asks for in this catalogue (:func:`fitting_room.search.wishes.understand`):
        ``[wish.in_words for wish in searcher.understand("navy tee, not Nike").wishes]``. A network
        that reads words reads all of it."""
        words = super().understand(text)
        return replace(words, by_network=self.reads_words and bool(words.wanted or words.unwanted))

    def _search_words(
        self,
        words: Understood,
        among: Filter,
        choose: Callable[..., tuple[Hits, list[list[int]] | None]],
    ) -> list[Match]:
        """The items that do what words ask for, without a picture."""
        fulfilled = self.fulfilment(words)
        hits, others = choose(
            lambda count: self.ranked(words, among, count),
            lambda hits: judged(fulfilled, hits.rows),
        )
        return self.matches(hits, None, others=others)

    def _likeness_of(
        self, queries: Sequence[Features], hits: Hits, *, only_good: bool
    ) -> list[Likeness]:
        rows = hits.rows.tolist()
        # Where nothing is close nothing is good; for a variety it matters little, and takes time.
        out = only_good and all(nothing_close(self.index, query, rows) for query in queries)
        return self.likeness(queries, rows, nothing_close=out)

    @old_keywords
    def search_many(
        self,
        pictures: Iterable[P],
        n: int = 12,
        where: Where | None = None,
        *,
        options: SimilarityOptions = DEFAULT_OPTIONS,
    ) -> Iterator[tuple[P, list[Match] | ImageRejected]]:
        """:meth:`search` for any number of pictures, as :meth:`describe_many` takes them. Raises
        ``FilterError`` for an unknown column, before any picture is opened."""
        self.index.filter(where)
        for picture, outcome in self.describe_many(pictures):
            if isinstance(outcome, ImageRejected):
                yield picture, outcome
            else:
                yield picture, self.search(outcome, n, where, options=options)

    @old_keywords
    def matches(
        self,
        hits: Hits,
        options: SimilarityOptions | None = DEFAULT_OPTIONS,
        *,
        plain_background: bool = True,
        others: Sequence[Sequence[int]] | None = None,
    ) -> list[Match]:
        """Hits with what the catalogue says of them, and with their expected precision for
        ``options``, if any. ``others`` are the rows folded into each hit."""
        columns, store = self.attributes, self.index.store
        cells = {c: store.cells(c, hits.rows) for c in ("id", "image", *columns)}
        expected = None
        if options is not None:
            expected = self.index.expected_precisions(
                hits.similarities, options, plain_background=plain_background
            )
        matches = []
        for place, row in enumerate(hits.rows.tolist()):
            similarity, image = float(hits.similarities[place]), str(cells["image"][place])
            attributes = {c: str(v) for c in columns if not pd.isna(v := cells[c][place])}
            match = Match(
                str(cells["id"][place]), row, similarity, self.path(image), image, attributes
            )
            match = replace(match, pictures=self._other_pictures(row))
            if expected is not None:
                match = replace(match, expected_precision=float(expected[place]))
            if others is not None and (folded := others[place]):
                same = self.index.copies_of(row, np.array(folded)).tolist()
                named = list(map(str, store.cells("id", np.array(folded))))
                copies = tuple(item for item, is_copy in zip(named, same, strict=True) if is_copy)
                match = replace(match, others=tuple(named), copies=copies)
            matches.append(match)
        return matches

    def row(self, item: str) -> int | None:
        """The row of the index that holds the first picture of the item of that id, or ``None``."""
        rows = self.index.store.rows_of([item])
        return int(rows[0]) if len(rows) else None

    def rows(self, item: str) -> list[int]:
        """The rows of the index that hold the pictures of the item of that id, ascending."""
        return list(self.index.store.rows_of([item]).tolist())

    def item(self, item: str) -> Match | None:
        """The item of that id as a match of itself, by its first picture; ``None`` where there is
        none."""
        row = self.row(item)
        if row is None:
            return None
        return self.matches(Hits(np.array([row]), np.ones(1, np.float32)), None)[0]

    def is_out_of_catalogue(self, matches: Sequence[Match], query: Features | None = None) -> bool:
        """Whether nothing in the catalogue is close to the query of these matches: it is a
        photograph of something else, or even the best match's expected precision is low."""
        if any(match.same_picture for match in matches):
            return False
        if query is not None and self.index.is_out_of_catalogue(query, [m.row for m in matches]):
            return True
        measured = [m.expected_precision for m in matches if m.expected_precision is not None]
        return bool(measured) and max(measured) < LEAST_EXPECTED_PRECISION

    far = old_attribute("far", "is_out_of_catalogue")

    def likeness(
        self, queries: Sequence[Features], rows: Sequence[int], *, nothing_close: bool = False
    ) -> list[Likeness]:
        """How alike rows of the index are to all of some pictures, in words for a shopper
        (:func:`fitting_room.search.likeness.likeness`)."""
        return likeness.likeness(
            self.index, queries, rows, lambda: self._scale, nothing_close=nothing_close
        )

    def sees_no_garment(self, query: Features) -> bool:
        """Whether a picture that is out of the catalogue seems to show no garment at all: it is
        like none of the kinds of things that the head was taught."""
        amount, least = likeness.like_a_kind(self.index, query), self._least_like_kind
        return amount is not None and least is not None and amount < least

    @cached_property
    def _least_like_kind(self) -> float | None:
        return likeness.least_like_kind(self.index)

    @cached_property
    def _scale(self) -> np.ndarray:
        return likeness.scale_of(self.index)

    @cached_property
    def sampled(self) -> Searcher:
        """What searches :attr:`Index.sample`: this one itself where all items are on this
        machine. Rows of the one are no rows of the other; ids are the same."""
        if self.is_local:
            return self
        return Searcher(self.index.sample, lambda: self.embedder, self.limits, self.synonyms)

    @property
    def catalogue_location(self) -> str:
        """The path or the address of what the index was built from."""
        return self.index.manifest.catalogue.location

    @cached_property
    def store(self) -> ImageStore:
        """The catalogue's pictures. Raises ``CatalogueError`` when they are not there any more."""
        return open_store(self.catalogue_location)

    def picture(self, image: str) -> bytes:
        """The bytes of the picture of that name (a match's ``image``). Raises ``ImageRejected``
        when it cannot be read."""
        if is_added(image):
            return read_added(self.index.folder, image, self.limits.max_bytes)
        try:
            return self.store.read(image, self.limits.max_bytes)
        except CatalogueError as error:
            raise ImageRejected(str(error), name=image) from error

    def _as_queries(
        self,
        query: Picture | Features | np.ndarray | Sequence[Features] | None,
        words: Understood | None,
        text_weight: float,
    ) -> np.ndarray | Sequence[Features]:
        """The query as features or embeddings, with the words where the network reads them."""
        if query is None:
            return texts.alone(words or Understood(), self.embed_texts)
        if isinstance(query, str | Path | bytes | Image.Image):
            query = self.describe([query])
        queries = [query] if isinstance(query, Features) else query
        if words is None or not words.by_network:
            return queries
        return texts.beside(self.index, queries, words, self.embed_texts, text_weight)

    def _other_pictures(self, row: int) -> tuple[str, ...]:
        rows = self.index.rows_of_item(row)
        if len(rows) == 1:
            return ()
        others = self.index.store.cells("image", rows[rows != row][:MOST_PICTURES])
        return tuple(dict.fromkeys(map(str, others)))

    def path(self, image: str) -> str:
        """Where on disk the catalogue's picture of that name is, or was."""
        try:
            if is_added(image):
                return str(added_path(self.index.folder, image))
            return self.store.path(image)
        except (CatalogueError, ImageRejected):
            # It is gone; where it was is still the best thing to say.
            return f"{self.catalogue_location}/{image}"
