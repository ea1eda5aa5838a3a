"""Prints: patterns of many motifs strewn over a tile so that its edges do not show."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import skia

from scripts.draw_demo_catalogue.colours import RGB, lightness, mix, tone
from scripts.draw_demo_catalogue.geometry import Point, shape


@dataclass(frozen=True)
class Inks:
    """The cloth's colour and the two that are printed on it."""

    base: RGB
    second: RGB
    third: RGB


def ink(colour: RGB, strength: float = 1.0) -> int:
    """A colour as the renderer wants it."""
    return int(skia.ColorSetARGB(round(255 * min(max(strength, 0), 1)), *colour))


def fill(colour: RGB, strength: float = 1.0) -> skia.Paint:
    return skia.Paint(Color=ink(colour, strength), AntiAlias=True)


def stroke(colour: RGB, width: float, strength: float = 1.0) -> skia.Paint:
    return skia.Paint(
        Color=ink(colour, strength),
        AntiAlias=True,
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=width,
        StrokeCap=skia.Paint.kRound_Cap,
        StrokeJoin=skia.Paint.kRound_Join,
    )


def strew(
    canvas: skia.Canvas, size: float, places: list[Point], motif: Callable[[int], None]
) -> None:
    """Draw a motif at each place, and again where it reaches over the edge of the tile."""
    for number, (x, y) in enumerate(places):
        for across in (-size, 0, size):
            for down in (-size, 0, size):
                canvas.save()
                canvas.translate(x + across, y + down)
                motif(number)
                canvas.restore()


def scatter(dice: random.Random, count: int, size: float) -> list[Point]:
    """Places that keep their distance from each other, also over the edges of the tile."""
    places: list[Point] = []
    for _ in range(count):
        tries = [(dice.uniform(0, size), dice.uniform(0, size)) for _ in range(24)]
        places.append(max(tries, key=lambda place: _room(place, places, size)))
    return places


def _room(place: Point, others: list[Point], size: float) -> float:
    distances = [
        math.hypot(*(min(abs(a - b), size - abs(a - b)) for a, b in zip(place, other, strict=True)))
        for other in others
    ]
    return min(distances, default=0.0)


def blob(dice: random.Random, radius: float, *, rough: float = 0.35, corners: int = 8) -> skia.Path:
    """A rounded spot of no particular form."""
    points = []
    for corner in range(corners):
        angle = 2 * math.pi * corner / corners
        far = radius * dice.uniform(1 - rough, 1 + rough)
        points.append((far * math.cos(angle), far * math.sin(angle), 1))
    return shape(points)


def leaf(length: float, width: float) -> skia.Path:
    """A leaf that grows to the right from the point it is drawn at."""
    return shape([(0, 0), (length * 0.45, -width, 1), (length, 0), (length * 0.45, width, 1)])


def floral(canvas: skia.Canvas, inks: Inks, dice: random.Random) -> None:
    """Flowers of two sizes with leaves between them."""
    canvas.clear(ink(inks.base))
    green = mix((70, 120, 70), inks.base, 0.25)
    leaves = scatter(dice, 14, 84)
    angles = [dice.uniform(0, 360) for _ in range(40)]

    def draw_leaf(number: int) -> None:
        canvas.rotate(angles[number])
        canvas.drawPath(leaf(15, 3.6), fill(green))
        canvas.rotate(58)
        canvas.drawPath(leaf(11, 3), fill(tone(green, 0.2)))

    def draw_flower(number: int) -> None:
        size = (1.0, 0.62, 0.78)[number % 3]
        colour = (inks.second, mix(inks.second, inks.third, 0.5), inks.third)[number % 3]
        canvas.scale(size, size)
        canvas.rotate(angles[number + 14])
        for petal in range(5):
            canvas.save()
            canvas.rotate(72 * petal)
            canvas.drawOval(skia.Rect.MakeLTRB(1, -5.4, 14, 5.4), fill(colour))
            canvas.drawLine(2, 0, 9, 0, stroke(tone(colour, -0.25), 1, 0.6))
            canvas.restore()
        canvas.drawCircle(0, 0, 3.6, fill((240, 196, 70)))
        canvas.drawCircle(0, 0, 1.6, fill((170, 110, 40)))

    strew(canvas, 84, leaves, draw_leaf)
    strew(canvas, 84, scatter(dice, 9, 84), draw_flower)


def leaves(canvas: skia.Canvas, inks: Inks, dice: random.Random) -> None:
    """Large palm leaves."""
    canvas.clear(ink(inks.base))
    angles = [dice.uniform(0, 360) for _ in range(12)]
    light = lightness(inks.base) < 0.5
    colours = [
        mix((96, 168, 110), inks.base, 0.15) if light else mix((40, 110, 84), inks.base, 0.15),
        mix(inks.second, inks.base, 0.25),
        mix((46, 120, 96), inks.base, 0.2),
    ]

    def draw(number: int) -> None:
        canvas.rotate(angles[number])
        colour = colours[number % 3]
        for step in range(7):
            for side in (-1, 1):
                canvas.save()
                canvas.translate(-18 + 5.5 * step, 0)
                canvas.rotate(side * (62 - 5 * step))
                canvas.drawPath(leaf(18 - 1.2 * step, 2.4), fill(colour))
                canvas.restore()
        canvas.drawLine(-24, 0, 24, 0, stroke(tone(colour, -0.2), 1.2))

    strew(canvas, 90, scatter(dice, 8, 90), draw)


def camouflage(canvas: skia.Canvas, inks: Inks, dice: random.Random) -> None:
    """Blotches of three shades of the cloth's own colour."""
    canvas.clear(ink(inks.base))
    shades = [tone(inks.base, -0.5), tone(inks.base, 0.38), mix(inks.base, (96, 74, 48), 0.65)]
    for shade in shades:
        blobs = [blob(dice, dice.uniform(10, 17), rough=0.6, corners=9) for _ in range(9)]

        def draw(number: int, blobs: list[skia.Path] = blobs, shade: RGB = shade) -> None:
            canvas.scale(1.5, 0.8)
            canvas.drawPath(blobs[number], fill(shade))

        strew(canvas, 110, scatter(dice, 9, 110), draw)


def leopard(canvas: skia.Canvas, inks: Inks, dice: random.Random) -> None:
    """Rosettes: open dark rings around a spot."""
    canvas.clear(ink(inks.base))
    dark = tone(inks.base, -0.82) if lightness(inks.base) > 0.25 else tone(inks.base, 0.55)
    spot = mix(inks.base, dark, 0.32)
    rings = [blob(dice, dice.uniform(3.6, 5.4)) for _ in range(22)]
    turns = [dice.uniform(0, 360) for _ in range(22)]

    def draw(number: int) -> None:
        canvas.drawPath(rings[number], fill(spot))
        outline = stroke(dark, 2.8)
        outline.setPathEffect(skia.DashPathEffect.Make([8, 4.5], turns[number]))
        canvas.drawPath(rings[number], outline)

    strew(canvas, 70, scatter(dice, 22, 70), draw)


def zebra(canvas: skia.Canvas, inks: Inks, dice: random.Random) -> None:
    """Wavy stripes that swell and thin out."""
    canvas.clear(ink(inks.base))
    for row in range(5):
        y = 12 * row + 3
        top, bottom = [], []
        swell = [dice.uniform(1.5, 4.2) for _ in range(6)]
        for step in range(7):
            x, wave = 15 * step, 4 * math.sin(2 * math.pi * step / 6 + row)
            top.append((x, y + wave - swell[step % 6], 1))
            bottom.append((x, y + wave + swell[(step + 2) % 6] * 0.7, 1))
        canvas.drawPath(shape(top + bottom[::-1]), fill(inks.second))


def paisley(canvas: skia.Canvas, inks: Inks, dice: random.Random) -> None:
    """Curved drops with a dot and a rim."""
    canvas.clear(ink(inks.base))
    drop = shape([(0, 10, 1), (9, 3, 1), (5, -7, 1), (-6, -15, 1), (-3, -6, 1), (-9, 3, 1)])
    turns = [dice.uniform(0, 360) for _ in range(8)]

    def draw(number: int) -> None:
        canvas.rotate(turns[number])
        canvas.drawPath(drop, fill((inks.second, inks.third)[number % 2]))
        canvas.drawPath(drop, stroke(tone(inks.base, 0.5), 0.9))
        canvas.drawCircle(0, 2, 4, stroke(inks.base, 1.1))
        canvas.drawCircle(0, 2, 1.6, fill(inks.base))

    strew(canvas, 60, scatter(dice, 7, 60), draw)
    strew(
        canvas, 60, scatter(dice, 10, 60), lambda _: canvas.drawCircle(0, 0, 1.1, fill(inks.second))
    )
