"""Shirts and blouses that button down the front."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import skia

from scripts.draw_demo_catalogue.colours import tone
from scripts.draw_demo_catalogue.geometry import (
    MIDDLE,
    both,
    flip,
    half,
    oval,
    shape,
    symmetric,
)  # fmt: skip
from scripts.draw_demo_catalogue.painter import Painter
from scripts.draw_demo_catalogue.studio import Garment
from scripts.draw_demo_catalogue.tops import (
    ARMPIT,
    SHOULDER_TOP,
    Body,
    draw_back,
    draw_body,
    draw_placket,
    draw_sleeves,
)  # fmt: skip


def draw_collar(
    p: Painter, within: skia.Path, *, spread: float = 24, low: float = 104, top: float = 47
) -> None:
    """A shirt collar: the stand behind, and two leaves that lie on the front."""
    back = symmetric(
        [(0, top + 7, 1), (20, top + 4, 1), (32, top), (37, 62), (20, 70, 1), (0, 72, 1)]
    )
    p.piece(back, depth=0.6, wrinkle=0.3, shade=0.25)
    p.piece(
        symmetric([(0, 58, 1), (22, 56, 1), (31, 54), (26, 70, 1), (10, 84), (0, 88)]), shade=0.8
    )
    p.fill(shape([(143, 60), (157, 60), (157, 67), (143, 67)]), (240, 238, 230))
    left = half([(0.5, 89), (16, 78, 1), (30, 56, 1), (32, top), (39, top + 8, 1), (44, 72, 0.5),
                 (spread + 6, low), (12, 94, 0.4)])  # fmt: skip
    for points in (left, flip(left)):
        leaf = shape(points)
        p.cast(leaf, within, 3.5, 0.8)
        p.piece(leaf, angle=42 if points is left else -42, depth=0.8, wrinkle=0.3)
        edge = points[0], points[7], points[6], points[5]
        p.stitch([(x + (1.5 if points is left else -1.5), y - 2) for x, y, *_ in edge[1:]])


def draw_pocket(
    p: Painter, x: float, y: float, *, wide: float = 15, high: float = 32, flap: bool = False
) -> None:
    """A patch pocket on the chest, its point down."""
    pocket = shape(
        [
            (x - wide, y),
            (x + wide, y),
            (x + wide, y + high - 6),
            (x, y + high),
            (x - wide, y + high - 6),
        ]
    )
    p.piece(pocket, depth=0.35, wrinkle=0.3, edge=1.0, anchor=(MIDDLE, SHOULDER_TOP))
    p.stitch(
        [
            (x - wide + 2, y + 5),
            (x - wide + 2, y + high - 7),
            (x, y + high - 2),
            (x + wide - 2, y + high - 7),
            (x + wide - 2, y + 5),
        ]
    )
    if flap:
        cover = shape(
            [
                (x - wide - 1, y - 2),
                (x + wide + 1, y - 2),
                (x + wide + 1, y + 7),
                (x, y + 13),
                (x - wide - 1, y + 7),
            ]
        )
        p.cast(cover, pocket, 2, 0.6)
        p.piece(cover, depth=0.5, wrinkle=0.2, anchor=(MIDDLE, SHOULDER_TOP))
        p.button(x, y + 7, 2)


def draw_shirt(
    p: Painter,
    body: Body,
    *,
    pockets: int = 1,
    spread: float = 24,
    curved: bool = True,
    rolled: bool = False,
) -> None:
    """A shirt. Its hem is cut round at the sides unless it is worn over the trousers."""
    if curved:
        body = replace(body, tail=20)
    draw_back(p, body)
    long = body.sleeve in ("long", "three-quarter")
    draw_sleeves(p, body, cuff=("rolled" if rolled else "shirt") if long else "hem")
    path = draw_body(p, body)
    draw_placket(p, 92, body.length + 3, 6)
    for side in (-1, 1)[: 2 if pockets == 2 else 0]:
        draw_pocket(p, MIDDLE + side * 38, 140, flap=True)
    if pockets == 1:
        draw_pocket(p, MIDDLE + 38, 140)
    if curved:
        _round_hem(p, body)
    for line in both([(34, SHOULDER_TOP + 22), (body.shoulder - 4, SHOULDER_TOP + 28)]):
        p.seam(line)
    draw_collar(p, path, spread=spread)


def _round_hem(p: Painter, body: Body) -> None:
    """A stitched line that rises towards the sides."""
    for line in both(
        [
            (0, body.length - 4, 1),
            (body.hem * 0.55, body.length - 5, 1),
            (body.hem - 8, body.length - 21, 1),
            (body.hem - 1, body.length - 30),
        ]
    ):
        p.stitch(line)


def draw_blouse(p: Painter, body: Body, *, tie: bool = False) -> None:
    """A woman's blouse, waisted, with darts."""
    draw_shirt(p, body, pockets=0, spread=16)
    for side in (-1, 1):
        x = MIDDLE + side * (body.waist * 0.52)
        p.seam([(x + side * 4, ARMPIT + 34), (x, 226, 1), (x + side * 2, body.length - 20)])
    if tie:
        for points in (half([(2, 286), (30, 278, 1), (36, 312, 1), (16, 300)]),
                       half([(2, 286), (18, 330, 1), (8, 352), (0, 330)])):  # fmt: skip
            for path in (shape(points), shape(flip(points))):
                p.piece(path)
        p.piece(oval(MIDDLE, 287, 9, 8), depth=1.1)


def draw_mandarin(p: Painter, body: Body) -> None:
    """A shirt with a band instead of a collar, buttoned half-way."""
    draw_back(p, body)
    draw_sleeves(p, body, cuff="shirt" if body.sleeve == "long" else "rolled")
    draw_body(p, body)
    draw_placket(p, 88, 176, 4, 7)
    p.seam([(MIDDLE - 7, 176), (MIDDLE + 7, 176)])
    left = half([(1, 92), (22, 74, 1), (31, 52), (36, 56), (26, 82, 1), (2, 102)])
    for points in (left, flip(left)):
        p.piece(shape(points), p.cloth.plain(tone(p.cloth.base, -0.08)), depth=0.7, wrinkle=0.2)
    for line in both(
        [
            (body.hem - 3, body.length - 30),
            (body.hem - 9, body.length - 28),
            (body.hem - 9, body.length),
        ]
    ):
        p.stitch(line)


REGULAR = {"chest": 72.0, "waist": 69.0, "hem": 73.0, "length": 346.0}
WAISTED = {"shoulder": 70.0, "chest": 64.0, "waist": 56.0, "hem": 66.0, "length": 328.0}

SHIRTS: dict[str, Garment] = {
    "Long sleeve": partial(draw_shirt, body=Body("Collar", "long", **REGULAR)),
    "Short sleeve": partial(draw_shirt, body=Body("Collar", "short", **REGULAR)),
    "Flap pockets": partial(
        draw_shirt, body=Body("Collar", "long", **REGULAR, loose=1.1), pockets=2
    ),
    "Rolled sleeve": partial(
        draw_shirt, body=Body("Collar", "three-quarter", **REGULAR), rolled=True
    ),
    "Resort": partial(
        draw_shirt, body=Body("Collar", "elbow", 88, 82, 81, 83, 322, 1.3), spread=34, curved=False
    ),
    "Blouse": partial(draw_blouse, body=Body("Collar", "long", **WAISTED)),
    "Tie front": partial(draw_blouse, body=Body("Collar", "short", 70, 64, 57, 60, 296), tie=True),
    "Mandarin collar": partial(draw_mandarin, body=Body("Collar", "long", **REGULAR)),
}
