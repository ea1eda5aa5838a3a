"""Tshirts, tops, sweaters and sweatshirts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import skia

from scripts.draw_demo_catalogue.colours import tone
from scripts.draw_demo_catalogue.geometry import (
    MIDDLE,
    band,
    both,
    flip,
    half,
    oval,
    shape,
    symmetric,
    turned,
)  # fmt: skip
from scripts.draw_demo_catalogue.painter import Painter
from scripts.draw_demo_catalogue.studio import Garment
from scripts.draw_demo_catalogue.tops import (
    SHOULDER_TOP,
    Body,
    draw_back,
    draw_body,
    draw_graphic,
    draw_hem,
    draw_neck_rib,
    draw_placket,
    draw_sleeves,
    draw_turtleneck,
    torso,
)  # fmt: skip


def draw_tshirt(p: Painter, body: Body, graphic: int | None = None) -> None:
    draw_back(p, body)
    draw_sleeves(p, body)
    draw_body(p, body)
    if graphic is not None:
        draw_graphic(p, graphic)
    draw_hem(p, body)
    if body.neck == "Polo neck":
        draw_turtleneck(p, body)
    else:
        draw_neck_rib(p, body, 7)


def draw_polo(p: Painter, body: Body) -> None:
    """A polo shirt: ribbed collar and a short row of buttons."""
    draw_back(p, body)
    draw_sleeves(p, body, cuff="rib" if body.sleeve == "long" else "hem")
    path = draw_body(p, body)
    draw_hem(p, body)
    draw_placket(p, 90, 148, 3, 7.5)
    ribbed = replace(p.cloth.plain(), feel="ribbed")
    left = half([(1, 92), (33, 50), (38, 54, 1), (47, 72, 0.5), (24, 104), (8, 96, 0.5)])
    for points in (left, flip(left)):
        collar = shape(points)
        p.cast(collar, path, 3, 0.7)
        p.piece(collar, ribbed, angle=50 if points is left else -50, depth=0.7, wrinkle=0.3)


def draw_top(p: Painter, body: Body, extra: str = "") -> None:
    """A woman's top: a fine binding at the neck; tie, ruffle or peplum where asked for."""
    draw_back(p, body)
    draw_sleeves(p, body, cuff="hem")
    draw_body(p, body, drape=1.3)
    draw_neck_rib(p, body, 3.5, p.cloth.plain(tone(p.cloth.base, -0.12)))
    draw_hem(p, body)
    if extra == "peplum":
        _peplum(p, body)
    if extra == "ruffle":
        _ruffle(p, body)
    if extra == "tie":
        _bow(p)


def _peplum(p: Painter, body: Body) -> None:
    """A flared strip sewn on at the waist."""
    flare = symmetric([(0, 228, 1), (body.waist - 2, 222), (body.hem + 6, 280, 0.6),
            (body.hem + 20, body.length),
                       (44, body.length + 10, 1), (0, body.length + 6, 1)])  # fmt: skip
    p.piece(flare)
    lines = [
        ((MIDDLE + x * 0.7, 230), (MIDDLE + x * 1.3, body.length + 4))
        for x in (-60, -40, -18, 6, 26, 48, 62)
    ]
    p.folds(lines, 9, 0.7, within=flare)
    for line in both([(0, 228, 1), (body.waist - 2, 222)]):
        p.seam(line)


def _ruffle(p: Painter, body: Body) -> None:
    """A gathered strip across the chest."""
    wave = [(58 - 14.5 * step, 150 + (5 if step % 2 else -3), 1) for step in range(8)]
    left = half(
        [(0, 104), (52, 92), (62, 128), *[(x, y, 1) for x, y, _ in wave if x > 0], (0, 152)]
    )
    path = shape(left + flip(left)[::-1])
    p.cast(path, torso(body), 4, 0.8)
    p.piece(path)
    lines = [
        ((MIDDLE + x * 0.8, 104), (MIDDLE + x, 152)) for x in (-52, -37, -22, -8, 8, 22, 37, 52)
    ]
    p.folds(lines, 6, 0.7, within=path)


def _bow(p: Painter) -> None:
    """A bow at the neck with two hanging ends."""
    for points in (
        [(150, 96), (128, 84, 1), (122, 100, 1)],
        [(150, 96), (134, 140, 0.5), (140, 168), (150, 158)],
    ):
        for path in (shape(points), shape(flip(points))):
            p.piece(path, depth=0.8)
    p.piece(oval(MIDDLE, 96, 6, 6))


def draw_knit(p: Painter, body: Body, *, cable: bool = False, cardigan: bool = False) -> None:
    """A sweater: ribbed neck, cuffs and hem; cables or buttons down the front."""
    draw_back(p, body)
    draw_sleeves(p, body, cuff="rib")
    draw_body(p, body)
    if cable:
        for x in (-34, 0, 34):
            _cable(p, MIDDLE + x, body.neck_depth + 8 if x == 0 else 104, body.length - 24)
    draw_hem(p, body, "rib")
    if cardigan:
        _cardigan_front(p, body)
    elif body.neck == "Polo neck":
        draw_turtleneck(p, body)
    else:
        draw_neck_rib(p, body, 10)


def _cable(p: Painter, x: float, top: float, bottom: float) -> None:
    """Two strands that twist around each other."""
    p.line([(x - 11, top), (x - 11, bottom)], 1.6, -0.4, 0.5, blur=0.8)
    p.line([(x + 11, top), (x + 11, bottom)], 1.6, -0.4, 0.5, blur=0.8)
    y = top
    while y + 18 <= bottom:
        strand = turned(oval(x, y + 9, 5.4, 12), 32, (x, y + 9))
        p.line(strand, 2.5, -0.6, 0.35, blur=1.2)
        p.piece(strand, depth=0.9, wrinkle=0, angle=32)
        y += 10.5


def _cardigan_front(p: Painter, body: Body) -> None:
    """The ribbed edge and the buttons of a cardigan."""
    ribbed = replace(p.cloth.plain(), feel="ribbed")
    left = half([(body.neck_width, SHOULDER_TOP), (18, 104, 0.6), (4, 138), (4, body.length + 3)])
    for points in (flip(left), left):
        p.piece(band(points, 10), ribbed, depth=0.6, wrinkle=0.2)
    for number in range(5):
        p.button(MIDDLE + 3, 152 + (body.length - 170) * number / 4, 3.2)


def draw_sweatshirt(
    p: Painter, body: Body, *, hood: bool = False, zipped: bool = False, pocket: bool = False
) -> None:
    """A sweatshirt, with or without hood, zip and pocket."""
    if hood:
        _hood_back(p)
    draw_back(p, body)
    draw_sleeves(p, body, cuff="rib")
    path = draw_body(p, body)
    if pocket:
        _kangaroo(p, path)
    draw_hem(p, body, "rib")
    if zipped:
        p.zipper([(MIDDLE, body.neck_depth + 2), (MIDDLE, body.length + 3)])
    if hood:
        _hood_front(p, path)
    else:
        draw_neck_rib(p, body, 10)


def _kangaroo(p: Painter, within: skia.Path) -> None:
    pocket = symmetric([(0, 238), (34, 238), (56, 286), (56, 307), (0, 307)])
    p.cast(pocket, within, 2.5, 0.4, (0, 1))
    p.piece(pocket, depth=0.5, edge=0.8, anchor=(MIDDLE, SHOULDER_TOP))
    for line in both([(32, 241), (52, 287)]):
        p.stitch(line)


def _hood_back(p: Painter) -> None:
    hood = symmetric([(0, 18, 1), (36, 26, 1), (52, 58, 1), (40, 92, 1), (0, 100, 1)])
    p.piece(hood, shade=0.25)
    p.piece(symmetric([(0, 34, 1), (25, 42, 1), (32, 66, 1), (20, 98, 1), (0, 106, 1)]), shade=1.0)


def _hood_front(p: Painter, within: skia.Path) -> None:
    """The two sides of a hood that lies open, and its cords."""
    left = half(
        [
            (0, 112),
            (22, 92, 1),
            (32, 62, 1),
            (24, 38, 1),
            (37, 28, 1),
            (55, 62, 1),
            (46, 92, 1),
            (16, 116, 1),
        ]
    )
    for points in (left, flip(left)):
        side = shape(points)
        p.cast(side, within, 4, 0.6)
        p.piece(side, angle=12 if points is left else -12)
    for x, low in ((134, 176), (166, 170)):
        cord = [(x, 106), (x - (MIDDLE - x) * 0.12, 140, 1), (x, low)]
        p.canvas.save()
        p.line(cord, 2.6, -0.55, 0.9)
        p.line(cord, 1.6, 0.75, 1.0)
        p.canvas.restore()
        p.metal(oval(x, 106, 1.6, 1.6), width=1.2)


FITTED = {"shoulder": 68.0, "chest": 62.0, "waist": 55.0, "hem": 64.0, "length": 312.0}
LOOSE = {
    "shoulder": 90.0,
    "chest": 86.0,
    "waist": 85.0,
    "hem": 86.0,
    "length": 326.0,
    "loose": 1.25,
}
CROPPED = {"shoulder": 74.0, "chest": 70.0, "waist": 68.0, "hem": 68.0, "length": 250.0}

TSHIRTS: dict[str, Garment] = {
    "Crew neck": partial(draw_tshirt, body=Body()),
    "V-neck": partial(draw_tshirt, body=Body("V-neck")),
    "Long sleeve": partial(draw_tshirt, body=Body(sleeve="long", chest=70, waist=67, hem=70)),
    "Graphic": partial(draw_tshirt, body=Body(), graphic=0),
    "Graphic ring": partial(draw_tshirt, body=Body(), graphic=1),
    "Polo": partial(draw_polo, body=Body("Collar")),
    "Fitted scoop neck": partial(draw_tshirt, body=Body("Scoop neck", "cap", **FITTED)),
    "Oversized": partial(draw_tshirt, body=Body(sleeve="elbow", **LOOSE)),
}
TOPS: dict[str, Garment] = {
    "Camisole": partial(draw_top, body=Body("Straps", "none", **FITTED)),
    "Tank": partial(draw_top, body=Body("Scoop neck", "none", **FITTED)),
    "Peplum": partial(draw_top, body=Body("Scoop neck", "cap", **FITTED), extra="peplum"),
    "Ruffle": partial(draw_top, body=Body("Scoop neck", "short", **FITTED), extra="ruffle"),
    "Boat neck": partial(draw_top, body=Body("Boat neck", "three-quarter", **FITTED)),
    "Bow blouse": partial(
        draw_top, body=Body("V-neck", "long", 72, 66, 62, 66, 316, 1.35, 6), extra="tie"
    ),
    "Cropped": partial(draw_top, body=Body("Square neck", "short", **CROPPED, puff=9)),
}
SWEATERS: dict[str, Garment] = {
    "Crew neck": partial(draw_knit, body=Body(sleeve="long", loose=1.15)),
    "V-neck": partial(draw_knit, body=Body("V-neck", "long", loose=1.1)),
    "Polo neck": partial(draw_knit, body=Body("Polo neck", "long", loose=1.1)),
    "Cable": partial(
        draw_knit, body=Body(sleeve="long", loose=1.25, chest=78, waist=77, hem=78), cable=True
    ),
    "Cardigan": partial(draw_knit, body=Body("V-neck", "long", loose=1.1), cardigan=True),
    "Sleeveless": partial(draw_knit, body=Body("V-neck", "none", chest=70, waist=67, hem=69)),
}
SWEATSHIRTS: dict[str, Garment] = {
    "Crew neck": partial(
        draw_sweatshirt, body=Body(sleeve="long", loose=1.3, chest=78, waist=78, hem=78)
    ),
    "Hoodie": partial(
        draw_sweatshirt,
        body=Body("Hood", "long", loose=1.3, chest=78, waist=78, hem=78),
        hood=True,
        pocket=True,
    ),
    "Zip hoodie": partial(
        draw_sweatshirt,
        body=Body("Hood", "long", loose=1.3, chest=78, waist=78, hem=78),
        hood=True,
        zipped=True,
        pocket=True,
    ),
    "Cropped": partial(
        draw_sweatshirt,
        body=Body(sleeve="long", loose=1.35, chest=80, waist=79, hem=76, length=268),
    ),
}
