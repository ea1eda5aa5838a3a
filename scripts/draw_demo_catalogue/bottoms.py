"""Jeans, trousers, shorts, track pants and leggings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import skia

from scripts.draw_demo_catalogue.colours import RGB, tone
from scripts.draw_demo_catalogue.geometry import (
    MIDDLE,
    Point,
    band,
    both,
    flip,
    half,
    oval,
    shape,
    spline,
    symmetric,
)  # fmt: skip
from scripts.draw_demo_catalogue.painter import Painter, blurred
from scripts.draw_demo_catalogue.prints import fill
from scripts.draw_demo_catalogue.studio import Garment

TOP = 34.0
THREAD = (210, 152, 84)


@dataclass(frozen=True)
class Legs:
    """Measures of trousers: half widths from the middle, heights from the top of the picture."""

    waist: float = 54
    hip: float = 70
    knee: tuple[float, float] = (16, 66)
    cuff: tuple[float, float] = (22, 62)
    length: float = 382
    crotch: float = 142

    @property
    def knee_height(self) -> float:
        return self.crotch + (self.length - self.crotch) * 0.42


def leg_points(legs: Legs) -> list[Point]:
    """The left leg, from the waist to the cuff and back to the crotch."""
    return half([
        (0, TOP + 4, 1), (legs.waist, TOP), (legs.hip, legs.crotch - 26, 1), (legs.knee[1],
        legs.knee_height, 1),
        (legs.cuff[1], legs.length), ((legs.cuff[0] + legs.cuff[1]) / 2, legs.length + 3, 1),
        (legs.cuff[0], legs.length),
        (legs.knee[0], legs.knee_height, 1), (1.0, legs.crotch + 4), (0, legs.crotch - 10),
    ])  # fmt: skip


def draw_legs(p: Painter, legs: Legs, crease: bool = False) -> list[skia.Path]:
    """Both legs with the folds at crotch, knee and cuff."""
    p.piece(oval(MIDDLE, TOP + 2, legs.waist - 2, 6), shade=0.9, wrinkle=0.3)
    paths = []
    left = leg_points(legs)
    lean = (legs.cuff[0] + legs.cuff[1] - legs.hip) / 2 * 0.16
    for side, points in ((1, flip(left)), (-1, left)):
        path = shape(points)
        p.piece(path, angle=-side * lean, anchor=(MIDDLE, TOP))
        _leg_folds(p, legs, path, side)
        if crease:
            x = MIDDLE + side * (legs.cuff[0] + legs.cuff[1]) / 2
            line = [
                (MIDDLE + side * legs.waist * 0.62, TOP + 60),
                (x, legs.knee_height, 0.5),
                (x, legs.length),
            ]
            p.line([(a + 1.5, b, *rest) for a, b, *rest in line], 4, -0.5, 0.3, blur=1.6)
            p.line(line, 0.9, 0.5, 0.5)
        paths.append(path)
    p.seam([(MIDDLE, TOP + 16), (MIDDLE, legs.crotch + 2)])
    return paths


def _leg_folds(p: Painter, legs: Legs, path: skia.Path, side: int) -> None:
    def at(x: float, y: float) -> Point:
        return (MIDDLE + side * x, y)

    crotch, knee, low = legs.crotch, legs.knee_height, legs.length
    inner, outer = legs.knee
    lines = [
        (at(2, crotch), at(legs.hip * 0.6, crotch - 22)), (at(3, crotch + 8),
        at(legs.hip * 0.66, crotch + 6)),
        (at(6, crotch + 20), at(legs.hip * 0.55, crotch + 40)),
    ]  # fmt: skip
    if low > 280:
        lines += [
            (at(inner + 2, knee - 14), at(outer - 10, knee - 4)), (at(outer - 2, knee + 6),
            at(inner + 12, knee + 16)),
            (at(inner + 2, knee + 28), at(outer - 14, knee + 22)),
            (at(legs.cuff[0], low - 14), at(legs.cuff[1] - 8, low - 20)), (at(legs.cuff[1],
            low - 30), at(legs.cuff[0] + 10, low - 36)),
        ]  # fmt: skip
    lines.append((at((inner + outer) / 2 + 6, crotch + 50), at(sum(legs.cuff) / 2 + 4, low - 30)))
    p.folds(lines, 6.5, 0.55, within=path)


def draw_waistband(
    p: Painter, legs: Legs, *, elastic: bool = False, loops: bool = True, button: RGB | None = None
) -> None:
    """The band at the waist: with loops and a button, or gathered on elastic."""
    strip = symmetric(
        [(0, TOP + 3, 1), (legs.waist + 0.5, TOP - 2), (legs.waist + 3, TOP + 15), (0, TOP + 20, 1)]
    )
    cloth = replace(p.cloth.plain(), feel="ribbed") if elastic else p.cloth
    p.piece(strip, cloth, depth=0.7, wrinkle=0.3, anchor=(MIDDLE, TOP))
    if elastic:
        return
    for line in both([(0, TOP + 17.5, 1), (legs.waist + 2, TOP + 13)]):
        p.stitch(line, THREAD if button else None)
    for x in (
        (-legs.waist * 0.8, -legs.waist * 0.42, legs.waist * 0.42, legs.waist * 0.8)
        if loops
        else ()
    ):
        p.piece(band([(MIDDLE + x, TOP), (MIDDLE + x, TOP + 21)], 5), depth=0.6, wrinkle=0)
    p.button(MIDDLE + 1, TOP + 11, 3, button)


def draw_fly(p: Painter, legs: Legs, thread: RGB | None) -> None:
    p.stitch(
        [
            (MIDDLE + 11, TOP + 20),
            (MIDDLE + 11, legs.crotch - 36, 0.6),
            (MIDDLE + 1, legs.crotch - 18),
        ],
        thread,
    )
    p.stitch([(MIDDLE + 1.8, legs.crotch - 18), (MIDDLE + 1.8, legs.crotch)], thread)


def draw_jeans(p: Painter, legs: Legs, *, faded: bool = True, ripped: bool = False) -> None:
    """Five-pocket jeans with faded thighs and orange stitching."""
    paths = draw_legs(p, legs)
    for side, path in zip((1, -1), paths, strict=True):
        if faded:
            _fade(p, legs, path, side)
        if ripped:
            _rip(p, MIDDLE + side * sum(legs.knee) / 2, legs.knee_height + 4 * side)
            _rip(p, MIDDLE + side * (sum(legs.knee) / 2 + 4), legs.crotch + 48 - 10 * side)
    thread = THREAD
    for side, line in zip(
        (-1, 1),
        both(
            [
                (legs.waist * 0.46, TOP + 18),
                (legs.waist * 0.62, TOP + 38, 1),
                (legs.hip * 0.93, TOP + 48),
            ]
        ),
        strict=True,
    ):
        p.seam(line)
        p.stitch([(x - side * 1.0, y + 2.6, *rest) for x, y, *rest in line], thread)
    for line in both(
        [
            (legs.hip - 3, TOP + 50),
            (legs.hip - 3, legs.crotch, 1),
            (legs.knee[1] - 4, legs.knee_height - 20),
        ]
    ):
        p.stitch(line)
    for line in both([(legs.cuff[0], legs.length - 7), (legs.cuff[1], legs.length - 7)]):
        p.stitch(line, thread)
    draw_fly(p, legs, thread)
    draw_waistband(p, legs, button=(186, 146, 100))


def _fade(p: Painter, legs: Legs, path: skia.Path, side: int) -> None:
    """Worn, paler cloth down the front of the leg."""
    p.canvas.save()
    p.canvas.clipPath(path, skia.ClipOp.kIntersect, True)
    x = MIDDLE + side * (legs.knee[0] + legs.knee[1]) / 2
    for y, high, strength in ((legs.crotch + 24, 70, 0.34), (legs.knee_height + 60, 60, 0.2)):
        spot = oval(x, y, (legs.knee[1] - legs.knee[0]) * 0.24, high)
        p.canvas.drawPath(spot, blurred(fill((255, 255, 255), strength), 9))
    for number in range(4):
        y = legs.crotch - 14 + 7 * number
        p.line([(x - 12, y + 3), (x, y, 1), (x + 14, y - 3)], 1.8, 0.7, 0.35, blur=1.4)
    p.canvas.restore()


def _rip(p: Painter, x: float, y: float) -> None:
    """A hole with white threads across."""
    hole = shape(
        [(x - 19, y), (x - 5, y - 10, 1), (x + 18, y - 6), (x + 13, y + 9, 1), (x - 8, y + 11, 1)]
    )
    p.line(hole, 3.4, 0.8, 0.9)
    p.fill(hole, tone(p.cloth.base, -0.65))
    for step in range(5):
        p.line(
            [(x - 17 + step, y - 6 + 3.4 * step), (x + 16 - step, y - 6 + 3.4 * step)],
            1.1,
            0.9,
            0.95,
        )


def draw_trousers(
    p: Painter,
    legs: Legs,
    *,
    crease: bool = True,
    cargo: bool = False,
    turn_up: bool = False,
    pleats: bool = False,
) -> None:
    """Trousers with slanted pockets; pressed, pleated, turned up or with cargo pockets."""
    draw_legs(p, legs, crease)
    for line in both([(legs.waist * 0.66, TOP + 18), (legs.hip - 4, TOP + 66)]):
        p.seam(line)
    if pleats:
        for side in (-1, 1):
            p.fold((MIDDLE + side * 24, TOP + 18), (MIDDLE + side * 30, TOP + 90), 6, 0.9)
    if cargo:
        for side in (-1, 1):
            _cargo_pocket(p, MIDDLE + side * (legs.knee[1] - 12), legs.knee_height - 44)
    if turn_up:
        for side in (-1, 1):
            inner, outer = MIDDLE + side * (legs.cuff[0] - 2), MIDDLE + side * (legs.cuff[1] + 2)
            y = legs.length
            p.piece(
                shape([(inner, y - 15), (outer, y - 15), (outer, y + 3), (inner, y + 3)]),
                depth=0.6,
                anchor=(MIDDLE, TOP),
            )
    draw_fly(p, legs, None)
    draw_waistband(p, legs)


def _cargo_pocket(p: Painter, x: float, y: float) -> None:
    p.piece(shape([(x - 15, y), (x + 15, y), (x + 15, y + 42), (x - 15, y + 42)]), depth=0.6)
    p.piece(shape([(x - 16, y - 5), (x + 16, y - 5), (x + 16, y + 9), (x - 16, y + 9)]), depth=0.7)
    p.button(x, y + 4, 2.2)


def draw_sporty(
    p: Painter, legs: Legs, *, ribbed: bool = True, stripe: bool = True, cord: bool = True
) -> None:
    """Track pants and running shorts: elastic waist, cord, stripes down the side."""
    paths = draw_legs(p, legs)
    if stripe:
        for side, path in zip((1, -1), paths, strict=True):
            p.canvas.save()
            p.canvas.clipPath(path, skia.ClipOp.kIntersect, True)
            for inset in (5, 11):
                line = [(MIDDLE + side * (legs.waist - inset), TOP),
                        (MIDDLE + side * (legs.hip - inset), legs.crotch - 26, 1),
                        (MIDDLE + side * (legs.knee[1] - inset), legs.knee_height, 1),
                        (MIDDLE + side * (legs.cuff[1] - inset), legs.length + 4)]  # fmt: skip
                p.canvas.drawPath(band(line, 3), fill(p.cloth.second, 0.92))
            p.canvas.restore()
    for line in both([(legs.waist * 0.7, TOP + 20), (legs.hip - 8, TOP + 68)]):
        p.seam(line)
    for side in (-1, 1) if ribbed else ():
        inner, outer, y = (
            MIDDLE + side * (legs.cuff[0] + 2),
            MIDDLE + side * (legs.cuff[1] - 2),
            legs.length,
        )
        p.piece(shape([(inner, y - 16), (outer, y - 16), (outer - side * 3, y + 3),
                (inner + side * 3, y + 3)]),
                replace(p.cloth.plain(), feel="ribbed"), depth=0.8)  # fmt: skip
    draw_waistband(p, legs, elastic=True)
    for side in (-1, 1) if cord else ():
        line = spline(
            [
                (MIDDLE + side * 3, TOP + 12),
                (MIDDLE + side * 9, TOP + 32, 1),
                (MIDDLE + side * 7, TOP + 54),
            ]
        )
        p.line(line, 2.6, -0.5, 0.8)
        p.line(line, 1.7, 0.8, 1.0)


def draw_leggings(p: Painter, legs: Legs) -> None:
    draw_legs(p, legs)
    strip = symmetric(
        [(0, TOP + 1, 1), (legs.waist, TOP - 3), (legs.waist + 6, TOP + 26), (0, TOP + 32, 1)]
    )
    p.piece(strip, depth=0.8, wrinkle=0.2, anchor=(MIDDLE, TOP))
    for line in both(
        [
            (legs.knee[0] + 1, legs.knee_height + 30),
            (legs.knee[1] - 6, legs.knee_height - 60, 1),
            (legs.hip - 4, 84),
        ]
    ):
        p.seam(line)


SKINNY = Legs(52, 65, (17, 53), (24, 50))
STRAIGHT = Legs(54, 69, (14, 63), (18, 62))
WIDE = Legs(52, 72, (6, 84), (6, 98), 378)
FLARE = Legs(52, 66, (18, 54), (10, 78), 384)
SHORT = Legs(58, 76, (8, 82), (9, 84), 236, 152)
LONG_SHORT = Legs(56, 74, (10, 78), (12, 78), 272, 148)

JEANS: dict[str, Garment] = {
    "Skinny": partial(draw_jeans, legs=SKINNY),
    "Straight": partial(draw_jeans, legs=STRAIGHT),
    "Wide leg": partial(draw_jeans, legs=WIDE),
    "Flared": partial(draw_jeans, legs=FLARE),
    "Ripped": partial(draw_jeans, legs=Legs(54, 69, (15, 62), (19, 58), 368), ripped=True),
}
TROUSERS: dict[str, Garment] = {
    "Slim": partial(draw_trousers, legs=SKINNY),
    "Straight": partial(draw_trousers, legs=STRAIGHT),
    "Wide leg": partial(draw_trousers, legs=WIDE, pleats=True),
    "Cargo": partial(draw_trousers, legs=STRAIGHT, crease=False, cargo=True),
    "Turn-up": partial(
        draw_trousers, legs=Legs(54, 72, (12, 68), (16, 66), 344), turn_up=True, pleats=True
    ),
}
SHORTS: dict[str, Garment] = {
    "Chino": partial(draw_trousers, legs=SHORT, crease=False, turn_up=True),
    "Denim": partial(draw_jeans, legs=SHORT),
    "Running": partial(draw_sporty, legs=Legs(58, 76, (8, 86), (8, 90), 212, 150), ribbed=False),
    "Swim": partial(draw_sporty, legs=SHORT, ribbed=False, stripe=False),
    "Bermuda": partial(draw_trousers, legs=LONG_SHORT, crease=False),
}
TRACK_PANTS: dict[str, Garment] = {
    "Jogger": partial(draw_sporty, legs=Legs(54, 70, (16, 62), (24, 54)), stripe=False),
    "Side stripe": partial(draw_sporty, legs=STRAIGHT, ribbed=False),
    "Cuffed stripe": partial(draw_sporty, legs=Legs(54, 70, (16, 62), (24, 54))),
}
LEGGINGS: dict[str, Garment] = {
    "Full length": partial(draw_leggings, legs=Legs(46, 59, (15, 44), (20, 37))),
    "Capri": partial(draw_leggings, legs=Legs(48, 61, (15, 47), (18, 42), 304)),
}
