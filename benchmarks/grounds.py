"""Whether ground and frame are overlooked: right colours among the first four, by what is around.

    python benchmarks/grounds.py [--items 120] [--real INDEX] [--json]

Items on white are cut out and laid on grounds of other colours, framed, put between bars and into a
phone's screen, and searched for. A match is right when its base colour is the item's. "right" takes
the first four as a visitor sees them, among them the item itself; "others" leaves the item and its
near-duplicates out. The catalogue is the bundled demo, or with ``--real``
an index of the real one, whose colour words people chose, so that "plain" is the figure to compare
with. Street photographs show what is taken for plain or trimmed that is not.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from at_hand import DEMO, photograph_pictures
from common import finish, parsed, parser_of, table, used
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from fitting_room import FittingRoom, open_image
from fitting_room.imaging.descriptors import PLAIN_BACKGROUND, describe
from fitting_room.imaging.trimming import trimmed

Colour = tuple[int, int, int]
#: Of a garment: its pixels on white, and where it is.
CutOut = tuple[Image.Image, Image.Image]

SIZE = (240, 320)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
GROUNDS: dict[str, Colour] = {
    "white": WHITE,
    "beige": (226, 208, 182),
    "pink": (240, 192, 203),
    "light grey": (205, 206, 208),
    "grey": (128, 128, 130),
    "dark": (20, 20, 22),
    "black": BLACK,
    "blue": (110, 150, 200),
    "green": (60, 110, 80),
    "red": (180, 40, 45),
}
FRAMES: dict[str, Colour] = {
    "black": BLACK,
    "white": WHITE,
    "red": (200, 30, 40),
    "blue": (40, 70, 190),
}


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--items", type=int, default=120)
    parser.add_argument("--real", type=Path, help="an index of the real catalogue")
    options = parsed(parser, items=4)
    with tempfile.TemporaryDirectory() as folder:
        if options.real is None:
            used["index"] = "the demo's"
            fitting_room = FittingRoom.build(
                DEMO, Path(folder) / "index", backbone="efficientnet_lite0"
            )
        else:
            used["index"] = options.real.name
            fitting_room = FittingRoom.open(options.real)
        rows = measure(fitting_room, options.items)
    table(rows)
    result: dict[str, object] = {"items": options.items, "right": rows}
    result["street"] = street()
    table([result["street"]])
    return finish(result, options.json)


def measure(fitting_room: FittingRoom, count: int) -> list[dict[str, object]]:
    """Right colours among the first four for each way of showing the items."""
    items = list(plain_items(fitting_room, count))
    rows: list[dict[str, object]] = []
    for name, show in ways().items():
        shares = [right(fitting_room, item, jpeg(show(cut_out))) for item, cut_out in items]
        seen, others = np.mean(shares, axis=0)
        rows.append({"shown": name, "right": float(seen), "others": float(others)})
    return rows


def plain_items(fitting_room: FittingRoom, count: int) -> Iterator[tuple[str, CutOut]]:
    """Items drawn evenly from those on white, cut out."""
    items = fitting_room.index.items
    plain = np.flatnonzero(np.asarray(fitting_room.index.descriptors[:, PLAIN_BACKGROUND]) > 0)
    drawn = np.random.default_rng(0).permutation(plain)
    found = 0
    for row in drawn:
        image = open_image(fitting_room.picture(str(items["image"].iloc[row])))
        if (cut := cut_out(image)) is not None and found < count:
            found += 1
            yield str(items["id"].iloc[row]), cut


def cut_out(image: Image.Image) -> CutOut | None:
    """A garment that touches no side, on white, in :data:`SIZE`; ``None`` for anything else."""
    pixels = np.asarray(image)
    labels, _ = ndimage.label((pixels >= 240).all(axis=2))
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    around = np.unique(border)
    if 0 in around:
        return None
    inside = ~np.isin(labels, around)
    if not 0.05 < inside.mean() < 0.9:
        return None
    scale = min(SIZE[0] / image.width, SIZE[1] / image.height)
    size = round(image.width * scale), round(image.height * scale)
    mask = Image.fromarray(inside.astype(np.uint8) * 255).resize(size, Image.Resampling.BICUBIC)
    mask = mask.filter(ImageFilter.GaussianBlur(0.7))
    return image.resize(size, Image.Resampling.BICUBIC), mask


def ways() -> dict[str, Callable[[CutOut], Image.Image]]:
    """Ways of showing a garment, by name."""
    found: dict[str, Callable[[CutOut], Image.Image]] = {
        f"on {name}": lambda cut, colour=colour: laid(cut, colour)
        for name, colour in GROUNDS.items()
    }
    for name in ("beige", "grey", "dark"):
        found[f"on {name}, lit from a side"] = lambda cut, name=name: lit(cut, GROUNDS[name])
        found[f"on {name}, noise"] = lambda cut, name=name: noisy(laid(cut, GROUNDS[name]))
    for width in (1, 2, 4, 12):
        for name, colour in FRAMES.items():
            if name != "white":
                found[f"frame {width} px {name}"] = lambda cut, width=width, colour=colour: framed(
                    laid(cut, WHITE), width, colour
                )
        found[f"frame {width} px white around beige"] = lambda cut, width=width: framed(
            laid(cut, GROUNDS["beige"]), width, WHITE
        )
        found[f"frame {width} px black around pink"] = lambda cut, width=width: framed(
            laid(cut, GROUNDS["pink"]), width, BLACK
        )
    found["pillar boxes, black"] = lambda cut: boxed(laid(cut, WHITE), (569, 320), BLACK)
    found["pillar boxes, white, on grey"] = lambda cut: boxed(
        laid(cut, GROUNDS["grey"]), (569, 320), WHITE
    )
    found["letter boxes, black"] = lambda cut: boxed(laid(cut, WHITE), (240, 520), BLACK)
    found["letter boxes, black, on beige"] = lambda cut: boxed(
        laid(cut, GROUNDS["beige"]), (240, 520), BLACK
    )
    for bars, ground in (
        ("black", "white"),
        ("white", "beige"),
        ("white", "white"),
        ("grey", "dark"),
    ):
        found[f"phone, {bars} bars, on {ground}"] = lambda cut, bars=bars, ground=ground: phone(
            laid(cut, GROUNDS[ground]), GROUNDS[bars]
        )
    found["phone, gallery, on white"] = lambda cut: phone(
        boxed(laid(cut, WHITE), (240, 440), BLACK), BLACK
    )
    return found


def laid(cut: CutOut, colour: Colour) -> Image.Image:
    """A garment on a ground of one colour."""
    image, mask = cut
    ground = Image.new("RGB", image.size, colour)
    ground.paste(image, mask=mask)
    return ground


def lit(cut: CutOut, colour: Colour) -> Image.Image:
    """A garment on a ground that gets darker to the right and below, by a quarter in all."""
    image, mask = cut
    across, down = np.meshgrid(np.linspace(0, 1, image.width), np.linspace(0, 1, image.height))
    light = 1 - 0.25 * (across + down)[..., None] / 2
    ground = Image.fromarray((np.array(colour) * light).astype(np.uint8))
    ground.paste(image, mask=mask)
    return ground


def noisy(image: Image.Image) -> Image.Image:
    """A picture with a camera's noise, and saved in a low quality once."""
    values = np.asarray(image) + np.random.default_rng(0).normal(0, 5, (*image.size[::-1], 3))
    noise = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return Image.open(BytesIO(jpeg(noise, 60))).convert("RGB")


def framed(image: Image.Image, width: int, colour: Colour) -> Image.Image:
    """A picture with a frame around it."""
    return boxed(image, (image.width + 2 * width, image.height + 2 * width), colour)


def boxed(image: Image.Image, size: tuple[int, int], colour: Colour) -> Image.Image:
    """A picture in the middle of a larger one of one colour."""
    whole = Image.new("RGB", size, colour)
    whole.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return whole


def phone(image: Image.Image, bars: Colour) -> Image.Image:
    """A picture between a phone's status bar and its navigation bar."""
    width, top, bottom = image.width, max(14, image.width // 16), max(20, image.width // 10)
    whole = Image.new("RGB", (width, image.height + top + bottom), bars)
    whole.paste(image, (0, top))
    ink, draw = BLACK if sum(bars) > 380 else WHITE, ImageDraw.Draw(whole)
    draw.text((8, 1), "9:41", ink, font_size=11)
    draw.rectangle((width - 26, 4, width - 10, top - 5), outline=ink)
    draw.rectangle((width - 40, 3, width - 32, top - 4), fill=ink)
    y = whole.height - bottom // 2
    draw.rectangle((width // 5 - 4, y - 4, width // 5 + 4, y + 4), outline=ink)
    draw.ellipse((width // 2 - 5, y - 5, width // 2 + 5, y + 5), outline=ink)
    draw.polygon(
        [(4 * width // 5 - 5, y), (4 * width // 5 + 4, y - 5), (4 * width // 5 + 4, y + 5)], ink
    )
    return whole


def jpeg(image: Image.Image, quality: int = 88) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def right(fitting_room: FittingRoom, item: str, picture: bytes) -> tuple[float, float]:
    """The share of the first four items that have the item's base colour, and of the first four
    other ones."""
    own = fitting_room.item(item)
    same = same_picture(fitting_room, own.row)
    matches = fitting_room.search(picture, 4 + len(same))
    others = [match for match in matches if match.id not in same]
    wanted = own.attributes.get("baseColour")
    first, second = (
        float(np.mean([match.attributes.get("baseColour") == wanted for match in of[:4]]))
        for of in (matches, others)
    )
    return first, second


def same_picture(fitting_room: FittingRoom, row: int) -> list[str]:
    """The ids of an item and of those that look the same."""
    index = fitting_room.index
    hits = index.search(index.features(np.array([row])), 12)[0]
    group = next(g for g in index.near_duplicates(hits) if row in hits.rows[g])
    return [str(index.items["id"].iloc[r]) for r in hits.rows[group]]


def street() -> dict[str, object]:
    """Which share of street photographs is taken for plain, and which is trimmed."""
    plain, cut, count = 0, 0, 0
    for part in ("train", "validation"):
        for _, data in photograph_pictures(part):
            image = open_image(data, side=256)
            inside = trimmed(image)
            count += 1
            cut += inside.size != image.size
            plain += bool(describe([inside])[0, PLAIN_BACKGROUND])
    return {"street photographs": count, "plain": plain / count, "trimmed": cut / count}


if __name__ == "__main__":
    sys.exit(main())
