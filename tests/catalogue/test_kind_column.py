"""Which column says what kind of thing an item is, whatever a shop calls it."""

from __future__ import annotations

import pandas as pd
import pytest

from fitting_room.catalogue.kind_column import KIND_COLUMNS, kind_column

KINDS = ["Dress", "Shirt", "Shoe"] * 4


def table(**columns: list[str | None]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    ids = [str(number) for number in range(count)]
    return pd.DataFrame({"id": ids, "image": [f"{i}.jpg" for i in ids], **columns}, dtype="str")


@pytest.mark.parametrize(
    "column",
    [
        *KIND_COLUMNS, "article_type", "Article Type", "productType", "Product Type", "Type",
        "PRODUCT_TYPE_NAME", "Category", "sub-category", "Label",
    ],
)  # fmt: skip
def test_a_column_is_known_in_any_case_and_with_any_separators(column: str) -> None:
    found = kind_column(table(**{column: KINDS}))
    assert found is not None
    assert found.column == column
    assert found.kinds.tolist() == KINDS


def test_the_best_column_counts() -> None:
    columns = {"class": KINDS, "index_group_name": KINDS, "product_type_name": KINDS}
    found = kind_column(table(**columns))
    assert found is not None
    assert found.column == "product_type_name"


@pytest.mark.parametrize(
    "values",
    [
        ["Shirt"] * 12,
        [f"Shirt {number}" for number in range(12)],
        [None] * 12,
        ["", "Shirt"] * 6,
        ["simple", "variable", "variation"] * 4,
        ["simple, downloadable", "Simple"] * 6,
        ["TRUE", "FALSE"] * 6,
    ],
)
def test_what_does_not_behave_like_kinds_is_none(values: list[str | None]) -> None:
    assert kind_column(table(Type=values)) is None
    found = kind_column(table(Type=values, label=KINDS))
    assert found is not None
    assert found.column == "label"


def test_of_a_path_the_last_level_counts() -> None:
    paths = ["Apparel & Accessories > Clothing > Dresses", "Clothing > Shirts", "Shoes"] * 4
    found = kind_column(table(google_product_category=paths))
    assert found is not None
    assert found.kinds.tolist() == ["Dresses", "Shirts", "Shoes"] * 4
    several = ["Clothing > Dresses, Clothing > Sale", "Clothing > Shirts, Sale"] * 4
    found = kind_column(table(Categories=several))
    assert found is not None
    assert found.kinds.tolist() == ["Dresses", "Shirts"] * 4


def test_pictures_of_one_item_are_counted_once() -> None:
    """Four items of four kinds, with three pictures each."""
    items = table(type=[kind for kind in "abcd" for _ in range(3)])
    assert kind_column(items) is not None
    items["id"] = [str(number // 3) for number in range(12)]
    assert kind_column(items) is None


def test_a_storage_folder_is_no_kind() -> None:
    shards = ["010", "011", "012"] * 4
    items = table(**{"class": shards})
    assert kind_column(items) is not None
    items["image"] = [f"{shard}/{shard}{n:07}.jpg" for n, shard in enumerate(shards)]
    assert kind_column(items) is None
