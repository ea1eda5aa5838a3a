"""Outlines: smooth curves through a few points, mirrored about the middle of the picture.

Everything is drawn in a picture of 300 x 400 units. A point is ``(x, y)`` for a corner or
``(x, y, 1)`` where the line runs on smoothly; the third number is how wide the bend is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import skia

WIDTH, HEIGHT = 300, 400
MIDDLE = WIDTH / 2

Point = tuple[float, ...]
Points = Sequence[Point]


def _tangent(points: Points, place: int, closed: bool) -> tuple[float, float]:
    """Direction and speed of a curve through ``points[place]``; none at a corner."""
    point = points[place]
    inside = 0 < place < len(points) - 1
    if len(point) == 2 or not (closed or inside):
        return 0.0, 0.0
    before, after = points[place - 1], points[(place + 1) % len(points)]
    return (after[0] - before[0]) / 2 * point[2], (after[1] - before[1]) / 2 * point[2]


def spline(points: Points, *, closed: bool = False) -> skia.Path:
    """A curve through all points (Catmull-Rom, as cubic Bezier pieces)."""
    path = skia.Path()
    path.moveTo(*points[0][:2])
    for place in range(len(points) if closed else len(points) - 1):
        here, there = points[place], points[(place + 1) % len(points)]
        left = _tangent(points, place, closed)
        right = _tangent(points, (place + 1) % len(points), closed)
        limit = math.dist(here[:2], there[:2])  # no loops where neighbours are far away
        left, right = _shortened(left, limit), _shortened(right, limit)
        path.cubicTo(
            here[0] + left[0] / 3, here[1] + left[1] / 3,
            there[0] - right[0] / 3, there[1] - right[1] / 3,
            there[0], there[1],
        )  # fmt: skip
    if closed:
        path.close()
    return path


def _shortened(vector: tuple[float, float], limit: float) -> tuple[float, float]:
    length = math.hypot(*vector)
    share = min(1.0, 1.3 * limit / length) if length else 0.0
    return vector[0] * share, vector[1] * share


def shape(points: Points) -> skia.Path:
    """A closed outline through the points."""
    return spline(points, closed=True)


def flip(points: Points) -> list[Point]:
    """The same points on the other side of the picture."""
    return [(WIDTH - x, *rest) for x, *rest in points]


def half(points: Points) -> list[Point]:
    """Points given by their distance from the middle, on the left side of the picture."""
    return [(MIDDLE - x, *rest) for x, *rest in points]


def symmetric(points: Points) -> skia.Path:
    """A closed outline from its left half: distances from the middle, from top to bottom."""
    left = half(points)
    right = [point for point in reversed(flip(left)) if point[0] != MIDDLE]
    return shape(left + right)


def both(points: Points) -> list[list[Point]]:
    """A line on the left, given by distances from the middle, and the same on the right."""
    left = half(points)
    return [left, flip(left)]


def between(start: Point, end: Point, share: float) -> tuple[float, float]:
    """The point that divides a line."""
    return (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)


def oval(x: float, y: float, across: float, down: float) -> skia.Path:
    """An ellipse around a point, by its half axes."""
    path = skia.Path()
    path.addOval(skia.Rect.MakeLTRB(x - across, y - down, x + across, y + down))
    return path


def box(left: float, top: float, right: float, bottom: float, radius: float = 0) -> skia.Path:
    """A rectangle with round corners."""
    path = skia.Path()
    path.addRoundRect(skia.Rect.MakeLTRB(left, top, right, bottom), radius, radius)
    return path


def joined(first: skia.Path, second: skia.Path) -> skia.Path:
    """What either covers."""
    return skia.Op(first, second, skia.PathOp.kUnion_PathOp)


def common(first: skia.Path, second: skia.Path) -> skia.Path:
    """What both cover."""
    return skia.Op(first, second, skia.PathOp.kIntersect_PathOp)


def without(first: skia.Path, second: skia.Path) -> skia.Path:
    """What the first covers and the second does not."""
    return skia.Op(first, second, skia.PathOp.kDifference_PathOp)


def turned(path: skia.Path, angle: float, about: Point) -> skia.Path:
    """The path, turned by degrees about a point."""
    moved = skia.Path()
    path.transform(skia.Matrix().setRotate(angle, about[0], about[1]), moved)
    return moved


def band(points: Points, width: float | tuple[float, float]) -> skia.Path:
    """A strip along a line, for straps, bands and collars; its width may change on the way."""
    start, end = width if isinstance(width, tuple) else (width, width)
    left, right = [], []
    for place, (x, y, *rest) in enumerate(points):
        before = points[max(place - 1, 0)]
        after = points[min(place + 1, len(points) - 1)]
        along = math.hypot(after[0] - before[0], after[1] - before[1]) or 1.0
        size = (start + (end - start) * place / (len(points) - 1)) / 2 / along
        across = (-(after[1] - before[1]) * size, (after[0] - before[0]) * size)
        left.append((x + across[0], y + across[1], *rest))
        right.append((x - across[0], y - across[1], *rest))
    return shape(left + right[::-1])
