"""What a card says of an item below its name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fitting_room.catalogue.kind_column import is_technical
from fitting_room.catalogue.schema import columns_like, name_columns

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
#: What is an address or markup and no word for people.
_NOT_FOR_PEOPLE = re.compile(r"(https?:)?//|www\.|data:|.*(<[a-z!/]|&[a-z]+;)", re.I | re.S)


def attributes(values: Mapping[str, str]) -> list[str]:
    """The attributes of an item that stand on its card, of all that the catalogue says of it."""
    names = name_columns(values)
    shown = {
        column: value
        for column, value in values.items()
        if column not in names and _is_short(value)
    }
    chosen = columns_like(PREFERRED_ATTRIBUTES, shown) or list(shown)
    return list(dict.fromkeys(shown[column] for column in chosen))[:ATTRIBUTES_ON_CARD]


def _is_short(value: str) -> bool:
    text = value.strip()
    return (
        0 < len(text) <= MOST_LETTERS and not _NOT_FOR_PEOPLE.match(text) and not is_technical(text)
    )
