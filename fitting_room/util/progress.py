"""How far a long task has come, reported to a terminal, a page or nobody."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


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
