"""A server of the page for benchmarks, and the memory of it and its child processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from common import measured_checkout


@contextmanager
def serve(index: Path | None, checkout: Path | None = None) -> Iterator[tuple[int, int]]:
    """A server of a checkout's page, which is the measured one; gives its port and its process."""
    checkout = checkout or measured_checkout()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    if index is not None:
        environment["FITTING_ROOM_INDEX"] = str(index.resolve())
    command = [
        sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
        f"--server.port={port}", "--server.address=127.0.0.1",
    ]  # fmt: skip
    server = subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        # It prints its address once it listens; its output ends where it does not come to that.
        if not any(f":{port}" in line for line in server.stdout):
            raise SystemExit("the server did not start")
        # What it prints later is read away, or it would wait for a reader.
        threading.Thread(target=server.stdout.read, daemon=True).start()
        yield port, server.pid
    finally:
        server.terminate()
        server.wait()


def memory(process: int) -> tuple[float, int]:
    """Resident megabytes of a process and its children, and how many processes they are."""
    root, total, count = psutil.Process(process), 0, 0
    for one in [root, *root.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            total += one.memory_info().rss
            count += 1
    return total / 2**20, count


def processor_seconds(process: int) -> float:
    """Seconds that a process, its children and those of its children that ended have computed."""
    root = psutil.Process(process)
    own = root.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for one in root.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            used = one.cpu_times()
            total += used.user + used.system
    return total


class Peak:
    """The most that a process and its children have had while this was watching, in megabytes."""

    def __init__(self, process: int, every: float = 0.05) -> None:
        self.most = 0.0
        self._process, self._every = process, every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(self._every):
            self.most = max(self.most, memory(self._process)[0])
