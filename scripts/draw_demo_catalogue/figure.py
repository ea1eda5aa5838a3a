"""A person to wear the clothes: head, arms and legs, in the measures that garments are drawn in."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.draw_demo_catalogue.colours import RGB, mix, tone
from scripts.draw_demo_catalogue.geometry import (
    MIDDLE,
    Points,
    band,
    half,
    oval,
    shape,
    spline,
    symmetric,
)
from scripts.draw_demo_catalogue.painter import Painter
from scripts.draw_demo_catalogue.patterns import Cloth

Joints = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Person:
    """How somebody looks, and where the hands and feet are (from the middle, from the top)."""

    skin: RGB = (214, 164, 132)
    hair: RGB = (74, 50, 36)
    long_hair: bool = True
    left_arm: Joints = ((76, 84), (98, 170), (104, 250))
    right_arm: Joints = ((-76, 84), (-98, 170), (-104, 250))
    left_leg: Joints = ((28, 300), (30, 470), (32, 640))
    right_leg: Joints = ((-28, 300), (-34, 470), (-44, 632))
    shoes: RGB = (240, 238, 232)


def skin(person: Person) -> Cloth:
    return Cloth(person.skin, person.skin, person.skin, feel="satin")


def limb(p: Painter, person: Person, joints: Joints, widths: tuple[float, float]) -> None:
    """An arm or a leg, in two parts that meet in a bend."""
    points: Points = [(x, y, 1) for x, y in half(list(joints))]
    p.piece(band(points, widths), skin(person), wrinkle=0.2, depth=0.9)


def draw_legs(p: Painter, person: Person, *, shoes: bool = True) -> None:
    """Legs and shoes; drawn before what hangs over them."""
    for joints in (person.right_leg, person.left_leg):
        limb(p, person, joints, (44, 20))
        x, y = half([joints[-1]])[0][:2]
        if shoes:
            draw_shoe(p, x, y, person.shoes)


def draw_shoe(p: Painter, x: float, y: float, colour: RGB) -> None:
    """A shoe seen from the front."""
    p.piece(shape([(x - 14, y - 16), (x + 14, y - 16), (x + 20, y + 14, 1), (x, y + 24, 1),
            (x - 20, y + 14, 1)]),
            Cloth(colour, colour, colour, feel="leather"), wrinkle=0.2)  # fmt: skip
    p.fill(
        shape(
            [
                (x - 19, y + 15),
                (x, y + 25, 1),
                (x + 19, y + 15),
                (x + 19, y + 20),
                (x, y + 29, 1),
                (x - 19, y + 20),
            ]
        ),
        (60, 56, 54),
    )
    for step in range(3):
        p.line(
            [(x - 7, y - 8 + 6 * step), (x + 7, y - 6 + 6 * step)],
            1.6,
            0,
            1,
            cloth=Cloth(tone(colour, -0.3), colour, colour),
        )


def draw_arms(p: Painter, person: Person, widths: tuple[float, float] = (30, 17)) -> None:
    """Arms and hands; drawn before the sleeves."""
    for joints in (person.left_arm, person.right_arm):
        limb(p, person, joints, widths)
        x, y = half([joints[-1]])[0][:2]
        hand = shape(
            [
                (x - 8, y - 6),
                (x + 8, y - 6),
                (x + 10, y + 16, 1),
                (x + 3, y + 32, 1),
                (x - 7, y + 28, 1),
                (x - 11, y + 12, 1),
            ]
        )
        p.piece(hand, skin(person), wrinkle=0.2)
        for shift in (-3, 1, 4):
            p.line([(x + shift, y + 14), (x + shift, y + 28)], 0.9, -0.35, 0.7, cloth=skin(person))


def draw_hair(p: Painter, person: Person) -> None:
    """The hair that falls behind the shoulders."""
    hair = Cloth(person.hair, person.hair, person.hair, feel="satin")
    p.piece(
        shape(
            [
                (150, -66, 1),
                (192, -44, 1),
                (204, 20, 1),
                (202, 116, 1),
                (150, 104, 1),
                (98, 116, 1),
                (96, 20, 1),
                (108, -44, 1),
            ]
        ),
        hair,
    )


def draw_neck(
    p: Painter, person: Person, wide: float, low: float, *, pointed: bool = False
) -> None:
    """The neck, and the skin that a neckline shows: ``wide`` at the shoulders, down to ``low``."""
    bend = 0.3 if pointed else 1.0
    chest = [
        (0, low, bend),
        (wide * 0.62, low - (low - 60) * (0.5 if pointed else 0.28), bend),
        (wide, 60),
        (17, 48),
        (0, 44),
    ]
    p.piece(symmetric(chest), skin(person), wrinkle=0.1, depth=0.6)
    neck = symmetric([(0, 10), (17, 12), (17, 44, 0.8), (24, 60, 1), (0, 66, 1)])
    p.piece(neck, skin(person), wrinkle=0.1, shade=0.2, edge=0)
    for side in (-1, 1):
        p.line(
            [(MIDDLE + side * 4, 72), (MIDDLE + side * wide * 0.6, 66)],
            1.6,
            -0.35,
            0.5,
            cloth=skin(person),
            blur=1,
        )


def draw_head(p: Painter, person: Person) -> None:
    """Face and fringe."""
    hair = Cloth(person.hair, person.hair, person.hair, feel="satin")
    p.piece(
        shape(
            [
                (150, -56, 1),
                (184, -34, 1),
                (185, 2, 1),
                (172, 32, 1),
                (150, 44, 1),
                (128, 32, 1),
                (115, 2, 1),
                (116, -34, 1),
            ]
        ),
        skin(person),
        wrinkle=0.1,
    )
    _face(p, person)
    fringe = shape(
        [
            (114, 2),
            (108, -40, 1),
            (128, -68, 1),
            (170, -68, 1),
            (192, -38, 1),
            (186, 4),
            (180, -24, 1),
            (158, -42, 1),
            (126, -30, 1),
        ]
    )
    p.piece(fringe, hair)
    for x in (-30, -12, 8, 26):
        p.line(
            spline([(MIDDLE + x * 0.4, -64), (MIDDLE + x, -40, 1), (MIDDLE + x * 1.3, -20)]),
            1.6,
            0.25,
            0.4,
            cloth=hair,
        )


def _face(p: Painter, person: Person) -> None:
    """Eyes, brows, nose and mouth, no sharper than they are at that distance."""
    for side in (-1, 1):
        x = MIDDLE + side * 15
        p.fill(oval(x, -6, 5.4, 3), (250, 246, 242))
        p.fill(oval(x, -6, 2.9, 3), (56, 40, 32))
        p.line(
            [(x - 7, -14), (x, -17, 1), (x + 7, -14)],
            2.2,
            -0.4,
            0.9,
            cloth=Cloth(person.hair, person.hair, person.hair),
        )
        p.fill(oval(MIDDLE + side * 20, 9, 9, 6), (220, 110, 96), 0.25, 4)
    p.line([(150, -4), (153, 10, 1), (147, 13)], 1.6, -0.3, 0.6, cloth=skin(person))
    p.fill(
        shape([(138, 24), (150, 21, 1), (162, 24), (150, 30, 1)]),
        mix(person.skin, (168, 66, 70), 0.55),
    )
