"""How often the page says "No garment seen in this picture", of pictures without a garment and of
pictures with one.

    python benchmarks/no_garment.py --index cache/demo-... [--without FOLDER] [--garments FOLDER]

Pictures without a garment are drawn here: landscapes, houses, cars, cups, balls, boxes, pages of
text, charts, tiles, colours and noise, eight of each. ``--without`` names a folder of photographs
that show none, ``--garments`` folders of such that do.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from at_hand import index as index_at
from common import finish, parsed, parser_of, table
from PIL import Image, ImageDraw, ImageFont

from fitting_room.facade import FittingRoom
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.settings import Settings

EACH = 8
Drawing = Callable[[np.random.Generator, int], Image.Image]
WORDS = ["the", "of", "and", "to", "in", "is", "that", "for", "it", "as", "was", "with", "be", "by"]


def colour(random: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = random.integers(30, 240, 3).tolist()
    return red, green, blue


def landscape(random: np.random.Generator, number: int) -> Image.Image:
    picture = Image.new("RGB", (640, 480), colour(random))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((500, 40, 580, 120), fill=(250, 220, 90))
    for hill in range(3):
        line = [
            (x, 260 + 60 * hill + 40 * math.sin(x / 70 + hill + number)) for x in range(0, 641, 8)
        ]
        draw.polygon([*line, (640, 480), (0, 480)], fill=colour(random))
    return picture


def house(random: np.random.Generator, number: int) -> Image.Image:
    picture = landscape(random, number)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((200, 220, 440, 430), fill=colour(random))
    draw.polygon([(180, 220), (320, 120), (460, 220)], fill=(150, 50, 40))
    draw.rectangle((290, 320, 350, 430), fill=(80, 50, 20))
    return picture


def car(random: np.random.Generator, number: int) -> Image.Image:
    picture = landscape(random, number)
    draw = ImageDraw.Draw(picture)
    body = colour(random)
    draw.polygon([(180, 330), (240, 270), (400, 270), (450, 330)], fill=body)
    draw.rectangle((130, 325, 510, 390), fill=body)
    for left in (180, 400):
        draw.ellipse((left, 360, left + 70, 430), fill=(20, 20, 20))
    return picture


def cup(random: np.random.Generator, _: int) -> Image.Image:
    picture, glaze = Image.new("RGB", (480, 480), "white"), colour(random)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((300, 180, 400, 320), outline=glaze, width=22)
    draw.rectangle((130, 150, 330, 350), fill=glaze)
    draw.ellipse((130, 310, 330, 390), fill=glaze)
    draw.ellipse((130, 120, 330, 190), fill=(60, 50, 50))
    return picture


def ball(random: np.random.Generator, number: int) -> Image.Image:
    down, across = (np.mgrid[:480, :480] - 240) / 170
    up = np.sqrt(np.clip(1 - down**2 - across**2, 0, 1))
    light = np.clip(0.25 + 0.75 * (0.8 * up - 0.4 * across - 0.5 * down), 0, 1)[..., None]
    ground = np.full((480, 480, 3), 255 if number % 2 else 205)
    lit = np.where((up > 0)[..., None], np.array(colour(random)) * light, ground)
    return Image.fromarray(lit.astype(np.uint8))


def box(random: np.random.Generator, number: int) -> Image.Image:
    picture = Image.new("RGB", (480, 480), "white" if number % 2 else (120, 140, 120))
    draw, paint = ImageDraw.Draw(picture), colour(random)
    sides = (
        (1.0, [(120, 180), (300, 140), (400, 200), (220, 250)]),
        (0.75, [(120, 180), (220, 250), (220, 400), (120, 330)]),
        (0.55, [(220, 250), (400, 200), (400, 350), (220, 400)]),
    )
    for light, side in sides:
        draw.polygon(side, fill=(*(int(value * light) for value in paint),))
    return picture


def page(random: np.random.Generator, _: int) -> Image.Image:
    picture = Image.new("RGB", (600, 800), "white")
    for top in range(40, 760, 22):
        line = " ".join(random.choice(WORDS, 14))
        ImageDraw.Draw(picture).text((50, top), line, fill="black", font=ImageFont.load_default(16))
    return picture


def chart(random: np.random.Generator, _: int) -> Image.Image:
    picture = Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(picture)
    draw.line((60, 20, 60, 430, 620, 430), fill="black", width=3)
    for bar in range(8):
        top = 430 - int(random.integers(40, 380))
        draw.rectangle((80 + bar * 66, top, 130 + bar * 66, 430), fill=colour(random))
    return picture


def tiles(random: np.random.Generator, number: int) -> Image.Image:
    places = (np.indices((480, 360)) // (480 // (4 + number))).sum(axis=0) % 2
    return Image.fromarray(random.integers(0, 255, (2, 3))[places].astype(np.uint8))


def colours(random: np.random.Generator, _: int) -> Image.Image:
    few = Image.fromarray(random.integers(0, 256, (12, 9, 3), dtype=np.uint8))
    return few.resize((360, 480), Image.Resampling.BICUBIC)


def noise(random: np.random.Generator, _: int) -> Image.Image:
    return Image.fromarray(random.integers(0, 256, (480, 360, 3), dtype=np.uint8))


DRAWINGS: tuple[Drawing, ...] = (
    landscape, house, car, cup, ball, box, page, chart, tiles, colours, noise,
)  # fmt: skip


def judge(
    room: FittingRoom, name: str, pictures: Sequence[Image.Image | Path]
) -> dict[str, object]:
    """Of pictures: how many are told to show no garment, and how many to have nothing close."""
    none = far = 0
    for _, features in room.describe_many(pictures):  # type: ignore[type-var]
        if isinstance(features, Exception):
            continue
        options = SimilarityOptions(trained=not features.plain_background)
        is_far = room.is_out_of_catalogue(room.search(features, 1, options=options), features)
        far += is_far
        none += is_far and room.sees_no_garment(features)
    count = len(pictures)
    return {
        "pictures": name, "of": count, "no garment seen": none / count, "nothing close": far / count
    }  # fmt: skip


def main() -> int:
    parser = parser_of(__doc__, index=True)
    parser.add_argument("--without", type=Path, nargs="*", default=[])
    parser.add_argument("--garments", type=Path, nargs="*", default=[])
    arguments = parsed(parser)
    room = FittingRoom.open(index_at(arguments.index), Settings(backbone="efficientnet_lite0"))
    random = np.random.default_rng(3)
    drawn = {each.__name__: [each(random, i) for i in range(EACH)] for each in DRAWINGS}
    rows = [judge(room, name, pictures) for name, pictures in drawn.items()]
    rows.append(judge(room, "all that is drawn", [p for many in drawn.values() for p in many]))
    for folder in (*arguments.without, *arguments.garments):
        files = sorted(p for p in folder.rglob("*") if p.suffix in (".jpg", ".png", ".webp"))
        rows.append(judge(room, folder.name, files))
    table(rows)
    return finish({"no garment": rows}, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
