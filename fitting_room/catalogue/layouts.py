"""Data sets whose parts belong together in a way that no single table says, recognised by their
own files: Amazon Berkeley Objects, and DeepFashion's In-shop benchmark."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from dataclasses import replace

import pandas as pd

from fitting_room.catalogue.folders import FolderItems
from fitting_room.catalogue.reading_options import ReadingOptions
from fitting_room.catalogue.source_tables import (
    MatchedTable,
    Scopes,
    TableGroup,
    match_source,
    read_group,
)
from fitting_room.catalogue.stores import ImageStore
from fitting_room.catalogue.tables import SourceTable, TableError

_ABO_LISTINGS = re.compile(r"(.*/)?listings/metadata/listings_\w+\.json(\.gz)?")
_ABO_IMAGES = re.compile(r"(.*/)?images/metadata/images\.csv(\.gz)?")
_IN_SHOP = re.compile(
    r"(.*/)?list_(bbox|description|item|attr_items|color_cloth)_?\w*inshop\w*\.(txt|json)", re.I
)
_IN_SHOP_ITEMS = re.compile(r"(.*/)?list_description_inshop\.json", re.I)
IN_SHOP, ABO = "DeepFashion In-shop", "Amazon Berkeley Objects"


def match_abo(
    store: ImageStore, names: Collection[str], scopes: Scopes, options: ReadingOptions
) -> MatchedTable | None:
    """The listings of Amazon Berkeley Objects, whose pictures another table names by their ids; or
    ``None`` where this is something else. Raises ``TableError``."""
    listings = sorted(filter(_ABO_LISTINGS.fullmatch, names))
    images = sorted(filter(_ABO_IMAGES.fullmatch, names))
    if not listings or not images:
        return None
    group = TableGroup(tuple(listings))
    of_images, _ = read_group(store, TableGroup((images[0],)))
    source, _ = read_group(store, group)
    missing = {"image_id", "path"} - set(of_images.cells.columns)
    if missing or "main_image_id" not in source.cells.columns:
        return None
    table = of_images.cells.dropna(subset=["image_id", "path"])
    paths = dict(zip(table["image_id"], table["path"], strict=True))
    named = source.cells["main_image_id"].fillna("")
    if "other_image_id" in source.cells.columns:
        named = named + ", " + source.cells["other_image_id"].fillna("")
    cells = source.cells.drop(columns=["main_image_id", "other_image_id"], errors="ignore")
    cells["image"] = pd.Series([_paths(text, paths) for text in named.tolist()], dtype="str")
    merged = SourceTable(cells, source.repaired, source.unusable, source.notes)
    # The pictures lie elsewhere than the listings.
    matched = match_source(merged, [len(cells)], TableGroup((images[0],)), scopes, options)
    return None if matched is None else replace(matched, group=group)


def _paths(ids: str, paths: dict[str, str]) -> str | None:
    found = [path for image in ids.split(", ") if (path := paths.get(image.strip())) is not None]
    return ", ".join(found) or None


def in_shop_files(names: Collection[str]) -> list[str]:
    """The lists of DeepFashion's In-shop benchmark, if this is one."""
    return sorted(filter(_IN_SHOP.fullmatch, names))


def add_in_shop(store: ImageStore, files: Collection[str], found: FolderItems) -> FolderItems:
    """Items of DeepFashion's In-shop folders with what its list of descriptions says of them.
    Raises ``TableError``."""
    named = next(filter(_IN_SHOP_ITEMS.fullmatch, files), None)
    if named is None:
        return found
    described, _ = read_group(store, TableGroup((named,)))
    if "item" not in described.cells.columns:
        raise TableError(f"{named}: it has no column `item`")
    of_item = described.cells.dropna(subset=["item"]).drop_duplicates("item").set_index("item")
    cells = found.source.cells
    keys = cells["id"].map(posixpath.basename)
    for column in of_item.columns.difference(cells.columns, sort=False):
        cells = cells.assign(**{str(column): keys.map(of_item[column]).astype("str")})
    source = SourceTable(cells, found.source.repaired, found.source.unusable, found.source.notes)
    return FolderItems(source, found.claims)
