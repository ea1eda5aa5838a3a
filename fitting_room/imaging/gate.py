"""Who decodes when: so many at once, in two lanes, with a queue that ends.

Decoding is the one thing that strangers make the program do as much of as they like. Heavy files
have a lane of their own, so that whoever brings an ordinary picture does not wait for them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fitting_room.util.threads import cores

BUSY = "Many people are trying pictures right now. Try again in a moment."


class Busy(Exception):  # noqa: N818  (no error: the next moment it goes)
    """The queue is full, or somebody has waited in it for too long."""


class Lane:
    """At most ``places`` at once and ``waiting`` more in a queue, each for ``patience`` seconds."""

    def __init__(self, places: int, waiting: int, patience: float) -> None:
        self.places, self.most_waiting, self.patience = places, waiting, patience
        self.inside, self.waiting = 0, 0
        self._changed = threading.Condition()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a place, and have it meanwhile. Raises :class:`Busy`."""
        self._enter()
        try:
            yield
        finally:
            with self._changed:
                self.inside -= 1
                self._changed.notify_all()

    def _enter(self) -> None:
        with self._changed:
            if self.inside >= self.places:
                if self.waiting >= self.most_waiting:
                    raise Busy
                self.waiting += 1
                self._changed.notify_all()
                try:
                    if not self._changed.wait_for(self._is_free, self.patience):
                        raise Busy
                finally:
                    self.waiting -= 1
            self.inside += 1

    def _is_free(self) -> bool:
        return self.inside < self.places


class Gate:
    """A lane for light files and one for heavy ones: :func:`fitting_room.imaging.bounds.is_light`.

    As many light ones at once as there are cores, of at most 128 MB each, and half as many heavy
    ones, three at most, of at most 600 MB each.
    """

    def __init__(self, light: Lane | None = None, heavy: Lane | None = None) -> None:
        count = cores()
        self.light = light or Lane(min(count, 8), waiting=64, patience=20.0)
        self.heavy = heavy or Lane(max(1, min(count // 2, 3)), waiting=16, patience=20.0)


#: For pictures that visitors give.
VISITORS = Gate()
#: For the catalogue's own pictures that the page shows: no upload keeps them waiting.
CATALOGUE = Gate(
    Lane(min(cores(), 8), waiting=512, patience=60.0), Lane(1, waiting=512, patience=60.0)
)
