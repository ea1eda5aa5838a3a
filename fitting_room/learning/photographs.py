"""Photographs of known classes, as further examples beside the catalogue's own pictures.

Of a photograph only the embedding counts. Its class is coarser than a catalogue's labels, so each
class allows several of those.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from fitting_room.build.calibrate import LEAST_PHOTOGRAPHS, Photograph
from fitting_room.catalogue.catalogue import Catalogue, load_catalogue
from fitting_room.catalogue.label_mapping import LabelMapping, read_mapping
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageRejected
from fitting_room.imaging.features import Features
from fitting_room.imaging.preprocess import SMALLEST_CUT, VIEWS, Cuts, views_of
from fitting_room.imaging.trimming import trimmed
from fitting_room.index.head import places_of
from fitting_room.index.index import Index
from fitting_room.learning.dataset import TrainingSet
from fitting_room.learning.options import TrainingError, TrainingOptions
from fitting_room.settings import Settings
from fitting_room.util.progress import Listener, Stage, ignore

#: Of more photographs than these a sample is taken.
MAX_PHOTOGRAPHS = 20_000
#: One photograph in so many is set aside for the calibration.
CALIBRATION_ONE_IN = 7
#: Cuts that photographs are learned from: those of a query and two more.
TRAINING_CUTS: Cuts = ((1.0, False, False), VIEWS[0], (SMALLEST_CUT, True, True), VIEWS[1])


@dataclass(frozen=True, slots=True, eq=False)
class Photographs:
    """Photographs of known classes: ``views`` float16 ``(P, V, D)``, embeddings of each in several
    cuts; ``classes`` ``(P,)``, the row of each in ``allowed``, bool ``(classes, labels)``, which
    says what values of ``column`` it may have. ``skipped`` could not be used. Nothing is learned
    from those ``for_calibration``, which measures how often results for photographs are right."""

    column: str
    views: np.ndarray
    classes: np.ndarray
    allowed: np.ndarray
    skipped: int
    for_calibration: tuple[Photograph, ...]

    def sample(self, count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings of ``count`` photographs drawn at random, each in one of its cuts, float32
        ``(count, D)``, and the labels that each may have, bool ``(count, labels)``."""
        rows = generator.integers(len(self.views), size=count)
        cuts = generator.integers(self.views.shape[1], size=count)
        return self.views[rows, cuts].astype(np.float32), self.allowed[self.classes[rows]]


def load_photographs(
    index: Index,
    training_set: TrainingSet,
    options: TrainingOptions,
    settings: Settings,
    listener: Listener = ignore,
) -> Photographs | None:
    """Embed the photographs that ``options`` name, if any. Raises :class:`TrainingError`,
    ``CatalogueError`` or ``QueriesError`` when they, or the mapping, cannot be used."""
    if options.photographs is None or options.mapping is None:
        return None
    mapping = read_mapping(options.mapping, options.mapping_column)
    catalogue = load_catalogue(options.photographs)
    allowed = _allowed_labels(catalogue, training_set, mapping)
    items = _sample(catalogue.items, allowed, options.seed)
    features = _embed(catalogue, items, index, settings, listener)
    learned = [isinstance(views, np.ndarray) for views in features]
    if not any(learned):
        raise TrainingError(
            f"{catalogue.location}: none of the photographs can be used. Their classes must be of "
            f"values of {mapping.column} that the catalogue has, and the pictures whole."
        )
    for_calibration = tuple(
        Photograph(of_query, mapping.column, mapping.values[name])
        for of_query, name in zip(features, items["class"], strict=True)
        if isinstance(of_query, Features)
    )
    return Photographs(
        mapping.column,
        views=np.stack([views for views in features if isinstance(views, np.ndarray)]),
        classes=places_of(items["class"][learned], list(allowed)),
        allowed=np.stack(list(allowed.values())),
        skipped=len(catalogue) - sum(learned) - len(for_calibration),
        for_calibration=for_calibration,
    )


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


def _sample(items: pd.DataFrame, classes: Collection[str], seed: int) -> pd.DataFrame:
    """The photographs of ``classes``, a sample of very many. The column ``aside`` says which are
    for the calibration: none where those would be too few."""
    items = items[items["class"].isin(classes)]
    rows = np.random.default_rng(seed).permutation(len(items))[:MAX_PHOTOGRAPHS]
    items = items.iloc[np.sort(rows)]
    hashes = [zlib.crc32(f"{seed} {name}".encode()) for name in items["image"]]
    aside = np.array(hashes, np.int64) % CALIBRATION_ONE_IN == 0
    return items.assign(aside=aside & (aside.sum() >= LEAST_PHOTOGRAPHS))


def _embed(
    catalogue: Catalogue, items: pd.DataFrame, index: Index, settings: Settings, listener: Listener
) -> list[Features | np.ndarray | None]:
    """Of a photograph for the calibration its features as a query, of the others embeddings in
    several cuts, float16 ``(V, D)``; ``None`` where one cannot be read."""
    embedder = FittingRoom.open(index.folder, settings).embedder

    def embed(name: str, for_calibration: bool) -> Features | np.ndarray | None:
        try:
            data = catalogue.store.read(name, settings.limits.max_bytes)
            image = embedder.open(data, name=name, limits=settings.limits)
        except ImageRejected:
            return None
        if for_calibration:
            return embedder.describe([image], views=True)[0]
        vectors = embedder.embed(augmented(trimmed(image)))
        return (vectors if index.pca is None else index.pca(vectors)).astype(np.float16)

    stage = Stage("Embedding photographs", len(items), "photograph", listener)
    features = []
    pool = ThreadPoolExecutor(embedder.engine.streams + 1, thread_name_prefix="photographs")
    try:
        for of_photograph in pool.map(embed, items["image"], items["aside"]):
            features.append(of_photograph)
            stage.advance()
    finally:
        pool.shutdown(cancel_futures=True)
    return features


def augmented(image: Image.Image) -> list[Image.Image]:
    """A photograph as it is learned from: in several cuts, two of them closer still, and all of
    them mirrored."""
    width, height = image.size
    x, y = width // 8, height // 8
    closer = image.crop((x, y, width - x, height - y))
    cuts = views_of(image, TRAINING_CUTS) + views_of(closer, TRAINING_CUTS[1:3])
    return cuts + [ImageOps.mirror(cut) for cut in cuts]
