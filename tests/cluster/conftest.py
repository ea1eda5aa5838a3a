"""A Ray cluster on this machine: a head that computes nothing and two workers, which listen on the
loopback alone."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT

#: Dead machines are noticed within seconds, as nothing here is slow to answer for another reason.
SYSTEM = {
    "health_check_initial_delay_ms": 1_000,
    "health_check_period_ms": 1_000,
    "health_check_failure_threshold": 3,
}
NODE = {
    "node_ip_address": "127.0.0.1",
    "object_store_memory": 80 * 2**20,
    "include_dashboard": False,
}


class TestCluster:
    """Two workers of one processor each; a killed one can be replaced."""

    __test__ = False

    def __init__(self, folder: str) -> None:
        from ray.cluster_utils import Cluster

        head = {**NODE, "num_cpus": 0, "temp_dir": folder, "_system_config": SYSTEM}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._workers: list[Any] = []
        self.fill()

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def fill(self) -> None:
        """Have two workers."""
        while len(self._workers) < 2:
            self._workers.append(self._cluster.add_node(wait=False, num_cpus=1, **NODE))
        self._cluster.wait_for_nodes()

    def kill_the_one_with(self, pid: int) -> None:
        """End the worker that has such a process, and all that it started, at once."""
        for worker in self._workers:
            if pid in _family(worker):
                self._kill(worker)
                return
        raise AssertionError(f"no worker has the process {pid}")

    def kill_one(self) -> None:
        """End a worker, and all that it started, at once."""
        self._kill(self._workers[0])

    def _kill(self, worker: Any) -> None:
        for one in _family(worker):
            os.kill(one, signal.SIGKILL)
        self._cluster.remove_node(worker, allow_graceful=False)
        self._workers.remove(worker)

    def end(self) -> None:
        self._cluster.shutdown()


def _family(worker: Any) -> list[int]:
    raylet = worker.all_processes["raylet"][0].process.pid
    return [raylet, *_descendants(raylet)]


def _descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    found = [int(child) for child in children]
    return found + [one for child in found for one in _descendants(child)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[TestCluster]:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("the cluster of the tests runs on Linux on x86-64")
    before = dict(os.environ)
    # The workers are processes of their own and inherit this.
    os.environ.update(
        RAY_USAGE_STATS_ENABLED="0",
        RAY_AUTH_MODE="disabled",  # else it leaves a token in the home folder
        PYTHONPATH=str(PROJECT),
    )
    from ray._private import services

    # Ray replaces a loopback address by that of the machine in the network, where nobody listens.
    patched = pytest.MonkeyPatch()
    patched.setattr(services, "get_node_ip_address", lambda address=None: NODE["node_ip_address"])
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # a socket's path must be short
    try:
        made = TestCluster(folder)
        try:
            yield made
        finally:
            made.end()
    finally:
        patched.undo()
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)
