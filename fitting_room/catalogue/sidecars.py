"""Files beside a picture with its name and another ending that say what is on it: ``.json`` and
``.txt``, as WebDataset archives and img2dataset's folders have them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import pandas as pd

from fitting_room.catalogue.picture_names import without_ending
from fitting_room.catalogue.schema import MAX_COLUMNS, NOT_AVAILABLE, as_windows_1252
from fitting_room.catalogue.stores import ImageStore, StoreError
from fitting_room.catalogue.tables import SourceTable

#: Bytes of one file at most, and the share of pictures that must have one for them to count.
MAX_BYTES, ENOUGH = 2**20, 0.5
CAPTION = "caption"
#: What img2dataset notes of a download, and says nothing of the garment.
_TECHNICAL = frozenset(
    {
        "key", "status", "error_message", "width", "height", "original_width", "original_height",
        "exif", "sha256", "md5", "image",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sidecars:
    """``of`` has the names of the files beside each picture that has any."""

    of: dict[str, tuple[str, ...]]


def find_sidecars(names: Collection[str], pictures: Collection[str]) -> Sidecars | None:
    """The files beside pictures, where at least every other picture has one."""
    of = {}
    if not any(name.endswith((".json", ".txt")) for name in names):
        return None
    for picture in pictures:
        stem = without_ending(picture)
        beside = tuple(stem + ending for ending in (".json", ".txt") if stem + ending in names)
        if beside:
            of[picture] = beside
    return Sidecars(of) if of and len(of) >= ENOUGH * len(pictures) else None


def read_sidecars(
    store: ImageStore, of: Mapping[str, Sequence[str]], pictures: Collection[str]
) -> SourceTable:
    """A row for each picture, in the order of ``pictures``, with what the files beside it say: the
    plain values of its JSON object, and its text as ``caption``. A file that cannot be read is
    noted, and its picture has a row without values."""
    rows: list[dict[str, str]] = []
    columns: dict[str, None] = {}
    bad: list[str] = []
    for picture in pictures:
        row: dict[str, str] = {}
        for name in of.get(picture, ()):
            try:
                row |= _values(name, _contents(store, name))
            except (StoreError, OSError, ValueError, RecursionError):
                bad.append(name)
        rows.append(row)
        columns |= dict.fromkeys(islice(row, MAX_COLUMNS - len(columns)))
    cells = pd.DataFrame(
        {column: pd.Series([row.get(column) for row in rows], dtype="str") for column in columns},
        index=range(len(rows)),
    )
    notes = (f"{len(bad):,} files beside pictures cannot be read (e.g. {bad[0]})",) if bad else ()
    return SourceTable(cells, {}, {}, notes)


def _contents(store: ImageStore, name: str) -> bytes:
    with store.open(name) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError("too large")
    return data


def _values(name: str, data: bytes) -> dict[str, str]:
    if name.endswith(".txt"):
        text = as_windows_1252(data.decode("utf-8-sig", "surrogateescape")).strip()
        return {CAPTION: text} if text else {}
    described = json.loads(data)
    if not isinstance(described, dict):
        raise ValueError("no object")
    values = {}
    for key, value in described.items():
        if isinstance(value, str | int | float | bool) and key not in _TECHNICAL:
            text = str(value).lower() if isinstance(value, bool) else str(value).strip()
            text = text.encode("utf-8", "replace").decode()  # no halves of characters
            if text not in NOT_AVAILABLE:
                values[str(key)] = text
    return values
