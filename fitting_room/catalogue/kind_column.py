"""Which column of a catalogue says what kind of thing an item is.

Shops call it by many names, and some of these names stand for something else elsewhere: what
counts is that the values behave like kinds.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from fitting_room.catalogue.schema import columns_like, plain_column

#: Columns that say what kind of thing an item is, the best first, in any case and with or without
#: separators.
KIND_COLUMNS = (
    "articleType", "product_type_name", "product_type", "google_product_category", "type",
    "subCategory", "category", "categories", "masterCategory", "product_group_name",
    "index_group_name", "class", "label",
)  # fmt: skip
#: A kind has at least this many items on average, or its column names the items.
ITEMS_PER_KIND = 3
#: What shop systems say of how an item is sold, which is no kind of thing.
TECHNICAL_WORDS = frozenset(
    {
        "simple", "variable", "variation", "grouped", "external", "virtual", "downloadable",
        "bundle", "configurable", "active", "draft", "archived", "publish", "published",
        "unpublished", "private", "pending", "visible", "hidden", "instock", "outofstock",
        "true", "false", "yes", "no", "0", "1", "product", "item", "new", "used", "refurbished",
    }
)  # fmt: skip


class KindColumn(NamedTuple):
    """The ``column`` that says what kind of thing an item is, and the kind of each row, text
    ``(N,)``, missing where the column says nothing."""

    column: str
    kinds: pd.Series


def kind_column(items: pd.DataFrame) -> KindColumn | None:
    """The best column of a table of items, or of pictures of items, whose values behave like kinds:
    there are at least two, with :data:`ITEMS_PER_KIND` items each on average, and they are no
    technical words or folders that pictures are stored in. ``None`` where there is no such column.
    """
    once = ~items["id"].duplicated() if "id" in items else pd.Series(True, items.index)
    for column in columns_like(KIND_COLUMNS, items.columns):
        kinds = _last_levels(items[column], several=plain_column(column) == "categories")
        values = kinds[once].dropna()
        different = set(values.unique())
        if len(different) < 2 or len(values) < ITEMS_PER_KIND * len(different):
            continue
        if not all(map(is_technical, different)) and not _are_storage(kinds, items):
            return KindColumn(column, kinds)
    return None


def is_technical(value: str) -> bool:
    """Whether a cell holds nothing but words of a shop system, perhaps several of them."""
    return all(word.strip().casefold() in TECHNICAL_WORDS for word in value.split(","))


def _last_levels(column: pd.Series, *, several: bool) -> pd.Series:
    """Values as text, and of a path (`Clothing > Shirts`) the last level. Where ``several`` paths
    may stand in a cell, the first counts."""
    text = column.astype("string").str.strip()
    paths = text.str.contains(">", regex=False).fillna(False).to_numpy(bool)
    if paths.any():
        levels = text[paths]
        if several:
            levels = levels.str.split(",", n=1).str[0]
        text = text.copy()
        text[paths] = levels.str.rsplit(">", n=1).str[-1].str.strip()
    return text.mask(text == "")


def _are_storage(kinds: pd.Series, items: pd.DataFrame) -> bool:
    """Whether the values are short numbers that each picture's own name begins with, as of
    `010/0108775015.jpg`: folders that many files were spread over."""
    known = kinds.dropna()
    if "image" not in items or not known.str.fullmatch("[0-9a-fA-F]{1,4}").all():
        return False
    names = items["image"][known.index].astype(str)
    return all(
        name.rsplit("/", 1)[-1].startswith(value) for name, value in zip(names, known, strict=True)
    )
