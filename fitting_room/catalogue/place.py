"""A location that somebody gave -> the files there that may make up a catalogue."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fitting_room.catalogue.reading_options import ReadingOptions
from fitting_room.catalogue.stores import (
    FolderStore,
    Listing,
    MountedStore,
    StoreError,
    is_address,
    is_container_name,
    is_picture_name,
    open_store,
    remember_place,
)
from fitting_room.catalogue.stores.names import COLUMNS, TARS, ZIPS
from fitting_room.catalogue.stores.places import shown
from fitting_room.catalogue.tables import TableError, is_table_name, read_table, what_it_is

_IN_TABLE = re.compile("|".join(map(re.escape, COLUMNS)).join(("(?:", ")/")), re.I)
#: What a listing says of archives that are left alone.
BESIDE = "archives beside pictures that lie there unpacked"


class CatalogueError(Exception):
    """A catalogue that cannot be read at all; the text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """An opened location, as ``location`` names it for opening it again. ``pictures`` has the
    signatures of the pictures by name; ``embedded`` gives, of tables that hold the bytes of their
    pictures, the pictures of each row."""

    store: MountedStore
    location: str
    listing: Listing
    pictures: dict[str, str]
    reading: ReadingOptions
    embedded: Mapping[str, Callable[[], list[list[str]]]] = field(default_factory=dict)


def open_place(location: str | Path, reading: ReadingOptions) -> Place:
    """Open a folder, an archive, a table or an address of one of these. A table is the folder that
    it lies in, read by that table. Raises :class:`CatalogueError`."""
    try:
        if is_address(location):
            address = str(location)
            folder, _, name = address.rpartition("/")
            if is_table_name(name) and not is_container_name(name) and not _is_web(address):
                # A bucket can be listed as a folder can, and a table names the pictures beside it.
                address, reading = folder, replace(reading, table=reading.table or name)
            store = _mounted(open_store(address, allow=True))
            listing = _listing(store)
            remember_place(address)
            # What is secret in an address is not kept; it comes from the environment again.
            return _place(store, store.location, listing, reading)
        path = Path(location).expanduser()
        with suppress(FileNotFoundError, NotADirectoryError):
            path.stat()  # says why it cannot be looked at
        if path.is_dir() or (path.is_file() and _is_container(path)):
            store = _mounted(open_store(path))
            return _place(store, str(path.resolve()), _listing(store), reading)
        if path.is_file():
            return _beside_table(path, reading)
    except StoreError as error:
        raise CatalogueError(str(error)) from error
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: no home for `~name`
        reason = getattr(error, "strerror", None) or error
        raise CatalogueError(
            f"{location}: cannot be read ({reason}). Give another place, or let this one be read."
        ) from error
    raise CatalogueError(
        f"{location}: no such catalogue. Give a folder, an archive, a table or an address."
    )


def _is_web(address: str) -> bool:
    return address.lower().startswith(("http://", "https://"))


def location_of(location: str | Path) -> str:
    """What an opened catalogue at ``location`` says of where it lies, without opening it: of an
    address nothing that is secret, of a table the folder that it lies in. Raises ``OSError``."""
    if is_address(location):
        return shown(str(location))
    try:
        path = Path(location).expanduser().resolve()
    except RuntimeError as error:  # a link that leads back to itself, or no home for `~name`
        raise OSError(str(error)) from error
    return str(path if not path.is_file() or _is_container(path) else path.parent)


def _is_container(path: Path) -> bool:
    """Whether a file is an archive, or a table with its pictures in it; archives are known by their
    beginning too."""
    if path.name.lower().endswith(COLUMNS):
        try:
            open_store(path, mounts=False)
        except StoreError:
            return False  # a table beside its pictures, or a damaged one, which its reader says
        return True
    if is_container_name(path.name):
        return True
    with path.open("rb") as file:
        start = file.read(512)
    # Spreadsheets are zips too.
    return not is_table_name(path.name) and (
        (start.startswith(b"PK\x03\x04") and _what(path) in (None, "a zip archive"))
        or start[257:262] == b"ustar"
    )


def _what(path: Path) -> str | None:
    return what_it_is(lambda: path.open("rb"), path.name)


def _beside_table(path: Path, reading: ReadingOptions) -> Place:
    kind = _what(path)
    if not is_table_name(path.name) or kind not in (None, "a spreadsheet"):
        what = f"this is {kind}" if kind else "this is neither a table nor an archive"
        raise CatalogueError(
            f"{path}: {what}. Give a folder of pictures, an archive of one, or the table that "
            "lies beside the pictures."
        )
    try:
        read_table(lambda: path.open("rb"), path.name)
    except TableError as error:
        raise CatalogueError(f"{path}: {error}") from error
    folder = path.parent
    store = _mounted(FolderStore(folder))
    reading = replace(reading, table=reading.table or path.name)
    return _place(store, str(folder.resolve()), _listing(store), reading)


def _mounted(store: object) -> MountedStore:
    return store if isinstance(store, MountedStore) else MountedStore(store)  # type: ignore[arg-type]


def _listing(store: MountedStore) -> Listing:
    """The files of a place with those in its archives, unless their pictures lie unpacked beside
    them: then archives are left alone."""
    outside = store.root.listing()
    pictures = sum(map(is_picture_name, outside.files))
    archives = [n for n in outside.files if n.lower().endswith((*ZIPS, *TARS))]
    if not archives or not pictures:
        return store.listing()
    # Packed tars are not unpacked only to be compared.
    plain = [n for n in archives if n.lower().endswith((*ZIPS, ".tar"))]
    inside = MountedStore(store.root, plain).listing()
    if 2 * pictures < sum(map(is_picture_name, inside.files)):
        return store.listing()
    for name in archives:
        outside.pass_over(name, BESIDE)
    return outside


def _place(store: MountedStore, location: str, listing: Listing, reading: ReadingOptions) -> Place:
    pictures = dict(listing.pictures())
    place = Place(store, location, listing, pictures, reading)
    if reading.table is not None:
        return place
    inside: dict[str, int] = defaultdict(int)
    tables = {name for name in listing.files if name.lower().endswith(COLUMNS)}
    for name in pictures if tables else ():
        for end in _IN_TABLE.finditer(name):
            if (table := name[: end.end() - 1]) in tables:
                inside[table] += 1
                break
    embedded = {table: partial(store.rows, table) for table in inside}
    if len(tables) == 1 and pictures and not embedded and _holds_pictures(store, *tables):
        embedded = {table: partial(store.rows, table) for table in tables}  # the location itself
    elif 2 * sum(inside.values()) < len(pictures):
        embedded = {}
    return replace(place, embedded=embedded)


def _holds_pictures(store: MountedStore, table: str) -> bool:
    try:
        return bool(store.picture_columns(table))
    except StoreError:
        return False
