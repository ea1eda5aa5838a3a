"""What tables may call a catalogue's pictures by, and the pictures of that name.

A table names a picture by an id, a file name, a path of somebody else's machine or an address.
Names are looked up and never joined to a path, so none can lead anywhere.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from urllib.parse import unquote, urlsplit

from fitting_room.catalogue.schema import UNDECODED
from fitting_room.imaging.decode import OTHER_SUFFIXES, SUFFIXES

#: Pictures that one cell may name, and characters of a cell that is a list.
MOST_REFERENCES, LONGEST_LIST = 200, 100_000
_ENDINGS = SUFFIXES | OTHER_SUFFIXES
#: What tells the pictures of one item apart: a number of up to two digits, or a side.
_SIDES = (
    "front|back|side|left|right|top|bottom|detail|details|full|flat|additional|alt|alternate|main|"
    "model|worn|look|zoom|hover|swatch|extra|view|image|img|pic|photo|large|small"
)
_ADDITION = re.compile(rf"(?:[\s_.-]+(?:{_SIDES})?[\s_.-]?\d{{0,2}}|\s*\(\d{{1,2}}\))$", re.I)
_SEPARATOR = re.compile(r"\s*[,;|\n]\s*|\s+(?=https?://)")


def key_of(text: str) -> str:
    """A name as names are compared: whatever the case, and however its accents are composed."""
    text = text.strip()
    return text.casefold() if text.isascii() else unicodedata.normalize("NFC", text).casefold()


def without_ending(name: str) -> str:
    """A file's name without the ending of a picture, if it has one."""
    stem, dot, ending = name.rpartition(".")
    is_ending = dot and (dot + ending).lower() in _ENDINGS
    return stem if is_ending and stem[-1:] not in ("", "/") else name


def is_reference(text: str) -> bool:
    """Whether a text looks like the name, the path or the address of a picture."""
    return is_address(text) or without_ending(plain := _plain(text)) != plain


def is_address(text: str) -> bool:
    return text[:8].lower().startswith(("http://", "https://"))


def references(cell: str) -> list[str]:
    """The pictures that a cell names: one, or a list of them with commas, semicolons, bars or
    line ends between, or in JSON."""
    if cell.isalnum():
        return [cell]
    cell = cell.strip()
    if cell.startswith("[") and cell.endswith("]") and len(cell) <= LONGEST_LIST:
        for parse in (json.loads, ast.literal_eval):
            try:
                named = parse(cell)
            except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
                continue
            if isinstance(named, list) and all(isinstance(text, str) for text in named):
                return [text for text in named[:MOST_REFERENCES] if text.strip()]
    parts = [part for part in _SEPARATOR.split(cell) if part]
    if len(parts) > 1 and all(map(is_reference, parts)):
        return parts[:MOST_REFERENCES]
    return [cell] if cell else []


def _plain(reference: str) -> str:
    """A reference as a relative POSIX path: of an address its path, without what asks for a
    version or a size."""
    text = reference.strip().strip("'\"").replace("\\", "/")
    if is_address(text):
        try:
            return unquote(urlsplit(text).path)
        except ValueError:
            return ""
    before, mark, _ = text.partition("?")
    return before if mark and without_ending(before) != before else text


def number_of(stem: str) -> str | None:
    """The number that a name is, without what spreadsheets take away or add: zeros in front, ``.0``
    behind. ``None`` where it is none."""
    whole = stem.removesuffix(".0")
    return whole.lstrip("0") or "0" if whole.isascii() and whole.isdigit() else None


def bases_of(stem: str) -> list[str]:
    """What a picture's name may be an addition to, the longest first: ``a-1_back`` to ``a-1`` and
    ``a``."""
    bases: list[str] = []
    while len(bases) < 3 and (found := _ADDITION.search(stem)) and found.start() > 0:
        stem = stem[: found.start()]
        bases.append(stem)
    return bases


class PictureNames:
    """The pictures of a catalogue by what a table may call them. ``names`` are relative POSIX
    paths; of those that hold bytes of no text none is found."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = sorted(name for name in names if not UNDECODED.search(name))
        # Most stems are those of one picture, and a list for each would double what this takes.
        self._first: dict[str, str] = {}
        self._more: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            last = name[name.rfind("/") + 1 : name.rfind(".")]  # every picture has an ending
            if self._first.setdefault(key := key_of(last), name) is not name:
                self._more[key].append(name)

    def __len__(self) -> int:
        return len(self.names)

    def _with_stem(self, key: str) -> list[str]:
        first = self._first.get(key)
        return [] if first is None else [first, *self._more.get(key, ())]

    @cached_property
    def _numbers(self) -> dict[str, list[str]]:
        result: dict[str, list[str]] = defaultdict(list)
        for stem in self._first:
            if (number := number_of(stem)) is not None:
                result[number] += self._with_stem(stem)
        return result

    @cached_property
    def _families(self) -> dict[str, list[str]]:
        result: dict[str, list[str]] = defaultdict(list)
        for stem in self._first:
            for base in bases_of(stem):
                result[base] += self._with_stem(stem)
        return result

    @cached_property
    def _folders(self) -> dict[str, list[str]]:
        """Pictures by the name of each folder that they lie in."""
        result: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            for folder in dict.fromkeys(name.split("/")[:-1]):
                result[key_of(folder)].append(name)
        return result

    def named(self, reference: str) -> list[str]:
        """The pictures that a reference names, without regard to case, ending and composed
        accents: of several the ones in the folders that it names too, and of one picture in
        several formats one."""
        if reference.isalnum() and (key := key_of(reference)) not in self._more:
            first = self._first.get(key)  # an id, as most are
            return [] if first is None else [first]
        plain = _plain(reference)
        *folders, last = plain.split("/")
        if ".." in folders:
            return []
        found = self._with_stem(key_of(without_ending(last)))
        if len(found) < 2:
            return found
        wanted = [key_of(folder) for folder in folders if folder not in ("", ".")]
        agreeing = {name: _agreeing(wanted, name) for name in found}
        most = max(agreeing.values())
        return _one_of_each(sorted(n for n in found if agreeing[n] == most), key_of(last))

    def numbered(self, reference: str) -> list[str]:
        """The pictures whose number is that of a reference."""
        number = number_of(without_ending(posixpath.basename(_plain(reference))))
        return [] if number is None else _one_of_each(sorted(self._numbers.get(number, [])))

    def additions(self, reference: str) -> list[str]:
        """The pictures whose name is that of a reference with a number or a side behind it."""
        stem = key_of(without_ending(posixpath.basename(_plain(reference))))
        return _one_of_each(sorted(self._families.get(stem, [])))

    def inside(self, reference: str) -> list[str]:
        """The pictures in folders of that name."""
        return _one_of_each(self._folders.get(key_of(_plain(reference).strip("/")), []))


def _agreeing(wanted: Sequence[str], name: str) -> int:
    """How many folders of a picture are those of a reference, from the last one on."""
    count = 0
    for ours, theirs in zip(reversed(name.split("/")[:-1]), reversed(wanted), strict=False):
        if key_of(ours) != theirs:
            break
        count += 1
    return count


def _one_of_each(names: Sequence[str], wanted: str = "") -> list[str]:
    """Names without those of the same picture in another format: of ``a.jpg`` and ``a.png`` in one
    folder the one that is ``wanted``, else the first."""
    chosen: dict[str, str] = {}
    for name in names:
        stem = without_ending(name)
        if stem not in chosen or key_of(posixpath.basename(name)) == wanted:
            chosen[stem] = name
    return list(chosen.values())
