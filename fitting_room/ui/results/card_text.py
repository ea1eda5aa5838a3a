"""What a card and an item's own panel say of it: attributes, price, and where it is sold.

All of it was written by strangers: it is plain text, and an address only where it is one of a page
in the web.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlsplit

from fitting_room.catalogue.kind_column import is_technical
from fitting_room.catalogue.schema import columns_like, name_columns, plain_column
from fitting_room.ui.shared.text import label

#: What a card says where the catalogue has it, in any case and with or without separators; a
#: catalogue with other columns shows its first ones.
PREFERRED_ATTRIBUTES = (
    "articleType", "product_type_name", "product_type", "type", "baseColour",
    "colour_group_name", "colour", "color", "gender", "brand", "vendor", "season", "usage",
    "class", "price",
)  # fmt: skip
ATTRIBUTES_ON_CARD = 4
#: A value with more letters than this is a description and not an attribute.
MOST_LETTERS = 60
#: Attributes in an item's panel, and letters of each, at most.
MOST_ATTRIBUTES, LETTERS_IN_PANEL = 40, 1_200
#: Columns that say what an item costs now, and in which currency; and where it is sold.
PRICE_COLUMNS = (
    "sale_price", "current_price", "discounted_price", "price", "Variant Price", "regular_price",
    "list_price", "selling_price", "unit_price", "price_eur", "price_usd", "price_gbp",
)  # fmt: skip
CURRENCY_COLUMNS = ("currency", "price_currency", "currency_code")
LINK_COLUMNS = (
    "product_url", "product_link", "link", "url", "permalink", "product_page", "page_url",
    "canonical_link", "item_url", "shop_url", "detail_url", "external_url", "web_url",
)  # fmt: skip
#: What is an address or markup and no word for people.
_NOT_FOR_PEOPLE = re.compile(r"(https?:)?//|www\.|data:|.*(<[a-z!/]|&[a-z]+;)", re.I | re.S)
_ADDRESS = re.compile(r"\s*(https?:)?//|\s*data:", re.I)
_MARKUP = re.compile(r"<(script|style)\b.*?(</\1\s*>|\Z)|<!--.*?-->|</?[a-z][^<>]*>", re.I | re.S)
_PICTURE = re.compile(r"\.(jpe?g|png|webp|gif|avif|heic|bmp|tiff?)$", re.I)
MOST_OF_LINK = 2_000


@dataclass(frozen=True, slots=True)
class ShopLink:
    """The address of an item's page in a shop, and the host that it leads to."""

    href: str
    host: str


def attributes(values: Mapping[str, str], constant: Collection[str] = ()) -> list[str]:
    """The attributes of an item that stand on its card, of all that the catalogue says of it but
    what it says of every item, in the columns ``constant``."""
    names = name_columns(values)
    shown = {
        column: value
        for column, value in values.items()
        if column not in names and column not in constant and _is_short(value)
    }
    chosen = columns_like(PREFERRED_ATTRIBUTES, shown) or list(shown)
    return list(dict.fromkeys(shown[column] for column in chosen))[:ATTRIBUTES_ON_CARD]


def all_attributes(values: Mapping[str, str]) -> list[tuple[str, str]]:
    """All that the catalogue says of an item, each with a name for people, but what has a place of
    its own (name, price, link) and addresses of files."""
    said = {*name_columns(values)[:1], *_price_columns(values)}
    shown = []
    for column, value in values.items():
        text = _without_markup(value)
        if column in said or not text or _ADDRESS.match(text):
            continue
        if len(text) > LETTERS_IN_PANEL:
            text = text[: LETTERS_IN_PANEL - 1] + "…"
        shown.append((label(column), text))
    return shown[:MOST_ATTRIBUTES]


def price(values: Mapping[str, str]) -> str | None:
    """What an item costs as the catalogue writes it, with the currency where that stands in a
    column of its own or in the column's name; ``None`` where it does not say."""
    columns = _price_columns(values)
    if not columns:
        return None
    column, *currency = columns
    text = values[column].strip()
    if re.search(r"[^\W\d_]|[^\x00-\x7f]|\$", text):  # a currency stands in it, or words do
        return text
    named = re.search("(eur|usd|gbp)$", plain_column(column))
    if currency:
        return f"{text} {values[currency[0]].strip()}"
    return f"{text} {named[1].upper()}" if named else text


def shop_link(values: Mapping[str, str]) -> ShopLink | None:
    """The page of an item in a shop, where the catalogue has its address: of the web, and of a page
    and no picture. An address that hides where it leads is none."""
    for column in columns_like(LINK_COLUMNS, values):
        if (link := _as_link(values[column].strip())) is not None:
            return link
    return None


def _as_link(text: str) -> ShopLink | None:
    if len(text) > MOST_OF_LINK or not text.isprintable() or re.search(r"[\s\\]", text):
        return None
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").encode("idna").decode("ascii"), parts.port
    except (UnicodeError, ValueError):
        return None
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or _PICTURE.search(parts.path):
        return None
    # A name of the web, not of a machine in this house.
    if not re.fullmatch(r"([a-z0-9_-]+\.)+[a-z][a-z0-9-]*", host):
        return None
    # The address is given with the host that is named beside it, letter by letter.
    netloc = host if port is None else f"{host}:{port}"
    return ShopLink(parts._replace(netloc=netloc).geturl(), netloc)


def _price_columns(values: Mapping[str, str]) -> list[str]:
    """The column of the price, and that of its currency where there is one."""
    priced = [c for c in columns_like(PRICE_COLUMNS, values) if _is_price(values[c])]
    return [*priced[:1], *columns_like(CURRENCY_COLUMNS, values)[:1]] if priced else []


def _is_price(value: str) -> bool:
    return 0 < len(value.strip()) <= MOST_LETTERS and any(map(str.isdigit, value))


def _without_markup(value: str) -> str:
    """Text of a description that was written for a web page, without its markup."""
    text = unescape(_MARKUP.sub(" ", value)) if _NOT_FOR_PEOPLE.match(value) else value
    return re.sub(r"[^\S\n]+", " ", text).strip()


def _is_short(value: str) -> bool:
    text = value.strip()
    return (
        0 < len(text) <= MOST_LETTERS and not _NOT_FOR_PEOPLE.match(text) and not is_technical(text)
    )
