"""The address of an index in a database: ``milvus://HOST:PORT/NAME``, ``postgresql://...``."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from fitting_room.databases.database import Engine
from fitting_room.index.manifest import IndexUnusable

#: The module that speaks with each kind of database, by the address's scheme, and the extra that
#: brings its client.
ENGINES = {
    "milvus": ("fitting_room.databases.milvus", "pymilvus", "cluster"),
    "postgresql": ("fitting_room.databases.postgres", "psycopg", "postgres"),
}
#: What an index may be called within a database.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")


class DatabaseError(IndexUnusable):
    """A database that does not answer, or answers what no index of this program says."""


def is_address(index: object) -> bool:
    """Whether an index is in a database and not in a folder."""
    return isinstance(index, str) and urlsplit(index).scheme in ENGINES


def without_password(address: str) -> str:
    """An address as it may be shown and logged."""
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def engine_for(address: str) -> Engine:
    """What makes and opens indexes at an address. Raises :class:`DatabaseError` where its client
    is not installed."""
    module, client, extra = ENGINES[urlsplit(address).scheme]
    try:
        import_module(client)
    except ImportError as error:
        raise DatabaseError(
            f"{without_password(address)}: {client} is not installed. "
            f"Run: pip install 'fitting-room[{extra}]'"
        ) from error
    loaded: Any = import_module(module)
    return loaded.ENGINE  # type: ignore[no-any-return]
