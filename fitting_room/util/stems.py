"""Stems of English words (Porter 1980), as SQLite's full-text index FTS5 makes them: what is found
in a table on this machine is then found in a database as well."""

from __future__ import annotations

import sqlite3
import threading
from functools import lru_cache

#: Stems that are kept.
KEPT = 100_000

_TABLES = """
CREATE VIRTUAL TABLE words USING fts5(word, tokenize = "porter unicode61");
CREATE VIRTUAL TABLE terms USING fts5vocab(words, instance);
"""
_lock = threading.Lock()


class WordsUnavailableError(RuntimeError):
    """This Python's SQLite has no full-text index."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"Words cannot be searched with: SQLite {sqlite3.sqlite_version} of this Python has no "
            f"full-text index FTS5 ({error}). Use a Python from python.org, conda or your system, "
            "which have one."
        )


@lru_cache(1)
def _database() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    try:
        database.executescript(_TABLES)
    except sqlite3.OperationalError as error:
        raise WordsUnavailableError(error) from error
    return database


@lru_cache(KEPT)
def stem(word: str) -> str:
    """A word, letters and digits alone, without its ending: ``dresses`` -> ``dress``. Raises
    :class:`WordsUnavailableError`.

    >>> stem("Shirts")
    'shirt'
    """
    with _lock:
        database = _database()
        database.execute("INSERT INTO words(rowid, word) VALUES (1, ?)", [word])
        found = database.execute("SELECT term FROM terms").fetchone()
        database.execute("DELETE FROM words")
    return str(found[0]) if found else word.casefold()
