"""Columns that carry an item's name, whatever a shop calls them."""

from __future__ import annotations

import pytest

from fitting_room.catalogue.schema import name_column, name_columns


@pytest.mark.parametrize(
    "column", ["Title", "prod_name", "Product Name", "NAME", "item-name", "caption", "productTitle"]
)
def test_a_name_is_known_in_any_case_and_with_any_separators(column: str) -> None:
    assert name_column(["id", column, "price"]) == column


def test_the_best_name_comes_first() -> None:
    columns = ["Description", "title", "Name", "productDisplayName", "names", "nickname"]
    assert name_columns(columns) == ["productDisplayName", "Name", "title", "Description"]
    assert name_column(["colour"]) is None
    assert name_column([]) is None
