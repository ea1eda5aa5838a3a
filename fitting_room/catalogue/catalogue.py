"""A catalogue on disk -> :class:`Catalogue`: a clean table of items with a picture each, and a
report of what was repaired or dropped on the way, and why.

Three forms are read: a folder with ``styles.csv`` and ``images/`` (or ``images.zip``), a zip
archive of the same, and a folder (or archive) of class folders without a csv.
"""

from __future__ import annotations

import csv
import hashlib
import lzma
import posixpath
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from fitting_room.catalogue.image_store import FolderStore, ImageStore, ZipStore
from fitting_room.catalogue.readers import SourceTable, read_class_folders, read_csv
from fitting_room.catalogue.schema import RESERVED_COLUMNS, UNDECODED, as_windows_1252

CSV_NAME = "styles.csv"
MAX_CSV_BYTES = 4 * 2**30

#: What zipfile and its unpackers raise on damaged archives (``RuntimeError``: encrypted ones), and
#: the csv module on damaged tables.
_DAMAGE = (
    OSError, RuntimeError, EOFError, UnicodeDecodeError, zipfile.BadZipFile, zlib.error,
    lzma.LZMAError, csv.Error,
)  # fmt: skip

_Key = Callable[[str], str]


class CatalogueError(Exception):
    """A catalogue that cannot be read at all; the text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class CatalogueReport:
    """What became of the rows of a catalogue.

    ``rows`` came in, ``items`` are left. ``repaired`` and ``dropped`` count rows by reason,
    ``examples`` names a few rows for each of these reasons. ``empty`` counts the items without a
    value in a column (they are kept: a picture is all that a search needs), ``unlisted`` the
    pictures without a row, and ``unread`` those of kinds that are not read, by the ending of their
    names.
    """

    rows: int
    items: int
    repaired: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)
    unlisted: int = 0
    unread: dict[str, int] = field(default_factory=dict)

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
        for ending, count in self.unread.items():
            named = ", ".join(self.examples[ending])
            lines.append(
                f"  {count:,} {ending} left out: such pictures are not read (e.g. {named})"
            )
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Items with a picture each.

    ``items`` has the columns ``id`` (unique text), ``image`` (the picture's name in ``store``),
    ``signature`` (changes when the picture's file does) and the attributes of the source, as text,
    missing where the source says nothing. ``location`` is what was opened.
    """

    location: Path
    store: ImageStore
    items: pd.DataFrame
    report: CatalogueReport

    def __len__(self) -> int:
        return len(self.items)

    @property
    def attributes(self) -> list[str]:
        """Names of the columns that describe the items."""
        return [c for c in self.items.columns if c not in RESERVED_COLUMNS]

    @property
    def fingerprint(self) -> str:
        """sha256 over all items: equal as long as nothing in the catalogue changed."""
        digest = hashlib.sha256("\0".join(self.items.columns).encode())
        text = self.items.astype("string")
        digest.update(pd.util.hash_pandas_object(text, index=False).to_numpy().tobytes())
        return digest.hexdigest()


def load_catalogue(location: str | Path) -> Catalogue:
    """Open a catalogue of any of the three forms.

    Raises :class:`CatalogueError` when there is none at ``location`` or it cannot be read.
    """
    try:
        location = Path(location).expanduser()
        catalogue = _load(location)
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder for `~name`
        raise CatalogueError(f"{location}: cannot be read ({error}).") from error
    report = catalogue.report
    if report.items == 0:
        reason = "no rows" if report.unlisted else "no pictures found"
        reason = report.in_words() if report.rows else reason
        raise CatalogueError(
            f"{catalogue.location}: no usable item ({reason}). Expected {CSV_NAME} beside images/ "
            "with one picture per id, or folders of pictures."
        )
    return catalogue


def _load(location: Path) -> Catalogue:
    if location.is_dir():
        return _from_folder(location)
    if location.name == CSV_NAME and location.is_file():
        raise CatalogueError(f"{location}: give the folder that holds this table, not the table.")
    if not location.is_file():
        raise CatalogueError(f"{location}: no such catalogue. Give a folder or a .zip file.")
    store = _open_zip(location)
    names = [n for n in store.archive.namelist() if posixpath.basename(n) == CSV_NAME]
    if not names:
        return _from_class_folders(location, store)
    member = min(names, key=lambda name: (name.count("/"), name))  # the outermost one
    size = store.archive.getinfo(member).file_size
    table = _read_csv(lambda: store.archive.open(member), location / member, size)
    return _from_table(location, store, table, posixpath.dirname(member))


def open_store(location: str | Path) -> ImageStore:
    """The pictures of the catalogue at ``location``, without reading its table.

    Raises :class:`CatalogueError` as :func:`load_catalogue` does.
    """
    location = Path(location)
    if location.is_dir():
        return _folder_store(location)
    if location.is_file():
        return _open_zip(location)
    raise CatalogueError(f"{location}: the catalogue is not there any more.")


def _folder_store(location: Path) -> ImageStore:
    packed = location / "images.zip"
    return _open_zip(packed) if packed.is_file() else FolderStore(location)


def _from_folder(location: Path) -> Catalogue:
    store = _folder_store(location)
    path = location / CSV_NAME
    if not path.is_file():
        return _from_class_folders(location, store)
    if not path.resolve().is_relative_to(location.resolve()):
        raise CatalogueError(f"{path}: this link leads outside the catalogue.")
    table = _read_csv(lambda: path.open("rb"), path, path.stat().st_size)
    return _from_table(location, store, table)


def _open_zip(location: Path) -> ZipStore:
    try:
        return ZipStore(location)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise CatalogueError(
            f"{location}: this is not a complete zip archive ({error}). Download it again."
        ) from error


def _read_csv(open_file: Callable[[], Any], name: Path, size: int) -> SourceTable:
    if size > MAX_CSV_BYTES:
        raise CatalogueError(f"{name}: larger than {MAX_CSV_BYTES / 2**30:.0f} GiB.")
    try:
        with open_file() as file:
            return read_csv(file)
    except _DAMAGE as error:
        raise CatalogueError(f"{name}: cannot be read ({error}).") from error
    except ValueError as error:
        raise CatalogueError(f"{name}: {error}") from error


def _from_table(location: Path, store: ImageStore, table: SourceTable, base: str = "") -> Catalogue:
    """The items of a table in the folder ``base``, each with the picture that its id names."""
    prefix = base and base + "/"
    pictures = {n: s for n, s in store.pictures() if n.startswith(prefix)}
    # Of the folder `images` beside the table if there is one, else of all.
    inside = {n: s for n, s in pictures.items() if n.startswith(prefix + "images/")}
    return _join(location, store, table, inside or pictures, posixpath.basename)


def _from_class_folders(location: Path, store: ImageStore) -> Catalogue:
    pictures = dict(store.pictures())
    return _join(location, store, read_class_folders(pictures), pictures, str)


def _join(
    location: Path, store: ImageStore, table: SourceTable, pictures: dict[str, str], key: _Key
) -> Catalogue:
    """The usable rows of a table, each with its picture: the one of ``pictures`` (names and
    signatures) whose ``key``, less its suffix, is the row's id."""
    ids = table.cells["id"]
    # An id is looked up and never joined to a path, so no id can lead anywhere.
    by_id = _pictures_by_id(pictures, key)
    images = pd.Series(map(by_id.get, ids.tolist()), dtype="str")
    reasons = _reasons_to_drop(table, images)
    kept = (reasons == "").to_numpy(bool)
    dropped = {str(r): rows.index for r, rows in reasons[~kept].groupby(reasons, sort=False)}
    repaired = {r: [row for row in rows if kept[row]] for r, rows in table.repaired.items()}
    items = table.cells[kept].reset_index(drop=True)
    items.insert(1, "image", images[kept].array)
    items.insert(2, "signature", pd.Series(map(pictures.get, images[kept].tolist()), dtype="str"))
    unread, named = _unread(store)
    report = CatalogueReport(
        rows=len(ids),
        items=len(items),
        repaired={reason: len(rows) for reason, rows in repaired.items() if rows},
        dropped={reason: len(rows) for reason, rows in dropped.items()},
        examples={
            reason: ids.iloc[rows[:5]].str[:60].tolist()
            for reason, rows in (repaired | dropped).items()
            if len(rows)
        }
        | named,
        empty={str(c): int(count) for c, count in items.isna().sum().items() if count},
        unlisted=len(by_id) - len(items),
        unread=unread,
    )
    return Catalogue(location.resolve(), store, items, report)


def _unread(store: ImageStore) -> tuple[dict[str, int], dict[str, list[str]]]:
    """How many pictures of kinds that are not read there are, and a few of their names, both by the
    ending of the names."""
    counts: Counter[str] = Counter()
    named: dict[str, list[str]] = {}
    for name in store.unread():
        ending = posixpath.splitext(name)[1].lower()
        counts[ending] += 1
        if len(examples := named.setdefault(ending, [])) < 5:
            examples.append(as_windows_1252(name)[:60])
    return dict(sorted(counts.items())), named


def _reasons_to_drop(table: SourceTable, images: pd.Series) -> pd.Series:
    """Why each row cannot be used, "" where it can. ``images`` has the picture of each row."""
    ids = table.cells["id"]
    reasons = pd.Series("", ids.index)
    for reason, rows in table.unusable.items():
        reasons.iloc[rows] = reason
    well_formed = reasons == ""
    reasons[well_formed & images.isna()] = "no picture"
    reasons[well_formed & (ids == "")] = "no id"
    reasons[(reasons == "") & ids.where(reasons == "").duplicated()] = "the id occurs before"
    return reasons


def _pictures_by_id(names: Iterable[str], key: _Key) -> dict[str, str]:
    """Picture names by what ``key`` makes of them, less the suffix. Of several with one id it is
    the one nearest to the top, and among those the first by name."""
    by_id: dict[str, str] = {}
    for name in names:
        if UNDECODED.search(name):
            continue
        item = posixpath.splitext(key(name))[0]
        other = by_id.setdefault(item, name)
        if other is not name and (name.count("/"), name) < (other.count("/"), other):
            by_id[item] = name
    return by_id
