"""Figures of the API for Prometheus: requests, how long each stage takes, refusals, items."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

#: Seconds between which stages and requests are counted.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MEDIA_TYPE = CONTENT_TYPE_LATEST


class Figures:
    """What is counted. Says nothing of who asked, nor of what was in a picture."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry(auto_describe=True)
        self.requests = Counter(
            "fitting_room_requests",
            "Requests to the API",
            ["route", "method", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "fitting_room_request_seconds",
            "From the first byte of a request to the last of its answer",
            ["route"],
            buckets=BUCKETS,
            registry=registry,
        )
        self.stages = Histogram(
            "fitting_room_stage_seconds",
            "Stages of a search: queue, decode, network, search",
            ["stage"],
            buckets=BUCKETS,
            registry=registry,
        )
        self.refusals = Counter(
            "fitting_room_refusals", "Problem documents sent", ["problem"], registry=registry
        )
        self.in_flight = Gauge(
            "fitting_room_requests_in_flight", "Requests at the moment", registry=registry
        )
        self._items = Gauge("fitting_room_items", "Items in the index", registry=registry)

    def counts_items(self, count: Callable[[], float]) -> None:
        """Have ``count`` say how many items there are."""
        self._items.set_function(count)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.stages.labels(name).observe(time.perf_counter() - began)

    def as_text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self._registry)
