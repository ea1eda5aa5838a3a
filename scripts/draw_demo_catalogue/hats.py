"""Caps and hats."""

from __future__ import annotations

from dataclasses import replace

import skia

from scripts.draw_demo_catalogue.colours import tone
from scripts.draw_demo_catalogue.geometry import (
    MIDDLE,
    Point,
    half,
    oval,
    shape,
    symmetric,
)  # fmt: skip
from scripts.draw_demo_catalogue.painter import Painter
from scripts.draw_demo_catalogue.studio import Garment, floor_shadow


def draw_cap(p: Painter) -> None:
    """A baseball cap, its peak to the left front."""
    floor_shadow(p.canvas, 40, 258, 268)
    crown = shape(
        [
            (82, 240),
            (85, 180, 1),
            (112, 134, 1),
            (168, 116, 1),
            (226, 138, 1),
            (256, 194, 1),
            (258, 246),
            (206, 256, 1),
            (130, 258, 1),
        ]
    )
    p.piece(crown, depth=1.2, anchor=(170, 116))
    button = (170, 117)
    for line in (
        [button, (126, 160, 1), (116, 236)],
        [button, (196, 170, 1), (196, 250)],
        [button, (238, 160, 1), (250, 220)],
    ):
        p.seam(line)
        p.stitch([(x + 2.4, y, *rest) for x, y, *rest in line])
    for x, y in ((140, 166), (222, 168)):
        p.fill(oval(x, y, 2.6, 3.2), tone(p.cloth.base, -0.6))
    peak = shape(
        [
            (84, 226),
            (112, 243, 1),
            (180, 247, 1),
            (214, 248),
            (150, 270, 1),
            (76, 277, 1),
            (34, 263, 1),
            (44, 242, 1),
        ]
    )
    p.cast(crown, peak, 5, 0.9, (0, 6))
    p.piece(peak, depth=1.1, angle=8, anchor=(84, 228))
    for lift in (6, 12, 18):
        p.stitch(
            [
                (50 + lift * 0.8, 262 - lift * 0.6),
                (90, 268 - lift, 1),
                (150, 262 - lift * 0.8, 1),
                (190, 252 - lift * 0.2),
            ]
        )
    p.piece(oval(*button, 7, 4.5), depth=1.2)


def draw_beanie(p: Painter) -> None:
    """A knitted cap with a turned-up edge and a bobble."""
    ribbed = replace(p.cloth, feel="knit")
    p.fill(oval(MIDDLE, 84, 30, 29), tone(p.cloth.base, -0.2))
    for number in range(70):
        x, y = MIDDLE + p.dice.uniform(-20, 20), 84 + p.dice.uniform(-19, 18)
        tint = p.dice.uniform(-0.35, 0.35)
        p.line(
            [(x, y), (x + p.dice.uniform(-7, 7), y + p.dice.uniform(-7, 7))], 2.4, tint or 0.1, 0.9
        )
        if number % 3 == 0:
            p.fill(oval(x, y, 4, 4), tone(p.cloth.base, tint))
    crown = symmetric([(0, 102, 1), (52, 118, 1), (88, 170, 1), (98, 262), (0, 268)])
    p.piece(crown, ribbed, depth=1.2)
    p.folds(
        [((MIDDLE + x * 0.3, 108), (MIDDLE + x, 230)) for x in (-70, -40, -12, 18, 46, 72)],
        8,
        0.5,
        within=crown,
    )
    edge = symmetric([(0, 246, 1), (102, 240, 0.6), (106, 270, 1), (102, 302, 0.6), (0, 310, 1)])
    p.cast(edge, crown, 4, 0.8, (0, -3))
    p.piece(edge, replace(p.cloth.plain(), feel="ribbed"), depth=1.1)


def draw_fedora(p: Painter) -> None:
    """A felt hat with a dented crown and a ribbon."""
    floor_shadow(p.canvas, 36, 264, 266)
    brim = shape(
        [
            (28, 248),
            (60, 226, 1),
            (150, 218, 1),
            (240, 226, 1),
            (272, 248),
            (256, 266, 1),
            (150, 274, 1),
            (44, 266, 1),
        ]
    )
    p.piece(brim, depth=1.1, wrinkle=0.5)
    crown = shape(
        [
            (82, 242),
            (88, 190, 1),
            (98, 148, 1),
            (128, 138, 1),
            (150, 150, 1),
            (176, 136, 1),
            (204, 148, 1),
            (212, 190, 1),
            (220, 242),
            (150, 254, 1),
        ]
    )
    p.cast(crown, brim, 6, 1.0, (4, 5))
    p.piece(crown, depth=1.2, wrinkle=0.5)
    p.fold((150, 150), (140, 196), 16, 0.8, within=crown)
    p.fold((112, 156), (104, 206), 12, 0.5, within=crown)
    ribbon = shape([(82, 222), (150, 236, 1), (219, 222), (220, 243), (150, 256, 1), (81, 243)])
    p.piece(
        ribbon,
        p.cloth.plain(tone(p.cloth.base, -0.55 if sum(p.cloth.base) > 200 else 0.25)),
        depth=0.7,
    )
    p.piece(
        shape([(86, 226), (104, 222), (106, 250), (88, 254)]),
        p.cloth.plain(tone(p.cloth.base, -0.6 if sum(p.cloth.base) > 200 else 0.18)),
        depth=0.8,
    )


def draw_sun_hat(p: Painter) -> None:
    """A wide straw hat with a ribbon."""
    floor_shadow(p.canvas, 20, 280, 272)
    brim = oval(MIDDLE, 240, 138, 40)
    p.piece(brim, depth=1.0, wrinkle=0.3)
    _straw(p, brim, (MIDDLE, 236), 140)
    crown = shape(
        [
            (84, 234),
            (88, 176, 1),
            (116, 140, 1),
            (MIDDLE, 132, 1),
            (184, 140, 1),
            (212, 176, 1),
            (216, 234),
            (MIDDLE, 250, 1),
        ]
    )
    p.cast(crown, brim, 8, 1.0, (4, 8))
    p.piece(crown, depth=1.2, wrinkle=0.3)
    _straw(p, crown, (MIDDLE, 150), 120)
    ribbon = shape(
        [(84, 212), (MIDDLE, 230, 1), (216, 212), (216, 236), (MIDDLE, 252, 1), (84, 236)]
    )
    p.piece(ribbon, p.cloth.plain(p.cloth.second), depth=0.7)
    for points in (
        [(206, 232), (236, 222, 1), (234, 244, 1)],
        [(206, 232), (222, 262), (210, 268)],
    ):
        p.piece(shape(points), p.cloth.plain(p.cloth.second))


def _straw(p: Painter, within: skia.Path, middle: Point, reach: float) -> None:
    """Plaited rings around a middle."""
    p.canvas.save()
    p.canvas.clipPath(within, skia.ClipOp.kIntersect, True)
    step = 6.0
    while step < reach:
        p.line(oval(*middle[:2], step, step * 0.3 if reach > 130 else step * 0.55), 1.1, -0.4, 0.45)
        step += 5.5
    p.canvas.restore()


def draw_bucket_hat(p: Painter) -> None:
    """A cloth hat with a sloping, stitched brim."""
    floor_shadow(p.canvas, 46, 254, 272)
    brim = symmetric([(0, 226, 1), (74, 206), (118, 256, 0.6), (100, 272, 1), (0, 284, 1)])
    crown = symmetric([(0, 126, 1), (56, 132, 0.8), (66, 142, 0.8), (76, 212), (0, 232, 1)])
    p.piece(crown, depth=1.1)
    p.piece(brim, depth=1.1, anchor=(MIDDLE, 120))
    p.line([(74, 208), (MIDDLE, 230, 1), (226, 208)], 4, -0.5, 0.45, blur=2)
    for lift in (8, 16, 24, 32, 40):
        p.stitch(
            half(
                [
                    (80 + (52 - lift) * 0.7, 252 - lift * 0.72),
                    (0, 278 - lift, 1),
                    (-80 - (52 - lift) * 0.7, 252 - lift * 0.72),
                ]
            )
        )
    for side in (-1, 1):
        p.fill(oval(MIDDLE + side * 44, 176, 2.4, 3), tone(p.cloth.base, -0.6))
    p.stitch(half([(64, 146), (0, 140, 1), (-64, 146)]))


CAPS: dict[str, Garment] = {"Baseball": draw_cap, "Beanie": draw_beanie}
HATS: dict[str, Garment] = {
    "Fedora": draw_fedora,
    "Sun hat": draw_sun_hat,
    "Bucket hat": draw_bucket_hat,
}
