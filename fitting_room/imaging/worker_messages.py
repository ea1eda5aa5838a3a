"""Messages between the program and a worker: a description in JSON and bytes, each with its length
before it."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from subprocess import Popen
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


def end(process: Popen[bytes]) -> None:
    """End a process that is talked to through its pipes, and wait for it."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was not written yet
                pipe.close()
    process.wait()
