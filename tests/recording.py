"""Records what a program, and those that it starts, say to other machines."""

from __future__ import annotations

import json
import os
from ipaddress import ip_address
from pathlib import Path
from typing import Any

#: Run by Python at its start, before any other code.
_RECORDER = """
import json, os, sys

EVENTS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"}

def record(event, arguments):
    if event in EVENTS:
        # A socket comes first, where there is one; then a host, or an address that begins with it.
        what = arguments[0] if event.startswith("socket.get") else arguments[1]
        what = what[0] if isinstance(what, tuple) else what
        with open(os.environ["RECORDING"], "a", encoding="utf-8") as file:
            file.write(json.dumps([event, str(what)]) + "\\n")

sys.addaudithook(record)
"""


def environment(folder: Path, *paths: Path) -> dict[str, str]:
    """The environment of a program that is recorded in ``folder``, with a home that is empty
    (``folder / "home"``) and ``paths`` to import from. Nothing of this process's own settings that
    would keep a library quiet is in it."""
    home = folder / "home"
    home.mkdir()
    (folder / "sitecustomize.py").write_text(_RECORDER, encoding="utf-8")
    (folder / "recording").touch()
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LD_LIBRARY_PATH", "TMP")}
    return kept | {
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join(map(str, (folder, *paths))),
        "RECORDING": str(folder / "recording"),
        "OMP_NUM_THREADS": "1",
    }


def said(folder: Path) -> list[Any]:
    """Look-ups of names and connections beyond this machine that were recorded in ``folder``."""
    lines = (folder / "recording").read_text("utf-8").splitlines()
    return [event for event in map(json.loads, lines) if not _is_here(event[1])]


def written_at_home(folder: Path) -> list[str]:
    """What was written into the home of a program that was recorded in ``folder``."""
    home = folder / "home"
    return sorted(str(path.relative_to(home)) for path in home.rglob("*"))


def _is_here(host: str) -> bool:
    if host in ("localhost", "None", "") or host.startswith(("/", "\\0")):
        return True  # a socket that is a file has a path
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
