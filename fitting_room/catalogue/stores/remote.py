"""Files elsewhere: in a bucket, on the Hugging Face hub, on a web server."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from fitting_room.catalogue.stores import cache as caches
from fitting_room.catalogue.stores.files import FilePart
from fitting_room.catalogue.stores.names import (
    BAD_NAMES,
    is_container_name,
    is_hidden,
    is_plain_name,
    is_shown_name,
)
from fitting_room.catalogue.stores.places import base_name, is_ambiguous, shown
from fitting_room.catalogue.stores.store import (
    Container,
    Listing,
    StoreError,
    check_picture_name,
    no_such_file,
    too_large,
)
from fitting_room.imaging.decode import ImageRejected

#: No larger file is brought here.
MAX_DOWNLOAD = 256 * 2**30
#: Files that are no archives are brought here as soon as they are opened; they are tables.
_AT_ONCE = 8 * 2**20
WEB = ("http", "https")
#: Addresses that lead back to this machine, or that name other addresses.
_NOT_ELSEWHERE = frozenset(
    {
        "file", "local", "asynclocal", "asyncwrapper", "async_wrapper", "dir", "reference", "data",
        "cached", "blockcache", "filecache", "simplecache", "generic", "zip", "tar", "libarchive",
        "git", "jlab", "jupyter", "dask", "root", "pyscript", "arrow_hdfs",
    }
)  # fmt: skip
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "hf": "hf", "http": "web"}
_EXTRAS |= {"https": "web"}
#: Seconds without an answer after which a web server is given up.
_CONNECT, _SILENCE = 15.0, 60.0
_VERSIONS = ("ETag", "etag", "md5Hash", "md5", "blob_id", "sha", "Content-MD5", "content_hash")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "Last-Modified", "created")


class Address:
    """An address and what fsspec reads it with. Raises :class:`StoreError` where nothing can.

    ``shown`` is the address as people see it, without passwords and keys.
    """

    def __init__(self, address: str) -> None:
        self.shown = shown(address)
        self.protocol = self.shown.partition("://")[0]
        if "::" in address or is_ambiguous(address) or self.protocol in _NOT_ELSEWHERE:
            raise StoreError("Such addresses are not read. Give a path.", name=self.shown)
        self._address = address
        self.fs, self.root = self._connect()

    def _connect(self, **options: Any) -> tuple[Any, str]:
        import fsspec

        try:
            system = fsspec.get_filesystem_class(self.protocol)
            if self.protocol in WEB:
                from aiohttp import ClientTimeout

                # The whole may take long; a silence may not.
                waits = ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=_SILENCE)
                options["client_kwargs"] = {"timeout": waits, "trust_env": True}
            options |= system._get_kwargs_from_urls(self._address)
            file_system = system(skip_instance_cache=True, **options)
            root = str(system._strip_protocol(self._address))
        except ImportError as error:
            extra = _EXTRAS.get(self.protocol)
            remedy = f'Run: pip install "fitting-room[{extra}]"' if extra else f"{error}."
            reason = f"A package is missing that reads such addresses. {remedy}"
            raise StoreError(reason, name=self.shown) from error
        except Exception as error:
            # fsspec's many parts raise what they like, here and below.
            reason = f"Such an address cannot be read ({_in_words(error)})."
            raise StoreError(reason, name=self.shown) from error
        return file_system, root if self.protocol in WEB else root.rstrip("/")

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the file system; in a bucket without keys, as anybody may."""
        try:
            return getattr(self.fs, method)(*arguments, **options)
        except Exception as error:
            if type(error).__name__ != "NoCredentialsError" or self.protocol not in ("s3", "s3a"):
                raise
            self.fs, _ = self._connect(anon=True)
            return getattr(self.fs, method)(*arguments, **options)

    def within(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root

    def info(self, name: str = "") -> dict[str, Any]:
        """What there is to know of a file. Raises :class:`StoreError`."""
        return dict(self.told(name, lambda: self.call("info", self.within(name))))

    def told(self, name: str, call: Callable[[], Any]) -> Any:
        """What a call returns; what it raises is told as :class:`StoreError`."""
        try:
            return call()
        except StoreError:
            raise
        except Exception as error:
            where = posixpath.join(self.shown, name) if name else self.shown
            reason = f"Nothing could be fetched there ({_in_words(error)})."
            raise StoreError(reason, name=where) from error

    def download(self, cache: Path, name: str = "") -> Path:
        """The file, brought into ``cache`` unless this version is there. Without a connection the
        version that is there will do. Raises :class:`StoreError`."""
        where = posixpath.join(self.shown, name) if name else self.shown
        try:
            info = self.info(name)
        except StoreError:
            if earlier := caches.kept_before(cache, where):
                return earlier
            raise
        if (info.get("size") or 0) > MAX_DOWNLOAD:
            raise StoreError(f"The file is larger than {MAX_DOWNLOAD >> 30} GiB.", name=where)
        version = f"{where}\0{signature(info)}"
        return caches.kept(cache, where, version, "", lambda: self._chunks(name, info))

    def _chunks(self, name: str, info: dict[str, Any]) -> Iterator[bytes]:
        # A web server may not give parts of a file, so it is read in one go.
        size = 0 if self.protocol in WEB else _AT_ONCE
        path, expected = self.within(name), info.get("size")
        total = 0
        file = self.told(name, lambda: self.call("open", path, "rb", block_size=size))
        with file:
            while chunk := self.told(name, lambda: file.read(_AT_ONCE)):
                total += len(chunk)
                if total > MAX_DOWNLOAD:
                    raise StoreError(
                        f"The file is larger than {MAX_DOWNLOAD >> 30} GiB.", name=self.shown
                    )
                yield chunk
        if expected is not None and total != expected:
            raise StoreError("The connection broke off. Try again.", name=self.shown)


class RemoteStore(Container):
    """Files below an address that fsspec can list; each is fetched when it is read.

    Archives and tables are brought into ``cache`` once, as a whole. Raises :class:`StoreError`
    where there is no such address.
    """

    def __init__(self, address: str | Address, cache: Path | None = None) -> None:
        self._at = address if isinstance(address, Address) else Address(address)
        self.location = self._at.shown
        self._cache = cache or caches.default_cache()
        self._files: dict[str, bool] = {}
        if self._at.protocol in WEB:
            raise StoreError(
                "What a folder of a web server holds cannot be listed. Give the address of an "
                "archive or of a table.",
                name=self.location,
            )

    def listing(self) -> Listing:
        at, listing = self._at, Listing()
        found = at.told("", lambda: at.call("find", at.root, detail=True))
        for path, info in found.items():
            name = path.removeprefix(at.root).removeprefix("/")
            if info.get("type", "file") != "file" or not name:
                continue
            if ".." in name.split("/") or not is_plain_name(name):
                if not name.endswith("/"):  # such keys stand for folders
                    listing.pass_over(name, BAD_NAMES)
            elif not is_hidden(name):
                listing.add(name, signature(info))
        if not listing.files and not listing.passed_over:
            raise StoreError("There are no files. Is the address right?", name=self.location)
        return listing

    def has(self, name: str) -> bool:
        if not is_shown_name(name):
            return False
        if name not in self._files:  # asked of archives, again with each picture in them
            path = self._at.within(name)
            self._files[name] = bool(self._at.told(name, lambda: self._at.call("isfile", path)))
        return self._files[name]

    def part(self, name: str) -> FilePart:
        if not is_shown_name(name):
            raise no_such_file(self.path(name))
        try:
            return FilePart.of(self._at.download(self._cache, name))
        except OSError as error:
            raise StoreError(f"It cannot be read ({error}).", name=self.path(name)) from error

    def size(self, name: str) -> int:
        return self.part(name).size

    def version(self, name: str) -> str:
        return self.part(name).file.version

    def open(self, name: str) -> BinaryIO:
        return self.part(name).buffered()

    def read(self, name: str, max_bytes: int) -> bytes:
        check_picture_name(name)
        at = self._at
        try:
            data = bytes(at.call("cat_file", at.within(name), start=0, end=max_bytes + 1))
        except Exception as error:
            reason = f"The picture could not be fetched ({_in_words(error)})."
            raise ImageRejected(reason, name=name) from error
        if len(data) > max_bytes:
            raise too_large(name, max_bytes)
        return data

    def path(self, name: str) -> str:
        return posixpath.join(self.location, name)


class FileStore(Container):
    """One file, such as a table that was brought here, under its name."""

    def __init__(self, file: Path, location: str, name: str) -> None:
        self._file = file
        self.location = location
        self._name = name

    def listing(self) -> Listing:
        version = self.version(self._name)
        return Listing({self._name: version.rpartition("\0")[2]})

    def has(self, name: str) -> bool:
        return name == self._name

    def part(self, name: str) -> FilePart:
        if not self.has(name):
            raise no_such_file(self.path(name))
        try:
            return FilePart.of(self._file)
        except OSError as error:
            raise StoreError(f"It cannot be read ({error}).", name=self.location) from error

    def size(self, name: str) -> int:
        return self.part(name).size

    def version(self, name: str) -> str:
        return self.part(name).file.version

    def open(self, name: str) -> BinaryIO:
        return self.part(name).buffered()

    def read(self, name: str, max_bytes: int) -> bytes:  # noqa: ARG002  (there is none)
        check_picture_name(name)
        raise ImageRejected("There is no such picture.", name=name)

    def path(self, name: str) -> str:
        return posixpath.join(posixpath.dirname(self.location), name)


def signature(info: dict[str, Any]) -> str:
    """A text that changes with a file, of what its place tells of it."""
    size = info.get("size")
    for keys in (_VERSIONS, _TIMES):
        for key in keys:
            if value := info.get(key):
                return f"{size}-{str(value).strip(chr(34))}"
    return f"{size}"


def is_archive_address(address: str) -> bool:
    return is_container_name(base_name(address))


def _in_words(error: BaseException) -> str:
    """What went wrong. Texts of errors may hold addresses with keys, so they are not shown."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "access is denied"
    status = getattr(error, "status", None)
    return type(error).__name__ + (f", status {status}" if isinstance(status, int) else "")
