"""Connections to a server whose socket names no protocol send at once, too."""

from __future__ import annotations

import asyncio
import socket
import weakref

import pytest

from fitting_room.ui.serving.sockets import send_at_once
from tests.ui.serving.loops import in_a_loop_of_its_own


class _Gone:
    """Something that a weak proxy is left of."""


def test_connections_send_at_once() -> None:
    seen: list[bool] = []
    # Whatever else a process holds, like a proxy that raises when it is asked for its class.
    proxy = weakref.proxy(_Gone())

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        seen.append(bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        writer.close()

    async def visit(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.read()
        writer.close()

    async def check() -> None:
        sending = asyncio.create_task(send_at_once())  # before anybody listens
        await asyncio.sleep(0)
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)  # as Streamlit does
        bound.bind(("127.0.0.1", 0))
        server = await asyncio.start_server(serve, sock=bound)
        port = bound.getsockname()[1]
        await visit(port)
        await sending
        await visit(port)
        server.close()

    in_a_loop_of_its_own(check)
    assert seen[-1] is True
    with pytest.raises(ReferenceError):
        isinstance(proxy, int)
