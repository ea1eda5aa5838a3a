"""Fine-tuning: the last blocks of a network learn from a catalogue's labels, end to end.

The rest of the network stays as it is, and so do all statistics of batch normalisation, which a
few thousand pictures would only make worse. The result is a weights file like any other: the index
is built anew with it, and a head is then trained on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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
from fitting_room.learning.trainer import gradient_descent
from fitting_room.settings import Settings
from fitting_room.util.files import remove_unfinished, write_atomically
from fitting_room.util.identities import plain_network
from fitting_room.util.progress import Listener, Stage, ignore

if TYPE_CHECKING:
    import torch

#: Pictures of a batch; with their gradients they need several GB of memory.
MAX_BATCH_SIZE = 32
#: The greatest learning rates of the network, which knows much already, and of the proxies, which
#: start from nothing.
NETWORK_RATE, PROXY_RATE = 1e-4, 3e-3
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
    device = _device(settings.engine)
    losses = learn(module, backbone, pictures, training_set, options, device, listener)
    save_weights(module, save_to)
    settings = replace(settings, weights=str(save_to))
    FittingRoom.build(
        catalogue.location,
        index.folder,
        backbone=backbone.name,
        input_size=backbone.input_size,
        head=NO_HEAD,  # the one that is trained next takes the new embeddings
        pca=None if index.pca is None else index.dimension,
        settings=settings,
        listener=listener,
    )
    return settings, {
        "blocks": options.finetune_blocks,
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
    """The pictures of an index's rows, ``names`` in a catalogue, slightly changed each time."""

    catalogue: Catalogue
    names: list[str]
    limits: ImageLimits

    def open(self, row: int, size: tuple[int, int], seed: tuple[int, ...]) -> np.ndarray | None:
        """The picture of a row as the network's input, uint8 ``(H, W, 3)``, or ``None`` when it
        cannot be read any more. The same ``seed`` changes it the same way."""
        name = self.names[row]
        try:
            data = self.catalogue.store.read(name, self.limits.max_bytes)
            image = open_image(data, name=name, limits=self.limits)
        except ImageRejected:
            return None
        return prepare(changed(trimmed(image), np.random.default_rng([*seed, row])), size)


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


def learn(
    module: torch.nn.Module,
    backbone: Backbone,
    pictures: Pictures,
    training_set: TrainingSet,
    options: TrainingOptions,
    device: str = "cpu",
    listener: Listener = ignore,
) -> list[float]:
    """Fine-tune ``module`` (of :meth:`Backbone.module`) in place; answers the mean loss of each
    epoch. Raises :class:`TrainingError`."""
    import torch

    unfrozen = unfreeze(module.get_submodule("network"), options.finetune_blocks)
    module.to(device).eval()  # also while it learns: batch normalisation keeps its statistics
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        losses = ColumnLosses(LOSSES[options.loss], training_set.labels, backbone.dimension, device)
    size = min(MAX_BATCH_SIZE, options.batch_size, len(training_set.train))
    count = len(training_set.train) // size * size
    steps = options.finetune_epochs * count // size
    descend = gradient_descent(
        (unfrozen, NETWORK_RATE), (losses.parameters(), PROXY_RATE), steps=steps
    )
    stage = Stage("Fine-tuning the network", steps * size, "picture", listener)
    generator = np.random.default_rng(options.seed)
    history = []
    for epoch in range(options.finetune_epochs):
        order = generator.permutation(training_set.train)[:count]
        read = partial(pictures.open, size=backbone.input_size, seed=(options.seed, epoch))
        batch_losses = []
        for rows, pixels in _batches(read, order, size):
            features = module(torch.from_numpy(pixels).to(device))
            embeddings = torch.nn.functional.normalize(features, dim=1)
            batch_losses.append(descend(losses(embeddings, training_set.codes_of(rows))))
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
    read: Callable[[int], np.ndarray | None], order: np.ndarray, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and their pixels, uint8 ``(B, H, W, 3)``, a batch at a time; the next one is read while
    the last one is learned from."""
    with ThreadPoolExecutor(2, thread_name_prefix="pictures") as pool:
        reading = pool.map(read, order[:size].tolist())
        for start in range(0, len(order), size):
            pictures = list(zip(order[start : start + size], reading, strict=True))
            reading = pool.map(read, order[start + size : start + 2 * size].tolist())
            if readable := [(row, pixels) for row, pixels in pictures if pixels is not None]:
                rows, pixels = zip(*readable, strict=True)
                yield np.array(rows), np.stack(pixels)
