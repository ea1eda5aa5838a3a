"""Learning a head from a catalogue's labels, and from photographs of a known kind.

The network stays as it is: what is learned is a small head on the embeddings and descriptors that
the index already holds, so that a catalogue of ten thousand items takes minutes without a GPU.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fitting_room.build.writer import write_head
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.catalogue.reading_options import DEFAULT_READING, ReadingOptions
from fitting_room.embedding.backbones import select_again
from fitting_room.embedding.weights import BackboneError, lacks_torch
from fitting_room.index.head import FASHION, NO_HEAD, Head, head_named
from fitting_room.index.index import Index
from fitting_room.learning.dataset import training_set_from
from fitting_room.learning.finetuning import finetune
from fitting_room.learning.options import TrainingError, TrainingOptions, check_options
from fitting_room.learning.photographs import load_photographs
from fitting_room.learning.trainer import Trainer
from fitting_room.settings import Settings
from fitting_room.util.files import remove_unfinished
from fitting_room.util.progress import Listener, ignore
from fitting_room.util.threads import sleeping_openmp

#: Fields of a summary that have the same name in a head's record.
SAME_IN_RECORD = ("items", "photographs", "best_epoch", "validation", "loss")


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """What a training did. ``items`` and ``photographs`` were learned from; of ``epochs`` that ran
    the ``best_epoch``, counted from 1, was kept, 0 being the head that it started from.
    ``validation`` has the precision of the first four results of the validation items, for each
    column and for ``all`` of them together, before (``all_before``: the index without a head) and
    after (``all_after``: the head alone)."""

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
    options: TrainingOptions | None = None,
    *,
    reading: ReadingOptions = DEFAULT_READING,
    settings: Settings | None = None,
    listener: Listener = ignore,
) -> TrainingSummary:
    """Learn a head from the labels of ``catalogue``, read as ``reading`` says, and give it to
    ``index``, which was built from it.

    Raises :class:`TrainingError`, ``CatalogueError``, ``IndexUnusable``, and ``BackboneError`` or
    ``EngineError`` where pictures must be embedded and the network cannot be had.
    """
    if lacks_torch():
        raise TrainingError("Training needs torch: pip install 'fitting-room[build,train]'.")
    with sleeping_openmp():
        import torch

    started = time.perf_counter()
    options, settings = options or TrainingOptions(), settings or Settings.from_environment()
    check_options(options)
    items, opened = load_catalogue(catalogue, reading), Index.open(index)
    training_set = training_set_from(items, opened, options)  # before anything that takes long
    options = replace(options, head=options.head or _usual_start(opened))
    start = _start(opened, options)
    settings, finetuned = finetune(items, opened, training_set, options, settings, listener)
    if finetuned is not None:
        opened = Index.open(index)
        training_set = training_set_from(items, opened, options)
    photographs = load_photographs(opened, training_set, options, settings, listener, start=start)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        trainer = Trainer(
            opened, training_set, options=options, photographs=photographs, start=start
        )
        head = trainer.run(listener)
    record = {**head.record, "finetuned": finetuned}
    _require_same_embeddings(opened, Index.open(index))
    for_calibration = () if photographs is None else photographs.for_calibration
    head = replace(head, record=record)
    if options.save_head is not None:
        _save(head, options.save_head)
    write_head(Path(index), head, for_calibration)
    return TrainingSummary(
        skipped=record["photographs_skipped"],
        epochs=record["epochs_run"],
        seconds=round(time.perf_counter() - started, 3),
        **{name: record[name] for name in SAME_IN_RECORD},
    )


def _usual_start(index: Index) -> str:
    """The packaged head where ``index`` has the embeddings that it takes, or none."""
    return NO_HEAD if packaged_head(index) is None else FASHION


def _start(index: Index, options: TrainingOptions) -> Head | None:
    """The head that a training starts from, if any: what ``options`` name. Raises
    :class:`TrainingError` where the index has not the embeddings that it takes and will not get
    them either."""
    head = None if options.head is None else head_named(options.head)
    if head is not None and options.finetune_blocks:
        _require_network(head, options)  # the index is built anew, and it looks beside the other
        return head
    if head is None or _takes_embeddings_of(head, index):
        return head
    raise TrainingError(
        f"{index.folder}: has no embeddings of the network that the head {options.head!r:.100} "
        f"takes. Build it with that head first: fitting-room build CATALOGUE --index "
        f"{index.folder} --head {options.head}"
    )


def _require_network(head: Head, options: TrainingOptions) -> None:
    """Raise :class:`TrainingError` where the network that a head takes cannot be had beside a
    fine-tuned one, whose weights are the only file that can be named."""
    try:
        select_again(head.network or {})
    except BackboneError as error:
        raise TrainingError(
            f"The head {options.head!r:.100} needs its own network beside the fine-tuned one, and "
            "that cannot be had: only one file of weights can be named. Start from nothing: "
            f"--head {NO_HEAD}"
        ) from error


def packaged_head(index: Index) -> Head | None:
    """The packaged head, where ``index`` has the embeddings that it takes."""
    head = head_named(FASHION)
    return head if head is not None and _takes_embeddings_of(head, index) else None


def _takes_embeddings_of(head: Head, index: Index) -> bool:
    return head.takes(index.identity) or head.takes(index.manifest.head_network)


def _save(head: Head, path: Path) -> None:
    remove_unfinished(path)
    try:
        head.save(path)
    except OSError as error:
        raise TrainingError(f"{path}: the head cannot be written ({error}).") from error


def _require_same_embeddings(before: Index, now: Index) -> None:
    components: list[Any] = [None if i.pca is None else i.pca.components for i in (before, now)]
    if before.identity != now.identity or not np.array_equal(*components):
        raise TrainingError(
            f"{now.folder}: the index was built anew with other embeddings in the meantime. "
            "Train again."
        )
