"""Words as a query: what is understood of them by the catalogue's own vocabulary."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fitting_room.search.vocabulary import Values, Vocabulary

#: Letters and words of a text that are read, words of a phrase, and wishes that are kept.
MOST_LETTERS, MOST_WORDS, LONGEST_PHRASE, MOST_WISHES = 200, 40, 4, 12

#: A word with what is joined to it by hyphens and apostrophes, a dash before it that says "not", or
#: a sign that ends what a negation is about.
_TOKEN = re.compile(
    r"(?:(?<=\s)|^)[-!](?=\w)|\bnon(?=-\w)|[^\W_]+(?:[-'’&/.][^\W_]+)*|[,;.:!?()]", re.I
)
_ENDS = frozenset(",;.:!?()")
#: Words after which a negation goes on: "not black or grey".
_GOES_ON = frozenset({"or", "nor", "and"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What some ``words`` of a query ask for: an item with any of the ``values``, by column; or,
    where the catalogue has no such value, one with these words in its name or number. With
    ``negative`` it is one without. ``meant`` are the words as they were understood, where they
    seemed to be misspelt. ``begun`` says that the last word may go on."""

    words: str
    values: tuple[Values, ...] = ()
    negative: bool = False
    meant: str | None = None
    begun: bool = False

    @property
    def of_names(self) -> bool:
        """Whether it is looked for in the items' names."""
        return not self.values

    @property
    def text(self) -> str:
        """The wish in words: ``not navy``."""
        return f"not {self.words}" if self.negative else self.words

    @property
    def in_words(self) -> str:
        """What is understood by it, for people: ``not Navy Blue``."""
        values = list(dict.fromkeys(value for _, of_column in self.values for value in of_column))
        # A sub-category "Dress" and a type "Dresses" are one thing to a shopper.
        longest = [v for v in values if not any(v != w and w.startswith(v) for w in values)]
        understood = " or ".join(longest[:3]) if values else f"“{self.meant or self.words}”"
        if len(longest) > 3:
            understood += f" or {len(longest) - 3} more"
        return f"not {understood}" if self.negative else understood


@dataclass(frozen=True, slots=True)
class Understood:
    """The ``wishes`` of a text, in its order, and the ``unknown`` words, which say nothing here.
    For a network that reads words, ``wanted`` is the text but for what is ``unwanted``, known here
    or not; ``by_network`` says that the index has one."""

    wishes: tuple[Wish, ...] = ()
    unknown: tuple[str, ...] = ()
    wanted: str = ""
    unwanted: tuple[str, ...] = ()
    by_network: bool = False

    def __bool__(self) -> bool:
        return bool(self.wishes) or self.by_network

    def without(self, wish: Wish) -> str:
        """A text with the other wishes, and with the words that were not understood."""
        others = [other for other in self.wishes if other != wish]
        wanted = [other.text for other in others if not other.negative]
        unwanted = [other.text for other in others if other.negative]
        return ", ".join(filter(None, [" ".join([*wanted, *self.unknown]), *unwanted]))

    def as_dict(self) -> dict[str, Any]:
        """What was understood and what was not, as plain values."""
        wishes = [
            {"words": wish.words, "meant": wish.meant, "not": wish.negative,
             "values": {column: list(values) for column, values in wish.values}}
            for wish in self.wishes
        ]  # fmt: skip
        unknown = [] if self.by_network else list(self.unknown)
        return {"understood": wishes, "not_understood": unknown}

    @property
    def message(self) -> str | None:
        """A sentence for people of what was not understood, if anything."""
        if not self.unknown or self.by_network:
            return None
        words = ", ".join(f"“{word}”" for word in self.unknown)
        return f"Nothing in this catalogue is called {words}."


def understand(text: str, vocabulary: Vocabulary) -> Understood:
    """What a text asks for. Of several ways to read it the longest phrases count: "navy blue" is
    one colour. What says nothing of an item ("like this but in") is passed over."""
    return _Reader(vocabulary, _TOKEN.findall(text[:MOST_LETTERS])[:MOST_WORDS]).read()


class _Reader:
    """Reads the tokens of one text."""

    def __init__(self, vocabulary: Vocabulary, tokens: Sequence[str]) -> None:
        self.vocabulary, self.tokens = vocabulary, tokens
        self.parts = [parts_of(token) for token in tokens]
        self.wishes: list[Wish] = []
        self.unknown: list[str] = []
        self.wanted: list[str] = []
        self.unwanted: list[str] = []
        self.negative, self.begun = False, False

    def read(self) -> Understood:
        place = 0
        while place < len(self.tokens):
            place += self._sign(place) or self._phrase(place) or self._word(place)
        wishes = tuple(dict.fromkeys(self.wishes))[:MOST_WISHES]
        unknown = tuple(dict.fromkeys(self.unknown))[:MOST_WISHES]
        asked = bool(wishes or unknown)  # else there is nothing but "like this"
        wanted = " ".join(self.wanted) if asked else ""
        return Understood(wishes, unknown, wanted, tuple(dict.fromkeys(self.unwanted)))

    def _sign(self, place: int) -> int:
        token, synonyms = self.tokens[place], self.vocabulary.synonyms
        word = token.casefold().partition("'")[0].partition("’")[0]
        if (token in ("-", "!") and place + 1 < len(self.tokens)) or word in synonyms.negations:
            self.negative, self.begun = True, False
        elif token in _ENDS:
            self.negative = self.negative and not self.begun
        elif word in synonyms.fillers and not self._phrase_length(place):
            if self.begun and word in _GOES_ON:
                self.begun = False  # the next one belongs to the same negation
            elif self.begun:
                self.negative = False
            if not self.negative:
                self.wanted.append(token)
        else:
            return 0
        return 1

    def _phrase_length(self, place: int) -> int:
        """How many tokens from there on are a phrase of several words that says something."""
        for length in range(LONGEST_PHRASE, 1, -1):
            if self._span(place, length) and self._values(place, length):
                return length
        return 0

    def _phrase(self, place: int) -> int:
        """Read the longest phrase from there on that is called like values; its length or 0."""
        length = self._phrase_length(place) or (1 if self._values(place, 1) else 0)
        if length:
            self._add(self.tokens[place : place + length], self._values(place, length))
        return length

    def _word(self, place: int) -> int:
        """Read a single word that is called like no value."""
        token, parts = self.tokens[place], self.parts[place]
        if token in _ENDS or not parts:
            return 1
        values = self.vocabulary.values_with(" ".join(parts))
        if values:
            self._add([token], values)
        elif self.vocabulary.is_named(parts):
            self._add([token], ())
        elif not self._corrected(token, parts) and not self._pieces(parts):
            if place == len(self.tokens) - 1 and self.vocabulary.is_named(parts, begun=True):
                self._add([token], (), begun=True)
            else:
                self._say(token)
                self.unknown.append(token)
        return 1

    def _corrected(self, token: str, parts: Sequence[str]) -> bool:
        meant = self.vocabulary.corrected(parts[0]) if len(parts) == 1 else None
        if meant is None:
            return False
        values = self.vocabulary.values_of([meant]) or self.vocabulary.values_with(meant)
        self._add([token], values, meant=meant)
        return True

    def _pieces(self, parts: Sequence[str]) -> bool:
        """Read the pieces of ``red-black`` one by one."""
        if len(parts) < 2:
            return False
        pieces = [(part, self.vocabulary.values_of([part])) for part in parts]
        known = [(part, values) for part, values in pieces
                 if values or self.vocabulary.is_named([part])]  # fmt: skip
        if known:
            self._say("-".join(parts))
        self.wishes += [Wish(part, values, self.negative) for part, values in known]
        return bool(known)

    def _add(
        self, tokens: Sequence[str], values: tuple[Values, ...], meant: str | None = None,
        *, begun: bool = False,
    ) -> None:  # fmt: skip
        self._say(meant or " ".join(tokens))
        self.wishes.append(Wish(" ".join(tokens), values, self.negative, meant, begun))

    def _say(self, words: str) -> None:
        """Take words as wanted or unwanted. A negation is about the next phrase, and about others
        only after "or" and the like."""
        self.negative = self.negative and not self.begun
        self.begun = True
        (self.unwanted if self.negative else self.wanted).append(words)

    def _span(self, place: int, length: int) -> bool:
        tokens = self.tokens[place : place + length]
        return len(tokens) == length and not any(t in _ENDS or t in ("-", "!") for t in tokens)

    def _values(self, place: int, length: int) -> tuple[Values, ...]:
        words = [part for parts in self.parts[place : place + length] for part in parts]
        found = self.vocabulary.values_of(words)
        # "hand bags" are handbags; "t-shirt" is one word here and two there.
        return found or (self.vocabulary.values_of(["".join(words)]) if len(words) > 1 else ())


def parts_of(token: str) -> list[str]:
    """A token's words: ``v-neck`` has two, and ``women's`` one."""
    words = re.split(r"[^\w]|_", token.casefold())
    kept = [word for word in words if word]
    return kept[:-1] if len(kept) > 1 and kept[-1] == "s" else kept
