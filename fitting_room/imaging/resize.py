"""Pictures in another size: Pillow's antialiased bicubic, by Pillow or, many times, by torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image


def fit(size: tuple[int, int], into: tuple[int, int]) -> tuple[int, int]:
    """The (width, height) of a picture of ``size``, also (width, height), when it is scaled in its
    own proportions to fit ``into`` (height, width). At least one pixel: a strip of cloth is thin,
    not gone."""
    height, width = into
    scale = min(width / size[0], height / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resized(image: Image.Image, size: tuple[int, int], *, fast: bool = False) -> np.ndarray:
    """The pixels of an RGB picture in ``size`` (width, height), uint8 ``(height, width, 3)``.

    ``fast`` has torch do it, in a third of Pillow's time with the same filter; the values differ by
    a step of 255 here and there. It is meant for many pictures: torch is slow to import.
    """
    ((_, pixels),) = resized_all([image], [size], fast=fast)
    return np.asarray(pixels[0])


def resized_all(
    images: Sequence[Image.Image], sizes: Sequence[tuple[int, int]], *, fast: bool = False
) -> Iterator[tuple[list[int], np.ndarray]]:
    """:func:`resized` for several pictures, each with a size of its own. Those that are alike in
    both sizes are answered together, with their places among ``images``: to resize four at once
    takes torch little longer than one."""
    alike: dict[tuple[tuple[int, int], tuple[int, int]], list[int]] = {}
    for place, (image, size) in enumerate(zip(images, sizes, strict=True)):
        alike.setdefault((image.size, size), []).append(place)
    for (before, size), places in alike.items():
        some = [images[place] for place in places]
        if before != size and not fast:
            some = [image.resize(size, Image.Resampling.BICUBIC) for image in some]
        pixels = np.stack([np.asarray(image) for image in some])
        yield places, _by_torch(pixels, size) if before != size and fast else pixels


def _by_torch(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    import torch
    from torch.nn.functional import interpolate

    with torch.inference_mode():
        wanted = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        result = interpolate(wanted, size=size[::-1], mode="bicubic", antialias=True)
    return np.asarray(result.permute(0, 2, 3, 1).numpy())
