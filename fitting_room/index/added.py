"""Pictures that were added to an index by hand: the catalogue does not have them, so the index
keeps their files, in a folder beside its versions.

An item's ``image`` is then ``added:<digest of the picture>.<ending>``, which is no name within a
catalogue: there, none has a colon in its first part.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from fitting_room.catalogue.stores import FolderStore
from fitting_room.imaging.decode import SUFFIXES, ImageRejected
from fitting_room.index.manifest import IndexUnusable
from fitting_room.util.files import write_atomically

ADDED = "added"
_FILE_NAME = re.compile(r"[0-9a-f]{32}\.[a-z0-9]{2,5}")
_PREFIX = f"{ADDED}:"


def picture_digest(data: bytes) -> str:
    """What a picture's bytes are known by: 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def is_added(image: str) -> bool:
    """Whether an item's ``image`` is a picture that was added by hand."""
    return image.startswith(_PREFIX)


def added_rows(items: pd.DataFrame) -> pd.Series[bool]:
    """Which of an index's items were added by hand, bool ``(N,)``."""
    return items["image"].astype("str").str.startswith(_PREFIX)


def added_path(folder: Path, image: str) -> Path:
    """Where the index at ``folder`` keeps a picture that was added to it. Raises
    :class:`ImageRejected` for a name that :func:`keep_picture` did not give."""
    name = image.removeprefix(_PREFIX)
    if not is_added(image) or not _FILE_NAME.fullmatch(name):
        raise ImageRejected("The name leads outside the index.", name=image)
    return folder / ADDED / name


def read_added(folder: Path, image: str, max_bytes: int) -> bytes:
    """The bytes of a picture that was added to the index at ``folder``. Raises
    :class:`ImageRejected` when there is none of that name, it is larger than ``max_bytes`` or it
    cannot be read."""
    path = added_path(folder, image)
    if path.parent.is_symlink():
        raise ImageRejected("The name leads outside the index.", name=image)
    return FolderStore(path.parent).read(path.name, max_bytes)


def broken_pictures(folder: Path, items: pd.DataFrame, max_bytes: int) -> list[str]:
    """The ids of an index's ``items`` whose added picture is missing or is not what was kept."""
    broken: list[str] = []
    rows = items[added_rows(items)]
    for item, image in zip(rows["id"], rows["image"], strict=True):
        try:
            digest = picture_digest(read_added(folder, str(image), max_bytes))
        except ImageRejected:
            digest = ""
        if not digest or f"{_PREFIX}{digest}." not in str(image):
            broken.append(str(item))
    return broken


def keep_picture(folder: Path, data: bytes, digest: str, suffix: str) -> str:
    """Keep the bytes of a picture in the index at ``folder``, whole or not at all; returns its name
    as an item's ``image``. ``digest`` is that of the bytes, ``suffix`` the ending of the picture's
    own name, which stays where it is one of a picture."""
    suffix = suffix.lower() if suffix.lower() in SUFFIXES else ".jpg"
    image = f"{_PREFIX}{digest}{suffix}"
    path = added_path(folder, image)
    path.parent.mkdir(exist_ok=True)
    if path.parent.is_symlink():
        raise IndexUnusable(f"{path.parent}: is a link. Put a folder in its place.")
    write_atomically(path, data)
    return image


def remove_unused(folder: Path, images: Iterable[Any]) -> None:
    """Remove the added pictures that none of the ``images`` of an index's items names, and what a
    killed process left half written; what somebody else has put into that folder stays."""
    added = folder / ADDED
    if added.is_symlink() or not added.is_dir():
        return
    used = {str(image).removeprefix(_PREFIX) for image in images if is_added(str(image))}
    for path in added.iterdir():
        unfinished = path.name.startswith(".") and ".new-" in path.name
        if unfinished or (_FILE_NAME.fullmatch(path.name) and path.name not in used):
            with suppress(OSError):
                path.unlink()
    with suppress(OSError):
        added.rmdir()  # if nothing is left in it
