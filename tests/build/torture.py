"""Faults before what a build, a training and a change by hand do to files, one at a time.

``python -m tests.build.torture --points 1000 --seed 1`` (``make torture``) chooses points at
random: an operation, the number of one of its effects, and what goes wrong there. After each, a
reader finds the index as it was before or as it was to be, the next run finishes, and then all is
as if nothing had gone wrong: no item lost or doubled, no file left over. Linux only.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fitting_room.build import checkpoint
from fitting_room.build.builder import build_index
from fitting_room.build.edit import add_items, remove_items
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.cli import FAILURES, in_words
from fitting_room.cli.stopping import stopped_by_signals
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.data import VERSION_NAME
from fitting_room.index.index import Index
from fitting_room.index.manifest import IndexUnusable
from fitting_room.learning import trainer
from fitting_room.learning.options import TrainingOptions
from fitting_room.learning.train import train
from tests.build.effects import FULL, KILL, KILLED, KINDS, Effects, Fault
from tests.conftest import colour_embedder, picture_bytes, write_items

LIMITS = ImageLimits()
DONE, UNTOLD, TOLD, STOPPED = 0, 4, 3, 5
FAILED = "FAILED"
#: Seconds after which an operation hangs.
PATIENCE = 120
#: How many of the kills are followed by one of the next run.
KILLED_AGAIN = 0.3


@dataclass(frozen=True)
class State:
    """What a reader finds: the items as text, and all numbers of them."""

    items: str
    arrays: tuple[np.ndarray, ...]

    def is_same(self, other: State) -> bool:
        return self.items == other.items and all(
            a.shape == b.shape and np.allclose(a, b, atol=1e-4)
            for a, b in zip(self.arrays, other.arrays, strict=True)
        )


def state_of(index: Path) -> State | None:
    """What a reader finds at ``index``, sound in every byte, or ``None`` where there is no index.
    Raises ``IndexUnusable`` where there is a damaged one."""
    try:
        opened = Index.open(index)
    except IndexUnusable as unusable:
        if "no index here" in str(unusable):
            return None
        raise
    opened.verify()
    arrays = [opened.vectors[:], opened.descriptors]
    arrays.append(np.empty(0) if opened.trained is None else opened.trained[:])
    kept = [opened.items.to_csv(index=False), str(opened.manifest.counts), opened.manifest.edits]
    for image in opened.items["image"]:
        if image.startswith("added:"):
            kept.append((index / "added" / image.removeprefix("added:")).read_bytes().hex())
    return State("\n".join(map(str, kept)), tuple(np.array(a, np.float32) for a in arrays))


def files_below(root: Path) -> set[str]:
    """The files and folders below a place; all versions have one name."""
    names = (str(path.relative_to(root)) for path in root.rglob("*"))
    return {VERSION_NAME.sub("VERSION", name) for name in names}


# --- operations -------------------------------------------------------------------------------


def build(root: Path) -> None:
    build_index(load_catalogue(root / "shop"), colour_embedder(), root / "index", limits=LIMITS)


def learn(root: Path) -> None:
    options = TrainingOptions(
        columns=("articleType", "baseColour"),
        epochs=1,
        hidden=8,
        dimension=4,
        batch_size=8,
        save_head=root / "head.safetensors",
    )
    train(root / "shop", root / "index", options)


def add(root: Path) -> None:
    pictures = [root / "new" / "gold.jpg", root / "new" / "grey.jpg"]
    embedder = colour_embedder()
    add_items(root / "index", pictures, lambda: embedder, attributes={"cut": "A"}, limits=LIMITS)


def replace_one(root: Path) -> None:
    embedder, picture = colour_embedder(), [root / "new" / "other.jpg"]
    add_items(
        root / "index", picture, lambda: embedder, ids=["cyan"], replacing=True, limits=LIMITS
    )


def remove(root: Path) -> None:
    remove_items(root / "index", ["3", "cyan"])


def change(root: Path) -> None:
    """Change the catalogue: a picture is another, an item is gone, one is new."""
    shop = root / "shop"
    (shop / "images" / "2.png").write_bytes(picture_bytes("gold", (50, 70), kind="PNG"))
    (shop / "images" / "13.png").write_bytes(picture_bytes("pink", (50, 70), kind="PNG"))
    lines = (shop / "styles.csv").read_text("utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("5,")]
    (shop / "styles.csv").write_text("\n".join([*lines, "13,Jeans,Pink,Men,New"]) + "\n", "utf-8")


def shop_only(root: Path) -> None:
    write_items(root / "shop")
    (root / "new").mkdir()
    for name in ("cyan", "gold", "grey", "other"):
        colour = "navy" if name == "other" else name
        (root / "new" / f"{name}.jpg").write_bytes(picture_bytes(colour, (61, 80)))


def with_index(root: Path) -> None:
    """An index that was built and trained, with one item that was added."""
    shop_only(root)
    build(root)
    learn(root)
    (root / "head.safetensors").unlink()
    embedder, picture = colour_embedder(), [root / "new" / "cyan.jpg"]
    add_items(root / "index", picture, lambda: embedder, limits=LIMITS)


def with_changes(root: Path) -> None:
    with_index(root)
    change(root)


Operation = Callable[[Path], None]
OPERATIONS: dict[str, tuple[Operation, Operation]] = {
    "first build": (shop_only, build),
    "second build": (with_changes, build),
    "train": (with_index, learn),
    "add": (with_index, add),
    "replace": (with_index, replace_one),
    "remove": (with_index, remove),
}


class Failed(Exception):  # noqa: N818
    """Something is not as it should be after a fault."""


class Scenario:
    """An operation with what there is before it and after it."""

    def __init__(self, name: str, place: Path) -> None:
        prepare, self.operate = OPERATIONS[name]
        self.name, self.root, self.before_it = name, place / "work", place / "before" / name
        self.words = place / "words.txt"
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        prepare(self.root)
        shutil.copytree(self.root, self.before_it)
        self.old = state_of(self.root / "index")
        status, self.effects = self.run(None)
        if status != DONE:
            raise RuntimeError(f"{name}: {self.words.read_text()}")
        new = state_of(self.root / "index")
        if new is None:
            raise RuntimeError(f"{name}: there is no index")
        self.new, self.files = new, files_below(self.root)

    def begin(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self.before_it, self.root)

    def run(self, fault: Fault | None) -> tuple[int, int]:
        """Run the operation in a process of its own; returns its status and the number of its
        effects."""
        self.words.write_text("")
        child = os.fork()
        if child == 0:
            os._exit(self._operate(fault))
        end = time.monotonic() + PATIENCE
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            if time.monotonic() > end:
                os.kill(child, 9)
                os.waitpid(child, 0)
                raise Failed(f"it hangs: no end after {PATIENCE} s")
            time.sleep(0.002)  # a wait for a child has no limit of its own
        text = self.words.read_text()
        return os.waitstatus_to_exitcode(status), int(text) if text.isdigit() else 0

    def _operate(self, fault: Fault | None) -> int:
        """What the process does."""
        effects = Effects(str(self.root), fault)
        try:
            effects.install()
            self.operate(self.root)
        except KeyboardInterrupt:
            return STOPPED
        except FAILURES as error:
            self.words.write_text(in_words(error) if isinstance(error, OSError) else str(error))
            return TOLD
        except BaseException:
            self.words.write_text(traceback.format_exc())
            return UNTOLD
        self.words.write_text(str(effects.count))
        return DONE

    def check(self, fault: Fault, again: Fault | None) -> str:
        """Bring a fault about and look at everything; returns what the operation did. Raises
        :class:`Failed`."""
        self.begin()
        status, _ = self.run(fault)
        self._check_status(status, fault)
        self._check_reader(finished=status == DONE)
        if again is not None:
            self.run(again)
            self._check_reader(finished=False)
        finished, _ = self.run(None)
        text = self.words.read_text()
        # What was done before the kill is there already.
        there = finished == TOLD and ("there already" in text or "there is no item" in text)
        if finished != DONE and not there:
            raise Failed(f"the next run does not finish: {text}")
        state = state_of(self.root / "index")
        if state is None or not state.is_same(self.new):
            raise Failed("after the next run the index is not what it should be")
        left, missing = files_below(self.root) - self.files, self.files - files_below(self.root)
        if left or missing:
            raise Failed(f"left over: {sorted(left)}, missing: {sorted(missing)}")
        return {DONE: "finished", KILLED: "killed", TOLD: "told", STOPPED: "stopped"}[status]

    def _check_status(self, status: int, fault: Fault) -> None:
        text = self.words.read_text()
        if status == UNTOLD or status not in (DONE, KILLED, TOLD, STOPPED):
            raise Failed(f"it ends with {status}, untold: {text}")
        if status == TOLD and (str(self.root) not in text or not text.endswith(".")):
            raise Failed(f"this says neither what nor what to do: {text!r}")
        if (
            status == TOLD
            and fault.kind == FULL
            and not {"full", "space", "room"}
            & set(text.replace(".", " ").replace(")", " ").lower().split())
        ):
            raise Failed(f"this does not say that the disk is full: {text!r}")

    def _check_reader(self, *, finished: bool) -> None:
        try:
            state = state_of(self.root / "index")
        except IndexUnusable as unusable:
            raise Failed(f"a reader finds no sound index: {unusable}") from unusable
        is_new = state is not None and state.is_same(self.new)
        is_old = (
            state is self.old if state is None or self.old is None else (state.is_same(self.old))
        )
        if not is_new and (finished or not is_old):
            raise Failed("a reader finds neither the old index nor the new one")


# --- points -----------------------------------------------------------------------------------


def points(scenarios: Sequence[Scenario], seed: int) -> Iterator[tuple[Scenario, Fault]]:
    """All points in an order of chance, in turn of each operation and each kind of fault."""
    generator = random.Random(seed)
    queues = []
    for scenario in scenarios:
        for kind in KINDS:
            numbers = list(range(1, scenario.effects + 1))
            generator.shuffle(numbers)
            queues.append([(scenario, Fault(kind, number)) for number in numbers])
    generator.shuffle(queues)
    while queues:
        for queue in queues:
            yield queue.pop()
        queues = [queue for queue in queues if queue]


def torture(count: int, seed: int, place: Path, only: str | None = None) -> int:
    """Try so many points; returns how many of them failed."""
    checkpoint.FLUSH_EVERY = 4
    trainer.MIN_BATCHES = 1
    names = [name for name in OPERATIONS if only in (None, name)]
    scenarios = [Scenario(name, place) for name in names]
    generator, started = random.Random(seed), time.monotonic()
    outcomes: Counter[tuple[str, str, str]] = Counter()
    chosen = itertools.islice(points(scenarios, seed), count)
    with suppress(KeyboardInterrupt), stopped_by_signals():  # what there is so far is shown
        for scenario, fault in chosen:
            again = None
            if fault.kind == KILL and generator.random() < KILLED_AGAIN:
                again = replace(fault, at=generator.randint(1, scenario.effects))
            try:
                outcome = scenario.check(fault, again)
            except Failed as error:
                outcome = FAILED
                print(f"{scenario.name}, {fault}, then {again}: {error}", flush=True)
            outcomes[scenario.name, fault.kind, outcome] += 1
    tried = sum(outcomes.values())
    print(f"{tried:,} points (seed {seed}) in {time.monotonic() - started:.0f} s")
    for scenario in scenarios:
        print(
            f"  {scenario.name} ({scenario.effects} effects)  {_counted(scenario.name, outcomes)}"
        )
    failed = sum(number for (_, _, outcome), number in outcomes.items() if outcome == FAILED)
    print(f"{failed} failed")
    return failed


def _counted(name: str, outcomes: Counter[tuple[str, str, str]]) -> str:
    texts = []
    for kind in KINDS:
        of_kind = sorted((o, n) for (s, k, o), n in outcomes.items() if (s, k) == (name, kind))
        texts.append(f"{kind}: " + ", ".join(f"{number} {outcome}" for outcome, number in of_kind))
    return "; ".join(texts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(OPERATIONS), help="one operation")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        failed = torture(options.points, options.seed, Path(place).resolve(), options.only)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
