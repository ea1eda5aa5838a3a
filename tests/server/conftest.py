"""The API over the demo catalogue's index, as a client sees it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from fitting_room.facade import FittingRoom
from fitting_room.preparation import Preparation
from fitting_room.server import api
from fitting_room.server.service import Service
from fitting_room.settings import Settings

TOKEN = "a-token-of-the-tests-own"


def client_of(service: Service) -> TestClient:
    """A client of what is served beside the page."""
    app = Starlette(routes=api.routes(service))
    return TestClient(app, raise_server_exceptions=False)


def service_of(settings: Settings, *, is_local: bool = True) -> Service:
    """A service whose index is open."""
    preparation = Preparation(settings)
    preparation.result.result()
    return Service(lambda: preparation, settings, is_local=is_local)


@pytest.fixture(scope="session")
def demo_service(demo_fitting_room: FittingRoom, settings: Settings) -> Iterator[Service]:
    """A service that nobody changes."""
    service = service_of(settings)
    yield service
    service.close()


@pytest.fixture
def client(demo_service: Service) -> TestClient:
    """A client of the demo catalogue, without a token."""
    return client_of(demo_service)


@pytest.fixture
def serve(
    demo_fitting_room: FittingRoom, settings: Settings, tmp_path: Path
) -> Iterator[Callable[..., TestClient]]:
    """Makes clients of a copy of the demo's index, with settings of their own."""
    services = []

    def make(*, is_local: bool = True, **named: Any) -> TestClient:
        folder = tmp_path / "index"
        if not folder.exists():
            shutil.copytree(demo_fitting_room.index.folder, folder)
        own = replace(settings, index=folder, api_tokens=TOKEN)
        service = service_of(replace(own, **named), is_local=is_local)
        services.append(service)
        return client_of(service)

    yield make
    for service in services:
        service.close()


@pytest.fixture
def authorised() -> dict[str, str]:
    """Headers with the token of :func:`serve`."""
    return {"Authorization": f"Bearer {TOKEN}"}
