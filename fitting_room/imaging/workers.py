"""Decoding in processes of its own, which are ended when they take too long.

Nothing else ends a decoder: a thread cannot be, and some files keep one busy for minutes or bring
it down. The processes start when they are first needed, load Pillow and :mod:`imaging` and nothing
else (some 35 MB), and stay. They are programs of their own and no forks or ``multiprocessing``
children, which would load the page's script again.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from fitting_room.imaging.worker_messages import Description, end, read, write
from fitting_room.util.threads import cores

#: Seconds of the processor for one file, of the clock at most, and bytes that a worker may have.
SECONDS, SECONDS_ON_THE_CLOCK, MEMORY = 3.0, 15.0, 580 * 2**20

#: The signal that a process gets when it has used up its seconds; Windows has none.
_USED_UP = getattr(signal, "SIGPROF", None)

_PACKAGE = Path(__file__).resolve().parent.parent
#: The package without what its ``__init__`` imports: the worker needs a part of it only.
_START = (
    "import sys, types; package = types.ModuleType('fitting_room'); "
    "package.__path__ = [sys.argv[1]]; sys.modules['fitting_room'] = package; "
    "from fitting_room.imaging.worker import main; main(int(sys.argv[2]), float(sys.argv[3]))"
)


class WorkerEnded(Exception):  # noqa: N818  (an outcome)
    """The worker was ended because it took too long (``timed_out``), or it came down."""

    def __init__(self, *, timed_out: bool) -> None:
        super().__init__("the worker took too long" if timed_out else "the worker came down")
        self.timed_out = timed_out


class Worker:
    """One process. Used by one thread at a time."""

    def __init__(self, seconds: float = SECONDS, clock: float = SECONDS_ON_THE_CLOCK) -> None:
        self.clock = clock
        # One thread of BLAS, which is not used; memory goes back to the system at once.
        environment = {
            **os.environ, "OPENBLAS_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": str(2**20),
        }  # fmt: skip
        self.process = subprocess.Popen(  # noqa: S603  (this very Python)
            [sys.executable, "-c", _START, str(_PACKAGE), str(MEMORY), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def ask(self, asked: Description, data: bytes) -> tuple[Description, bytes]:
        """The worker's answer. Raises :class:`WorkerEnded`; after that the worker is gone."""
        timer = threading.Timer(self.clock, self.process.kill)
        timer.daemon = True
        timer.start()
        try:
            if self.process.stdin is None or self.process.stdout is None:
                raise OSError("the worker has no pipes")
            write(self.process.stdin, asked, data)
            answer = read(self.process.stdout)
        except OSError:  # it came down while it was written to
            answer = None
        finally:
            was_killed = not timer.is_alive()
            timer.cancel()
        if answer is None:
            self.end()
            has_used_up = _USED_UP is not None and self.process.returncode == -_USED_UP
            raise WorkerEnded(timed_out=was_killed or has_used_up)
        return answer

    def end(self) -> None:
        """End the process and wait for it."""
        end(self.process)


class Workers:
    """At most ``most`` workers, started when they are needed. Safe to share between threads."""

    def __init__(self, most: int, seconds: float = SECONDS, clock: float = SECONDS_ON_THE_CLOCK):
        self._settings = seconds, clock
        self._places = threading.Semaphore(most)
        self._idle: list[Worker] = []
        self._lock = threading.Lock()

    def ask(self, asked: Description, data: bytes) -> tuple[Description, bytes]:
        """The answer of the next worker that is free. Raises :class:`WorkerEnded`."""
        with self._places:
            worker = self._take()
            answer = worker.ask(asked, data)
            with self._lock:
                self._idle.append(worker)
            return answer

    def _take(self) -> Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive:
                    return worker
                worker.end()
        return Worker(*self._settings)

    def close(self) -> None:
        """End those that are idle; more start when they are needed."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()


#: Those of this process: on any machine one more than visitors' pictures may keep busy.
WORKERS = Workers(max(2, cores()))
atexit.register(WORKERS.close)
