"""Any order of building, adding, removing, changing, training, damaging and killing: the index has
what a dictionary has that was changed in the same way.

``python -m tests.build.sequences --examples 400 --steps 8`` (``make torture``). Linux only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fitting_room.build.builder import build_index
from fitting_room.build.edit import EditError, add_items, remove_items
from fitting_room.build.writer import write_head
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.added import picture_digest
from fitting_room.index.data import current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import IndexUnusable
from tests.build.effects import KILL, KILLED, Effects, Fault
from tests.build.test_head_network import head_for
from tests.conftest import colour_embedder, picture_bytes

LIMITS = ImageLimits()
ITEMS = ["1", "2", "3", "4"]
ADDED = ["a", "b", "2"]
COLOURS = ["red", "green", "blue", "gold", "pink", "navy"]
#: No operation of so few pictures has more effects on files.
MOST_EFFECTS = 90

ids, colours = st.sampled_from(ITEMS), st.sampled_from(COLOURS)
places = st.integers(1, MOST_EFFECTS)


class Sequences(RuleBasedStateMachine):
    """``catalogue`` and ``index`` are what should be there: the digest of each item's picture;
    ``index`` is ``None`` before the first build."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp()).resolve()
        self.shop, self.folder = self.root / "shop", self.root / "index"
        (self.shop / "images").mkdir(parents=True)
        self.catalogue: dict[str, str] = {}
        self.index: dict[str, str] | None = None
        self.damaged = False
        for number, item in enumerate(ITEMS[:3]):
            self._put(item, COLOURS[number])

    def teardown(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    # --- the catalogue ----------------------------------------------------------------------

    def _put(self, item: str, colour: str) -> None:
        # Of another size each time, so that its signature is another.
        data = picture_bytes(colour, (40 + len(self.catalogue), 50), kind="PNG")
        (self.shop / "images" / f"{item}.png").write_bytes(data)
        self.catalogue[item] = picture_digest(data)
        self._write_table()

    def _write_table(self) -> None:
        lines = ["id,name", *(f"{item},Item {item}" for item in sorted(self.catalogue))]
        (self.shop / "styles.csv").write_text("\n".join(lines) + "\n", "utf-8")

    @rule(item=ids, colour=colours)
    def change_a_picture(self, item: str, colour: str) -> None:
        self._put(item, colour)

    @precondition(lambda self: len(self.catalogue) > 1)
    @rule(data=st.data())
    def drop_a_picture(self, data: Any) -> None:
        item = data.draw(st.sampled_from(sorted(self.catalogue)))
        (self.shop / "images" / f"{item}.png").unlink()
        del self.catalogue[item]
        self._write_table()

    # --- the index --------------------------------------------------------------------------

    def _build(self) -> None:
        build_index(load_catalogue(self.shop), colour_embedder(), self.folder, limits=LIMITS)

    @rule()
    def build(self) -> None:
        self._build()
        self.index, self.damaged = dict(self.catalogue), False

    def _add(self, item: str, colour: str) -> str:
        picture = self.root / "new.jpg"
        picture.write_bytes(picture_bytes(colour, (33, 44)))
        embedder = colour_embedder()
        add_items(
            self.folder, [picture], lambda: embedder, ids=[item], replacing=True, limits=LIMITS
        )
        return picture_digest(picture.read_bytes())

    @precondition(lambda self: self.index is not None)
    @rule(item=st.sampled_from(ADDED), colour=colours)
    def add(self, item: str, colour: str) -> None:
        if self.damaged:
            with pytest.raises(IndexUnusable, match="damaged"):
                self._add(item, colour)
        elif self.index is not None:
            self.index[item] = self._add(item, colour)

    @precondition(lambda self: self.index is not None)
    @rule(item=st.sampled_from([*ITEMS, *ADDED]))
    def remove(self, item: str) -> None:
        index = self.index or {}
        if self.damaged:
            with pytest.raises(IndexUnusable, match="damaged"):
                remove_items(self.folder, [item])
        elif item not in index or len(index) == 1:
            with pytest.raises(EditError, match="no item"):
                remove_items(self.folder, [item])
        else:
            remove_items(self.folder, [item])
            del index[item]

    @precondition(lambda self: self.index is not None)
    @rule(learn=st.booleans())
    def train(self, learn: bool) -> None:
        head = head_for(colour_embedder()) if learn else None
        if self.damaged:
            with pytest.raises(IndexUnusable, match="damaged"):
                write_head(self.folder, head)
        else:
            write_head(self.folder, head)

    @precondition(lambda self: self.index is not None and not self.damaged)
    @rule(data=st.data())
    def damage(self, data: Any) -> None:
        version = current_version(self.folder)
        name = data.draw(st.sampled_from(sorted(path.name for path in version.iterdir())))
        content = (version / name).read_bytes()
        how = data.draw(st.sampled_from(["cut short", "one bit", "gone"]))
        (version / name).unlink()
        if how == "cut short":
            (version / name).write_bytes(content[: len(content) // 2])
        elif how == "one bit":
            (version / name).write_bytes(bytes([content[0] ^ 1]) + content[1:])
        self.damaged = True

    # --- kills ------------------------------------------------------------------------------

    def _killed(self, operation: Any, place: int) -> bool:
        """Run an operation in a process that is killed before that effect; returns whether it was
        done before that."""
        child = os.fork()
        if child == 0:
            try:
                Effects(str(self.root), Fault(KILL, place)).install()
                operation()
            except BaseException:
                os._exit(1)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, KILLED)
        return status == 0

    @rule(place=places)
    def kill_a_build(self, place: int) -> None:
        before, after = self._found(), dict(self.catalogue)
        done = self._killed(self._build, place)
        if done or self._found() == after:
            self.index, self.damaged = after, False
        else:
            assert self._found() == before

    @precondition(lambda self: self.index is not None and not self.damaged)
    @rule(item=st.sampled_from(ADDED), colour=colours, place=places)
    def kill_an_addition(self, item: str, colour: str, place: int) -> None:
        digest = picture_digest(picture_bytes(colour, (33, 44)))
        after = {**(self.index or {}), item: digest}
        done = self._killed(lambda: self._add(item, colour), place)
        if done or self._found() == after:
            self.index = after
        else:
            assert self._found() == self.index

    @precondition(lambda self: len(self.index or {}) > 1 and not self.damaged)
    @rule(data=st.data(), place=places)
    def kill_a_removal(self, data: Any, place: int) -> None:
        index = self.index or {}
        item = data.draw(st.sampled_from(sorted(index)))
        after = {other: digest for other, digest in index.items() if other != item}
        done = self._killed(lambda: remove_items(self.folder, [item]), place)
        if done or self._found() == after:
            self.index = after

    @precondition(lambda self: self.index is not None and not self.damaged)
    @rule(place=places)
    def kill_a_training(self, place: int) -> None:
        self._killed(lambda: write_head(self.folder, head_for(colour_embedder())), place)

    # --- what is right ----------------------------------------------------------------------

    def _found(self) -> dict[str, str] | str:
        """What the index has, or what is said where there is none that can be used."""
        try:
            index = Index.open(self.folder)
            index.verify()
        except IndexUnusable as unusable:
            return "damaged" if "damaged" in str(unusable) else "none"
        found = dict(zip(index.items["id"], index.items["digest"], strict=True))
        assert len(found) == len(index)  # nothing is there twice
        return found

    @invariant()
    def the_index_has_what_it_should(self) -> None:
        expected = "damaged" if self.damaged else "none" if self.index is None else self.index
        assert self._found() == expected

    @invariant()
    def the_next_build_leaves_nothing_over(self) -> None:
        """Only of an index that is as its catalogue says: nothing is built here."""
        if self.index == self.catalogue and not self.damaged:
            names = {path.name for path in self.root.iterdir()}
            assert names <= {"shop", "index", "new.jpg", ".index.lock", ".index.checkpoint"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=25)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--random", action="store_true", help="other ones each time")
    options = parser.parse_args()
    run_state_machine_as_test(
        Sequences,
        settings=settings(
            max_examples=options.examples,
            stateful_step_count=options.steps,
            derandomize=not options.random,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{options.examples} sequences of up to {options.steps} steps are right")


if __name__ == "__main__":
    main()
