"""Where the ground of a picture is, and whether it is plain.

What lies along the border is the ground where it is all but one colour. White and light grey, the
ground of product photographs, may have shadows; any other colour must be even, or fall off evenly
as light does, or else it is a floor or a wall of a photograph. The ground is cut away from the
border inwards, unless what would be left is a pattern: then the cloth itself fills the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageCms
from scipy import ndimage

#: Two colours nearer than this in LAB are the same ground.
SAME_GROUND = 8.0
#: A ground is uniform when at least this share of the border is one colour, and plain when that
#: colour is also light and neutral (L and chroma of LAB).
UNIFORM_SHARE = 0.6
LEAST_LIGHT, MOST_CHROMA = 85.0, 8.0
#: Of any colour it is plain when this share of the border is this near to it, in LAB, where the
#: colour may change evenly along the picture, by no more than twice MOST_SLOPE from one corner to
#: the other. Of photographs of worn and lying clothes 9 % are, all of them on a sheet or a wall of
#: one colour; with a share of 0.6 it is 22 %, on tiles and carpets too. A small picture, which was
#: not averaged down, still has what JPEG leaves around a garment, up to twice as much.
EVEN_SHARE, EVEN = 0.75, 4.0
MOST_SLOPE = 15.0
#: The fit of an even ground begins with what is this near to the median, and goes on with less.
FIT_NEAR = (20.0, 12.0, 8.0, 8.0)
#: Below this many pixels a foreground is not believed, and the whole picture is taken.
LEAST_PIXELS = 20
#: Cloth with a pattern up to the border: of its pieces none has this share of all of them, or the
#: border is interrupted more often than a garment does it.
LEAST_OF_LARGEST, MOST_INTERRUPTIONS = 0.25, 10
#: A foreground below this share of the picture may be what can be seen of white on white, or black
#: on black: buttons, a shadow. It is looked for again with SAME_GROUND halved and halved again, and
#: believed where it becomes so many times as large and a garment's size.
FAINT_SHARE, FAINT_GROWTH, FAINT_LEAST = 0.06, 4, 0.12


@dataclass(frozen=True, slots=True)
class Grounds:
    """Of N pictures: ``foreground``, bool ``(N, H, W)``, all true where nothing is cut away;
    ``uniform``, bool ``(N,)``, whether the ground is one colour; ``plain``, bool ``(N,)``."""

    foreground: np.ndarray
    uniform: np.ndarray
    plain: np.ndarray


def find_grounds(
    pixels: np.ndarray, reduced: np.ndarray, places: np.ndarray, colours: np.ndarray
) -> Grounds:
    """The grounds of RGB pictures of one size, uint8 ``(N, H, W, 3)``, that were ``reduced`` to it
    by these factors, float ``(N,)``. ``places``, intp ``(N, H, W)``, says which of ``colours``, LAB
    float32 ``(C, 3)``, a pixel has, nearly."""
    background, uniform, white = _flat(places, colours)
    plain = white.copy()
    others = np.flatnonzero(~white)
    if len(others):
        lab = to_lab(pixels[others])
        distance, even = _even(lab, EVEN * np.clip(2 / reduced[others], 1, 2))
        background[others[even]] = distance[even] < SAME_GROUND**2
        uniform[others], plain[others] = uniform[others] | even, even
    foreground = np.ones(places.shape, bool)
    if uniform.any():
        foreground[uniform] = _cut_out(background[uniform])
        _find_faint(pixels, foreground, uniform)
    cut = others[uniform[others]]
    patterned = cut[_is_pattern(foreground[cut])]
    foreground[patterned] = True
    # Tiles and checks have no ground; dots that are few have one, and are taken whole.
    uniform[patterned] = plain[patterned]
    return Grounds(foreground, uniform, plain)


def to_lab(pixels: np.ndarray) -> np.ndarray:
    """RGB pictures, uint8 ``(N, H, W, 3)``, in CIE LAB, float32 ``(N, 3, H, W)``."""
    flat = Image.fromarray(pixels.reshape(-1, *pixels.shape[2:]))
    values = np.asarray(ImageCms.applyTransform(flat, _transform())).reshape(pixels.shape)
    # Pillow's LAB: L in 255ths of 100, a and b as signed bytes.
    lab = np.empty((len(pixels), 3, *pixels.shape[1:3]), np.float32)
    np.multiply(values[..., 0], np.float32(100 / 255), out=lab[:, 0])
    lab[:, 1], lab[:, 2] = values[..., 1].view(np.int8), values[..., 2].view(np.int8)
    return lab


@cache
def _transform() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )


def _border(values: np.ndarray) -> np.ndarray:
    """The values along the border of each picture, once around, ``(N, B, ...)``."""
    sides = [values[:, 0], values[:, 1:-1, -1], values[:, -1, ::-1], values[:, -2:0:-1, 0]]
    return np.concatenate(sides, axis=1)


def _flat(places: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which pixels have the colour that is most along the border, bool ``(N, H, W)``; in which
    pictures that is a uniform ground, bool ``(N,)``; and in which a light, neutral one."""
    border = _border(places)
    count = border.shape[1]
    by_channel = np.sort(colours.T[:, border], axis=2)
    colour = by_channel[:, :, [(count - 1) // 2, count // 2]].mean(axis=2).T
    light, a, b = ((colours[:, i] - colour[:, i : i + 1]) ** 2 for i in range(3))
    same = light + a + b < SAME_GROUND**2
    picture = np.arange(len(border))
    uniform = same[picture[:, None], border].mean(axis=1) >= UNIFORM_SHARE
    neutral = np.hypot(colour[:, 1], colour[:, 2]) <= MOST_CHROMA
    white = uniform & neutral & (colour[:, 0] >= LEAST_LIGHT)
    first = (picture * len(colours))[:, None, None]
    return same.ravel().take(places + first), uniform, white


def _even(lab: np.ndarray, near_enough: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The square of the distance of each pixel from an even ground, float32 ``(N, H, W)``, and
    which pictures have one, bool ``(N,)``: a plane in LAB, fitted to the border and again to what
    of it is near. Enough of the border is nearer than ``near_enough``, ``(N,)``."""
    places = _plane(lab.shape[2:])
    along = _border(places[None])[0]
    border = np.stack([_border(lab[:, channel]) for channel in range(3)], axis=1)
    rest = border - np.median(border, axis=2, keepdims=True)
    for near in FIT_NEAR:
        weighed = along.T * ((rest**2).sum(axis=1) < near**2).astype(np.float32)[:, None]
        normal = weighed @ along + 1e-3 * np.eye(3)
        right = weighed @ border.transpose(0, 2, 1)
        coefficients = np.linalg.solve(normal, right).astype(np.float32).transpose(0, 2, 1)
        rest = border - coefficients @ along.T
    even = ((rest**2).sum(axis=1) < near_enough[:, None] ** 2).mean(axis=1) >= EVEN_SHARE
    slopes = np.linalg.norm(coefficients[..., 1:], axis=1).sum(axis=1)
    level, down, across = coefficients[..., None, None].transpose(2, 0, 1, 3, 4)
    distance = lab - (level + across * places[:1, :, 2])
    distance -= down * places[:, :1, 1]
    return np.square(distance, out=distance).sum(axis=1), even & (slopes <= MOST_SLOPE)


@cache
def _plane(shape: tuple[int, int]) -> np.ndarray:
    """1, and how far down and to the right each pixel is, from -1 to 1: float32 ``(H, W, 3)``."""
    down, across = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    return np.stack([np.ones(shape), down, across], axis=-1).astype(np.float32)


#: Which pixels touch: the four beside one; those of two pictures never do.
_BESIDE = np.pad(ndimage.generate_binary_structure(2, 1)[None], ((1, 1), (0, 0), (0, 0)))


def _cut_out(backgrounds: np.ndarray) -> np.ndarray:
    """The foregrounds, bool ``(N, H, W)``: what is left when all background that hangs together
    with the border is taken away. A white shirt's white inside stays."""
    labels, count = ndimage.label(backgrounds, _BESIDE)
    inside = np.ones(count + 1, bool)
    inside[_border(labels)] = False
    inside[0] = True
    foreground = inside.take(labels)
    # A pixel along the edge is half background.
    eroded = _eroded(foreground)
    result = np.ones_like(foreground)
    for masks in (foreground, eroded):
        enough = np.count_nonzero(masks, axis=(1, 2)) >= LEAST_PIXELS
        result[enough] = masks[enough]
    return np.asarray(result)


def _eroded(masks: np.ndarray) -> np.ndarray:
    """Masks, bool ``(N, H, W)``, without what has a pixel of the picture around it, one of eight,
    that is not theirs."""
    upright = masks.copy()
    upright[:, 1:] &= masks[:, :-1]
    upright[:, :-1] &= masks[:, 1:]
    eroded = upright.copy()
    eroded[:, :, 1:] &= upright[:, :, :-1]
    eroded[:, :, :-1] &= upright[:, :, 1:]
    return eroded


def _find_faint(pixels: np.ndarray, foreground: np.ndarray, uniform: np.ndarray) -> None:
    """Where hardly anything stands out from a uniform ground, look closer: ``foreground`` becomes
    what is found."""
    shares = foreground.mean(axis=(1, 2))
    faint = np.flatnonzero(uniform & (shares < FAINT_SHARE))
    if not len(faint):
        return
    distance, _ = _even(to_lab(pixels[faint]), np.full(len(faint), EVEN))
    for divisor in (2, 4):
        closer = _cut_out(distance < (SAME_GROUND / divisor) ** 2)
        found = closer.mean(axis=(1, 2))
        better = (found >= FAINT_LEAST) & (found >= FAINT_GROWTH * shares[faint]) & (found < 1)
        foreground[faint[better]] = closer[better]
        faint, distance = faint[~better], distance[~better]


def _is_pattern(foreground: np.ndarray) -> np.ndarray:
    """Which foregrounds are the pattern of a cloth that fills the picture, bool ``(N,)``."""
    result = np.zeros(len(foreground), bool)
    for place, mask in enumerate(foreground):
        around = _border(mask[None])[0]
        interruptions = np.count_nonzero(around[1:] & ~around[:-1])
        labels, count = ndimage.label(mask)
        largest = np.bincount(labels.ravel())[1:].max() / np.count_nonzero(mask)
        result[place] = interruptions > MOST_INTERRUPTIONS or (
            count > 1 and largest < LEAST_OF_LARGEST
        )
    return result
