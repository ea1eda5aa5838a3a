"""Jackets, blazers and waistcoats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import skia

from scripts.draw_demo_catalogue.colours import tone
from scripts.draw_demo_catalogue.geometry import (
    MIDDLE,
    Point,
    band,
    both,
    common,
    flip,
    half,
    shape,
    symmetric,
)  # fmt: skip
from scripts.draw_demo_catalogue.painter import Painter
from scripts.draw_demo_catalogue.shirts import draw_collar, draw_pocket
from scripts.draw_demo_catalogue.studio import Garment
from scripts.draw_demo_catalogue.tops import (
    SHOULDER_TOP,
    Body,
    draw_back,
    draw_body,
    draw_hem,
    draw_neck_rib,
    draw_sleeves,
    sleeve_points,
)  # fmt: skip


def draw_lining(p: Painter, low: float = 210) -> None:
    """The inside of the back, seen where the front is open."""
    lining = p.cloth.plain(tone(p.cloth.base, -0.3))
    inside = symmetric([(0, 56, 1), (20, 54, 1), (36, 50), (36, 90), (22, low), (0, low)])
    p.piece(inside, replace(lining, feel="satin"), shade=0.75, depth=0.6)
    p.fill(shape([(140, 66), (160, 66), (160, 75), (140, 75)]), (236, 232, 222))


def draw_lapels(
    p: Painter,
    within: skia.Path,
    low: float,
    *,
    wide: float = 33,
    notch: float = 112,
    peaked: bool = False,
) -> None:
    """The collar and the turned-back fronts of a blazer or coat."""
    left = half([(0, low), (13, low - 50, 0.6), (29, 84, 0.8), (37, 52), (46, 62),
            (wide + 16, notch - 14),
                 (wide + (12 if peaked else 9), notch + (-8 if peaked else 4)),
                 (wide + 8, notch + 10, 0.8), (22, low - 36, 0.7)])  # fmt: skip
    collar = half(
        [
            (29, 86, 0.8),
            (34, 48),
            (40, 47, 1),
            (50, 66, 0.7),
            (wide + 17, notch - 13),
            (wide + 4, notch - 2),
        ]
    )
    back = symmetric([(0, 52, 1), (22, 49, 1), (35, 46), (40, 60), (22, 65, 1), (0, 67, 1)])
    p.piece(back, depth=0.6, wrinkle=0.3)
    for mirror in (False, True):
        for points, angle in ((left, 16), (collar, 40)):
            path = shape(flip(points) if mirror else points)
            p.cast(path, within, 4, 0.85)
            p.piece(path, angle=-angle if mirror else angle, depth=0.75, wrinkle=0.4)


def open_front(p: Painter, body: Body, low: float) -> skia.Path:
    """The body with the opening cut out down to ``low``."""
    draw_lining(p, max(low + 4, 214))
    return draw_body(p, replace(body, neck="Open"))


def draw_welt(p: Painter, start: Point, end: Point, *, flap: bool = False) -> None:
    """A slit pocket with its lip, or with a flap."""
    p.seam([start, end])
    high = 13 if flap else 4
    lip = shape([start, end, (end[0], end[1] + high), (start[0], start[1] + high)])
    p.piece(lip, depth=0.5, wrinkle=0.2, anchor=(MIDDLE, SHOULDER_TOP))


def draw_blazer(
    p: Painter, body: Body, *, buttons: int = 2, double: bool = False, peaked: bool = False
) -> None:
    """A blazer, single- or double-breasted."""
    low = 208 if not double else 190
    draw_sleeves(p, body, cuff="none")
    body = replace(body, tail=8)
    path = open_front(p, body, low)
    bottom = body.length + 3
    offset = 14 if double else 3
    p.fold((MIDDLE + offset + 3, low), (MIDDLE + offset + 6, bottom), 6, 0.8, within=path)
    p.seam(
        [(MIDDLE + offset, low - 4), (MIDDLE + offset + 1, bottom - 24, 1), (MIDDLE - 8, bottom)]
    )
    for side in (-1, 1):
        p.seam([(MIDDLE + side * 40, 158), (MIDDLE + side * 36, 236)])
        x = MIDDLE + side * 46
        draw_welt(p, (x - 19, 262 - side), (x + 19, 262 + side), flap=True)
    draw_welt(p, (MIDDLE + 28, 146), (MIDDLE + 56, 142))
    draw_lapels(p, path, low, peaked=peaked)
    horn = tone(p.cloth.base, -0.5) if sum(p.cloth.base) > 260 else (74, 62, 52)
    for number in range(buttons):
        y = low + 8 + 34 * number
        for x in (-16, 18) if double else (0,):
            p.button(MIDDLE + x, y, 3.6, horn)
    _sleeve_buttons(p, horn)


def _sleeve_buttons(p: Painter, colour: tuple[int, int, int]) -> None:
    for side in (-1, 1):
        for number in range(3):
            p.button(MIDDLE + side * (121 - number * 0.6), 291 - 6.5 * number, 1.7, colour)


def draw_waistcoat(p: Painter, body: Body) -> None:
    """A waistcoat with five buttons and two points."""
    path = open_front(p, body, 168)
    p.seam([(MIDDLE + 2, 166), (MIDDLE + 2, body.length - 14), (MIDDLE - 6, body.length + 2)])
    for side in (-1, 1):
        x = MIDDLE + side * 40
        draw_welt(p, (x - 15, 248 + side * 2), (x + 15, 248 - side * 2))
    for line in both([(0, 170), (18, 122, 0.6), (32, 82, 0.6), (34, SHOULDER_TOP)]):
        p.seam(line)
        p.stitch([(x + (2.5 if line[1][0] > MIDDLE else -2.5), y, *rest) for x, y, *rest in line])
    for number in range(5):
        p.button(MIDDLE, 180 + number * (body.length - 206) / 4, 3.1)
    points = symmetric(
        [
            (0, body.length - 8),
            (26, body.length + 20, 0.4),
            (body.hem, body.length - 4),
            (0, body.length - 16),
        ]
    )
    p.piece(points, depth=0.5, edge=0.4)
    p.cast(path, path, 1, 0.0)


def draw_denim_jacket(p: Painter, body: Body) -> None:
    """A denim jacket: yoke, slanted seams, two flap pockets, metal buttons."""
    draw_sleeves(p, body, cuff="shirt")
    draw_back(p, body)
    path = draw_body(p, body)
    thread = (206, 150, 84)
    for line in both([(6, 126), (body.shoulder - 10, 124)]):
        p.seam(line)
        p.stitch([(x, y + 2.5) for x, y in line], thread)
    for line in both([(44, 160), (24, body.length - 22)]) + both(
        [(20, 160), (16, body.length - 22)]
    ):
        p.seam(line)
        p.stitch([(x + 2.2, y) for x, y in line], thread)
    for side in (-1, 1):
        draw_pocket(p, MIDDLE + side * 40, 130, wide=17, high=34, flap=True)
    _waistband(p, body, thread)
    p.seam([(MIDDLE + 8, 96), (MIDDLE + 8, body.length + 3)])
    p.stitch([(MIDDLE - 8, 98), (MIDDLE - 8, body.length)], thread)
    for number in range(6):
        p.button(MIDDLE, 112 + (body.length - 122) * number / 5, 3, (196, 152, 108))
    draw_collar(p, path, spread=30, low=110)


def _waistband(p: Painter, body: Body, thread: tuple[int, int, int]) -> None:
    top = body.length - 20
    strip = symmetric(
        [(0, top + 3, 1), (body.hem, top), (body.hem + 1, body.length), (0, body.length + 4, 1)]
    )
    p.piece(strip, depth=0.5, wrinkle=0.5, anchor=(MIDDLE, SHOULDER_TOP))
    for line in both([(0, top + 6, 1), (body.hem - 1, top + 3)]):
        p.stitch(line, thread)


def draw_bomber(p: Painter, body: Body) -> None:
    """A bomber: zip, ribbed collar, cuffs and hem, slanted pockets."""
    draw_lining(p, 104)
    draw_sleeves(p, body, cuff="rib")
    draw_body(p, body, drape=1.4)
    for side in (-1, 1):
        start, end = (MIDDLE + side * 62, 226), (MIDDLE + side * 44, 268)
        p.seam([start, end], width=1.4)
        p.stitch([(start[0] - side * 4, start[1]), (end[0] - side * 4, end[1])])
    draw_hem(p, body, "rib")
    p.zipper([(MIDDLE, 88), (MIDDLE, body.length + 3)])
    draw_neck_rib(p, body, 15)


def draw_puffer(p: Painter, body: Body, *, hood: bool = False, sleeveless: bool = False) -> None:
    """A padded jacket, quilted across."""
    draw_lining(p, 100)
    body = replace(body, sleeve="none" if sleeveless else body.sleeve)
    draw_sleeves(p, body, cuff="none")
    if not sleeveless:
        _quilt_sleeves(p, body)
    path = draw_body(p, body, drape=0.4)
    for number in range(7):
        y = 98 + (body.length - 106) * number / 6.6
        p.canvas.save()
        p.canvas.clipPath(path, skia.ClipOp.kIntersect, True)
        for line in both([(2, y + 3, 1), (body.chest + 3, y)]):
            _quilt_line(p, line)
        p.canvas.restore()
    collar = symmetric(
        [(0, 58, 1), (24, 50, 1), (38, 42, 1), (46, 66, 1), (40, 88, 1), (0, 104, 1)]
    )
    p.cast(collar, path, 5, 0.7)
    p.piece(collar, depth=1.1)
    if hood:
        p.piece(
            symmetric([(0, 22, 1), (38, 30, 1), (50, 60, 1), (34, 86, 1), (0, 96, 1)]), depth=1.2
        )
        p.piece(symmetric([(0, 38, 1), (25, 46, 1), (30, 68, 1), (0, 94, 1)]), shade=0.9)
    p.zipper([(MIDDLE, 64 if not hood else 98), (MIDDLE, body.length + 3)])
    for side in (-1, 1):
        p.seam([(MIDDLE + side * 54, 236), (MIDDLE + side * 42, 276)], width=1.5)


def _quilt_sleeves(p: Painter, body: Body) -> None:
    points, _ = sleeve_points(body)
    for side, outline in ((-1, points), (1, flip(points))):
        p.canvas.save()
        p.canvas.clipPath(shape(outline), skia.ClipOp.kIntersect, True)
        for number in range(6):
            y, x = 112 + 33 * number, 104 + number * 3.4
            _quilt_line(p, [(MIDDLE + side * (x - 26), y + 12), (MIDDLE + side * (x + 24), y - 5)])
        p.canvas.restore()


def _quilt_line(p: Painter, line: Sequence[Point]) -> None:
    """A row of stitches that pulls the padding in: dark below, light where it swells."""
    p.line([(x, y + 2.5, *rest) for x, y, *rest in line], 5, -0.6, 0.4, blur=2.4)
    p.line([(x, y - 6, *rest) for x, y, *rest in line], 5, 0.6, 0.3, blur=3)
    p.line(line, 0.9, -0.6, 0.8)


def draw_biker(p: Painter, body: Body) -> None:
    """A leather jacket: wide lapels, a zip that runs aslant, a belt."""
    draw_sleeves(p, body, cuff="none")
    path = open_front(p, body, 190)
    slant = [(MIDDLE + 40, 118), (MIDDLE + 14, 220, 0.5), (MIDDLE + 10, body.length + 2)]
    draw_lapels(p, path, 196, wide=42, notch=118)
    p.zipper(slant, width=2.8)
    for start, end in (((92, 178), (116, 168)), ((92, 236), (122, 256)), ((206, 236), (182, 256))):
        p.zipper([start, end], width=2)
    belt = symmetric(
        [
            (0, body.length - 18, 1),
            (body.hem, body.length - 22),
            (body.hem, body.length - 2),
            (0, body.length + 2, 1),
        ]
    )
    p.piece(belt, depth=0.7)
    p.metal(
        shape(
            [
                (120, body.length - 20),
                (136, body.length - 19),
                (136, body.length - 1),
                (120, body.length - 2),
            ]
        )
    )
    for points in both([(body.shoulder - 20, 70), (body.shoulder - 4, 92)]):
        p.piece(band(points, 10), depth=0.6)
        p.button(*points[0][:2], 1.8, (196, 196, 198))


def draw_coat(p: Painter, body: Body, *, belt: bool = True, double: bool = True) -> None:
    """A long coat or trench with lapels."""
    draw_sleeves(p, body, cuff="hem")
    path = open_front(p, body, 168)
    skirt = body.length
    p.fold((MIDDLE + 17, 170), (MIDDLE + 24, skirt), 6, 0.7, within=path)
    p.seam([(MIDDLE + 14, 166), (MIDDLE + 18, skirt + 3)])
    horn = (84, 64, 46)
    for y in (182, 250, 286) if belt else (182, 216, 250):
        for x in (-14, 15) if double else (2,):
            p.button(MIDDLE + x, y, 3.4, horn)
    for side in (-1, 1):
        p.seam([(MIDDLE + side * 58, 250), (MIDDLE + side * 46, 290)], width=1.6)
    draw_lapels(p, path, 172, wide=40, notch=108)
    if belt:
        strap = symmetric([(0, 210, 1), (body.waist + 1, 206), (body.waist + 1, 222), (0, 227, 1)])
        p.cast(strap, path, 3, 0.8)
        p.piece(strap, depth=0.7)
        p.metal(shape([(138, 207), (160, 207), (160, 229), (138, 229)]), (120, 92, 60), 2.6)
        p.piece(
            common(
                shape([(146, 216), (160, 216), (170, 266), (156, 270)]),
                shape([(120, 200), (190, 200), (190, 280), (120, 280)]),
            ),
            depth=0.8,
        )


TAILORED = {
    "shoulder": 82.0,
    "chest": 73.0,
    "waist": 66.0,
    "hem": 75.0,
    "length": 340.0,
    "loose": 1.15,
}
LADY = {"shoulder": 72.0, "chest": 65.0, "waist": 56.0, "hem": 68.0, "length": 326.0, "loose": 1.05}
CASUAL = {
    "shoulder": 84.0,
    "chest": 79.0,
    "waist": 78.0,
    "hem": 77.0,
    "length": 312.0,
    "loose": 1.35,
}
COAT = {"shoulder": 80.0, "chest": 72.0, "waist": 67.0, "hem": 88.0, "length": 384.0, "loose": 1.25}

BLAZERS: dict[str, Garment] = {
    "Two-button": partial(draw_blazer, body=Body("Open", "long", **TAILORED)),
    "Double-breasted": partial(
        draw_blazer, body=Body("Open", "long", **TAILORED), double=True, peaked=True
    ),
    "One-button": partial(
        draw_blazer, body=Body("Open", "long", **LADY | {"length": 302.0}), buttons=1, peaked=True
    ),
}
WAISTCOATS: dict[str, Garment] = {
    "Five-button": partial(draw_waistcoat, body=Body("Open", "none", 66, 66, 60, 64, 300))
}
JACKETS: dict[str, Garment] = {
    "Denim": partial(draw_denim_jacket, body=Body("Collar", "long", 82, 77, 72, 71, 290, 1.2)),
    "Bomber": partial(draw_bomber, body=Body("Crew neck", "long", **CASUAL)),
    "Puffer": partial(draw_puffer, body=Body("High neck", "long", **CASUAL)),
    "Hooded puffer": partial(draw_puffer, body=Body("High neck", "long", **CASUAL), hood=True),
    "Gilet": partial(draw_puffer, body=Body("High neck", "long", **CASUAL), sleeveless=True),
    "Biker": partial(draw_biker, body=Body("Open", "long", 78, 71, 66, 68, 282, 1.2)),
    "Trench": partial(draw_coat, body=Body("Open", "long", **COAT)),
    "Overcoat": partial(draw_coat, body=Body("Open", "long", **COAT), belt=False, double=False),
}
