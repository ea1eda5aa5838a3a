"""Upper garments in general: body, sleeves and neck, and the knitted and jersey ones among them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import skia

from scripts.draw_demo_catalogue.colours import tone
from scripts.draw_demo_catalogue.geometry import (
    HEIGHT,
    MIDDLE,
    WIDTH,
    Point,
    band,
    between,
    both,
    box,
    common,
    flip,
    half,
    oval,
    shape,
    spline,
    symmetric,
)  # fmt: skip
from scripts.draw_demo_catalogue.painter import Painter
from scripts.draw_demo_catalogue.patterns import Cloth

NECKS: dict[str, tuple[float, float]] = {
    "Crew neck": (33, 84), "V-neck": (33, 122), "Scoop neck": (44, 112), "Boat neck": (60, 74),
    "Polo neck": (26, 70), "Square neck": (46, 108), "Collar": (32, 86), "Hood": (34, 92),
    "High neck": (27, 72), "Straps": (37, 120), "Halter": (24, 78), "Open": (34, 200),
}  # fmt: skip
"""Half the width of each neckline at the shoulder, and how low it reaches."""

SLEEVES: dict[str, tuple[float, float, float]] = {
    "cap": (101, 108, 26), "short": (118, 152, 23), "elbow": (121, 190, 20),
    "three-quarter": (121, 238, 16), "long": (121, 300, 13),
}  # fmt: skip
"""Where the middle of a sleeve's end lies (from the middle, from the top), and half its width."""


@dataclass(frozen=True)
class Body:
    """Measures of an upper garment: half widths, and heights from the top of the picture."""

    neck: str = "Crew neck"
    sleeve: str = "short"
    shoulder: float = 80
    chest: float = 74
    waist: float = 71
    hem: float = 74
    length: float = 330
    loose: float = 1.0
    puff: float = 0.0
    tail: float = 0.0

    @property
    def neck_width(self) -> float:
        return NECKS[self.neck][0]

    @property
    def neck_depth(self) -> float:
        return NECKS[self.neck][1]


SHOULDER_TOP, SHOULDER_TIP, ARMPIT, WAIST = 56.0, 72.0, 142.0, 222.0


def neckline(body: Body) -> list[Point]:
    """The left half of the neckline, from its lowest point to the shoulder."""
    wide, low = body.neck_width, body.neck_depth
    top = SHOULDER_TOP + (0 if wide < 50 else 4)
    if body.neck in ("V-neck", "Open"):
        return [(0, low), (wide * 0.62, low - (low - top) * 0.56, 0.6), (wide, top)]
    if body.neck == "Straps":
        return [
            (0, low, 1),
            (wide * 0.5, low - 2, 1),
            (wide + 1, low - 12),
            (wide, low - 34, 0.6),
            (wide - 4, top),
        ]
    if body.neck == "Square neck":
        return [(0, low, 1), (wide - 3, low - 2), (wide - 1, low - 24, 0.6), (wide, top)]
    return [(0, low, 1), (wide * 0.66, low - (low - top) * 0.3, 1), (wide, top)]


def torso(body: Body) -> skia.Path:
    """The outline of the body without sleeves."""
    sides: list[Point] = [
        (body.shoulder - 3, SHOULDER_TIP - 0.4),
        (body.shoulder - 9, SHOULDER_TIP + 32, 1),
        (body.chest, ARMPIT),
        (body.waist, WAIST, 1),
        (body.hem, body.length - 4 - body.tail),
        (body.hem - 2 - body.tail * 0.3, body.length - body.tail * 0.8, 1),
        (body.hem * 0.55, body.length + 2, 1),
        (0, body.length + 4, 1),
    ]
    if body.sleeve == "none":
        thin = body.neck == "Straps"
        tip = min(body.neck_width + (3 if thin else 24), body.shoulder - 8)
        hollow = tip + 5 if thin else body.chest - 13
        sides[:2] = [
            (tip, SHOULDER_TOP + (1 if thin else 6)),
            (hollow, SHOULDER_TIP + (38 if thin else 34), 1),
        ]
    return symmetric([*neckline(body), *sides])


def sleeve_end(body: Body) -> tuple[float, float]:
    """The middle of the sleeve's end: how far from the middle, how far from the top."""
    far, low, wide = SLEEVES[body.sleeve]
    edge = 146 - wide * body.loose * 0.9  # inside the picture
    return min(far - (80 - body.shoulder) * 0.75, edge), low


def sleeve_points(body: Body) -> tuple[list[Point], tuple[Point, Point]]:
    """The left sleeve's outline, and the two ends of its cuff (outer, inner)."""
    far, low = sleeve_end(body)
    wide = SLEEVES[body.sleeve][2] * body.loose
    run = (far - body.shoulder * 0.86, low - 96)
    size = (run[0] ** 2 + run[1] ** 2) ** 0.5
    across = (run[1] / size * wide, -run[0] / size * wide)
    outer, inner = (far + across[0], low + across[1]), (far - across[0], low - across[1])
    bulge = 5 + body.puff
    mid_out = between((body.shoulder + 6, 92), outer, 0.4)
    mid_in = between((body.chest, ARMPIT), inner, 0.5)
    points: list[Point] = [
        (body.shoulder - 17, SHOULDER_TOP + 12.2),
        (body.shoulder + 3.5, SHOULDER_TIP + 6, 1),
        (mid_out[0] + bulge, mid_out[1] - bulge * 0.4, 1),
        outer,
        inner,
        (mid_in[0] + 1, mid_in[1], 0.6),
        (body.chest - 6, ARMPIT + 6),
        (body.shoulder - 18, 100),
    ]
    return half(points), (half([outer])[0], half([inner])[0])


def draw_sleeves(p: Painter, body: Body, *, cuff: str = "hem", cloth: Cloth | None = None) -> None:
    """Both sleeves behind the body, with folds at the elbow and a cuff of the kind asked for."""
    if body.sleeve == "none":
        return
    far, low = sleeve_end(body)
    lean = -0.62 * (far - body.shoulder * 0.86) / (low - 96) * 57
    left, (outer, inner) = sleeve_points(body)
    for side in (1, -1):
        points = left if side == 1 else flip(left)
        ends = (outer, inner) if side == 1 else tuple(flip([outer, inner]))
        path = shape(points)
        p.piece(path, cloth, angle=-side * lean, anchor=(ends[1][0], ends[1][1]), depth=0.95)
        _sleeve_folds(p, body, path, side, cloth)
        _cuff(p, path, ends[0], ends[1], cuff, cloth or p.cloth)


def _sleeve_folds(p: Painter, body: Body, path: skia.Path, side: int, cloth: Cloth | None) -> None:
    far, low = sleeve_end(body)
    chest = body.chest

    def at(x: float, y: float) -> Point:
        return (MIDDLE - side * x, y)

    lines = [(at(chest + 2, ARMPIT - 8), at(chest + 26, ARMPIT - 34))]
    if low > 180:
        lines += [
            (at(chest + 6, 168), at(chest + 36, 148)), (at(chest + 12, 196), at(chest + 38, 186)),
            (at(far + 14, 206), at(chest + 16, 222)), (at(chest + 14, 232), at(far + 10, 244)),
        ]  # fmt: skip
    if low > 260:
        lines += [(at(far + 10, 268), at(far - 14, 274)), (at(far - 12, 284), at(far + 12, 288))]
    p.folds(lines, 4.6, 0.75, within=path, cloth=cloth)


def _cuff(p: Painter, path: skia.Path, outer: Point, inner: Point, kind: str, cloth: Cloth) -> None:
    """The end of a sleeve: a stitched hem, a rib, a buttoned cuff, or a rolled one."""
    down = ((inner[1] - outer[1]), -(inner[0] - outer[0]))
    size = (down[0] ** 2 + down[1] ** 2) ** 0.5
    sign = 1 if down[1] < 0 else -1
    up = (down[0] / size * sign, down[1] / size * sign)
    depth = {"hem": 7, "rib": 15, "shirt": 17, "rolled": 13, "none": 0}[kind]
    if not depth:
        return
    lift = [(point[0] + up[0] * depth, point[1] + up[1] * depth) for point in (outer, inner)]
    if kind == "hem":
        p.stitch(common_line(path, lift[0], lift[1]))
        return
    wide = 1.16 if kind == "rolled" else 0.98
    middle = between(outer, inner, 0.5)
    ends = [between(middle, point, wide) for point in (outer, inner, lift[1], lift[0])]
    trim = replace(cloth.plain(), feel="ribbed") if kind == "rib" else cloth
    cuff = shape([*ends])
    p.cast(cuff, path, 2.5, 0.5, (0, -2))
    p.piece(cuff, trim, anchor=(outer[0], outer[1]), depth=0.7, wrinkle=0.4)
    if kind == "shirt":
        p.button(
            *between(between(ends[0], ends[3], 0.5), between(ends[1], ends[2], 0.5), 0.72), 1.8
        )


def common_line(path: skia.Path, start: Point, end: Point) -> skia.Path:
    """A line, cut off where it leaves the path."""
    strip = band([start, end], 0.5)
    cut = common(strip, path).computeTightBounds()
    if (end[0] - start[0]) * (end[1] - start[1]) >= 0:
        return spline([(cut.left(), cut.top()), (cut.right(), cut.bottom())])
    return spline([(cut.left(), cut.bottom()), (cut.right(), cut.top())])


def draw_back(p: Painter, body: Body, cloth: Cloth | None = None) -> None:
    """The inside of the back, seen through the neck, with the label."""
    wide = body.neck_width
    low = min(body.neck_depth + 6, 150)
    top = SHOULDER_TOP - 2
    square = body.neck == "Square neck"
    inside = symmetric([(0, top + 7, 1), (wide * 0.6, top + 4, 1), (wide + 1, top),
            (wide, low if square else low * 0.7),
                        (wide * 0.5, low, 1), (0, low + 4, 1)])  # fmt: skip
    p.piece(inside, cloth, depth=0.5, shade=0.6, wrinkle=0.3)
    p.line(both([(0, top + 13, 1), (wide * 0.6, top + 9, 1), (wide, top + 3)])[0], 0.8, -0.4, 0.6)
    p.line(both([(0, top + 13, 1), (wide * 0.6, top + 9, 1), (wide, top + 3)])[1], 0.8, -0.4, 0.6)
    p.fill(
        shape([(144, top + 9), (156, top + 9), (156, top + 16), (144, top + 16)]), (240, 238, 230)
    )


def draw_body(
    p: Painter, body: Body, *, cloth: Cloth | None = None, drape: float = 1.0
) -> skia.Path:
    """The front, with the folds that a hanging cloth has."""
    path = torso(body)
    p.piece(path, cloth, anchor=(MIDDLE, SHOULDER_TOP))
    lines = []
    for side in (-1, 1):
        lines += [
            ((MIDDLE + side * (body.chest - 2), ARMPIT + 2), (MIDDLE + side * 30, ARMPIT + 16)),
            ((MIDDLE + side * (body.chest - 4), ARMPIT + 12), (MIDDLE + side * 36, ARMPIT + 42)),
            ((MIDDLE + side * (body.chest - 8), ARMPIT - 10), (MIDDLE + side * 44, ARMPIT - 30)),
            ((MIDDLE + side * (body.chest - 6), ARMPIT + 26), (MIDDLE + side * 40, ARMPIT + 70)),
            ((MIDDLE + side * (body.waist - 4), WAIST - 4), (MIDDLE + side * 30, WAIST + 22)),
            ((MIDDLE + side * (body.waist - 16), WAIST + 26), (MIDDLE + side * (body.hem - 26),
            body.length - 8)),
            ((MIDDLE + side * 18, WAIST + 40), (MIDDLE + side * 26, body.length - 6)),
            ((MIDDLE + side * (body.shoulder - 16), 78), (MIDDLE + side * (body.chest - 24), 124)),
        ]  # fmt: skip
    p.folds(lines, 6.5, 0.6 * drape, within=path, cloth=cloth)
    if body.sleeve != "none":
        for seam in both([(body.shoulder - 3, SHOULDER_TIP - 0.4),
                (body.shoulder - 9, SHOULDER_TIP + 32, 1),
                          (body.chest, ARMPIT)]):  # fmt: skip
            p.seam(seam)
    return path


def draw_hem(p: Painter, body: Body, kind: str = "hem") -> None:
    """The lower edge: two rows of stitches, or a rib."""
    if kind == "rib":
        top = body.length - 22
        edge = body.hem + 0.6
        rib = symmetric([(0, top + 3, 1), (edge, top), (edge, body.length - 5),
                         (edge - 3, body.length, 1), (edge * 0.55, body.length + 3, 1),
                         (0, body.length + 5, 1)])  # fmt: skip
        p.piece(rib, replace(p.cloth.plain(), feel="ribbed"), depth=0.8, wrinkle=0.3)
        return
    for lift in (8, 10.5):
        for line in both([(0, body.length + 4 - lift, 1), (body.hem, body.length - lift)]):
            p.stitch(line)


def draw_neck_rib(p: Painter, body: Body, width: float = 8, cloth: Cloth | None = None) -> None:
    """The band around the neckline."""
    trim = cloth or replace(p.cloth.plain(), feel="ribbed")
    left = half(neckline(body))
    line = list(reversed(flip(left)))[:-1] + left
    top = left[-1][1] - 0.5  # no ears above the shoulders
    strip = common(band(line, width), box(0, top, WIDTH, HEIGHT))
    p.piece(strip, trim, depth=0.55, wrinkle=0.2)
    inner = [(x, y + width / 2 + 1.4, *rest) for x, y, *rest in line[1:-1]]
    p.stitch([line[0][:2], *inner, line[-1][:2]])


def draw_turtleneck(p: Painter, body: Body, height: float = 30) -> None:
    """A collar that stands up around the neck, turned over once."""
    wide = body.neck_width + 1
    top = SHOULDER_TOP - height + 4
    ribbed = replace(p.cloth.plain(), feel="ribbed")
    p.piece(oval(MIDDLE, top + 2, wide - 1, 6), ribbed, shade=0.9)
    collar = symmetric([(0, top + 6, 1), (wide * 0.7, top + 4, 1), (wide, top),
            (wide + 3, top + height * 0.6, 0.6),
                        (wide + 5, SHOULDER_TOP + 9), (wide * 0.6, body.neck_depth + 3, 1),
                        (0, body.neck_depth + 8, 1)])  # fmt: skip
    p.cast(collar, torso(body), 4, 0.7)
    p.piece(collar, ribbed)
    p.folds(
        [((MIDDLE - 18, top + height * 0.62), (MIDDLE + 16, top + height * 0.72))],
        4,
        0.7,
        within=collar,
    )


def draw_placket(p: Painter, top: float, bottom: float, buttons: int, width: float = 9) -> None:
    """The strip with the buttons."""
    strip = shape(
        [
            (MIDDLE - width, top),
            (MIDDLE + width, top),
            (MIDDLE + width, bottom),
            (MIDDLE - width, bottom),
        ]
    )
    p.seam([(MIDDLE + width, top), (MIDDLE + width, bottom)])
    p.stitch([(MIDDLE - width + 1.5, top), (MIDDLE - width + 1.5, bottom)])
    p.stitch([(MIDDLE + width - 2, top), (MIDDLE + width - 2, bottom)])
    p.fold((MIDDLE + width, top), (MIDDLE + width, bottom), 3, 0.5, within=strip)
    for number in range(buttons):
        share = (number + 0.5) / buttons
        p.button(MIDDLE, top + (bottom - top) * share)


def draw_graphic(p: Painter, kind: int) -> None:
    """A print on the chest: a sun over hills, a ring, or bars."""
    dark, pale = p.cloth.second, p.cloth.third
    if kind == 0:
        p.fill(oval(MIDDLE, 172, 30, 30), pale, 0.92)
        p.fill(common(oval(MIDDLE, 172, 30, 30), shape([(110, 186), (138, 168, 1), (156, 184, 1),
                (172, 172, 1),
               (192, 190), (192, 210), (110, 210)])), dark, 0.95)  # fmt: skip
    elif kind == 1:
        for radius, colour in ((30, dark), (21, p.cloth.base), (13, pale)):
            p.fill(oval(MIDDLE, 172, radius, radius), colour, 0.93)
    else:
        for number, colour in enumerate((dark, pale, tone(dark, 0.35))):
            y = 150 + 15 * number
            p.fill(shape([(112, y), (188, y), (182, y + 9), (106, y + 9)]), colour, 0.93)
