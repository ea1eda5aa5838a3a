"""The addresses of pictures in a table: which column has them, and which of them are asked.

A table is anybody's: what it names is asked from this machine. So only web servers are, without
passwords, and none in the machine's own network unless that is wanted.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import pandas as pd

from fitting_room.imaging.decode import OTHER_SUFFIXES, SUFFIXES

#: Cells of a column that are looked at, and the share of them that must be addresses (of pictures).
SAMPLE, MOSTLY = 1_000, 0.5
#: Addresses of one cell that are taken.
MAX_IN_CELL = 100
MAX_LENGTH = 4_000
RESOLVED_AT_ONCE = 16

_WEB = re.compile(r"https?://", re.IGNORECASE)
#: What may stand between two addresses in one cell, and around them.
_BETWEEN = re.compile(r"[\s,;|\"'\[\]]+(?=https?://)", re.IGNORECASE)
_AROUND = " \t\r\n,;|\"'[]"
#: Columns are called so that have addresses of pictures, with or without an ending like `.jpg`.
_OF_PICTURES = re.compile(r"image|img|pictur|photo|foto|bild", re.IGNORECASE)
_PLAIN_NAMES = {"url": 2, "imageurl": 2, "src": 2, "link": 1, "href": 1}
#: Of several columns with pictures, these have further or smaller ones.
_LESSER = re.compile(
    r"thumb|small|mini|additional|variant|alternat|hover|back|swatch|icon|logo|[2-9]", re.IGNORECASE
)


class AddressError(ValueError):
    """An address that is not asked; the text says why, without the address."""


def url_column(cells: pd.DataFrame) -> str | None:
    """The column of a table of text that has the addresses of pictures, or ``None``: most of its
    cells begin with ``http://`` or ``https://``, and they end like pictures, or the column's name
    says so."""
    best, most = None, 0.0
    for column in cells.columns:
        filled = cells[column].dropna().astype("str").str.strip()
        filled = filled[filled != ""]
        share = len(filled) / max(1, len(cells))
        if (rank := _rank(str(column), filled.head(SAMPLE))) and rank + share > most:
            best, most = str(column), rank + share
    return best


def _rank(name: str, filled: pd.Series) -> float:
    """How sure it is that a column has addresses of pictures; 0 for one that has not."""
    found = [addresses for cell in filled if (addresses := addresses_in(cell))]
    if len(found) <= MOSTLY * len(filled):
        return 0
    pictures = sum(_ends_like_a_picture(addresses[0]) for addresses in found) > MOSTLY * len(found)
    plain = _PLAIN_NAMES.get(re.sub(r"[^a-z]", "", name.lower()), 0)
    named = 3 if _OF_PICTURES.search(name) else plain
    if not (pictures or named):
        return 0  # the page of an item, say
    return 1 + 4 * pictures + 2 * named - 3 * bool(_LESSER.search(name))


def _ends_like_a_picture(address: str) -> bool:
    with suppress(ValueError):
        suffix = PurePosixPath(urlsplit(address).path).suffix.lower()
        return suffix in SUFFIXES or suffix in OTHER_SUFFIXES
    return False


def are_pages(values: pd.Series) -> bool:
    """Whether cells are addresses of pages in the web and of no pictures, as the first few say."""
    few = values.dropna().head(20)
    return len(few) > 0 and all(
        isinstance(text, str) and bool(_WEB.match(text)) and not _ends_like_a_picture(text)
        for text in few
    )


def addresses_in(cell: object) -> list[str]:
    """The web addresses in a cell, which may hold several with commas, bars or blanks between."""
    if not isinstance(cell, str):
        return []
    parts = [part.strip(_AROUND) for part in _BETWEEN.split(cell.strip(_AROUND))]
    # A text that mentions one does not begin with it.
    return parts[:MAX_IN_CELL] if _WEB.match(parts[0]) else []


def normalised(address: str) -> str:
    """An address as a server is asked for it, in ASCII. Raises :class:`AddressError` for what is
    none, and for one with a password, which would end up in places where it does not belong."""
    import requests

    if len(address) > MAX_LENGTH or not _WEB.match(address):
        raise AddressError("This is no address of a web server.")
    try:
        prepared = requests.Request("GET", address).prepare().url or ""
        parts = urlsplit(prepared)
        if not parts.hostname or parts.port == 0:
            raise ValueError
    except (ValueError, requests.RequestException, UnicodeError) as error:
        raise AddressError("This is no address of a web server.") from error
    if "@" in parts.netloc:
        raise AddressError("The address has a password in it, and is not asked.")
    return prepared


def in_own_network(hosts: Iterable[str]) -> dict[str, bool]:
    """Which of these hosts are this machine or in its network. Of one whose name nobody knows that
    cannot be said."""
    names = list(dict.fromkeys(hosts))
    with ThreadPoolExecutor(RESOLVED_AT_ONCE) as pool:
        return dict(zip(names, pool.map(_is_own, names), strict=True))


def _is_own(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        numbers = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    except (OSError, ValueError, UnicodeError):
        return False
    mapped = [getattr(number, "ipv4_mapped", None) or number for number in numbers]
    return not all(number.is_global for number in mapped)


def refusals(addresses: Iterable[str], *, private: bool) -> Mapping[str, str]:
    """Why some of these (normalised) addresses are not asked: they are in this machine's own
    network, unless ``private`` ones are wanted."""
    if private:
        return {}
    hosts = {address: urlsplit(address).hostname or "" for address in addresses}
    own = in_own_network(hosts.values())
    why = "The address is in this machine's own network. To ask it: --private"
    return {address: why for address, host in hosts.items() if own[host]}


def shown(address: str) -> str:
    """An address for people, without what may be secret in it."""
    with suppress(ValueError):
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
    return "(no address)"
