"""How far a long task has come, reported to a terminal, a page or nobody."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

#: The last seconds of a stage that its rate is taken from, how many there must be, and by what part
#: the rates of their halves may differ where it is called steady.
WINDOW, LEAST_SECONDS, STEADY = 10.0, 2.0, 0.25


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a task: ``done`` of ``total`` units (``total`` is 0 when it is not known),
    ``seconds`` after its start."""

    stage: str
    done: int
    total: int
    unit: str
    seconds: float

    @property
    def fraction(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def rate(self) -> float:
        """Units per second since the start."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds to go at the rate so far; ``None`` while it is unknown."""
        return max(0, self.total - self.done) / self.rate if self.rate and self.total else None


Listener = Callable[[Progress], None]


def ignore(_: Progress) -> None:
    """The listener of tasks whose progress nobody follows."""


@dataclass(slots=True)
class Stage:
    """Counts one stage of a task and reports each step to ``listener``."""

    name: str
    total: int
    unit: str
    listener: Listener
    done: int = 0
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        self.advance(0)

    def advance(self, count: int = 1) -> None:
        self.done += count
        seconds = time.perf_counter() - self.started
        self.listener(Progress(self.name, self.done, self.total, self.unit, seconds))


class Pace:
    """How long a stage still takes, as soon as it goes at a steady rate: at its start, while
    threads and caches fill, any figure would be wrong. Followed by a listener."""

    def __init__(self) -> None:
        self._stage = ""
        self._marks: deque[tuple[float, int]] = deque()
        self.seconds_left: float | None = None

    def note(self, progress: Progress) -> None:
        """Take a step of the task into account."""
        if progress.stage != self._stage:
            self._stage, self.seconds_left = progress.stage, None
            self._marks.clear()
        self._marks.append((progress.seconds, progress.done))
        while progress.seconds - self._marks[0][0] > WINDOW:
            self._marks.popleft()
        if progress.total and (self.seconds_left is not None or self._is_steady()):
            (begun, first), (now, last) = self._marks[0], self._marks[-1]
            if last > first:
                rate = (last - first) / max(now - begun, 1e-9)
                self.seconds_left = max(0, progress.total - progress.done) / rate

    def _is_steady(self) -> bool:
        (begun, first), (now, last) = self._marks[0], self._marks[-1]
        if now - begun < LEAST_SECONDS:
            return False
        half = next(mark for mark in self._marks if mark[0] >= (begun + now) / 2)
        earlier = (half[1] - first) / max(half[0] - begun, 1e-9)
        later = (last - half[1]) / max(now - half[0], 1e-9)
        return abs(later - earlier) <= STEADY * min(earlier, later)
