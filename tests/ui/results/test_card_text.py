"""What a card says below an item's name."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from fitting_room.ui.results.card_text import (
    LETTERS_IN_PANEL,
    ShopLink,
    all_attributes,
    attributes,
    price,
    shop_link,
)


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


def test_what_is_the_same_of_all_items_says_nothing_on_a_card() -> None:
    values = {"type": "Dress", "gender": "Unisex", "colour": "Red"}
    assert attributes(values, {"gender"}) == ["Dress", "Red"]


def test_the_panel_says_all_of_it_with_names_for_people() -> None:
    values = {
        "title": "Vera", "articleType": "Dress", "baseColour": "Red", "price": "19 EUR",
        "image_link": "https://shop.example/a.jpg", "Body (HTML)": "<p>Soft<br>cotton</p>",
        "long": "x" * 5_000,
    }  # fmt: skip
    said = dict(all_attributes(values))
    assert list(said) == ["Type", "Colour", "Description", "Long"]
    assert said["Description"] == "Soft cotton"
    assert len(said["Long"]) == LETTERS_IN_PANEL


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"price": "19.90 EUR"}, "19.90 EUR"),
        ({"Price": "€ 19,90", "currency": "EUR"}, "€ 19,90"),
        ({"price": "19.90", "currency": "EUR"}, "19.90 EUR"),
        ({"price_usd": "19.90"}, "19.90 USD"),
        ({"Variant Price": "Rs. 499"}, "Rs. 499"),
        ({"price": "1299"}, "1299"),
        ({"sale_price": "9", "price": "19", "currency": "GBP"}, "9 GBP"),
        ({"sale_price": "", "price": "19"}, "19"),
        ({"price": "on request"}, None),
        ({"colour": "12"}, None),
    ],
)
def test_a_price_is_as_the_catalogue_writes_it(values: dict[str, str], said: str | None) -> None:
    assert price(values) == said


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://shop.example/p/1?x=<b>&y=2", "shop.example"),
        ("http://www.shop.example:8080/p", "www.shop.example:8080"),
        ("https://SHOP.example/", "shop.example"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("javascript:alert(1)", None),
        ("JAVASCRIPT://shop.example/%0aalert(1)", None),
        ("data:text/html,x", None),
        ("//shop.example/p", None),
        ("shop.example/p", None),
        ("https://shop.example@evil.example/", None),
        ("https://shop.example\\@evil.example/", None),
        ("https://shop.example/a b", None),
        ("https://shop.example/\u202egpj", None),
        ("https://localhost/admin", None),
        ("https://127.0.0.1/", None),
        ("https://[::1]/", None),
        ("https://shop.example:99999/", None),
        ("https://shop.example/dress.JPG", None),
        ("https://" + "a" * 3_000 + ".example", None),
        ("https://", None),
        ("", None),
    ],
)
def test_only_a_page_of_the_web_is_a_link_to_the_shop(text: str, host: str | None) -> None:
    link = shop_link({"product_url": text})
    assert (None if link is None else link.host) == host
    if link is not None:
        assert urlsplit(link.href).netloc == host


def test_the_first_column_with_a_usable_link_counts() -> None:
    values = {"link": "nothing", "URL": "https://shop.example/1"}
    assert shop_link(values) == ShopLink("https://shop.example/1", "shop.example")
