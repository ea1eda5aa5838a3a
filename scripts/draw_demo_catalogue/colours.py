"""The colours of cloth: those that the Fashion Product Images data set knows as ``baseColour``."""

from __future__ import annotations

import colorsys
import random

RGB = tuple[int, int, int]

COLOURS: dict[str, RGB] = {
    "Black": (38, 38, 42),
    "White": (248, 247, 244),
    "Grey": (158, 160, 165),
    "Charcoal": (80, 83, 90),
    "Red": (200, 28, 44),
    "Maroon": (110, 22, 40),
    "Pink": (240, 152, 178),
    "Orange": (238, 116, 38),
    "Mustard": (208, 154, 40),
    "Yellow": (250, 214, 78),
    "Green": (38, 132, 80),
    "Olive": (104, 108, 62),
    "Teal": (14, 120, 126),
    "Blue": (52, 110, 204),
    "Navy Blue": (30, 40, 80),
    "Purple": (112, 62, 154),
    "Lavender": (190, 174, 222),
    "Brown": (110, 70, 44),
    "Tan": (186, 134, 86),
    "Beige": (224, 206, 178),
}

COMPANIONS: dict[str, tuple[str, str]] = {
    "Black": ("White", "Grey"),
    "White": ("Navy Blue", "Red"),
    "Grey": ("White", "Charcoal"),
    "Charcoal": ("Grey", "Red"),
    "Red": ("White", "Navy Blue"),
    "Maroon": ("Beige", "Navy Blue"),
    "Pink": ("White", "Maroon"),
    "Orange": ("White", "Brown"),
    "Mustard": ("Navy Blue", "White"),
    "Yellow": ("White", "Orange"),
    "Green": ("White", "Yellow"),
    "Olive": ("Beige", "Brown"),
    "Teal": ("Beige", "Orange"),
    "Blue": ("White", "Navy Blue"),
    "Navy Blue": ("White", "Red"),
    "Purple": ("Lavender", "Yellow"),
    "Lavender": ("White", "Purple"),
    "Brown": ("Beige", "Orange"),
    "Tan": ("Brown", "White"),
    "Beige": ("Brown", "Teal"),
}
"""What a pattern is printed in, beside the colour of the cloth."""


def lightness(colour: RGB) -> float:
    """How bright a colour looks, 0 to 1."""
    return (0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]) / 255


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """The colour between two, ``share`` of the way to the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def tone(colour: RGB, amount: float) -> RGB:
    """The colour made lighter (``amount`` up to 1) or darker (down to -1)."""
    if amount >= 0:
        return mix(colour, (255, 255, 255), amount)
    return mix(colour, (8, 8, 14), -amount)


def vary(colour: RGB, dice: random.Random) -> RGB:
    """Another dye lot: the same colour, a little off."""
    hue, light, strength = colorsys.rgb_to_hls(*(part / 255 for part in colour))
    hue = (hue + dice.uniform(-0.008, 0.008)) % 1.0
    light = min(max(light + dice.uniform(-0.02, 0.02), 0.0), 0.975)
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, light, strength))
    return red, green, blue
