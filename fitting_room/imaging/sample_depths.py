"""Pictures of other depths than 8 bits a sample, and indices, as 8-bit values.

What numpy computes is computed a strip at a time: a picture of 64 megapixels in 64-bit numbers is
half a gigabyte, and there would be several of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

#: Pixels of a strip.
STRIP = 2**20


def strips(image: Image.Image, *, from_below: bool = False) -> Iterator[tuple[int, np.ndarray]]:
    """The rows of a picture, some at a time: the first one's number and the values, ``(rows, W)``
    or ``(rows, W, channels)``."""
    rows = max(1, STRIP // image.width)
    tops = range(0, image.height, rows)
    for top in reversed(tops) if from_below else tops:
        box = (0, top, image.width, min(top + rows, image.height))
        yield top, np.asarray(image.crop(box))


def to_8_bit(image: Image.Image) -> Image.Image:
    """A picture with 8-bit samples: itself, or in mode L, LA, RGB or RGBA."""
    if image.mode.startswith("I;16"):
        grey = _by_strip(image, lambda values: values >> 8)
        if isinstance(transparent := image.info.get("transparency"), int):
            grey.putalpha(_by_strip(image, lambda values: (values != transparent) * 255))
        return grey
    if image.mode in ("I", "F"):
        return _stretched(image)
    # Before pixels are averaged, indices must become colours and a transparent colour alpha.
    if "transparency" in image.info or image.mode in ("1", "P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _by_strip(image: Image.Image, change: Callable[[np.ndarray], np.ndarray]) -> Image.Image:
    result = Image.new("L", image.size)
    for top, values in strips(image):
        result.paste(Image.fromarray(change(values).astype(np.uint8)), (0, top))
    return result


def _stretched(image: Image.Image) -> Image.Image:
    """32-bit and floating point pictures have no agreed white. Integers within 16 bits are read
    as 16-bit samples; anything else is stretched from its least to its greatest value."""
    low, high = _range(image)
    if low >= 0 and 255 < high <= 65535:
        low, high = 0.0, 65535.0
    elif low >= 0 and 1 < high <= 255:
        low, high = 0.0, 255.0
    span = (high - low) or 1.0

    def stretched(values: np.ndarray) -> np.ndarray:
        exact = values.astype(np.float64)
        exact[~np.isfinite(values)] = low
        exact -= low
        exact /= span
        exact *= 255
        return np.clip(exact, 0, 255, out=exact)

    return _by_strip(image, stretched)


def _range(image: Image.Image) -> tuple[float, float]:
    """The least and the greatest of a picture's finite values; zeros where there are none."""
    ends: list[float] = []
    for _, values in strips(image):
        finite = np.isfinite(values)
        known = values if finite.all() else values[finite]
        if known.size:
            ends += [float(known.min()), float(known.max())]
    return (min(ends), max(ends)) if ends else (0.0, 0.0)
