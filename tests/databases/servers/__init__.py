"""Real servers for the tests, one file a kind: its address's ``SCHEME``, an address ``NOWHERE`` at
which nothing answers, with a password where addresses of its kind have one, and
``running(folder)``, which starts the server and gives what makes the address of an index of a name;
where it cannot be had, ``running`` skips the test with a line that says why."""

from __future__ import annotations

import platform
import sys
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

import pytest

#: The kinds of servers by their names.
SERVERS: dict[str, ModuleType] = {
    found.name: import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)
}


def require_linux_x86(package: str) -> None:
    """Skips the test where a package with a server in it has no wheel."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip(f"{package} brings its server for Linux on x86-64 alone")
