"""The API on an index in a database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from fitting_room.databases import items as database_items
from fitting_room.settings import Settings
from tests.conftest import SAMPLES
from tests.databases.memory import ADDRESS, MemoryDatabase
from tests.server.conftest import TOKEN, client_of, service_of


@pytest.fixture
def stored(demo_in_database: MemoryDatabase, settings: Settings) -> Iterator[TestClient]:
    service = service_of(replace(settings, index=ADDRESS, catalogue=None, api_tokens=TOKEN))
    yield client_of(service)
    service.close()


@pytest.mark.parametrize(
    "question", [{}, {"where": json.dumps({"gender": "Women"})}, {"fold": "true"}, {"text": "blue"}]
)
def test_pictures_find_what_they_find_in_a_folder(
    stored: TestClient, client: TestClient, question: dict[str, str]
) -> None:
    files = {"picture": (SAMPLES / "red-dress.jpg").read_bytes()}
    of_both = [each.post("/api/v1/search", files=files, data=question) for each in (stored, client)]
    assert of_both[0].status_code == 200
    assert of_both[0].json() == of_both[1].json()


def test_items_columns_and_pictures_are_those_of_a_folder(
    stored: TestClient, client: TestClient
) -> None:
    item = client.get("/api/v1/items/1163").json().get("id") or "1163"
    where = {"where": json.dumps({"gender": ["Women"], "baseColour": "Blue"})}
    for address, question in (("columns", {}), ("columns", where), (f"items/{item}", {})):
        answers = [each.get(f"/api/v1/{address}", params=question) for each in (stored, client)]
        assert answers[0].json() == answers[1].json()
    assert answers[0].json() != {}


def test_counts_of_a_sample_are_said_to_be_estimates(
    stored: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not stored.get("/api/v1/columns").json()["estimated"]
    monkeypatch.setattr(MemoryDatabase, "counts", lambda *_: None)
    monkeypatch.setattr(database_items, "COUNTED_HERE", 10)
    where = {"where": json.dumps({"gender": "Women"})}
    assert stored.get("/api/v1/columns", params=where).json()["estimated"]


def test_nothing_is_added_or_removed(stored: TestClient, authorised: dict[str, str]) -> None:
    picture = (SAMPLES / "red-dress.jpg").read_bytes()
    added = stored.post(
        "/api/v1/items", files={"picture": picture}, data={"id": "new"}, headers=authorised
    )
    removed = stored.delete("/api/v1/items/1163", headers=authorised)
    for answer in (added, removed):
        assert answer.status_code == 403
        assert "fitting-room add | remove" in answer.json()["detail"]
