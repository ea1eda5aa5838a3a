"""What stands before Streamlit's server: which names it is reached by, what is closed to visitors,
how much they may upload, and what browsers are told about the page."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import streamlit
from google.protobuf.message import DecodeError
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from fitting_room.ui.serving.visits import Visits

#: Names of this machine, and addresses that stand for all that it has.
LOCAL = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what is compared with, not listened on
#: Streamlit's doors that no visitor needs: figures of the server, a run of the page at each
#: request, and programs that drive it.
_CLOSED = re.compile(r"/_stcore/(metrics|script-health-check|message|agent(/.*)?)/?$")
_STREAM = re.compile(r"/_stcore/stream$")
_UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/([^/]+)$")
#: What a browser may ask for over the page's connection. Not: to clear what is cached for all
#: visitors, and what belongs to developers.
MESSAGES = frozenset(
    ["rerun_script", "stop_script", "file_urls_request", "app_heartbeat",
     "backend_operation_request"]
)  # fmt: skip


class Guard:
    """ASGI middleware before all else.

    ``hosts`` are the names that are answered to (``*.shop.example`` for all within), or with
    ``any_address`` also every address in figures, which no foreign page can pretend to be.
    ``max_bytes`` is what one upload may have; ``frame_ancestors`` are sites that may show the page
    in a frame.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        visits: Visits,
        hosts: Iterable[str],
        any_address: bool,
        max_bytes: int,
        frame_ancestors: Iterable[str] = (),
    ) -> None:
        self._app = app
        self._visits = visits
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)
        self._any_address = any_address
        self._max_bytes = max_bytes
        self._headers = security_headers(frame_ancestors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        refusal = self._refusal(scope, path)
        if scope["type"] == "websocket":
            if refusal is None:
                checked = _only_known(receive) if _STREAM.search(path) else receive
                await self._app(scope, checked, send)
            else:
                await refusal(scope, receive, send)
            return
        send = self._with_headers(send)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif upload := _UPLOAD.search(path):
            await self._upload(upload[1], upload[2], scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, path: str) -> PlainTextResponse | None:
        if not self._is_known(Headers(scope=scope).get("host", "")):
            text = "The page does not answer to this name. FITTING_ROOM_HOSTS lists more names.\n"
            return PlainTextResponse(text, status_code=400)
        if _CLOSED.search(path):
            return PlainTextResponse("Not found\n", status_code=404)
        return None

    def _is_known(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in self._hosts:
            return True
        if any(h.startswith("*.") and name.endswith(h[1:]) for h in self._hosts):
            return True
        return self._any_address and _is_address(name)

    def _with_headers(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)  # the API has a policy of its own
            await send(message)

        return sending

    async def _upload(
        self, session: str, file: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["method"] == "PUT":
            length = Headers(scope=scope).get("content-length", "")
            if not length.isdecimal():
                refusal = PlainTextResponse("How long is it?\n", status_code=411)
                return await refusal(scope, receive, send)
            # The form around a file adds some hundred bytes.
            too_large = int(length) > self._max_bytes + 2**16
            if too_large or not self._visits.may_upload(session, file, int(length)):
                if not too_large and self._visits.was_refused(session, file):
                    return await _pass_by(scope, receive, send)
                refusal = PlainTextResponse("Too large\n", status_code=413)
                return await refusal(scope, receive, send)
        status = 0

        async def watching(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, watching)
        finally:
            if scope["method"] == "DELETE" or not 200 <= status < 300:
                self._visits.given_back(session, file)
        return None


async def _pass_by(scope: Scope, receive: Receive, send: Send) -> None:
    """Take a file in and keep nothing of it. Of a refusal Streamlit's uploader shows its number
    only; told that the file came, it asks the page, which finds it missing and says why."""
    while (await receive()).get("more_body"):
        continue
    await Response(status_code=204)(scope, receive, send)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _only_known(receive: Receive) -> Receive:
    """Messages of a browser, without those that are not for visitors."""

    async def receiving() -> Message:
        while True:
            message = await receive()
            data = message.get("bytes")
            if message["type"] != "websocket.receive" or not data or _is_for_visitors(data):
                return message

    return receiving


def _is_for_visitors(data: bytes) -> bool:
    try:
        return BackMsg.FromString(data).WhichOneof("type") in MESSAGES
    except DecodeError:
        return False


# --- what browsers are told -------------------------------------------------------------------


def security_headers(frame_ancestors: Iterable[str] = ()) -> dict[str, str]:
    """Headers of every answer. The page takes nothing from another host; its own components are
    scripts that Streamlit hands over as blobs, and its styles are written by scripts."""
    policy = {
        "default-src": "'self'",
        "script-src": " ".join(["'self'", "blob:", *_hashes_of_scripts()]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": " ".join(["'self'", *frame_ancestors]),
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def _hashes_of_scripts() -> list[str]:
    """Sources for a policy that allow the scripts written into Streamlit's own page and no other
    one."""
    page = Path(streamlit.__file__).parent / "static" / "index.html"
    scripts = re.findall(r"<script>(.*?)</script>", page.read_text("utf-8"), re.DOTALL)
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
