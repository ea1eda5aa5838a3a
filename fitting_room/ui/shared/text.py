"""Words for people, and words by strangers."""

from __future__ import annotations

import re
from pathlib import Path

from fitting_room.catalogue.schema import plain_column

#: What makes a link of an address that nobody marked as one, or an icon of its name, also where the
#: signs are escaped (GitHub's Markdown, "Autolinks"): cut in two by a character that is not seen.
_ADDRESS = re.compile(
    r"(?<=:)(?=//|[\w+-])|(?<=www)(?=\.)|(?=@)|(?<=mailto)(?=:)|(?<=xmpp)(?=:)", re.I
)
_UNSEEN = "\N{WORD JOINER}"


def plain(text: str) -> str:
    """Any text as Markdown that shows just that text."""
    text = _ADDRESS.sub(_UNSEEN, text)
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+-.!|~$:&=" else c for c in text)


def shorten(name: str, most: int = 26) -> str:
    """A name that fits beside a button; a file's name is recognised by its ending."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


def quoted(text: str) -> str:
    """A stranger's word within a sentence."""
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"


#: Columns of well-known catalogues whose own names are not how people speak.
_SPOKEN = {
    "articletype": "Type", "producttype": "Type", "producttypename": "Type",
    "googleproductcategory": "Category", "mastercategory": "Category",
    "subcategory": "Subcategory", "basecolour": "Colour", "basecolor": "Colour",
    "colourgroupname": "Colour", "graphicalappearancename": "Pattern", "usage": "Occasion",
    "indexgroupname": "Department", "indexname": "Range", "detaildesc": "Description",
    "bodyhtml": "Description", "longdescription": "Description", "vendor": "Brand",
    "agegroup": "Age", "gtin": "GTIN", "sku": "SKU", "id": "Number",
}  # fmt: skip


def label(column: str) -> str:
    """A column's name for people: `baseColour` -> `Colour`, `garment_group_name` -> `Garment
    group`."""
    spoken = _SPOKEN.get(plain_column(column))
    if spoken is not None:
        return spoken
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).replace("_", " ").strip()
    words = re.sub(r"(?<=\w) name$", "", words, flags=re.I)
    return words[:1].upper() + words[1:].lower()


def title_of(path: Path) -> str:
    """A file's name for people: `red-dress.jpg` -> `Red dress`."""
    return path.stem.replace("-", " ").replace("_", " ").capitalize()


def percent(fraction: float, digits: int = 0) -> str:
    """A fraction as a percentage: `0.25` -> `25 %`."""
    return f"{fraction:.{digits}%}".replace("%", " %")
