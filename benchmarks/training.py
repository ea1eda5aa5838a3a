"""Where the time of a training goes: wall and processor seconds of its parts.

    python benchmarks/training.py [--index cache/fashion] [--epochs 30] [--from fashion] [--seed 0]

Trains a head on a copy of the index, on nine tenths of its items and the photographs of ``train/``,
as ``fitting-room train`` does, from nothing or from the head that ``--from`` names. Processor
seconds are those of all threads, waiting without sleeping included: on a machine with other work
they say more than the clock. ``OMP_WAIT_POLICY=active`` before it shows what such waiting costs.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from at_hand import index as index_at
from at_hand import mapping, photograph_colours, photographs
from common import finish, parsed, parser_of, table

from fitting_room.build import embedding_map, writer
from fitting_room.index.index import Index
from fitting_room.learning import train as training
from fitting_room.learning.options import TrainingOptions
from fitting_room.learning.trainer import Trainer
from fitting_room.learning.validation import Validator

#: Items with an id that is a multiple of this take no part.
HOLDOUT = 10
#: The parts of a training, each with where its function stands. Those that are indented are among
#: the one before them.
PARTS: dict[str, tuple[Any, str]] = {
    "reading the catalogue": (training, "load_catalogue"),
    "joining it to the index": (training, "training_set_from"),
    "embedding the photographs": (training, "load_photographs"),
    "learning": (Trainer, "run"),
    "  before: the index without a head": (Validator, "untrained"),
    "  epochs, with their validation": (Trainer, "_epoch"),
    "  validation of the epochs": (Validator, "trained"),
    "writing the head to the index": (training, "write_head"),
    "  drawing the map": (embedding_map, "draw"),
    "  calibration": (writer, "calibrate"),
}


class Clock:
    """Seconds by part: how often it ran, by the wall, and of the processor."""

    def __init__(self) -> None:
        self.spent = {name: [0.0, 0.0, 0.0] for name in ("all", *PARTS)}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        wall, processor = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            more = 1, time.perf_counter() - wall, time.process_time() - processor
            self.spent[name] = [a + b for a, b in zip(self.spent[name], more, strict=True)]

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            with self.part(name):
                return function(*arguments, **named)

        return run


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--catalogue", type=Path, help="where that of the index lies now")
    parser.add_argument("--epochs", type=int, default=TrainingOptions().epochs)
    parser.add_argument("--from", dest="head", default="none", help="fashion, none or a file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the trained index")
    options = parsed(parser, epochs=2)
    source = index_at(options.index)
    catalogue = options.catalogue or Path(Index.open(source).manifest.catalogue.location)
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(photographs()) as archive:
            archive.extractall(Path(folder) / "photographs")
        index = options.keep or Path(folder) / "index"
        shutil.copytree(source, index)
        how = TrainingOptions(
            holdout=HOLDOUT,
            photographs=Path(folder) / "photographs" / "train",
            mapping=mapping(),
            colours=photograph_colours(),
            head=options.head,
            epochs=options.epochs,
            seed=options.seed,
        )
        rows, summary = measure(catalogue, index, how)
    table(rows)
    result = {"epochs": summary.epochs, "best": summary.best_epoch, **summary.validation}
    table([result])
    return finish(
        {"from": options.head, "seed": options.seed, "rows": rows, **result}, options.json
    )


def measure(
    catalogue: Path, index: Path, how: TrainingOptions
) -> tuple[list[dict[str, object]], training.TrainingSummary]:
    clock = Clock()
    with ExitStack() as stack:
        for name, (owner, function) in PARTS.items():
            timed = clock.timed(name, getattr(owner, function))
            stack.enter_context(mock.patch.object(owner, function, timed))
        with clock.part("all"):
            summary = training.train(catalogue, index, how)
    rows: list[dict[str, object]] = [
        {"part": name, "times": int(times), "wall s": wall, "processor s": processor}
        for name, (times, wall, processor) in clock.spent.items()
        if times
    ]
    return rows, summary


if __name__ == "__main__":
    sys.exit(main())
