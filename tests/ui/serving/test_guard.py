"""What stands before the server: names, closed doors, uploads and headers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket
from streamlit.proto.BackMsg_pb2 import BackMsg

from fitting_room.ui.serving import visits as visits_module
from fitting_room.ui.serving.guard import Guard
from fitting_room.ui.serving.visits import Visits

Client = Callable[..., TestClient]


async def answer(request: Request) -> Response:
    status = 500 if "broken" in request.url.path else 200
    return PlainTextResponse(f"{len(await request.body())} bytes", status)


async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    async for message in websocket.iter_bytes():
        await websocket.send_text(BackMsg.FromString(message).WhichOneof("type") or "")


@pytest.fixture
def client() -> Client:
    def make(host: str = "localhost:8501", **options: object) -> TestClient:
        given: dict[str, object] = {
            "visits": Visits(), "hosts": ["localhost", "127.0.0.1", "::1"], "any_address": False,
            "max_bytes": 1000,
        }  # fmt: skip
        routes = [
            WebSocketRoute("/_stcore/stream", stream),
            Route("/{path:path}", answer, methods=["GET", "PUT", "DELETE", "POST"]),
        ]
        guard = Middleware(Guard, **(given | options))
        return TestClient(Starlette(routes=routes, middleware=[guard]), f"http://{host}")

    return make


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8501", 200), ("LOCALHOST", 200), ("127.0.0.1:1", 200), ("[::1]:8501", 200),
        ("evil.example", 400), ("localhost.evil.example", 400), ("192.0.2.1", 400), ("", 400),
        ("[::1", 400), ("shop.example", 200), ("a.shop.example", 200), ("ashop.example", 400),
    ],
)  # fmt: skip
def test_only_known_names_are_answered_to(client: Client, host: str, status: int) -> None:
    hosts = ["localhost", "127.0.0.1", "::1", "shop.example", "*.shop.example"]
    answered = client(hosts=hosts).get("/", headers={"host": host})
    assert answered.status_code == status
    assert (status == 400) == ("FITTING_ROOM_HOSTS" in answered.text)


@pytest.mark.parametrize(
    ("host", "status"), [("192.0.2.1:8501", 200), ("[2001:db8::1]", 200), ("evil.example", 400)]
)
def test_a_server_for_all_answers_to_addresses_too(client: Client, host: str, status: int) -> None:
    answered = client(any_address=True).get("/", headers={"host": host})
    assert answered.status_code == status


@pytest.mark.parametrize(
    "path",
    ["metrics", "metrics/", "script-health-check", "agent/interact", "agent/mcp",
     "agent/openapi.json", "message"],
)  # fmt: skip
def test_doors_that_no_visitor_needs_are_closed(client: Client, path: str) -> None:
    for before in ("", "/below"):
        assert client().get(f"{before}/_stcore/{path}").status_code == 404
    assert client().get("/_stcore/health").status_code == 200


def test_no_visitor_clears_what_is_cached_for_all(client: Client) -> None:
    with client().websocket_connect("ws://localhost/_stcore/stream") as connection:
        connection.send_bytes(BackMsg(clear_cache=True).SerializeToString())
        connection.send_bytes(BackMsg(debug_shutdown_runtime=True).SerializeToString())
        connection.send_bytes(b"\xff\xff")
        connection.send_bytes(BackMsg(stop_script=True).SerializeToString())
        assert connection.receive_text() == "stop_script"


def test_no_other_name_opens_a_connection(client: Client) -> None:
    guarded = client("evil.example")
    with (
        pytest.raises(WebSocketDenialResponse),
        guarded.websocket_connect("ws://evil.example/_stcore/stream"),
    ):
        pass


def test_a_visit_uploads_so_much(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits_module, "MOST_UPLOADED", 2500)
    guarded = client()

    def put(name: str, size: int) -> int:
        path = f"/_stcore/upload_file/session/{name}"
        return guarded.put(path, content=b"x" * size).status_code

    assert put("1", 1000) == put("2", 1000) == 200
    assert put("3", 1000) == 413
    assert put("broken", 500) == 500  # and is not counted
    assert put("4", 500) == 200
    assert guarded.delete("/_stcore/upload_file/session/1").status_code == 200
    assert put("3", 1000) == 200


def test_all_visits_upload_so_much(client: Client) -> None:
    visits = Visits(most_held=1500)
    guarded = client(visits=visits)

    def put(session: str, size: int) -> tuple[int, str]:
        answered = guarded.put(f"/_stcore/upload_file/{session}/1", content=b"x" * size)
        return answered.status_code, answered.text

    assert put("a", 1000) == (200, "1000 bytes")
    # It did not come to Streamlit. The page, which is asked then, says that it was refused.
    assert put("b", 1000) == (204, "")
    assert visits.was_refused("b", "1")
    assert put("b", 500) == (200, "500 bytes")


def test_an_upload_is_not_too_large_and_says_how_large_it_is(client: Client) -> None:
    path = "/_stcore/upload_file/session/1"
    assert client().put(path, content=b"x" * (1000 + 2**16)).status_code == 200
    assert client().put(path, content=b"x" * (1001 + 2**16)).status_code == 413
    assert client().put(path, content=iter([b"x"])).status_code == 411


def test_every_answer_tells_the_browser_what_the_page_may_do(client: Client) -> None:
    for answered in (client().get("/"), client().get("/", headers={"host": "evil.example"})):
        policy = answered.headers["content-security-policy"]
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        assert rules["default-src"] == "'self'"
        assert rules["connect-src"] == "'self'"
        assert rules["frame-ancestors"] == "'self'"
        assert "unsafe" not in rules["script-src"]
        assert not any("//" in rule or "*" in rule for rule in rules.values())
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert answered.headers["referrer-policy"] == "same-origin"
        assert answered.headers["permissions-policy"].startswith("camera=(self)")


def test_a_shop_may_frame_the_page(client: Client) -> None:
    answered = client(frame_ancestors=["https://shop.example"]).get("/")
    policy = answered.headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'self' https://shop.example")
