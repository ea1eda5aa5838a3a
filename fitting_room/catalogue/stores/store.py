"""What all image stores have in common: files by name, a listing of them, and their errors.

Names are relative POSIX paths. A store only ever answers names that it would list itself, and each
read checks again that it stays inside and below the size limit, because names may come back from
a file on disk (an index) that somebody else wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from fitting_room.catalogue.stores.files import FilePart
from fitting_room.catalogue.stores.names import is_picture_name
from fitting_room.imaging.decode import ImageRejected

#: No store lists more files than this.
MAX_FILES = 20_000_000

_NO_PICTURE = "The name leads outside the catalogue."
_TOO_LARGE = "The file is too large: more than {:.3g} MB. Save the picture smaller."


class StoreError(Exception):
    """A file that cannot be read.

    The text names the file and says what is wrong with it and what to do; ``reason`` is the same
    without the name.
    """

    def __init__(self, reason: str, *, name: str | None = None) -> None:
        super().__init__(f"{name}: {reason}" if name else reason)
        self.reason = reason
        self.name = name


@dataclass(frozen=True, slots=True)
class Listing:
    """What there is in a store.

    ``files`` gives each file's signature by its name, a short text that changes when the file does:
    pictures, tables, archives and all others. ``passed_over`` names the files that cannot be used,
    by the reason. Hidden files are in neither.
    """

    files: dict[str, str] = field(default_factory=dict)
    passed_over: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, signature: str) -> None:
        """Raises :class:`StoreError` when there are more than :data:`MAX_FILES`."""
        if len(self.files) >= MAX_FILES:
            raise StoreError(f"More than {MAX_FILES:,} files. Give a part of them.")
        self.files[name] = signature

    def add_all(self, files: Mapping[str, str]) -> None:
        """Many at once, as :meth:`add` does one."""
        if len(self.files) + len(files) > MAX_FILES:
            raise StoreError(f"More than {MAX_FILES:,} files. Give a part of them.")
        self.files.update(files)

    def pass_over(self, name: str, reason: str) -> None:
        self.passed_over.setdefault(reason, []).append(name)

    def pictures(self) -> Iterator[tuple[str, str]]:
        """Names and signatures of the pictures."""
        return ((n, s) for n, s in self.files.items() if is_picture_name(n))


class ImageStore(Protocol):
    """Files by name. ``location`` is what was opened, for people: a path or an address."""

    location: str

    def listing(self) -> Listing:
        """Every file of the store. Raises :class:`StoreError` when it cannot be listed at all."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Any file that a listing shows, to be read from any place in it.

        Raises :class:`StoreError` when there is no such file or it cannot be read; so does reading
        what was opened.
        """
        ...

    def read(self, name: str, max_bytes: int) -> bytes:
        """The picture's bytes. Raises :class:`ImageRejected` when there is no such picture in the
        store, it leads outside, it is larger than ``max_bytes`` or it cannot be read."""
        ...

    def path(self, name: str) -> str:
        """The picture's place for people and other programs."""
        ...


class Container(ImageStore, Protocol):
    """A store that archives inside it can be opened from."""

    def has(self, name: str) -> bool:
        """Whether there is a file of this name, which may be any text."""
        ...

    def part(self, name: str) -> FilePart | None:
        """The file as a part of one on disk, or ``None`` where its bytes do not lie there as they
        are. Raises :class:`StoreError` as ``open`` does."""
        ...

    def size(self, name: str) -> int:
        """How many bytes the file takes where it lies, packed as it may be there. Raises
        :class:`StoreError` as ``open`` does."""
        ...

    def version(self, name: str) -> str:
        """A text that names the file and changes with its bytes, for what is kept of it. Raises
        :class:`StoreError` as ``open`` does."""
        ...


def check_picture_name(name: str) -> None:
    """Raises :class:`ImageRejected` for a name that no listing shows as a picture."""
    if not is_picture_name(name):
        raise ImageRejected(_NO_PICTURE, name=name)


def outside(name: str) -> ImageRejected:
    return ImageRejected(_NO_PICTURE, name=name)


def too_large(name: str, max_bytes: int) -> ImageRejected:
    return ImageRejected(_TOO_LARGE.format(max_bytes / 2**20), name=name)


def no_such_file(name: str) -> StoreError:
    return StoreError("There is no such file.", name=name)
