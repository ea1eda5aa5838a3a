"""Fine-tuning: the last blocks of a network learn from a catalogue's labels, end to end.

The rest of the network stays as it is, and so do all statistics of batch normalisation, which a
few thousand pictures would only make worse. The losses are those that a head is trained with
(:mod:`fitting_room.learning.train`), on the network's own embedding. What comes out is a weights
file like any other: the index is built anew with it, and a head is then trained on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from fitting_room.catalogue.catalogue import Catalogue
from fitting_room.embedding.backbones import Selection, select_again
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits, ImageRejected, open_image
from fitting_room.imaging.preprocess import prepare
from fitting_room.index.index import Index
from fitting_room.learning.losses import LOSSES, ColumnLosses
from fitting_room.learning.train import TrainingError, TrainingOptions, TrainingSet, reproducible
from fitting_room.settings import Settings
from fitting_room.util.files import write_atomically
from fitting_room.util.progress import Listener, Stage, ignore

if TYPE_CHECKING:
    import torch

#: Pictures of a batch; with their gradients they need some GB of memory.
PICTURES_AT_ONCE = 32
#: The greatest learning rates of the network, which knows much already, and of the proxies, which
#: start from nothing.
NETWORK_RATE, PROXY_RATE = 1e-4, 3e-3
WEIGHT_DECAY = 0.02
#: How much of either side is cut off at most, and how much darker or brighter it gets at most.
MOST_CROPPED, MOST_BRIGHTENED = 0.1, 0.15


def finetune(
    goods: Catalogue,
    index: Index,
    training_set: TrainingSet,
    options: TrainingOptions,
    *,
    settings: Settings,
    listener: Listener = ignore,
) -> tuple[Settings, dict[str, Any]]:
    """Fine-tune the network of ``index`` on the items of ``lessons.train``, write its weights to
    ``options.save_weights`` and build the index anew with them.

    Answers settings that name the new weights, and a record for the head's. Raises
    :class:`fitting_room.learning.train.TrainingError`, ``BackboneError`` and what a build raises.
    """
    target = _target(options, settings)
    selection = select_again(index.identity, settings.weights)
    module = selection.backbone.module(selection.weights)
    with reproducible(options.seed):
        losses = learn(
            module,
            selection,
            Pictures(goods, index, settings.limits),
            training_set,
            options,
            device=_device(settings.engine),
            listener=listener,
        )
    save_weights(module, target)
    FittingRoom.build(
        goods.location,
        index.folder,
        backbone=selection.backbone.name,
        weights=str(target),
        input_size=selection.backbone.input_size,
        pca=None if index.pca is None else index.dimension,
        settings=settings,
        listener=listener,
    )
    record = {
        "blocks": options.finetune_blocks,
        "epochs": options.finetune_epochs,
        "losses": [round(loss, 4) for loss in losses],
        "from": selection.weights.name,
    }
    return replace(settings, weights=str(target)), record


def _target(options: TrainingOptions, settings: Settings) -> Path:
    target = options.save_weights
    assert target is not None  # noqa: S101  (see check_options)
    if not target.parent.is_dir():
        raise TrainingError(f"{target}: there is no folder {target.parent}. Make it first.")
    in_use = settings.weights is not None and Path(settings.weights).exists()
    if in_use and target.exists() and target.samefile(str(settings.weights)):
        # Until the index is built anew, the old one needs the old weights.
        raise TrainingError(
            f"{target}: these weights are in use. Name another file with --save-weights."
        )
    return target.resolve()


def _device(engine: str) -> str:
    """Where an engine of that name would run, "cuda", "mps" or "cpu"."""
    import torch

    if engine in ("auto", "cuda") and torch.cuda.is_available():
        return "cuda"
    if engine in ("auto", "mps") and torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def save_weights(module: torch.nn.Module, path: Path) -> None:
    """Write the weights of a backbone's module as a file that ``--weights`` takes, whole or not at
    all. Raises :class:`fitting_room.learning.train.TrainingError` where that cannot be done."""
    from safetensors.torch import save

    network: Any = module.network
    state = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    try:
        write_atomically(path, save(state))
    except OSError as error:
        raise TrainingError(f"{path}: the weights cannot be written ({error}).") from error


# --- what is unfrozen -------------------------------------------------------------------------


def blocks_of(network: torch.nn.Module) -> list[list[torch.nn.Module]]:
    """A network in blocks, from its beginning to its end: its children that have weights, where
    single layers after a composite child belong to that. Of a network whose only composite child
    is a sequence of stages (EfficientNet), the stages are the blocks."""
    children = _with_weights(network)
    while sum(map(_is_composite, children)) == 1:
        inner = next(child for child in children if _is_composite(child))
        if len(_with_weights(inner)) < 2:
            break
        place = children.index(inner)
        children[place : place + 1] = _with_weights(inner)
    composite = any(map(_is_composite, children))
    blocks: list[list[torch.nn.Module]] = []
    for child in children or [network]:
        if _is_composite(child) or not composite or not blocks:
            blocks.append([child])
        else:
            blocks[-1].append(child)
    return blocks


def _with_weights(module: torch.nn.Module) -> list[torch.nn.Module]:
    return [child for child in module.children() if next(child.parameters(), None) is not None]


def _is_composite(module: torch.nn.Module) -> bool:
    return bool(_with_weights(module))


def unfreeze(network: torch.nn.Module, count: int) -> list[torch.nn.Parameter]:
    """Let only the last ``count`` blocks learn; answers their weights. Raises
    :class:`fitting_room.learning.train.TrainingError` when there are not so many."""
    blocks = blocks_of(network)
    if count > len(blocks):
        raise TrainingError(
            f"--finetune-blocks {count}: the network has {len(blocks)} blocks. Give fewer."
        )
    network.requires_grad_(False)
    for block in blocks[-count:]:
        for module in block:
            module.requires_grad_(True)
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


# --- learning ---------------------------------------------------------------------------------


class Pictures:
    """The pictures of an index's items, slightly changed each time they are looked at."""

    def __init__(self, goods: Catalogue, index: Index, limits: ImageLimits) -> None:
        self._store, self._limits = goods.store, limits
        self._names = index.items["image"].tolist()

    def open(self, row: int, size: tuple[int, int], seed: tuple[int, ...]) -> np.ndarray | None:
        """The picture of a row as the network's input, uint8 ``(H, W, 3)``, or ``None`` when it
        cannot be read any more. The same ``seed`` changes it the same way."""
        name = str(self._names[row])
        try:
            data = self._store.read(name, self._limits.max_bytes)
            image = open_image(data, name=name, limits=self._limits)
        except ImageRejected:
            return None
        return prepare(changed(image, np.random.default_rng([*seed, row])), size)


def changed(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """A picture as another photographer might have taken it: mirrored or not, a little less of it,
    a little darker or brighter."""
    left, top, right, bottom = generator.uniform(0, MOST_CROPPED / 2, 4)
    width, height = image.size
    box = (round(left * width), round(top * height), width - round(right * width),
           height - round(bottom * height))  # fmt: skip
    image = image.crop((box[0], box[1], max(box[2], box[0] + 1), max(box[3], box[1] + 1)))
    if generator.random() < 0.5:
        image = ImageOps.mirror(image)
    factor = float(generator.uniform(1 - MOST_BRIGHTENED, 1 + MOST_BRIGHTENED))
    return ImageEnhance.Brightness(image).enhance(factor)


def learn(
    module: torch.nn.Module,
    selection: Selection,
    pictures: Pictures,
    training_set: TrainingSet,
    options: TrainingOptions,
    *,
    device: str = "cpu",
    listener: Listener = ignore,
) -> list[float]:
    """Fine-tune ``module`` (of :meth:`fitting_room.embedding.backbones.Backbone.module`) in place;
    answers the mean loss of each epoch. Raises
    :class:`fitting_room.learning.train.TrainingError`."""
    import torch

    backbone = selection.backbone
    network: Any = module.network
    weights = unfreeze(network, options.finetune_blocks)
    module.to(device)
    losses = ColumnLosses(LOSSES[options.loss], training_set.labels, backbone.dimension, device)
    groups = [{"params": weights, "lr": NETWORK_RATE}]
    if proxies := losses.parameters():
        groups.append({"params": proxies, "lr": PROXY_RATE})
    optimiser = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
    size = min(PICTURES_AT_ONCE, options.batch_size, len(training_set.train))
    batches = len(training_set.train) // size
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        [float(group["lr"]) for group in optimiser.param_groups],
        total_steps=options.finetune_epochs * batches + 1,
    )
    stage = Stage(
        "Fine-tuning the network", options.finetune_epochs * batches * size, "picture", listener
    )
    module.eval()  # also while it learns: batch normalisation keeps its statistics
    generator = np.random.default_rng(options.seed)
    history = []
    for epoch in range(options.finetune_epochs):
        order = generator.permutation(training_set.train)[: batches * size]
        found = []
        seed = (options.seed, epoch)
        for rows, pixels in _batches(pictures, order, size, backbone.input_size, seed):
            if len(rows):
                features = module(torch.from_numpy(pixels).to(device))
                embeddings = torch.nn.functional.normalize(features, dim=1)
                codes = {
                    column: torch.from_numpy(training_set.codes[column][rows]).to(device)
                    for column in training_set.columns
                }
                loss = losses(embeddings, codes)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
                found.append(float(loss.detach()))
            stage.advance(size)
        if not found or not np.isfinite(found).all():
            raise TrainingError(
                "Fine-tuning came to nothing: the catalogue's pictures cannot be read any more, or "
                "the loss is no number. Try another --loss, or fewer --finetune-blocks."
            )
        history.append(float(np.mean(found)))
    module.to("cpu")
    return history


def _batches(
    pictures: Pictures,
    order: np.ndarray,
    size: int,
    input_size: tuple[int, int],
    seed: tuple[int, ...],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and their pixels, uint8 ``(B, H, W, 3)``, a batch at a time; the next one is read while
    the last one is learned from."""
    with ThreadPoolExecutor(2, thread_name_prefix="pictures") as pool:

        def begin(start: int) -> Any:
            rows = order[start : start + size].tolist()
            return [pool.submit(pictures.open, row, input_size, seed) for row in rows]

        waiting = begin(0)
        for start in range(0, len(order), size):
            opened = [future.result() for future in waiting]
            waiting = begin(start + size)
            whole = [place for place, pixels in enumerate(opened) if pixels is not None]
            rows = order[start : start + size][whole]
            yield rows, np.stack([opened[i] for i in whole]) if whole else np.empty(0, np.uint8)
