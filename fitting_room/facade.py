"""FittingRoom: the one object that the page, the command line and Python users talk to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from fitting_room.build.builder import build_index
from fitting_room.build.database_edit import add_to_database, remove_from_database
from fitting_room.build.edit import EditSummary, add_items, remove_items
from fitting_room.build.elsewhere import PictureEmbedder
from fitting_room.build.networks import carried
from fitting_room.build.publishing import publish
from fitting_room.build.quantising import Precision, discard, in_8_bits
from fitting_room.build.summary import BuildSummary
from fitting_room.catalogue.catalogue import Catalogue, load_catalogue
from fitting_room.catalogue.reading_options import DEFAULT_READING, ReadingOptions
from fitting_room.databases.address import is_address
from fitting_room.databases.index import DatabaseIndex
from fitting_room.embedding.backbone import Selection
from fitting_room.embedding.backbones import AUTO, select, select_again
from fitting_room.embedding.converted import convert, select_converted
from fitting_room.embedding.embedder import Embedder
from fitting_room.embedding.engine import make_engine
from fitting_room.embedding.weights import (
    BackboneError,
    WeightsUnavailable,
    lacks_torch,
    local_file,
)
from fitting_room.index import manifest as names
from fitting_room.index.head import FASHION, NO_HEAD, Head, HeadError, head_named, is_trained_here
from fitting_room.index.index import Index
from fitting_room.index.manifest import IndexUnusable
from fitting_room.index.salvage import sound_head
from fitting_room.index.vectors import FLOAT32
from fitting_room.search.parts import Part, parts_of
from fitting_room.search.searcher import Match, Picture, Searcher
from fitting_room.search.synonyms import extended
from fitting_room.settings import Settings
from fitting_room.util.identities import plain_network
from fitting_room.util.progress import Listener, Stage, ignore

__all__ = ["Elsewhere", "FittingRoom", "Match", "Part"]

#: Makes what embeds the pictures of a catalogue with the network of an embedder, by settings.
Elsewhere = Callable[[Catalogue, Embedder, Settings], PictureEmbedder]


class FittingRoom(Searcher):
    """A catalogue's index, built or opened, and the network that made it. Safe to share between
    threads.

    >>> fitting_room = FittingRoom.build("data/demo", "cache/demo")      # doctest: +SKIP
    >>> for match in fitting_room.search("red-dress.jpg", n=5):          # doctest: +SKIP
    ...     print(match.name, match.similarity)
    """

    #: What the build did that made this, if one did.
    summary: BuildSummary | None = None
    #: What :meth:`add` or :meth:`remove` did that made this, if one did.
    edit: EditSummary | None = None

    @classmethod
    def open(cls, index: str | Path, settings: Settings | None = None) -> FittingRoom:
        """Open an index that was built before. The network is loaded with the first picture.

        Raises ``IndexUnusable`` when there is none, or none that can be used, and
        ``BackboneError`` when the network that made it cannot be had, and ``SynonymsError`` for a
        file of synonyms that cannot be used.
        """
        settings = settings or Settings.from_environment()
        opened = open_index(index)
        selection, *others = _selections(opened, settings)
        return cls(
            opened,
            lambda: _embedder(selection, settings, *others),
            settings.limits,
            extended(settings.synonyms),
        )

    @classmethod
    def build(
        cls,
        catalogue: str | Path | Catalogue,
        index: str | Path,
        *,
        reading: ReadingOptions = DEFAULT_READING,
        backbone: str | None = None,
        weights: str | None = None,
        input_size: tuple[int, int] | None = None,
        head: str | None = None,
        pca: int | None = None,
        storage: str = FLOAT32,
        settings: Settings | None = None,
        elsewhere: Elsewhere | None = None,
        listener: Listener = ignore,
    ) -> FittingRoom:
        """Build the index of a catalogue, read as ``reading`` says unless it was read before, or
        bring it up to date, and open it. ``summary`` says what was done. ``head`` is that of
        :func:`fitting_room.index.head.head_named`; by default the one that was trained on the
        index that is there, or the packaged one; a trained head keeps its network, too, where no
        other one, and no ``input_size``, is named. Where ``index`` is an address of a database, the
        index is built in the cache, and its items are put there. Pictures are embedded by this
        process, or ``elsewhere`` (:func:`fitting_room.cluster.embedding.on_cluster`). Raises
        ``CatalogueError``, ``BackboneError``, ``HeadError``, ``BuildError``, ``IndexUnusable`` or
        ``SynonymsError``."""
        settings = settings or Settings.from_environment()
        synonyms = extended(settings.synonyms)
        loaded = (
            catalogue if isinstance(catalogue, Catalogue) else load_catalogue(catalogue, reading)
        )
        address, folder = _place_of(index, settings)
        stage = Stage("Preparing the network", 1, "network", listener)
        name, weights = backbone or settings.backbone, weights or settings.weights
        asked = backbone is not None or name != AUTO or input_size is not None
        trained = None if asked else _of_trained(folder, weights)
        selection = trained or _chosen(name, weights, input_size, settings, listener)
        limits = settings.limits
        chosen = _head(head, folder, selection)
        of_head = _network_of(chosen, selection, settings)
        precision = Precision(settings.precision, settings.engine, settings.engines_folder)
        selection, of_head = in_8_bits(
            loaded, selection, of_head, folder, precision, limits=limits, listener=listener
        )
        embedder = _embedder(selection, settings, of_head)
        stage.advance()
        summary = build_index(
            loaded,
            embedder,
            folder,
            head=chosen,
            pca=pca,
            storage=storage,
            limits=limits,
            elsewhere=(
                None
                if elsewhere is None
                else elsewhere(loaded, embedder, replace(settings, weights=weights))
            ),
            listener=listener,
        )
        opened = Index.open(folder)
        discard(folder)
        if address is not None:
            publish(opened, address, listener=listener)
            opened = DatabaseIndex.open_at(address)
        fitting_room = cls(opened, lambda: embedder, limits, synonyms)
        fitting_room.summary = summary
        return fitting_room

    @staticmethod
    def convert(index: str | Path, settings: Settings | None = None) -> list[Path]:
        """Have the cache hold all networks that searching ``index`` takes, in the form that needs
        no torch; returns their folders, which may be copied to another machine's cache. Networks
        in 8 bits are not among them: the index carries these. Raises
        ``IndexUnusable``, and ``BackboneError`` where one cannot be had or kept."""
        settings = settings or Settings.from_environment()
        return [
            convert(selection, settings.engines_folder)
            for selection in _selections(open_index(index), settings)
            if selection.quantised is None
        ]

    def add(
        self,
        pictures: Sequence[str | Path],
        *,
        ids: Sequence[str] | None = None,
        attributes: Mapping[str, str] | None = None,
        replace: bool = False,
        listener: Listener = ignore,
    ) -> FittingRoom:
        """Add pictures to the index without its catalogue, and open what comes of it. There
        ``edit`` says what was done; this one stays as it is. Arguments and errors are those of
        :func:`fitting_room.build.edit.add_items`. A later build makes the index what the
        catalogue says. Of an index in a database see
        :func:`fitting_room.build.database_edit.add_to_database`.

        >>> fitting_room = fitting_room.add(["coat.jpg"], ids=["4711"])  # doctest: +SKIP
        """
        index = self.index
        change = (
            partial(add_to_database, index.reopened())  # somebody else may have changed it
            if isinstance(index, DatabaseIndex)
            else partial(add_items, index.folder)
        )
        edit = change(
            [Path(picture) for picture in pictures],
            lambda: self.embedder,
            ids=ids,
            attributes=attributes,
            replacing=replace,
            limits=self.limits,
            listener=listener,
        )
        return self._reopened(edit)

    def remove(
        self, ids: Sequence[str], *, ignore_missing: bool = False, listener: Listener = ignore
    ) -> FittingRoom:
        """Remove the items of these ids from the index without its catalogue, and open what comes
        of it, as :meth:`add` does. Arguments and errors are those of
        :func:`fitting_room.build.edit.remove_items`."""
        if isinstance(self.index, DatabaseIndex):
            newest = self.index.reopened()
            edit = remove_from_database(newest, ids, ignore_missing=ignore_missing)
        else:
            edit = remove_items(
                self.index.folder, ids, ignore_missing=ignore_missing, listener=listener
            )
        return self._reopened(edit)

    def parts(self, picture: Picture) -> list[Part]:
        """The parts of a picture that show garments of different kinds, from the top left on; none
        where it shows one, or where the index has no head that was taught kinds. Raises
        ``ImageRejected``.

        >>> image = fitting_room.open_picture("outfit.jpg")              # doctest: +SKIP
        >>> for part in fitting_room.parts(image):                       # doctest: +SKIP
        ...     print(part.kind, fitting_room.search(part.cut_from(image), n=4))
        """
        return parts_of(self, self.open_picture(picture))

    def reopened(self) -> FittingRoom:
        """The index as it is on disk now, with the same network. Raises ``IndexUnusable`` where it
        is not there any more, or another network has made it."""
        return self._reopened(None)

    def _reopened(self, edit: EditSummary | None) -> FittingRoom:
        index = self.index.reopened()
        index.require(self.index.identity, self.index.manifest.head_network)
        # Not this object itself, which would hold on to the version that it has open.
        embedder = self._embedder
        load = self._load_embedder if embedder is None else lambda: embedder
        fitting_room = FittingRoom(index, load, self.limits, self.synonyms)
        fitting_room.edit = edit
        return fitting_room


def open_index(index: str | Path) -> Index:
    """The index in a folder, or at an address of a database. Raises ``IndexUnusable``."""
    return DatabaseIndex.open_at(str(index)) if is_address(index) else Index.open(index)


def _selections(index: Index, settings: Settings) -> list[Selection]:
    """The network of an index, and that of its head if it brings one. Raises ``BackboneError``."""
    networks = {names.NETWORK: index.identity, names.HEAD_NETWORK: index.manifest.head_network}
    return [
        select_again(network, settings.weights, quantised=carried(index, name))
        for name, network in networks.items()
        if network is not None
    ]


def _place_of(index: str | Path, settings: Settings) -> tuple[str | None, Path]:
    """The address of an index in a database, if it is in one, and the folder that it is built in,
    which lets the next build go on from there."""
    if not is_address(index):
        return None, Path(index)
    digest = hashlib.sha256(str(index).encode()).hexdigest()[:16]
    return str(index), settings.cache / "databases" / digest


def _of_trained(folder: Path, weights: str | None) -> Selection | None:
    """The network of the index at ``folder`` where it has a head that was trained on it, so that a
    build for which nobody names a network keeps both; ``None`` where it has none, ``weights`` are
    others, or the network is made in another way by now. Raises ``WeightsUnavailable`` where the
    weights are in a file that ``weights`` must name."""
    try:
        manifest, head = sound_head(folder)  # it outlives damage to other files
    except IndexUnusable:
        return None
    network = plain_network(manifest.identity)
    if head is None or network is None or not is_trained_here(head):
        return None
    if weights is not None:
        file = Path(weights)
        if not file.is_file() or local_file(file).sha256 != network.get("weights_sha256"):
            return None
    try:
        return replace(select_again(network, weights), why="what was trained takes it")
    except WeightsUnavailable:
        raise
    except BackboneError:
        return None


def _chosen(
    name: str,
    weights: str | None,
    input_size: tuple[int, int] | None,
    settings: Settings,
    listener: Listener,
) -> Selection:
    """The network to build with. Without torch it is one that was converted before; weights that
    somebody names are then told to need torch."""
    if lacks_torch() and weights is None:
        return select_converted(name, settings.engines_folder, input_size=input_size)
    return select(
        name,
        weights,
        input_size=input_size,
        timeout=settings.download_timeout,
        listener=listener,
        # Its conversion is kept, so that nobody waits for it once the download is given up.
        meanwhile=lambda packaged: _embedder(packaged, settings),
    )


def _head(name: str | None, folder: Path, selection: Selection) -> Head | None:
    """The head of that name; by default the one that was trained on the index at ``folder``, if
    its network is still that one, or the packaged one."""
    if name is not None:
        return head_named(name)
    with suppress(IndexUnusable):
        manifest, head = sound_head(folder)  # it outlives damage to other files
        same = plain_network(manifest.identity) == selection.identity
        if head is not None and is_trained_here(head) and same:
            return head
    return head_named(FASHION)


def _network_of(head: Head | None, selection: Selection, settings: Settings) -> Selection | None:
    """The network that a head brings, where that is another than ``selection``. Raises
    ``BackboneError`` where it cannot be had, ``HeadError`` for a head that does not fit it."""
    if head is None or head.network is None:
        return None
    try:
        own = head.network == selection.identity
        network = selection if own else select_again(head.network, settings.weights)
        if head.input_dimension != network.backbone.dimension:
            raise HeadError(
                f"The head takes embeddings of {head.input_dimension} numbers and its network, "
                f"{network.backbone.name}, has {network.backbone.dimension}. Train it again."
            )
        return None if own else network
    except BackboneError as error:
        raise BackboneError(
            f"The head needs a network of its own. {error} To do without: --head {NO_HEAD}"
        ) from error


def _embedder(
    selection: Selection, settings: Settings, of_head: Selection | None = None
) -> Embedder:
    engine = make_engine(
        selection,
        kind=settings.engine,
        precision=settings.float_precision,
        cache=settings.engines_folder,
    )
    return Embedder(selection, engine, None if of_head is None else _embedder(of_head, settings))
