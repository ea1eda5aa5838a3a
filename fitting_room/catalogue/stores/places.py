"""Which places elsewhere this user has built from.

An index names the place of its pictures. One that somebody else made must not send requests to
whichever host it likes, so a place is asked only after a build from it or when the user allows it.
"""

from __future__ import annotations

import os
import posixpath
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from fitting_room.catalogue.stores.cache import default_cache
from fitting_room.util.files import remove_unfinished, write_atomically

VARIABLE = "FITTING_ROOM_PLACES"
_FILE, _MAX_BYTES = "places.txt", 2**20
#: On the hub, a host of many owners, the place is a repository: so many parts of the address.
_WITH_OWNERS = {"hf": 3}


def is_address(location: str | Path) -> bool:
    """Whether this is an address elsewhere and no path."""
    return isinstance(location, str) and "://" in location


def shown(address: str) -> str:
    """An address without what may be secret in it: the user, the password, and what follows a
    question mark."""
    scheme, _, rest = address.partition("://")
    for mark in "?#":
        rest = rest.split(mark, 1)[0]
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.rpartition('@')[2]}{slash}{path}"


def base_name(address: str) -> str:
    """The name of the file at an address."""
    return posixpath.basename(shown(address).rstrip("/"))


def place_of(address: str) -> str:
    """The part of an address that one owner has: the scheme, and the host or bucket."""
    parts = urlsplit(shown(address))
    owned = parts.path.split("/")[1 : _WITH_OWNERS.get(parts.scheme, 1)]
    return "/".join([f"{parts.scheme}://{parts.netloc}", *owned])


def remember_place(address: str, cache: Path | None = None) -> None:
    """Note that this user builds from an address, so that the index made of it may ask there.

    A note that cannot be written is left out: the environment variable allows the place too.
    """
    folder = cache or default_cache()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{_FILE}.lock"):
            places = dict.fromkeys([*_remembered(folder), place_of(address)])
            remove_unfinished(folder / _FILE)
            write_atomically(folder / _FILE, "\n".join(places) + "\n")


def is_trusted(address: str, cache: Path | None = None) -> bool:
    """Whether this user has built from the place of an address, or allows it by the environment
    variable :data:`VARIABLE`: beginnings of addresses, with blanks between them."""
    if is_ambiguous(address):
        return False
    allowed = [*os.environ.get(VARIABLE, "").split(), *_remembered(cache or default_cache())]
    return any(_is_below(shown(address), shown(place).rstrip("/")) for place in allowed)


def is_ambiguous(address: str) -> bool:
    """Whether programs may differ on where an address leads: it has a backslash, a blank or a sign
    that does not print, or goes up again."""
    parts = unquote(shown(address)).split("/")
    return "\\" in address or ".." in parts or not address.isprintable() or " " in parts[2]


def _is_below(address: str, place: str) -> bool:
    # Whole parts only: https://shop.example must not stand for https://shop.example.org.
    return "://" in place and f"{address}/".startswith(f"{place}/")


def _remembered(folder: Path) -> list[str]:
    try:
        with (folder / _FILE).open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace").split()
    except OSError:
        return []
