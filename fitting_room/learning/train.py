"""Learning a head from a catalogue's labels, and from photographs of a known kind.

The network stays as it is: what is learned is a small head on the embeddings and appearances that
the index holds already, so that a catalogue of some ten thousand items takes minutes without a GPU.
All label columns share one embedding, each with a loss of its own from pytorch-metric-learning:
items with the same label come together, others move apart. A tenth of the items is kept back, and
the epoch whose head answers them best is the one that counts.

Photographs, of which only the embedding counts, join in as further examples. Their classes are
coarser than a catalogue's labels, so each class allows several of those.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from fitting_room.build.calibrate import LEAST_PHOTOGRAPHS, Photograph
from fitting_room.build.writer import write_head
from fitting_room.catalogue.catalogue import Catalogue, load_catalogue
from fitting_room.catalogue.label_mapping import read_mapping
from fitting_room.catalogue.schema import held_out
from fitting_room.embedding.embedder import Embedder
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits, ImageRejected
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH, PLAIN_BACKGROUND
from fitting_room.imaging.features import Features, normalise
from fitting_room.imaging.preprocess import SMALLEST_CUT, Cuts, views_of
from fitting_room.index.head import DESCRIPTOR_INPUTS, Head, places_of, standardised
from fitting_room.index.index import Index
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.learning.losses import LOSSES, ColumnLosses
from fitting_room.settings import Settings
from fitting_room.util.progress import Listener, Stage, ignore

if TYPE_CHECKING:
    import torch

DEFAULT_COLUMNS = ("articleType", "baseColour", "gender")

# The recipe, chosen by evaluation: docs/relevance.md.
INPUT_DROPOUT, HIDDEN_DROPOUT = 0.2, 0.3
#: Share of the items that are shown without their appearance, as photographs are.
MODALITY_DROPOUT = 0.2
PEAK_RATE, WEIGHT_DECAY = 3e-3, 0.02
#: Share of the training in which the learning rate rises; no epoch of it counts as standstill.
WARM_UP = 0.3
#: A batch has this many items for each photograph, and their loss this weight.
ITEMS_PER_PHOTOGRAPH, PHOTOGRAPH_WEIGHT = 8, 0.5
#: A small catalogue has at least this many batches an epoch, of at least so many items.
LEAST_BATCHES, LEAST_BATCH = 16, 32

#: Share of the items that is kept back to judge the epochs by; at most so many of them ask, and at
#: most so many of the others can be answered.
VALIDATION_SHARE = 0.1
MOST_QUERIES, MOST_ANSWERS = 4_000, 20_000
#: Results that are looked at: the precision is their share with the query's labels.
RESULTS = 4
#: Rows that the mean and the deviation of the inputs are taken from at most.
STATISTICS_SAMPLE = 20_000
#: Inputs that deviate less than this never vary.
LEAST_DEVIATION = 1e-4

LEAST_ITEMS = 10
#: Share of an index's items that the catalogue must have, else it is another catalogue.
LEAST_SHARED = 0.5
MAX_LABELS = 20_000
#: More photographs than these are not looked at; a sample is.
MAX_PHOTOGRAPHS = 20_000
PHOTOGRAPHS_AT_ONCE = 64
#: One photograph in so many is kept back, and at most so many of the items that were are named.
KEPT_BACK_ONE_IN, MOST_KEPT_BACK = 7, 400


class TrainingError(Exception):
    """A head cannot be trained; the text says what to do."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What is learned, from what, and for how long."""

    #: Label columns to learn. Of the default ones, those that the catalogue has.
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    #: Items of :func:`fitting_room.catalogue.schema.held_out` take no part.
    holdout: int | None = None
    #: Class folders of photographs, and a JSON file: class -> allowed values of ``mapping_column``.
    photographs: Path | None = None
    mapping: Path | None = None
    mapping_column: str = "articleType"
    #: A name of :data:`LOSSES`.
    loss: str = "proxies"
    epochs: int = 30
    batch_size: int = 512
    seed: int = 0
    #: Lengths of the new embedding and of the hidden layer.
    dimension: int = 256
    hidden: int = 1024
    #: Epochs without a better one after which it stops.
    patience: int = 5
    #: Blocks of the backbone, from its end, that are fine-tuned first, and where its weights go.
    finetune_blocks: int = 0
    save_weights: Path | None = None
    finetune_epochs: int = 3


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """What a training did. ``items`` and ``photographs`` were learned from; of ``epochs`` that ran
    the ``best_epoch``, counted from 1, was kept. ``validation`` has the precision of the first four
    answers to items that were kept back, for each column and for ``all`` of them together, before
    (``all_before``: the index without a head) and after (``all_after``: the head alone)."""

    items: int
    photographs: int
    skipped: int
    epochs: int
    best_epoch: int
    seconds: float
    validation: dict[str, float]
    loss: str


def train(
    catalogue: str | Path,
    index: str | Path,
    options: TrainingOptions = TrainingOptions(),
    *,
    settings: Settings | None = None,
    listener: Listener = ignore,
) -> TrainingSummary:
    """Learn a head from ``catalogue``'s labels and give it to ``index``, which was built from it.

    Raises :class:`TrainingError`, ``CatalogueError``, ``IndexUnusable``, and ``BackboneError`` or
    ``EngineError`` where photographs or pictures must be looked at and the network cannot be had.
    """
    started = time.perf_counter()
    settings = settings or Settings.from_environment()
    check_options(options)
    goods = load_catalogue(catalogue)
    opened = Index.open(index)
    training_set = training_set_from(goods, opened, options)  # before anything that takes long
    finetuned = None
    if options.finetune_blocks:
        from fitting_room.learning.finetuning import finetune

        settings, finetuned = finetune(
            goods, opened, training_set, options, settings=settings, listener=listener
        )
        opened = Index.open(index)
        training_set = training_set_from(goods, opened, options)
    photographs = None
    if options.photographs is not None:
        fitting_room = FittingRoom.open(index, settings)
        photographs = photographs_from(
            fitting_room.embedder, opened, training_set, options, settings, listener
        )
    with reproducible(options.seed):
        trainer = Trainer(opened, training_set, photographs, options, finetuned)
        head = trainer.run(listener)
    _require_same_embeddings(opened, Index.open(index))
    write_head(Path(index), head, () if photographs is None else photographs.kept_back)
    return TrainingSummary(
        items=len(training_set.train),
        photographs=0 if photographs is None else len(photographs.classes),
        skipped=0 if photographs is None else photographs.skipped,
        epochs=trainer.epochs_run,
        best_epoch=trainer.best_epoch,
        seconds=round(time.perf_counter() - started, 3),
        validation=dict(head.record["validation"]),
        loss=options.loss,
    )


def check_options(options: TrainingOptions) -> None:
    """Raise :class:`TrainingError` for options that make no sense."""
    if options.loss not in LOSSES:
        raise TrainingError(f"There is no loss {options.loss!r}. Known: {', '.join(LOSSES)}.")
    for name, value, least, most in (
        ("--epochs", options.epochs, 1, 10_000),
        ("--batch-size", options.batch_size, 8, 65_536),
        ("--seed", options.seed, 0, 2**32 - 1),
        ("--dimension", options.dimension, 2, 4_096),
        ("--hidden", options.hidden, 2, 16_384),
        ("--patience", options.patience, 1, 10_000),
        ("--holdout", 2 if options.holdout is None else options.holdout, 2, 1_000_000),
        ("--finetune-blocks", options.finetune_blocks, 0, 1_000),
        ("--finetune-epochs", options.finetune_epochs, 1, 1_000),
    ):
        if type(value) is not int or not least <= value <= most:
            raise TrainingError(
                f"{name} {value!r:.30}: a whole number from {least:,} to {most:,} is expected."
            )
    if not options.columns:
        raise TrainingError("Name at least one column to learn with --columns.")
    if (options.photographs is None) != (options.mapping is None):
        raise TrainingError(
            "--photographs and --mapping go together: the mapping says which values of "
            f"{options.mapping_column} each class of photographs may be."
        )
    if options.finetune_blocks and options.save_weights is None:
        raise TrainingError("--finetune-blocks needs --save-weights FILE.safetensors.")
    if options.save_weights is not None and options.save_weights.suffix != ".safetensors":
        raise TrainingError(f"{options.save_weights}: name a file that ends in .safetensors.")


def _require_same_embeddings(before: Index, now: Index) -> None:
    same = before.identity == now.identity and before.dimension == now.dimension
    if before.pca is not None and now.pca is not None:
        same = same and np.array_equal(before.pca.components, now.pca.components)
    if not same or (before.pca is None) != (now.pca is None):
        raise TrainingError(
            f"{now.folder}: the index was built anew with other embeddings in the meantime. "
            "Train again."
        )


# --- what is learned from ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Labels of an index's items. ``codes[column]`` is int64 ``(N,)``, the place of each item's
    label in ``labels[column]`` or -1; ``train`` and ``validation`` are rows, apart from each other
    and from what is held out. ``table`` has the columns, one row for each of the ``N`` items."""

    columns: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    codes: Mapping[str, np.ndarray]
    table: pd.DataFrame
    train: np.ndarray
    validation: np.ndarray


def training_set_from(goods: Catalogue, index: Index, options: TrainingOptions) -> TrainingSet:
    """The catalogue's labels joined to the index's items by id. Raises :class:`TrainingError`
    when too few items are in both, or there is nothing to learn."""
    shared = index.items["id"].isin(goods.items["id"]).to_numpy(bool)
    if shared.mean() < LEAST_SHARED:
        raise TrainingError(
            f"{index.folder}: of its {len(index):,} items only {int(shared.sum()):,} are in "
            f"{goods.location}. Build the index from that catalogue first: fitting-room build "
            f"{goods.location} --index {index.folder}"
        )
    columns = _columns_to_learn(goods, options)
    said = goods.items.set_index("id")[list(columns)]
    table = said.reindex(index.items["id"]).reset_index(drop=True)
    taking_part = shared & table.notna().any(axis=1).to_numpy()
    if options.holdout is not None:
        taking_part &= ~held_out(index.items["id"], options.holdout)
    labels: dict[str, tuple[str, ...]] = {}
    for column in columns:
        found = tuple(sorted(set(table.loc[taking_part, column].dropna())))
        if len(found) > MAX_LABELS:
            raise TrainingError(
                f"The column {column!r} has {len(found):,} different values, too many to learn. "
                "Leave it out of --columns."
            )
        if len(found) > 1:  # one value alone tells nothing apart
            labels[column] = found
    if not labels or taking_part.sum() < LEAST_ITEMS:
        raise TrainingError(
            f"{goods.location}: nothing to learn. At least {LEAST_ITEMS} items with labels are "
            f"needed, of at least two kinds, in one of the columns {', '.join(columns)}."
        )
    rows = np.flatnonzero(taking_part)
    train, validation = _split(rows, index.items, options.seed)
    return TrainingSet(
        columns=tuple(labels),
        labels=labels,
        codes={column: places_of(table[column], labels[column]) for column in labels},
        table=table[list(labels)],
        train=train,
        validation=validation,
    )


def _columns_to_learn(goods: Catalogue, options: TrainingOptions) -> tuple[str, ...]:
    there = [column for column in options.columns if column in goods.attributes]
    missing = [column for column in options.columns if column not in goods.attributes]
    if not there or (missing and options.columns != DEFAULT_COLUMNS):
        raise TrainingError(
            f"{goods.location}: the catalogue has no column {missing[0]!r}. It has: "
            f"{', '.join(goods.attributes) or 'none'}. Name some of them with --columns."
        )
    return tuple(dict.fromkeys(there))


def _split(rows: np.ndarray, items: pd.DataFrame, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and rows kept back. A picture that several items share is on one side
    only: it would answer itself."""
    groups, found = pd.factorize(items["digest"].iloc[rows])
    count = max(1, round(VALIDATION_SHARE * len(found)))
    # By a hash rather than at random: a catalogue that grows keeps back mostly what it did before.
    drawn = [zlib.crc32(f"{seed} {digest}".encode()) for digest in found]
    kept_back = np.argsort(drawn, kind="stable")[:count]
    inside = np.isin(groups, kept_back)
    if inside.all():
        raise TrainingError("All items have the same picture: there is nothing to learn.")
    return rows[~inside], rows[inside]


@dataclass(frozen=True, slots=True, eq=False)
class Photographs:
    """Photographs of known classes: ``views`` float16 ``(P, V, D)``, embeddings of each in several
    cuts; ``classes`` ``(P,)``, the row of each in ``allowed``, bool ``(classes, labels)``, which
    says what values of ``column`` it may be. ``skipped`` could not be used. ``kept_back`` are some
    that nothing is learned from: they tell afterwards what a likeness is worth."""

    column: str
    views: np.ndarray
    classes: np.ndarray
    allowed: np.ndarray
    skipped: int
    kept_back: tuple[Photograph, ...] = ()


def photographs_from(
    embedder: Embedder,
    index: Index,
    training_set: TrainingSet,
    options: TrainingOptions,
    settings: Settings,
    listener: Listener = ignore,
) -> Photographs:
    """Look at the photographs of ``options``. Raises :class:`TrainingError` when their classes
    cannot be used, ``CatalogueError`` when there are none, and ``LabelMappingError`` when the
    mapping cannot be read."""
    assert options.photographs is not None  # noqa: S101  (see check_options)
    assert options.mapping is not None  # noqa: S101
    column = options.mapping_column
    if column not in training_set.columns:
        raise TrainingError(
            f"The photographs say something of {column}, which is not learned. Learned are: "
            f"{', '.join(training_set.columns)}."
        )
    mapping = read_mapping(options.mapping, column).values
    found = load_catalogue(options.photographs)
    if "class" not in found.items:
        raise TrainingError(
            f"{options.photographs}: photographs are expected in folders named by their class."
        )
    named = found.items.dropna(subset="class")
    classes = sorted(set(named["class"]))
    if unknown := [name for name in classes if name not in mapping]:
        raise TrainingError(
            f"{options.mapping}: says nothing of the class {unknown[0]!r:.60}. Add it, with the "
            f"values of {column} that its photographs may be, or take the folder away."
        )
    allowed = np.array(
        [[label in mapping[name] for label in training_set.labels[column]] for name in classes],
        bool,
    )
    places = places_of(named["class"], classes)
    of_something = np.asarray(allowed.any(axis=1))  # that the catalogue has
    usable = np.flatnonzero(of_something[places])
    if len(usable) > MAX_PHOTOGRAPHS:
        chosen = np.random.default_rng(options.seed).permutation(len(usable))[:MAX_PHOTOGRAPHS]
        usable = usable[np.sort(chosen)]
    names = [str(name) for name in named["image"].iloc[usable]]

    def look(name: str) -> np.ndarray | None:
        try:
            return _embedded_views(embedder, index, found, name, settings.limits)
        except ImageRejected:
            return None

    aside = [
        zlib.crc32(f"{options.seed} {name}".encode()) % KEPT_BACK_ONE_IN == 0 for name in names
    ]
    if sum(aside) < LEAST_PHOTOGRAPHS:  # too few to tell anything: all are learned from
        aside = [False] * len(names)
    kept_back = [
        Photograph(features, column, mapping[classes[places[place]]])
        for place, name in zip(usable[aside], np.array(names)[aside], strict=True)
        if (features := _asked(embedder, found, str(name), settings.limits)) is not None
    ]
    usable = usable[~np.array(aside, bool)]
    names = [name for name, is_aside in zip(names, aside, strict=True) if not is_aside]
    views, kept = [], []
    stage = Stage("Looking at photographs", len(names), "photograph", listener)
    for place, embedded in zip(usable, _in_threads(embedder, look, names), strict=True):
        if embedded is not None:
            views.append(embedded)
            kept.append(places[place])
        stage.advance()
    if not views:
        raise TrainingError(
            f"{options.photographs}: none of the photographs can be used. Their classes must be "
            f"of values of {column} that the catalogue has, and the pictures whole."
        )
    skipped = len(found) - len(views) - len(kept_back)
    return Photographs(
        column, np.stack(views), np.array(kept, np.int64), allowed, skipped, tuple(kept_back)
    )


def _asked(embedder: Embedder, found: Catalogue, name: str, limits: ImageLimits) -> Features | None:
    """A photograph as it is asked about, or ``None`` where it cannot be used."""
    try:
        image = embedder.open(found.store.read(name, limits.max_bytes), name=name, limits=limits)
    except ImageRejected:
        return None
    return embedder.describe([image], views=True)[0]


def _embedded_views(
    embedder: Embedder, index: Index, found: Catalogue, name: str, limits: ImageLimits
) -> np.ndarray:
    image = embedder.open(found.store.read(name, limits.max_bytes), name=name, limits=limits)
    vectors = embedder.embed(augmented(image))
    return (vectors if index.pca is None else index.pca(vectors)).astype(np.float16)


#: Cuts that photographs are learned from: more than they are asked about in.
LEARNED_FROM: Cuts = (
    (1.0, False, False),
    (1.0, True, False),
    (SMALLEST_CUT, True, True),
    (SMALLEST_CUT, False, True),
)


def augmented(image: Image.Image) -> list[Image.Image]:
    """A photograph as it is learned from: in several cuts, two of them closer still, and all of
    them mirrored."""
    width, height = image.size
    closer = image.crop(
        (width // 8, height // 8, max(width - width // 8, 1), max(height - height // 8, 1))
    )
    cuts = views_of(image, LEARNED_FROM) + views_of(closer, LEARNED_FROM[1:3])
    return cuts + [ImageOps.mirror(cut) for cut in cuts]


def _in_threads(
    embedder: Embedder, look: Callable[[str], np.ndarray | None], names: list[str]
) -> Iterator[np.ndarray | None]:
    """What ``look`` says of each name, in their order, with all processors at work."""
    pool = ThreadPoolExecutor(embedder.engine.streams + 1, thread_name_prefix="photographs")
    try:
        for start in range(0, len(names), PHOTOGRAPHS_AT_ONCE):
            yield from pool.map(look, names[start : start + PHOTOGRAPHS_AT_ONCE])
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


# --- learning ---------------------------------------------------------------------------------


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Torch's random numbers start from ``seed`` inside, and go on as before afterwards."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@dataclass(slots=True)
class Trainer:
    """One training of a head: its batches, its network, and the best head so far."""

    index: Index
    training_set: TrainingSet
    photographs: Photographs | None
    options: TrainingOptions
    finetuned: dict[str, Any] | None = None
    epochs_run: int = 0
    best_epoch: int = 0
    _best: Head | None = None
    _best_figures: dict[str, float] = field(default_factory=dict)

    def run(self, listener: Listener) -> Head:
        import torch

        options, training_set = self.options, self.training_set
        validator = Validator(self.index, training_set, options.seed)
        before = validator.plain()
        mean, scale = _statistics(self.index, training_set.train, options.seed)
        network = _network(len(mean), options.hidden, options.dimension)
        losses = ColumnLosses(LOSSES[options.loss], training_set.labels, options.dimension)
        size = batch_size(len(training_set.train), options.batch_size)
        batches = len(training_set.train) // size
        optimiser = torch.optim.AdamW(
            [*network.parameters(), *losses.parameters()],
            lr=PEAK_RATE,
            weight_decay=WEIGHT_DECAY,
            fused=True,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, PEAK_RATE, total_steps=options.epochs * batches + 1, pct_start=WARM_UP
        )
        generator = np.random.default_rng(options.seed)
        stage = Stage("Learning", options.epochs * batches * size, "item", listener)
        for epoch in range(1, options.epochs + 1):
            network.train()
            order = generator.permutation(training_set.train)
            for start in range(0, batches * size, size):
                rows = order[start : start + size]
                loss = self._loss(network, losses, rows, mean, scale, generator)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
                stage.advance(size)
            network.eval()
            self._consider(epoch, _as_head(network, losses, training_set, mean, scale), validator)
            standstill = epoch - max(self.best_epoch, math.ceil(WARM_UP * options.epochs))
            if standstill >= options.patience:
                break
        assert self._best is not None  # noqa: S101  (the first epoch is better than none)
        head = self._best
        if LOSSES[options.loss].proxies is None:
            head = _with_means(head, self.index, training_set, training_set.train)
        return replace(head, record=self._record(validator, before, size))

    def _loss(
        self,
        network: torch.nn.Module,
        losses: ColumnLosses,
        rows: np.ndarray,
        mean: np.ndarray,
        scale: np.ndarray,
        generator: np.random.Generator,
    ) -> torch.Tensor:
        import torch

        inputs = standardised(self.index.vectors[rows], self.index.descriptors[rows], mean, scale)
        bare = generator.random(len(inputs)) < MODALITY_DROPOUT
        inputs[bare, self.index.dimension :] = 0
        allowed = np.empty((0, 0), bool)
        if self.photographs is not None:
            more, allowed = self._some_photographs(
                max(1, len(rows) // ITEMS_PER_PHOTOGRAPH), generator
            )
            unknown = np.zeros((len(more), DESCRIPTOR_LENGTH), np.uint8)
            inputs = np.concatenate([inputs, standardised(more, unknown, mean, scale)])
        # Dropout (Srivastava et al. 2014); torch's own takes several times as long on a CPU.
        kept = generator.random(inputs.shape, np.float32) >= INPUT_DROPOUT
        inputs *= kept / np.float32(1 - INPUT_DROPOUT)
        embeddings = torch.nn.functional.normalize(network(torch.from_numpy(inputs)), dim=1)
        items = embeddings[: len(rows)]
        codes = {
            c: torch.from_numpy(self.training_set.codes[c][rows]) for c in self.training_set.columns
        }
        loss = losses(items, codes)
        if self.photographs is not None:
            column = self.photographs.column
            loss = loss + PHOTOGRAPH_WEIGHT * losses.of_photographs(
                embeddings[len(rows) :], torch.from_numpy(allowed), column, items, codes[column]
            )
        return loss

    def _some_photographs(
        self, count: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings float32 ``(count, D)`` of photographs, each in one of its cuts, and what they
        may be, bool ``(count, labels)``."""
        assert self.photographs is not None  # noqa: S101  (asked for where there are some)
        views, classes = self.photographs.views, self.photographs.classes
        chosen = generator.integers(len(views), size=count)
        cuts = generator.integers(views.shape[1], size=count)
        embeddings = views[chosen, cuts].astype(np.float32)
        return embeddings, self.photographs.allowed[classes[chosen]]

    def _consider(self, epoch: int, head: Head, validator: Validator) -> None:
        self.epochs_run = epoch
        if LOSSES[self.options.loss].proxies is None:
            head = _with_means(head, self.index, self.training_set, validator.gallery)
        figures = validator.trained(head)
        if self._best is None or figures["all"] > self._best_figures["all"]:
            self._best, self._best_figures, self.best_epoch = head, figures, epoch

    def _kept_back(self) -> list[str]:
        """Ids of some items that nothing was learned from, to be asked about later."""
        ids = self.index.items["id"]
        rows = self.training_set.validation
        some = rows[:: max(1, len(rows) // MOST_KEPT_BACK)][:MOST_KEPT_BACK]
        return [str(ids.iloc[row]) for row in some]

    def _record(self, validator: Validator, before: dict[str, float], size: int) -> dict[str, Any]:
        options, photographs = self.options, self.photographs
        validation = {f"{name}_before": value for name, value in before.items()}
        validation |= {f"{name}_after": value for name, value in self._best_figures.items()}
        return {
            "loss": options.loss,
            "columns": list(self.training_set.columns),
            "labels": {column: len(values) for column, values in self.training_set.labels.items()},
            "holdout": options.holdout,
            "items": len(self.training_set.train),
            "validation_items": len(self.training_set.validation),
            "kept_back": self._kept_back(),
            "photographs": 0 if photographs is None else len(photographs.classes),
            "photographs_skipped": 0 if photographs is None else photographs.skipped,
            "seed": options.seed,
            "epochs": options.epochs,
            "epochs_run": self.epochs_run,
            "best_epoch": self.best_epoch,
            "batch_size": size,
            "dimension": options.dimension,
            "hidden": options.hidden,
            "finetuned": self.finetuned,
            "queries": len(validator.queries),
            "answers": len(validator.gallery),
            "validation": validation,
            "libraries": {
                name: version(name) for name in ("torch", "pytorch-metric-learning", "numpy")
            },
        }


def batch_size(items: int, most: int) -> int:
    """Items in a batch: ``most`` of a large catalogue, fewer of a small one, so that an epoch has
    some steps."""
    return min(items, most, max(LEAST_BATCH, items // LEAST_BATCHES))


def _network(inputs: int, hidden: int, dimension: int) -> torch.nn.Sequential:
    from torch import nn

    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.LayerNorm(hidden),
        nn.GELU(),
        nn.Dropout(HIDDEN_DROPOUT),
        nn.Linear(hidden, dimension),
    )


def _as_head(
    network: torch.nn.Sequential,
    losses: ColumnLosses,
    training_set: TrainingSet,
    mean: np.ndarray,
    scale: np.ndarray,
) -> Head:
    """What the network has learned so far, copied out of it."""
    arrays = {name: value.detach().numpy().copy() for name, value in network.named_parameters()}
    proxies = {}
    for column, labels in training_set.labels.items():
        learned = losses.proxies(column)
        nowhere = np.zeros((len(labels), len(arrays["4.bias"])), np.float32)
        proxies[column] = nowhere if learned is None else learned.detach().numpy().copy()
    return Head(
        columns=training_set.columns,
        labels=training_set.labels,
        proxies=proxies,
        weights=losses.weights,
        record={},
        mean=mean,
        scale=scale,
        hidden_weight=arrays["0.weight"],
        hidden_bias=arrays["0.bias"],
        norm_weight=arrays["1.weight"],
        norm_bias=arrays["1.bias"],
        output_weight=arrays["4.weight"],
        output_bias=arrays["4.bias"],
    )


def _with_means(head: Head, index: Index, training_set: TrainingSet, rows: np.ndarray) -> Head:
    """The head with the mean of some items' embeddings for each label as its proxy."""
    projected = head.project(index.vectors[rows], index.descriptors[rows])
    proxies = {}
    for column, labels in training_set.labels.items():
        codes = training_set.codes[column][rows]
        sums = np.zeros((len(labels), head.dimension), np.float32)
        np.add.at(sums, codes[codes >= 0], projected[codes >= 0])
        proxies[column] = normalise(sums)
    return replace(head, proxies=proxies)


def _statistics(index: Index, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of a head's inputs, float32 ``(D + APPEARANCE_INPUTS,)``, those of the
    appearance among studio pictures. What never varies has the deviation 1, so that a first time
    counts for little."""
    if len(rows) > STATISTICS_SAMPLE:
        chosen = np.random.default_rng(seed).permutation(len(rows))[:STATISTICS_SAMPLE]
        rows = rows[np.sort(chosen)]
    vectors, descriptors = index.vectors[rows], index.descriptors[rows]
    if (plain_background := descriptors[:, PLAIN_BACKGROUND] > 0).any():
        descriptors = descriptors[plain_background]
    looks = descriptors[:, :DESCRIPTOR_INPUTS].astype(np.float32) / 255
    mean = np.concatenate([part.mean(axis=0, dtype=np.float64) for part in (vectors, looks)])
    deviation = np.concatenate([part.std(axis=0, dtype=np.float64) for part in (vectors, looks)])
    scale = np.where(deviation < LEAST_DEVIATION, 1.0, deviation + LEAST_DEVIATION)
    return mean.astype(np.float32), scale.astype(np.float32)


# --- judging ----------------------------------------------------------------------------------


class Validator:
    """Asks about items that were kept back and counts how many of the first answers have their
    labels. ``queries`` and ``gallery`` are rows."""

    def __init__(self, index: Index, training_set: TrainingSet, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self._index, self._lessons = index, training_set
        self.queries = np.sort(generator.permutation(training_set.validation)[:MOST_QUERIES])
        self.gallery = np.sort(generator.permutation(training_set.train)[:MOST_ANSWERS])
        self._count = min(RESULTS, len(self.gallery))

    def plain(self) -> dict[str, float]:
        """The precisions of the index as it ranks without a head."""
        exclude = np.ones(len(self._index), bool)
        exclude[self.gallery] = False
        hits = self._index.search(
            self._index.features(self.queries),
            self._count,
            options=SimilarityOptions(trained=False),
            exclude=exclude,
        )
        return self._precisions(np.stack([of_query.rows for of_query in hits]))

    def trained(self, head: Head) -> dict[str, float]:
        """The precisions of a head by itself."""
        index, found = self._index, []
        asked = head.project(index.vectors[self.queries], index.descriptors[self.queries])
        answers = head.project_items(
            index.vectors[self.gallery],
            index.descriptors[self.gallery],
            self._lessons.table.iloc[self.gallery],
        )
        for start in range(0, len(asked), 512):
            scores = asked[start : start + 512] @ answers.T
            places = np.argpartition(-scores, self._count - 1, axis=1)[:, : self._count]
            found.append(self.gallery[places])
        return self._precisions(np.concatenate(found))

    def _precisions(self, found: np.ndarray) -> dict[str, float]:
        """Precision by column, of the queries that have a label there, and of ``all`` the labels
        that a query has. ``found`` are rows, ``(queries, answers)``."""
        figures = {}
        alike = np.ones(found.shape, bool)
        for column in self._lessons.columns:
            codes = self._lessons.codes[column]
            wanted = codes[self.queries][:, None]
            same = codes[found] == wanted
            alike &= same | (wanted < 0)
            asked = wanted[:, 0] >= 0
            figures[column] = round(float(same[asked].mean()), 4) if asked.any() else 0.0
        figures["all"] = round(float(alike.mean()), 4)
        return figures
