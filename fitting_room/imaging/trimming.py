"""Frames, bars and what a phone has above and below are taken off before a picture is looked at.

What is taken off is a band along a side, of one colour and with a straight, abrupt edge across the
whole side; a margin that goes on as the ground around the garment has no such edge. Bars may have
small icons and text in them. A frame that is left on does little harm and a garment that is cut
does much, so what is in doubt stays: a wide band without its like on the other side, stripes, and
whatever would leave nothing that shows something.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

#: Values of a channel that differ by no more are one colour: what a JPEG leaves beside an edge.
SAME = 24
#: So much of a line has the band's colour; so much of the line behind its edge has not.
UNIFORM, EDGE = 0.9, 0.9
#: The same of a frame, whose sides differ by no more than this share, or a pixel.
EDGE_OF_FRAME, FRAME_UNEVEN = 0.97, 0.1
#: No channel of a film's bars has a greater value.
DARK = 48
#: A band on one side alone, and one with icons in it, is at most this share of the picture, and of
#: each of its lines at least so much has its colour.
WIDEST_ALONE, WIDEST_WITH_ICONS, LEAST_BESIDE_ICONS = 0.1, 0.15, 0.5
#: Two bands that differ by no more than this share of the wider one, or so many pixels, are a pair.
PAIRED, PAIRED_PIXELS = 0.35, 2
#: So much of each side must be left: a wide film on an upright phone leaves a quarter.
LEAST_LEFT = 0.2
#: A frame goes around at least so many pixels each way: a line on white has margins too.
LEAST_WITHIN = 4
#: So many further lines of the colour of a band, each by itself, make stripes of it.
STRIPES = 3
#: A frame may be within another, and that within a phone's bars.
ROUNDS = 4

#: Left, top, right and bottom, in pixels.
Box = tuple[int, int, int, int]


def trimmed(image: Image.Image) -> Image.Image:
    """An upright RGB picture without its frames and bars, or itself where it has none."""
    box = content_box(image)
    return image if box == (0, 0, *image.size) else image.crop(box)


def content_box(image: Image.Image) -> Box:
    """Where the picture within its frames and bars is."""
    # As Pillow has them, with a byte of no meaning after each colour: nothing is moved about.
    values = np.frombuffer(image.tobytes("raw", "RGBX"), np.uint8)
    pixels = values.reshape(image.height, image.width, 4)
    left, top = 0, 0
    for _ in range(ROUNDS):
        box = _within_bands(pixels)
        if box is None:
            break
        left, top = left + box[0], top + box[1]
        pixels = pixels[box[1] : box[3], box[0] : box[2]]
    return left, top, left + pixels.shape[1], top + pixels.shape[0]


def _within_bands(pixels: np.ndarray) -> Box | None:
    """What lies within the bands of one colour, or ``None`` where there are none."""
    done: list[np.ndarray] = []
    for line in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        colour = line[len(line) // 2]
        if any(_is_like(colour[None], other).all() for other in done):
            continue
        if _share(_is_like(line, colour)) < UNIFORM:
            continue
        done.append(colour)
        if (box := _within_colour(pixels, colour)) is not None:
            return box
    return None


def _is_like(values: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Which colours, uint8 ``(..., W, 4)`` of which the last does not count, are like another; bool
    ``(..., W)``."""
    low = np.maximum(colour, SAME) - SAME
    widths = np.minimum(colour, 255 - SAME) + SAME - low
    low[3], widths[3] = 0, 255
    # Bytes in a row with bytes in a row: numpy takes twenty times as long for colour by colour.
    count, line = values.shape[-2], (*values.shape[:-2], -1)
    within = values.reshape(line) - np.tile(low, count) <= np.tile(widths, count)  # wraps around
    return np.asarray(within.view(np.uint32) == _ALL_FOUR)


#: Four true values, read as one number.
_ALL_FOUR = np.ones(4, bool).view(np.uint32)[0]


def _share(mask: np.ndarray) -> float:
    return np.count_nonzero(mask) / mask.size


def _within_colour(pixels: np.ndarray, colour: np.ndarray) -> Box | None:
    """What lies within the bands of a colour."""
    like, dark = _is_like(pixels, colour), bool(colour[:3].max() <= DARK)
    height, width = like.shape
    rows, columns = (
        np.add.reduce(like.view(np.uint8), axis=axis, dtype=np.uint32) / like.shape[axis]
        for axis in (1, 0)
    )
    # The edge of a frame's side is as long as what lies between the sides beside it.
    left, right = _margin(columns), _margin(columns[::-1])
    top, bottom = _margin(rows), _margin(rows[::-1])
    if left + right >= width or top + bottom >= height:
        return None
    across, down = slice(left, width - right), slice(top, height - bottom)
    if left and right and top and bottom:
        if not _is_frame((left, top, right, bottom), like[down, across], dark=dark):
            return None
    else:
        top, bottom = _pair(rows, like[:, across], icons=True)
        left, right = _pair(columns, like[down].T, icons=False)
    # One line more, which is half the band's where a picture was made smaller.
    top, bottom, left, right = (band + 1 if band else 0 for band in (top, bottom, left, right))
    box = (left, top, width - right, height - bottom)
    if box == (0, 0, width, height):
        return None
    if box[2] - box[0] < LEAST_LEFT * width or box[3] - box[1] < LEAST_LEFT * height:
        return None
    inside = pixels[box[1] : box[3], box[0] : box[2]]
    middle = inside[len(inside) // 2, inside.shape[1] // 2]
    return None if _share(_is_like(inside, middle)) >= UNIFORM else box


def _margin(shares: np.ndarray) -> int:
    """How many lines from the beginning are of one colour."""
    other = shares < UNIFORM
    return int(other.argmax()) if other.any() else len(shares)


def _is_frame(widths: Box, like: np.ndarray, *, dark: bool) -> bool:
    """Whether margins on all sides are a frame: as wide on all, or wider below, around sharp
    corners; or a film's ``dark`` bars on both pairs of sides. A wallet on white has margins too.
    ``like``, bool ``(H, W)``, is what is within them."""
    left, top, right, bottom = widths
    around = _is_near(left, top, right) and bottom >= top - 1
    if not around and not (dark and _is_near(left, right) and _is_near(top, bottom)):
        return False
    if min(like.shape) < LEAST_WITHIN:
        return False
    # The line at the edge may be mixed of both.
    edges = (like[1], like[-2], like[:, 1], like[:, -2])
    return all(1 - _share(edge[1:-1]) >= EDGE_OF_FRAME for edge in edges)


def _is_near(*widths: int) -> bool:
    return max(widths) - min(widths) <= max(FRAME_UNEVEN * max(widths), 1)


def _pair(shares: np.ndarray, like: np.ndarray, *, icons: bool) -> tuple[int, int]:
    """The widths of the bands at the beginning and the end, 0 for none. ``shares``, ``(L,)``, says
    how much of each line has their colour; ``like``, bool ``(L, ...)``, is what counts of it at an
    edge."""
    first, last = _band(shares, like, icons=icons), _band(shares[::-1], like[::-1], icons=icons)
    if not first and not last:
        return 0, 0
    of_one_colour = shares[first : len(shares) - last] >= UNIFORM
    if np.count_nonzero(of_one_colour[1:] & ~of_one_colour[:-1]) >= STRIPES:
        return 0, 0
    if first and last and abs(first - last) <= max(PAIRED * max(first, last), PAIRED_PIXELS):
        return first, last
    alone = (WIDEST_WITH_ICONS if icons else WIDEST_ALONE) * len(shares)
    return (first if first <= alone else 0), (last if last <= alone else 0)


def _band(shares: np.ndarray, like: np.ndarray, *, icons: bool) -> int:
    """The width of the band at the beginning, 0 for none: the widest that has an edge."""
    uniform = np.concatenate([[False], shares >= UNIFORM, [False]])
    starts = np.flatnonzero(uniform[1:] & ~uniform[:-1])
    ends = np.flatnonzero(~uniform[1:] & uniform[:-1])
    if not len(starts) or starts[0] != 0:
        return 0
    last = WIDEST_WITH_ICONS * len(shares) if icons else 0
    for start, end in zip(starts[::-1], ends[::-1], strict=True):
        if start > last or (start and shares[:start].min() < LEAST_BESIDE_ICONS):
            continue
        # The line at the edge may be mixed of both.
        behind = like[min(end + 1, len(like) - 1)]
        if 1 - _share(behind) >= EDGE:
            return int(end)
    return 0
