"""Heels, flats, sandals and flip-flops."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import skia

from scripts.draw_demo_catalogue.colours import RGB, lightness, mix, tone
from scripts.draw_demo_catalogue.geometry import (
    MIDDLE,
    Points,
    band,
    oval,
    shape,
    spline,
)  # fmt: skip
from scripts.draw_demo_catalogue.painter import Painter
from scripts.draw_demo_catalogue.patterns import Cloth
from scripts.draw_demo_catalogue.shoes import FLOOR, draw_sole, leather
from scripts.draw_demo_catalogue.studio import Garment, floor_shadow

INSOLE = (214, 184, 148)
HEEL_FORMS: dict[str, Points] = {
    "Stiletto": [(214, 196), (256, 168), (257, 196, 1), (250, FLOOR), (243, FLOOR), (238, 220, 1)],
    "Block heel": [(208, 198), (257, 168), (258, 220), (256, FLOOR), (216, FLOOR), (212, 230)],
    "Kitten heel": [
        (212, 224),
        (256, 204),
        (256, 226, 1),
        (247, FLOOR),
        (238, FLOOR),
        (232, 244, 1),
    ],
    "Wedge": [
        (96, 256),
        (150, 240, 1),
        (210, 198),
        (257, 168),
        (260, FLOOR),
        (60, FLOOR),
        (60, 264),
    ],
}


def draw_pump(
    p: Painter, heel: str, *, peep: bool = False, strap: bool = False, lift: float = 0.0
) -> None:
    """A pump; ``lift`` lowers the heel end for kitten heels."""
    floor_shadow(p.canvas, 34, 140, FLOOR, 0.45)
    floor_shadow(p.canvas, 210 if heel != "Stiletto" else 238, 262, FLOOR, 0.45)
    inside, sole, upper, edge = _pump_parts(lift)
    p.piece(inside, leather(p.cloth, INSOLE), shade=0.25, wrinkle=0)
    stiletto = leather(p.cloth, tone(p.cloth.base, -0.12))
    p.piece(shape(HEEL_FORMS[heel]), stiletto, depth=1.0, wrinkle=0)
    p.piece(sole, leather(p.cloth, (60, 44, 38)), depth=0.5, wrinkle=0)
    cloth = replace(p.cloth, feel="leather")
    p.piece(upper, cloth, anchor=(30, 110), wrinkle=0.3)
    p.line(edge, 1.6, -0.4, 0.8)
    p.gleam(oval(70, 246, 22, 6), upper, 0.5)
    p.gleam(oval(244, 160 + lift, 5, 24), upper, 0.32)
    if peep:
        _open_toe(p)
    if strap:
        line = [(252, 122), (214, 116, 1), (190, 140, 1), (196, 190)]
        p.piece(band(line, 6), cloth, depth=0.6)
        p.metal(oval(193, 164, 4, 5), (212, 186, 120), 2)


def _pump_parts(end: float) -> tuple[skia.Path, skia.Path, skia.Path, skia.Path]:
    """The inside, the sole, the upper and its edge; ``end`` is how low the heel is."""
    inside = shape([
        (98, 224), (140, 198 + end * 0.4, 1), (196, 150 + end, 1), (252, 118 + end),
        (246, 166 + end, 1), (180, 232 + end * 0.4, 1), (120, 254, 1),
    ])  # fmt: skip
    sole = shape([
        (36, 264), (70, 268, 1), (110, 262, 1), (150, 244 + end * 0.4, 1), (214, 198 + end, 1),
        (216, 204 + end, 1), (150, 256 + end * 0.3, 1), (112, 272, 1), (66, FLOOR, 1), (38, 272, 1),
    ])  # fmt: skip
    upper = shape([
        (34, 268), (34, 254, 1), (62, 232, 1), (98, 222, 0.8), (128, 240, 1),
        (170, 226 + end * 0.5, 1), (214, 176 + end, 1), (252, 116 + end), (260, 128 + end, 1),
        (258, 176 + end, 1), (216, 206 + end, 1), (150, 258 + end * 0.35, 1),
        (110, 271, 1), (66, 273, 1),
    ])  # fmt: skip
    edge = spline([
        (98, 223), (128, 240, 1), (170, 227 + end * 0.5, 1), (214, 177 + end, 1), (252, 118 + end),
    ])  # fmt: skip
    return inside, sole, upper, edge


def _open_toe(p: Painter) -> None:
    """A hole at the toe and a thick sole under the ball of the foot."""
    p.piece(
        shape([(30, 268), (40, 246, 1), (56, 250, 1), (56, 268)]),
        leather(p.cloth, INSOLE),
        shade=0.7,
        edge=1,
    )
    sole = shape(
        [
            (30, 262),
            (70, 267, 1),
            (112, 262, 1),
            (150, 248),
            (158, 258),
            (130, FLOOR),
            (36, FLOOR),
            (28, 270, 1),
        ]
    )
    p.piece(sole, leather(p.cloth, tone(p.cloth.base, -0.3)), depth=0.9, wrinkle=0)


def draw_strappy(p: Painter, heel: str) -> None:
    """A sandal on a high heel, held by thin straps."""
    floor_shadow(p.canvas, 40, 140, FLOOR, 0.45)
    floor_shadow(p.canvas, 212, 262, FLOOR, 0.45)
    for points in (
        [(196, 100), (222, 90, 1), (248, 104), (252, 160, 1), (250, 182)],
        [(92, 250), (120, 214, 1), (150, 228)],
    ):
        p.piece(band(points, 8), leather(p.cloth, tone(p.cloth.base, -0.3)), depth=0.5)
    p.piece(shape(HEEL_FORMS[heel]), leather(p.cloth, tone(p.cloth.base, -0.15)), wrinkle=0)
    sole = shape(
        [
            (36, 260),
            (70, 262, 1),
            (112, 256, 1),
            (154, 234, 1),
            (212, 184, 1),
            (256, 166),
            (258, 178, 1),
            (214, 202, 1),
            (154, 250, 1),
            (112, 268, 1),
            (70, FLOOR, 1),
            (38, 272, 1),
        ]
    )
    p.piece(sole, leather(p.cloth, INSOLE), wrinkle=0)
    for points in ([(56, 266), (62, 236, 1), (92, 226, 1), (118, 260)], [(84, 266), (94, 224, 1),
            (128, 222, 1), (150, 246)],
                   [(196, 100), (204, 118, 1), (234, 122, 1), (250, 106)], [(248, 106),
                           (254, 140, 1), (254, 174)]):  # fmt: skip
        p.piece(band(points, 9), replace(p.cloth, feel="leather"), depth=0.7, wrinkle=0)
    p.metal(oval(212, 119, 4, 5), (212, 186, 120), 2)


def draw_flat(p: Painter, *, bow: bool = True, pointed: bool = False, rope: bool = False) -> None:
    """A ballerina, a pointed flat, or an espadrille on a sole of rope."""
    floor_shadow(p.canvas, 30, 264, FLOOR)
    tip = 22 if pointed else 30
    inside = [(100, 236), (160, 222, 1), (220, 214, 1), (256, 206), (236, 246, 1), (150, 256, 1)]
    p.piece(shape(inside), leather(p.cloth, INSOLE), shade=0.3, wrinkle=0)
    upper = shape([
        (tip, 266), (tip + 4, 256 if pointed else 250, 1), (60, 234, 1), (98, 230, 0.8),
        (126, 246, 1), (190, 248, 1), (234, 226, 1), (258, 204), (266, 218, 1), (264, 250, 1),
        (262, 268), (150, 270, 1), (60, 270, 1),
    ])  # fmt: skip
    cloth = p.cloth if rope else replace(p.cloth, feel="leather")
    p.piece(upper, cloth, anchor=(30, 200), wrinkle=0.6)
    edge = [(98, 231), (126, 247, 1), (190, 249, 1), (234, 227, 1), (258, 206)]
    p.line(edge, 2.6, -0.35, 0.9)
    p.gleam(oval(66, 248, 20, 5), upper, 0.4)
    if rope:
        _rope_sole(p)
    else:
        sole = [
            (tip, 262), (150, 266, 1), (264, 260), (265, 275), (214, 276), (210, 272), (60, 275, 1),
            (tip + 4, 270, 1),
        ]  # fmt: skip
        draw_sole(p, sole, (66, 50, 42))
    if bow:
        for points in (
            [(98, 234), (78, 222, 1), (76, 240, 1)],
            [(98, 234), (118, 222, 1), (122, 240, 1)],
        ):
            p.piece(shape(points), p.cloth.plain(tone(p.cloth.base, -0.1)), depth=0.9)
        p.piece(oval(99, 234, 5, 5), p.cloth.plain(tone(p.cloth.base, -0.15)))


def _rope_sole(p: Painter) -> None:
    rope = (206, 178, 130)
    path = draw_sole(p, [(28, 258), (150, 262, 1), (266, 256), (268, 274), (30, FLOOR)], rope)
    p.canvas.save()
    p.canvas.clipPath(path, skia.ClipOp.kIntersect, True)
    for step in range(46):
        line = [(26 + step * 5.4, 280), (34 + step * 5.4, 254)]
        p.line(line, 1.4, -0.4, 0.6, cloth=p.cloth.plain(rope))
    p.canvas.restore()


def draw_sandal(p: Painter, *, straps: int = 2, ankle: bool = True, cork: bool = False) -> None:
    """A flat sandal: straps over the foot, one around the ankle."""
    floor_shadow(p.canvas, 30, 266, FLOOR)
    strap = replace(p.cloth, feel="leather")
    back = leather(p.cloth, tone(p.cloth.base, -0.35))
    if ankle:
        p.piece(band([(190, 190), (222, 176, 1), (254, 190)], 10), back, depth=0.5)
    thick = 250 if cork else 257
    draw_sole(p, [(30, thick), (60, thick + 3, 1), (160, thick - 4, 1), (264, thick - 10),
            (268, 268, 1), (262, FLOOR), (40, FLOOR), (30, 268, 1)],
              (176, 134, 92) if cork else (96, 68, 48))  # fmt: skip
    p.line(
        spline([(34, thick + 2), (60, thick + 4, 1), (160, thick - 2, 1), (262, thick - 8)]),
        4,
        0.4,
        0.9,
        cloth=p.cloth.plain((196, 156, 112)),
    )
    lines: list[Points] = [
        [(60, thick + 8), (72, 226, 1), (104, 216, 1), (128, thick + 4)],
        [(128, thick + 4), (134, 208, 1), (164, 196, 1), (186, thick + 2)],
        [(92, thick + 4), (104, 216, 1), (134, 206, 1), (156, thick + 2)],
    ]
    for line in lines[:straps]:
        path = band(line, 22 if straps == 2 else 12)
        p.piece(path, strap, depth=0.9, wrinkle=0.3, angle=20)
        p.stitch(band(line, 17 if straps == 2 else 8))
    if ankle:
        p.piece(band([(190, 190), (200, 206, 1), (236, 208, 1), (256, 190)], 11), strap, depth=0.8)
        p.piece(band([(255, 190), (260, 220, 1), (256, 250)], 13), strap, depth=0.8)
        p.piece(band([(212, 207), (204, 230, 1), (208, 250)], 10), strap, depth=0.8)
        p.metal(shape([(206, 199), (222, 201), (221, 215), (205, 213)]), (206, 196, 170), 2.2)
    elif straps == 2:
        for x, y in ((98, 220), (158, 200)):
            p.metal(
                shape([(x - 7, y - 5), (x + 9, y - 7), (x + 11, y + 9), (x - 5, y + 11)]),
                (200, 196, 188),
                2.2,
            )


FOOT: Points = [(-6, -110, 1), (-33, -92, 1), (-42, -50, 1), (-34, 10, 1), (-33, 64, 1),
        (-26, 98, 1), (0, 110, 1), (28, 98, 1),
                (34, 60, 1), (35, 8, 1), (41, -44, 1), (30, -92, 1)]  # fmt: skip


def draw_flip_flops(p: Painter, *, slide: bool = False) -> None:
    """A pair seen from above: thongs with straps in a second colour, or slides."""
    sole, strap = _flip_colours(p)
    for side in (-1, 1):
        outline = [(MIDDLE + side * (58 - x * 0.98), 204 + y * 1.12, *rest) for x, y, *rest in FOOT]
        rim = shape([(x + 2, y + 4, *rest) for x, y, *rest in outline])
        p.canvas.save()
        p.fill(rim, (30, 30, 40), 0.45, 6)
        p.piece(rim, leather(p.cloth, tone(sole.base, -0.35)), wrinkle=0)
        path = shape(outline)
        p.piece(path, sole, anchor=(MIDDLE, 204), angle=side * 4, wrinkle=0.3, depth=0.8)
        x = MIDDLE + side * 58
        if slide:
            over = shape(
                [
                    (x - 44, 150),
                    (x, 138, 1),
                    (x + 44, 150),
                    (x + 42, 206),
                    (x, 214, 1),
                    (x - 42, 206),
                ]
            )
            p.cast(over, path, 6, 0.9, (2, 6))
            p.piece(over, replace(strap, feel="leather"), depth=1.2, wrinkle=0.3)
            p.stitch([(x - 40, 156), (x, 145, 1), (x + 40, 156)])
            p.stitch([(x - 40, 200), (x, 208, 1), (x + 40, 200)])
        else:
            for end in ((x - 29, 230), (x + 29, 230)):
                line = [(x - side * 3, 132), (x + (end[0] - x) * 0.66, 172, 1), end]
                thong = band(line, (8, 14))
                p.cast(thong, path, 4, 0.9, (2, 5))
                p.piece(thong, strap, depth=1.1, wrinkle=0)
            p.piece(oval(x - side * 3, 130, 6, 7), strap, depth=1.1)
        p.canvas.restore()


def _flip_colours(p: Painter) -> tuple[Cloth, Cloth]:
    """The sole in the item's cloth, the straps darker or lighter."""
    base: RGB = p.cloth.base
    strap = tone(base, -0.45) if lightness(base) > 0.3 else mix(base, p.cloth.second, 0.75)
    return p.cloth, replace(p.cloth.plain(strap), feel="leather")


HEELS: dict[str, Garment] = {
    "Stiletto": partial(draw_pump, heel="Stiletto"),
    "Block heel": partial(draw_pump, heel="Block heel", strap=True),
    "Kitten heel": partial(draw_pump, heel="Kitten heel", lift=36),
    "Peep-toe platform": partial(draw_pump, heel="Block heel", peep=True),
    "Strappy": partial(draw_strappy, heel="Block heel"),
    "Wedge": partial(draw_strappy, heel="Wedge"),
}
FLATS: dict[str, Garment] = {
    "Ballerina": draw_flat,
    "Pointed": partial(draw_flat, bow=False, pointed=True),
    "Espadrille": partial(draw_flat, bow=False, rope=True),
}
SANDALS: dict[str, Garment] = {
    "Ankle strap": partial(draw_sandal, straps=1),
    "Two-strap": partial(draw_sandal, ankle=False, cork=True),
    "Gladiator": partial(draw_sandal, straps=3),
}
FLIP_FLOPS: dict[str, Garment] = {
    "Thong": draw_flip_flops,
    "Slide": partial(draw_flip_flops, slide=True),
}
