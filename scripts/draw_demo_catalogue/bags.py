"""Handbags, clutches and backpacks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import skia

from scripts.draw_demo_catalogue.colours import tone
from scripts.draw_demo_catalogue.geometry import (
    MIDDLE,
    Points,
    band,
    both,
    box,
    half,
    oval,
    shape,
    spline,
    symmetric,
)  # fmt: skip
from scripts.draw_demo_catalogue.painter import Painter
from scripts.draw_demo_catalogue.patterns import Cloth
from scripts.draw_demo_catalogue.prints import stroke
from scripts.draw_demo_catalogue.shoes import leather
from scripts.draw_demo_catalogue.studio import Garment, floor_shadow

GOLD = (214, 184, 112)
SILVER = (200, 200, 204)


def dark(p: Painter) -> Cloth:
    return leather(p.cloth, tone(p.cloth.base, -0.14))


def edged(p: Painter, path: skia.Path, cloth: Cloth | None = None, *, depth: float = 1.0) -> None:
    """A panel of leather, stitched along its edge."""
    cloth = cloth or replace(p.cloth, feel="leather" if p.cloth.feel == "plain" else p.cloth.feel)
    p.piece(path, cloth, depth=depth, wrinkle=0.5)
    p.canvas.save()
    p.canvas.clipPath(path, skia.ClipOp.kIntersect, True)
    bounds = path.computeTightBounds()
    inset = 5.0
    p.canvas.translate(bounds.centerX(), bounds.centerY())
    p.canvas.scale(1 - 2 * inset / bounds.width(), 1 - 2 * inset / bounds.height())
    p.canvas.translate(-bounds.centerX(), -bounds.centerY())
    p.stitch(path)
    p.canvas.restore()


def draw_handle(p: Painter, points: Points, width: float = 8, *, behind: bool = False) -> None:
    """A round handle; the one behind lies in the shadow."""
    cloth = leather(p.cloth, tone(p.cloth.base, -0.4 if behind else -0.14))
    p.piece(band(points, width), cloth, depth=1.0, wrinkle=0)


def draw_tote(p: Painter) -> None:
    """An open shopper with two handles."""
    floor_shadow(p.canvas, 62, 238, 342)
    draw_handle(
        p, half([(46, 176), (40, 92, 1), (0, 66, 1), (-40, 92, 1), (-46, 176)]), 7, behind=True
    )
    p.piece(
        symmetric([(0, 152, 1), (92, 160), (92, 176), (0, 176)]),
        leather(p.cloth, tone(p.cloth.base, -0.45)),
    )
    bag = symmetric(
        [(0, 170, 1), (100, 164), (92, 250, 0.4), (84, 336, 0.5), (76, 344), (0, 346, 1)]
    )
    edged(p, bag)
    p.folds(
        [((76, 196), (112, 330)), ((220, 190), (196, 320)), ((150, 320), (90, 336))],
        9,
        0.4,
        within=bag,
    )
    draw_handle(p, half([(46, 196), (43, 104, 1), (0, 74, 1), (-43, 104, 1), (-46, 196)]), 7.5)
    for side in (-1, 1):
        x = MIDDLE + side * 46
        edged(p, box(x - 9, 184, x + 9, 214, 4), dark(p), depth=0.7)
        p.metal(oval(x, 186, 6, 4), GOLD, 2.2)
    p.piece(band([(106, 188), (100, 214, 1), (104, 236)], 3), dark(p))
    p.piece(shape([(96, 234), (112, 234), (114, 262), (94, 262)]), dark(p), depth=0.8)


def draw_satchel(p: Painter) -> None:
    """A stiff bag with a flap, a lock and a short handle."""
    floor_shadow(p.canvas, 44, 256, 332)
    draw_handle(p, half([(44, 152), (40, 104, 1), (0, 90, 1), (-40, 104, 1), (-44, 152)]), 10)
    bag = symmetric([(0, 142), (92, 144), (100, 152, 1), (108, 326, 0.3), (102, 334), (0, 336)])
    edged(p, bag)
    flap = symmetric(
        [(0, 138, 1), (94, 140), (101, 150, 1), (104, 214, 0.5), (80, 244, 1), (0, 250, 1)]
    )
    p.cast(flap, bag, 6, 0.9, (2, 6))
    edged(p, flap)
    for side in (-1, 1):
        x = MIDDLE + side * 44
        p.metal(box(x - 8, 144, x + 8, 156, 3), GOLD, 2.4)
    edged(p, box(MIDDLE - 17, 226, MIDDLE + 17, 266, 5), dark(p), depth=0.8)
    p.piece(box(MIDDLE - 9, 238, MIDDLE + 9, 256, 3), leather(p.cloth, GOLD), depth=1.2, wrinkle=0)
    p.fill(oval(MIDDLE, 247, 2.4, 3.4), (70, 54, 30))


def draw_shoulder_bag(p: Painter) -> None:
    """A quilted bag on a chain."""
    floor_shadow(p.canvas, 56, 244, 326)
    for line in (half([(86, 180), (70, 70, 1), (0, 36, 1), (-70, 70, 1), (-86, 180)]),):
        chain = stroke(tone(GOLD, -0.4), 5.6)
        chain.setPathEffect(skia.DashPathEffect.Make([5, 3.4], 0))
        p.canvas.drawPath(spline(line), chain)
        links = stroke(GOLD, 3.8)
        links.setPathEffect(skia.DashPathEffect.Make([5, 3.4], 0.2))
        p.canvas.drawPath(spline(line), links)
    bag = symmetric(
        [(0, 172, 1), (92, 176, 0.6), (100, 200, 0.8), (98, 314, 0.6), (86, 328), (0, 330, 1)]
    )
    edged(p, bag)
    flap = symmetric(
        [(0, 168, 1), (90, 172, 0.6), (99, 186, 0.8), (97, 256, 0.6), (84, 266), (0, 268, 1)]
    )
    p.cast(flap, bag, 5, 0.9, (2, 5))
    edged(p, flap)
    for panel in (bag, flap):
        p.canvas.save()
        p.canvas.clipPath(panel, skia.ClipOp.kIntersect, True)
        for step in range(-8, 20):
            for slant in (-1, 1):
                line = [
                    (MIDDLE + slant * (step * 20 - 170), 150),
                    (MIDDLE + slant * (step * 20 + 30), 350),
                ]
                p.line(line, 3, -0.5, 0.22, blur=1.6)
                p.line(line, 0.7, -0.5, 0.5)
        p.canvas.restore()
    p.metal(oval(MIDDLE - 7, 262, 9, 9), GOLD, 3)
    p.metal(oval(MIDDLE + 7, 262, 9, 9), GOLD, 3)


def draw_hobo(p: Painter) -> None:
    """A soft bag that sags in a half moon, on one broad strap."""
    floor_shadow(p.canvas, 66, 234, 336)
    strap = half([(92, 214), (66, 96, 1), (0, 58, 1), (-66, 96, 1), (-92, 214)])
    p.piece(band(strap, 15), dark(p), depth=1.0)
    bag = symmetric(
        [
            (0, 232, 1),
            (52, 222, 1),
            (88, 184, 0.8),
            (104, 188),
            (112, 236, 1),
            (96, 308, 1),
            (50, 338, 1),
            (0, 342, 1),
        ]
    )
    edged(p, bag)
    lines = [
        ((66, 200), (100, 300)),
        ((234, 200), (196, 296)),
        ((108, 236), (130, 330)),
        ((190, 238), (172, 326)),
        ((150, 240), (150, 312)),
    ]
    p.folds([((a, b), (c, d)) for (a, b), (c, d) in lines], 11, 0.7, within=bag)
    for part in both([(0, 236, 1), (52, 226, 1), (88, 190)]):
        p.line(spline(part), 3, -0.35, 0.9)
    p.zipper(half([(44, 228), (0, 236, 1), (-44, 228)]), GOLD, 2.2)
    for side in (-1, 1):
        p.metal(oval(MIDDLE + side * 96, 192, 10, 10), GOLD, 3.2)


def draw_bowling(p: Painter) -> None:
    """A rounded bag with a zip over the top and two handles."""
    floor_shadow(p.canvas, 46, 254, 336)
    draw_handle(
        p, half([(52, 210), (48, 118, 1), (0, 90, 1), (-48, 118, 1), (-52, 210)]), 8, behind=True
    )
    bag = symmetric(
        [(0, 154, 1), (70, 162, 1), (98, 200, 1), (112, 300, 0.8), (102, 336), (0, 338, 1)]
    )
    edged(p, bag)
    p.zipper(half([(78, 172), (0, 160, 1), (-78, 172)]), GOLD, 2.2)
    for side in (-1, 1):
        corner = shape(
            [
                (MIDDLE + side * 110, 284),
                (MIDDLE + side * 72, 300, 1),
                (MIDDLE + side * 64, 338),
                (MIDDLE + side * 104, 338),
            ]
        )
        edged(p, corner, dark(p), depth=0.7)
    for part in both([(52, 336), (52, 200)]):
        p.piece(band(part, 12), dark(p), depth=0.8)
    draw_handle(p, half([(52, 214), (50, 126, 1), (0, 98, 1), (-50, 126, 1), (-52, 214)]), 9)
    for side in (-1, 1):
        p.metal(oval(MIDDLE + side * 52, 208, 8, 8), GOLD, 2.8)


def draw_bucket(p: Painter) -> None:
    """A bucket bag, drawn together with a cord."""
    floor_shadow(p.canvas, 76, 224, 342)
    p.piece(band(half([(60, 170), (64, 90, 1), (0, 44, 1), (-64, 90, 1), (-60, 170)]), 7), dark(p))
    bag = symmetric(
        [
            (0, 150, 1),
            (40, 146, 1),
            (72, 156, 0.8),
            (66, 184, 0.6),
            (82, 260, 1),
            (82, 330, 0.6),
            (74, 344),
            (0, 347, 1),
        ]
    )
    edged(p, bag)
    p.folds(
        [((MIDDLE + x, 158), (MIDDLE + x * 1.1, 240)) for x in (-52, -34, -15, 6, 24, 40, 56)],
        7,
        0.8,
        within=bag,
    )
    for part in both([(0, 186, 1), (66, 180)]):
        p.line(spline(part), 3.4, -0.45, 1.0)
    base = symmetric([(0, 306, 1), (83, 302), (82, 332, 0.6), (74, 345), (0, 348, 1)])
    edged(p, base, dark(p), depth=0.8)
    for x, low in ((-7, 232), (8, 242)):
        p.line([(MIDDLE, 186), (MIDDLE + x, 214, 1), (MIDDLE + x, low)], 3, -0.45, 1.0)
        p.piece(
            shape(
                [
                    (MIDDLE + x - 4, low - 4),
                    (MIDDLE + x + 4, low - 4),
                    (MIDDLE + x + 6, low + 18),
                    (MIDDLE + x - 6, low + 18),
                ]
            ),
            dark(p),
        )


def draw_clutch(p: Painter, *, frame: bool = False) -> None:
    """A clutch: an envelope, or a pouch on a metal frame."""
    floor_shadow(p.canvas, 34, 266, 290)
    bag = symmetric(
        [(0, 140, 1), (112, 142, 0.4), (118, 150), (120, 280, 0.3), (114, 288), (0, 290)]
    )
    if frame:
        bag = symmetric(
            [(0, 158, 1), (80, 150, 1), (100, 166, 1), (120, 262, 1), (96, 288, 1), (0, 290, 1)]
        )
    edged(p, bag)
    if frame:
        p.folds(
            [((MIDDLE + x, 164), (MIDDLE + x * 1.2, 276)) for x in (-70, -42, -14, 16, 44, 70)],
            10,
            0.7,
            within=bag,
        )
        p.metal(
            spline(half([(100, 166), (80, 150, 1), (0, 156, 1), (-80, 150, 1), (-100, 166)])),
            GOLD,
            6,
        )
        for x in (-5, 5):
            p.metal(oval(MIDDLE + x, 147, 4.5, 4.5), GOLD, 4)
        return
    flap = symmetric([(0, 138, 1), (113, 140), (118, 150), (10, 236, 0.6), (0, 240, 0.6)])
    p.cast(flap, bag, 5, 0.9, (1, 5))
    edged(p, flap)
    p.metal(oval(MIDDLE, 226, 6, 6), GOLD, 3.4)


def draw_backpack(p: Painter, *, flap: bool = False) -> None:
    """A school backpack with zips and a front pocket, or a rucksack with a flap and buckles."""
    floor_shadow(p.canvas, 66, 234, 354)
    for side in (-1, 1):
        strap = [
            (MIDDLE + side * 52, 92),
            (MIDDLE + side * 104, 150, 1),
            (MIDDLE + side * 104, 260, 1),
            (MIDDLE + side * 78, 334),
        ]
        p.piece(band(strap, (17, 10)), p.cloth.plain(tone(p.cloth.base, -0.3)), depth=1.0)
    p.piece(
        band(half([(16, 74), (14, 50, 1), (0, 44, 1), (-14, 50, 1), (-16, 74)]), 6),
        p.cloth.plain(tone(p.cloth.base, -0.3)),
    )
    bag = symmetric(
        [
            (0, 62, 1),
            (50, 70, 1),
            (82, 112, 1),
            (90, 240, 1),
            (88, 340, 0.5),
            (76, 354),
            (0, 356, 1),
        ]
    )
    p.piece(bag, depth=1.2)
    (_flap if flap else _zips)(p, bag)


def _zips(p: Painter, bag: skia.Path) -> None:
    tape = p.cloth.base
    p.line(
        spline(
            half(
                [
                    (80, 240),
                    (76, 130, 1),
                    (44, 86, 1),
                    (0, 80, 1),
                    (-44, 86, 1),
                    (-76, 130, 1),
                    (-80, 240),
                ]
            )
        ),
        6,
        -0.5,
        0.9,
    )
    p.zipper(
        half(
            [
                (80, 240),
                (76, 130, 1),
                (44, 86, 1),
                (0, 80, 1),
                (-44, 86, 1),
                (-76, 130, 1),
                (-80, 240),
            ]
        ),
        SILVER,
        2,
    )
    pocket = symmetric(
        [(0, 214, 1), (54, 216, 0.8), (68, 234, 0.8), (70, 334, 0.5), (60, 342), (0, 344)]
    )
    p.cast(pocket, bag, 6, 0.8)
    p.piece(pocket, depth=1.1)
    p.zipper(half([(58, 238), (0, 230, 1), (-58, 238)]), SILVER, 2.2)
    p.piece(
        box(MIDDLE - 20, 268, MIDDLE + 20, 292, 3), leather(p.cloth, tone(tape, -0.35)), depth=0.5
    )
    p.piece(
        box(MIDDLE - 16, 118, MIDDLE + 16, 142, 4), leather(p.cloth, tone(tape, -0.35)), depth=0.6
    )


def _flap(p: Painter, bag: skia.Path) -> None:
    hide = leather(p.cloth, (150, 96, 56))
    for side in (-1, 1):
        pocket = box(MIDDLE + side * 78 - 20, 230, MIDDLE + side * 78 + 20, 330, 8)
        p.piece(pocket, depth=1.1)
    p.piece(box(MIDDLE - 56, 226, MIDDLE + 56, 336, 8), depth=0.9)
    cover = symmetric(
        [(0, 60, 1), (52, 68, 1), (84, 112, 1), (86, 184, 0.6), (70, 206), (0, 212, 1)]
    )
    p.cast(cover, bag, 7, 1.0, (1, 7))
    p.piece(cover, depth=1.1)
    for side in (-1, 1):
        x = MIDDLE + side * 34
        p.piece(band([(x, 128), (x, 272)], 11), hide, depth=0.8)
        p.metal(box(x - 9, 226, x + 9, 246, 3), GOLD, 2.4)


HANDBAGS: dict[str, Garment] = {
    "Tote": draw_tote,
    "Satchel": draw_satchel,
    "Chain bag": draw_shoulder_bag,
    "Hobo": draw_hobo,
    "Bowling bag": draw_bowling,
    "Bucket": draw_bucket,
}
CLUTCHES: dict[str, Garment] = {"Envelope": draw_clutch, "Frame": partial(draw_clutch, frame=True)}
BACKPACKS: dict[str, Garment] = {
    "School": draw_backpack,
    "Rucksack": partial(draw_backpack, flap=True),
}
