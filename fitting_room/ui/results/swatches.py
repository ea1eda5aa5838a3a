"""Colours for names of colours, so that filters show them."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import ImageColor

#: Shades of a shop's vocabulary that CSS has no name for.
_SHADES = {
    "beige": "#d9c7a3", "bronze": "#8c6a3b", "burgundy": "#6b1d2f", "camel": "#c19a6b",
    "charcoal": "#3b3d42", "coffee brown": "#4b3526", "copper": "#b06a3b", "cream": "#f4ecd2",
    "denim": "#4a6484", "fluorescent green": "#7dff3a", "gold": "#c9a227",
    "grey melange": "#a3a5a8",
    "khaki": "#8b8058", "lime green": "#8fce2b", "mauve": "#a4768f", "metallic": "#9aa0a6",
    "mushroom brown": "#8a7a6b", "mustard": "#cf9f1d", "navy blue": "#1d2b53", "nude": "#dcb79c",
    "off white": "#f5f1e6", "peach": "#f7bd9a", "rose": "#d9728a", "rust": "#a5481f",
    "sea green": "#2e8b6f", "silver": "#bfc3c7", "skin": "#e2b89a", "steel": "#7f8a93",
    "tan": "#c49a6c", "taupe": "#877a6e", "teal": "#0f7c7c", "turquoise blue": "#3fb8c9",
    "light blue": "#8fc0e8", "dark blue": "#1c2f66", "light grey": "#cfd2d4",
    "dark grey": "#4d5257", "light green": "#9fd28f", "dark green": "#1f4d2e",
}  # fmt: skip
#: Names that stand for many colours.
_MANY = frozenset({"multi", "multicolour", "multicolor", "multicoloured", "multicolored", "mixed"})
#: A column is one of colours where at least this fraction of its values are names of colours.
LEAST_COLOURS = 0.7


def colour_of(name: str) -> str | None:
    """A CSS background for a colour's name, or ``None`` where the name is none."""
    key = " ".join(name.lower().replace("-", " ").replace("_", " ").split())
    if key in _MANY:
        return "conic-gradient(#c33, #dc3, #3a5, #38c, #83a, #c33)"
    if key in _SHADES:
        return _SHADES[key]
    letters = key.replace(" ", "")
    if not letters.isascii() or not letters.isalpha():
        return None  # whatever else Pillow reads as a colour is no word of a shop's
    try:
        return "#{:02x}{:02x}{:02x}".format(*ImageColor.getrgb(letters)[:3])
    except ValueError:
        return None


def are_colours(values: Sequence[str]) -> bool:
    """Whether a column's values are names of colours."""
    known = sum(colour_of(value) is not None for value in values)
    return known >= max(2, LEAST_COLOURS * len(values))


def style(key: str, values: Sequence[str]) -> str:
    """A style sheet that gives the pills of an element each the swatch of its value, in order.
    Names reach no style sheet, only colours of this module do."""
    rules = [
        f".{key} button:nth-of-type({place})::before{{background:{colour}}}"
        for place, value in enumerate(values, 1)
        if (colour := colour_of(value)) is not None
    ]
    swatch = (
        f".{key} button::before{{content:'';flex:none;width:1rem;height:1rem;border-radius:50%;"
        "margin-right:.4rem;border:1px solid color-mix(in srgb,currentColor 40%,transparent)}"
    )
    return f"<style>{swatch}{''.join(rules)}</style>"
