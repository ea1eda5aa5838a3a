"""What the folders of pictures say of them: their class, and which pictures are of one item.

A folder may also be a mere shelf: a part of a data set (``train``), a place for pictures
(``images``), or a share of too many of them (``00``, ``010``). Such ones say nothing.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from fitting_room.catalogue.picture_names import without_ending
from fitting_room.catalogue.schema import UNDECODED, as_windows_1252
from fitting_room.catalogue.tables import SourceTable

#: Folders that hold a catalogue's pictures or a part of it, and say nothing of what is in them.
_SHELVES = frozenset(
    {
        "image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "pics", "jpg",
        "jpeg", "png", "webp", "data", "dataset", "datasets", "media", "uploads", "upload", "files",
        "file", "original", "originals", "small", "medium", "large", "thumb", "thumbs", "thumbnail",
        "thumbnails", "full", "raw", "assets", "static", "wp-content", "content", "products",
        "product", "catalog", "catalogue", "all", "train", "training", "test", "testing", "val",
        "valid", "validation", "dev", "split", "splits", "shards", "added",
    }
)  # fmt: skip
_ARCHIVE = re.compile(r"\.(zip|tar|tgz|tar\.\w+|parquet|pq|arrow|feather)$", re.I)
_SHARE = re.compile(r"[0-9a-f]{2,}", re.I)
#: A number of four digits that may be a year is none of a product.
_PRODUCT = re.compile(r"(?!(?:19|20)\d\d$)(?:[a-z]+[-_ ]?)?\d{4,}", re.I)
#: Pictures that a product's own folder has at most.
MOST_OF_PRODUCT = 30


@dataclass(frozen=True, slots=True)
class FolderItems:
    """A row for each item: its id, ``class`` and ``group`` where the folders say so, and in
    ``claims`` its pictures."""

    source: SourceTable
    claims: list[list[str]]


def read_folders(pictures: Iterable[str]) -> FolderItems:
    """Items of pictures without a table. A picture is an item, called by its name without the
    ending; where each product has a folder, with a number for a name, that is the item. Its class
    is the nearest folder that is no mere shelf, its group the one above."""
    names = sorted(pictures)
    shares, products = _shares(names), _products(names)
    claims: dict[str, list[str]] = {}
    undecoded = {name for name in names if UNDECODED.search(name)}
    for name in names:
        folder = posixpath.dirname(name)
        item = folder if folder in products else without_ending(as_windows_1252(name))
        if name in undecoded:
            item = as_windows_1252(name)
        claims.setdefault(item, []).append(name)
    first = [_one_format(of) for of in claims.values()]
    cells = pd.DataFrame({"id": list(claims)}, dtype="str")
    words = [_words(of[0], shares, products) for of in first]
    for place, column in enumerate(("class", "group")):
        values = [word[place] if len(word) > place else None for word in words]
        if any(values):
            cells[column] = pd.Series(values, dtype="str")
    bad = [row for row, of in enumerate(first) if of[0] in undecoded]
    unusable = {"the file name is not UTF-8": bad} if bad else {}
    return FolderItems(SourceTable(cells, {}, unusable), first)


def classes_of(names: Sequence[str]) -> list[str | None]:
    """The class of each picture that its folders say, if they do."""
    shares, products = _shares(names), _products(names)
    words = [_words(name, shares, products) for name in names]
    return [word[0] if word else None for word in words]


def _one_format(names: Sequence[str]) -> list[str]:
    kept: dict[str, str] = {}
    for name in names:
        kept.setdefault(without_ending(name), name)
    return list(kept.values())


def _words(name: str, shares: set[str], products: set[str]) -> list[str]:
    """The folders of a picture that say something, the nearest first, at most two."""
    words: list[str] = []
    folder = posixpath.dirname(name)
    while folder and len(words) < 2:
        last = posixpath.basename(folder)
        is_shelf = last.casefold() in _SHELVES or _ARCHIVE.search(last) is not None
        if not is_shelf and folder not in shares and folder not in products:
            words.append(as_windows_1252(last))
        folder = posixpath.dirname(folder)
    return words


def _children(names: Iterable[str]) -> dict[str, set[str]]:
    """The names of the folders in each folder."""
    children: dict[str, set[str]] = defaultdict(set)
    pending = {posixpath.dirname(name) for name in names}
    while pending:
        folder = pending.pop()
        parent = posixpath.dirname(folder)
        if folder and posixpath.basename(folder) not in children[parent]:
            children[parent].add(posixpath.basename(folder))
            pending.add(parent)
    return children


def _shares(names: Sequence[str]) -> set[str]:
    """Folders that only divide many pictures: all beside each other are numbers (or hexadecimal
    ones) of one length, such as ``00`` to ``ff`` or ``010``."""
    shares = set()
    for parent, folders in _children(names).items():
        plain = [folder for folder in folders if folder.casefold() not in _SHELVES]
        of_form = [f for f in plain if _SHARE.fullmatch(f)]
        with_digit = sum(any(map(str.isdigit, folder)) for folder in of_form)
        lengths = {len(folder) for folder in of_form}
        if (
            of_form
            and len(of_form) == len(plain)
            and len(lengths) == 1
            and 2 * with_digit >= len(plain)
        ):
            shares |= {posixpath.join(parent, folder) for folder in of_form}
    return shares


def _products(names: Sequence[str]) -> set[str]:
    """Folders of one product each: called by a number of four digits or more, perhaps with a word
    before it, with a few pictures, whose names do not go on with that number as a share's do."""
    inside: dict[str, list[str]] = defaultdict(list)
    for name in names:
        inside[posixpath.dirname(name)].append(without_ending(posixpath.basename(name)))
    by_parent: dict[str, list[str]] = defaultdict(list)
    for folder in inside:
        by_parent[posixpath.dirname(folder)].append(folder)
    products: set[str] = set()
    for folders in by_parent.values():
        if all(_is_product(posixpath.basename(f), inside[f]) for f in folders if f):
            products |= {folder for folder in folders if folder}
    # Folders 00000, 00001, ... are counted through: shares.
    counted = {
        f
        for f in products
        if (n := posixpath.basename(f)).isdigit() and int(n) < len(names) and n.startswith("0")
    }
    return products - counted


def _is_product(folder: str, stems: Sequence[str]) -> bool:
    if not _PRODUCT.fullmatch(folder) or len(stems) > MOST_OF_PRODUCT:
        return False
    going_on = [
        s for s in stems if s.startswith(folder) and s[len(folder) : len(folder) + 1].isalnum()
    ]
    return len(going_on) < len(stems)
