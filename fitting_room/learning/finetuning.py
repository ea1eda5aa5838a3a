"""Fine-tuning: the last blocks of a network learn from a catalogue's labels, end to end, and from
photographs of known classes where there are some.

The rest of the network stays as it is, and so do all statistics of batch normalisation, which a
few thousand pictures would only make worse. The result is a weights file like any other: the index
is built anew with it, and then a head is trained: the packaged one goes on with what its own
network sees, beside the fine-tuned one, and one from nothing takes the new embeddings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from fitting_room.catalogue.catalogue import Catalogue
from fitting_room.embedding.backbone import Backbone
from fitting_room.embedding.backbones import select_again
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits, ImageRejected, open_image
from fitting_room.imaging.preprocess import prepare
from fitting_room.imaging.trimming import trimmed
from fitting_room.index.head import NO_HEAD
from fitting_room.index.index import Index
from fitting_room.learning.dataset import TrainingSet
from fitting_room.learning.losses import LOSSES, ColumnLosses
from fitting_room.learning.options import TrainingError, TrainingOptions
from fitting_room.learning.photographs import another_cut, known_photographs
from fitting_room.learning.trainer import ITEMS_PER_PHOTOGRAPH, PHOTOGRAPH_WEIGHT, gradient_descent
from fitting_room.settings import Settings
from fitting_room.util.files import remove_unfinished, write_atomically
from fitting_room.util.identities import plain_network
from fitting_room.util.progress import Listener, Stage, ignore

if TYPE_CHECKING:
    import torch

#: Pictures of a batch; with their gradients they need several GB of memory.
MAX_BATCH_SIZE = 32
#: The greatest learning rates of the network, which knows much already, and of the proxies, which
#: start from nothing: docs/decisions/043-the-whole-network-learns.md.
NETWORK_RATE, PROXY_RATE = 5e-4, 3e-3
#: How much of either side is cut off at most, and how much darker or brighter it gets at most.
MAX_CROPPED, MAX_BRIGHTENED = 0.1, 0.15


def finetune(
    catalogue: Catalogue,
    index: Index,
    training_set: TrainingSet,
    options: TrainingOptions,
    settings: Settings,
    listener: Listener = ignore,
) -> tuple[Settings, dict[str, Any] | None]:
    """Fine-tune the network of ``index`` on the items of ``training_set.train``, write its weights
    to ``options.save_weights`` and build the index anew with them, if ``options`` ask for it.
    Answers settings that name the new weights, and what the head's record says of it. Raises
    :class:`TrainingError`, ``BackboneError`` and what a build raises."""
    if not options.finetune_blocks or options.save_weights is None:
        return settings, None
    save_to = _checked(options.save_weights, settings)
    selection = select_again(plain_network(index.identity) or {}, settings.weights)
    backbone = selection.backbone
    module = backbone.module(selection.weights)
    pictures = Pictures(catalogue, index.items["image"].tolist(), settings.limits)
    photographs = _photographs(training_set, options, settings.limits)
    examples = Examples(pictures, photographs, training_set)
    losses = learn(module, backbone, examples, options, _device(settings.engine), listener)
    save_weights(module, save_to)
    settings = replace(settings, weights=str(save_to))
    FittingRoom.build(
        catalogue.location,
        index.folder,
        backbone=backbone.name,
        input_size=backbone.input_size,
        # One that is gone on from keeps its own network: both look at a picture then.
        head=options.head or NO_HEAD,
        pca=None if index.pca is None else index.dimension,
        settings=settings,
        listener=listener,
    )
    return settings, {
        "blocks": options.finetune_blocks,
        "photographs": 0 if photographs is None else len(photographs.names),
        "epochs": options.finetune_epochs,
        "losses": [round(loss, 4) for loss in losses],
        "from": selection.weights.name,
    }


def _checked(save_to: Path, settings: Settings) -> Path:
    if not save_to.parent.is_dir():
        raise TrainingError(f"{save_to}: there is no folder {save_to.parent}. Make it first.")
    in_use = settings.weights is not None and Path(settings.weights).exists()
    if in_use and save_to.exists() and save_to.samefile(str(settings.weights)):
        # Until the index is built anew, the old one needs the old weights.
        raise TrainingError(
            f"{save_to}: these weights are in use. Name another file with --save-weights."
        )
    try:
        return save_to.resolve()
    except (OSError, RuntimeError) as error:  # a link that leads back to itself
        raise TrainingError(
            f"{save_to}: no file can be there ({error}). Name another with --save-weights."
        ) from error


def _device(engine: str) -> str:
    """Where an engine of that name would run, "cuda", "mps" or "cpu"."""
    import torch

    for device, backend in (("cuda", torch.cuda), ("mps", torch.backends.mps)):
        if engine in ("auto", device) and backend.is_available():
            return device
    return "cpu"


def save_weights(module: torch.nn.Module, path: Path) -> None:
    """Write the weights of a backbone's module as a file that ``--weights`` takes, whole or not at
    all. Raises :class:`TrainingError` where that cannot be done."""
    from safetensors.torch import save

    state = module.get_submodule("network").state_dict()
    remove_unfinished(path)
    try:
        write_atomically(path, save({name: v.cpu().contiguous() for name, v in state.items()}))
    except OSError as error:
        raise TrainingError(f"{path}: the weights cannot be written ({error}).") from error


def blocks_of(network: torch.nn.Module) -> list[list[torch.nn.Module]]:
    """A network in blocks, from its beginning to its end: its children that have weights, where
    single layers after a composite child belong to that. Of a network whose only composite child
    is a sequence of stages (EfficientNet), the stages are the blocks."""
    children = _with_weights(network) or [network]
    composite = list(filter(_with_weights, children))
    while len(composite) == 1 and len(stages := _with_weights(composite[0])) > 1:
        place = children.index(composite[0])
        children[place : place + 1] = stages
        composite = list(filter(_with_weights, children))
    blocks: list[list[torch.nn.Module]] = []
    for child in children:
        if child in composite or not composite or not blocks:
            blocks.append([child])
        else:
            blocks[-1].append(child)
    return blocks


def _with_weights(module: torch.nn.Module) -> list[torch.nn.Module]:
    return [child for child in module.children() if next(child.parameters(), None) is not None]


def unfreeze(network: torch.nn.Module, count: int) -> list[torch.nn.Parameter]:
    """Let only the last ``count`` blocks learn; answers their weights. Raises
    :class:`TrainingError` when there are not so many."""
    blocks = blocks_of(network)
    if count > len(blocks):
        raise TrainingError(
            f"--finetune-blocks {count}: the network has {len(blocks)} blocks. Give fewer."
        )
    network.requires_grad_(False)
    for module in chain.from_iterable(blocks[-count:]):
        module.requires_grad_(True)
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of an index's rows, ``names`` in a catalogue, slightly changed each time; or
    photographs, with what is ``allowed`` of them: bool ``(P, labels)`` by column."""

    catalogue: Catalogue
    names: list[str]
    limits: ImageLimits
    allowed: Mapping[str, np.ndarray] = field(default_factory=dict)

    def open(self, row: int, size: tuple[int, int], seed: tuple[int, ...]) -> np.ndarray | None:
        """The picture of a row as the network's input, uint8 ``(H, W, 3)``, or ``None`` when it
        cannot be read any more. The same ``seed`` changes it the same way."""
        name = self.names[row]
        try:
            data = self.catalogue.store.read(name, self.limits.max_bytes)
            image = open_image(data, name=name, limits=self.limits)
        except ImageRejected:
            return None
        generator = np.random.default_rng([*seed, row])
        if self.allowed:
            return prepare(another_cut(trimmed(image), generator)[0], size)
        return prepare(changed(trimmed(image), generator), size)


def _photographs(
    training_set: TrainingSet, options: TrainingOptions, limits: ImageLimits
) -> Pictures | None:
    """The photographs that ``options`` name, if any, without those for the calibration."""
    known = known_photographs(training_set, options)
    if known is None:
        return None
    learned = (~known.items["aside"]).tolist()
    names = known.items["image"][learned].tolist()
    allowed = known.allowed(learned, training_set, options)
    return Pictures(known.catalogue, names, limits, allowed)


def changed(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """A picture as another photographer might have taken it: mirrored or not, a little less of it,
    a little darker or brighter."""
    left, top, right, bottom = generator.uniform(0, MAX_CROPPED / 2, 4)
    width, height = image.size
    image = image.crop((left * width, top * height, (1 - right) * width, (1 - bottom) * height))
    if generator.random() < 0.5:
        image = ImageOps.mirror(image)
    factor = float(generator.uniform(1 - MAX_BRIGHTENED, 1 + MAX_BRIGHTENED))
    return ImageEnhance.Brightness(image).enhance(factor)


@dataclass(frozen=True, slots=True)
class Examples:
    """What is learned from: the rows ``training_set.train`` of an index and, if there are any,
    photographs, whose numbers come after those of all rows."""

    pictures: Pictures
    photographs: Pictures | None
    training_set: TrainingSet

    def batches(self, size: int, generator: np.random.Generator) -> np.ndarray:
        """The numbers of each batch of an epoch, int64 ``(batches, B)``: ``size`` rows in another
        order each time, and so many photographs as go with them, drawn at random."""
        order = generator.permutation(self.training_set.train)
        order = order[: len(order) // size * size].reshape(-1, size)
        if self.photographs is None:
            return order
        shape = (len(order), max(1, size // ITEMS_PER_PHOTOGRAPH))
        drawn = generator.integers(len(self.photographs.names), size=shape)
        return np.concatenate([order, len(self.pictures.names) + drawn], axis=1)

    def open(self, number: int, size: tuple[int, int], seed: tuple[int, ...]) -> np.ndarray | None:
        """The picture of a number, as :meth:`Pictures.open` does."""
        place = number - len(self.pictures.names)
        if place < 0 or self.photographs is None:
            return self.pictures.open(number, size, seed)
        return self.photographs.open(place, size, seed)

    def loss(
        self, losses: ColumnLosses, embeddings: torch.Tensor, numbers: np.ndarray
    ) -> torch.Tensor:
        """The loss of a batch's unit ``embeddings`` ``(B, D)``, of rows and photographs."""
        first = len(self.pictures.names)
        rows, places = np.flatnonzero(numbers < first), np.flatnonzero(numbers >= first)
        items, codes = embeddings[rows], self.training_set.codes_of(numbers[rows])
        loss = losses(items, codes)
        of_photographs = {} if self.photographs is None else self.photographs.allowed
        for column, allowed in of_photographs.items():
            loss = loss + PHOTOGRAPH_WEIGHT * losses.of_photographs(
                embeddings[places], allowed[numbers[places] - first], column, items, codes[column]
            )
        return loss


def learn(
    module: torch.nn.Module,
    backbone: Backbone,
    examples: Examples,
    options: TrainingOptions,
    device: str = "cpu",
    listener: Listener = ignore,
) -> list[float]:
    """Fine-tune ``module`` (of :meth:`Backbone.module`) in place; answers the mean loss of each
    epoch. Raises :class:`TrainingError`."""
    import torch

    training_set = examples.training_set
    unfrozen = unfreeze(module.get_submodule("network"), options.finetune_blocks)
    # Also while it learns: batch normalisation keeps its statistics.
    module.to(device).to(memory_format=torch.channels_last).eval()
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        losses = ColumnLosses(LOSSES[options.loss], training_set.labels, backbone.dimension, device)
    size = min(MAX_BATCH_SIZE, options.batch_size, len(training_set.train))
    steps = options.finetune_epochs * (len(training_set.train) // size)
    descend = gradient_descent(
        (unfrozen, NETWORK_RATE), (losses.parameters(), PROXY_RATE), steps=steps
    )
    stage = Stage("Fine-tuning the network", steps * size, "picture", listener)
    generator = np.random.default_rng(options.seed)
    history = []
    for epoch in range(options.finetune_epochs):
        read = partial(examples.open, size=backbone.input_size, seed=(options.seed, epoch))
        batch_losses = []
        for numbers, pixels in _batches(read, examples.batches(size, generator)):
            features = module(torch.from_numpy(pixels).to(device))
            embeddings = torch.nn.functional.normalize(features, dim=1)
            batch_losses.append(descend(examples.loss(losses, embeddings, numbers)))
            stage.advance(size)
        history.append(_mean(batch_losses))
    return history


def _mean(losses: list[float]) -> float:
    if not losses or not np.isfinite(losses).all():
        raise TrainingError(
            "Fine-tuning came to nothing: the catalogue's pictures cannot be read any more, or the "
            "loss is no number. Try another --loss, or fewer --finetune-blocks."
        )
    return float(np.mean(losses))


def _batches(
    read: Callable[[int], np.ndarray | None], order: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers and their pixels, uint8 ``(B, H, W, 3)``, a batch of ``order`` at a time; the next
    one is read while the last one is learned from."""
    with ThreadPoolExecutor(2, thread_name_prefix="pictures") as pool:
        reading = pool.map(read, order[0].tolist()) if len(order) else iter(())
        for place, batch in enumerate(order):
            pictures = list(zip(batch, reading, strict=True))
            reading = pool.map(read, order[place + 1].tolist() if place + 1 < len(order) else ())
            if readable := [(row, pixels) for row, pixels in pictures if pixels is not None]:
                rows, pixels = zip(*readable, strict=True)
                yield np.array(rows), np.stack(pixels)
