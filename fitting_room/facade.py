"""FittingRoom: the one object that the page, the command line and Python users talk to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from fitting_room.build.builder import BuildSummary, build_index
from fitting_room.catalogue.catalogue import CatalogueError, load_catalogue, open_store
from fitting_room.catalogue.image_store import ImageStore
from fitting_room.catalogue.schema import NAME_COLUMNS
from fitting_room.embedding.backbones import select_again
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.engine import make_engine
from fitting_room.imaging.decode import ImageLimits, ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.index.index import Index, Where
from fitting_room.index.scoring import Hits, SimilarityOptions
from fitting_room.index.vectors import FLOAT32
from fitting_room.settings import Settings
from fitting_room.util.progress import Listener, Stage, ignore

#: A picture in any form that a query may take.
Picture = str | Path | bytes | Image.Image
#: Below this worth of the best match nothing is close.
LEAST_EXPECTED_PRECISION = 0.35
#: Folded results are looked for among at most this many times as many hits.
MOST_FOLDED = 32
P = TypeVar("P", str, Path, bytes, Image.Image)


@dataclass(frozen=True, slots=True)
class Match:
    """An item of the catalogue and its likeness to the query, -1 to 1.

    ``worth`` is how often items this much alike were of the query's kind, 0 to 1, as measured on
    the catalogue itself (:mod:`fitting_room.index.calibration`), or ``None`` where it was not
    measured.
    ``others`` are the ids of items folded into this one, since they look all but the same.
    ``path`` is the picture's place on disk, ``image`` its name within the catalogue;
    ``attributes`` are the catalogue's columns that have a value for the item, in their order.
    """

    id: str
    similarity: float
    path: str
    image: str
    attributes: dict[str, str]
    expected_precision: float | None = None
    others: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The item's name for people, or its id where the catalogue has no names."""
        return next((self.attributes[c] for c in NAME_COLUMNS if c in self.attributes), self.id)


class FittingRoom:
    """An opened index and the network that made it. Safe to share between threads.

    >>> room = FittingRoom.build("data/demo", "cache/demo")      # doctest: +SKIP
    >>> for match in room.search("red-dress.jpg", n=5):          # doctest: +SKIP
    ...     print(match.name, match.similarity)
    """

    def __init__(
        self, index: Index, load_embedder: Callable[[], Embedder], limits: ImageLimits
    ) -> None:
        self.index = index
        self.limits = limits
        self._load_embedder = load_embedder
        self._embedder: Embedder | None = None
        self._lock = threading.Lock()
        self._store: ImageStore | None = None
        self._rows: dict[str, int] | None = None
        self._names: pd.Series[str] | None = None

    @classmethod
    def open(cls, index: str | Path, settings: Settings | None = None) -> FittingRoom:
        """Open an index that was built before. The network is loaded with the first picture.

        Raises ``IndexUnusable`` when there is none, or none that can be used, and
        ``BackboneError`` when the network that made it cannot be had.
        """
        settings = settings or Settings.from_environment()
        opened = Index.open(index)
        selection = select_again(opened.identity, settings.weights)

        def load() -> Embedder:
            engine = make_engine(
                selection,
                kind=settings.engine,
                precision=settings.precision,
                cache=settings.engines_folder,
            )
            return Embedder(selection, engine)

        return cls(opened, load, settings.limits)

    @classmethod
    def build(
        cls,
        catalogue: str | Path,
        index: str | Path,
        *,
        backbone: str | None = None,
        weights: str | None = None,
        input_size: tuple[int, int] | None = None,
        pca: int | None = None,
        storage: str = FLOAT32,
        settings: Settings | None = None,
        listener: Listener = ignore,
    ) -> FittingRoom:
        """Build the index of a catalogue, or bring it up to date, and open it. ``summary`` tells
        what was done.

        Raises ``CatalogueError``, ``BackboneError`` or ``BuildError``.
        """
        settings = settings or Settings.from_environment()
        goods = load_catalogue(catalogue)
        stage = Stage("Preparing the network", 1, "network", listener)
        embedder = Embedder.load(
            backbone or settings.backbone,
            weights or settings.weights,
            input_size=input_size,
            engine=settings.engine,
            precision=settings.precision,
            cache=settings.engines_folder,
            timeout=settings.download_timeout,
            listener=listener,
        )
        stage.advance()
        summary = build_index(
            goods,
            embedder,
            Path(index),
            pca=pca,
            storage=storage,
            limits=settings.limits,
            listener=listener,
        )
        fitting_room = cls(Index.open(index), lambda: embedder, settings.limits)
        fitting_room.summary = summary
        return fitting_room

    #: What the build did that made this room, if one did.
    summary: BuildSummary | None = None

    @property
    def embedder(self) -> Embedder:
        with self._lock:
            if self._embedder is None:
                embedder = self._load_embedder()
                self.index.require(embedder.selection.identity)
                self._embedder = embedder
            return self._embedder

    def open_picture(self, picture: Picture, name: str | None = None) -> Image.Image:
        """The picture as it is to be looked at: upright, in RGB, and no larger than the network
        needs. Raises ``ImageRejected``."""
        return self.embedder.open(picture, name=name, limits=self.limits)

    def embed(self, pictures: Sequence[Picture]) -> np.ndarray:
        """Embeddings of pictures, float32 ``(len(pictures), D)``. Raises ``ImageRejected``."""
        return self.embedder.embed([self.open_picture(picture) for picture in pictures])

    def describe(self, pictures: Sequence[Picture]) -> list[Features]:
        """Features of pictures that are asked about. A photograph, with surroundings instead of a
        plain ground, is looked at in several cuts where the catalogue's pictures come from a
        studio. Raises ``ImageRejected``."""
        opened = [self.open_picture(picture) for picture in pictures]
        return self.embedder.describe(opened, views=self.index.mostly_plain_background)

    def describe_many(self, pictures: Iterable[P]) -> Iterator[tuple[P, Features | ImageRejected]]:
        """:meth:`describe` for any number of pictures, in their order, with bounded memory and all
        processors at work. A picture that cannot be used is answered with the reason."""
        stream = self.embedder.stream(
            pictures, self.open_picture, views=self.index.mostly_plain_background
        )
        for picture, outcome in stream:
            if outcome is not None:
                yield picture, outcome

    def search(
        self,
        query: Picture | Features | np.ndarray | Sequence[Features],
        n: int = 12,
        where: Where | None = None,
        *,
        options: SimilarityOptions = SimilarityOptions(),  # noqa: B008  (frozen)
        fold: bool = False,
        negatives: Sequence[Features] = (),
        without: Collection[str] = (),
    ) -> list[Match]:
        """The ``n`` items most similar to a picture, or to what :meth:`describe` or :meth:`embed`
        told of it, best first. Several features are one question, for what is like all of them,
        and ``less`` are features that the answer should be unlike; what such a likeness is worth
        was not measured. Items whose ids are in ``without`` are not answered.

        ``where`` narrows the catalogue: ``{"gender": ["Women", "Girls"], "season": "Summer"}``.
        ``ranking`` says how likeness is measured. With ``fold``, items that look all but the same
        are one match, the best of them, which names the ``others``. Raises ``ImageRejected`` for
        an unusable picture and ``FilterError`` for an unknown column.
        """
        asked: Sequence[Features] | np.ndarray
        if isinstance(query, np.ndarray):
            asked = query
        elif isinstance(query, Features | str | Path | bytes | Image.Image):
            asked = [query if isinstance(query, Features) else self.describe([query])[0]]
        else:
            asked = list(query)
        positives = None
        if not isinstance(asked, np.ndarray) and (negatives or len(asked) > 1):
            positives, asked = len(asked), [*asked, *negatives]
        plain_background = isinstance(asked, np.ndarray) or asked[0].plain_background
        exclude = None
        if without:
            exclude = np.zeros(len(self.index), bool)
            exclude[[row for item in without if (row := self.row(item)) is not None]] = True

        def best_of(count: int) -> Hits:
            return self.index.search(
                asked, count, where, options=options, exclude=exclude, positives=positives
            )[0]

        measured = None if positives is not None else options
        if not fold:
            return self.matches(best_of(n), measured, plain_background=plain_background)
        wanted = 2 * n  # mostly enough, and a second search costs as much as the first
        while True:
            hits = best_of(wanted)
            groups = self.index.near_duplicates(hits)
            # One group more than asked for: the last one is then known to be complete.
            if len(groups) > n or len(hits) < wanted or wanted >= MOST_FOLDED * n:
                break
            wanted *= 2
        best = np.array([group[0] for group in groups[:n]], np.int64)
        kept = Hits(hits.rows[best], hits.similarities[best])
        ids = self.index.items["id"]
        return [
            replace(match, others=tuple(str(ids.iloc[hits.rows[place]]) for place in group[1:]))
            for match, group in zip(
                self.matches(kept, measured, plain_background=plain_background),
                groups,
                strict=False,
            )
        ]

    def search_many(
        self,
        pictures: Iterable[P],
        n: int = 12,
        where: Where | None = None,
        *,
        options: SimilarityOptions = SimilarityOptions(),  # noqa: B008  (frozen)
    ) -> Iterator[tuple[P, list[Match] | ImageRejected]]:
        """:meth:`search` for any number of pictures, in their order, with bounded memory and all
        processors at work. A picture that cannot be used is answered with the reason.

        Raises ``FilterError`` for an unknown column, before any picture is opened.
        """
        if where:
            self.index.mask(where)
        for picture, outcome in self.describe_many(pictures):
            if isinstance(outcome, Features):
                yield picture, self.search(outcome, n, where, options=options)
            else:
                yield picture, outcome

    def matches(
        self,
        hits: Hits,
        options: SimilarityOptions | None = SimilarityOptions(),  # noqa: B008  (frozen)
        *,
        plain_background: bool = True,
    ) -> list[Match]:
        """Hits of the index with what the catalogue says of them, and what a likeness of that
        ``ranking``, if any, is worth to a picture from a studio or to a photograph."""

        def expected_precision(similarity: float) -> float | None:
            if options is None:
                return None
            return self.index.expected_precision(
                similarity, options, plain_background=plain_background
            )

        found = self.index.items.iloc[hits.rows]
        return [
            self._match(row, float(similarity), expected_precision(float(similarity)))
            for row, similarity in zip(found.to_dict("records"), hits.similarities, strict=True)
        ]

    def row(self, item: str) -> int | None:
        """The row of the index that holds the item of that id, or ``None``."""
        with self._lock:
            if self._rows is None:
                ids = self.index.items["id"].astype(str)
                self._rows = {item: row for row, item in enumerate(ids)}
        return self._rows.get(item)

    def item(self, item: str) -> Match | None:
        """What the catalogue says of the item of that id, or ``None`` where there is none."""
        row = self.row(item)
        if row is None:
            return None
        return self.matches(Hits(np.array([row]), np.ones(1, np.float32)), None)[0]

    def is_out_of_catalogue(self, matches: Sequence[Match], query: Features | None = None) -> bool:
        """Whether nothing in the catalogue is close to ``query``, of which ``matches`` are the
        answer: it is a photograph of something else altogether, or even the best match is of a
        likeness that was seldom right."""
        if query is not None:
            rows = [row for match in matches if (row := self.row(match.id)) is not None]
            if self.index.is_out_of_catalogue(query, rows):
                return True
        best = max(
            (match.expected_precision for match in matches if match.expected_precision is not None),
            default=None,
        )
        return best is not None and best < LEAST_EXPECTED_PRECISION

    def _match(
        self, row: dict[Hashable, Any], similarity: float, expected_precision: float | None
    ) -> Match:
        image = str(row["image"])
        columns = self.attributes
        attributes = {
            str(column): str(value)
            for column, value in row.items()
            if column in columns and not pd.isna(value)
        }
        return Match(
            str(row["id"]), similarity, self._path(image), image, attributes, expected_precision
        )

    def _path(self, image: str) -> str:
        try:
            return self.store.path(image)
        except CatalogueError:  # it is gone; where it was is still the best thing to say
            return str(self.catalogue_location / image)

    @property
    def catalogue_location(self) -> Path:
        return Path(self.index.manifest.catalogue.location)

    @property
    def store(self) -> ImageStore:
        """The catalogue's pictures. Raises ``CatalogueError`` when they are not there any more."""
        with self._lock:
            if self._store is None:
                self._store = open_store(self.catalogue_location)
            return self._store

    def picture(self, image: str) -> bytes:
        """The bytes of the catalogue's picture of that name (a match's ``image``). Raises
        ``ImageRejected`` when it cannot be read."""
        try:
            return self.store.read(image, self.limits.max_bytes)
        except CatalogueError as error:
            raise ImageRejected(str(error), name=image) from error

    def named(self, words: Sequence[str]) -> np.ndarray:
        """Which items have all of these words in their name or their id, whatever the letters'
        case; bool ``(N,)``."""
        with self._lock:
            if self._names is None:
                columns = [c for c in ("id", *NAME_COLUMNS) if c in self.index.items]
                texts = self.index.items[columns].astype("string").fillna("")
                self._names = texts.agg(" ".join, axis=1).str.casefold()
        mask = np.ones(len(self.index), bool)
        for word in words:
            found = self._names.str.contains(word.casefold(), regex=False)
            mask &= found.to_numpy(dtype=bool)
        return mask

    def values(self, column: str) -> list[str]:
        """The different values of a column, the most frequent first. Raises ``KeyError``."""
        return [str(value) for value in self.index.items[column].value_counts().index]

    @property
    def attributes(self) -> list[str]:
        """The catalogue's columns that describe the goods."""
        return [column for column in self.index.filter_columns if column != "id"]
