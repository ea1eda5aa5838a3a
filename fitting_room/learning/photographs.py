"""Photographs of known classes, as further examples beside the catalogue's own pictures.

Of a photograph the embedding counts and, since its light and surroundings change them, less so its
colours. Its class is coarser than a catalogue's labels, so each class allows several of those; so
does each photograph, where somebody said which colours it may have.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from fitting_room.build.calibrate import LEAST_PHOTOGRAPHS, Photograph
from fitting_room.catalogue.catalogue import Catalogue, load_catalogue
from fitting_room.catalogue.label_mapping import LabelMapping, read_mapping
from fitting_room.catalogue.photograph_colours import read_photograph_colours
from fitting_room.embedding.embedder import Embedder
from fitting_room.facade import FittingRoom
from fitting_room.imaging import descriptors
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.imaging.preprocess import VIEWS, views_of
from fitting_room.imaging.trimming import trimmed
from fitting_room.index.head import Head
from fitting_room.index.index import Index
from fitting_room.learning.dataset import TrainingSet
from fitting_room.learning.options import TrainingError, TrainingOptions
from fitting_room.settings import Settings
from fitting_room.util.progress import Listener, Stage, ignore

#: Of more photographs than these a sample is taken.
MAX_PHOTOGRAPHS = 20_000
#: One photograph in so many is set aside for the calibration.
CALIBRATION_ONE_IN = 7
#: Views that a photograph is learned from, of which the first so many are in its own light; the
#: share of its sides in the smallest; and how much the light changes: the deviation of the
#: logarithm of each channel's factor and of that of all.
TRAINING_VIEWS, UNLIT_VIEWS, LEAST_SHARE = 12, 4, 0.6
TINT, EXPOSURE = 0.08, 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Photographs:
    """Photographs of known classes: ``views`` float16 ``(P, V, D)``, embeddings of each in several
    cuts and lights, and ``descriptors`` uint8 ``(P, V, DESCRIPTOR_LENGTH)`` of these; ``allowed``,
    for each column that is known of them, bool ``(P, labels)``, which of the column's labels each
    may have: none where nothing is known. ``skipped`` could not be used. Nothing is learned from
    those ``for_calibration``, which measures how often results for photographs are right."""

    views: np.ndarray
    descriptors: np.ndarray
    allowed: Mapping[str, np.ndarray]
    skipped: int
    for_calibration: tuple[Photograph, ...]

    def __len__(self) -> int:
        return len(self.views)

    def sample(
        self, count: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Embeddings of ``count`` photographs drawn at random, each in one of its cuts, float32
        ``(count, D)``, the descriptors, and the labels that each may have by column."""
        rows = generator.integers(len(self.views), size=count)
        cuts = generator.integers(self.views.shape[1], size=count)
        allowed = {column: of_column[rows] for column, of_column in self.allowed.items()}
        return self.views[rows, cuts].astype(np.float32), self.descriptors[rows, cuts], allowed


def load_photographs(
    index: Index,
    training_set: TrainingSet,
    options: TrainingOptions,
    settings: Settings,
    listener: Listener = ignore,
    *,
    start: Head | None = None,
) -> Photographs | None:
    """Embed the photographs that ``options`` name, if any, for a head that starts from ``start``.
    Raises :class:`TrainingError`, ``CatalogueError`` or ``LabelMappingError`` when they, the
    mapping or the colours cannot be used."""
    known = known_photographs(training_set, options)
    if known is None:
        return None
    catalogue, items, mapping = known.catalogue, known.items, known.mapping
    embedder = FittingRoom.open(index.folder, settings).embedder
    of_head, takes = embedder.of_head, start is not None and start.takes(embedder.head_network)
    network = embedder if of_head is None or not takes else of_head
    features = _embed(catalogue, items, embedder, network, options, settings, listener)
    learned = [isinstance(views, Views) for views in features]
    allowed = known.allowed(learned, training_set, options)
    for_calibration = tuple(
        Photograph(of_query, mapping.column, mapping.values[name])
        for of_query, name in zip(features, items["class"], strict=True)
        if isinstance(of_query, Features)
    )
    views = [of_photograph for of_photograph in features if isinstance(of_photograph, Views)]
    return Photographs(
        views=np.stack([of_photograph.embeddings for of_photograph in views]),
        descriptors=np.stack([of_photograph.descriptors for of_photograph in views]),
        allowed=allowed,
        skipped=len(catalogue) - sum(learned) - len(for_calibration),
        for_calibration=for_calibration,
    )


@dataclass(frozen=True, slots=True, eq=False)
class KnownPhotographs:
    """Photographs of known classes before anything is made of them: ``items`` has their ``image``,
    its name in ``catalogue``, their ``class``, and whether they are put ``aside`` for the
    calibration; ``of_class``, for each class, bool ``(labels,)``, which it may have of the labels
    of ``mapping.column``."""

    catalogue: Catalogue
    items: pd.DataFrame
    mapping: LabelMapping
    of_class: Mapping[str, np.ndarray]

    def allowed(
        self, chosen: Sequence[bool], training_set: TrainingSet, options: TrainingOptions
    ) -> dict[str, np.ndarray]:
        """For each column that something is known of, which of its labels the ``chosen`` ones may
        have, bool ``(P, labels)``. Raises :class:`TrainingError`, also where none are chosen, or
        ``LabelMappingError``."""
        if not any(chosen):
            raise TrainingError(
                f"{self.catalogue.location}: none of the photographs can be used. Their classes "
                f"must be of values of {self.mapping.column} that the catalogue has, and the "
                "pictures whole."
            )
        items = self.items[list(chosen)]
        known = {self.mapping.column: np.stack([self.of_class[name] for name in items["class"]])}
        if options.colours is not None:
            known |= _allowed_colours(self.catalogue, items, training_set, options)
        return known


def known_photographs(
    training_set: TrainingSet, options: TrainingOptions
) -> KnownPhotographs | None:
    """The photographs that ``options`` name, if any. Raises what :func:`load_photographs` does."""
    if options.photographs is None or options.mapping is None:
        return None
    mapping = read_mapping(options.mapping, options.mapping_column)
    catalogue = load_catalogue(options.photographs)
    of_class = _allowed_labels(catalogue, training_set, mapping)
    items = _sample(catalogue.items, of_class, options.seed)
    return KnownPhotographs(catalogue, items, mapping, of_class)


def _allowed_labels(
    catalogue: Catalogue, training_set: TrainingSet, mapping: LabelMapping
) -> dict[str, np.ndarray]:
    """Which of the column's labels a photograph of each class may have, bool ``(labels,)``, for
    the classes that may have any."""
    column = mapping.column
    if column not in training_set.columns:
        raise TrainingError(
            f"The photographs say something of {column}, which is not learned. Learned are: "
            f"{', '.join(training_set.columns)}."
        )
    if "class" not in catalogue.items:
        raise TrainingError(
            f"{catalogue.location}: photographs are expected in folders named by their class."
        )
    names = sorted(set(catalogue.items["class"].dropna()))
    if unknown := [name for name in names if name not in mapping.values]:
        raise TrainingError(
            f"{mapping.location}: says nothing of the class {unknown[0]!r:.60}. Add it, with the "
            f"values of {column} that its photographs may be, or take the folder away."
        )
    labels = training_set.labels[column]
    allowed = {n: np.array([label in mapping.values[n] for label in labels]) for n in names}
    return {name: row for name, row in allowed.items() if row.any()}


def _allowed_colours(
    catalogue: Catalogue, items: pd.DataFrame, training_set: TrainingSet, options: TrainingOptions
) -> dict[str, np.ndarray]:
    """Which colours each of ``items`` may have, by the column of colours."""
    if options.colours is None or options.colour_column not in training_set.labels:
        raise TrainingError(
            f"--colours: {options.colour_column}, which they are values of, is not learned. "
            f"Learned are: {', '.join(training_set.columns)}."
        )
    words = read_photograph_colours(options.colours, options.colour_column).of(
        catalogue.store, items["image"].tolist()
    )
    labels = training_set.labels[options.colour_column]
    allowed = np.array([[label in of_photograph for label in labels] for of_photograph in words])
    if not allowed.any():
        raise TrainingError(
            f"{options.colours}: says nothing of the photographs in {catalogue.location}. Its "
            "names must be those of the pictures, with their folders."
        )
    return {options.colour_column: allowed}


def _sample(items: pd.DataFrame, classes: Collection[str], seed: int) -> pd.DataFrame:
    """The photographs of ``classes``, a sample of very many. The column ``aside`` says which are
    for the calibration: none where those would be too few."""
    items = items[items["class"].isin(classes)]
    rows = np.random.default_rng(seed).permutation(len(items))[:MAX_PHOTOGRAPHS]
    items = items.iloc[np.sort(rows)]
    hashes = [zlib.crc32(f"{seed} {name}".encode()) for name in items["image"]]
    aside = np.array(hashes, np.int64) % CALIBRATION_ONE_IN == 0
    return items.assign(aside=aside & (aside.sum() >= LEAST_PHOTOGRAPHS))


class Views(NamedTuple):
    """A photograph in ``V`` cuts and lights: ``embeddings`` float16 ``(V, D)`` and ``descriptors``
    uint8 ``(V, DESCRIPTOR_LENGTH)``."""

    embeddings: np.ndarray
    descriptors: np.ndarray


def _embed(
    catalogue: Catalogue,
    items: pd.DataFrame,
    embedder: Embedder,
    network: Embedder,
    options: TrainingOptions,
    settings: Settings,
    listener: Listener,
) -> list[Features | Views | None]:
    """Of a photograph for the calibration its features as a query, of the others what ``network``
    makes of several cuts; ``None`` where one cannot be read."""

    def embed(place: int, name: str, for_calibration: bool) -> Features | Views | None:
        try:
            data = catalogue.store.read(name, settings.limits.max_bytes)
            image = embedder.open(data, name=name, limits=settings.limits)
        except ImageRejected:
            return None
        if for_calibration:
            return embedder.describe([image], views=True)[0]
        cuts, wholes = augmented(trimmed(image), np.random.default_rng([options.seed, place]))
        # The first are cuts of one picture, which is described once.
        places = np.maximum(np.arange(len(wholes)) - len(VIEWS), 0)
        described = descriptors.describe(wholes[len(VIEWS) :])[places]
        return Views(network.embed(cuts).astype(np.float16), described)

    stage = Stage("Embedding photographs", len(items), "photograph", listener)
    features = []
    pool = ThreadPoolExecutor(embedder.engine.streams + 1, thread_name_prefix="photographs")
    try:
        for of_photograph in pool.map(embed, range(len(items)), items["image"], items["aside"]):
            features.append(of_photograph)
            stage.advance()
    finally:
        pool.shutdown(cancel_futures=True)
    return features


def augmented(
    image: Image.Image, generator: np.random.Generator
) -> tuple[list[Image.Image], list[Image.Image]]:
    """A photograph as it is learned from: the cuts that are embedded, and the pictures that these
    are cut from. First as a query is cut, then closer or further to one side, mirrored or not, and
    mostly in another light."""
    cuts, wholes = [image, *views_of(image)], [image] * (1 + len(VIEWS))
    while len(cuts) < TRAINING_VIEWS:
        cut, whole = another_cut(image, generator, lit=len(cuts) >= UNLIT_VIEWS)
        cuts.append(cut)
        wholes.append(whole)
    return cuts, wholes


def another_cut(
    image: Image.Image, generator: np.random.Generator, *, lit: bool = True
) -> tuple[Image.Image, Image.Image]:
    """One such cut, in another light if it is ``lit``, and the picture that it is cut from."""
    whole = in_other_light(image, generator) if lit else image
    share = generator.uniform(LEAST_SHARE, 1)
    width, height = (max(1, int(side * share)) for side in image.size)
    left, top = (
        int(generator.uniform(0, side))
        for side in (image.width - width + 1, image.height - height + 1)
    )
    whole = whole.crop((left, top, left + width, top + height))
    if generator.random() < 0.5:
        whole = ImageOps.mirror(whole)
    return views_of(whole)[generator.integers(len(VIEWS))], whole


def in_other_light(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """A picture as under another lamp: darker or brighter, and warmer or colder."""
    tint = np.exp(generator.normal(0, TINT, 3))
    factors = tint / tint.mean() * np.exp(generator.normal(0, EXPOSURE))
    tables = [np.clip(np.arange(256) * factor, 0, 255).astype(np.uint8) for factor in factors]
    return image.point(np.concatenate(tables).tolist())
