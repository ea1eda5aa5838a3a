"""Pictures that show nothing: of one colour throughout, or an empty page."""

from __future__ import annotations

from typing import cast

from PIL import Image

EMPTY_PAGE = "The picture is blank: it is white throughout."
#: In a picture of one colour, values of a channel differ by no more: a JPEG's blocks do by a step.
BLANK_CONTRAST = 8


def contrast(image: Image.Image) -> int:
    """By how much the values of an RGB picture's channels differ at most."""
    extremes = cast(tuple[tuple[int, int], ...], image.getextrema())
    return max(high - low for low, high in extremes)


def is_blank(image: Image.Image) -> bool:
    """Whether an RGB picture has one colour throughout, as an empty page or a camera's that is
    covered or has not begun."""
    return contrast(image) <= BLANK_CONTRAST


def is_empty_page(image: Image.Image) -> bool:
    """Whether an RGB picture is white throughout."""
    middle = cast(tuple[int, ...], image.getpixel((image.width // 2, image.height // 2)))
    if min(middle) < 255 - BLANK_CONTRAST:  # most have something there: not every pixel is read
        return False
    extremes = cast(tuple[tuple[int, int], ...], image.getextrema())
    return all(low >= 255 - BLANK_CONTRAST for low, _ in extremes)
