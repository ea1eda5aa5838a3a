"""What the names of files in a store may be, and what they say of the files."""

from __future__ import annotations

import re

from fitting_room.imaging.decode import OTHER_SUFFIXES, SUFFIXES

#: Endings of archives that hold files, the longer ones first. What follows the name of such a file
#: in a name is a name inside it.
ZIPS = (".zip",)
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
#: Endings of tables that may have pictures in their cells.
COLUMNS = (".parquet", ".arrow", ".feather")
#: Those of them that are mapped into the memory, for which they must be files of their own.
MAPPED = (".arrow", ".feather")
CONTAINERS = (*ZIPS, *TARS, *COLUMNS)

#: What a listing says of names that would lead elsewhere.
BAD_NAMES = "names that cannot be used"

_DRIVE = re.compile("[A-Za-z]:")


def is_picture_name(name: str) -> bool:
    """Whether a file of this name is taken for a picture."""
    return _has_suffix(name, SUFFIXES) and is_shown_name(name)


def is_unread_name(name: str) -> bool:
    """Whether a file of this name is a picture of a kind that is not read."""
    return _has_suffix(name, OTHER_SUFFIXES) and is_shown_name(name)


def is_container_name(name: str) -> bool:
    """Whether a file of this name is an archive, or a table that may hold pictures."""
    return name.lower().endswith(CONTAINERS)


def is_unread_archive_name(name: str) -> bool:
    """Whether a file of this name is an archive of a kind that is not read."""
    return name.lower().endswith((".rar", ".7z"))


def is_shown_name(name: str) -> bool:
    """Whether a listing shows a file of this name: it is plain and nothing in it is hidden."""
    return is_plain_name(name) and not is_hidden(name)


def is_plain_name(name: str) -> bool:
    """Whether a name is a relative path that stays where it starts."""
    if "\\" in name or "\0" in name or _DRIVE.match(name):
        return False
    framed = f"/{name}/"
    return not ("//" in framed or "/./" in framed or "/../" in framed)


def is_hidden(name: str) -> bool:
    """Whether a part of a name begins with a dot, or is what macOS puts into archives."""
    return name.startswith((".", "__MACOSX")) or "/." in name or "/__MACOSX" in name


def archived_name(name: str) -> str:
    """The name of an archive's entry with slashes, and without the dots that it may begin with."""
    if "\\" in name:
        name = name.replace("\\", "/")
    while name.startswith("./"):
        name = name[2:].lstrip("/") or "."
    return name


def _has_suffix(name: str, suffixes: frozenset[str]) -> bool:
    _, dot, ending = name.rpartition(".")
    return (dot + ending).lower() in suffixes
