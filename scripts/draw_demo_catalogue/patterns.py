"""Patterns of cloth, each a tile that repeats: a shader that turns with the piece it covers."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import skia

from scripts.draw_demo_catalogue import prints
from scripts.draw_demo_catalogue.colours import RGB, lightness, mix, tone
from scripts.draw_demo_catalogue.geometry import HEIGHT, MIDDLE
from scripts.draw_demo_catalogue.prints import Inks, ink


@dataclass(frozen=True)
class Cloth:
    """What a garment is made of: a pattern in three colours and the feel of the material.

    ``feel`` is one of ``plain``, ``knit``, ``ribbed``, ``denim``, ``leather``, ``satin``,
            ``puffy``.
    """

    base: RGB
    second: RGB
    third: RGB
    pattern: str = "Solid"
    feel: str = "plain"
    seed: int = 0
    scale: float = 1.0

    def plain(self, colour: RGB | None = None) -> Cloth:
        """The same material without its pattern: trims, ribs, linings."""
        return Cloth(colour or self.base, self.second, self.third, "Solid", self.feel, self.seed)

    @property
    def trim(self) -> Cloth:
        """What belts, ties and piping beside this cloth are made of."""
        return self.plain(tone(self.base, 0.1 if lightness(self.base) < 0.25 else -0.25))


def solid(canvas: skia.Canvas, inks: Inks, _: random.Random) -> None:
    canvas.clear(ink(inks.base))


def stripes(canvas: skia.Canvas, inks: Inks, _: random.Random) -> None:
    """Broad bands across, 24 units apart."""
    canvas.clear(ink(inks.base))
    canvas.drawRect(skia.Rect.MakeXYWH(0, 12, 24, 9), prints.fill(inks.second))


def pinstripe(canvas: skia.Canvas, inks: Inks, _: random.Random) -> None:
    """Thin lines down the cloth."""
    canvas.clear(ink(inks.base))
    canvas.drawRect(skia.Rect.MakeXYWH(5, 0, 1.5, 11), prints.fill(inks.second, 0.9))


def gingham(canvas: skia.Canvas, inks: Inks, _: random.Random) -> None:
    """Small squares: two bands of the same ink that are darker where they cross."""
    light = tone(inks.base, 0.82) if lightness(inks.base) < 0.8 else inks.base
    dark = inks.base if lightness(inks.base) < 0.8 else inks.second
    canvas.clear(ink(light))
    canvas.drawRect(skia.Rect.MakeXYWH(0, 0, 8, 16), prints.fill(dark, 0.55))
    canvas.drawRect(skia.Rect.MakeXYWH(0, 0, 16, 8), prints.fill(dark, 0.55))


def plaid(canvas: skia.Canvas, inks: Inks, _: random.Random) -> None:
    """A tartan: broad dark bands, narrow ones in two more colours, both ways."""
    canvas.clear(ink(inks.base))
    dark = tone(inks.base, -0.55)
    for low, wide, colour, strength in (
        (0, 16, dark, 0.5), (30, 4, dark, 0.5), (22, 2.2, inks.second, 0.8),
        (40, 2.2, inks.third, 0.8),
    ):  # fmt: skip
        canvas.drawRect(skia.Rect.MakeXYWH(low, 0, wide, 48), prints.fill(colour, strength))
        canvas.drawRect(skia.Rect.MakeXYWH(0, low, 48, wide), prints.fill(colour, strength))


def dots(canvas: skia.Canvas, inks: Inks, _: random.Random) -> None:
    canvas.clear(ink(inks.base))
    for x, y in ((4.5, 4.5), (13.5, 13.5)):
        canvas.drawCircle(x, y, 3.1, prints.fill(inks.second))


def chevron(canvas: skia.Canvas, inks: Inks, _: random.Random) -> None:
    canvas.clear(ink(inks.base))
    line = prints.stroke(inks.second, 5)
    for top in (-16, 0, 16):
        path = skia.Path()
        path.moveTo(-14, top + 14)
        for x, y in ((0, 0), (14, 14), (28, 0), (42, 14)):
            path.lineTo(x, top + y)
        canvas.drawPath(path, line)


def herringbone(canvas: skia.Canvas, inks: Inks, _: random.Random) -> None:
    """Woven in short slanted lines that turn about every few threads."""
    canvas.clear(ink(inks.base))
    other = tone(inks.base, 0.42) if lightness(inks.base) < 0.6 else tone(inks.base, -0.36)
    line = prints.stroke(other, 1.7)
    for top in range(-12, 24, 4):
        canvas.drawLine(0, top, 7, top + 7, line)
        canvas.drawLine(7, top + 7, 14, top, line)


def houndstooth(canvas: skia.Canvas, inks: Inks, _: random.Random) -> None:
    canvas.clear(ink(inks.base))
    colour = prints.fill(inks.second)
    for points in (
        ((0, 0), (8, 0), (8, 8), (0, 8)), ((8, 0), (12, 0), (8, 4)), ((8, 8), (12, 4), (16, 4),
        (8, 12)),
        ((0, 8), (0, 12), (4, 8)), ((4, 16), (8, 12), (8, 16)), ((12, 0), (16, 0), (16, 4),
        (12, 4)),
    ):  # fmt: skip
        path = skia.Path()
        path.addPoly([skia.Point(*point) for point in points], True)
        canvas.drawPath(path, colour)


def argyle(canvas: skia.Canvas, inks: Inks, _: random.Random) -> None:
    """Diamonds in two colours under a net of thin lines."""
    canvas.clear(ink(inks.base))
    for x, y, colour in ((18, 24, inks.second), (0, 0, inks.third), (36, 0, inks.third),
                         (0, 48, inks.third), (36, 48, inks.third)):  # fmt: skip
        diamond = skia.Path()
        diamond.addPoly(
            [skia.Point(x + a, y + b) for a, b in ((0, -22), (16, 0), (0, 22), (-16, 0))], True
        )
        canvas.drawPath(diamond, prints.fill(colour, 0.85))
    thin = prints.stroke(tone(inks.base, 0.75), 0.9)
    canvas.drawLine(-18, 0, 54, 96, thin)
    canvas.drawLine(-18, -48, 54, 48, thin)
    canvas.drawLine(54, -48, -18, 48, thin)
    canvas.drawLine(54, 0, -18, 96, thin)


Drawer = Callable[[skia.Canvas, Inks, random.Random], None]

TILES: dict[str, tuple[Drawer, tuple[float, float]]] = {
    "Solid": (solid, (8, 8)),
    "Striped": (stripes, (24, 24)),
    "Pinstripe": (pinstripe, (11, 11)),
    "Gingham": (gingham, (16, 16)),
    "Plaid": (plaid, (48, 48)),
    "Polka Dots": (dots, (18, 18)),
    "Floral": (prints.floral, (84, 84)),
    "Tropical": (prints.leaves, (90, 90)),
    "Camouflage": (prints.camouflage, (110, 110)),
    "Chevron": (chevron, (28, 16)),
    "Herringbone": (herringbone, (14, 4)),
    "Houndstooth": (houndstooth, (16, 16)),
    "Leopard": (prints.leopard, (70, 70)),
    "Zebra": (prints.zebra, (90, 60)),
    "Argyle": (argyle, (36, 48)),
    "Paisley": (prints.paisley, (60, 60)),
}

SMOOTH = ("Ombre", "Colour Block")
"""Patterns that run once over the whole garment instead of repeating."""


def shader(cloth: Cloth, angle: float, anchor: tuple[float, float]) -> skia.Shader:
    """The cloth's pattern, turned by ``angle`` degrees, with a tile's corner at ``anchor``."""
    if cloth.pattern in SMOOTH:
        return _smooth(cloth)
    draw, (width, height) = TILES[cloth.pattern]
    recorder = skia.PictureRecorder()
    canvas = recorder.beginRecording(skia.Rect.MakeWH(width, height))
    draw(canvas, Inks(cloth.base, cloth.second, cloth.third), random.Random(cloth.pattern))
    picture = recorder.finishRecordingAsPicture()
    matrix = skia.Matrix.Translate(*anchor)
    matrix.preRotate(angle)
    matrix.preScale(cloth.scale, cloth.scale)
    repeat = skia.TileMode.kRepeat
    tile = skia.Rect.MakeWH(width, height)
    return picture.makeShader(repeat, repeat, skia.FilterMode.kLinear, matrix, tile)


def _smooth(cloth: Cloth) -> skia.Shader:
    low, high = HEIGHT * 0.16, HEIGHT * 0.86
    if cloth.pattern == "Ombre":
        light = (
            tone(cloth.base, 0.75)
            if lightness(cloth.base) < 0.75
            else mix(cloth.base, cloth.second, 0.7)
        )
        colours, stops = [cloth.base, cloth.base, light], [0.0, 0.25, 1.0]
    else:
        colours = [cloth.second, cloth.second, cloth.base, cloth.base, cloth.third, cloth.third]
        stops = [0.0, 0.24, 0.24, 0.62, 0.62, 1.0]
    points = [skia.Point(MIDDLE, low), skia.Point(MIDDLE, high)]
    return skia.GradientShader.MakeLinear(points, [ink(colour) for colour in colours], stops)
