"""What runs in a process of its own: decodes one file after another, and can be ended.

Started by :mod:`fitting_room.imaging.workers`. Requests come on stdin, answers go to stdout:
:mod:`fitting_room.imaging.worker_messages`.
"""

from __future__ import annotations

import os
import signal
import sys

from fitting_room.imaging.decode import ImageLimits, ImageRejected, decode_here, note_of, rejecting
from fitting_room.imaging.worker_messages import Description, read, write


def main(memory: int, seconds: float) -> None:
    """Answer requests until there are no more. ``memory`` in bytes and ``seconds`` of the processor
    for one file are enforced by the system, where it does that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, which ends this
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder has to say is no answer
    _limit_memory(memory)
    while (request := read(sys.stdin.buffer)) is not None:
        _limit_time(seconds)
        answer = _answer(*request)
        _limit_time(0)
        write(answers, *answer)


def _answer(asked: Description, data: bytes) -> tuple[Description, bytes]:
    limits, side = ImageLimits(**asked["limits"]), asked["side"]
    try:
        with rejecting(limits):
            image = decode_here(data, limits, side, may_be_heavy=True)
    except ImageRejected as rejected:
        return {"reason": rejected.reason}, b""
    return {"size": image.size, "note": note_of(image)}, image.tobytes()


def _limit_memory(memory: int) -> None:
    if sys.platform != "win32":
        import resource

        for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_CORE, 0)):
            _, hard = resource.getrlimit(kind)
            if hard == resource.RLIM_INFINITY or most <= hard:
                resource.setrlimit(kind, (most, hard))


def _limit_time(seconds: float) -> None:
    """So many seconds of the processor from now; the system ends the process after them."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)
