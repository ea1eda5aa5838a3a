"""The address of an index in a database: ``milvus://HOST:PORT/NAME`` or
``postgresql://USER:PASSWORD@HOST:PORT/DATABASE/NAME``."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

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
_POSTGRES = re.compile(
    r"(?P<database>postgresql://[^/?#]*/[^/?#]+)/(?P<name>[^/?#]*)(?P<options>\?[^#]*)?"
)


class DatabaseError(IndexUnusable):
    """A database that does not answer, or answers what no index of this program says."""


def is_address(index: object) -> bool:
    """Whether an index is in a database and not in a folder."""
    return isinstance(index, str) and index.partition("://")[0] in ENGINES


def without_password(address: str) -> str:
    """An address as it may be shown and logged. Of one that is written wrongly, such as with a
    slash in the password, rather too much is left out."""
    shown = re.sub(r"//.*@", "//", address, flags=re.DOTALL)
    return re.sub(r"(?i)(password=)[^&]*", r"\1***", shown)


def in_postgres(address: str) -> tuple[str, str]:
    """The URI of a database, as libpq reads it, and the name of an index in it: the last part of
    the path. Raises :class:`DatabaseError` where it is another address.

    >>> in_postgres("postgresql://shop@db.example/goods/summer?sslmode=require")
    ('postgresql://shop@db.example/goods?sslmode=require', 'summer')
    """
    parts = _POSTGRES.fullmatch(address)
    if not parts or not NAME.fullmatch(parts["name"]):
        raise DatabaseError(
            f"{without_password(address)}: write "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE/NAME, with a name for the index of at "
            "most 41 letters, digits and _, that begins with a letter. Other signs in a password "
            "are written as in addresses: %23 for #, %2F for /."
        )
    return f"{parts['database']}{parts['options'] or ''}", parts["name"]


def engine_for(address: str) -> Engine:
    """What makes and opens indexes at an address. Raises :class:`DatabaseError` where its client
    is not installed."""
    module, client, extra = ENGINES[address.partition("://")[0]]
    try:
        import_module(client)
    except ImportError as error:
        raise DatabaseError(
            f"{without_password(address)}: {client} is not installed. "
            f"Run: pip install 'fitting-room[{extra}]'"
        ) from error
    loaded: Any = import_module(module)
    return loaded.ENGINE  # type: ignore[no-any-return]
