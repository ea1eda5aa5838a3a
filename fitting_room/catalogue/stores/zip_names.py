"""Names in zip archives that do not say how they are encoded.

A zip's entry says either that its name is UTF-8 or nothing. Windows and old programs then write
the names in the code page of their country, and zipfile reads them as that of the first PC (437).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

ZIPS_OWN = "cp437"
#: Encodings that programs are known to write names in; of equally plausible ones the first counts.
_ENCODINGS = (
    ZIPS_OWN, "gb18030", "cp932", "cp949", "big5", "cp866", "cp1251", "cp1252", "cp850", "cp852",
)  # fmt: skip
#: The bytes that the characters in daily use begin with, and the least that they go on with: each
#: of these standards has them before the rare ones.
_COMMON = {
    "gb18030": (0xA1, 0xD7, 0xA1), "cp949": (0xB0, 0xC8, 0xA1), "big5": (0xA1, 0xC6, 0x40),
    "cp932": (0x81, 0x97, 0x40),
}  # fmt: skip
#: So many different names are looked at.
_MOST_NAMES = 2_000


def encoding_of(names: Iterable[bytes]) -> str:
    """The encoding that is the most plausible for names of one archive: UTF-8 where they all are,
    else what charset-normalizer finds among the code pages, less what is no text in words."""
    different = list(dict.fromkeys(names))
    try:
        for name in different:
            name.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        return _guess(_words_of(different[:_MOST_NAMES]))


def _words_of(names: Iterable[bytes]) -> list[bytes]:
    """The folders and file names, without endings, that have letters beyond ASCII."""
    words: dict[bytes, None] = {}
    for name in names:
        # No code page has slashes within a character; some have backslashes, so these stay.
        for word in name.split(b"/"):
            if not word.isascii():
                words[word.rsplit(b".", 1)[0] or word] = None
    return list(words)


def _guess(words: list[bytes]) -> str:
    from charset_normalizer import from_bytes

    matches = from_bytes(b"\n".join(words), cp_isolation=list(_ENCODINGS), threshold=0.5)
    scores: dict[str, float] = {}
    for match in matches:
        for encoding in _ENCODINGS:
            if encoding == match.encoding:
                scores[encoding] = match.chaos + _implausibility(str(match), encoding)
    if not scores:
        return ZIPS_OWN
    return min(scores, key=lambda encoding: (scores[encoding], _ENCODINGS.index(encoding)))


def _implausibility(text: str, encoding: str) -> float:
    """How much speaks against a text, 0 to 1 for each of its letters beyond ASCII: 1 for what is no
    ordinary letter, 0.5 for a rare one and for one beside an ASCII letter without being Latin."""
    points, beyond = 0.0, 0
    for before, letter, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if letter.isascii():
            continue
        beyond += 1
        if not _is_letter(letter):
            points += 1
        elif encoding in _COMMON:
            points += 0.0 if _is_common(letter.encode(encoding), *_COMMON[encoding]) else 0.5
        elif "LATIN" not in unicodedata.name(letter, "") and any(
            neighbour.isascii() and neighbour.isalpha() for neighbour in (before, after)
        ):
            points += 0.5
    return points / max(beyond, 1)


def _is_common(letter: bytes, first: int, last: int, trail: int) -> bool:
    return first <= letter[0] <= last and len(letter) == 2 and letter[1] >= trail


def _is_letter(letter: str) -> bool:
    kind = unicodedata.category(letter)
    # Half-width katakana is what Japanese makes of nearly all bytes.
    return kind in ("Lu", "Ll", "Lo", "Mn", "Mc", "Nd") and not "\uff61" <= letter <= "\uff9f"
