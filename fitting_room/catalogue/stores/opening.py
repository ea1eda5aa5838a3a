"""What lies at a path or an address -> the store that reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, overload
from urllib.parse import urlsplit
from urllib.request import url2pathname

from fitting_room.catalogue.stores import cache as caches
from fitting_room.catalogue.stores.columns import has_pictures
from fitting_room.catalogue.stores.files import FilePart
from fitting_room.catalogue.stores.folder import FolderStore
from fitting_room.catalogue.stores.mounts import MountedStore, open_archive
from fitting_room.catalogue.stores.names import COLUMNS, is_container_name
from fitting_room.catalogue.stores.places import (
    VARIABLE,
    base_name,
    is_address,
    is_trusted,
    place_of,
    shown,
)
from fitting_room.catalogue.stores.remote import Address, FileStore, RemoteStore, is_archive_address
from fitting_room.catalogue.stores.store import Container, StoreError

#: Endings of tables that can be brought from an address.
TABLES = (
    ".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".xlsx", ".xls", ".xml", ".parquet",
    ".csv.gz", ".tsv.gz", ".json.gz", ".jsonl.gz", ".arrow", ".feather",
)  # fmt: skip
_OTHERS = {b"Rar!": "RAR", b"7z\xbc\xaf": "7-Zip"}


@overload
def open_store(
    location: str | Path,
    *,
    mounts: Literal[True] = True,
    allow: bool = False,
    cache: Path | None = None,
) -> MountedStore: ...
@overload
def open_store(
    location: str | Path, *, mounts: Literal[False], allow: bool = False, cache: Path | None = None
) -> Container: ...
def open_store(
    location: str | Path, *, mounts: bool = True, allow: bool = False, cache: Path | None = None
) -> Container:
    """The files at a path or an address: a folder, an archive, or a table with pictures in it.

    With ``mounts``, archives in it are folders of their names, see :class:`MountedStore`. An
    address elsewhere is asked only if this user has built from there, has allowed it, or ``allow``
    says so. Packed archives and what comes from elsewhere are kept in ``cache``.

    Raises :class:`StoreError` when there is nothing, or nothing that can be read.
    """
    cache = cache or caches.default_cache()
    if is_address(location):
        root = _open_address(str(location), allow, cache)
    else:
        root = _open_path(Path(location), cache)
    return MountedStore(root, cache=cache) if mounts else root


def _open_path(path: Path, cache: Path) -> Container:
    try:
        path = path.expanduser()
        if path.is_dir():
            return FolderStore(path)
        if not path.exists():
            raise StoreError("There is nothing.", name=str(path))
        part = FilePart.of(path.resolve())
    except (OSError, ValueError, RuntimeError) as error:
        raise StoreError(f"It cannot be read ({error}).", name=str(path)) from error
    if kind := _OTHERS.get(part.read_at(0, 4)):
        reason = f"{kind} archives are not read. Unpack it and give the folder."
        raise StoreError(reason, name=str(path))
    name = path.name if is_container_name(path.name) else path.name + _ending_of(part)
    return open_archive(part, name, str(path), cache, path.name)


def _ending_of(part: FilePart) -> str:
    """The ending that the bytes of an archive ask for; its name may be that of a blob."""
    start = part.read_at(0, 512)
    if start.startswith(b"PAR1"):
        return ".parquet"
    if start.startswith(b"ARROW1"):
        return ".arrow"
    return ".tar" if start[257:262] == b"ustar" else ".zip"


def _open_address(address: str, allow: bool, cache: Path) -> Container:
    if urlsplit(address).scheme in ("file", "local"):
        return _open_path(Path(url2pathname(urlsplit(address).path)), cache)
    if not allow and not is_trusted(address, cache):
        raise StoreError(
            f"The pictures lie elsewhere, where nothing was built from so far. If you trust this "
            f"place, allow it with {VARIABLE}={place_of(address)}",
            name=shown(address),
        )
    name = base_name(address)
    if not is_archive_address(address) and not name.lower().endswith(TABLES):
        return RemoteStore(address, cache)
    at = Address(address)
    path = at.download(cache)
    part = FilePart.of(path)
    is_table = not is_container_name(name)
    if is_table or (name.lower().endswith(COLUMNS) and not has_pictures(part)):
        return FileStore(path, at.shown, name)
    return open_archive(part, name, at.shown, cache, name)
