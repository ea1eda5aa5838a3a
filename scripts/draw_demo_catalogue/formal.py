"""Shoes of polished leather and boots, seen from the side like the others."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import skia

from scripts.draw_demo_catalogue.colours import lightness, mix, tone
from scripts.draw_demo_catalogue.geometry import band, box, common, oval, shape, spline
from scripts.draw_demo_catalogue.painter import Painter
from scripts.draw_demo_catalogue.patterns import Cloth
from scripts.draw_demo_catalogue.prints import stroke
from scripts.draw_demo_catalogue.shoes import (
    FLOOR,
    Last,
    draw_laces,
    draw_sole,
    draw_upper,
    inside,
    leather,
    stretched,
)  # fmt: skip
from scripts.draw_demo_catalogue.studio import Garment, floor_shadow


def draw_boot(p: Painter, *, laced: bool = False, heel: float = 14, tall: float = 0) -> None:
    """An ankle boot: a Chelsea boot with elastic at the side, or a laced one."""
    top = 92 - tall
    floor_shadow(p.canvas, 34, 262, FLOOR)
    last = Last(
        upper=[(36, 260), (38, 244, 1), (64, 224, 1), (108, 210, 1), (146, 178, 1),
                (154, 130, 1), (152, top), (200, top + 6, 1),
               (240, top - 2), (240, 140, 1), (236, 180, 1), (252, 214, 1), (254, 262),
               (150, 266, 1), (60, 266, 1)],
        opening=[(152, top), (178, top - 10, 1), (216, top - 11, 1), (240, top - 2),
                (214, top + 6, 1), (180, top + 6, 1)],
        sole=[(32, 256), (60, 262, 1), (150, 262, 1), (256, 256), (258, FLOOR), (206, FLOOR),
                (202, FLOOR - heel + 8), (150, 270, 1), (60, 273, 1), (36, 268, 1)],
    )  # fmt: skip
    path = draw_upper(p, last, replace(p.cloth, feel="leather"))
    p.folds(
        [((150, 176), (196, 196)), ((156, 190), (206, 204)), ((116, 212), (150, 236))],
        6,
        0.6,
        within=path,
    )
    p.gleam(oval(82, 232, 26, 7), path, 0.42 if lightness(p.cloth.base) > 0.2 else 0.25)
    p.gleam(band([(168, top + 12), (172, 150, 1), (166, 180)], 8), path, 0.28)
    (_boot_laces if laced else _boot_elastic)(p, path, top)
    draw_sole(p, last.sole, (92, 66, 46) if laced else (44, 36, 34), tread=10 if laced else 0)


def _boot_laces(p: Painter, path: skia.Path, top: float) -> None:
    """A toe cap, a counter at the heel, and laces all the way up."""
    dark = leather(p.cloth, tone(p.cloth.base, -0.12))
    inside(p, path, [(20, 270), (30, 220), (78, 216, 1), (96, 262)], dark)
    front = [(110, 212), (150, 176), (150, top - 4), (176, top), (172, 190, 1), (136, 232)]
    inside(p, path, front, leather(p.cloth, tone(p.cloth.base, -0.1)))
    cord = (88, 70, 50) if lightness(p.cloth.base) > 0.2 else (30, 30, 32)
    draw_laces(p, (116, 208), (156, top + 14), 8, cord)
    inside(p, path, [(212, 270), (224, 214, 1), (260, 206), (270, 270)], dark)


def _boot_elastic(p: Painter, path: skia.Path, top: float) -> None:
    """Elastic at the side and a loop to pull the boot on."""
    gusset = [(178, top - 2), (220, top - 2), (212, 160, 1), (200, 176), (188, 160, 1)]
    elastic = replace(p.cloth.plain(tone(p.cloth.base, -0.45)), feel="ribbed")
    p.piece(common(shape(gusset), path), elastic, depth=0.5)
    p.fill(box(236, top - 16, 245, top + 16, 2), tone(p.cloth.base, -0.4))


FORMAL = Last(
    upper=[(30, 258), (31, 247, 1), (52, 232, 1), (98, 216, 1), (140, 190, 0.8), (160, 176),
            (178, 190, 1), (214, 198, 1),
           (244, 184, 0.7), (254, 178), (258, 192, 1), (258, 230, 1), (260, 262), (150, 266, 1),
           (60, 266, 1)],
    opening=[(160, 176), (194, 168, 1), (228, 168, 1), (254, 178), (244, 186, 0.8),
            (214, 199, 1), (178, 191, 1)],
    sole=[(26, 256), (60, 262, 1), (150, 262, 1), (264, 256), (266, FLOOR), (204, FLOOR),
            (200, 270), (150, 268, 1), (60, 273, 1), (30, 266, 1)],
)  # fmt: skip


def draw_formal(p: Painter, kind: str) -> None:
    """A polished leather shoe: ``oxford``, ``brogue``, ``monk`` or ``loafer``."""
    floor_shadow(p.canvas, 28, 266, FLOOR)
    polished = replace(p.cloth, feel="leather")
    if kind in ("oxford", "brogue"):
        p.piece(
            shape([(132, 196), (150, 168, 1), (166, 164, 1), (174, 188)]),
            leather(p.cloth, tone(p.cloth.base, -0.2)),
        )
    path = draw_upper(p, FORMAL, polished)
    p.gleam(oval(72, 238, 26, 5.5), path, 0.5 if lightness(p.cloth.base) > 0.2 else 0.34)
    p.gleam(oval(236, 214, 7, 18), path, 0.25)
    dark = leather(p.cloth, tone(p.cloth.base, -0.1))
    {"oxford": _oxford, "brogue": _brogue, "monk": _monk, "loafer": _loafer}[kind](p, path, dark)
    draw_sole(p, FORMAL.sole, mix((52, 36, 28), p.cloth.base, 0.15))
    p.stitch(spline([(32, 258), (150, 264, 1), (260, 258)]), (176, 140, 100))


def _oxford(p: Painter, path: skia.Path, dark: Cloth) -> None:
    p.seam(spline([(78, 224), (90, 240, 1), (88, 262)]))
    inside(p, path, [(112, 214), (160, 168), (180, 190, 1), (168, 222, 1), (140, 236, 1)], dark)
    p.seam(spline([(204, 198), (214, 230, 1), (210, 262)]))
    draw_laces(p, (126, 206), (158, 184), 4, tone(p.cloth.base, -0.55))


def _brogue(p: Painter, path: skia.Path, dark: Cloth) -> None:
    inside(
        p, path, [(20, 262), (24, 240), (60, 226, 1), (86, 224), (104, 240, 1), (128, 262)], dark
    )
    inside(p, path, [(112, 214), (160, 168), (184, 192, 1), (180, 226, 1), (150, 240, 1)], dark)
    inside(p, path, [(206, 262), (212, 226, 1), (232, 196, 1), (262, 176), (270, 262)], dark)
    for line in (
        [(84, 228), (102, 242, 1), (124, 258)],
        [(122, 220), (148, 236, 1), (178, 224)],
        [(212, 256), (218, 226, 1), (236, 202)],
    ):
        paint = stroke(tone(p.cloth.base, -0.65), 2.2)
        paint.setPathEffect(skia.DashPathEffect.Make([0.1, 4.2], 0))
        p.canvas.drawPath(spline(line), paint)
    for x, y in ((56, 240), (62, 236), (62, 244), (68, 240)):
        p.fill(oval(x, y, 1, 1), tone(p.cloth.base, -0.65))
    draw_laces(p, (126, 206), (158, 184), 4, tone(p.cloth.base, -0.55))


def _monk(p: Painter, path: skia.Path, dark: Cloth) -> None:
    p.seam(spline([(78, 224), (90, 240, 1), (88, 262)]))
    inside(p, path, [(130, 194), (160, 172), (196, 206, 1), (190, 232), (160, 226, 1)], dark)
    strap = shape([(134, 196), (140, 188), (196, 212, 1), (192, 226)])
    p.cast(strap, path, 2.5, 0.8)
    p.piece(strap, dark)
    p.metal(box(180, 206, 198, 226, 3), (206, 182, 120), 2.4)


def _loafer(p: Painter, path: skia.Path, dark: Cloth) -> None:
    p.seam(spline([(60, 230), (76, 246, 1), (120, 236, 1), (152, 200)]), width=1.3)
    strap = common(shape([(114, 206), (132, 192), (172, 224), (166, 246), (150, 250)]), path)
    p.cast(strap, path, 2.5, 0.8)
    p.piece(strap, dark)
    p.fill(shape([(138, 214), (150, 222), (146, 228), (134, 220)]), tone(p.cloth.base, -0.6))


BOOTS: dict[str, Garment] = {
    "Chelsea boot": draw_boot,
    "Lace-up boot": partial(draw_boot, laced=True),
}
FORMAL_SHOES: dict[str, Garment] = {
    "Oxford": partial(stretched, garment=partial(draw_formal, kind="oxford"), across=1.1, up=0.86),
    "Brogue": partial(stretched, garment=partial(draw_formal, kind="brogue"), across=1.1, up=0.86),
    "Monk strap": partial(
        stretched, garment=partial(draw_formal, kind="monk"), across=1.1, up=0.86
    ),
    "Penny loafer": partial(
        stretched, garment=partial(draw_formal, kind="loafer"), across=1.1, up=0.8
    ),
}
