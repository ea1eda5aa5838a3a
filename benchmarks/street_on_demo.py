"""What the demo answers to an everyday photograph of each class.

    python benchmarks/street_on_demo.py [--picture docs/street-on-demo.webp] [--originals]

The first photograph by name of each class of ``validation/``, and all of them, ask the demo's index
as a build without any option makes it. A match is right when its type answers the photograph's
class. The picture shows the first four of each; photographs stand in it as a mosaic, since they are
not the project's, unless ``--originals`` is given.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from at_hand import DEMO, mapping, photograph_pictures
from common import finish, parsed, parser_of, table
from PIL import Image, ImageDraw, ImageFont

from fitting_room import FittingRoom, Match

CELL, GAP, LINE, RESULTS = (120, 160), 10, 22, 4
RIGHT, WRONG, INK = "#1a7f37", "#c93c37", "#333333"
MOSAIC = (6, 8)


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--originals", action="store_true")
    options = parsed(parser)
    kinds = json.loads(mapping().read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        room = FittingRoom.build(DEMO, folder, backbone="efficientnet_lite0")
        asked = dict(photograph_pictures("validation"))
        names = sorted(asked)
        answers = {name: room.search(asked[name], RESULTS) for name in names}
        right = {
            name: [match.attributes["articleType"] in kinds[class_of(name)] for match in matches]
            for name, matches in answers.items()
        }
        first = {class_of(name): name for name in reversed(names)}
        chosen = [first[kind] for kind in sorted(first)]
        rows = [
            {
                "class": class_of(name),
                "first right": "yes" if right[name][0] else "no",
                "right of four": sum(right[name]),
            }
            for name in chosen
        ]
        table(rows)
        summary: list[dict[str, object]] = []
        for title, of in (("one of each class", chosen), ("all", names)):
            firsts = sum(right[name][0] for name in of) / len(of)
            four = sum(sum(right[name]) for name in of) / len(of)
            row = {"photographs": title, "of": len(of), "first right": firsts}
            summary.append({**row, "right of the first four": four})
        table(summary)
        expected = words(answers, right)
        table(expected)
        if options.picture:
            shown = {name: asked[name] for name in chosen}
            picture = drawn(room, shown, answers, right, originals=options.originals)
            picture.save(options.picture, quality=80)
    result = {"together": summary, "of each class": rows, "as expected": expected}
    return finish(result, options.json)


def words(answers: dict[str, list[Match]], right: dict[str, list[bool]]) -> list[dict[str, object]]:
    """How often matches were right by what was expected of them."""
    pairs = [
        (match.expected_precision, of_match)
        for name, matches in answers.items()
        for match, of_match in zip(matches, right[name], strict=True)
        if match.expected_precision is not None
    ]
    rows: list[dict[str, object]] = []
    for least, below in pairwise((0.0, 0.3, 0.5, 0.7, 0.85, 1.01)):
        inside = [of_match for expected, of_match in pairs if least <= expected < below]
        if inside:
            share = sum(inside) / len(inside)
            rows.append({"expected from": least, "matches": len(inside), "right": round(share, 2)})
    return rows


def class_of(name: str) -> str:
    return name.split("/")[-2]


def drawn(
    room: FittingRoom,
    asked: dict[str, bytes],
    answers: dict[str, list[Match]],
    right: dict[str, list[bool]],
    *,
    originals: bool,
) -> Image.Image:
    """Two columns of questions, each with its answers beside it."""
    width, height = CELL
    row_width, row_height = (RESULTS + 1) * (width + GAP) + 2 * GAP, height + LINE + GAP
    rows = (len(asked) + 1) // 2
    picture = Image.new("RGB", (2 * row_width, rows * row_height + GAP), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    for place, (name, data) in enumerate(asked.items()):
        x, y = place // rows * row_width + GAP, place % rows * row_height + GAP
        photograph = Image.open(io.BytesIO(data)).convert("RGB")
        if not originals:
            photograph = photograph.resize(MOSAIC, Image.Resampling.BOX)
        picture.paste(photograph.resize(CELL, Image.Resampling.NEAREST), (x, y))
        draw.text((x, y + height + 3), class_of(name), INK, font)
        for number, match in enumerate(answers[name], 1):
            left = x + GAP + number * (width + GAP)
            item = Image.open(io.BytesIO(room.picture(match.image))).convert("RGB")
            picture.paste(item.resize(CELL, Image.Resampling.LANCZOS), (left, y))
            colour = RIGHT if right[name][number - 1] else WRONG
            draw.text((left, y + height + 3), match.attributes["articleType"], colour, font)
    return picture


if __name__ == "__main__":
    sys.exit(main())
