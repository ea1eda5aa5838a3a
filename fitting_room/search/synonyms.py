"""Other words for what a catalogue says, from a file that a shop may extend by its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

#: A file of synonyms is not read beyond this, nor a phrase, nor are more of them taken.
LARGEST_FILE, LONGEST_PHRASE, MOST_PHRASES = 2**20, 60, 20_000


class SynonymsError(ValueError):
    """A file of synonyms that cannot be used; names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class Synonyms:
    """``same`` are groups of phrases that say the same, ``narrower`` the values of a catalogue that
    a phrase stands for where the catalogue does not have it, ``negations`` and ``fillers`` single
    words."""

    same: tuple[tuple[str, ...], ...] = ()
    narrower: Mapping[str, tuple[str, ...]] | None = None
    negations: frozenset[str] = frozenset()
    fillers: frozenset[str] = frozenset()

    def and_those_of(self, other: Synonyms) -> Synonyms:
        """Both; where both say what a phrase stands for, the ``other`` counts."""
        return Synonyms(
            (*self.same, *other.same),
            {**(self.narrower or {}), **(other.narrower or {})},
            self.negations | other.negations,
            self.fillers | other.fillers,
        )


@cache
def packaged() -> Synonyms:
    """The synonyms that come with the program."""
    return read(Path(__file__).with_name("synonyms.json"))


def extended(path: Path | None) -> Synonyms:
    """The packaged synonyms with those of a shop's own file, if any. Raises
    :class:`SynonymsError`."""
    return packaged() if path is None else packaged().and_those_of(read(path))


def read(path: Path) -> Synonyms:
    """Synonyms of a JSON file with any of these: ``{"same": [["tee", "t shirt"]], "narrower":
    {"sneakers": ["Sports Shoes"]}, "not": ["sans"], "filler": ["please"]}``. Raises
    :class:`SynonymsError`."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise SynonymsError(f"{path}: a file of synonyms has 1 MB at most.")
        content: Any = json.loads(data)
        return _checked(content)
    except SynonymsError:
        raise
    except OSError as error:
        raise SynonymsError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError, TypeError) as error:
        raise SynonymsError(
            f'{path}: no file of synonyms. Write JSON: {{"same": [["tee", "t shirt"]], '
            '"narrower": {"sneakers": ["Sports Shoes"]}}.'
        ) from error


def _checked(content: Any) -> Synonyms:
    if not isinstance(content, dict) or not content.keys() <= {"same", "narrower", "not", "filler"}:
        raise ValueError("no synonyms")
    narrower = content.get("narrower", {})
    if not isinstance(narrower, dict):
        raise TypeError("no synonyms")
    same = _list(content.get("same", []))
    found = Synonyms(
        tuple(tuple(_phrases(group)) for group in same),
        {phrase: tuple(_phrases(values)) for phrase, values in narrower.items()},
        frozenset(word.casefold() for word in _phrases(content.get("not", []))),
        frozenset(word.casefold() for word in _phrases(content.get("filler", []))),
    )
    if sum(map(len, found.same)) + len(narrower) > MOST_PHRASES:
        raise ValueError("too many synonyms")
    return found


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _phrases(values: Any) -> Iterable[str]:
    for value in _list(values):
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_PHRASE:
            raise TypeError("no phrase")
        yield value
