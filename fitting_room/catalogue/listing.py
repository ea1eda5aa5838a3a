"""The pictures of a store, sought and sorted without being held in memory: a table of SQLite that
nobody else sees, in its cache as long as it is small and in a temporary file after that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

#: Memory that the table may take before it goes to its file.
CACHE_KB = 32_768

_SCHEMA = """
create table pictures (
    key blob, name blob, depth integer, preferred integer, signature text, taken integer default 0
)
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture's ``name`` and ``signature``. ``again`` says that its key was given out before."""

    name: str
    signature: str
    again: bool


class Listing:
    """Pictures by a key, which several may share. To be closed, or left as a context.

    Raises ``sqlite3.Error`` where there is no room for temporary files.
    """

    def __init__(
        self,
        pictures: Iterable[tuple[str, str]],
        key: Callable[[str], str],
        prefer: Callable[[str], bool] = bool,
    ) -> None:
        """List names and signatures, each with the ``key`` of its name. Where there is any name to
        ``prefer``, the others do not count."""
        self._db = sqlite3.connect("")
        # What is lost when the computer stops is of no use to anybody.
        for setting in ("journal_mode = off", "synchronous = off", f"cache_size = -{CACHE_KB}"):
            self._db.execute(f"pragma {setting}")
        self._db.execute(_SCHEMA)
        self._db.executemany(
            "insert into pictures (key, name, depth, preferred, signature) values (?, ?, ?, ?, ?)",
            (
                (_bytes(key(name)), _bytes(name), name.count("/"), prefer(name), signature)
                for name, signature in pictures
            ),
        )
        if self._one("select max(preferred) from pictures"):
            self._db.execute("delete from pictures where not preferred")
        self._db.execute("create index by_key on pictures (key, depth, name)")

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def __len__(self) -> int:
        """How many pictures there are."""
        return self._one("select count(*) from pictures")

    @property
    def keys(self) -> int:
        """How many different keys they have."""
        return self._one("select count(distinct key) from pictures")

    def take(self, key: str) -> Listed | None:
        """The picture with a key, if there is one. Of several it is the one nearest to the top, and
        among those the first by name."""
        found = self._db.execute(
            "select rowid, name, signature, taken from pictures where key = ? "
            "order by depth, name limit 1",
            (_bytes(key),),
        ).fetchone()
        if found is None:
            return None
        row, name, signature, taken = found
        if not taken:
            self._db.execute("update pictures set taken = 1 where rowid = ?", (row,))
        return Listed(_text(name), signature, bool(taken))

    def in_order(self) -> Iterator[tuple[str, Listed]]:
        """Every picture with its key, in the order of their names."""
        rows = self._db.execute(
            "select key, name, signature, name > min(name) over (partition by key) "
            "from pictures order by name"
        )
        for key, name, signature, again in rows:
            yield _text(key), Listed(_text(name), signature, bool(again))

    def _one(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0] or 0)


def _bytes(name: str) -> bytes:
    """A name with all that a file system may have put into it, in the same order as the text."""
    return name.encode("utf-8", "surrogatepass")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")
