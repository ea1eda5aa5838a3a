"""Dresses, jumpsuits and skirts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import skia

from scripts.draw_demo_catalogue.colours import tone
from scripts.draw_demo_catalogue.geometry import (
    MIDDLE,
    Point,
    both,
    flip,
    half,
    oval,
    shape,
    symmetric,
)  # fmt: skip
from scripts.draw_demo_catalogue.painter import Painter
from scripts.draw_demo_catalogue.shirts import draw_collar
from scripts.draw_demo_catalogue.studio import Garment
from scripts.draw_demo_catalogue.tops import (
    ARMPIT,
    Body,
    draw_back,
    draw_neck_rib,
    draw_placket,
    draw_sleeves,
    torso,
)  # fmt: skip

SIZE = 0.8
"""Dresses are longer than shirts and are drawn from further away."""


def draw_skirt_part(
    p: Painter, top: float, waist: float, length: float, hem: float, *, pleats: int = 0,
            gathers: int = 7, hip: float = 0.0,
) -> skia.Path:  # fmt: skip
    """The lower part, from a waist of half width ``waist`` at ``top`` to a hem at ``length``."""
    hip = hip or waist + (hem - waist) * 0.45
    points: list[Point] = [
        (0, top),
        (waist, top),
        (hip, top + (length - top) * 0.36, 1),
        (hem, length - 6),
    ]
    waves = 3
    for step in range(waves * 2):
        share = 1 - (step + 0.5) / (waves * 2)
        points.append(
            (
                hem * share,
                length + (2.2 if step % 2 else -0.8) * min(1.0, hem / 100) + 4 * (1 - share),
                1,
            )
        )
    path = symmetric([*points, (0, length + 5, 1)])
    p.piece(path, anchor=(MIDDLE, top), depth=1.0)
    count = pleats or gathers
    for number in range(count):
        share = -0.88 + 1.76 * (number + 0.5) / count
        start = (MIDDLE + share * waist, top + 2)
        end = (MIDDLE + share * hem, length + 4)
        if pleats:
            p.seam([start, (end[0], length - 2)], width=0.8)
            p.fold(start, (end[0] + 4, end[1]), 9, 0.75, bend=2, within=path)
        else:
            p.folds([(start, end)], 9 + hem * 0.04, 0.62, within=path)
            low = ((start[0] + end[0]) / 2 + 8, (start[1] + end[1]) / 2)
            p.folds([(low, (end[0] + 9, end[1]))], 8, 0.45, within=path)
    for line in both([(0, length + 1, 1), (hem - 1, length - 7)]):
        p.stitch(line)
    return path


def draw_bodice(p: Painter, body: Body) -> skia.Path:
    """The upper part down to the waist, with darts."""
    draw_back(p, body)
    draw_sleeves(p, body)
    path = torso(body)
    p.piece(path, anchor=(MIDDLE, 60))
    lines = []
    for side in (-1, 1):
        lines += [
            ((MIDDLE + side * (body.chest - 4), ARMPIT + 6), (MIDDLE + side * 22, ARMPIT + 26)),
            ((MIDDLE + side * (body.waist - 3), body.length - 20),
            (MIDDLE + side * 24, body.length - 34)),
            ((MIDDLE + side * (body.waist - 6), body.length - 4),
            (MIDDLE + side * 20, body.length - 12)),
        ]  # fmt: skip
        p.seam([(MIDDLE + side * 30, body.length), (MIDDLE + side * 33, 172)])
    p.folds(lines, 6, 0.5, within=path)
    return path


def draw_dress(p: Painter, body: Body, *, length: float, hem: float, extra: str = "",
        pleats: int = 0, tiers: int = 0,
               hip: float = 0.0, gathers: int = 7) -> None:  # fmt: skip
    """A dress; drawn smaller than a shirt, so that it fits the picture."""
    p.canvas.save()
    p.canvas.translate(MIDDLE, 14)
    p.canvas.scale(SIZE, SIZE)
    p.canvas.translate(-MIDDLE, -30)
    draw_skirt_part(
        p, body.length - 3, body.waist, length, hem, pleats=pleats, hip=hip, gathers=gathers
    )
    if tiers:
        _tiers(p, body, length, hem, tiers)
    path = draw_bodice(p, body)
    if extra != "shirt":
        trim = p.cloth.plain(tone(p.cloth.base, -0.14))
        draw_neck_rib(p, body, 3.5, trim)
    _finish(p, body, path, length, hem, extra)
    p.canvas.restore()


def _finish(p: Painter, body: Body, path: skia.Path, length: float, hem: float, extra: str) -> None:
    for line in both([(0, body.length + 3, 1), (body.waist, body.length)]):
        p.seam(line)
    if extra == "wrap":
        _wrap(p, body, path, length)
    elif extra == "shirt":
        draw_placket(p, 92, length - 4, 9, 8)
        draw_collar(p, path)
        _belt(p, body, p.cloth.trim)
    elif extra == "belt":
        _belt(p, body, p.cloth.trim)
    elif extra == "slit":
        p.fold((MIDDLE + hem * 0.4, length + 4), (MIDDLE + hem * 0.3, length - 130), 7, 1.2)


def _belt(p: Painter, body: Body, cloth: object) -> None:
    trim = replace(p.cloth.trim, feel="leather") if cloth else p.cloth
    y = body.length
    strap = symmetric(
        [(0, y - 4, 1), (body.waist + 1, y - 7), (body.waist + 1, y + 6), (0, y + 10, 1)]
    )
    p.piece(strap, trim, depth=0.6, wrinkle=0.2)
    p.metal(shape([(141, y - 5), (159, y - 5), (159, y + 11), (141, y + 11)]), (206, 176, 108), 2.4)


def _wrap(p: Painter, body: Body, path: skia.Path, length: float) -> None:
    """One side laid over the other, tied at the waist."""
    over = [
        (MIDDLE - body.neck_width, 58),
        (MIDDLE + 4, body.neck_depth + 18, 0.7),
        (MIDDLE + body.waist - 4, body.length),
    ]
    p.canvas.save()
    p.canvas.clipPath(path, skia.ClipOp.kIntersect, True)
    p.line([(x - 1, y + 3, *rest) for x, y, *rest in over], 9, -0.6, 0.5, blur=3)
    p.seam(over, width=1.4)
    p.canvas.restore()
    p.seam(
        [
            (MIDDLE + body.waist - 12, body.length),
            (MIDDLE + 22, length - 90, 1),
            (MIDDLE + 2, length),
        ],
        width=1.3,
    )
    sash = symmetric(
        [
            (0, body.length - 4, 1),
            (body.waist + 1, body.length - 9),
            (body.waist + 1, body.length + 6),
            (0, body.length + 10, 1),
        ]
    )
    p.piece(sash, depth=0.7)
    x, y = MIDDLE + body.waist * 0.55, body.length
    for points in ([(x, y), (x - 30, y - 16, 1), (x - 26, y + 12, 1)], [(x, y),
            (x + 28, y - 14, 1), (x + 26, y + 14, 1)],
                   [(x - 3, y), (x - 16, y + 74), (x - 4, y + 78), (x + 4, y)], [(x, y),
                           (x + 14, y + 62), (x + 24, y + 58), (x + 6, y)]):  # fmt: skip
        p.piece(shape(points), depth=0.9)
    p.piece(oval(x, y, 7, 7))


def _tiers(p: Painter, body: Body, length: float, hem: float, tiers: int) -> None:
    """Gathered strips, one under the other."""
    for tier in range(1, tiers):
        share = tier / tiers
        y = body.length + (length - body.length) * share
        wide = body.waist + (hem - body.waist) * (share * 0.92 + 0.05)
        line = both([(0, y + 5, 1), (wide * 0.5, y + 3, 1), (wide, y - 1)])
        for part in line:
            p.seam(part, width=1.2)
        for number in range(14):
            x = MIDDLE + wide * (-0.92 + 1.84 * (number + 0.5) / 14)
            p.folds([((x, y + 5), (x * 1.04 - 6, y + 34))], 4, 0.6)


def draw_skirt(p: Painter, *, length: float, waist: float, hem: float, hip: float = 0.0,
        pleats: int = 0, gathers: int = 6,
               kind: str = "") -> None:  # fmt: skip
    """A skirt with its waistband; ``kind`` adds buttons, tiers, a slit or a wrap."""
    top = 66.0
    p.piece(oval(MIDDLE, top - 9, waist - 2, 5), shade=0.9)
    path = draw_skirt_part(p, top, waist, length, hem, pleats=pleats, hip=hip, gathers=gathers)
    if kind == "tiers":
        _tiers(p, Body(waist=waist, length=top), length, hem, 3)
    if kind == "denim":
        _denim_skirt(p, waist, top, length)
    if kind == "slit":
        p.fold(
            (MIDDLE + hem * 0.5, length + 3),
            (MIDDLE + hem * 0.42, length - 70),
            7,
            1.3,
            within=path,
        )
    if kind == "wrap":
        edge = [(MIDDLE + waist * 0.6, top), (MIDDLE + 18, length * 0.66, 1), (MIDDLE - 10, length)]
        p.line([(x + 3, y + 2, *rest) for x, y, *rest in edge], 9, -0.6, 0.5, blur=3)
        p.seam(edge, width=1.3)
    band = symmetric(
        [(0, top - 13, 1), (waist - 1, top - 16), (waist + 1, top + 2), (0, top + 6, 1)]
    )
    p.piece(band, depth=0.7, wrinkle=0.3)
    for line in both([(0, top + 3, 1), (waist, top - 1)]):
        p.stitch(line)
    if kind in ("denim", "wrap"):
        p.button(MIDDLE if kind == "denim" else MIDDLE + waist * 0.5, top - 4, 3.4, (190, 150, 104))


def _denim_skirt(p: Painter, waist: float, top: float, length: float) -> None:
    thread = (206, 150, 84)
    p.seam([(MIDDLE, top), (MIDDLE, length + 4)])
    p.stitch([(MIDDLE + 8, top + 4), (MIDDLE + 8, top + 50, 0.5), (MIDDLE, top + 62)], thread)
    for line in both([(waist * 0.45, top + 3), (waist * 0.62, top + 26, 1), (waist + 8, top + 34)]):
        p.seam(line)
        p.stitch([(x, y + 2.5, *rest) for x, y, *rest in line], thread)
    for side in (-1, 1):
        p.stitch(half([(side * 3, length - 8), (side * 60, length - 12)]), thread)


def draw_jumpsuit(p: Painter, body: Body) -> None:
    """Trousers and top in one, belted."""
    p.canvas.save()
    p.canvas.translate(MIDDLE, 14)
    p.canvas.scale(0.8, 0.8)
    p.canvas.translate(-MIDDLE, -30)
    leg = half(
        [
            (body.waist, body.length - 3),
            (body.waist + 14, 290, 1),
            (68, 490),
            (18, 494),
            (2, 318),
            (0, body.length - 3),
        ]
    )
    for points in (leg, flip(leg)):
        path = shape(points)
        p.piece(path, angle=3 if points is leg else -3)
        side = -1 if points is leg else 1
        lines = [((12, 316), (54, 286)), ((42, 330), (46, 480)), ((24, 380), (28, 486))]
        folds = [tuple((MIDDLE + side * x, y) for x, y in line) for line in lines]
        p.folds(folds, 8, 0.6, within=path)
    path = draw_bodice(p, body)
    draw_neck_rib(p, body, 3.5, p.cloth.plain(tone(p.cloth.base, -0.14)))
    _finish(p, body, path, 490, 70, "belt")
    p.canvas.restore()


SLIM = {"shoulder": 68.0, "chest": 62.0, "waist": 50.0, "hem": 51.0, "length": 228.0}

DRESSES: dict[str, Garment] = {
    "A-line": partial(draw_dress, body=Body("Scoop neck", "none", **SLIM), length=400, hem=112),
    "Sheath": partial(
        draw_dress, body=Body("Boat neck", "cap", **SLIM), length=404, hem=60, hip=66, gathers=3
    ),
    "Wrap": partial(
        draw_dress, body=Body("V-neck", "three-quarter", **SLIM), length=430, hem=98, extra="wrap"
    ),
    "Maxi": partial(
        draw_dress, body=Body("Straps", "none", **SLIM), length=494, hem=122, gathers=9
    ),
    "Shirt dress": partial(
        draw_dress, body=Body("Collar", "long", **SLIM), length=424, hem=92, extra="shirt"
    ),
    "Slip": partial(
        draw_dress,
        body=Body("Straps", "none", **SLIM),
        length=450,
        hem=72,
        hip=66,
        extra="slit",
        gathers=4,
    ),
    "Skater": partial(
        draw_dress,
        body=Body("Crew neck", "short", **SLIM),
        length=360,
        hem=124,
        gathers=9,
        extra="belt",
    ),
    "Ruffle": partial(
        draw_dress, body=Body("Square neck", "short", **SLIM, puff=8), length=450, hem=118, tiers=3
    ),
    "Pleated": partial(
        draw_dress, body=Body("V-neck", "none", **SLIM), length=440, hem=112, pleats=11
    ),
}
JUMPSUITS: dict[str, Garment] = {
    "Wide leg": partial(draw_jumpsuit, body=Body("V-neck", "none", **SLIM)),
    "Short sleeve": partial(draw_jumpsuit, body=Body("Collar", "short", **SLIM)),
}
SKIRTS: dict[str, Garment] = {
    "A-line": partial(draw_skirt, length=300, waist=58, hem=112),
    "Pencil": partial(draw_skirt, length=332, waist=58, hem=62, hip=80, gathers=3, kind="slit"),
    "Pleated": partial(draw_skirt, length=330, waist=56, hem=114, pleats=13),
    "Maxi": partial(draw_skirt, length=386, waist=54, hem=108, gathers=8),
    "Ruffle": partial(draw_skirt, length=340, waist=56, hem=112, kind="tiers"),
    "Mini": partial(draw_skirt, length=232, waist=64, hem=90, gathers=3, kind="denim"),
    "Wrap": partial(draw_skirt, length=320, waist=58, hem=92, kind="wrap"),
}
