"""What the API promises whatever is asked: documents of problems, tokens, limits, other sites."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from starlette.applications import Starlette
from starlette.testclient import TestClient

from fitting_room.index.manifest import IndexUnusable
from fitting_room.server import api
from fitting_room.server.service import Service, tokens_of
from fitting_room.settings import Settings, SettingsError
from tests.conftest import SAMPLES, picture_bytes
from tests.server.conftest import TOKEN, client_of

SEARCH, ITEMS = "/api/v1/search", "/api/v1/items"


@pytest.fixture(scope="session")
def description(demo_service: Service) -> Any:
    """The OpenAPI document of the running API."""
    app = Starlette(routes=api.routes(demo_service))
    return schemathesis.openapi.from_asgi("/api/openapi.json", app)


OPERATIONS = [
    "POST /v1/search",
    "POST /v1/parts",
    "GET /v1/items/{item}/similar",
    "GET /v1/items/{item}/picture",
    "GET /v1/items/{item}",
    "GET /v1/columns",
    "GET /v1/problems/{kind}",
    "POST /v1/items",
    "DELETE /v1/items/{item}",
]


def test_all_operations_are_tried(description: Any) -> None:
    known = [result.ok() for result in description.get_all_operations()]
    assert {f"{one.method.upper()} {one.path}" for one in known} == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_request_of_the_description_is_answered_by_it(description: Any, name: str) -> None:
    """Requests made from the OpenAPI document, sensible ones and others: no server error, and no
    answer that the document does not describe."""
    method, path = name.split(" ")

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(case=description[path][method].as_strategy())
    def check(case: Any) -> None:
        # A schema cannot say that a file must be a picture, nor that a column must be there.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    check()


@pytest.mark.parametrize("name", ["POST /v1/items", "DELETE /v1/items/{item}"])
def test_changes_by_those_who_may_are_answered_by_it_too(
    serve: Callable[..., TestClient], authorised: dict[str, str], name: str
) -> None:
    method, path = name.split(" ")
    served = schemathesis.openapi.from_asgi("/api/openapi.json", serve().app)

    @settings(max_examples=30, suppress_health_check=list(HealthCheck))
    @given(case=served[path][method].as_strategy())
    def check(case: Any) -> None:
        case.call_and_validate(
            headers=authorised,
            # That a token is looked at is checked with cases that have none.
            excluded_checks=[positive_data_acceptance, ignored_auth],
        )

    check()


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/nothing"])
def test_an_address_without_anything(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.json()["type"].endswith("not-found")
    assert response.headers["content-type"] == "application/problem+json"


def test_another_method(client: TestClient) -> None:
    response = client.get(SEARCH)
    assert response.status_code == 405
    assert response.json()["type"].endswith("wrong-method")
    assert response.headers["allow"] == "POST"


def test_what_nobody_expected_says_nothing_of_the_inside(
    client: TestClient, demo_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(demo_service, "fitting_room", fail)
    response = client.get("/api/v1/columns")
    assert response.status_code == 500
    assert response.json()["type"].endswith("internal")
    assert "the inside" not in response.text


# --- tokens -----------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer ü"])
def test_changes_need_a_token(serve: Callable[..., TestClient], header: str | None) -> None:
    client = serve()
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    for response in (
        client.post(ITEMS, files={"picture": picture_bytes()}, data={"id": "x"}, headers=headers),
        client.delete(f"{ITEMS}/1", headers=headers),
    ):
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in response.text


def test_without_tokens_nothing_is_changed(client: TestClient) -> None:
    response = client.delete(f"{ITEMS}/1", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 403
    assert response.json()["type"].endswith("read-only")


def test_tokens_that_are_wrong_change_nothing_and_say_so(serve: Callable[..., TestClient]) -> None:
    response = serve(api_tokens="short").delete(f"{ITEMS}/1", headers={})
    assert response.status_code == 403
    assert "its log says" in response.json()["detail"]


def test_tokens_come_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"{TOKEN}-1\n{TOKEN}-2\n")
    tokens = tokens_of(Settings(api_tokens=TOKEN, api_tokens_file=file))
    assert tokens == tuple(f"{TOKEN}{end}".encode() for end in ("", "-1", "-2"))


@pytest.mark.parametrize("named", [{"api_tokens": "short"}, {"api_tokens_file": Path("nowhere")}])
def test_tokens_that_are_none(named: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as error:
        tokens_of(Settings(**named))
    assert "short" not in str(error.value).replace("shorter", "")


def test_a_token_is_in_no_description_of_the_settings() -> None:
    assert TOKEN not in repr(Settings(api_tokens=TOKEN))


# --- limits -----------------------------------------------------------------------------------


def test_a_request_that_is_too_large(serve: Callable[..., TestClient]) -> None:
    client = serve(max_megabytes=0.05)
    files = {"picture": b"\xff\xd8" + bytes(2**18)}
    said = client.post(SEARCH, files=files)
    assert said.status_code == 413
    assert said.json()["type"].endswith("too-large")
    # Without its length the body itself is counted.
    body = client.build_request("POST", SEARCH, files=files)
    chunks = iter([body.read()[:100], body.read()[100:]])
    headers = {"Content-Type": body.headers["content-type"]}
    assert client.post(SEARCH, content=chunks, headers=headers).status_code == 413


def test_bodies_of_all_together_are_bounded(serve: Callable[..., TestClient]) -> None:
    client = serve(max_held_megabytes=0.01)
    response = client.post(SEARCH, files={"picture": (SAMPLES / "red-dress.jpg").read_bytes()})
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0


def test_a_full_queue_says_when_to_come_again(
    client: TestClient, demo_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_service.searching, "pending", demo_service.searching.most)
    response = client.post(SEARCH, files={"picture": picture_bytes()})
    assert response.status_code == 503
    assert response.json()["type"].endswith("busy")
    assert "Try again in a moment" in response.json()["detail"]
    assert int(response.headers["retry-after"]) > 0


# --- other sites ------------------------------------------------------------------------------


def test_other_sites_may_not_ask_unless_named(
    client: TestClient, serve: Callable[..., TestClient]
) -> None:
    origin = {"Origin": "https://shop.example"}
    assert (
        "access-control-allow-origin" not in client.get("/api/v1/columns", headers=origin).headers
    )
    named = serve(api_origins="https://shop.example https://www.shop.example")
    answer = named.get("/api/v1/columns", headers=origin)
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    # Refusals can be read there, too.
    refused = named.post(SEARCH, content=b"", headers={**origin, "Content-Length": "999999999"})
    assert refused.status_code == 413
    assert refused.headers["access-control-allow-origin"] == "https://shop.example"
    other = named.get("/api/v1/columns", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_the_page_to_try_it_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "'unsafe-inline'" not in page.headers["content-security-policy"].split("style-src")[0]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/api/docs-assets/{name}" in page.text
        assert client.get(f"/api/docs-assets/{name}").status_code == 200


# --- how the server is ------------------------------------------------------------------------


def _unready(result: Future[None], **more: Any) -> TestClient:
    preparation = SimpleNamespace(result=result, **more)
    return client_of(Service(lambda: preparation, Settings(), is_local=True))  # type: ignore[arg-type]


def test_it_is_healthy_before_it_is_ready() -> None:
    client = _unready(Future())
    assert client.get("/health").json() == {"status": "ok"}
    ready = client.get("/ready")
    assert ready.status_code == 503
    assert ready.json()["type"].endswith("not-ready")
    assert client.get("/api/v1/columns").headers["retry-after"]
    assert "fitting_room_items 0.0" in client.get("/metrics").text


@pytest.mark.parametrize(
    ("failure", "said"),
    [(IndexUnusable("cache/demo: damaged"), "cache/demo: damaged"), (KeyError("x"), "log")],
)
def test_it_says_why_it_will_not_be_ready(failure: Exception, said: str) -> None:
    result: Future[None] = Future()
    result.set_exception(failure)
    response = _unready(result).get("/ready")
    assert response.json()["type"].endswith("unusable-catalogue")
    assert said in response.json()["detail"]


def test_figures_are_counted(client: TestClient, demo_service: Service) -> None:
    client.post(SEARCH, files={"picture": (SAMPLES / "red-dress.jpg").read_bytes()})
    client.post(SEARCH, files={"picture": b"no picture"})
    text = client.get("/metrics").text
    assert 'fitting_room_requests_total{method="POST",route="/v1/search",status="200"}' in text
    assert 'fitting_room_refusals_total{problem="unusable-picture"}' in text
    for stage in ("queue", "decode", "network", "search"):
        assert f'fitting_room_stage_seconds_count{{stage="{stage}"}}' in text
    assert f"fitting_room_items {float(demo_service.fitting_room().index.item_count)}" in text


def test_figures_for_others_need_a_token(
    serve: Callable[..., TestClient], authorised: dict[str, str]
) -> None:
    client = serve(is_local=False)
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=authorised).status_code == 200


def test_without_the_api_the_server_still_says_how_it_is(serve: Callable[..., TestClient]) -> None:
    client = serve(api=False)
    assert client.get("/ready").json()["status"] == "ready"
    assert client.get("/api/v1/columns").status_code == 404
    assert client.get("/metrics").status_code == 404
