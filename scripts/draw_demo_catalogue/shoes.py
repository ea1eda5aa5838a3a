"""Shoes seen from the side, their toes to the left: sneakers and slip-ons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import skia

from scripts.draw_demo_catalogue.colours import RGB, lightness, mix, tone
from scripts.draw_demo_catalogue.geometry import MIDDLE, Points, box, common, oval, shape, spline
from scripts.draw_demo_catalogue.painter import Painter
from scripts.draw_demo_catalogue.patterns import Cloth
from scripts.draw_demo_catalogue.prints import stroke
from scripts.draw_demo_catalogue.studio import Garment, floor_shadow

FLOOR = 276.0
RUBBER = (240, 239, 234)


@dataclass(frozen=True)
class Last:
    """The form of a shoe: the upper's outline and the opening for the foot."""

    upper: Points
    opening: Points
    sole: Points


LOW = Last(
    upper=[(33, 252), (36, 236, 1), (60, 221, 1), (104, 206, 1), (146, 168, 0.8), (160, 153),
            (176, 164, 1), (212, 180, 1),
           (240, 168, 0.8), (252, 152), (259, 160, 1), (256, 196, 1), (262, 236, 1), (260, 254)],
    opening=[(160, 153), (192, 148, 1), (226, 150, 1), (252, 152), (240, 168, 0.8),
            (212, 180, 1), (176, 164, 1)],
    sole=[(29, 250), (30, 240, 0.6), (60, 246, 1), (150, 250, 1), (262, 244), (267, 262, 1),
            (262, 274), (60, 275, 1), (34, 270, 1)],
)  # fmt: skip
HIGH = Last(
    upper=[(33, 252), (36, 236, 1), (58, 222, 1), (100, 206, 1), (140, 166, 1), (150, 118, 0.8),
            (154, 96), (180, 100, 1),
           (222, 100, 1), (244, 92), (250, 100, 1), (244, 150, 1), (252, 190, 1), (262, 236, 1),
           (260, 254)],
    opening=[(154, 96), (180, 87, 1), (220, 86, 1), (244, 92), (222, 101, 1), (180, 101, 1)],
    sole=LOW.sole,
)  # fmt: skip


def leather(cloth: Cloth, colour: RGB | None = None) -> Cloth:
    return replace(cloth.plain(colour), feel="leather")


def accent(p: Painter) -> RGB:
    """A second colour that can be told from the first."""
    return (
        p.cloth.second
        if p.cloth.pattern != "Solid"
        else tone(p.cloth.base, -0.3 if lightness(p.cloth.base) > 0.3 else 0.3)
    )


def draw_upper(p: Painter, last: Last, cloth: Cloth | None = None) -> skia.Path:
    """The inside, dark, and the upper over it."""
    lining = p.cloth.plain(mix(tone(p.cloth.base, -0.2), (120, 110, 100), 0.4))
    p.piece(shape(last.opening), lining, shade=0.9, wrinkle=0)
    path = shape(last.upper)
    p.piece(path, cloth, anchor=(30, 150), wrinkle=0.6, depth=1.1)
    return path


def draw_sole(
    p: Painter, points: Points, colour: RGB, *, tread: int = 0, line: RGB | None = None
) -> skia.Path:
    """A sole with its edge, and a tread underneath."""
    path = shape(points)
    for number in range(tread):
        x = 44 + number * 212 / tread
        p.fill(box(x, FLOOR - 5, x + 150 / tread, FLOOR + 1, 1), tone(colour, -0.75))
    p.piece(path, leather(p.cloth, colour), depth=0.8, wrinkle=0)
    if line:
        p.canvas.save()
        p.canvas.clipPath(path, skia.ClipOp.kIntersect, True)
        p.canvas.drawPath(spline([(28, 258), (150, 262, 1), (268, 256)]), stroke(line, 3))
        p.canvas.restore()
    return path


def inside(
    p: Painter, path: skia.Path, points: Points, cloth: Cloth, *, depth: float = 0.7
) -> skia.Path:
    """A part sewn onto the upper, stitched along its edge."""
    part = common(shape(points), path)
    p.cast(part, path, 2, 0.5, (0, 1))
    p.piece(part, cloth, depth=depth, wrinkle=0.4)
    p.canvas.save()
    p.canvas.clipPath(part, skia.ClipOp.kIntersect, True)
    p.canvas.translate(0, 1.6)
    p.stitch(part, tone(cloth.base, -0.35 if lightness(cloth.base) > 0.3 else 0.4), 0.7)
    p.canvas.restore()
    return part


def draw_laces(
    p: Painter,
    start: tuple[float, float],
    end: tuple[float, float],
    rows: int,
    colour: RGB,
    *,
    bow: bool = True,
) -> None:
    """Laces across the tongue, from the toe upwards, tied at the top."""
    for row in range(rows):
        share = row / max(rows - 1, 1)
        x, y = start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
        lace = [(x - 7, y - 5), (x + 3, y - 3, 1), (x + 12, y + 5)]
        p.fill(oval(x + 12, y + 5, 1.9, 1.9), tone(p.cloth.base, -0.6))
        p.canvas.drawPath(spline(lace), stroke(tone(colour, -0.45), 4.6))
        p.canvas.drawPath(spline(lace), stroke(colour, 3.4))
    if bow:
        x, y = end[0] + 2, end[1] - 1
        for loop in ([(x, y), (x - 16, y + 2, 1), (x - 13, y + 12, 1), (x, y)], [(x, y),
                (x + 17, y - 1, 1), (x + 15, y + 12, 1), (x, y)],
                     [(x, y), (x + 8, y + 12, 1), (x + 6, y + 24)]):  # fmt: skip
            p.canvas.drawPath(spline(loop), stroke(tone(colour, -0.45), 3.4))
            p.canvas.drawPath(spline(loop), stroke(colour, 2.4))


def draw_runner(p: Painter, bars: bool = True) -> None:
    """A running shoe: thick soft sole, mesh, bars on the side."""
    floor_shadow(p.canvas, 30, 270, FLOOR)
    tongue = shape([(120, 196), (140, 150, 1), (152, 138, 1), (168, 146, 1), (176, 168)])
    p.piece(tongue, p.cloth.plain(tone(p.cloth.base, 0.1)))
    path = draw_upper(p, LOW, replace(p.cloth, feel="knit") if p.cloth.pattern == "Solid" else None)
    other = p.cloth.plain(accent(p))
    inside(p, path, [(20, 260), (26, 226), (64, 224, 1), (84, 246, 1), (110, 262)], other)
    inside(p, path, [(216, 262), (226, 216, 1), (236, 186, 1), (262, 166), (280, 262)], other)
    inside(
        p,
        path,
        [(100, 208), (146, 164), (166, 152), (184, 172, 1), (148, 206, 1), (124, 222)],
        p.cloth.plain(tone(p.cloth.base, -0.12)),
    )
    for x in (0, 16) if bars else ():
        inside(
            p,
            path,
            [(148 + x, 250), (170 + x, 190, 1), (182 + x, 190), (166 + x, 250)],
            leather(p.cloth, p.cloth.second),
        )
    draw_laces(p, (112, 204), (154, 164), 5, RUBBER)
    foam = [
        (26, 248),
        (30, 234, 0.6),
        (64, 246, 1),
        (150, 246, 1),
        (222, 240, 1),
        (268, 230),
        (274, 252, 1),
        (262, 274),
        (150, 272, 1),
        (60, 275, 1),
        (32, 268, 1),
    ]
    draw_sole(p, foam, RUBBER, tread=12)
    for line in ([(64, 262), (150, 258, 1), (262, 250)], [(190, 246), (216, 256, 1), (262, 262)]):
        p.line(spline(line), 1.6, -0.25, 0.6, cloth=p.cloth.plain(RUBBER))


def draw_court(p: Painter, last: Last = LOW) -> None:
    """A leather trainer on a flat cup sole."""
    floor_shadow(p.canvas, 30, 268, FLOOR)
    top = last.upper[5][1] if last is HIGH else 150
    p.piece(
        shape([(124, 196), (138, top, 1), (152, top - 16, 1), (168, top - 8, 1), (176, top + 22)]),
        leather(p.cloth),
    )
    path = draw_upper(p, last, replace(p.cloth, feel="leather"))
    other = leather(p.cloth, accent(p))
    toe = inside(
        p,
        path,
        [(20, 262), (26, 226), (66, 218, 1), (92, 226, 1), (86, 262)],
        leather(p.cloth, tone(p.cloth.base, -0.08)),
    )
    for x in range(48, 84, 9):
        for y in range(230, 246, 8):
            if toe.contains(x, y):
                p.fill(oval(x, y, 1.1, 1.1), tone(p.cloth.base, -0.55))
    inside(p, path, [(222, 200, 1), (232, 166), (266, 140), (276, 210), (248, 214, 1)], other)
    eyes = [
        (104, 208),
        (146, 164),
        (154, 96 if last is HIGH else 152),
        (176, 100 if last is HIGH else 168),
        (166, 180, 1),
        (126, 224),
    ]
    inside(p, path, eyes, other if last is HIGH else leather(p.cloth, tone(p.cloth.base, -0.08)))
    inside(
        p,
        path,
        [
            (140, 256),
            (158, 216, 1),
            (206, 196, 1),
            (250, 204),
            (250, 216),
            (206, 210, 1),
            (176, 228, 1),
            (160, 256),
        ],
        other,
    )
    draw_laces(
        p, (114, 204), (152, 110) if last is HIGH else (153, 164), 6 if last is HIGH else 5, RUBBER
    )
    draw_sole(p, last.sole, RUBBER, line=None)
    p.stitch(spline([(32, 250), (150, 255, 1), (264, 249)]), tone(RUBBER, -0.35))


def draw_canvas(p: Painter, last: Last = LOW) -> None:
    """A canvas shoe with a rubber toe cap and a stripe around the sole."""
    floor_shadow(p.canvas, 30, 268, FLOOR)
    if last is LOW:
        p.piece(shape([(124, 198), (142, 150, 1), (154, 140, 1), (168, 148, 1), (174, 168)]))
    path = draw_upper(p, last)
    p.stitch(spline([(216, 250), (226, 200, 1), (222, 176 if last is LOW else 110)]))
    p.seam(spline([(96, 250), (116, 226, 1), (150, 200, 1), (178, 166 if last is LOW else 102)]))
    if last is HIGH:
        p.fill(oval(214, 142, 15, 15), RUBBER)
        p.fill(
            oval(214, 142, 12, 12),
            p.cloth.second if lightness(p.cloth.second) < 0.7 else (40, 60, 120),
        )
        p.fill(oval(214, 142, 5, 5), RUBBER)
    draw_laces(
        p, (108, 208), (150, 112) if last is HIGH else (154, 164), 7 if last is HIGH else 5, RUBBER
    )
    inside(
        p,
        path,
        [(20, 262), (26, 226), (52, 218, 1), (78, 226, 1), (84, 262)],
        leather(p.cloth, RUBBER),
        depth=1.1,
    )
    line = p.cloth.base if lightness(p.cloth.base) < 0.75 else (40, 60, 120)
    draw_sole(p, LOW.sole, RUBBER, line=line)


def draw_slip_on(p: Painter) -> None:
    """A flat canvas shoe without laces, elastic at the side."""
    floor_shadow(p.canvas, 30, 268, FLOOR)
    last = Last(
        upper=[(33, 252), (36, 236, 1), (58, 220, 1), (100, 204, 1), (136, 184, 0.8), (150, 178),
                (180, 196, 1), (214, 196, 1),
               (244, 178, 0.8), (254, 168), (260, 178, 1), (258, 206, 1), (262, 236, 1),
               (260, 254)],
        opening=[(150, 178), (190, 168, 1), (226, 166, 1), (254, 168), (244, 180, 0.8),
                (214, 197, 1), (180, 197, 1)],
        sole=LOW.sole,
    )  # fmt: skip
    path = draw_upper(p, last)
    inside(
        p,
        path,
        [(150, 170), (172, 220), (190, 214), (184, 170)],
        p.cloth.plain(tone(p.cloth.base, -0.35)),
    )
    p.line(spline([(150, 179), (180, 197, 1), (214, 197, 1), (244, 179)]), 4, -0.4, 0.9)
    draw_sole(p, LOW.sole, RUBBER)


def stretched(p: Painter, garment: Garment, across: float, up: float) -> None:
    """A shoe drawn longer or lower than it is given, standing where it stood."""
    p.canvas.save()
    p.canvas.translate(MIDDLE, FLOOR)
    p.canvas.scale(across, up)
    p.canvas.translate(-MIDDLE, -FLOOR)
    garment(p)
    p.canvas.restore()


SPORTS_SHOES: dict[str, Garment] = {
    "Running": partial(stretched, garment=draw_runner, across=1.1, up=0.86),
    "Court": partial(stretched, garment=draw_court, across=1.1, up=0.86),
    "High-top": partial(stretched, garment=partial(draw_court, last=HIGH), across=1.1, up=0.94),
}
CASUAL_SHOES: dict[str, Garment] = {
    "Canvas sneaker": partial(stretched, garment=draw_canvas, across=1.1, up=0.84),
    "Canvas high-top": partial(
        stretched, garment=partial(draw_canvas, last=HIGH), across=1.1, up=0.94
    ),
    "Slip-on": partial(stretched, garment=draw_slip_on, across=1.1, up=0.82),
}
