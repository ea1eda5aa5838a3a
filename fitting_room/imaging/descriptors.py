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
from scipy import sparse

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
    likely = _likely_foreground(palette, palette.places)[0]
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


def _describe(pixels: np.ndarray, reduced: np.ndarray) -> np.ndarray:
    """Describe pictures of one size, uint8 ``(N, H, W, 3)``, that were ``reduced`` to it by these
    factors, float ``(N,)``."""
    palette = _Palette(pixels)
    grounds = find_grounds(pixels, reduced, palette.places, palette.lab)
    centre, photograph = _centre(palette.places.shape[1:]), ~grounds.uniform
    visible = grounds.foreground.astype(np.float32)
    weight = centre * visible
    if photograph.any():
        visible[photograph] = centre * _likely_foreground(palette, palette.places[photograph])
        weight[photograph] = visible[photograph]
    described = np.empty((len(pixels), DESCRIPTOR_LENGTH), np.float32)
    roots = np.sqrt(palette.histograms(palette.sums(palette.places, weight)))
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
    def shares(self) -> sparse.csr_array:
        """How each colour is shared among the lattice's points, float64 ``(C, COLOUR_COUNT)``."""
        return _shares()[self.codes]

    def sums(self, places: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """For each of some of the pictures, which have colours at ``places``, ``(n, H, W)``, the
        sum of the ``weights`` of the pixels of each colour, or their number: ``(n, C)``."""
        return _sums(places, weights, len(self.codes))

    def histograms(self, sums: np.ndarray) -> np.ndarray:
        """The share of each of the lattice's points in the pixels of pictures of which there is so
        much of each colour, ``(n, C)``: float64 ``(n, COLOUR_COUNT)``."""
        return np.asarray((sums / sums.sum(axis=1, keepdims=True)) @ self.shares)


def _sums(places: np.ndarray, weights: np.ndarray | None, count: int) -> np.ndarray:
    """For each picture, the sum of its pixels' weights at each of ``count`` places, ``(N, count)``
    in float64; of no ``weights`` the number of its pixels."""
    of_picture = (np.arange(len(places)) * count)[:, None, None]
    values = None if weights is None else weights.ravel()
    sums = np.bincount((places + of_picture).ravel(), values, len(places) * count)
    return sums.reshape(len(places), count)


@cache
def _lab() -> np.ndarray:
    """CIE LAB of every 5-bit colour, float32 ``(32768, 3)``."""
    steps = (np.arange(32, dtype=np.uint8) << 3) + 4
    colours = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)
    planes = to_lab(colours.reshape(1, 1024, 32, 3))[0]
    return np.ascontiguousarray(planes.reshape(3, -1).T)


@cache
def _shares() -> sparse.csr_array:
    """How each 5-bit colour is shared among the lattice's points, float64
    ``(32768, COLOUR_COUNT)``. Of the lattice there are the points that are nearest to a colour of
    sRGB."""
    lab = _lab()
    lattice = np.unique(np.rint(lab / SPACING), axis=0) * SPACING  # with the greys on it
    blocks = []
    for start in range(0, len(lab), 2048):
        block = lab[start : start + 2048]
        # |a - b|^2 = |a|^2 - 2ab + |b|^2, and |a|^2 is the same for all of a row.
        distance = (lattice**2).sum(axis=1) - 2 * block @ lattice.T
        distance -= distance.min(axis=1, keepdims=True)
        shared = np.exp(-distance / (2 * SPREAD**2))
        shared[shared < 1e-3] = 0
        shared /= shared.sum(axis=1, keepdims=True)
        blocks.append(sparse.csr_array(shared.astype(np.float32).astype(np.float64)))
    return sparse.csr_array(sparse.vstack(blocks, format="csr"))


def _likely_foreground(palette: _Palette, places: np.ndarray) -> np.ndarray:
    """How likely each pixel of photographs, whose colours are at these ``places``, is the garment,
    0 to 1, float32 ``(n, H, W)``: by how much more frequent its colour is around the middle than
    along the border."""
    middle = palette.sums(places, np.broadcast_to(_centre(places.shape[1:]), places.shape))
    # A colour that is in the very middle alone has next to nothing along the border.
    edge = np.maximum(palette.sums(places) - middle, 0)
    of_middle, of_edge = palette.histograms(middle), palette.histograms(edge)
    likely = of_middle / (of_middle + of_edge + 1e-6)
    of_colour = (palette.shares @ likely.T).T.astype(np.float32)
    first = (np.arange(len(places)) * len(palette.codes))[:, None, None]
    return np.asarray(of_colour.ravel().take(places + first))


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
