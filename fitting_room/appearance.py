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


def describe(image: Image.Image) -> np.ndarray:
    """Describe an upright RGB picture: uint8 ``(APPEARANCE,)``, each value in units of 1/255.

    ``[COLOURS]`` is a row of length 1, the square roots of a soft LAB histogram of the foreground,
    so that a dot product of two is their Bhattacharyya coefficient (Bhattacharyya 1943);
    ``[SILHOUETTE]`` how much of each of 20 x 15 cells is foreground; ``[LAYOUT]`` for each of
    4 x 3 cells the share of foreground, its mean L, a, b and their deviations; ``[STUDIO]`` 255
    for the plain, light ground of a studio and 0 for anything else, a photograph.
    """
    pixels = np.asarray(_fitted(image))
    colours = _codes(pixels)
    lab = _lab()[colours]
    ground, studio = _ground(lab)
    weight = _centre(lab.shape[:2]) * (
        _likely_foreground(colours) if ground is None else _cut_out(ground)
    )
    seen = weight > 0 if ground is not None else weight
    result = np.empty(APPEARANCE, np.float32)
    result[COLOURS] = _histogram(colours, weight)
    padded, padded_lab = _on_ground(seen.astype(np.float32)), _on_ground(lab)
    result[SILHOUETTE] = _cells(padded, SILHOUETTE_GRID).mean(axis=(1, 3)).ravel()
    result[LAYOUT] = _layout(padded, padded_lab)
    result[STUDIO] = studio
    return np.clip(np.rint(result * 255), 0, 255).astype(np.uint8)


def _fitted(image: Image.Image) -> Image.Image:
    height, width = SIZE
    scale = min(width / image.width, height / image.height)
    fitted = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.convert("RGB").resize(fitted, Image.Resampling.BICUBIC)


def _on_ground(values: np.ndarray) -> np.ndarray:
    """Values by pixel laid in the middle of a field of zeros of :data:`SIZE`."""
    height, width = values.shape[:2]
    top, left = (SIZE[0] - height) // 2, (SIZE[1] - width) // 2
    field = np.zeros((*SIZE, *values.shape[2:]), np.float32)
    field[top : top + height, left : left + width] = values
    return field


def _codes(pixels: np.ndarray) -> np.ndarray:
    """Each pixel's colour in 5 bits a channel, int ``(H, W)``."""
    five = pixels.astype(np.int32) >> 3
    codes: np.ndarray = (five[..., 0] << 10) | (five[..., 1] << 5) | five[..., 2]
    return codes


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
def _shares() -> np.ndarray:
    """How each 5-bit colour is shared among the lattice's points, float32
    ``(32768, COLOUR_COUNT)``. The lattice is as much of it as sRGB's colours are nearest to."""
    lab = _lab()
    lattice = np.unique(np.rint(lab / SPACING), axis=0) * SPACING  # with the greys on it
    shares = np.empty((len(lab), len(lattice)), np.float32)
    for start in range(0, len(lab), 2048):
        block = slice(start, start + 2048)
        distance = ((lab[block, None] - lattice[None]) ** 2).sum(axis=2)
        distance -= distance.min(axis=1, keepdims=True)
        near = np.exp(-distance / (2 * SPREAD**2))
        near[near < 1e-3] = 0
        shares[block] = near / near.sum(axis=1, keepdims=True)
    return shares


def _border(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])


def _ground(lab: np.ndarray) -> tuple[np.ndarray | None, bool]:
    """Which pixels have the colour of a plain ground, bool ``(H, W)``, or ``None`` where there is
    no plain ground; and whether it is that of a studio."""
    border = _border(lab)
    colour = np.median(border, axis=0)
    if (np.linalg.norm(border - colour, axis=1) < SAME_GROUND).mean() < PLAIN_SHARE:
        return None, False
    same: np.ndarray = np.linalg.norm(lab - colour, axis=2) < SAME_GROUND
    studio = colour[0] >= LEAST_LIGHT and np.hypot(colour[1], colour[2]) <= MOST_CHROMA
    return same, bool(studio)


def _cut_out(ground: np.ndarray) -> np.ndarray:
    """The foreground, bool ``(H, W)``: what is left when all ground that hangs together with the
    border is taken away. A white shirt's white inside stays."""
    labels, _ = ndimage.label(ground)
    outside = np.unique(_border(labels))
    foreground = ~np.isin(labels, outside[outside > 0])
    # A pixel along the edge is half ground.
    inner = ndimage.binary_erosion(foreground, np.ones((3, 3)), border_value=1)
    for mask in (inner, foreground):
        if mask.sum() >= LEAST_PIXELS:
            return np.asarray(mask)
    return np.ones_like(ground)


def _likely_foreground(colours: np.ndarray) -> np.ndarray:
    """How likely each pixel of a photograph is the garment, 0 to 1, float32 ``(H, W)``: by how
    much more frequent its colour is around the middle than along the border."""
    shares = _shares()
    middle = _centre(colours.shape).ravel()
    edge = 1 - middle
    found, amounts = _amounts(colours, np.stack([middle, edge]))
    of_middle, of_edge = amounts @ shares[found]
    likely = of_middle / (of_middle + of_edge + 1e-6)
    table = np.zeros(len(shares), np.float32)
    table[found] = shares[found] @ likely
    return np.asarray(table[colours])


@cache
def _centre(shape: tuple[int, int]) -> np.ndarray:
    """Weights that fall off from the middle, float32 ``(H, W)``: a Gaussian whose deviation is a
    quarter of each side."""
    falls = [
        np.exp(-0.5 * ((np.arange(side) + 0.5 - side / 2) / (side / 4)) ** 2) for side in shape
    ]
    return np.asarray(np.outer(*falls), np.float32)


def _histogram(colours: np.ndarray, weight: np.ndarray) -> np.ndarray:
    found, amounts = _amounts(colours, weight.reshape(1, -1))
    roots = np.sqrt(amounts[0] @ _shares()[found])
    return np.asarray(roots / np.linalg.norm(roots), np.float32)


def _amounts(colours: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 5-bit colours that have weight, int ``(C,)``, and the share of each, float32
    ``(len(weights), C)``."""
    flat = colours.ravel()
    amounts = np.stack([np.bincount(flat, weight, len(_lab())) for weight in weights])
    found = np.flatnonzero(amounts.any(axis=0))
    shares = amounts[:, found] / amounts.sum(axis=1, keepdims=True)
    return found, shares.astype(np.float32)


def _cells(values: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    rows, columns = grid
    return values.reshape(rows, SIZE[0] // rows, columns, SIZE[1] // columns, *values.shape[2:])


def _layout(seen: np.ndarray, lab: np.ndarray) -> np.ndarray:
    amount = _cells(seen, LAYOUT_GRID).sum(axis=(1, 3))[..., None]
    safe = np.maximum(amount, 1e-6)
    weighted = seen[..., None]
    mean = _cells(weighted * lab, LAYOUT_GRID).sum(axis=(1, 3)) / safe
    square = _cells(weighted * lab**2, LAYOUT_GRID).sum(axis=(1, 3)) / safe
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    share = amount / (SIZE[0] * SIZE[1] / (LAYOUT_GRID[0] * LAYOUT_GRID[1]))
    light = np.stack([mean[..., 0] / 100, (mean[..., 1] + 128) / 255, (mean[..., 2] + 128) / 255])
    present = (amount > 0).astype(np.float32)
    return np.concatenate(
        [share, np.moveaxis(light, 0, -1) * present, deviation / 64 * present], axis=2
    ).ravel()
