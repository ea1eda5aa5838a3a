"""Ray, as long as a build needs it: one that runs already, or one of this machine alone."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from fitting_room.build.builder import BuildError
from fitting_room.util.threads import cores

#: Stands for a Ray of this machine that is started for one build and ends with it.
LOCAL = "local"
LOOPBACK = "127.0.0.1"
#: Seconds to wait for an answer at an address, and for how often Ray tries itself, each 40 seconds.
ANSWERS_WITHIN, TRIES = 5.0, "1"
_HOST_AND_PORT = re.compile(r"\[?([^\[\]/]+)\]?:([0-9]{1,5})")
INSTALL = "pip install 'fitting-room[cluster]'"


class ClusterError(BuildError):
    """A cluster that is not there or cannot do the work; the text says what to do."""


def require_ray() -> None:
    """Raise :class:`ClusterError` where Ray is not installed."""
    if find_spec("ray") is None or find_spec("ray.data") is None:
        raise ClusterError(f"--ray needs Ray, which is not installed. Run: {INSTALL}")


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Be connected to the Ray at ``address``, as ``ray.init`` takes it, or to one that is started
    on this machine (:data:`LOCAL`), listens to nobody else and ends with this. A connection that
    the process has already is used and stays. Raises :class:`ClusterError` where there is none."""
    require_ray()
    # Read when Ray is imported or started: it would report to its makers.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", TRIES)
    import ray

    if ray.is_initialized():
        with _quiet():
            yield
        return
    quietly: dict[str, Any] = {
        "configure_logging": False,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    try:
        if address == LOCAL:
            ray.init(
                LOCAL,
                num_cpus=cores(),
                include_dashboard=False,
                _node_ip_address=LOOPBACK,
                **quietly,
            )
        else:
            _require_answer(address)
            ray.init(address, **quietly)
    except (ConnectionError, OSError, RuntimeError, ValueError, TimeoutError) as error:
        reason = (str(error).strip().splitlines() or ["no reason is given"])[0][:300]
        raise ClusterError(
            f"--ray {address}: no Ray that can be used answers there ({reason}). Start one with: "
            f"ray start --head, give its address, or use this machine alone: --ray {LOCAL}"
        ) from error
    try:
        with _quiet():
            yield
    finally:
        ray.shutdown()  # of what was connected here; the cluster itself goes on


def _require_answer(address: str) -> None:
    """Raise ``OSError`` where nothing answers at ``HOST:PORT``: Ray would try for minutes."""
    if found := _HOST_AND_PORT.fullmatch(address):
        place = found[1], min(int(found[2]), 65_535)
        socket.create_connection(place, ANSWERS_WITHIN).close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray Data without its own bars and reports, which would be written across the build's."""
    from ray.data import DataContext

    context, logger = DataContext.get_current(), logging.getLogger("ray.data")
    before = context.enable_progress_bars, logger.level, logger.disabled
    context.enable_progress_bars = False
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        context.enable_progress_bars = before[0]
        logger.setLevel(before[1])
