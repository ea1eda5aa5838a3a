"""What the command line prints: words that anybody may have written never reach a terminal raw."""

from __future__ import annotations

import re
import sys

#: Control characters, which may move a terminal's cursor or change its title, but for line ends and
#: tabs; and those that turn the direction of writing (Unicode Standard Annex 9).
_UNPRINTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """A text whose control characters are written out: an escape as ``\\x1b``."""
    return _UNPRINTED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def show(*lines: object) -> None:
    """Print lines of the result."""
    print(*(printable(str(line)) for line in lines), sep="\n", flush=True)


def say(text: str) -> None:
    """Print a remark that is not part of the result."""
    print(printable(text), file=sys.stderr)


def complain(text: str) -> None:
    """Print an error."""
    say(f"fitting-room: {text}")
