"""Names of items as terms that a database looks up: stems of words, and pairs of words beside each
other, so that a phrase is found by an index over lists of words, which engines have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from fitting_room.util.stems import stem

#: Letters of a name that are looked at, words of it that are kept, and letters of a word.
LONGEST_NAME, MOST_WORDS, LONGEST_WORD = 400, 40, 40
_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case, as they are looked up."""
    return [word[:LONGEST_WORD] for word in _WORD.findall(text[:LONGEST_NAME].casefold())]


def terms_of_name(*texts: str) -> list[str]:
    """All terms of an item's name, each once; of several texts the words do not stand beside each
    other."""
    terms: dict[str, None] = {}
    for text in texts:
        terms |= dict.fromkeys(_terms([stem(word) for word in words_of(text)[:MOST_WORDS]]))
    return list(terms)


def terms_of_words(words: Sequence[str]) -> list[str]:
    """The terms that the name of an item has in which these words stand beside each other."""
    stems = [stem(word) for phrase in words for word in words_of(phrase)]
    return stems if len(stems) < 2 else [f"{a} {b}" for a, b in pairwise(stems)]


def _terms(stems: Sequence[str]) -> list[str]:
    return [*stems, *(f"{a} {b}" for a, b in pairwise(stems))]
