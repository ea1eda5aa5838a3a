"""What an owner has decided of groups of look-alikes: to keep them all, or that they are not the
same.

Marks lie beside an index's versions in a file of their own, known by the items' ids, so that they
outlive every build. Anybody may have written the file: every field of it is checked, and a file
that is not what was written is told of, used for nothing and never replaced.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fitting_room.index.manifest import MARKS
from fitting_room.util.files import beside, remove_unfinished, write_atomically

FORMAT, FORMAT_VERSION = "fitting-room-marks", 1
#: All of the items are wanted; they look alike and are different things.
KEEP, DIFFERENT = "keep", "not the same"
WORDS = (KEEP, DIFFERENT)
#: What a file of marks may have.
MAX_BYTES, MAX_MARKS = 16 * 2**20, 50_000
#: Seconds that somebody waits for others who are marking.
PATIENCE = 5


class MarksError(Exception):
    """Marks that cannot be read or written; says what to do."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A word of :data:`WORDS` about the items of these ids."""

    ids: frozenset[str]
    word: str


class Marks:
    """The marks of an index, the oldest first."""

    def __init__(self, marks: Iterable[Mark] = ()) -> None:
        self.marks = tuple(marks)
        self._of: dict[str, list[int]] = {}
        for place, mark in enumerate(self.marks):
            for item in mark.ids:
                self._of.setdefault(item, []).append(place)

    def __len__(self) -> int:
        return len(self.marks)

    def of(self, ids: Collection[str]) -> str | None:
        """The word about a group of items. It stays when items of the group go, and not when others
        come: these were not looked at."""
        return next((self.marks[place].word for place in self._about(ids)), None)

    def _about(self, ids: Collection[str]) -> Iterator[int]:
        """The places of the marks about all of these items, the newest first."""
        wanted = frozenset(ids)
        for place in reversed(self._of.get(next(iter(wanted), ""), [])):
            if wanted <= self.marks[place].ids:
                yield place

    def with_mark(self, ids: Collection[str], word: str | None) -> Marks:
        """These marks with that word about the items, or none, in the place of earlier ones."""
        gone = set(self._about(ids))
        marks = [mark for place, mark in enumerate(self.marks) if place not in gone]
        if word is not None:
            marks.append(Mark(frozenset(ids), word))
        return Marks(marks)


def read_marks(folder: Path) -> Marks:
    """The marks of the index at ``folder``; none where nothing was marked yet. Raises
    :class:`MarksError` for a file that cannot be read or is not what was written."""
    path = folder / MARKS
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise _damaged(path, "is no file")
        if found.st_size > MAX_BYTES:
            raise _damaged(path, "is too large")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return Marks()
    except OSError as error:
        raise MarksError(f"{path}: the marks cannot be read ({error.strerror}).") from error
    try:
        return _parsed(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "is not what was written") from error


def set_mark(folder: Path, ids: Collection[str], word: str | None) -> None:
    """Mark the items of these ids, or with ``None`` take their mark back. Raises
    :class:`MarksError`, also where the file that is there is damaged, and ``ValueError`` for an
    unknown word or fewer than two items."""
    if len(set(ids)) < 2 or word not in (*WORDS, None):
        raise ValueError(f"{word!r} about {len(set(ids))} items is no mark")
    path = folder / MARKS
    if not folder.is_dir():  # the lock would make it
        raise MarksError(f"{path}: the mark could not be kept (there is no index any more).")
    try:
        with FileLock(beside(path, "lock"), timeout=PATIENCE):
            marks = read_marks(folder).with_mark(ids, word)
            remove_unfinished(path)
            data = _written(marks)
            if len(marks) > MAX_MARKS or len(data) > MAX_BYTES:
                raise MarksError(f"{path}: there are too many marks. Take some back first.")
            write_atomically(path, data)
    except Timeout as error:
        raise MarksError("Somebody else is marking just now. Try again.") from error
    except (OSError, NotImplementedError) as error:  # or a file system without locks
        reason = getattr(error, "strerror", None) or error
        raise MarksError(f"{path}: the mark could not be kept ({reason}).") from error


def _written(marks: Marks) -> bytes:
    listed = [{"ids": sorted(mark.ids), "mark": mark.word} for mark in marks.marks]
    values = {"format": FORMAT, "format_version": FORMAT_VERSION, "marks": listed}
    return json.dumps({**values, "checksum": _checksum(values)}, indent=1).encode()


def _parsed(values: Any) -> Marks:
    """Marks from what a file says. Raises ``ValueError`` for anything else than was written."""
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError("no marks")
    checksum = values.pop("checksum", None)
    if values.get("format_version") != FORMAT_VERSION or checksum != _checksum(values):
        raise ValueError("another version, or changed")
    listed = values.get("marks")
    if not isinstance(listed, list) or len(listed) > MAX_MARKS:
        raise ValueError("no list of marks")
    return Marks(map(_mark, listed))


def _mark(value: Any) -> Mark:
    ids = value.get("ids") if isinstance(value, dict) else None
    if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
        raise ValueError("a mark without ids")
    if value.get("mark") not in WORDS or len(set(ids)) < 2:
        raise ValueError("a mark of an unknown kind")
    return Mark(frozenset(ids), value["mark"])


def _checksum(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _damaged(path: Path, reason: str) -> MarksError:
    return MarksError(
        f"{path}: the file of marks {reason}, so that none is shown. Put back a copy of it, or "
        "remove it to begin anew."
    )
