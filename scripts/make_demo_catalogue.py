"""Make the bundled demo catalogue and the sample query pictures from Fashion-MNIST.

Fashion-MNIST (Zalando Research, MIT licence) holds 28 x 28 grey silhouettes of garments. This
script picks well-formed and mutually different ones, enlarges them, gives them a colour, and
writes a small catalogue of the same form as a real one: ``styles.csv`` and ``images/<id>.jpg``.

    apt-get install dataset-fashion-mnist
    python scripts/make_demo_catalogue.py

Every choice is either a constant below or seeded by the item's id, so a second run with the same
versions of numpy and Pillow writes the same bytes.

Reference: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
Machine Learning Algorithms", 2017, arXiv:1708.07747.
"""

from __future__ import annotations

import argparse
import colorsys
import csv
import gzip
import random
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

DEBIAN_SOURCE = Path("/usr/share/datasets/fashion-mnist")
"""Where the Debian package ``dataset-fashion-mnist`` puts its files."""

FIRST_ID = 10001
ITEMS_PER_COLOUR = 10
# The funnel, by type: the first ones of the data set, the share of them that is least broken up,
# the most typical of these by their nearest neighbours, and of these the most different.
CANDIDATES_PER_TYPE = 1500
WHOLE_SHARE = 0.7
NEIGHBOURS = 10
TYPICAL_PER_TYPE = 400

JPEG_QUALITY = 90
WHITE = 255.0
GROUND = 24
"""Grey values up to this one are ground, or cloth too faint to be told from it."""

FIELDS = (
    "id",
    "gender",
    "masterCategory",
    "subCategory",
    "articleType",
    "baseColour",
    "season",
    "year",
    "usage",
    "productDisplayName",
)
"""The columns of the Fashion Product Images data set, in its order."""

CROSS = np.array([0, 1, 0, 1, 1, 1, 0, 1, 0], dtype=bool)
"""Of a 3 x 3 neighbourhood, the pixel and the four that share a side with it."""

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


class SourceError(Exception):
    """The Fashion-MNIST files are missing or are not what they should be."""


@dataclass(frozen=True)
class GarmentType:
    """One class of Fashion-MNIST and the names that the catalogue gives to it."""

    label: int
    master_category: str
    sub_category: str
    article_type: str
    noun: str


@dataclass(frozen=True)
class Colour:
    """A base colour and how strongly the silhouette's own light and shade show in it.

    ``shade`` and ``glow`` are the largest shares by which the darkest parts go to black and the
    lightest parts go to white; ``rim`` darkens the outline; ``hue_drift`` (turns of the colour
    wheel) and ``light_drift`` bound the variation between the items of the colour.
    """

    name: str
    rgb: tuple[int, int, int]
    shade: float = 0.45
    glow: float = 0.45
    rim: float = 0.15
    hue_drift: float = 0.012
    light_drift: float = 0.045


@dataclass(frozen=True)
class Item:
    """One row of the catalogue together with what is needed to draw its picture."""

    id: int
    garment: GarmentType
    colour: Colour
    silhouette: Bytes
    name: str


@dataclass(frozen=True)
class Sample:
    """A query picture: the silhouette at ``index`` in the test set, in the colour ``colour``."""

    filename: str
    index: int
    label: int
    colour: str


# The names are those of the Fashion Product Images data set. It has no type of its own for boots;
# most of those that it holds are filed under Casual Shoes ("Booties" are babies' socks there).
GARMENTS = (
    GarmentType(0, "Apparel", "Topwear", "Tshirts", "T-shirt"),
    GarmentType(1, "Apparel", "Bottomwear", "Trousers", "Trousers"),
    GarmentType(2, "Apparel", "Topwear", "Sweaters", "Sweater"),
    GarmentType(3, "Apparel", "Dress", "Dresses", "Dress"),
    GarmentType(4, "Apparel", "Topwear", "Jackets", "Jacket"),
    GarmentType(5, "Footwear", "Sandal", "Sandals", "Sandal"),
    GarmentType(6, "Apparel", "Topwear", "Shirts", "Shirt"),
    GarmentType(7, "Footwear", "Shoes", "Sports Shoes", "Sneaker"),
    GarmentType(8, "Accessories", "Bags", "Handbags", "Handbag"),
    GarmentType(9, "Footwear", "Shoes", "Casual Shoes", "Ankle Boot"),
)

# Black gets more glow so that folds show, White more shade and rim so that it leaves the ground;
# Black, White and Grey do not drift in hue, or they would take on a tint.
COLOURS = (
    Colour("Black", (38, 38, 41), shade=0.60, glow=0.38, rim=0.10, hue_drift=0.0, light_drift=0.03),
    Colour(
        "White", (236, 236, 235), shade=0.38, glow=0.50, rim=0.34, hue_drift=0.0, light_drift=0.012
    ),
    Colour("Grey", (136, 138, 141), hue_drift=0.0),
    Colour("Red", (200, 28, 36)),
    Colour("Pink", (240, 130, 172)),
    Colour("Orange", (240, 126, 28), hue_drift=0.008),
    Colour("Yellow", (245, 208, 48), shade=0.38, rim=0.22, hue_drift=0.008),
    Colour("Green", (44, 140, 68)),
    Colour("Blue", (42, 108, 212)),
    Colour("Navy Blue", (28, 40, 94), light_drift=0.03),
    Colour("Purple", (124, 58, 160)),
    Colour("Brown", (122, 78, 44), hue_drift=0.008),
)

# Picked by eye among the typical silhouettes of the test set.
SAMPLES = (
    Sample("red-dress.jpg", 4696, 3, "Red"),
    Sample("blue-tshirt.jpg", 1451, 0, "Blue"),
    Sample("black-boot.jpg", 414, 9, "Black"),
    Sample("brown-handbag.jpg", 2642, 8, "Brown"),
    Sample("green-sweater.jpg", 2261, 2, "Green"),
    Sample("white-sneaker.jpg", 4359, 7, "White"),
)


def read_idx(folder: Path, stem: str, ndim: int) -> Bytes:
    """Read ``folder/stem`` or ``folder/stem.gz``, an idx file of unsigned bytes.

    The format is a big-endian magic number ``0x0000 08 ndim``, one 32-bit size for each dimension,
    and the values. Raises SourceError where there is no such file or it has another form.
    """
    packed, plain = folder / f"{stem}.gz", folder / stem
    if packed.is_file():
        data = gzip.decompress(packed.read_bytes())
    elif plain.is_file():
        data = plain.read_bytes()
    else:
        raise SourceError(
            f"{folder} holds neither {packed.name} nor {plain.name}. Install the Debian package "
            "dataset-fashion-mnist, or name the folder with the files by --source."
        )
    header = struct.Struct(f">{1 + ndim}I")
    if len(data) < header.size:
        raise SourceError(f"{stem} in {folder} is too short for an idx file.")
    magic, *shape = header.unpack_from(data)
    if magic != 0x0800 + ndim or len(data) != header.size + int(np.prod(shape)):
        raise SourceError(f"{stem} in {folder} is damaged or not an idx file of {ndim} dimensions.")
    return np.frombuffer(data, dtype=np.uint8, offset=header.size).reshape(shape)


def read_split(folder: Path, split: str) -> tuple[Bytes, Bytes]:
    """Read a split, ``train`` or ``t10k``: silhouettes (N, 28, 28) and labels (N,).

    The ground is 0 and the darkest cloth is 255: the negative of the photograph.
    """
    silhouettes = read_idx(folder, f"{split}-images-idx3-ubyte", 3)
    labels = read_idx(folder, f"{split}-labels-idx1-ubyte", 1)
    if len(silhouettes) != len(labels):
        raise SourceError(
            f"{split} in {folder} has {len(silhouettes)} pictures for {len(labels)} labels."
        )
    return silhouettes, labels


def is_well_formed(silhouettes: Bytes) -> npt.NDArray[np.bool_]:
    """Tell, for each of N silhouettes, whether it is dark and whole enough to be recognised."""
    values = silhouettes.reshape(len(silhouettes), -1)
    cloth = (values > GROUND).sum(axis=1)
    faint = ((values > 0) & (values <= GROUND)).sum(axis=1)
    darkness = values.sum(axis=1) / np.maximum(cloth, 1)
    good: npt.NDArray[np.bool_] = (cloth >= 90) & (darkness >= 90) & (faint * 5 <= cloth)
    return good


def count_pieces(silhouettes: Bytes) -> Floats:
    """How many pieces a line across each of N silhouettes meets on average, (N,); 1 is whole.

    Broken outlines and loud prints, which fall apart when they are enlarged, have high values.
    """
    cloth = np.pad(silhouettes > GROUND, ((0, 0), (1, 1), (1, 1)))
    pieces = np.zeros(len(silhouettes))
    for axis in (1, 2):
        starts = (np.diff(cloth.astype(np.int8), axis=axis) > 0).sum(axis=(1, 2))
        lines = cloth.any(axis=axis).sum(axis=1)
        pieces += starts / np.maximum(lines, 1) / 2
    return pieces


def squared_distances(left: Floats, right: Floats) -> Floats:
    """Squared Euclidean distances (len(left), len(right)).

    Exact, hence the same on every machine: the values are whole numbers and every sum stays far
    below 2**53.
    """
    lengths: Floats = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None, :]
    return lengths - 2 * (left @ right.T)


def halve(silhouettes: Bytes) -> Floats:
    """Add up blocks of 2 x 2 pixels: (N, 28, 28) -> (N, 196). Blurs away small shifts."""
    blocks = silhouettes.reshape(len(silhouettes), 14, 2, 14, 2).astype(np.float64)
    sums: Floats = blocks.sum(axis=(2, 4)).reshape(len(silhouettes), -1)
    return sums


def find_candidates(silhouettes: Bytes, labels: Bytes, label: int) -> Ints:
    """Find the positions of the usable silhouettes among the first ones of a type."""
    first = np.flatnonzero(labels == label)[:CANDIDATES_PER_TYPE]
    good: Ints = first[is_well_formed(silhouettes[first])]
    pieces = count_pieces(silhouettes[good])
    limit = np.sort(pieces)[int(WHOLE_SHARE * (len(good) - 1))]
    whole: Ints = good[pieces <= limit]
    return whole


def rank_typical(features: Floats, labels: Bytes, label: int) -> Ints:
    """Order the members of a type from the most typical to the least.

    Typical means that the nearest neighbours among all types are of the same type, and then that
    they are near: this leaves out shirts that look like dresses as well as odd photographs.
    """
    members = np.flatnonzero(labels == label)
    distances = squared_distances(features[members], features)
    distances[np.arange(len(members)), members] = np.inf
    reach = np.partition(distances, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]
    agreement = ((distances <= reach[:, None]) & (labels == label)).sum(axis=1)
    return members[np.lexsort((reach, -agreement))]


def spread_out(silhouettes: Bytes, count: int) -> Ints:
    """Pick ``count`` positions by greedy farthest-point selection, so that no two look alike.

    Starts at position 0 and always adds the silhouette that is farthest from all chosen ones.
    """
    features = silhouettes.reshape(len(silhouettes), -1).astype(np.float64)
    chosen = [0]
    gap = squared_distances(features, features[:1])[:, 0]
    while len(chosen) < count:
        chosen.append(int(gap.argmax()))
        gap = np.minimum(gap, squared_distances(features, features[chosen[-1:]])[:, 0])
    return np.array(chosen)


def choose_silhouettes(silhouettes: Bytes, labels: Bytes) -> dict[int, Bytes]:
    """Choose the silhouettes of the catalogue: label -> (items of a type, 28, 28)."""
    candidates = np.concatenate(
        [find_candidates(silhouettes, labels, garment.label) for garment in GARMENTS]
    )
    silhouettes, labels = silhouettes[candidates], labels[candidates]
    features = halve(silhouettes)
    chosen: dict[int, Bytes] = {}
    for garment in GARMENTS:
        typical = rank_typical(features, labels, garment.label)[:TYPICAL_PER_TYPE]
        spread = spread_out(silhouettes[typical], len(COLOURS) * ITEMS_PER_COLOUR)
        # The selection begins with the extremes; the data set's own order mixes them again.
        chosen[garment.label] = silhouettes[np.sort(typical[spread])]
    return chosen


def lay_out(chosen: dict[int, Bytes]) -> Iterator[Item]:
    """Yield the items in the order of their ids; neighbours differ in type and in colour.

    7 and 12 have no common factor, so that each type goes through all colours in 12 rounds.
    """
    for round_ in range(len(COLOURS) * ITEMS_PER_COLOUR):
        for place, garment in enumerate(GARMENTS):
            colour = COLOURS[(7 * round_ + 5 * place) % len(COLOURS)]
            number = 1 + round_ // len(COLOURS)
            yield Item(
                id=FIRST_ID + round_ * len(GARMENTS) + place,
                garment=garment,
                colour=colour,
                silhouette=chosen[garment.label][round_],
                name=f"{colour.name} {garment.noun} {number:02d}",
            )


def vary(colour: Colour, seed: int) -> Floats:
    """Vary ``colour`` slightly, as decided by ``seed``: RGB (3,), 0 to 255."""
    dice = random.Random(seed)
    hue, light, saturation = colorsys.rgb_to_hls(*(part / WHITE for part in colour.rgb))
    hue = (hue + dice.uniform(-colour.hue_drift, colour.hue_drift)) % 1.0
    light = min(max(light + dice.uniform(-colour.light_drift, colour.light_drift), 0.0), 1.0)
    return np.array(colorsys.hls_to_rgb(hue, light, saturation)) * WHITE


def ramp(values: Floats, low: float, high: float) -> Floats:
    """Smooth step from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def find_rim(alpha: Floats, size: int) -> Floats:
    """How near each pixel is to the outline of the mask ``alpha``: 1 at the edge, 0 inside."""
    mask = Image.fromarray(np.rint(alpha * WHITE).astype(np.uint8))
    radius = size / 48
    inside = np.asarray(mask.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float64) / WHITE
    return np.clip(2.0 * (1.0 - inside), 0.0, 1.0)


def look_around(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each pixel's 3 x 3 neighbourhood as layers, (H, W) -> (9, H, W); beyond the edge is 0."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, 1), (3, 3))
    return np.moveaxis(windows.reshape(*values.shape, 9), -1, 0)


def find_tone(silhouette: Bytes) -> Floats:
    """Find the tone of the cloth alone, (H, W), carried on over the outline and into the ground.

    The outermost pixels of a silhouette are a blend of cloth and ground. Taken for tones they would
    put a pale line along the outline, so they get the mean tone of the inner pixels next to them.
    Straps and soles have no inner pixels: there the darkest pixel around stands for the cloth.
    """
    cloth = silhouette > GROUND
    inner = (look_around(cloth) | ~CROSS[:, None, None]).all(axis=0)
    beside = look_around(inner).sum(axis=0)
    mean = look_around(np.where(inner, silhouette, 0.0)).sum(axis=0) / np.maximum(beside, 1)
    darkest = look_around(silhouette).max(axis=0).astype(np.float64)
    middle = float(np.median(silhouette[cloth]))
    return np.select(
        [inner, beside > 0, darkest > GROUND],
        [silhouette.astype(np.float64), mean, darkest],
        default=middle,
    )


def enlarge(values: npt.NDArray[Any], size: int) -> Floats:
    """Enlarge grey values with Lanczos to (size, size)."""
    picture = Image.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS), dtype=np.float64)


def find_cover(silhouette: Bytes, tone: Floats, size: int) -> Floats:
    """How much of each pixel the cloth covers, (size, size): 0 is ground, 1 is cloth.

    The share that a pixel has of its cloth's tone gives the outline; what is far lighter than the
    garment as a whole is ground that shows between sleeve and body, or a white print. The ramps
    make edges crisp and keep the ripples of Lanczos out of the ground.
    """
    share = enlarge(np.minimum(silhouette / tone, 1.0), size)
    darkness = enlarge(silhouette / np.median(silhouette[silhouette > GROUND]), size)
    return ramp(share, 0.15, 0.75) * ramp(darkness, 0.08, 0.40)


def find_relief(silhouette: Bytes, tone: Floats, size: int) -> Floats:
    """Light and shade of a garment, (size, size): -1 is its lightest cloth, 1 its darkest.

    They count from the garment's own middle tone, whatever colour it really had.
    """
    cloth = tone[silhouette > GROUND]
    # A floor under the spread keeps the grain of a plain cloth from being blown up to a pattern.
    spread = max(2.0 * float(cloth.std()), 40.0)
    return np.clip((enlarge(tone, size) - float(np.median(cloth))) / spread, -1.0, 1.0)


def tint(silhouette: Bytes, colour: Colour, size: int, seed: int) -> Floats:
    """Enlarge a silhouette (H, W) and colour it on white: RGB (size, size, 3), 0 to 255."""
    tone = find_tone(silhouette)
    alpha = find_cover(silhouette, tone, size)
    relief = find_relief(silhouette, tone, size)[..., None]
    picture = np.broadcast_to(vary(colour, seed), (size, size, 3))
    picture = picture * (1.0 - colour.shade * np.maximum(relief, 0.0))
    picture = picture + (WHITE - picture) * colour.glow * np.maximum(-relief, 0.0)
    picture = picture * (1.0 - colour.rim * find_rim(alpha, size)[..., None])
    return WHITE + (picture - WHITE) * alpha[..., None]


def draw(silhouette: Bytes, colour: Colour, width: int, seed: int) -> Image.Image:
    """Draw a garment in the middle of a white upright picture of ``width`` by 4/3 ``width``."""
    height = width * 4 // 3
    canvas = Image.new("RGB", (width, height), "white")
    # One pixel of ground all around: shoes and bags fill the whole width of a silhouette.
    padded = np.pad(silhouette, 1)
    garment = np.rint(np.clip(tint(padded, colour, width, seed), 0.0, WHITE))
    canvas.paste(Image.fromarray(garment.astype(np.uint8)), (0, (height - width) // 2))
    return canvas


def save(picture: Image.Image, path: Path) -> None:
    """Save as JPEG. Full colour resolution, as the pictures are small and the edges sharp."""
    picture.save(path, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)


def to_row(item: Item) -> dict[str, str]:
    """Make the line of ``styles.csv``. What cannot be known of a silhouette is left empty."""
    return {
        "id": str(item.id),
        "gender": "Unisex",
        "masterCategory": item.garment.master_category,
        "subCategory": item.garment.sub_category,
        "articleType": item.garment.article_type,
        "baseColour": item.colour.name,
        "season": "",
        "year": "",
        "usage": "",
        "productDisplayName": item.name,
    }


def write_catalogue(items: Sequence[Item], output: Path) -> None:
    """Write ``output/styles.csv`` and ``output/images/<id>.jpg`` (96 x 128)."""
    images = output / "images"
    images.mkdir(parents=True, exist_ok=True)
    for item in items:
        save(draw(item.silhouette, item.colour, 96, item.id), images / f"{item.id}.jpg")
    with (output / "styles.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(to_row(item) for item in items)


def write_samples(silhouettes: Bytes, labels: Bytes, folder: Path) -> None:
    """Write the sample query pictures (240 x 320) from the test set."""
    folder.mkdir(parents=True, exist_ok=True)
    colours = {colour.name: colour for colour in COLOURS}
    for sample in SAMPLES:
        if labels[sample.index] != sample.label:
            raise SourceError(f"Test picture {sample.index} is not what {sample.filename} needs.")
        picture = draw(silhouettes[sample.index], colours[sample.colour], 240, sample.index)
        save(picture, folder / sample.filename)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Make the demo catalogue and the sample query pictures from Fashion-MNIST.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--source", type=Path, default=DEBIAN_SOURCE, help="folder with the idx or idx.gz files"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("data/demo"), help="folder of the catalogue"
    )
    parser.add_argument(
        "--samples", type=Path, default=Path("data/samples"), help="folder of the query pictures"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    arguments = parse_arguments(argv)
    try:
        chosen = choose_silhouettes(*read_split(arguments.source, "train"))
        items = list(lay_out(chosen))
        write_catalogue(items, arguments.output)
        write_samples(*read_split(arguments.source, "t10k"), arguments.samples)
    except SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(items)} items: {arguments.output}; {len(SAMPLES)} samples: {arguments.samples}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
