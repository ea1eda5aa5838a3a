"""FittingRoom: the one object that the page, the command line and Python users talk to."""

from __future__ import annotations

from pathlib import Path

from fitting_room.build.builder import BuildSummary, build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.embedding.backbones import Selection, select, select_again
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.engine import make_engine
from fitting_room.index.index import Index
from fitting_room.index.vectors import FLOAT32
from fitting_room.search.searcher import Match, Searcher
from fitting_room.settings import Settings
from fitting_room.util.progress import Listener, Stage, ignore

__all__ = ["FittingRoom", "Match"]


class FittingRoom(Searcher):
    """A catalogue's index, built or opened, and the network that made it. Safe to share between
    threads.

    >>> fitting_room = FittingRoom.build("data/demo", "cache/demo")      # doctest: +SKIP
    >>> for match in fitting_room.search("red-dress.jpg", n=5):          # doctest: +SKIP
    ...     print(match.name, match.similarity)
    """

    #: What the build did that made this, if one did.
    summary: BuildSummary | None = None

    @classmethod
    def open(cls, index: str | Path, settings: Settings | None = None) -> FittingRoom:
        """Open an index that was built before. The network is loaded with the first picture.

        Raises ``IndexUnusable`` when there is none, or none that can be used, and
        ``BackboneError`` when the network that made it cannot be had.
        """
        settings = settings or Settings.from_environment()
        opened = Index.open(index)
        selection = select_again(opened.identity, settings.weights)
        return cls(opened, lambda: _embedder(selection, settings), settings.limits)

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
        """Build the index of a catalogue, or bring it up to date, and open it. ``summary`` says
        what was done. Raises ``CatalogueError``, ``BackboneError`` or ``BuildError``."""
        settings = settings or Settings.from_environment()
        loaded = load_catalogue(catalogue)
        stage = Stage("Preparing the network", 1, "network", listener)
        selection = select(
            backbone or settings.backbone,
            weights or settings.weights,
            input_size=input_size,
            timeout=settings.download_timeout,
            listener=listener,
        )
        embedder = _embedder(selection, settings)
        stage.advance()
        folder, limits = Path(index), settings.limits
        summary = build_index(
            loaded, embedder, folder, pca=pca, storage=storage, limits=limits, listener=listener
        )
        fitting_room = cls(Index.open(folder), lambda: embedder, limits)
        fitting_room.summary = summary
        return fitting_room


def _embedder(selection: Selection, settings: Settings) -> Embedder:
    engine = make_engine(
        selection, kind=settings.engine, precision=settings.precision, cache=settings.engines_folder
    )
    return Embedder(selection, engine)
