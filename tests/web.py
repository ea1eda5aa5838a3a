"""Web servers for the tests."""

from __future__ import annotations

from http.server import ThreadingHTTPServer
from typing import Any


class QuietServer(ThreadingHTTPServer):
    """Says nothing where a client goes away within an answer: it would say it into another test."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass
