"""Pictures in another size: Pillow's antialiased bicubic filter, for queries and items alike."""

from __future__ import annotations

import numpy as np
from PIL import Image


def fit(size: tuple[int, int], into: tuple[int, int]) -> tuple[int, int]:
    """The (width, height) of a picture of ``size``, also (width, height), when it is scaled in its
    own proportions to fit ``into`` (height, width). At least one pixel: a strip of cloth is thin,
    not gone."""
    height, width = into
    scale = min(width / size[0], height / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resized(
    image: Image.Image, size: tuple[int, int], *, reducing_gap: float | None = None
) -> np.ndarray:
    """The pixels of an RGB picture in ``size`` (width, height), uint8 ``(height, width, 3)``. With
    ``reducing_gap`` it is first averaged down to that many times the size at least, which is
    quicker and less exact."""
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, reducing_gap=reducing_gap))
