"""What a training learns, from what, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fitting_room.learning.losses import LOSSES

DEFAULT_COLUMNS = ("articleType", "baseColour", "gender")


class TrainingError(Exception):
    """A head cannot be trained; the text says what to do."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What is learned, from what, and for how long."""

    #: Label columns to learn. Of the default ones, those that the catalogue has.
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    #: Items of :func:`fitting_room.catalogue.catalogue.held_out` take no part.
    holdout: int | None = None
    #: Class folders of photographs, and a JSON file: class -> allowed values of ``mapping_column``.
    photographs: Path | None = None
    mapping: Path | None = None
    mapping_column: str = "articleType"
    #: A JSON file: which values of ``colour_column`` each photograph may have.
    colours: Path | None = None
    colour_column: str = "baseColour"
    #: The head to start from, as :func:`fitting_room.index.head.head_named` knows it; by default
    #: the packaged one, where the index has the embeddings that it takes.
    head: str | None = None
    #: Where the head goes besides the index, for use elsewhere.
    save_head: Path | None = None
    #: A name of :data:`fitting_room.learning.losses.LOSSES`.
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
    if options.colours is not None and options.photographs is None:
        raise TrainingError("--colours goes with --photographs: it says what colours those have.")
    if options.save_head is not None and options.save_head.suffix != ".safetensors":
        raise TrainingError(f"{options.save_head}: name a file that ends in .safetensors.")
    if options.finetune_blocks and options.save_weights is None:
        raise TrainingError("--finetune-blocks needs --save-weights FILE.safetensors.")
    if options.save_weights is not None and options.save_weights.suffix != ".safetensors":
        raise TrainingError(f"{options.save_weights}: name a file that ends in .safetensors.")
