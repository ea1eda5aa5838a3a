"""The training of a head.

All label columns share one embedding, each with a loss of its own: items with the same label come
together, others move apart. The epoch whose head does best on the validation items is the one that
counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fitting_room.embedding.openvino_engine import is_quick_in_bf16
from fitting_room.imaging.descriptors import COLOURS, PLAIN_BACKGROUND
from fitting_room.imaging.features import normalise
from fitting_room.index.head import DESCRIPTOR_INPUTS, Head, standardised
from fitting_room.index.index import Index
from fitting_room.learning.dataset import TrainingSet
from fitting_room.learning.losses import LOSSES, ColumnLosses
from fitting_room.learning.options import TrainingOptions
from fitting_room.learning.photographs import Photographs
from fitting_room.learning.validation import Validator
from fitting_room.util.identities import plain_network
from fitting_room.util.progress import Listener, Stage

if TYPE_CHECKING:
    import torch

# The recipe, chosen by evaluation: docs/relevance.md.
INPUT_DROPOUT, HIDDEN_DROPOUT = 0.2, 0.3
#: Of the 256 bytes those that drop an input.
DROPPED_BYTES = round(INPUT_DROPOUT * 256)
#: Part of the items that are shown with their colours alone, as photographs are, or without any
#: descriptors: half of them each.
MODALITY_DROPOUT = 0.2
#: The greatest learning rate, and that of a head that knows much already.
PEAK_RATE, PEAK_RATE_STARTED, WEIGHT_DECAY = 3e-3, 1e-3, 0.02
#: Part of the training in which the learning rate rises; patience only runs out after it.
WARM_UP = 0.3
#: A batch has this many items for each photograph, and the photographs' loss this weight.
ITEMS_PER_PHOTOGRAPH, PHOTOGRAPH_WEIGHT = 8, 0.5
#: A small catalogue has at least this many batches an epoch, of at least so many items.
MIN_BATCHES, MIN_BATCH_SIZE = 16, 32
#: Rows that the mean and the deviation of the inputs are taken from at most.
STATISTICS_SAMPLE = 20_000
#: Inputs that deviate less than this never vary.
MIN_DEVIATION = 1e-4
#: At most so many validation items are named in the record, for the calibration.
MAX_FOR_CALIBRATION = 400
#: Options and libraries that the record of a head names.
RECORDED_OPTIONS = ("loss", "holdout", "seed", "epochs", "dimension", "hidden")
LIBRARIES = ("torch", "pytorch-metric-learning", "numpy")


def gradient_descent(
    *groups: tuple[list[torch.nn.Parameter], float], steps: int, fused: bool | None = None
) -> Callable[[torch.Tensor], float]:
    """A function that takes one of ``steps`` steps down the gradient of a loss and answers the
    loss. ``groups`` are parameters and their greatest learning rate."""
    import torch

    # Loshchilov and Hutter 2019; Smith and Topin 2018.
    rated = [{"params": parameters, "lr": rate} for parameters, rate in groups]
    optimiser = torch.optim.AdamW(rated, weight_decay=WEIGHT_DECAY, fused=fused)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [rate for _, rate in groups], total_steps=steps + 1, pct_start=WARM_UP
    )

    def step(loss: torch.Tensor) -> float:
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        return float(loss.detach())

    return step


class Epoch(NamedTuple):
    """The head after an epoch, counted from 1, and its precisions on the validation items; 0 is
    before any, with the head that a training started from."""

    number: int
    head: Head
    validation: dict[str, float]


class Trainer:
    """One training of a head on the rows ``training_set.train`` of an index, on a CPU, from the
    beginning or from a head that it goes on with: ``start``. It draws torch's random numbers: seed
    them first."""

    def __init__(
        self,
        index: Index,
        training_set: TrainingSet,
        *,
        options: TrainingOptions,
        photographs: Photographs | None = None,
        start: Head | None = None,
    ) -> None:
        self._index, self._training_set, self._options = index, training_set, options
        self._photographs, self._start = photographs, start
        self._embeddings = partial(index.embeddings_for, start)
        self._validator = Validator(index, training_set, options.seed)
        if start is None:
            self._mean, self._scale = self._statistics()
            hidden, dimension = options.hidden, options.dimension
        else:
            self._mean, self._scale = start.mean, start.scale
            hidden, dimension = len(start.hidden_bias), start.dimension
        self._network = _network(len(self._mean), hidden, dimension, start)
        self._losses = ColumnLosses(LOSSES[options.loss], training_set.labels, dimension)
        if start is not None:
            self._losses.start_from(self._with_means(start, training_set.train).proxies)
            self._losses.start_from(start.proxies, start.labels)
        self._batch_size = batch_size(len(training_set.train), options.batch_size)
        self._batches = len(training_set.train) // self._batch_size
        self._descend = gradient_descent(
            (
                [*self._network.parameters(), *self._losses.parameters()],
                PEAK_RATE if start is None else PEAK_RATE_STARTED,
            ),
            steps=options.epochs * self._batches,
            fused=True,
        )
        self._generator = np.random.default_rng(options.seed)
        # Three times as quick where the processor computes in it, and the head is as good.
        self._in_bf16 = is_quick_in_bf16()

    def run(self, listener: Listener) -> Head:
        """Train; answers the best epoch's head, with the record of how it was trained."""
        options = self._options
        items = options.epochs * self._batches * self._batch_size
        stage = Stage("Learning", items, "item", listener)
        untrained = self._validator.untrained()
        # What was known before is kept where nothing better is learned.
        best = latest = self._epoch(1, stage) if self._start is None else self._evaluated(0)
        patient_until = math.ceil(WARM_UP * options.epochs)
        while (
            latest.number < options.epochs
            and latest.number - max(best.number, patient_until) < options.patience
        ):
            latest = self._epoch(latest.number + 1, stage)
            best = max(best, latest, key=lambda epoch: epoch.validation["all"])
        head = best.head
        if LOSSES[options.loss].proxies is None:
            head = self._with_means(head, self._training_set.train)
        return replace(head, record=self._record(untrained, best, latest.number))

    def _epoch(self, number: int, stage: Stage) -> Epoch:
        self._network.train()
        size = self._batch_size
        order = self._generator.permutation(self._training_set.train)
        for start in range(0, self._batches * size, size):
            self._descend(self._loss(order[start : start + size]))
            stage.advance(size)
        return self._evaluated(number)

    def _evaluated(self, number: int) -> Epoch:
        self._network.eval()
        head = self._head()
        return Epoch(number, head, self._validator.trained(head))

    def _loss(self, rows: np.ndarray) -> torch.Tensor:
        import torch

        index, generator, photographs = self._index, self._generator, self._photographs
        vectors, descriptors = self._embeddings(rows), index.descriptors[rows]
        dropped = generator.random(len(rows))
        allowed: dict[str, np.ndarray] = {}
        if photographs is not None:
            count = max(1, len(rows) // ITEMS_PER_PHOTOGRAPH)
            views, of_views, allowed = photographs.sample(count, generator)
            vectors = np.concatenate([vectors, views])
            descriptors = np.concatenate([descriptors, of_views])
        inputs = standardised(vectors, descriptors, self._mean, self._scale, sees_colours=True)
        first = vectors.shape[1]  # of the descriptors
        inputs[np.flatnonzero(dropped < MODALITY_DROPOUT), first + COLOURS.stop :] = 0
        inputs[np.flatnonzero(dropped < MODALITY_DROPOUT / 2), first:] = 0
        drop_out(inputs, generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._in_bf16):
            outputs = self._network(torch.from_numpy(inputs))
        embeddings = torch.nn.functional.normalize(outputs.float(), dim=1)
        items, codes = embeddings[: len(rows)], self._training_set.codes_of(rows)
        loss = self._losses(items, codes)
        for column, of_column in allowed.items():
            loss = loss + PHOTOGRAPH_WEIGHT * self._losses.of_photographs(
                embeddings[len(rows) :], of_column, column, items, codes[column]
            )
        return loss

    def _head(self) -> Head:
        """What the network has learned so far, copied out of it."""
        hidden, norm, _, _, output = self._network
        arrays = {
            f"{name}_{kind}": getattr(layer, kind).detach().numpy().copy()
            for name, layer in (("hidden", hidden), ("norm", norm), ("output", output))
            for kind in ("weight", "bias")
        }
        head = Head(
            columns=self._training_set.columns,
            labels=self._training_set.labels,
            proxies={
                column: proxies.detach().numpy().copy()
                for column in self._training_set.columns
                if (proxies := self._losses.proxies(column)) is not None
            },
            weights=self._losses.weights,
            record={},
            mean=self._mean,
            scale=self._scale,
            network=(
                plain_network(self._index.identity) if self._start is None else self._start.network
            ),
            sees_colours=True,
            **arrays,
        )
        return head if head.proxies else self._with_means(head, self._validator.gallery)

    def _with_means(self, head: Head, rows: np.ndarray) -> Head:
        """The head with the mean of some items' embeddings for each label as its proxy."""
        projected = head.project(self._embeddings(rows), self._index.descriptors[rows])
        proxies = {}
        for column, labels in self._training_set.labels.items():
            codes = self._training_set.codes[column][rows]
            sums = np.zeros((len(labels), head.dimension), np.float32)
            np.add.at(sums, codes[codes >= 0], projected[codes >= 0])
            proxies[column] = normalise(sums)
        return replace(head, proxies=proxies)

    def _statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of a head's inputs, float32 ``(D + DESCRIPTOR_INPUTS,)``, those of the
        descriptors among pictures with a plain background. What never varies has the deviation 1,
        so that it counts for little when it first does."""
        order = np.random.default_rng(self._options.seed).permutation(self._training_set.train)
        rows = np.sort(order[:STATISTICS_SAMPLE])
        vectors, descriptors = self._embeddings(rows), self._index.descriptors[rows]
        if (plain_background := descriptors[:, PLAIN_BACKGROUND] > 0).any():
            descriptors = descriptors[plain_background]
        inputs = (vectors, descriptors[:, :DESCRIPTOR_INPUTS].astype(np.float32) / 255)
        mean = np.concatenate([part.mean(axis=0, dtype=np.float64) for part in inputs])
        deviation = np.concatenate([part.std(axis=0, dtype=np.float64) for part in inputs])
        scale = np.where(deviation < MIN_DEVIATION, 1.0, deviation + MIN_DEVIATION)
        return mean.astype(np.float32), scale.astype(np.float32)

    def _record(self, untrained: dict[str, float], best: Epoch, epochs_run: int) -> dict[str, Any]:
        options, photographs, training_set = self._options, self._photographs, self._training_set
        validation = {f"{name}_before": precision for name, precision in untrained.items()}
        validation |= {f"{name}_after": precision for name, precision in best.validation.items()}
        # Nothing was learned from these items: the calibration asks with them.
        rows = training_set.validation
        rows = rows[:: max(1, len(rows) // MAX_FOR_CALIBRATION)][:MAX_FOR_CALIBRATION]
        return {
            "columns": list(training_set.columns),
            "labels": {column: len(values) for column, values in training_set.labels.items()},
            "items": len(self._index.once(training_set.train)),
            "validation_items": len(self._index.once(training_set.validation)),
            "kept_back": self._index.items["id"].iloc[rows].astype(str).tolist(),
            "photographs": 0 if photographs is None else len(photographs),
            "photographs_skipped": 0 if photographs is None else photographs.skipped,
            "epochs_run": epochs_run,
            "best_epoch": best.number,
            "batch_size": self._batch_size,
            "queries": len(self._validator.queries),
            "answers": len(self._index.once(self._validator.gallery)),
            "validation": validation,
            **{name: getattr(options, name) for name in RECORDED_OPTIONS},
            "started_from": None if self._start is None else self._start.record.get("name"),
            "libraries": {name: version(name) for name in LIBRARIES},
        }


def drop_out(inputs: np.ndarray, generator: np.random.Generator) -> None:
    """Dropout (Srivastava et al. 2014) of :data:`INPUT_DROPOUT` of some float32 ``inputs``, in
    place. A byte for each decides; torch's own, and a float for each, take several times as long
    on a CPU."""
    drawn = np.frombuffer(generator.bytes(inputs.size), np.uint8).reshape(inputs.shape)
    scale = np.float32(256 / (256 - DROPPED_BYTES))
    inputs *= (drawn >= DROPPED_BYTES) * scale


def batch_size(items: int, most: int) -> int:
    """Items in a batch: ``most`` of a large catalogue, fewer of a small one, so that an epoch has
    several steps."""
    return min(items, most, max(MIN_BATCH_SIZE, items // MIN_BATCHES))


def _network(inputs: int, hidden: int, dimension: int, start: Head | None) -> torch.nn.Sequential:
    """What is trained, with the weights of ``start`` if there is one."""
    import torch
    from torch import nn

    network = nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.LayerNorm(hidden),
        nn.GELU(),
        nn.Dropout(HIDDEN_DROPOUT),
        nn.Linear(hidden, dimension),
    )
    if start is not None:
        layers = {"0": "hidden", "1": "norm", "4": "output"}
        network.load_state_dict(
            {
                f"{place}.{kind}": torch.from_numpy(getattr(start, f"{name}_{kind}").copy())
                for place, name in layers.items()
                for kind in ("weight", "bias")
            }
        )
    return network
