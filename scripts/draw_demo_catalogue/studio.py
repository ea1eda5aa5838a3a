"""The photographer's studio: a white ground, a soft shadow, the picture file."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import skia
from PIL import Image

from scripts.draw_demo_catalogue.geometry import HEIGHT, MIDDLE, WIDTH, oval
from scripts.draw_demo_catalogue.painter import Painter, blurred
from scripts.draw_demo_catalogue.patterns import Cloth
from scripts.draw_demo_catalogue.prints import fill, ink

DETAIL = 2
"""Pictures are drawn this many times as large and averaged down, for even edges."""

EVERYWHERE = skia.Rect.MakeWH(WIDTH, HEIGHT)
FILLED, MOST_ENLARGED = 0.93, 1.3
"""How much of the picture a garment fills, and how far it may be enlarged for that."""

GROUND = (250, 250, 250)
QUALITY = 70

Garment = Callable[[Painter], None]


def surface(width: int = WIDTH, height: int = HEIGHT) -> skia.Surface:
    """An empty picture; its canvas counts in units of the finished picture."""
    made = skia.Surface(width * DETAIL, height * DETAIL)
    made.getCanvas().scale(DETAIL, DETAIL)
    return made


def developed(made: skia.Surface, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """The finished picture, RGB, averaged down."""
    pixels = made.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)
    picture = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=None)


def layer(canvas: skia.Canvas, blur: float, shift: tuple[float, float], strength: float) -> None:
    """Begin a layer that throws a soft shadow as a whole; ended by ``canvas.restore()``."""
    shadow = skia.ImageFilters.DropShadow(*shift, blur, blur, ink((30, 30, 44), strength), None)
    canvas.saveLayer(None, skia.Paint(ImageFilter=shadow))


def packshot(garment: Garment, cloth: Cloth, seed: int, *, stands: bool) -> Image.Image:
    """A garment on white: hung up, or, where it ``stands``, with the shadow of the floor."""
    dice = random.Random(seed)
    size = dice.uniform(0.965, 1.0)
    turn = 0.0 if stands else dice.uniform(-1.2, 1.2)
    recorder = skia.PictureRecorder()
    garment(Painter(recorder.beginRecording(EVERYWHERE), cloth, dice))
    drawn = recorder.finishRecordingAsPicture()
    made = surface()
    canvas = made.getCanvas()
    canvas.clear(ink(GROUND))
    canvas.translate(MIDDLE, HEIGHT / 2)
    canvas.rotate(turn)
    canvas.concat(framing(drawn, size))
    layer(canvas, *((2.0, (0, 1.0), 0.12) if stands else (5.0, (2.0, 4.0), 0.2)))
    canvas.drawPicture(drawn)
    canvas.restore()
    return developed(made)


def framing(drawn: skia.Picture, size: float) -> skia.Matrix:
    """How to place a drawing about the middle so that it fills the picture, with an even margin."""
    small = skia.Surface(WIDTH // 2, HEIGHT // 2)
    small.getCanvas().scale(0.5, 0.5)
    small.getCanvas().drawPicture(drawn)
    alpha = small.makeImageSnapshot().toarray()[..., 3]
    rows, columns = (np.flatnonzero((alpha > 90).any(axis=axis)) * 2 for axis in (1, 0))
    wide, high = int(columns[-1] - columns[0]), int(rows[-1] - rows[0])
    scale = size * min(FILLED * WIDTH / wide, FILLED * HEIGHT / high, MOST_ENLARGED)
    matrix = skia.Matrix.Scale(scale, scale)
    matrix.preTranslate(-(columns[0] + wide / 2), -(rows[0] + high / 2))
    return matrix


def floor_shadow(
    canvas: skia.Canvas, left: float, right: float, y: float, strength: float = 0.5
) -> None:
    """The shadow under something that stands: dark where it touches, wide and soft around."""
    middle, across = (left + right) / 2, (right - left) / 2
    for wide, high, blur, share in ((1.06, 9.0, 6.0, 0.35), (0.98, 3.4, 2.2, 0.7)):
        path = oval(middle, y + high * 0.25, across * wide, high)
        canvas.drawPath(path, blurred(fill((26, 26, 36), strength * share), blur))


def save(picture: Image.Image, path: Path) -> None:
    """Write a WebP (``method=6``: the smallest file for the quality) or a JPEG."""
    if path.suffix == ".webp":
        picture.save(path, "WEBP", quality=QUALITY, method=6)
    else:
        picture.save(path, "JPEG", quality=84, optimize=True)
