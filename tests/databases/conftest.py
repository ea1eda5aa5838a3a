"""Real servers, each started once by the first test that wants it, and indexes of a test's own in
them. ``pytest -k milvus`` and the like runs the tests of one kind of server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from fitting_room.databases.address import engine_for
from fitting_room.databases.database import Database, Engine, NewRows
from fitting_room.index.layout import Layout
from tests.databases.rows import garments, layout_of, new_rows, part_of
from tests.databases.servers import SERVERS


class Servers:
    """The servers of a session, and why others cannot be had."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._running: dict[str, Callable[[str], str] | str] = {}

    def address(self, kind: str, name: str) -> str:
        """The address of an index of a name. Starts the server, or skips the test."""
        if kind not in self._running:
            try:
                started = SERVERS[kind].running(self._folder / kind)
                self._running[kind] = self._stack.enter_context(started)
            except pytest.skip.Exception as skipped:
                self._running[kind] = str(skipped)
        running = self._running[kind]
        if isinstance(running, str):
            pytest.skip(running)
        return running(name)

    def place(self, kind: str) -> Place:
        """A place that is no other test's. The workers of a run may share a server."""
        address = self.address(kind, f"t{uuid4().hex[:16]}")
        return Place(kind, engine_for(address), address)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # the workers of a run share what can be shared
        folder = folder.parent
    with ExitStack() as stack:
        yield Servers(folder, stack)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a test may put an index: the ``engine`` of a ``kind`` of database, and an ``address``
    that is no other test's."""

    kind: str
    engine: Engine
    address: str
    opened: list[Database] = field(default_factory=list)

    def create(self, layout: Layout, version: str = "v1") -> Database:
        self.opened.append(self.engine.create(self.address, layout, version))
        return self.opened[-1]

    def open(self, version: str | None = None) -> Database:
        self.opened.append(self.engine.open(self.address, version))
        return self.opened[-1]

    def close(self) -> None:
        while self.opened:
            self.opened.pop().close()


@pytest.fixture(params=sorted(SERVERS))
def place(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Place]:
    """A place of its own for each test, in each kind of database."""
    one = servers.place(request.param)
    yield one
    one.close()


@dataclass(frozen=True, slots=True)
class Published:
    """The published version of some garments, which no test changes, and what was written to it."""

    database: Database
    new: NewRows
    place: Place


@pytest.fixture(scope="session")
def _kept() -> Iterator[dict[str, Published]]:
    """What was published, by the kind of database."""
    kept: dict[str, Published] = {}
    yield kept
    for one in kept.values():
        one.place.close()


@pytest.fixture(params=sorted(SERVERS))
def shop(
    request: pytest.FixtureRequest, servers: Servers, _kept: dict[str, Published]
) -> Published:
    """Three hundred garments in each kind of database."""
    kind = request.param
    if kind not in _kept:
        place = servers.place(kind)
        layout = layout_of(storage="float16", trained=5)
        new = new_rows(layout, garments())
        writing = place.create(layout)
        for start in range(0, 300, 150):
            writing.write(part_of(new, range(start, start + 150)))
        writing.publish(b"garments")
        _kept[kind] = Published(place.open(), new, place)
    return _kept[kind]
