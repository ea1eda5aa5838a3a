"""Pictures -> the network's input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from fitting_room.imaging.resize import fit, resized_all

#: The share of a picture's width and height in the smallest cut of it that is looked at.
SMALLEST_CUT = 0.85

#: Cuts of a photograph: the share of its width and height around the middle, whether that is cut to
#: the 3:4 of product photographs, and whether it is mirrored.
Cuts = tuple[tuple[float, bool, bool], ...]
#: Those that a photograph that is asked about is looked at in. Two do as well as the four that they
#: were chosen from, in half the time: docs/relevance.md.
VIEWS: Cuts = ((1.0, True, False), (SMALLEST_CUT, False, True))


def views_of(image: Image.Image, cuts: Cuts = VIEWS) -> list[Image.Image]:
    """A photograph in several cuts."""
    return [_view(image, *cut) for cut in cuts]


def _view(image: Image.Image, share: float, upright: bool, mirrored: bool) -> Image.Image:
    width, height = image.width * share, image.height * share
    if upright:
        width, height = min(width, height * 3 / 4), min(height, width * 4 / 3)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = tuple(round(edge) for edge in (left, top, left + width, top + height))
    view = image.crop((box[0], box[1], max(box[2], box[0] + 1), max(box[3], box[1] + 1)))
    return ImageOps.mirror(view) if mirrored else view


def prepare(image: Image.Image, size: tuple[int, int], *, fast: bool = False) -> np.ndarray:
    """An RGB picture as the network's input: uint8 ``(H, W, 3)`` of ``size`` (height, width).

    The whole picture is kept in its own proportions and laid on white, the ground of product
    photographs: nothing is cut off and nothing is stretched. ``fast`` is that of
    :func:`fitting_room.imaging.resize.resized`.
    """
    return np.asarray(prepare_all([image], size, fast=fast)[0])


def prepare_all(
    images: Sequence[Image.Image], size: tuple[int, int], *, fast: bool = False
) -> np.ndarray:
    """:func:`prepare` for several pictures, uint8 ``(len(images), H, W, 3)``."""
    result = np.empty((len(images), *size, 3), np.uint8)
    fitted = [fit(image.size, size) for image in images]
    for places, pixels in resized_all(images, fitted, fast=fast):
        left, top, right, bottom = place_of(images[places[0]], size)
        if pixels.shape[1:3] != size:
            result[places] = 255
        result[places, top:bottom, left:right] = pixels
    return result


def place_of(image: Image.Image, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where :func:`prepare` puts a picture: left, top, right and bottom within the network's input
    of ``size`` (height, width)."""
    height, width = size
    fitted = fit(image.size, size)
    left, top = (width - fitted[0]) // 2, (height - fitted[1]) // 2
    return left, top, left + fitted[0], top + fitted[1]
