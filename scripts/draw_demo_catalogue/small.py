"""Scarves, ties, belts and socks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import skia

from scripts.draw_demo_catalogue.colours import tone
from scripts.draw_demo_catalogue.geometry import (
    MIDDLE,
    Point,
    band,
    box,
    flip,
    half,
    oval,
    shape,
    spline,
    turned,
    without,
)  # fmt: skip
from scripts.draw_demo_catalogue.painter import Painter
from scripts.draw_demo_catalogue.shoes import leather
from scripts.draw_demo_catalogue.studio import Garment, floor_shadow


def draw_scarf(p: Painter, *, folded: bool = False) -> None:
    """A long scarf with fringes, laid once around the neck or folded in half."""
    if folded:
        _folded_scarf(p)
        return
    for points, angle in (
        ([(166, 100), (206, 110), (224, 340), (178, 346)], -6),
        ([(134, 100), (94, 114), (84, 356), (130, 362)], 5),
    ):
        _fringe(p, points[3], points[2])
        path = shape(points)
        p.piece(path, angle=angle, anchor=(points[3][0], points[3][1]))
        x = (points[0][0] + points[2][0]) / 2
        p.folds([((x - 12, 140), (x - 10, 350)), ((x + 8, 130), (x + 8, 346))], 9, 0.8, within=path)
    around = shape(
        [
            (150, 56, 1),
            (206, 60, 1),
            (222, 92, 1),
            (196, 126, 1),
            (150, 136, 1),
            (104, 126, 1),
            (78, 92, 1),
            (94, 60, 1),
        ]
    )
    p.piece(around, angle=88, depth=1.2, wrinkle=1.2)
    p.piece(shape([(104, 70), (150, 64, 1), (196, 70), (172, 88, 1), (128, 88, 1)]), shade=1.0)
    p.folds(
        [((88, 100), (214, 104)), ((96, 112), (206, 120)), ((100, 90), (200, 92))],
        9,
        0.9,
        within=around,
    )


def _folded_scarf(p: Painter) -> None:
    """A stole folded in half: the longer end shows behind the shorter one."""
    _fringe(p, (118, 350), (218, 344))
    behind = shape([(112, 60), (196, 52, 1), (212, 70), (220, 346), (116, 352)])
    p.piece(behind, angle=-2, anchor=(116, 352), shade=0.25)
    p.folds([((190, 80), (204, 340)), ((170, 90), (180, 344))], 10, 0.9, within=behind)
    _fringe(p, (74, 318), (178, 324))
    front = shape(
        [
            (92, 74),
            (104, 54, 1),
            (150, 50, 1),
            (192, 54),
            (182, 200, 0.6),
            (180, 326),
            (72, 320),
            (86, 190, 0.6),
        ]
    )
    p.cast(front, behind, 6, 1.0, (4, 3))
    p.piece(front, angle=3, anchor=(72, 320), wrinkle=1.2)
    lines = [
        ((112, 62), (96, 316)),
        ((134, 58), (126, 320)),
        ((160, 60), (156, 322)),
        ((176, 62), (172, 240)),
    ]
    p.folds(lines, 11, 0.9, within=front)


def _fringe(p: Painter, left: Point, right: Point) -> None:
    for number in range(15):
        share = number / 14
        x, y = left[0] + (right[0] - left[0]) * share, left[1] + (right[1] - left[1]) * share
        sway = p.dice.uniform(-3, 3)
        p.line(
            [(x, y - 4), (x + sway / 2, y + 8, 1), (x + sway, y + 18)],
            2.2,
            -0.25 if number % 2 else 0.12,
            1.0,
        )


def draw_tie(p: Painter) -> None:
    """A tie, knotted."""
    satin = replace(p.cloth, feel="satin")
    p.piece(shape([(152, 96), (160, 96), (172, 322), (158, 334), (150, 318)]), satin, shade=0.7)
    blade = shape([(139, 92), (161, 92), (178, 318), (146, 366), (118, 320)])
    p.piece(blade, satin, angle=42, wrinkle=0.5)
    p.fold((150, 98), (147, 340), 16, 0.3, within=blade)
    p.piece(shape([(128, 52, 1), (172, 52, 1), (161, 94), (139, 94)]), satin, angle=20, wrinkle=0.5)
    p.fold((139, 60), (158, 88), 6, 0.6)
    for points in ([(128, 54), (112, 38, 1), (120, 30, 1), (146, 44, 1)],):
        for path in (shape(points), shape(flip(points))):
            p.piece(path, satin, shade=0.5)


def draw_bow_tie(p: Painter) -> None:
    satin = replace(p.cloth, feel="satin")
    p.piece(band([(20, 196), (150, 204, 1), (280, 196)], 12), satin, shade=0.4)
    wing = half(
        [
            (2, 190),
            (50, 164, 1),
            (98, 156, 0.6),
            (104, 200, 0.4),
            (98, 246, 0.6),
            (50, 238, 1),
            (2, 216),
        ]
    )
    for points, angle in ((wing, 0), (flip(wing), 0)):
        path = shape(points)
        p.piece(path, satin, angle=angle)
        side = -1 if points is wing else 1
        p.folds(
            [
                ((MIDDLE + side * 8, 196), (MIDDLE + side * 70, 184)),
                ((MIDDLE + side * 8, 208), (MIDDLE + side * 74, 218)),
            ],
            9,
            0.9,
            within=path,
        )
    p.piece(box(MIDDLE - 14, 184, MIDDLE + 14, 222, 7), satin, depth=1.2)


def draw_belt(p: Painter) -> None:
    """A leather belt, rolled up, its buckle in front."""
    floor_shadow(p.canvas, 52, 250, 262)
    hide = replace(p.cloth, feel="leather")
    p.piece(oval(MIDDLE, 176, 92, 34), leather(p.cloth, tone(p.cloth.base, -0.45)), wrinkle=0)
    for inset in (0, 9, 18):
        rim = without(
            oval(MIDDLE, 176, 92 - inset, 34 - inset * 0.6),
            oval(MIDDLE, 176, 88 - inset, 31 - inset * 0.6),
        )
        p.piece(rim, leather(p.cloth, tone(p.cloth.base, -0.3)), wrinkle=0)
    p.piece(
        oval(MIDDLE, 176, 70, 22), leather(p.cloth, tone(p.cloth.base, -0.5)), shade=0.9, wrinkle=0
    )
    wall = shape(
        [
            (58, 178),
            (80, 200, 1),
            (MIDDLE, 211, 1),
            (220, 200, 1),
            (242, 178),
            (242, 224),
            (222, 248, 1),
            (MIDDLE, 260, 1),
            (78, 248, 1),
            (58, 224),
        ]
    )
    p.piece(wall, hide, depth=1.1, wrinkle=0.3)
    p.stitch([(60, 186), (82, 206, 1), (MIDDLE, 216, 1), (218, 206, 1), (240, 186)])
    p.stitch([(60, 218), (80, 242, 1), (MIDDLE, 254, 1), (220, 242, 1), (240, 218)])
    p.metal(shape([(112, 202), (166, 204), (166, 268), (112, 264)]), (206, 200, 188), 6)
    p.metal(spline([(114, 233), (166, 237)]), (206, 200, 188), 4)
    for x in (182, 202, 221):
        p.fill(oval(x, 232 - (x - 182) * 0.16, 2.6, 3.6), tone(p.cloth.base, -0.7))


def draw_socks(p: Painter, *, high: float = 0) -> None:
    """A pair of socks, one half behind the other."""
    foot = [
        (104, 70 - high),
        (164, 70 - high),
        (164, 214, 0.6),
        (176, 250, 1),
        (226, 282, 1),
        (238, 312, 1),
        (218, 334, 1),
        (170, 328, 1),
        (118, 296, 1),
        (104, 250, 1),
        (106, 200, 0.5),
    ]
    for shift in (38, -30):
        p.canvas.save()
        p.canvas.translate(shift, 0)
        knit = replace(p.cloth, feel="knit")
        path = shape(foot)
        p.piece(path, knit, angle=-2, shade=0.15 if shift > 0 else 0)
        p.folds([((112, 232), (166, 220)), ((116, 256), (172, 238))], 7, 0.7, within=path)
        other = p.cloth.plain(
            p.cloth.second if p.cloth.pattern != "Solid" else tone(p.cloth.base, -0.2)
        )
        p.canvas.save()
        p.canvas.clipPath(path, skia.ClipOp.kIntersect, True)
        p.piece(
            turned(oval(112, 296, 34, 28), 30, (112, 296)),
            replace(other, feel="knit"),
            depth=0.4,
            wrinkle=0,
        )
        p.piece(
            turned(oval(240, 318, 32, 40), -20, (240, 318)),
            replace(other, feel="knit"),
            depth=0.4,
            wrinkle=0,
        )
        p.canvas.restore()
        p.piece(
            box(103, 68 - high, 165, 98 - high, 3),
            replace(other, feel="ribbed"),
            depth=0.8,
            wrinkle=0,
        )
        p.canvas.restore()


SCARVES: dict[str, Garment] = {"Fringed": draw_scarf, "Stole": partial(draw_scarf, folded=True)}
TIES: dict[str, Garment] = {"Long": draw_tie, "Bow tie": draw_bow_tie}
BELTS: dict[str, Garment] = {"Buckle": draw_belt}
SOCKS: dict[str, Garment] = {"Ankle": draw_socks, "Knee": partial(draw_socks, high=34)}
