"""The words of a catalogue, in SQLite's full-text index (FTS5): the values of its columns, which
may be several words, with their synonyms.

FTS5 splits texts, takes endings off (Porter 1980) and finds phrases; the index is in memory and is
made when the first words are looked up. Of a query only letters and digits ever reach it. The names
of the items, and who has which value, are where the items live
(:class:`fitting_room.index.item_store.ItemStore`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import chain

from fitting_room.catalogue.schema import name_columns
from fitting_room.index.filters import AnyOf, Filter, Named, Not, OneOf, both
from fitting_room.index.item_store import ItemStore
from fitting_room.index.names import quoted, words_of
from fitting_room.search.synonyms import Synonyms
from fitting_room.util.stems import WordsUnavailableError

__all__ = ["Values", "Vocabulary", "WordsUnavailableError"]

#: A column's values are words of the vocabulary where there are no more than these, of no more
#: letters: others are descriptions, addresses, numbers.
MOST_VALUES, LONGEST_VALUE = 5_000, 40
#: Filters whose rows were counted are remembered.
COUNTS_KEPT = 1_024
#: A word with fewer letters than these is not taken for a misspelt one; so many words of names,
#: the commonest, are what a misspelt one may have meant.
SHORTEST_MISSPELT, MOST_MEANT = 4, 5_000

#: A value that has at least this share of another column's items is all that is meant by both.
MOSTLY = 0.5

#: Values of one column, any of which is meant.
Values = tuple[str, tuple[str, ...]]

_TABLES = """
CREATE VIRTUAL TABLE phrases USING fts5(phrase, tokenize = "porter unicode61");
CREATE VIRTUAL TABLE tokens USING fts5vocab(phrases, instance);
CREATE TABLE meanings(phrase INTEGER, place INTEGER, kind INTEGER);
CREATE TABLE sizes(phrase INTEGER PRIMARY KEY, size INTEGER);
"""
#: What a phrase is to a value: its own, another one for it, or one that stands for several.
_OWN, _NARROWER = 0, 1


class Vocabulary:
    """The words of a catalogue: of the ``columns`` that say what its items are, and of the items'
    names and ids. Safe to share between threads. Raises :class:`WordsUnavailableError`."""

    def __init__(self, store: ItemStore, columns: Sequence[str], synonyms: Synonyms) -> None:
        self.store, self.size, self.synonyms = store, len(store), synonyms
        names = set(name_columns(columns))
        found = {column: tuple(store.values(column)) for column in columns if column not in names}
        self.columns = {column: values for column, values in found.items() if _are_words(values)}
        self._values = [(c, value) for c, values in self.columns.items() for value in values]
        self._lock = threading.Lock()
        self.count = lru_cache(COUNTS_KEPT)(store.count)
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        try:
            self._database.executescript(_TABLES)
        except sqlite3.OperationalError as error:
            raise WordsUnavailableError(error) from error
        with self._database:
            self._add_values()
            self._add_synonyms()

    def values_of(self, words: Sequence[str]) -> tuple[Values, ...]:
        """What a phrase of these words says: the values that are called so, or the same by a
        synonym, or else those that it stands for; by column, in the catalogue's order."""
        places = self._meant(words, _OWN) or self._meant(words, _NARROWER)
        return self._without_remnants(self._by_column(places))

    def values_with(self, word: str) -> tuple[Values, ...]:
        """The values that have this word in them: "laptop" means "Laptop Bag"."""
        query = """SELECT meanings.place FROM phrases
            JOIN meanings ON meanings.phrase = phrases.rowid
            WHERE phrases MATCH ? AND kind = 0"""
        return self._by_column(self._places(query, quoted([word])))

    def is_named(self, words: Sequence[str], *, begun: bool = False) -> bool:
        """Whether some item's name or id has these words beside each other; with ``begun`` the last
        word may go on."""
        return self.count(Named(tuple(words), begun)) > 0

    def corrected(self, word: str) -> str | None:
        """The word that a misspelt one seems to mean: one letter is missing, too much, wrong, or
        has changed places with the next. ``None`` where there is none."""
        if len(word) < SHORTEST_MISSPELT:
            return None
        near = chain.from_iterable(self._spellings.get(form, ()) for form in _deletions(word))
        # The same first letter is likelier, then a word of the catalogue's values, then a common
        # one: they are numbered in that order.
        best = min(near, key=lambda at: (self._words[at][0] != word[0], at), default=None)
        return None if best is None else self._words[best]

    def filter(self, values: Iterable[Values]) -> Filter:
        """What has any of some values."""
        return AnyOf(tuple(OneOf(column, wanted) for column, wanted in values))

    def _without_remnants(self, found: tuple[Values, ...]) -> tuple[Values, ...]:
        """Of a column whose values hold all that another's do, and little more, the other counts: a
        sub-category "Dress" has dresses, and some jumpsuits, which are none."""
        if len(found) < 2:
            return found
        parts = [OneOf(*values) for values in found]
        sizes = [self.count(part) for part in parts]

        def is_remnant(place: int) -> bool:
            size, rest = sizes[place], Not(parts[place])
            return any(
                size > of_part >= MOSTLY * size and not self.count(both(part, rest))
                for part, of_part in zip(parts, sizes, strict=True)
            )

        return tuple(values for place, values in enumerate(found) if not is_remnant(place))

    # --- making it ----------------------------------------------------------------------------

    def _add_values(self) -> None:
        phrases = [value for _, value in self._values]
        # What is written in two words is also written in one.
        joined = [(value.replace(" ", ""), place) for place, value in enumerate(phrases)
                  if " " in value]  # fmt: skip
        texts = [*phrases, *(text for text, _ in joined)]
        places = [*range(len(phrases)), *(place for _, place in joined)]
        self._add(texts, [(place, _OWN) for place in places])

    def _add_synonyms(self) -> None:
        """Phrases are added for the values that are there, whichever way these are written."""
        texts: list[str] = []
        meanings: list[tuple[int, int]] = []
        for group in self.synonyms.same:
            members = {phrase: self._meant(words_of(phrase), _OWN) for phrase in group}
            for place in sorted(set(chain.from_iterable(members.values()))):
                others = [phrase for phrase, own in members.items() if place not in own]
                texts += others
                meanings += [(place, _OWN)] * len(others)
        for phrase, values in (self.synonyms.narrower or {}).items():
            for value in values:
                for place in self._meant(words_of(value), _OWN):
                    texts.append(phrase)
                    meanings.append((place, _NARROWER))
        self._add(texts, meanings)

    def _add(self, texts: Sequence[str], meanings: Sequence[tuple[int, int]]) -> None:
        first = self._database.execute("SELECT coalesce(max(rowid), 0) + 1 FROM phrases")
        start = int(first.fetchone()[0])
        self._database.executemany(
            "INSERT INTO phrases(rowid, phrase) VALUES (?, ?)",
            enumerate((text.casefold() for text in texts), start),  # as what is looked up
        )
        self._database.executemany(
            "INSERT INTO meanings VALUES (?, ?, ?)",
            ((number, *meaning) for number, meaning in enumerate(meanings, start)),
        )
        self._database.execute("DELETE FROM sizes")
        self._database.execute("INSERT INTO sizes SELECT doc, count(*) FROM tokens GROUP BY doc")

    # --- asking it ----------------------------------------------------------------------------

    def _meant(self, words: Sequence[str], kind: int) -> list[int]:
        query = """SELECT DISTINCT meanings.place FROM phrases
            JOIN sizes ON sizes.phrase = phrases.rowid
            JOIN meanings ON meanings.phrase = phrases.rowid
            WHERE phrases MATCH ? AND size = ? AND kind = ? ORDER BY meanings.place"""
        return self._places(query, quoted(words), len(words), kind) if words else []

    def _places(self, query: str, *arguments: str | int) -> list[int]:
        with self._lock:
            return [place for (place,) in self._database.execute(query, arguments)]

    def _by_column(self, places: Sequence[int]) -> tuple[Values, ...]:
        found: dict[str, list[str]] = {}
        for place in sorted(set(places)):
            column, value = self._values[place]
            found.setdefault(column, []).append(value)
        return tuple((column, tuple(values)) for column, values in found.items())

    @cached_property
    def _words(self) -> list[str]:
        """The words that a misspelt one may mean."""
        with self._lock:
            phrases = self._database.execute("SELECT phrase FROM phrases").fetchall()
            # Also without their endings, as in "trouser".
            phrases += self._database.execute("SELECT DISTINCT term FROM tokens").fetchall()
        of_values = chain.from_iterable(words_of(phrase) for (phrase,) in phrases)
        known = [*of_values, *self.store.common_words(MOST_MEANT)]
        return list(dict.fromkeys(w for w in known if len(w) >= SHORTEST_MISSPELT and w.isalpha()))

    @cached_property
    def _spellings(self) -> dict[str, list[int]]:
        """The places of words by what is left of them without one of their letters. Two words are
        one letter apart only where they have one of these in common (Garbe 2012, SymSpell)."""
        found: dict[str, list[int]] = {}
        for place, word in enumerate(self._words):
            for form in _deletions(word):
                found.setdefault(form, []).append(place)
        return found


def _deletions(word: str) -> set[str]:
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}


def _are_words(values: Sequence[str]) -> bool:
    return 1 < len(values) <= MOST_VALUES and max(map(len, values)) <= LONGEST_VALUE
