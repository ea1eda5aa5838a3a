"""What a file is, by its first bytes."""

from __future__ import annotations

import zipfile
import zlib
from typing import BinaryIO

from fitting_room.catalogue.tables.opening import OpenFile, opened, seekable
from fitting_room.catalogue.tables.table import TableError

HEAD_BYTES = 4096
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

#: What begins a file that is no table, and its name.
_STARTS = (
    (b"%PDF-", "a PDF"),
    (b"\xff\xd8\xff", "a picture"),
    (b"\x89PNG\r\n\x1a\n", "a picture"),
    (b"GIF87a", "a picture"),
    (b"GIF89a", "a picture"),
    (b"II*\x00", "a picture"),
    (b"MM\x00*", "a picture"),
    (b"\x00\x00\x01\x00", "a picture"),
    (b"8BPS", "a picture"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\x00\x00\x01\xba", "a video"),
    (b"\x00\x00\x01\xb3", "a video"),
    (b"FLV\x01", "a video"),
    (b"OggS", "a sound"),
    (b"ID3", "a sound"),
    (b"fLaC", "a sound"),
    (b"{\\rtf", "a Word document"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF\r\n", "an HDF5 file"),
)
_PICTURE_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
_PICTURE_TAGS = ("<svg",)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def what_it_is(open_file: OpenFile, name: str) -> str | None:
    """What a file is that is no catalogue, such as "a PDF", or ``None`` where its bytes do not
    say. ``name`` only decides what an old Office file is. Raises nothing for damaged files."""
    try:
        with opened(open_file) as file:
            head = file.read(HEAD_BYTES)
        if head.startswith(_ZIP):
            with seekable(open_file) as file:
                return office_of(file)
        return of_head(head, name)
    except (TableError, OSError):
        return None


def of_head(head: bytes, name: str) -> str | None:
    """The same, of the first bytes alone, for all but zip archives."""
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head.startswith(OLE):
        return "a spreadsheet" if _ending(name) in (".xls", ".xlt") else _old_office(head)
    return _of_container(head) or _of_markup(head)


def _of_container(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        return "a picture" if head[8:12] in _PICTURE_BRANDS else "a video"
    if head.startswith(b"RIFF"):
        return {b"WEBP": "a picture", b"AVI ": "a video", b"WAVE": "a sound"}.get(head[8:12])
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return "a picture"
    return "a tar archive" if head[257:262] == b"ustar" else None


def _of_markup(head: bytes) -> str | None:
    text = head.decode("utf-8-sig", "ignore").lstrip().lower()
    if text.startswith(("<!doctype html", "<html", "<head", "<body")):
        return "an HTML page"
    if text.startswith(_PICTURE_TAGS):
        return "a picture"
    if text.startswith("<?xml"):
        if "<svg" in text:
            return "a picture"
        return "an HTML page" if "<html" in text else "an XML file"
    return None


def _old_office(head: bytes) -> str:
    if "Workbook".encode("utf-16-le") in head or "Book".encode("utf-16-le") in head:
        return "a spreadsheet"
    if "WordDocument".encode("utf-16-le") in head:
        return "a Word document"
    return "an old Office document"


def _ending(name: str) -> str:
    return "." + name.lower().rpartition(".")[2]


def office_of(file: BinaryIO) -> str:
    """What a zip archive is by the names of its members."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            kind = archive.read("mimetype")[:200] if _small(archive, "mimetype") else b""
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError, zlib.error):
        return "a zip archive"
    for start, office in (("xl/", "a spreadsheet"), ("word/", "a Word document"),
                          ("ppt/", "a presentation")):  # fmt: skip
        if any(name.startswith(start) for name in names):
            return office
    for end, office in ((b"spreadsheet", "a spreadsheet"), (b"text", "a text document"),
                        (b"presentation", "a presentation")):  # fmt: skip
        if kind.startswith(b"application/vnd.oasis.opendocument." + end):
            return office
    return "an e-book" if kind.startswith(b"application/epub") else "a zip archive"


def _small(archive: zipfile.ZipFile, name: str) -> bool:
    return name in archive.namelist() and archive.getinfo(name).file_size < HEAD_BYTES
