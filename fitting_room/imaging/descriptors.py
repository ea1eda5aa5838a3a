"""What a garment looks like without a network: its colours, its silhouette, its layout.

Only the garment should count. A plain background is cut away from the border inwards
(:mod:`fitting_room.imaging.grounds`). A photograph has surroundings instead; there a pixel counts
by how near the middle it is and how much rarer its colour is along the border than in the middle.

Everything is computed at 80 x 60 pixels, the size of the smallest catalogue pictures in use, so
that a large picture and a small one of the same thing are described alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property

import numpy as np
from PIL import Image

from fitting_room.imaging.grounds import Grounds, find_grounds, to_lab
from fitting_room.imaging.resize import fit, resized

#: Height and width at which pictures are described.
SIZE = (80, 60)
#: Rows and columns of the silhouette, and of the layout.
SILHOUETTE_GRID = (20, 15)
LAYOUT_GRID = (4, 3)

#: Colours stand on a lattice in CIE LAB with this distance between its points, and a pixel is
#: shared among them with a Gaussian of this deviation: shades that differ by a little light land on
#: almost the same points. Chosen on the catalogue by precision of baseColour.
SPACING, SPREAD = 16.0, 8.0
# The parts of a description; see describe().
COLOUR_COUNT = 388
COLOURS = slice(0, COLOUR_COUNT)
SILHOUETTE = slice(COLOURS.stop, COLOURS.stop + SILHOUETTE_GRID[0] * SILHOUETTE_GRID[1])
LAYOUT = slice(SILHOUETTE.stop, SILHOUETTE.stop + 7 * LAYOUT_GRID[0] * LAYOUT_GRID[1])
PLAIN_BACKGROUND = LAYOUT.stop
DESCRIPTOR_LENGTH = PLAIN_BACKGROUND + 1

#: Stands in an index's identity: a description of another version must not be compared with.
VERSION = 2


def describe(images: Sequence[Image.Image]) -> np.ndarray:
    """Describe upright RGB pictures: uint8 ``(len(images), DESCRIPTOR_LENGTH)``, each value in
    units of 1/255.

    ``[COLOURS]`` is a row of length 1, the square roots of a soft LAB histogram of the foreground,
    so that a dot product of two is their Bhattacharyya coefficient (Bhattacharyya 1943);
    ``[SILHOUETTE]`` how much of each of 20 x 15 cells is foreground; ``[LAYOUT]`` for each of
    4 x 3 cells the share of foreground, its mean L, a, b and their deviations;
    ``[PLAIN_BACKGROUND]`` 255 for a plain background and 0 for anything else, a photograph.
    """
    by_size: dict[tuple[int, int], list[int]] = {}
    for place, image in enumerate(images):
        by_size.setdefault(fit(image.size, SIZE), []).append(place)
    result = np.empty((len(images), DESCRIPTOR_LENGTH), np.uint8)
    for size, places in by_size.items():  # together they take half the time a picture
        # Averaged down first: quicker, and as good for so few pixels.
        pixels = [resized(images[place], size, reducing_gap=1) for place in places]
        reduced = [max(images[place].size) / max(size) for place in places]
        result[places] = _describe(np.stack(pixels), np.array(reduced))
    return result


def foreground(image: Image.Image) -> np.ndarray:
    """How much of each place of an upright RGB picture is what it shows and not what is around it,
    0 to 1, float32 ``(H, W)``, within :data:`SIZE`: before a uniform ground a mask, and in a
    photograph how likely it is by the colours there."""
    palette, grounds = _looked_at(image)
    if grounds.uniform[0]:
        return np.asarray(grounds.foreground[0], np.float32)
    likely = _likely_foreground(palette)[0]
    return np.asarray(likely / max(float(likely.max()), 1e-6), np.float32)


def cut_out(image: Image.Image) -> np.ndarray | None:
    """What of an upright RGB picture is not its plain background, bool ``(H, W)`` within
    :data:`SIZE`; ``None`` for a photograph."""
    _, grounds = _looked_at(image)
    return np.asarray(grounds.foreground[0]) if grounds.plain[0] else None


def _looked_at(image: Image.Image) -> tuple[_Palette, Grounds]:
    size = fit(image.size, SIZE)
    pixels = np.stack([resized(image, size, reducing_gap=1)])
    palette = _Palette(pixels)
    reduced = np.array([max(image.size) / max(size)])
    return palette, find_grounds(pixels, reduced, palette.places, palette.lab)


def _describe(
    pixels: np.ndarray, reduced: np.ndarray, grounds: Grounds | None = None
) -> np.ndarray:
    """Describe pictures of one size, uint8 ``(N, H, W, 3)``, that were ``reduced`` to it by these
    factors, float ``(N,)``."""
    palette = _Palette(pixels)
    if grounds is None:
        grounds = find_grounds(pixels, reduced, palette.places, palette.lab)
    uniform = grounds.uniform
    if uniform.any() and not uniform.all():
        result = np.empty((len(pixels), DESCRIPTOR_LENGTH), np.uint8)
        for chosen in (uniform, ~uniform):
            result[chosen] = _describe(pixels[chosen], reduced[chosen], grounds[chosen])
        return result
    centre = _centre(palette.places.shape[1:])
    if uniform.all():
        visible = grounds.foreground.astype(np.float32)
        weight = centre * visible
    else:
        visible = weight = centre * _likely_foreground(palette)
    described = np.empty((len(pixels), DESCRIPTOR_LENGTH), np.float32)
    roots = np.sqrt(palette.histograms(weight))
    described[:, COLOURS] = roots / np.linalg.norm(roots, axis=1, keepdims=True)
    described[:, SILHOUETTE] = _silhouettes(visible)
    described[:, LAYOUT] = _layouts(palette, visible)
    described[:, PLAIN_BACKGROUND] = grounds.plain
    return np.clip(np.rint(described * 255), 0, 255).astype(np.uint8)


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

    @cached_property
    def spread(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The colours that each picture has, as places in (N, C), and how each is shared among the
        lattice's points: at which places in (N, COLOUR_COUNT), and by how much, both (P, K)."""
        present = np.flatnonzero(_sums(self.places, np.ones(self.places.shape), len(self.codes)))
        picture, colour = np.divmod(present, len(self.codes))
        points, shares = _shares()
        codes = self.codes[colour]
        return present, points[codes] + (picture * COLOUR_COUNT)[:, None], shares[codes]

    def histograms(self, weights: np.ndarray) -> np.ndarray:
        """The share of each of the lattice's points in the pixels of each picture that have these
        ``weights``, float32 ``(N, H, W)``: float ``(N, COLOUR_COUNT)``."""
        sums = _sums(self.places, weights, len(self.codes))
        amounts = sums / sums.sum(axis=1, keepdims=True)
        present, at, shares = self.spread
        shared = shares * amounts.ravel()[present][:, None]
        result = np.bincount(at.ravel(), shared.ravel(), len(amounts) * COLOUR_COUNT)
        return result.reshape(len(amounts), COLOUR_COUNT)


def _sums(places: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """For each picture, the sum of its pixels' weights at each of ``count`` places, ``(N, count)``
    in float64."""
    of_picture = (np.arange(len(places)) * count)[:, None, None]
    sums = np.bincount((places + of_picture).ravel(), weights.ravel(), len(places) * count)
    return sums.reshape(len(places), count)


@cache
def _lab() -> np.ndarray:
    """CIE LAB of every 5-bit colour, float32 ``(32768, 3)``."""
    steps = (np.arange(32, dtype=np.uint8) << 3) + 4
    colours = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)
    return to_lab(colours.reshape(1, 1024, 32, 3)).reshape(-1, 3)


@cache
def _shares() -> tuple[np.ndarray, np.ndarray]:
    """How each 5-bit colour is shared among the lattice's points: which ones, int16
    ``(32768, K)``, and how much each of them gets, float32 ``(32768, K)``, zeros where a colour has
    fewer than ``K``. Of the lattice there are the points that are nearest to a colour of sRGB."""
    lab = _lab()
    lattice = np.unique(np.rint(lab / SPACING), axis=0) * SPACING  # with the greys on it
    rows, columns, values = [], [], []
    for start in range(0, len(lab), 2048):
        block = lab[start : start + 2048]
        # |a - b|^2 = |a|^2 - 2ab + |b|^2, and |a|^2 is the same for all of a row.
        distance = (lattice**2).sum(axis=1) - 2 * block @ lattice.T
        distance -= distance.min(axis=1, keepdims=True)
        shared = np.exp(-distance / (2 * SPREAD**2))
        shared[shared < 1e-3] = 0
        shared /= shared.sum(axis=1, keepdims=True)
        row, column = np.nonzero(shared)
        rows.append(row + start)
        columns.append(column)
        values.append(shared[row, column])
    row = np.concatenate(rows)
    counts = np.bincount(row, minlength=len(lab))
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    points = np.zeros((len(lab), counts.max()), np.int16)
    shares = np.zeros(points.shape, np.float32)
    points[row, place] = np.concatenate(columns)
    shares[row, place] = np.concatenate(values)
    return points, shares


def _likely_foreground(palette: _Palette) -> np.ndarray:
    """How likely each pixel of photographs is the garment, 0 to 1, float32 ``(N, H, W)``: by how
    much more frequent its colour is around the middle than along the border."""
    shape = palette.places.shape
    middle = np.broadcast_to(_centre(shape[1:]), shape)
    of_middle, of_edge = palette.histograms(middle), palette.histograms(1 - middle)
    likely = of_middle / (of_middle + of_edge + 1e-6)
    present, at, shares = palette.spread
    of_colour = np.zeros((shape[0], len(palette.codes)))
    of_colour.ravel()[present] = (shares * likely.ravel()[at]).sum(axis=1)
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


@cache
def _cells(shape: tuple[int, int], grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Which row and which column of a grid over a field of :data:`SIZE` each row and column of a
    picture in its middle falls into, as zeros and ones: ``(rows, H)`` and ``(W, columns)``."""
    of_row, of_column = (
        (np.arange(side) + (whole - side) // 2) // (whole // count)
        for side, whole, count in zip(shape, SIZE, grid, strict=True)
    )
    rows, columns = np.arange(grid[0])[:, None] == of_row, of_column[:, None] == np.arange(grid[1])
    return rows.astype(np.float32), columns.astype(np.float32)


def _silhouettes(visible: np.ndarray) -> np.ndarray:
    rows, columns = _cells(visible.shape[1:], SILHOUETTE_GRID)
    pixels = SIZE[0] * SIZE[1] / (SILHOUETTE_GRID[0] * SILHOUETTE_GRID[1])
    return np.asarray((rows @ visible @ columns).reshape(len(visible), -1) / pixels)


@cache
def _cell(shape: tuple[int, int]) -> np.ndarray:
    """Which cell of the layout each pixel is in, ``(H, W)``."""
    rows, columns = _cells(shape, LAYOUT_GRID)
    return np.asarray(rows.argmax(axis=0)[:, None] * LAYOUT_GRID[1] + columns.argmax(axis=1))


def _layouts(palette: _Palette, visible: np.ndarray) -> np.ndarray:
    cells, colours = LAYOUT_GRID[0] * LAYOUT_GRID[1], len(palette.codes)
    # How much of each colour there is in each cell, and from that the sums over pixels.
    places = _cell(visible.shape[1:]) * colours + palette.places
    amounts = _sums(places, visible, cells * colours).reshape(-1, cells, colours)
    # One product a picture: for all at once BLAS would wake threads, on the network's cores.
    sums, squares = ((amounts @ lab).reshape(-1, 3) for lab in (palette.lab, palette.lab**2))
    amount = amounts.reshape(-1, colours).sum(axis=1, keepdims=True)
    safe = np.maximum(amount, 1e-6)
    mean = sums / safe
    deviation = np.sqrt(np.maximum(squares / safe - mean**2, 0))
    light = mean * (1 / 100, 1 / 255, 1 / 255) + (0, 128 / 255, 128 / 255)
    present = amount > 0
    covered = amount / (SIZE[0] * SIZE[1] / cells)
    parts = [covered, light * present, deviation / 64 * present]
    return np.concatenate(parts, axis=1).reshape(len(visible), -1)
