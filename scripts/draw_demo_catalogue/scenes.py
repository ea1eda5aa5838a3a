"""Places that are not a studio: walls, floors, a table, a street, and what a camera adds."""

from __future__ import annotations

import math
import random

import skia

from scripts.draw_demo_catalogue.colours import RGB, mix, tone
from scripts.draw_demo_catalogue.geometry import HEIGHT, MIDDLE, WIDTH, box, oval, shape
from scripts.draw_demo_catalogue.painter import blurred
from scripts.draw_demo_catalogue.prints import fill, ink, stroke

EVERYWHERE = skia.Rect.MakeWH(WIDTH, HEIGHT)


def fade(canvas: skia.Canvas, top: RGB, bottom: RGB, low: float = 0, high: float = HEIGHT) -> None:
    """Fill the picture between two heights from one colour to another."""
    points = [skia.Point(0, low), skia.Point(0, high)]
    paint = skia.Paint(Shader=skia.GradientShader.MakeLinear(points, [ink(top), ink(bottom)]))
    canvas.drawRect(skia.Rect.MakeLTRB(-20, low, WIDTH + 20, high), paint)


def grain(
    canvas: skia.Canvas,
    wide: float,
    high: float,
    strength: float,
    seed: int,
    dark: RGB = (30, 24, 20),
) -> None:
    """Uneven plaster, concrete or cloth; ``wide`` and ``high`` are how quickly it changes."""
    noise = skia.PerlinNoiseShader.MakeFractalNoise(wide, high, 3, seed)
    red, green, blue = (part / 255 for part in dark)
    table = [
        0,
        0,
        0,
        0,
        red,
        0,
        0,
        0,
        0,
        green,
        0,
        0,
        0,
        0,
        blue,
        2.4 * strength,
        0,
        0,
        0,
        -strength,
    ]
    shader = noise.makeWithColorFilter(skia.ColorFilters.Matrix(table))
    canvas.drawRect(EVERYWHERE, skia.Paint(Shader=shader))


def wall(canvas: skia.Canvas, colour: RGB, seed: int, *, rough: float = 0.3) -> None:
    """A painted wall, lit from the upper left."""
    fade(canvas, tone(colour, 0.12), tone(colour, -0.1))
    grain(canvas, 0.012, 0.014, rough * 0.7, seed)
    grain(canvas, 0.2, 0.2, rough * 0.35, seed + 1)
    light = skia.GradientShader.MakeRadial(
        skia.Point(70, 60), 330, [ink((255, 250, 236), 0.34), ink((255, 250, 236), 0.0)]
    )
    canvas.drawRect(EVERYWHERE, skia.Paint(Shader=light))


def planks(canvas: skia.Canvas, colour: RGB, dice: random.Random, *, across: float = 62) -> None:
    """A wooden floor from above: boards with grain, seams and knots."""
    canvas.save()
    canvas.rotate(-6, MIDDLE, HEIGHT / 2)
    for number in range(-1, 7):
        left = number * across
        shade = tone(colour, dice.uniform(-0.18, 0.14))
        canvas.drawRect(skia.Rect.MakeXYWH(left, -40, across, HEIGHT + 80), fill(shade))
        for _ in range(15):
            x, sway = left + dice.uniform(3, across - 3), dice.uniform(-3, 3)
            line = skia.Path()
            line.moveTo(x, -40)
            line.cubicTo(x + sway, 110, x - sway, 260, x + sway / 2, HEIGHT + 40)
            canvas.drawPath(
                line, stroke(tone(shade, dice.uniform(-0.4, 0.1)), dice.uniform(0.5, 1.4), 0.4)
            )
        canvas.drawRect(
            skia.Rect.MakeXYWH(left - 0.8, -40, 1.8, HEIGHT + 80), fill(tone(colour, -0.75), 0.85)
        )
        end = dice.uniform(0, HEIGHT)
        canvas.drawRect(skia.Rect.MakeXYWH(left, end, across, 1.4), fill(tone(colour, -0.7), 0.8))
    canvas.restore()
    grain(canvas, 0.05, 0.008, 0.3, 3)


def window_light(canvas: skia.Canvas, strength: float = 0.3) -> None:
    """Sun through a window, in two slanted fields."""
    for shift in (0, 132):
        field = shape(
            [(-60 + shift, 0), (40 + shift, 0), (190 + shift, HEIGHT), (70 + shift, HEIGHT)]
        )
        canvas.drawPath(field, blurred(fill((255, 236, 190), strength), 9))


def begin_blur(canvas: skia.Canvas, amount: float) -> None:
    """What follows is out of focus, until ``canvas.restore()``."""
    canvas.saveLayer(
        None, skia.Paint(ImageFilter=skia.ImageFilters.Blur(amount, amount, skia.TileMode.kClamp))
    )


def houses(canvas: skia.Canvas, dice: random.Random, walls: tuple[RGB, ...], ground: float) -> None:
    """A row of houses with windows, doors and an awning."""
    left = -30.0
    for colour in walls:
        wide = dice.uniform(84, 120)
        canvas.drawRect(skia.Rect.MakeLTRB(left, -10, left + wide, ground), fill(colour))
        canvas.drawRect(
            skia.Rect.MakeLTRB(left + wide - 5, -10, left + wide, ground), fill(tone(colour, -0.3))
        )
        for row in range(3):
            for column in range(2):
                x, y = left + 12 + column * wide / 2.1, 12 + row * 74
                glass = mix((92, 116, 140), (206, 216, 220), dice.random() * 0.6)
                canvas.drawRect(
                    skia.Rect.MakeXYWH(x - 3, y - 3, wide / 3.4 + 6, 50), fill(tone(colour, 0.5))
                )
                canvas.drawRect(skia.Rect.MakeXYWH(x, y, wide / 3.4, 44), fill(tone(glass, -0.25)))
                canvas.drawRect(
                    skia.Rect.MakeXYWH(x, y + 20, wide / 3.4, 2.4), fill(tone(colour, 0.5))
                )
        canvas.drawRect(
            skia.Rect.MakeXYWH(left + 8, ground - 66, wide - 18, 66), fill(tone(colour, -0.62))
        )
        canvas.drawRect(
            skia.Rect.MakeXYWH(left + 4, ground - 80, wide - 10, 16),
            fill(mix(colour, (190, 60, 50), 0.55)),
        )
        left += wide


def pavement(canvas: skia.Canvas, colour: RGB, top: float) -> None:
    """Slabs that run away from the camera."""
    fade(canvas, tone(colour, 0.08), tone(colour, -0.14), top)
    for number in range(-9, 10):
        start, end = (MIDDLE + number * 22, top), (MIDDLE + number * 92, HEIGHT)
        canvas.drawLine(*start, *end, stroke(tone(colour, -0.4), 1.1, 0.6))
    for number in range(1, 6):
        y = top + (HEIGHT - top) * (number / 5.4) ** 1.7
        canvas.drawLine(0, y, WIDTH, y, stroke(tone(colour, -0.4), 1.1, 0.6))


def trees(
    canvas: skia.Canvas, dice: random.Random, ground: float, colour: RGB = (74, 118, 62)
) -> None:
    """Trunks and foliage."""
    for x in (18, 92, 214, 286):
        canvas.drawPath(box(x - 5, 60, x + 5, ground, 2), fill((74, 58, 44)))
    for _ in range(120):
        x, y = dice.uniform(-20, WIDTH + 20), dice.gauss(66, 44)
        size = dice.uniform(8, 22)
        canvas.drawPath(
            oval(x, y, size, size * 0.8), fill(tone(colour, dice.uniform(-0.4, 0.35)), 0.75)
        )


def lights(canvas: skia.Canvas, dice: random.Random, count: int, top: float, bottom: float) -> None:
    """Lamps out of focus: pale discs."""
    for _ in range(count):
        x, y, size = dice.uniform(0, WIDTH), dice.uniform(top, bottom), dice.uniform(4, 11)
        colour = dice.choice([(255, 226, 160), (255, 244, 220), (240, 190, 120), (190, 220, 255)])
        canvas.drawPath(oval(x, y, size, size), fill(colour, dice.uniform(0.2, 0.5)))


def camera(
    canvas: skia.Canvas,
    seed: int,
    *,
    warmth: float = 0.0,
    noise: float = 0.22,
    corners: float = 0.4,
) -> None:
    """What a camera adds: a tint, darker corners, noise."""
    if warmth:
        tint = (255, 168, 70) if warmth > 0 else (90, 140, 255)
        paint = fill(tint, abs(warmth))
        paint.setBlendMode(skia.BlendMode.kSoftLight)
        canvas.drawRect(EVERYWHERE, paint)
    dark = skia.GradientShader.MakeRadial(
        skia.Point(MIDDLE, HEIGHT * 0.48), math.hypot(WIDTH, HEIGHT) * 0.54,
        [ink((0, 0, 0), 0), ink((0, 0, 0), 0), ink((0, 0, 0), corners)], [0, 0.55, 1],
    )  # fmt: skip
    canvas.drawRect(EVERYWHERE, skia.Paint(Shader=dark))
    grain(canvas, 0.85, 0.85, noise * 0.5, seed)
    grain(canvas, 0.85, 0.85, noise * 0.4, seed + 7, (255, 255, 255))
