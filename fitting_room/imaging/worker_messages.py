"""Messages between the program and a worker: a description in JSON and bytes, each with its length
before it."""

from __future__ import annotations

import json
import struct
from typing import IO, Any

Description = dict[str, Any]

_LENGTHS = struct.Struct(">QQ")


def read(file: IO[bytes]) -> tuple[Description, bytes] | None:
    """The next message, or ``None`` where there is none, or only a part of one."""
    head = file.read(_LENGTHS.size)
    if len(head) < _LENGTHS.size:
        return None
    said, size = _LENGTHS.unpack(head)
    described, body = file.read(said), file.read(size)
    return (json.loads(described), body) if len(body) == size else None


def write(file: IO[bytes], described: Description, body: bytes) -> None:
    """Send a message."""
    said = json.dumps(described).encode()
    file.write(_LENGTHS.pack(len(said), len(body)) + said)
    file.write(body)
    file.flush()
