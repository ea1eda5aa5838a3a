"""What a card says below an item's name."""

from __future__ import annotations

import pytest

from fitting_room.ui.results.card_text import attributes


def test_what_says_most_comes_first_whatever_it_is_called() -> None:
    values = {
        "Handle": "red-dress", "Vendor": "Acme", "Color": "Red", "Type": "Dress", "Price": "19.90",
    }  # fmt: skip
    assert attributes(values) == ["Dress", "Red", "Acme", "19.90"]
    values = {"prod_name": "Vera", "product_type_name": "Vest top", "colour_group_name": "Black"}
    assert attributes(values) == ["Vest top", "Black"]


def test_a_catalogue_with_other_columns_shows_its_first_ones() -> None:
    assert attributes({"name": "A", "fabric": "Silk", "fit": "Slim"}) == ["Silk", "Slim"]


@pytest.mark.parametrize(
    "value",
    [
        "A long description of a dress, with all that there is to say about it",
        "https://shop.example/red.jpg",
        "//cdn.example/red.jpg",
        "www.shop.example",
        "<p>Red</p>",
        "Soft<br>cotton",
        "Soft &amp; warm",
        "TRUE",
        "variation",
        "  ",
    ],
)
def test_texts_addresses_and_markup_never_stand_on_a_card(value: str) -> None:
    assert attributes({"fabric": value, "fit": "Slim"}) == ["Slim"]
    assert attributes({"Type": value, "Color": "Red"}) == ["Red"]


def test_nothing_is_said_twice() -> None:
    assert attributes({"articleType": "Dress", "Type": "Dress", "colour": "Red"}) == [
        "Dress",
        "Red",
    ]
