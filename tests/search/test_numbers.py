"""Which columns hold numbers to sort by, however people wrote them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.search.numbers import (
    MOST_LETTERS,
    SortError,
    as_numbers,
    is_code,
    numeric_columns,
    order_of,
)

NAN = math.nan


def read(*cells: str | None) -> list[float] | None:
    numbers = as_numbers(pd.Series(cells, dtype="string"))
    return None if numbers is None else numbers.tolist()


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,299.00", "499.00", "12.50"], [1299, 499, 12.5]),
        (["1.299,00 €", "12,50 €", "3 €"], [1299, 12.5, 3]),
        (["Rs. 499", "Rs.1,299", "Rs 20"], [499, 1299, 20]),
        (["€ 12,-", "€ 15,50", "€ 1.200,-"], [12, 15.5, 1200]),
        (["1,299", "2,499", "899"], [1299, 2499, 899]),  # nothing says that it is a decimal comma
        (["0,125", "0,250", "1,500"], [0.125, 0.25, 1.5]),  # here something does
        (["1,29,900", "99,900"], [129_900, 99_900]),
        (["1 299", "2\u00a0499", "1'200", "12’345"], [1299, 2499, 1200, 12_345]),
        (["$.50", "$1.25"], [0.5, 1.25]),
        (["2012", "2013.0"], [2012, 2013]),
        (["-5", "+3", "1e3"], [-5, 3, 1000]),
        (["499/-", "Rs. 20/-"], [499, 20]),
        (["4.5 stars", "3 stars"], [4.5, 3]),
    ],
)
def test_numbers_as_people_write_them(cells: list[str], numbers: list[float]) -> None:
    assert read(*cells) == numbers


def test_what_is_no_number_has_none() -> None:
    assert read(*["1"] * 9, *["2"] * 9, "on request", None) == pytest.approx(
        [1] * 9 + [2] * 9 + [NAN, NAN], nan_ok=True
    )


def test_another_currency_is_no_number_of_the_column() -> None:
    cells = [f"{price} USD" for price in range(1, 11)]
    assert read(*cells, "5 EUR") == pytest.approx([*range(1, 11), NAN], nan_ok=True)
    assert read("5 EUR", "6 EUR", "5 USD", "6 USD") is None


@pytest.mark.parametrize(
    "cells",
    [
        ["Red", "Blue", "1"],
        ["2024-05-01", "2023-01-01"],
        ["A1", "B2", "C3"],
        ["12-15", "14-20"],
        ["40 x 30", "20 x 10"],
        ["5", "5"],
        ["9e999", "1", "9e999"],
        ["1" * (MOST_LETTERS + 1), "2" * (MOST_LETTERS + 1)],
        [None, None],
        [],
    ],
)
def test_columns_without_an_order_by_numbers(cells: list[str]) -> None:
    assert read(*cells) is None


@settings(max_examples=50)
@given(st.lists(st.none() | st.text(alphabet="0123456789.,-+ eE€R's\u00a0x", max_size=12)))
def test_whatever_stands_in_the_cells_each_has_a_finite_number_or_none(
    cells: list[str | None],
) -> None:
    numbers = as_numbers(pd.Series(cells, dtype="string"))
    if numbers is not None:
        assert numbers.shape == (len(cells),)
        assert not np.isinf(numbers).any()
        empty = [cell is None for cell in cells]
        assert np.isnan(numbers[empty]).all()


STYLES = [("", "", ",", "."), ("€ ", "", ".", ","), ("", " kr", " ", ","), ("Rs.", "", "'", ".")]


@settings(max_examples=50)
@given(
    st.lists(st.integers(0, 10**9), min_size=2, max_size=20, unique=True), st.sampled_from(STYLES)
)
def test_cents_are_read_back_in_every_style(
    cents: list[int], style: tuple[str, str, str, str]
) -> None:
    before, after, group, decimal = style

    def written(value: int) -> str:
        text = f"{value / 100:,.2f}".translate(str.maketrans({",": group, ".": decimal}))
        return f"{before}{text}{after}"

    assert read(*map(written, cents)) == pytest.approx([value / 100 for value in cents])


def test_columns_of_codes_are_none_to_sort_by() -> None:
    assert [
        c for c in ("sku", "product_code", "articleId", "EAN", "item no") if not is_code(c)
    ] == []
    assert not any(map(is_code, ("price", "year", "number_of_reviews", "Variant Price", "")))
    items = pd.DataFrame({"sku": ["1", "2"], "price": ["3", "4"], "name": ["a", "b"]})
    assert list(numeric_columns(items, ["sku", "price", "name"])) == ["price"]


def test_an_order_in_one_word() -> None:
    assert order_of("price") == ("price", False)
    assert order_of("-price") == ("price", True)
    assert order_of(None) == (None, False)
    assert "These do: price." in str(SortError("colour", ["price"]))
    assert "No column" in str(SortError("colour", []))
