"""The words of the items' names and ids, in SQLite's full-text index (FTS5), in memory.

FTS5 splits texts, takes endings off (Porter 1980) and finds phrases. Of a query only letters and
digits ever reach it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from itertools import chain

import numpy as np
import pandas as pd

from fitting_room.util.stems import WordsUnavailableError

#: Letters of a name that are looked at.
LONGEST_NAME = 400
#: The rows of so many words are kept.
WORDS_KEPT = 64


class Names:
    """The names of a table's items, of some ``columns``. Safe to share between threads. Raises
    :class:`WordsUnavailableError`."""

    def __init__(self, items: pd.DataFrame, columns: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._rows: OrderedDict[tuple[str, bool], np.ndarray] = OrderedDict()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        try:
            self._database.execute(
                "CREATE VIRTUAL TABLE names USING "
                "fts5(name, content = '', tokenize = 'porter unicode61')"
            )
        except sqlite3.OperationalError as error:
            raise WordsUnavailableError(error) from error
        # Joined by Python: pandas takes ten times as long for rows of texts.
        cells = (items[column].fillna("").astype(str).tolist() for column in columns)
        # Folded as what is looked up is: FTS5 itself leaves a ß as it is.
        rows = zip(*cells, strict=True)
        self._names = [" ".join(row)[:LONGEST_NAME].casefold() for row in rows]
        with self._database:
            self._database.executemany(
                "INSERT INTO names(rowid, name) VALUES (?, ?)", enumerate(self._names)
            )

    def rows_of(self, words: Sequence[str], *, begun: bool = False) -> np.ndarray:
        """The rows that have these words beside each other, int64, ascending; with ``begun`` the
        last word may go on."""
        key = (" ".join(words), begun)
        with self._lock:
            if key in self._rows:
                self._rows.move_to_end(key)
                return self._rows[key]
            text = quoted(words) + ("*" if begun else "")
            found = self._database.execute("SELECT rowid FROM names WHERE names MATCH ?", [text])
            rows = np.fromiter(chain.from_iterable(found), np.int64)
            self._rows[key] = rows
            while len(self._rows) > WORDS_KEPT:
                self._rows.popitem(last=False)
        return rows

    def common_words(self, most: int) -> list[str]:
        """The words, the commonest first."""
        counts = Counter(chain.from_iterable(map(words_of, self._names)))
        return [word for word, _ in counts.most_common(most)]


def words_of(phrase: str) -> list[str]:
    """A phrase's words, as they are looked up."""
    return "".join(c if c.isalnum() else " " for c in phrase.casefold()).split()


def quoted(words: Sequence[str]) -> str:
    """Words as a phrase of FTS5's language: there are letters and digits between its quotes, and
    nothing else."""
    return '"' + " ".join(words_of(" ".join(words))) + '"'
