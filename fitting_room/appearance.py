"""What a garment looks like without a network: its colours, its silhouette, its layout.

Only the garment should count. A studio picture has a plain ground, which is cut away from the
border inwards. A photograph has surroundings instead; there a pixel counts by how near the middle
it is and how much rarer its colour is along the border than in the middle.

Everything is computed at 80 x 60 pixels, the size of the smallest catalogue pictures in use, so
that a large picture and a small one of the same thing are described alike.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageCms
from scipy import ndimage

from fitting_room.resizing import fit, resized

#: Height and width at which pictures are looked at.
SIZE = (80, 60)
#: Rows and columns of the silhouette, and of the layout.
SILHOUETTE_GRID = (20, 15)
LAYOUT_GRID = (4, 3)

#: Colours stand on a lattice in CIE LAB with this distance between neighbours, and a pixel is
#: shared among the lattice's points with a Gaussian of this deviation: shades that differ by a
#: little light land on almost the same points. Chosen on the catalogue by precision of baseColour.
SPACING, SPREAD = 16.0, 8.0
#: Two colours nearer than this in LAB are the same ground.
SAME_GROUND = 8.0
#: A ground is plain when at least this share of the border is one colour; the picture was taken in
#: a studio when that colour is also light and neutral (L and chroma of LAB). Of the pictures of a
#: product catalogue 98.5 % are, of photographs of worn and lying clothes 0.7 %.
PLAIN_SHARE = 0.6
LEAST_LIGHT, MOST_CHROMA = 85.0, 8.0
#: Below this many pixels a foreground is not believed, and the whole picture is taken.
LEAST_PIXELS = 20

# The parts of a description; see describe().
COLOUR_COUNT = 388
COLOURS = slice(0, COLOUR_COUNT)
SILHOUETTE = slice(COLOURS.stop, COLOURS.stop + SILHOUETTE_GRID[0] * SILHOUETTE_GRID[1])
LAYOUT = slice(SILHOUETTE.stop, SILHOUETTE.stop + 7 * LAYOUT_GRID[0] * LAYOUT_GRID[1])
STUDIO = LAYOUT.stop
APPEARANCE = STUDIO + 1

#: Stands in an index's identity: a description of another version must not be compared with.
VERSION = 1


def describe(image: Image.Image, *, fast: bool = False) -> np.ndarray:
    """Describe an upright RGB picture: uint8 ``(APPEARANCE,)``, each value in units of 1/255.

    ``[COLOURS]`` is a row of length 1, the square roots of a soft LAB histogram of the foreground,
    so that a dot product of two is their Bhattacharyya coefficient (Bhattacharyya 1943);
    ``[SILHOUETTE]`` how much of each of 20 x 15 cells is foreground; ``[LAYOUT]`` for each of
    4 x 3 cells the share of foreground, its mean L, a, b and their deviations; ``[STUDIO]`` 255
    for the plain, light ground of a studio and 0 for anything else, a photograph. ``fast`` is that
    of :func:`fitting_room.resizing.resized`.
    """
    palette = _Palette(resized(image, fit(image.size, SIZE), fast=fast))
    ground, studio = _ground(palette)
    centre = _centre(palette.places.shape)
    if ground is None:
        weight = centre * _likely_foreground(palette)
        seen = weight
    else:
        cut_out = _cut_out(ground)
        weight = centre * cut_out
        seen = cut_out.astype(np.float32)
    result = np.empty(APPEARANCE, np.float32)
    roots = np.sqrt(palette.histogram(weight))
    result[COLOURS] = roots / np.linalg.norm(roots)
    result[SILHOUETTE] = _silhouette(seen)
    result[LAYOUT] = _layout(palette, seen)
    result[STUDIO] = studio
    return np.clip(np.rint(result * 255), 0, 255).astype(np.uint8)


class _Palette:
    """A picture as the few colours that it has: ``places``, uint16 ``(H, W)``, says for each pixel
    which of ``codes``, 5-bit colours ``(C,)``, it has, and ``lab`` is float32 ``(C, 3)``. Most of
    what is computed is computed once a colour and not once a pixel."""

    def __init__(self, pixels: np.ndarray) -> None:
        codes = pixels[..., 0].astype(np.uint16) >> 3 << 10
        codes |= pixels[..., 1].astype(np.uint16) >> 3 << 5
        codes |= pixels[..., 2] >> 3
        # Small tables: they are looked up while a network fills the processor's caches.
        present = np.zeros(len(_lab()), bool)
        present[codes] = True
        self.codes = np.flatnonzero(present)
        table = np.empty(len(_lab()), np.uint16)
        table[self.codes] = np.arange(len(self.codes))
        self.places = table[codes]
        self.lab = _lab()[self.codes]

    def amounts(self, weight: np.ndarray) -> np.ndarray:
        """The share of each colour among pixels that have this ``weight``, float ``(C,)``."""
        sums = np.bincount(self.places.ravel(), weight.ravel(), len(self.codes))
        return np.asarray(sums / sums.sum())

    def histogram(self, weight: np.ndarray) -> np.ndarray:
        """The same, shared among the lattice's points: float ``(COLOUR_COUNT,)``."""
        amounts = self.amounts(weight)
        there = np.flatnonzero(amounts)
        points, shares = _shares()
        codes = self.codes[there]
        shared = shares[codes] * amounts[there, None]
        return np.bincount(points[codes].ravel(), shared.ravel(), COLOUR_COUNT)


@cache
def _lab() -> np.ndarray:
    """CIE LAB of every 5-bit colour, float32 ``(32768, 3)``."""
    steps = (np.arange(32, dtype=np.uint8) << 3) + 4
    colours = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)
    picture = Image.fromarray(colours.reshape(1024, 32, 3))
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    converted = ImageCms.applyTransform(picture, to_lab)
    assert converted is not None  # noqa: S101  (only None when done in place)
    lab = np.asarray(converted).reshape(-1, 3)
    # Pillow's LAB: L in 255ths of 100, a and b as signed bytes.
    light = lab[:, :1].astype(np.float32) * (100 / 255)
    return np.hstack([light, lab[:, 1:].view(np.int8).astype(np.float32)])


@cache
def _shares() -> tuple[np.ndarray, np.ndarray]:
    """How each 5-bit colour is shared among the lattice's points: which ones, int16
    ``(32768, K)``, and how much each of them gets, float32 ``(32768, K)``, zeros where a colour has
    fewer than ``K`` neighbours. The lattice is as much of it as sRGB's colours are nearest to."""
    lab = _lab()
    lattice = np.unique(np.rint(lab / SPACING), axis=0) * SPACING  # with the greys on it
    rows, columns, values = [], [], []
    for start in range(0, len(lab), 2048):
        block = lab[start : start + 2048]
        # |a - b|^2 = |a|^2 - 2ab + |b|^2, and |a|^2 is the same for all of a row.
        distance = (lattice**2).sum(axis=1) - 2 * block @ lattice.T
        distance -= distance.min(axis=1, keepdims=True)
        near = np.exp(-distance / (2 * SPREAD**2))
        near[near < 1e-3] = 0
        near /= near.sum(axis=1, keepdims=True)
        row, column = np.nonzero(near)
        rows.append(row + start)
        columns.append(column)
        values.append(near[row, column])
    row = np.concatenate(rows)
    counts = np.bincount(row, minlength=len(lab))
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    points = np.zeros((len(lab), counts.max()), np.int16)
    shares = np.zeros(points.shape, np.float32)
    points[row, place] = np.concatenate(columns)
    shares[row, place] = np.concatenate(values)
    return points, shares


def _border(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])


def _ground(palette: _Palette) -> tuple[np.ndarray | None, bool]:
    """Which pixels have the colour of a plain ground, bool ``(H, W)``, or ``None`` where there is
    no plain ground; and whether it is that of a studio."""
    border = _border(palette.places)
    middle = np.sort(palette.lab[border], axis=0)[[(len(border) - 1) // 2, len(border) // 2]]
    colour = middle.mean(axis=0)
    same = ((palette.lab - colour) ** 2).sum(axis=1) < SAME_GROUND**2
    if same[border].mean() < PLAIN_SHARE:
        return None, False
    studio = colour[0] >= LEAST_LIGHT and np.hypot(colour[1], colour[2]) <= MOST_CHROMA
    return same[palette.places], bool(studio)


def _cut_out(ground: np.ndarray) -> np.ndarray:
    """The foreground, bool ``(H, W)``: what is left when all ground that hangs together with the
    border is taken away. A white shirt's white inside stays."""
    labels, count = ndimage.label(ground)
    outside = np.zeros(count + 1, bool)
    outside[_border(labels)] = True
    outside[0] = False
    foreground = ~outside[labels]
    # A pixel along the edge is half ground.
    for mask in (_eroded(foreground), foreground):
        if mask.sum() >= LEAST_PIXELS:
            return np.asarray(mask)
    return np.ones_like(ground)


def _eroded(mask: np.ndarray) -> np.ndarray:
    """``mask`` less its pixels that have a neighbour outside it, of the eight within the picture:
    two passes of comparisons, a fifth of the time of a general erosion."""
    across = mask.copy()
    across[:, 1:] &= mask[:, :-1]
    across[:, :-1] &= mask[:, 1:]
    result = across.copy()
    result[1:] &= across[:-1]
    result[:-1] &= across[1:]
    return result


def _likely_foreground(palette: _Palette) -> np.ndarray:
    """How likely each pixel of a photograph is the garment, 0 to 1, float32 ``(H, W)``: by how
    much more frequent its colour is around the middle than along the border."""
    middle = _centre(palette.places.shape)
    of_middle, of_edge = palette.histogram(middle), palette.histogram(1 - middle)
    likely = of_middle / (of_middle + of_edge + 1e-6)
    points, shares = _shares()
    of_colour = (shares[palette.codes] * likely[points[palette.codes]]).sum(axis=1)
    return np.asarray(of_colour[palette.places], np.float32)


@cache
def _centre(shape: tuple[int, int]) -> np.ndarray:
    """Weights that fall off from the middle, float32 ``(H, W)``: a Gaussian whose deviation is a
    quarter of each side."""
    falls = [
        np.exp(-0.5 * ((np.arange(side) + 0.5 - side / 2) / (side / 4)) ** 2) for side in shape
    ]
    return np.asarray(np.outer(*falls), np.float32)


def _offset(shape: tuple[int, int]) -> tuple[int, int]:
    """Where a picture of this height and width begins in the middle of a field of :data:`SIZE`."""
    return (SIZE[0] - shape[0]) // 2, (SIZE[1] - shape[1]) // 2


@cache
def _cells(shape: tuple[int, int], grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Which row and which column of a grid over the field each row and column of a picture in its
    middle falls into, as matrices of zeros and ones: ``(rows, H)`` and ``(W, columns)``."""
    of_row, of_column = (
        (np.arange(side) + start) // (whole // count)
        for side, start, whole, count in zip(shape, _offset(shape), SIZE, grid, strict=True)
    )
    rows, columns = np.arange(grid[0])[:, None] == of_row, of_column[:, None] == np.arange(grid[1])
    return rows.astype(np.float32), columns.astype(np.float32)


def _silhouette(seen: np.ndarray) -> np.ndarray:
    rows, columns = _cells(seen.shape, SILHOUETTE_GRID)
    pixels = SIZE[0] * SIZE[1] / (SILHOUETTE_GRID[0] * SILHOUETTE_GRID[1])
    return np.asarray((rows @ seen @ columns).ravel() / pixels)


def _layout(palette: _Palette, seen: np.ndarray) -> np.ndarray:
    cells, colours = LAYOUT_GRID[0] * LAYOUT_GRID[1], len(palette.codes)
    rows, columns = _cells(seen.shape, LAYOUT_GRID)
    cell = rows.argmax(axis=0)[:, None] * LAYOUT_GRID[1] + columns.argmax(axis=1)
    # How much of each colour there is in each cell, and from that the sums over pixels.
    amounts = np.bincount(
        (cell * colours + palette.places).ravel(), seen.ravel(), cells * colours
    ).reshape(cells, colours)
    amount = amounts.sum(axis=1, keepdims=True)
    safe = np.maximum(amount, 1e-6)
    mean = amounts @ palette.lab / safe
    deviation = np.sqrt(np.maximum(amounts @ palette.lab**2 / safe - mean**2, 0))
    light = mean * (1 / 100, 1 / 255, 1 / 255) + (0, 128 / 255, 128 / 255)
    present = amount > 0
    share = amount / (SIZE[0] * SIZE[1] / cells)
    return np.concatenate([share, light * present, deviation / 64 * present], axis=1).ravel()
