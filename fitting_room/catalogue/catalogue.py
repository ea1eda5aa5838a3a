"""A shop's goods on disk -> :class:`Catalogue`: a clean table of items, and a report of what was
repaired or dropped on the way, and why.

Three forms are read: a folder with ``styles.csv`` and ``images/`` (or ``images.zip``), a zip
archive of the same, and a folder (or archive) of class folders without a csv.
"""

from __future__ import annotations

import csv
import hashlib
import io
import lzma
import posixpath
import re
import sqlite3
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from fitting_room.catalogue.image_store import FolderStore, PictureStore, ZipStore
from fitting_room.catalogue.listing import Listed, Listing
from fitting_room.util.tables import ROWS_AT_ONCE, Table, TableWriter

CSV_NAME = "styles.csv"
MAX_CSV_BYTES = 4 * 2**30
MAX_ROWS = 20_000_000
MAX_COLUMNS = 200
#: How many physical lines one quoted cell may span before its quote is taken for a stray one.
MAX_LINES_PER_ROW = 20

#: Columns that carry an item's name, the best first. As the last column of a csv such a one may
#: hold commas that nobody quoted.
NAME_COLUMNS = ("productDisplayName", "name", "title", "description")
#: Columns of the table that are the catalogue's own and not attributes of the goods.
RESERVED_COLUMNS = ("id", "image", "signature")

#: Cells that say "not available". `NA` is how the Fashion Product Images data says it.
NOT_AVAILABLE = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})


#: What zipfile and its unpackers raise on damaged archives.
_DAMAGE = (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, UnicodeDecodeError)


class CatalogueError(Exception):
    """A catalogue that cannot be read at all; the text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class CatalogueReport:
    """What became of the rows of a catalogue.

    ``rows`` came in, ``items`` are left. ``repaired`` and ``dropped`` count rows by reason,
    ``examples`` names a few rows for each of these reasons. ``empty`` counts the items without a
    value in a column (they are kept: a picture is all that a search needs), ``unlisted`` the
    pictures that no row speaks of.
    """

    rows: int
    items: int
    repaired: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)
    unlisted: int = 0

    def in_words(self) -> str:
        lines = [f"{self.rows:,} rows read, {self.items:,} items kept"]
        for verb, counts in (("repaired", self.repaired), ("dropped", self.dropped)):
            for reason, count in counts.items():
                named = ", ".join(self.examples[reason])
                lines.append(f"  {verb} {count:,}: {reason} (e.g. {named})")
        if self.empty:
            cells = ", ".join(f"{column} {count:,}" for column, count in self.empty.items())
            lines.append(f"  kept with an empty cell: {cells}")
        if self.unlisted:
            lines.append(f"  {self.unlisted:,} pictures without a row were left out")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Items with a picture each.

    ``items``, the frame of ``table``, has the columns ``id`` (unique text), ``image`` (the
    picture's name in ``store``), ``signature`` (changes when the picture's file does) and the
    attributes of the source, as text, missing where the source says nothing. It lies in a temporary
    file and takes little memory however many items there are. ``location`` is what was opened.
    """

    location: Path
    store: PictureStore
    table: Table
    report: CatalogueReport

    @property
    def items(self) -> pd.DataFrame:
        return self.table.frame

    def __len__(self) -> int:
        return len(self.table)

    @property
    def attributes(self) -> list[str]:
        """Names of the columns that describe the goods."""
        return [c for c in self.items.columns if c not in RESERVED_COLUMNS]

    @property
    def fingerprint(self) -> str:
        """sha256 over all items: equal as long as nothing in the catalogue changed."""
        digest = hashlib.sha256("\0".join(self.items.columns).encode())
        for block in self.table.blocks():
            some = block.astype("string")
            digest.update(pd.util.hash_pandas_object(some, index=False).to_numpy().tobytes())
        return digest.hexdigest()


def load_catalogue(location: str | Path) -> Catalogue:
    """Open a catalogue of any of the three forms.

    Raises :class:`CatalogueError` when there is none at ``location`` or it cannot be read.
    """
    try:
        location = Path(location).expanduser()
        return _load(location)
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder for `~name`
        raise CatalogueError(f"{location}: cannot be read ({error}).") from error
    except sqlite3.Error as error:
        raise CatalogueError(
            f"{location}: the list of its pictures cannot be kept ({error}). Make room in the "
            "folder for temporary files."
        ) from error


def _load(location: Path) -> Catalogue:
    if location.is_dir():
        return _from_folder(location)
    if location.name == CSV_NAME and location.is_file():
        raise CatalogueError(f"{location}: give the folder that holds this table, not the table.")
    if location.is_file():
        store = _open_zip(location)
        table = _shallowest_csv(store.archive)
        if table is None:
            return _from_class_folders(location, store)
        with closing(_open_csv_member(store, table)) as lines:
            return _from_csv(location, store, lines, base=str(PurePosixPath(table).parent))
    raise CatalogueError(f"{location}: there is no such catalogue. Give a folder or a .zip file.")


def open_store(location: str | Path) -> PictureStore:
    """The pictures of the catalogue at ``location``, without reading its table.

    Raises :class:`CatalogueError` as :func:`load_catalogue` does.
    """
    location = Path(location)
    if location.is_dir():
        return _folder_store(location)
    if location.is_file():
        return _open_zip(location)
    raise CatalogueError(f"{location}: the catalogue is not there any more.")


def _folder_store(location: Path) -> PictureStore:
    packed = location / "images.zip"
    return _open_zip(packed) if packed.is_file() else FolderStore(location)


def _from_folder(location: Path) -> Catalogue:
    store = _folder_store(location)
    table = location / CSV_NAME
    if not table.is_file():
        return _from_class_folders(location, store)
    try:
        if not table.resolve().is_relative_to(location.resolve()):
            raise CatalogueError(f"{table}: this link leads outside the catalogue.")
        if table.stat().st_size > MAX_CSV_BYTES:
            raise CatalogueError(f"{table}: larger than {MAX_CSV_BYTES / 2**30:.0f} GiB.")
        with _as_text(table.open("rb"), table) as lines:
            return _from_csv(location, store, lines)
    except OSError as error:
        raise CatalogueError(f"{table}: cannot be read ({error}).") from error


def _open_zip(location: Path) -> ZipStore:
    try:
        return ZipStore(location)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise CatalogueError(
            f"{location}: this is not a complete zip archive ({error}). Download it again."
        ) from error


def _shallowest_csv(archive: zipfile.ZipFile) -> str | None:
    tables = [n for n in archive.namelist() if PurePosixPath(n).name == CSV_NAME]
    return min(tables, key=lambda name: (name.count("/"), name), default=None)


def _open_csv_member(store: ZipStore, member: str) -> io.TextIOWrapper:
    name = store.location / member
    if store.archive.getinfo(member).file_size > MAX_CSV_BYTES:
        raise CatalogueError(f"{name}: larger than {MAX_CSV_BYTES / 2**30:.0f} GiB.")
    try:
        return _as_text(store.archive.open(member), name)
    except (*_DAMAGE, RuntimeError) as error:
        raise CatalogueError(f"{name}: cannot be read ({error}).") from error


def _as_text(binary: Any, name: Path) -> io.TextIOWrapper:
    """UTF-8 with or without a byte order mark; UTF-16 with one is told apart and refused."""
    start = binary.read(4)
    binary.seek(0)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise CatalogueError(f"{name}: saved as UTF-16. Save it as UTF-8 (CSV UTF-8 in Excel).")
    # Bytes that are not UTF-8 stay recognisable and are counted as repaired rows.
    return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")


# --- a table and its pictures ---------------------------------------------------------------


class _Tally:
    """Counts rows by reason and keeps the first few ids of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def add(self, reason: str, example: str) -> None:
        self.counts[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < 5:
            examples.append(example[:60])


def _from_csv(
    location: Path, store: PictureStore, lines: Iterable[str], *, base: str = "."
) -> Catalogue:
    try:
        header, rows = _read_rows(lines)
    except (csv.Error, *_DAMAGE) as error:
        raise CatalogueError(f"{location / CSV_NAME}: cannot be read ({error}).") from error
    except ValueError as error:
        raise CatalogueError(f"{location / CSV_NAME}: {error}") from error
    prefix = "" if base == "." else base + "/"
    pictures = (
        (name, signature)
        for name, signature in store.pictures()
        if name.startswith(prefix) and not _UNDECODED.search(name)
    )
    # Of the folder `images` beside the csv if there is one, else of all.
    listing = Listing(pictures, _stem, lambda name: name.startswith(prefix + "images/"))
    dropped, repaired = _Tally(), _Tally()
    columns = ["id", "image", "signature", *header[1:]]
    block: list[list[str]] = []
    count = 0
    with listing, TableWriter(columns) as writer:
        try:
            for cells, repairs in rows:
                count += 1
                if count > MAX_ROWS:
                    raise CatalogueError(f"{location / CSV_NAME}: more than {MAX_ROWS:,} rows.")
                found = _picture(cells, header, listing)
                if isinstance(found, str):
                    dropped.add(found, cells[0] if cells else "")
                    continue
                block.append([cells[0], found.name, found.signature, *cells[1:]])
                for repair in repairs:
                    repaired.add(repair, cells[0])
                if len(block) == ROWS_AT_ONCE:
                    writer.append(_table(block, columns))
                    block = []
        except (csv.Error, *_DAMAGE) as error:
            raise CatalogueError(f"{location / CSV_NAME}: row {count + 1}: {error}") from error
        writer.append(_table(block, columns))
        stems = listing.keys
    items = writer.table
    report = CatalogueReport(
        rows=count,
        items=len(items),
        repaired=dict(repaired.counts),
        dropped=dict(dropped.counts),
        examples=repaired.examples | dropped.examples,
        empty=_count_empty(items.frame),
        unlisted=stems - len(items),
    )
    return _checked(Catalogue(location.resolve(), store, items, report))


def _table(rows: list[list[str]], columns: list[str]) -> pd.DataFrame:
    """Some rows as a table, without the cells that say nothing."""
    table = pd.DataFrame(rows, columns=columns, dtype="str")
    attributes = columns[len(RESERVED_COLUMNS) :]
    said = table[attributes]
    table[attributes] = said.mask(said.isin(NOT_AVAILABLE))
    return table


def _read_rows(lines: Iterable[str]) -> tuple[list[str], Iterator[tuple[list[str], list[str]]]]:
    """The header, with the id first, and the rows with what was repaired in each."""
    source = iter(lines)
    first = next(source, "")
    if _UNDECODED.search(first):
        first = _from_windows(first)
    delimiter = max(",;\t", key=first.count)
    header = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])]
    lowered = [column.lower() for column in header]
    if "id" not in lowered:
        raise ValueError("the first line names no column `id`. Name the columns there.")
    unlike = len(set(header)) == len(header) and lowered.count("id") == 1
    if len(header) > MAX_COLUMNS or not unlike or "" in header:
        raise ValueError(f"the first line must name up to {MAX_COLUMNS} different columns.")
    if taken := [c for c in header if c in RESERVED_COLUMNS and c != "id"]:
        raise ValueError(f"the column name `{taken[0]}` is reserved. Rename that column.")
    at = lowered.index("id")
    last_is_name = header[-1] in NAME_COLUMNS and at != len(header) - 1
    names = ["id", *(c for i, c in enumerate(header) if i != at)]

    def rows() -> Iterator[tuple[list[str], list[str]]]:
        for raw, repairs in _split_lines(source, delimiter):
            cells = [cell.strip() for cell in raw]
            while len(cells) > len(header) and not cells[-1]:
                cells.pop()  # a spreadsheet's empty columns
            if len(cells) > len(header) and last_is_name:
                end = len(header) - 1
                cells = [*cells[:end], delimiter.join(raw[end : len(cells)]).strip()]
                repairs.append("unquoted commas in the last column")
            if _UNDECODED.search("".join(cells)):
                cells = [_from_windows(c) if _UNDECODED.search(c) else c for c in cells]
                repairs.append("not UTF-8, read as Windows-1252")
            yield [*cells[at : at + 1], *cells[:at], *cells[at + 1 :]], repairs

    return names, rows()


#: What the `surrogateescape` of decoding leaves of a byte that is not UTF-8.
_UNDECODED = re.compile("[\udc80-\udcff]")


def _from_windows(cell: str) -> str:
    return cell.encode("utf-8", "surrogateescape").decode("cp1252", "replace")


def _split_lines(lines: Iterator[str], delimiter: str) -> Iterator[tuple[list[str], list[str]]]:
    """Rows of a csv, one physical line each unless a quoted cell goes on in the next ones. A quote
    that is never closed costs its own row its quotes, and no other row anything."""
    ahead: list[str] = []
    while True:
        line = ahead.pop(0) if ahead else next(lines, None)
        if line is None:
            return
        if not line.strip():
            continue
        if '"' not in line:
            yield line.rstrip("\r\n").split(delimiter), []
            continue
        record = [line]
        while (cells := _parse(record, delimiter)) is None and len(record) < MAX_LINES_PER_ROW:
            following = ahead.pop(0) if ahead else next(lines, None)
            if following is None:
                break
            record.append(following)
        if cells is not None:
            yield cells, []
        else:
            ahead = record[1:] + ahead
            yield line.rstrip("\r\n").split(delimiter), ["a quote that is never closed"]


def _parse(record: list[str], delimiter: str) -> list[str] | None:
    """The cells of one row, or ``None`` while a quoted cell is still open."""
    text = "".join(record)
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        # In a row of several lines, text after a closing quote says that the quote closed nothing:
        # it opens a cell of a later row, and the first one was a stray one.
        if "unexpected end of data" in str(error) or len(record) > 1:
            return None
        if "field larger than" in str(error):
            return None
    # A quote in the middle of a cell: strict reading refuses it, plain reading knows what to do.
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def _stem(name: str) -> str:
    return posixpath.splitext(posixpath.basename(name))[0]


def _picture(cells: list[str], header: list[str], listing: Listing) -> Listed | str:
    """The picture of a row, or why the row has to be dropped."""
    if len(cells) < len(header):
        return "too few columns"
    if len(cells) > len(header):
        return "too many columns"
    if not cells[0]:
        return "no id"
    # Looked up in a listing and never joined to a path, so no id can lead anywhere.
    found = listing.take(cells[0])
    if found is None:
        return "no picture"
    return "the id occurs before" if found.again else found


def _from_class_folders(location: Path, store: PictureStore) -> Catalogue:
    dropped = _Tally()
    columns = ["id", "image", "signature", "class"]
    block: list[list[str]] = []
    listing = Listing(store.pictures(), lambda name: posixpath.splitext(name)[0])
    with listing, TableWriter(columns) as writer:
        for item, found in listing.in_order():
            if _UNDECODED.search(found.name):
                dropped.add("the file name is not UTF-8", _from_windows(found.name))
            elif found.again:
                dropped.add("the id occurs before", found.name)
            else:
                folder = PurePosixPath(found.name).parent.name
                block.append([item, found.name, found.signature, folder])
            if len(block) == ROWS_AT_ONCE:
                writer.append(_classes(block, columns))
                block = []
        writer.append(_classes(block, columns))
        count = len(listing)
    items = writer.table
    if items.frame["class"].isna().all():
        items = items.without("class")  # a plain folder of pictures has no classes
    report = CatalogueReport(
        rows=count,
        items=len(items),
        dropped=dict(dropped.counts),
        examples=dropped.examples,
        empty=_count_empty(items.frame),
    )
    return _checked(Catalogue(location.resolve(), store, items, report))


def _classes(rows: list[list[str]], columns: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=columns, dtype="str")
    table["class"] = table["class"].mask(table["class"] == "")
    return table


def _count_empty(items: pd.DataFrame) -> dict[str, int]:
    counts = items.isna().sum()
    return {str(column): int(count) for column, count in counts.items() if count}


def _checked(catalogue: Catalogue) -> Catalogue:
    if catalogue.report.items == 0:
        nothing = "no rows" if catalogue.report.unlisted else "no pictures found"
        found = catalogue.report.in_words() if catalogue.report.rows else nothing
        raise CatalogueError(
            f"{catalogue.location}: no usable item ({found}). Expected {CSV_NAME} beside images/ "
            "with one picture per id, or folders of pictures."
        )
    return catalogue


def held_out(ids: pd.Series, every: int) -> np.ndarray:
    """Which items a fixed protocol keeps back from everything that is learned, bool ``(N,)``: those
    whose id is a multiple of ``every``, or whose id's CRC-32 is where it is no whole number."""
    return np.array([_number(str(value)) % every == 0 for value in ids], dtype=bool)


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))
