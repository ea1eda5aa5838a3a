"""Filters in Milvus' language, and the fields that they ask.

A value of a column is kept as a key, which says whether there is one: Milvus 2.3 has no missing
values, and a field is of bounded length. Of a long value the key is a digest, so that it is found
whatever its length; what is shown comes from the row's whole text (:mod:`~.milvus`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any

from fitting_room.databases.address import DatabaseError
from fitting_room.databases.terms import terms_of_words, words_of
from fitting_room.index.filters import (
    AllOf,
    AnyOf,
    Filter,
    FilterError,
    FirstPictures,
    Named,
    Not,
    OneOf,
    Rows,
)
from fitting_room.util.stems import stem

#: Bytes of a value that is kept as it is, in a field of its own and in the one for the others.
LONGEST_KEY, LONGEST_OTHER = 200, 64
#: Bytes of a key's field and of a term, terms of a row, and letters of the beginning of a word.
KEY_BYTES, TERM_BYTES, MOST_TERMS, LONGEST_BEGINNING = 256, 400, 4_096, 12
#: Characters of an expression: some hundred thousand rows, which Milvus reads in about a second.
LONGEST_EXPRESSION = 1_500_000
EVERY_ROW, NO_ROW = "row >= 0", "row < 0"


def key_of(value: str | None, longest: int = LONGEST_KEY) -> str:
    """A value as it is compared: nothing where it is missing.

    >>> key_of("Red"), key_of(None)
    ('=Red', '')
    """
    if value is None:
        return ""
    data = value.encode("utf-8", "surrogatepass")
    if len(data) <= longest and not any("\ud800" <= letter <= "\udfff" for letter in value):
        return f"={value}"
    return f"#{sha256(data).hexdigest()}"


def beginnings(terms: Iterable[str]) -> list[str]:
    """What the last word of each term may begin with, since Milvus compares elements of an array
    as a whole: "blue dress" -> "blue d", "blue dr", ..."""
    found: dict[str, None] = {}
    for term in terms:
        before, blank, last = term.rpartition(" ")
        for length in range(1, min(len(last), LONGEST_BEGINNING) + 1):
            found[before + blank + last[:length]] = None
    return list(found)


class Fields:
    """Which field holds the key of a column: of so many as there is ``room`` for one of its own
    with an index, of the others a JSON field together."""

    def __init__(self, columns: Sequence[str], room: int) -> None:
        self.own = {f"c{i}": column for i, column in enumerate(columns[:room])}
        self.others = {f"c{i}": column for i, column in enumerate(columns) if i >= room}
        self._asked = {column: (field, LONGEST_KEY) for field, column in self.own.items()} | {
            column: (f'more["{name}"]', LONGEST_OTHER) for name, column in self.others.items()
        }
        #: The columns that have a field of their own.
        self.of_column = {column: field for field, column in self.own.items()}

    def of_row(self, cells: Sequence[str | None]) -> dict[str, Any]:
        """The fields of a row of so many cells as there are columns."""
        own = {name: key_of(cells[i]) for i, name in enumerate(self.own)}
        others = cells[len(self.own) :]
        more = zip(self.others, others, strict=True)
        return own | {"more": {name: key_of(cell, LONGEST_OTHER) for name, cell in more}}

    def expression(self, where: Filter) -> str:
        """A filter as Milvus reads it, of everything nothing. Raises :class:`FilterError` for a
        column that there is not, and :class:`DatabaseError` for what is too long to be read."""
        if where == AllOf():
            return ""
        text = self._text(where)
        if len(text) > LONGEST_EXPRESSION:
            raise DatabaseError(
                f"A filter of {len(text):,} characters is too long for Milvus. Ask for fewer values"
            )
        return text

    def _text(self, where: Filter) -> str:  # noqa: PLR0911
        match where:
            case OneOf(column, values):
                return self._one_of(column, values)
            case Named(words, begun):
                return _named(words, begun)
            case Rows(rows):
                return f"row in {[int(row) for row in rows]}"
            case FirstPictures():
                return "first == true"
            case AllOf(filters):
                return " and ".join(f"({self._text(each)})" for each in filters) or EVERY_ROW
            case AnyOf(filters):
                return " or ".join(f"({self._text(each)})" for each in filters) or NO_ROW
            case Not(filter):
                return f"not ({self._text(filter)})"
        raise TypeError(f"{where!r} is no filter")

    def _one_of(self, column: str, values: Sequence[str]) -> str:
        if column not in self._asked:
            raise FilterError(f"The catalogue has no column {column!r}.")
        field, longest = self._asked[column]
        return f"{field} in {_list(key_of(value, longest) for value in values)}"


def _named(words: Sequence[str], begun: bool) -> str:
    if not begun:
        terms = terms_of_words(words)
        return f"array_contains_all(terms, {_list(terms)})" if terms else NO_ROW
    stems = [stem(word) for phrase in words for word in words_of(phrase)]
    if not stems:
        return NO_ROW
    before, last = stems[:-1], stems[-1][:LONGEST_BEGINNING]
    pairs = [f"{a} {b}" for a, b in pairwise(before)]
    whole = f"array_contains_all(terms, {_list(pairs)}) and " if pairs else ""
    return f"{whole}array_contains(begins, {_quoted(' '.join([*before[-1:], last]))})"


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _quoted(text: str) -> str:
    # JSON's escapes are among Milvus', which does not know those of what is beyond 16 bits.
    return json.dumps(text, ensure_ascii=False)
