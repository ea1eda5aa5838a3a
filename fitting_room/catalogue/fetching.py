"""A table with addresses of pictures -> a catalogue: a folder with the pictures and the table.

The pictures are known by their addresses, so that the same command goes on where it was stopped and
asks once more only for what is missing.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout
from PIL import Image

from fitting_room.catalogue import img2dataset
from fitting_room.catalogue.addresses import (
    AddressError,
    addresses_in,
    normalised,
    refusals,
    shown,
    url_column,
)
from fitting_room.catalogue.download import DownloadError
from fitting_room.catalogue.tables import TableError, read_table
from fitting_room.imaging.decode import FORMATS, ImageLimits, ImageRejected, open_image
from fitting_room.util.files import remove_unfinished, write_atomically
from fitting_room.util.progress import Listener, Stage, ignore
from fitting_room.util.threads import cores

__all__ = ["FetchReport", "fetch_table", "read_source", "url_column"]

#: What is written: the table, the pictures, and what did not come.
TABLE, IMAGES, FAILED = "catalogue.csv", "images", "failed.csv"
#: The column of the pictures' names, relative to the folder.
IMAGE_COLUMN = "image"
#: Where a download is at work; says that a folder is one of ours.
WORK, MARK = ".fetch", "fetch.json"
#: Failures that are named one by one.
NAMED = 10
_UNKNOWN = "Nothing is known of it. The same command asks once more."
_PICTURE = re.compile(r"([0-9a-f]{32})\.[a-z0-9]{3,5}")
_SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "HEIF": ".heic"}


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What came of a table's ``rows``: of so many different ``addresses`` in its ``column``, so
    many pictures ``came`` now and were ``there`` before. ``reasons`` counts those that failed, and
    ``examples`` names the first of them."""

    folder: Path
    column: str
    rows: int
    addresses: int
    came: int
    there: int
    reasons: dict[str, int] = field(default_factory=dict)
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def failed(self) -> int:
        return sum(self.reasons.values())


def read_source(path: Path) -> pd.DataFrame:
    """A table as text. Raises :class:`DownloadError` where it cannot be read."""
    try:
        return read_table(lambda: path.open("rb"), path.name).cells.fillna("")
    except TableError as error:
        raise DownloadError(f"{path}: {error}") from error


def fetch_table(
    table: Path,
    to: Path,
    *,
    column: str | None = None,
    private: bool = False,
    ignore_robots: bool = False,
    limits: ImageLimits,
    listener: Listener = ignore,
) -> FetchReport:
    """Download the pictures that a table names by their addresses, in ``column`` or in the one that
    :func:`url_column` finds, and make a catalogue of them at ``to``.

    What has come before is not asked for again. ``private`` addresses are those of this machine and
    its network; with ``ignore_robots``, pictures come that their servers ask programs to leave
    alone. Raises :class:`DownloadError` where the table cannot be read or has no addresses, for
    another folder at ``to``, and where img2dataset is missing or breaks down.
    """
    cells = read_source(table)
    column = _column(table, cells, column)
    of_rows = [_normalised(cell) for cell in cells[column]]
    with _at_work(table, to) as work:
        download = _Download(to, work, limits)
        download.harvest()  # of what was stopped on the way
        there = download.known()
        asked = dict.fromkeys(a for row in of_rows for a, wrong in row if not wrong)
        pending = [address for address in asked if name_of(address) not in there]
        refused = refusals(pending, private=private)
        pending = [address for address in pending if address not in refused]
        reasons = {a: wrong for row in of_rows for a, wrong in row if wrong} | dict(refused)
        if pending:
            reasons |= download.run(pending, listener, ignore_robots=ignore_robots)
        known = download.known()
        names = [_names(row, known) for row in of_rows]
        _write_table(to, cells, names)
        _write_failures(to, of_rows, reasons)
    failed = Counter(reasons[address] for address in reasons)
    return FetchReport(
        folder=to,
        column=column,
        rows=len(cells),
        addresses=len(asked) + sum(address not in asked for address in reasons),
        came=sum(name_of(a) in known and name_of(a) not in there for a in asked),
        there=sum(name_of(a) in there for a in asked),
        reasons=dict(failed.most_common()),
        examples=tuple((shown(a), why) for a, why in list(reasons.items())[:NAMED]),
    )


def name_of(address: str) -> str:
    """What the picture of an address is called, without an ending."""
    return hashlib.sha256(address.encode()).hexdigest()[:32]


# --- the table --------------------------------------------------------------------------------


def _column(table: Path, cells: pd.DataFrame, column: str | None) -> str:
    if column is not None and column not in cells:
        named = ", ".join(map(str, cells.columns[:20]))
        raise DownloadError(f"{table}: there is no column {column!r}. It has: {named}")
    found = column or url_column(cells)
    if found is None:
        raise DownloadError(
            f"{table}: no column has addresses of pictures. Name it with --url-column COLUMN."
        )
    return found


def _normalised(cell: object) -> list[tuple[str, str | None]]:
    """The addresses in a cell, each with what is wrong with it, if anything."""
    result: list[tuple[str, str | None]] = []
    for address in addresses_in(cell):
        try:
            result.append((normalised(address), None))
        except AddressError as error:
            result.append((address, str(error)))
    if not result and isinstance(cell, str) and cell.strip():
        result.append((cell.strip()[:200], "This is no address of a web server."))
    return result


def _names(row: list[tuple[str, str | None]], known: dict[str, str]) -> str:
    files = (known.get(name_of(address)) for address, wrong in row if not wrong)
    return ", ".join(dict.fromkeys(f"{IMAGES}/{file}" for file in files if file))


def _write_table(to: Path, cells: pd.DataFrame, names: list[str]) -> None:
    """The table as it was, with the names of the pictures in a further column."""
    if IMAGE_COLUMN in cells:  # the addresses themselves, say
        other = next(
            name
            for name in (f"{IMAGE_COLUMN}_{end}" for end in ("url", *range(2, 10_000)))
            if name not in cells
        )
        cells = cells.rename(columns={IMAGE_COLUMN: other})
    written = cells.assign(**{IMAGE_COLUMN: names})
    write_atomically(to / TABLE, written.to_csv(index=False, lineterminator="\n"))


def _write_failures(
    to: Path, of_rows: list[list[tuple[str, str | None]]], reasons: dict[str, str]
) -> None:
    """The rows whose pictures did not come, counted from 1, or no such file."""
    lines = [
        (number, shown(address), reasons[address])
        for number, row in enumerate(of_rows, 1)
        for address, _ in row
        if address in reasons
    ]
    if not lines:
        (to / FAILED).unlink(missing_ok=True)
        return
    table = pd.DataFrame(lines, columns=["row", "address", "reason"])
    write_atomically(to / FAILED, table.to_csv(index=False, lineterminator="\n"))


# --- the download -----------------------------------------------------------------------------


@contextmanager
def _at_work(table: Path, to: Path) -> Iterator[Path]:
    """The folder in which a download into ``to`` is at work, which no other one is."""
    work, mark = to / WORK, json.dumps({"format": "fitting-room-fetch"})
    try:
        same = table.resolve().parent == to.resolve()
    except (OSError, RuntimeError) as error:  # a link that leads back to itself
        raise DownloadError(
            f"{to}: no folder can be there ({error}). Name another with --to."
        ) from error
    if same:
        raise DownloadError(f"{to}: holds the table itself. Name another folder with --to.")
    if to.exists() and not (work / MARK).is_file() and (not to.is_dir() or any(to.iterdir())):
        raise DownloadError(f"{to}: there is something else. Name another folder with --to.")
    try:
        work.mkdir(parents=True, exist_ok=True)
        (to / IMAGES).mkdir(exist_ok=True)
        if work.is_symlink() or (to / IMAGES).is_symlink():
            raise DownloadError(f"{to}: leads elsewhere by a link. Name another folder with --to.")
        with FileLock(work / "lock").acquire(timeout=0):
            for path in (work / MARK, to / TABLE, to / FAILED):
                remove_unfinished(path)
            write_atomically(work / MARK, mark)
            yield work
    except Timeout as error:
        raise DownloadError(f"{to}: another download is running. Wait for it.") from error


class _Download:
    """Pictures that come into the folder ``to``."""

    def __init__(self, to: Path, work: Path, limits: ImageLimits) -> None:
        self.to, self.work, self.limits = to, work, limits

    def known(self) -> dict[str, str]:
        """The pictures that are there: their files by name."""
        files = (_PICTURE.fullmatch(path.name) for path in (self.to / IMAGES).iterdir())
        return {match[1]: match[0] for match in files if match}

    def run(self, pending: list[str], listener: Listener, *, ignore_robots: bool) -> dict[str, str]:
        """Download some addresses; returns why nothing came of some of them."""
        stage = Stage("Downloading pictures", len(pending), "picture", listener)
        try:
            img2dataset.run(
                pending,
                self.work,
                ignore_robots=ignore_robots,
                on_count=lambda count: stage.advance(count - stage.done),
            )
        except BaseException:
            self.harvest()
            raise
        reasons = dict(img2dataset.failures(self.work))
        unusable = self.harvest()
        known = self.known()
        return {
            address: unusable.get(address) or reasons.get(address) or _UNKNOWN
            for address in pending
            if name_of(address) not in known
        }

    def harvest(self) -> dict[str, str]:
        """Put what has come in its place; returns why some of it is no picture that can be used.
        Only a picture stays: whatever else came is asked for again."""
        unusable: dict[str, str] = {}
        with ThreadPoolExecutor(cores()) as pool:
            for address, reason in pool.map(self._take, img2dataset.arrivals(self.work)):
                if reason is not None:
                    unusable[address] = reason
        img2dataset.clear(self.work)
        return unusable

    def _take(self, arrival: tuple[str, Path]) -> tuple[str, str | None]:
        address, file = arrival
        try:
            with file.open("rb") as opened:
                data = opened.read(self.limits.max_bytes + 1)
            open_image(data, limits=self.limits)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                kind = str(image.format)
        except ImageRejected as rejected:
            return address, rejected.reason
        except OSError as error:
            return address, f"The file cannot be read ({error.strerror})."
        suffix = _SUFFIXES.get(kind, f".{kind.lower()}")
        file.replace(self.to / IMAGES / (name_of(address) + suffix))
        return address, None
