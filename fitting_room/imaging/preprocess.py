"""Pictures -> the network's input."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from fitting_room.imaging.resize import fit, resized

#: The share of a picture's width and height in the smallest cut that is taken of it.
SMALLEST_CUT = 0.85

#: Cuts of a photograph: the share of its width and height around the middle, whether that is cut to
#: the 3:4 of product photographs, and whether it is mirrored.
Cuts = tuple[tuple[float, bool, bool], ...]
#: The cuts that a photograph is searched with. Two do as well as the four that they were chosen
#: from, in half the time: docs/relevance.md.
VIEWS: Cuts = ((1.0, True, False), (SMALLEST_CUT, False, True))


def views_of(image: Image.Image, cuts: Cuts = VIEWS) -> list[Image.Image]:
    """A photograph in several cuts."""
    return [_view(image, *cut) for cut in cuts]


def _view(image: Image.Image, fraction: float, upright: bool, mirrored: bool) -> Image.Image:
    width, height = image.width * fraction, image.height * fraction
    if upright:
        width, height = min(width, height * 3 / 4), min(height, width * 4 / 3)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = tuple(round(edge) for edge in (left, top, left + width, top + height))
    view = image.crop((box[0], box[1], max(box[2], box[0] + 1), max(box[3], box[1] + 1)))
    return ImageOps.mirror(view) if mirrored else view


def prepare(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """An RGB picture as the network's input: uint8 ``(H, W, 3)`` of ``size`` (height, width).

    The whole picture is kept in its own proportions and laid on white, the background of product
    photographs: nothing is cut off and nothing is stretched.
    """
    left, top, right, bottom = place_of(image.size, size)
    result = np.full((*size, 3), 255, np.uint8)
    result[top:bottom, left:right] = resized(image, (right - left, bottom - top))
    return result


def place_of(of_image: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where :func:`prepare` puts a picture of (width, height) ``of_image``: left, top, right and
    bottom within the network's input of ``size`` (height, width)."""
    fitted = fit(of_image, size)
    left, top = (size[1] - fitted[0]) // 2, (size[0] - fitted[1]) // 2
    return left, top, left + fitted[0], top + fitted[1]
