"""FittingRoom: the one object that the page, the command line and Python users talk to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from fitting_room.backbones import select_again
from fitting_room.builder import BuildSummary, build_index
from fitting_room.catalogue import NAME_COLUMNS, CatalogueError, load_catalogue, open_store
from fitting_room.embedder import Embedder
from fitting_room.engines import make_engine
from fitting_room.images import ImageLimits, ImageRejected, open_image
from fitting_room.index import Hits, Index, Where
from fitting_room.picture_store import PictureStore
from fitting_room.progress import Listener, Stage, ignore
from fitting_room.settings import Settings

#: A picture in any form that a query may take.
Picture = str | Path | bytes | Image.Image
P = TypeVar("P", str, Path, bytes, Image.Image)


@dataclass(frozen=True, slots=True)
class Match:
    """An item of the catalogue and its cosine similarity to the query, -1 to 1.

    ``path`` is the picture's place on disk, ``image`` its name within the catalogue;
    ``attributes`` are the catalogue's columns that have a value for the item, in their order.
    """

    id: str
    similarity: float
    path: str
    image: str
    attributes: dict[str, str]

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
        self._store: PictureStore | None = None

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
        pca: int | None = None,
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
            engine=settings.engine,
            precision=settings.precision,
            cache=settings.engines_folder,
            timeout=settings.download_timeout,
            listener=listener,
        )
        stage.advance()
        summary = build_index(
            goods, embedder, Path(index), pca=pca, limits=settings.limits, listener=listener
        )
        room = cls(Index.open(index), lambda: embedder, settings.limits)
        room.summary = summary
        return room

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
        """The picture upright and in RGB. Raises ``ImageRejected``."""
        return open_image(picture, name=name, limits=self.limits)

    def embed(self, pictures: Sequence[Picture]) -> np.ndarray:
        """Embeddings of pictures, float32 ``(len(pictures), D)``. Raises ``ImageRejected``."""
        return self.embedder.embed([self.open_picture(picture) for picture in pictures])

    def search(
        self, query: Picture | np.ndarray, n: int = 12, where: Where | None = None
    ) -> list[Match]:
        """The ``n`` items most similar to a picture, or to an embedding of :meth:`embed`, best
        first.

        ``where`` narrows the catalogue: ``{"gender": ["Women", "Girls"], "season": "Summer"}``.
        Raises ``ImageRejected`` for an unusable picture and ``FilterError`` for an unknown column.
        """
        vector = query if isinstance(query, np.ndarray) else self.embed([query])[0]
        return self.matches(self.index.search(vector, n, where)[0])

    def search_many(
        self, pictures: Iterable[P], n: int = 12, where: Where | None = None
    ) -> Iterator[tuple[P, list[Match] | ImageRejected]]:
        """:meth:`search` for any number of pictures, in their order, with bounded memory and all
        processors at work. A picture that cannot be used is answered with the reason.

        Raises ``FilterError`` for an unknown column, before any picture is opened.
        """
        if where:
            self.index.mask(where)
        for picture, outcome in self.embedder.stream(pictures, self.open_picture):
            if isinstance(outcome, np.ndarray):
                yield picture, self.search(outcome, n, where)
            elif outcome is not None:
                yield picture, outcome

    def matches(self, hits: Hits) -> list[Match]:
        """Hits of the index with what the catalogue says of them."""
        found = self.index.items.iloc[hits.rows]
        return [
            self._match(row, float(similarity))
            for row, similarity in zip(found.to_dict("records"), hits.similarities, strict=True)
        ]

    def _match(self, row: dict[Hashable, Any], similarity: float) -> Match:
        image = str(row["image"])
        columns = self.attributes
        attributes = {
            str(column): str(value)
            for column, value in row.items()
            if column in columns and not pd.isna(value)
        }
        return Match(str(row["id"]), similarity, self._path(image), image, attributes)

    def _path(self, image: str) -> str:
        try:
            return self.store.path(image)
        except CatalogueError:  # it is gone; where it was is still the best thing to say
            return str(self.catalogue_location / image)

    @property
    def catalogue_location(self) -> Path:
        return Path(self.index.manifest["catalogue"]["location"])

    @property
    def store(self) -> PictureStore:
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

    def values(self, column: str) -> list[str]:
        """The different values of a column, the most frequent first. Raises ``KeyError``."""
        return [str(value) for value in self.index.items[column].value_counts().index]

    @property
    def attributes(self) -> list[str]:
        """The catalogue's columns that describe the goods."""
        return [column for column in self.index.filter_columns if column != "id"]
