"""The sample pictures: other poses and other places than the catalogue's, some of them streets."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import skia

from scripts.draw_demo_catalogue import bags, bottoms, coats, dresses, formal, jersey, shoes
from scripts.draw_demo_catalogue.bottoms import STRAIGHT
from scripts.draw_demo_catalogue.colours import COLOURS, COMPANIONS
from scripts.draw_demo_catalogue.figure import (
    Person,
    draw_arms,
    draw_hair,
    draw_head,
    draw_legs,
    draw_neck,
    draw_shoe,
)  # fmt: skip
from scripts.draw_demo_catalogue.geometry import HEIGHT, MIDDLE, WIDTH, oval, spline
from scripts.draw_demo_catalogue.painter import Painter, blurred
from scripts.draw_demo_catalogue.patterns import Cloth
from scripts.draw_demo_catalogue.prints import fill, stroke
from scripts.draw_demo_catalogue.scenes import (
    begin_blur,
    camera,
    fade,
    grain,
    houses,
    lights,
    pavement,
    planks,
    trees,
    wall,
    window_light,
)  # fmt: skip
from scripts.draw_demo_catalogue.studio import Garment, developed, layer, surface

SIZE = (450, 600)
SLEEVED = ((80.0, 96.0), (106.0, 200.0), (120.0, 304.0))
"""Where arms run that long sleeves hide."""

QUALITY = 82


def cloth(colour: str, pattern: str = "Solid", feel: str = "plain", scale: float = 1.0) -> Cloth:
    second, third = COMPANIONS[colour]
    return Cloth(COLOURS[colour], COLOURS[second], COLOURS[third], pattern, feel, 0, scale)


def place(canvas: skia.Canvas, *, turn: float = 0, size: float = 1.0, to: tuple[float,
        float] = (MIDDLE, HEIGHT / 2),
          mirror: bool = False, lean: float = 0.0) -> None:  # fmt: skip
    """Turn, size, mirror and slant what follows about the middle of the picture."""
    canvas.translate(*to)
    canvas.rotate(turn)
    canvas.scale(-size if mirror else size, size)
    canvas.skew(lean, 0)
    canvas.translate(-MIDDLE, -HEIGHT / 2)


def laid(canvas: skia.Canvas, garment: Garment, of: Cloth, seed: int, *, shadow: tuple[float,
        float] = (7, 9), blur: float = 7,
         strength: float = 0.5, **pose: object) -> None:  # fmt: skip
    """A garment on what is behind it, with the shadow that it throws there."""
    canvas.save()
    place(canvas, **pose)  # type: ignore[arg-type]
    layer(canvas, blur, shadow, strength)
    garment(Painter(canvas, of, random.Random(seed)))
    canvas.restore()
    canvas.restore()


def hanger(canvas: skia.Canvas) -> None:
    """A wooden hanger, its hook over a nail."""
    hook = spline([(150, 46), (150, 30, 1), (160, 20, 1), (158, 6, 1), (146, 4, 1), (142, 12)])
    canvas.drawPath(hook, stroke((70, 70, 74), 3.4))
    canvas.drawPath(hook, stroke((200, 200, 206), 1.6))
    arms = spline([(84, 76), (120, 56, 1), (150, 46, 1), (180, 56, 1), (216, 76)])
    canvas.drawPath(arms, stroke((112, 74, 44), 9))
    canvas.drawPath(arms, stroke((176, 126, 80), 4))


def red_dress(canvas: skia.Canvas) -> None:
    """On a hanger before a pale wall."""
    wall(canvas, (238, 237, 234), 3, rough=0.05)
    canvas.save()
    canvas.translate(4, 12)
    canvas.rotate(-2.5, MIDDLE, 0)
    canvas.save()
    canvas.translate(MIDDLE, 44)
    canvas.scale(0.56, 0.86)
    canvas.translate(-MIDDLE, -46)
    hanger(canvas)
    canvas.restore()
    garment = dresses.DRESSES["Pleated"]
    laid(
        canvas,
        garment,
        cloth("Red"),
        4,
        shadow=(9, 8),
        blur=8,
        strength=0.28,
        lean=0.03,
        to=(MIDDLE, HEIGHT / 2 + 14),
        size=1.06,
    )
    canvas.restore()
    camera(canvas, 5, noise=0.06, corners=0.1)


def blue_tshirt(canvas: skia.Canvas) -> None:
    """Thrown on a wooden floor, in the sun of a window."""
    planks(canvas, (178, 128, 84), random.Random(8))
    laid(
        canvas,
        jersey.TSHIRTS["V-neck"],
        cloth("Blue"),
        31,
        turn=-17,
        size=0.98,
        shadow=(4, 6),
        blur=5,
    )
    window_light(canvas, 0.1)
    camera(canvas, 2, warmth=0.3, noise=0.16)


def green_sweater(canvas: skia.Canvas) -> None:
    """On a hanger before a coloured wall."""
    wall(canvas, (222, 160, 120), 12)
    canvas.save()
    canvas.rotate(3, MIDDLE, 0)
    canvas.translate(0, 22)
    hanger(canvas)
    laid(
        canvas,
        jersey.SWEATERS["Cable"],
        cloth("Green", feel="knit"),
        9,
        shadow=(14, 12),
        blur=10,
        lean=-0.04,
    )
    canvas.restore()
    camera(canvas, 7, warmth=0.15, noise=0.14)


def brown_handbag(canvas: skia.Canvas) -> None:
    """On a table by a wall."""
    wall(canvas, (206, 214, 210), 21, rough=0.18)
    fade(canvas, (196, 156, 116), (150, 108, 72), 306)
    canvas.drawRect(skia.Rect.MakeLTRB(0, 304, WIDTH, 308), blurred(fill((70, 46, 30), 0.6), 2))
    canvas.drawPath(oval(172, 344, 120, 12), blurred(fill((40, 24, 14), 0.7), 8))
    laid(
        canvas,
        bags.HANDBAGS["Satchel"],
        cloth("Brown"),
        5,
        mirror=True,
        turn=0,
        lean=-0.03,
        size=0.98,
        to=(MIDDLE, 204),
        shadow=(-4, 2),
    )
    camera(canvas, 3, warmth=0.2, noise=0.12)


def white_sneaker(canvas: skia.Canvas) -> None:
    """On concrete, pointing the other way."""
    wall(canvas, (150, 158, 166), 33, rough=0.25)
    fade(canvas, (176, 176, 172), (140, 140, 138), 262)
    grain(canvas, 0.3, 0.3, 0.2, 4)
    canvas.drawPath(oval(MIDDLE, 330, 136, 15), blurred(fill((20, 20, 24), 0.65), 8))
    laid(
        canvas,
        shoes.SPORTS_SHOES["Court"],
        cloth("White"),
        14,
        mirror=True,
        size=1.02,
        turn=3,
        to=(MIDDLE, 252),
        shadow=(-2, 3),
        blur=4,
    )
    camera(canvas, 9, noise=0.16)


def black_boot(canvas: skia.Canvas) -> None:
    """On the boards of a hall."""
    wall(canvas, (202, 190, 170), 41, rough=0.2)
    fade(canvas, (150, 104, 66), (120, 78, 48), 290)
    canvas.drawRect(skia.Rect.MakeLTRB(0, 274, WIDTH, 292), fill((236, 232, 224)))
    canvas.drawRect(skia.Rect.MakeLTRB(0, 290, WIDTH, 294), blurred(fill((40, 24, 14), 0.8), 2))
    canvas.drawPath(oval(MIDDLE, 344, 126, 12), blurred(fill((16, 10, 6), 0.75), 7))
    laid(
        canvas,
        formal.BOOTS["Chelsea boot"],
        cloth("Black"),
        6,
        mirror=True,
        size=1.16,
        turn=-2,
        to=(MIDDLE, 252),
        shadow=(-3, 3),
        blur=4,
    )
    camera(canvas, 11, warmth=0.1, noise=0.16)


def walker(
    canvas: skia.Canvas,
    wear: Callable[[Painter], None],
    *,
    size: float,
    top: float,
    seed: int,
    turn: float = 0,
) -> None:
    """Somebody in a street, with a long shadow on the ground."""
    canvas.drawPath(oval(MIDDLE + 34, 384, 86, 9), blurred(fill((20, 18, 24), 0.5), 7))
    canvas.save()
    canvas.translate(MIDDLE, top)
    canvas.rotate(turn)
    canvas.scale(size, size)
    canvas.skew(0.02, 0)
    canvas.translate(-MIDDLE, 0)
    layer(canvas, 4, (5, 3), 0.35)
    painter = Painter(canvas, cloth("White"), random.Random(seed))
    wear(painter)
    canvas.restore()
    canvas.restore()


def dressed(p: Painter, garment: Garment, of: Cloth) -> None:
    """Draw a garment of another cloth in the same place."""
    garment(Painter(p.canvas, of, p.dice))


def street_dress(canvas: skia.Canvas) -> None:
    """A woman in a flowered dress between houses."""
    dice = random.Random(17)
    begin_blur(canvas, 3.4)
    houses(canvas, dice, ((206, 170, 138), (150, 172, 178), (222, 206, 180), (180, 120, 104)), 292)
    pavement(canvas, (168, 160, 152), 290)
    lights(canvas, dice, 12, 180, 290)
    canvas.restore()
    person = Person(skin=(206, 152, 120), hair=(92, 56, 34), left_arm=((57, 80), (88, 150),
            (80, 238)), right_arm=((-56, 80), (-78, 160), (-100, 244)),
                    left_leg=((22, 300), (26, 420), (22, 530)), right_leg=((-22, 300),
                            (-24, 420), (-40, 526)), shoes=(196, 120, 76))  # fmt: skip

    def wear(p: Painter) -> None:
        draw_legs(p, person)
        draw_hair(p, person)
        draw_arms(p, person)
        p.canvas.save()
        p.canvas.translate(MIDDLE, 0)
        p.canvas.scale(1.2, 1.2)
        p.canvas.translate(-MIDDLE, 15)
        dressed(p, dresses.DRESSES["A-line"], cloth("Yellow", "Floral", scale=0.9))
        p.canvas.restore()
        draw_neck(p, person, 43, 117)
        draw_head(p, person)

    walker(canvas, wear, size=0.86, top=-12, seed=3, turn=1.5)
    camera(canvas, 15, warmth=0.35, noise=0.3, corners=0.5)


def street_jacket(canvas: skia.Canvas) -> None:
    """A man in a denim jacket under trees."""
    dice = random.Random(23)
    begin_blur(canvas, 3.8)
    fade(canvas, (196, 214, 226), (150, 168, 150))
    trees(canvas, dice, 300)
    pavement(canvas, (176, 170, 156), 296)
    lights(canvas, dice, 16, 60, 240)
    canvas.restore()
    person = Person(
        skin=(150, 100, 72),
        hair=(34, 26, 24),
        long_hair=False,
        left_arm=SLEEVED,
        right_arm=tuple((-x, y) for x, y in SLEEVED),
    )

    def wear(p: Painter) -> None:
        p.canvas.save()
        p.canvas.translate(0, 216)
        dressed(
            p,
            partial(bottoms.draw_trousers, legs=replace(STRAIGHT, waist=58, length=400)),
            cloth("Beige"),
        )
        p.canvas.restore()
        for x in (-40, 42):
            draw_shoe(p, MIDDLE + x, 626, (236, 234, 228))
        draw_arms(p, person, widths=(18, 15))
        dressed(
            p,
            partial(
                jersey.draw_tshirt,
                body=replace(jersey.Body(), sleeve="none", shoulder=58, length=312),
            ),
            cloth("White"),
        )
        dressed(p, coats.JACKETS["Denim"], cloth("Blue", feel="denim"))
        draw_neck(p, person, 25, 86, pointed=True)
        draw_head(p, person)

    walker(canvas, wear, size=0.82, top=-8, seed=8, turn=-1)
    camera(canvas, 19, warmth=0.2, noise=0.3, corners=0.5)


@dataclass(frozen=True)
class Sample:
    """A sample picture, and the type that it shows."""

    name: str
    draw: Callable[[skia.Canvas], None]


SAMPLES: Sequence[Sample] = (
    Sample("red-dress", red_dress),
    Sample("blue-tshirt", blue_tshirt),
    Sample("green-sweater", green_sweater),
    Sample("brown-handbag", brown_handbag),
    Sample("white-sneaker", white_sneaker),
    Sample("black-boot", black_boot),
    Sample("street-dress", street_dress),
    Sample("street-jacket", street_jacket),
)


def write_samples(folder: Path) -> int:
    """Write ``<name>.jpg`` for each sample; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        made = surface()
        sample.draw(made.getCanvas())
        path = folder / f"{sample.name}.jpg"
        developed(made, SIZE).save(path, "JPEG", quality=QUALITY, optimize=True)
    return len(SAMPLES)
