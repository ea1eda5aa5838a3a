"""What a garment looks like without a network: its colours, its silhouette, its layout.

Only the garment should count. A studio picture has a plain ground, which is cut away from the
border inwards. A photograph has surroundings instead; there a pixel counts by how near the middle
it is and how much rarer its colour is along the border than in the middle.

Everything is computed at 80 x 60 pixels, the size of the smallest catalogue pictures in use, so
that a large picture and a small one of the same thing are described alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageCms
from scipy import ndimage

from fitting_room.imaging.resize import fit, resized_all

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
PLAIN_BACKGROUND = LAYOUT.stop
DESCRIPTOR_LENGTH = PLAIN_BACKGROUND + 1

#: Stands in an index's identity: a description of another version must not be compared with.
VERSION = 1


def describe(image: Image.Image, *, fast: bool = False) -> np.ndarray:
    """Describe an upright RGB picture: uint8 ``(APPEARANCE,)``, each value in units of 1/255.

    ``[COLOURS]`` is a row of length 1, the square roots of a soft LAB histogram of the foreground,
    so that a dot product of two is their Bhattacharyya coefficient (Bhattacharyya 1943);
    ``[SILHOUETTE]`` how much of each of 20 x 15 cells is foreground; ``[LAYOUT]`` for each of
    4 x 3 cells the share of foreground, its mean L, a, b and their deviations; ``[STUDIO]`` 255
    for the plain, light ground of a studio and 0 for anything else, a photograph. ``fast`` is that
    of :func:`fitting_room.imaging.resize.resized`.
    """
    return np.asarray(describe_all([image], fast=fast)[0])


def describe_all(images: Sequence[Image.Image], *, fast: bool = False) -> np.ndarray:
    """:func:`describe` for several pictures, uint8 ``(len(images), APPEARANCE)``. Those that have
    one size at 80 x 60 pixels are looked at together, which takes half the time a picture."""
    alike: dict[tuple[int, ...], list[tuple[list[int], np.ndarray]]] = {}
    for places, pixels in resized_all(images, [fit(i.size, SIZE) for i in images], fast=fast):
        alike.setdefault(pixels.shape[1:], []).append((places, pixels))
    result = np.empty((len(images), DESCRIPTOR_LENGTH), np.uint8)
    for some in alike.values():
        described = _describe(np.concatenate([pixels for _, pixels in some]))
        result[[place for places, _ in some for place in places]] = described
    return result


def _describe(pixels: np.ndarray) -> np.ndarray:
    """Describe pictures of one size, uint8 ``(N, H, W, 3)``."""
    palette = _Palette(pixels)
    ground, plain, plain_background = _grounds(palette)
    if plain.any() and not plain.all():
        result = np.empty((len(pixels), DESCRIPTOR_LENGTH), np.uint8)
        result[plain], result[~plain] = _describe(pixels[plain]), _describe(pixels[~plain])
        return result
    centre = _centre(palette.places.shape[1:])
    if plain.all():
        seen = _cut_out(ground).astype(np.float32)
        weight = centre * seen
    else:
        palette.keep_spread()
        seen = weight = centre * _likely_foreground(palette)
    described = np.empty((len(pixels), DESCRIPTOR_LENGTH), np.float32)
    roots = np.sqrt(palette.histograms(weight))
    described[:, COLOURS] = roots / np.linalg.norm(roots, axis=1, keepdims=True)
    described[:, SILHOUETTE] = _silhouettes(seen)
    described[:, LAYOUT] = _layouts(palette, seen)
    described[:, PLAIN_BACKGROUND] = plain_background
    return np.clip(np.rint(described * 255), 0, 255).astype(np.uint8)


#: Colours of pictures, which ones as places in (N, C), and how each is shared among the lattice's
#: points: at which places in (N, COLOUR_COUNT), and by how much, both (P, K).
_Spread = tuple[np.ndarray, np.ndarray, np.ndarray]


class _Palette:
    """Pictures as the few colours that they have: ``places``, intp ``(N, H, W)``, says for each
    pixel which of ``codes``, 5-bit colours ``(C,)``, it has, and ``lab`` is float32 ``(C, 3)``.
    Most of what is computed is computed once a colour and not once a pixel."""

    def __init__(self, pixels: np.ndarray) -> None:
        red, green, blue = np.moveaxis(pixels >> 3, -1, 0).astype(np.uint16)
        codes = (red << 10 | green << 5 | blue).astype(np.intp)
        present = np.zeros(len(_lab()), bool)
        present[codes.ravel()] = True
        self.codes = np.flatnonzero(present)
        table = np.empty(len(_lab()), np.intp)
        table[self.codes] = np.arange(len(self.codes))
        self.places = table.take(codes)
        self.lab = _lab()[self.codes]
        self._kept: _Spread | None = None

    def amounts(self, weights: np.ndarray) -> np.ndarray:
        """The share of each colour among the pixels of each picture that have these ``weights``,
        float32 ``(N, H, W)``: float ``(N, C)``."""
        sums = _sums(self.places, weights, len(self.codes))
        return np.asarray(sums / sums.sum(axis=1, keepdims=True))

    def spread(self, amounts: np.ndarray) -> _Spread:
        """How the colours of which there is some are shared among the lattice's points."""
        if self._kept is not None:
            return self._kept
        there = np.flatnonzero(amounts)
        picture, colour = np.divmod(there, len(self.codes))
        points, shares = _shares()
        codes = self.codes[colour]
        return there, points[codes] + (picture * COLOUR_COUNT)[:, None], shares[codes]

    def keep_spread(self) -> None:
        """Look up all colours once, for more than one histogram."""
        self._kept = self.spread(_sums(self.places, np.ones(self.places.shape), len(self.codes)))

    def histograms(self, weights: np.ndarray) -> np.ndarray:
        """:meth:`amounts` shared among the lattice's points: float ``(N, COLOUR_COUNT)``."""
        amounts = self.amounts(weights)
        there, at, shares = self.spread(amounts)
        shared = shares * amounts.ravel()[there][:, None]
        sums = np.bincount(at.ravel(), shared.ravel(), len(amounts) * COLOUR_COUNT)
        return sums.reshape(len(amounts), COLOUR_COUNT)


def _sums(places: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """For each of some pictures, the sum of the weights of the pixels at each of ``count`` places,
    float64 ``(N, count)``."""
    of_picture = (np.arange(len(places)) * count)[:, None, None]
    sums = np.bincount((places + of_picture).ravel(), weights.ravel(), len(places) * count)
    return sums.reshape(len(places), count)


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
    """The values along the border of each picture, ``(N, B)``."""
    sides = [values[:, 0], values[:, -1], values[:, 1:-1, 0], values[:, 1:-1, -1]]
    return np.concatenate(sides, axis=1)


def _grounds(palette: _Palette) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which pixels have the colour that is most along the border, bool ``(N, H, W)``; of which
    pictures that is a plain ground, bool ``(N,)``; and of which that of a studio."""
    border = _border(palette.places)
    count = border.shape[1]
    middle = np.sort(palette.lab[border], axis=1)[:, [(count - 1) // 2, count // 2]]
    colour = middle.mean(axis=1)
    light, a, b = ((palette.lab[:, i] - colour[:, i : i + 1]) ** 2 for i in range(3))
    same = light + a + b < SAME_GROUND**2
    picture = np.arange(len(border))
    plain = same[picture[:, None], border].mean(axis=1) >= PLAIN_SHARE
    plain_background = (colour[:, 0] >= LEAST_LIGHT) & (
        np.hypot(colour[:, 1], colour[:, 2]) <= MOST_CHROMA
    )
    first = (picture * len(palette.codes))[:, None, None]
    return same.ravel().take(palette.places + first), plain, plain_background & plain


#: Pixels hang together with the four beside them, and pictures not at all.
_BESIDE = np.zeros((3, 3, 3), bool)
_BESIDE[1] = ndimage.generate_binary_structure(2, 1)


def _cut_out(grounds: np.ndarray) -> np.ndarray:
    """The foregrounds, bool ``(N, H, W)``: what is left when all ground that hangs together with
    the border is taken away. A white shirt's white inside stays."""
    labels, count = ndimage.label(grounds, _BESIDE)
    inside = np.ones(count + 1, bool)
    inside[_border(labels)] = False
    inside[0] = True
    foreground = inside.take(labels)
    # A pixel along the edge is half ground.
    eroded = _eroded(foreground)
    result = np.ones_like(foreground)
    for masks in (foreground, eroded):
        enough = np.count_nonzero(masks, axis=(1, 2)) >= LEAST_PIXELS
        result[enough] = masks[enough]
    return np.asarray(result)


def _eroded(masks: np.ndarray) -> np.ndarray:
    """``masks`` less their pixels that have a neighbour outside, of the eight within the picture:
    two passes of comparisons, a fifth of the time of a general erosion."""
    across = masks.copy()
    across[..., 1:] &= masks[..., :-1]
    across[..., :-1] &= masks[..., 1:]
    result = across.copy()
    result[..., 1:, :] &= across[..., :-1, :]
    result[..., :-1, :] &= across[..., 1:, :]
    return result


def _likely_foreground(palette: _Palette) -> np.ndarray:
    """How likely each pixel of photographs is the garment, 0 to 1, float32 ``(N, H, W)``: by how
    much more frequent its colour is around the middle than along the border."""
    shape = palette.places.shape
    middle = np.broadcast_to(_centre(shape[1:]), shape)
    of_middle, of_edge = palette.histograms(middle), palette.histograms(1 - middle)
    likely = of_middle / (of_middle + of_edge + 1e-6)
    there, at, shares = palette.spread(palette.amounts(middle))
    of_colour = np.zeros((shape[0], len(palette.codes)))
    of_colour.ravel()[there] = (shares * likely.ravel()[at]).sum(axis=1)
    first = (np.arange(shape[0]) * len(palette.codes))[:, None, None]
    return np.asarray(of_colour.ravel().take(palette.places + first), np.float32)


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


def _silhouettes(seen: np.ndarray) -> np.ndarray:
    rows, columns = _cells(seen.shape[1:], SILHOUETTE_GRID)
    pixels = SIZE[0] * SIZE[1] / (SILHOUETTE_GRID[0] * SILHOUETTE_GRID[1])
    return np.asarray((rows @ seen @ columns).reshape(len(seen), -1) / pixels)


@cache
def _cell(shape: tuple[int, int]) -> np.ndarray:
    """Which cell of the layout each pixel is in, ``(H, W)``."""
    rows, columns = _cells(shape, LAYOUT_GRID)
    return np.asarray(rows.argmax(axis=0)[:, None] * LAYOUT_GRID[1] + columns.argmax(axis=1))


def _layouts(palette: _Palette, seen: np.ndarray) -> np.ndarray:
    cells, colours = LAYOUT_GRID[0] * LAYOUT_GRID[1], len(palette.codes)
    # How much of each colour there is in each cell, and from that the sums over pixels.
    places = _cell(seen.shape[1:]) * colours + palette.places
    amounts = _sums(places, seen, cells * colours).reshape(-1, cells, colours)
    # One product a picture: for all at once BLAS would wake threads, on the network's cores.
    sums, squares = ((amounts @ lab).reshape(-1, 3) for lab in (palette.lab, palette.lab**2))
    amount = amounts.reshape(-1, colours).sum(axis=1, keepdims=True)
    safe = np.maximum(amount, 1e-6)
    mean = sums / safe
    deviation = np.sqrt(np.maximum(squares / safe - mean**2, 0))
    light = mean * (1 / 100, 1 / 255, 1 / 255) + (0, 128 / 255, 128 / 255)
    present = amount > 0
    share = amount / (SIZE[0] * SIZE[1] / cells)
    parts = [share, light * present, deviation / 64 * present]
    return np.concatenate(parts, axis=1).reshape(len(seen), -1)
