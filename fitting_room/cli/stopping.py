"""SIGTERM and SIGHUP stop a command as Ctrl-C does, so that it keeps what it has done.

A service manager that stops a build, and a connection that breaks, are no worse than Ctrl-C. The
exit status is 128 and the signal's number, as shells have it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

#: Windows has no SIGHUP.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """A signal asked the command to stop; :attr:`number` is that of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise :class:`Stopped` in the main thread when one of :data:`SIGNALS` comes. A second one
    does not disturb the tidying up after the first. A signal that is ignored stays ignored, as
    ``nohup`` wants it."""
    before = {}
    if threading.current_thread() is threading.main_thread():  # elsewhere Python refuses
        before = {number: signal.getsignal(number) for number in SIGNALS}
    ours = [n for n, handler in before.items() if handler not in (signal.SIG_IGN, None)]

    def stop(number: int, _: FrameType | None) -> NoReturn:
        for each in ours:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    try:
        for number in ours:
            signal.signal(number, stop)
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
