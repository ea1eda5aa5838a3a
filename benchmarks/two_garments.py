"""Two garments in one picture: does the part that is offered find the wanted one's kind?

    python benchmarks/two_garments.py [--index cache/fashion] [--catalogue DIR] [--photographs DIR]
        [--pictures 200] [--sheet FILE] [--json]

Pictures are put together of two: half of them of two photographs of different classes, every
second of ``validation/``, the others of two products of different types with id % 10 == 0. They
lie side by side or one above the other, the one as large as the other or down to half of it, with
a gap or none, with margins on a white, light or black ground or none, always the same for a
``--seed``. Each of the two is what somebody wants. Searched with are the whole picture; what was
pasted, as if somebody had drawn a frame around it; and the part of
:func:`fitting_room.search.parts.parts_of` whose box overlaps most with that. Where no part does,
it is a miss, or with "part, else whole" what the page does: it searches with the whole picture.
Printed are the shares of the first four results that are of the wanted kind (p@4), and of the
wanted ones with any such result among these.

Beside them single photographs and products are asked for their parts, which should mostly be none,
and it is measured how long that takes. Items with id % 10 == 0 are no results. With ``--demo``
products are those of the bundled demo.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from at_hand import DEMO, catalogue, mapping
from at_hand import photographs as photographs_at
from common import finish, parsed, parser_of, table, used
from PIL import Image, ImageDraw, ImageFont

from fitting_room import FittingRoom, Settings
from fitting_room.catalogue.schema import held_out
from fitting_room.index.index import Index
from fitting_room.search.parts import Part, parts_of

HOLDOUT, RESULTS, KIND = 10, 4, "articleType"
#: The longer side of a pasted picture, and what the second may be of it; gaps and margins as shares
#: of that; grounds.
SIDE, SMALLEST = 600, 0.55
GAPS, MARGINS = (0, 0, 0.03, 0.08), (0, 0, 0.04, 0.1)
WHITE, GROUNDS = (255, 255, 255), ((255, 255, 255), (235, 235, 235), (30, 30, 30))
#: Kinds with fewer items than this could not fill an answer.
LEAST_ITEMS = 8
COLOURS, CELL, ACROSS = ("#ff3030", "#30ff30", "#4080ff", "#ffd000"), 200, 8

#: Left, top, right and bottom, in pixels.
Box = tuple[int, int, int, int]
Single = tuple[Image.Image, str, frozenset[str]]
Load = Callable[[], Single]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture put together: what is where in it, and the kinds that are right for each."""

    image: Image.Image
    name: str
    wanted: tuple[tuple[Box, frozenset[str]], ...]


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        room = opened(options, Path(folder))
        sources = {"photographs": photographs(options.photographs), "products": products(room)}
        count = options.pictures // len(sources)
        rows, singles, drawn = [], [], []
        for name, source in sources.items():
            chance = random.Random(f"{name} {options.seed}")
            grounds = GROUNDS if name == "photographs" else (WHITE,)
            made = [together(source, chance, grounds) for _ in range(count)]
            found = [parts_of(room, picture.image) for picture in made]
            answers: dict[tuple[int, Box], np.ndarray] = {}
            for how in ("part", "part, else whole", "whole", "frame"):
                rows.append(judged(room, name, made, how, found, answers))
                table(rows[-1:])
            drawn += list(zip(made, found, strict=True))[: options.drawn]
            singles.append(alone(room, name, [chance.choice(source)() for _ in range(count)]))
            table(singles[-1:])
        table(rows)
        table(singles)
        if options.sheet:
            sheet(drawn).save(options.sheet)
    settings = {key: str(value) for key, value in vars(options).items()}
    return finish({"settings": settings, "wanted": rows, "single": singles}, options.json)


def arguments() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--index", type=Path, help="an index of the catalogue (built anew)")
    parser.add_argument("--catalogue", type=Path, help="what is built where there is no --index")
    parser.add_argument("--photographs", type=Path, help="class folders (those at hand)")
    parser.add_argument("--demo", action="store_true", help="the bundled demo and its photographs")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="draw the pictures with their parts")
    parser.add_argument("--drawn", type=int, default=48, help="so many of either (%(default)s)")
    options = parsed(parser, pictures=8, demo=True)
    if options.catalogue is None:
        options.catalogue = DEMO if options.demo else catalogue()
    return options


def opened(options: argparse.Namespace, folder: Path) -> FittingRoom:
    if options.index is not None:
        used["index"] = options.index.name
        return FittingRoom.open(options.index)
    used["index"] = f"built of {options.catalogue.name}"
    settings = Settings(backbone="efficientnet_lite0")
    return FittingRoom.build(options.catalogue, folder, settings=settings)


# --- pictures ---------------------------------------------------------------------------------


def photographs(folder: Path | None) -> list[Load]:
    """Photographs of a folder of class folders, or those at hand."""
    types = json.loads(mapping().read_text("utf-8"))

    def load(read: Callable[[], bytes], kind: str) -> Single:
        return Image.open(io.BytesIO(read())).convert("RGB"), kind, frozenset(types[kind])

    if folder is not None:
        used["photographs"] = folder.name
        loads = [partial(load, p.read_bytes, p.parent.name) for p in sorted(folder.glob("*/*.jpg"))]
    else:
        archive = zipfile.ZipFile(photographs_at())
        names = sorted(n for n in archive.namelist() if re.fullmatch(r"validation/.+/.+\.jpg", n))
        loads = [partial(load, partial(archive.read, n), n.split("/")[-2]) for n in names]
    # The others are those that the thresholds in parts.py were chosen on.
    return loads[::2]


def products(room: FittingRoom) -> list[Load]:
    items = room.index.items
    common = items[KIND].map(items[KIND].value_counts()) >= LEAST_ITEMS
    rows = np.flatnonzero(held_out(items["id"], HOLDOUT) & common.to_numpy())

    def load(row: int) -> Single:
        kind = str(items[KIND].iloc[row])
        data = room.picture(str(items["image"].iloc[row]))
        return Image.open(io.BytesIO(data)).convert("RGB"), kind, frozenset([kind])

    return [partial(load, row) for row in rows.tolist()]


def together(
    source: Sequence[Load], chance: random.Random, grounds: Sequence[tuple[int, int, int]]
) -> Picture:
    """Two pictures of a source that no kind would answer both of, in one."""
    while True:
        one, other = (load() for load in chance.sample(source, 2))
        if not one[2] & other[2]:
            break
    small = chance.uniform(SMALLEST, 1)
    sizes = (1.0, small) if chance.random() < 0.5 else (small, 1.0)
    pasted = [scaled(single[0], size) for single, size in zip((one, other), sizes, strict=True)]
    gap, margin = (round(chance.choice(shares) * SIDE) for shares in (GAPS, MARGINS))
    axis = chance.randrange(2)  # 0: side by side
    size = [0, 0]
    size[axis] = pasted[0].size[axis] + gap + pasted[1].size[axis]
    size[1 - axis] = max(image.size[1 - axis] for image in pasted)
    ground = chance.choice(grounds)
    picture = Image.new("RGB", (size[0] + 2 * margin, size[1] + 2 * margin), ground)
    boxes, along = [], margin
    for image in pasted:
        start = [0, 0]
        start[axis] = along
        start[1 - axis] = margin + round(chance.random() * (size[1 - axis] - image.size[1 - axis]))
        picture.paste(image, (start[0], start[1]))
        boxes.append((start[0], start[1], start[0] + image.width, start[1] + image.height))
        along += image.size[axis] + gap
    return Picture(picture, f"{one[1]}, {other[1]}", ((boxes[0], one[2]), (boxes[1], other[2])))


def scaled(image: Image.Image, share: float) -> Image.Image:
    factor = share * SIDE / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.BICUBIC)


# --- judging ----------------------------------------------------------------------------------


def judged(
    room: FittingRoom,
    name: str,
    pictures: Sequence[Picture],
    how: str,
    found: Sequence[Sequence[Part]],
    answers: dict[tuple[int, Box], np.ndarray],
) -> dict[str, object]:
    right: list[np.ndarray] = []
    offered = 0
    for number, (picture, parts) in enumerate(zip(pictures, found, strict=True)):
        whole = (0, 0, *picture.image.size)
        for box, kinds in picture.wanted:
            boxes = {"whole": [whole], "frame": [box]}.get(how) or [
                pixels(part, picture.image) for part in parts
            ]
            if not boxes and how != "part":
                boxes = [whole]
            best = max(boxes, key=lambda other: overlap(other, box), default=None)
            if best is None or overlap(best, box) == 0:
                right.append(np.zeros(RESULTS, bool))
                continue
            offered += 1
            if (number, best) not in answers:
                answers[number, best] = kinds_of_results(room, picture.image.crop(best))
            right.append(np.isin(answers[number, best], list(kinds)))
    matrix = np.stack(right)
    return {
        "put together of": name,
        "searched with": how,
        "wanted": len(matrix),
        "searched": offered,
        f"p@{RESULTS}": float(matrix.mean()),
        "any": float(matrix.any(axis=1).mean()),
    }


@cache
def held_back(index: Index) -> np.ndarray:
    return held_out(index.items["id"], HOLDOUT)


def kinds_of_results(room: FittingRoom, image: Image.Image) -> np.ndarray:
    (hits,) = room.index.search(room.describe([image]), RESULTS, exclude=held_back(room.index))
    return np.asarray(room.index.items[KIND].iloc[hits.rows], str)


def pixels(part: Part, image: Image.Image) -> Box:
    left, top, right, bottom = part.box
    width, height = image.size
    return (
        round(left * width), round(top * height), round(right * width), round(bottom * height)
    )  # fmt: skip


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0, width) * max(0, height)
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (sum(areas) - both)


def alone(room: FittingRoom, name: str, singles: Sequence[Single]) -> dict[str, object]:
    counts, seconds = [], []
    for image, _, _ in singles:
        picture = room.open_picture(image)
        started = time.perf_counter()
        counts.append(len(parts_of(room, picture)))
        seconds.append(time.perf_counter() - started)
    return {
        "single": name,
        "pictures": len(counts),
        "more than one part": float(np.mean(np.array(counts) > 1)),
        "ms, median": float(np.median(seconds)) * 1000,
        "ms, 0.95": float(np.quantile(seconds, 0.95)) * 1000,
    }


def sheet(drawn: Sequence[tuple[Picture, Sequence[Part]]]) -> Image.Image:
    """Pictures with the boxes of their parts and what each is taken for."""
    rows = -(-len(drawn) // ACROSS)
    result = Image.new("RGB", (ACROSS * CELL, rows * (CELL + 16)), "#808080")
    draw, font = ImageDraw.Draw(result), ImageFont.load_default(11)
    for place, (picture, parts) in enumerate(drawn):
        x, y = place % ACROSS * CELL, place // ACROSS * (CELL + 16)
        small = picture.image.copy()
        small.thumbnail((CELL - 6, CELL - 6))
        result.paste(small, (x + 3, y + 3))
        for part, colour in zip(parts, COLOURS, strict=False):
            left, top, right, bottom = pixels(part, small)
            draw.rectangle((x + 3 + left, y + 3 + top, x + 3 + right, y + 3 + bottom), None, colour)
            label = f"{part.kind} {part.evidence:.2f}"
            draw.text((x + 6 + left, y + 4 + top), label, colour, font, stroke_width=2,
                      stroke_fill="black")  # fmt: skip
        draw.text((x + 3, y + CELL), picture.name[:34], "white", font)
    return result


if __name__ == "__main__":
    sys.exit(main())
