"""Answers leave at once.

asyncio has the system send small pieces at once (TCP_NODELAY) on sockets whose protocol is named.
Streamlit binds its own without naming it, and what is written in two pieces, as every answer and
many messages of a page are, then waits until the first is confirmed: 40 ms on Linux.
"""

from __future__ import annotations

import asyncio
import gc
import socket

#: Seconds between two looks for the server's socket, and looks at most.
EVERY, LOOKS = 0.1, 100
_TCP = (socket.AF_INET, socket.AF_INET6)


async def send_at_once() -> None:
    """Once this process listens, have the connections to it send at once: they inherit that from
    the socket that accepts them. A server behind a socket of the file system has none."""
    for _ in range(LOOKS):
        # Nobody hands the server over to what it serves.
        # By their type: to ask a weak proxy whose object has gone for its class raises.
        servers = [each for each in gc.get_objects() if issubclass(type(each), asyncio.Server)]
        listening = [each for server in servers for each in server.sockets]
        for each in listening:
            if each.family in _TCP:
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if listening:
            return
        await asyncio.sleep(EVERY)
