"""Why a match is a match: which places of two pictures make them similar, and a plain sentence.

The embedding of a picture is the mean of the network's last feature maps over its places, so the
cosine of two embeddings is a sum over pairs of places, one of either picture (Stylianou, Souvenir
and Pless 2019, "Visualizing Deep Similarity Networks"). The sum over all pairs with one place is
that place's share of the cosine: nothing is fitted or estimated. A PCA or a head comes after the
mean, where places are gone; an explanation says so where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from fitting_room.catalogue.schema import columns_like, name_columns
from fitting_room.imaging.descriptors import foreground
from fitting_room.imaging.features import Features, normalise
from fitting_room.imaging.gate import CATALOGUE
from fitting_room.imaging.preprocess import place_of
from fitting_room.imaging.trimming import content_box
from fitting_room.index.head import Head
from fitting_room.index.index import Index
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search.searcher import Searcher

#: Height and width that an overlay fits into.
OVERLAY_SIZE = (480, 480)
#: Items, drawn at random, whose similarity an item's is compared with.
COMPARED_WITH = 2_000
#: Columns that a sentence names first, how many at most, and the most values of such a column.
NAMED_FIRST = (
    "articleType", "product_type_name", "product_type", "type", "class", "baseColour",
    "colour_group_name", "colour", "color", "gender", "usage", "season", "masterCategory",
)  # fmt: skip
COLUMNS_NAMED, MOST_VALUES = 5, 200
#: What a column is called in a sentence, where its own name is not how people speak.
SPOKEN = {
    "articleType": "type", "class": "kind", "baseColour": "colour", "usage": "occasion",
    "product_type_name": "type", "colour_group_name": "colour",
}  # fmt: skip
#: Colours of little and of much heat, violet to yellow as in matplotlib's "plasma", which can be
#: distinguished without seeing red or green; and how far they cover the picture at most.
_HEAT = np.array(
    [[13, 8, 135], [126, 3, 168], [204, 71, 120], [248, 149, 64], [240, 249, 33]], np.float32
)
COVER = 0.62
#: Of a place that is so much foreground the heat counts for what is the hottest.
FOREGROUND = 0.5
#: What is said of a shape that is closer than that of this share of the catalogue, and of colours
#: with this cosine.
SHAPES = {0.99: "nearly the same shape", 0.93: "a similar shape", 0.75: "a somewhat similar shape"}
COLOURS_IN_WORDS = {0.93: "the same colours", 0.8: "similar colours", 0.5: "some colours in common"}


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """Each place's share of a cosine. ``shares`` is float32 ``(h, w)`` over the places of the
    network's input and adds up to the cosine; ``picture`` float32 ``(H, W)``, 0 to 1, the same over
    what the picture shows, without its background; ``overlay`` the picture under its heat."""

    shares: np.ndarray
    picture: np.ndarray
    overlay: Image.Image


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Why an item is similar to a picture. ``cosine`` is that of the network's two embeddings;
    ``sentence`` says what they share, ``note`` what the heat does and does not show."""

    query: Heat
    item: Heat
    cosine: float
    sentence: str
    note: str


def explain(
    searcher: Searcher,
    query: Image.Image,
    item: str,
    *,
    features: Features | None = None,
    attributes: Mapping[str, str] | None = None,
    row: int | None = None,
    trained: bool = True,
) -> Explanation:
    """Explain the similarity of an upright RGB picture and the item of that id, by the item's
    picture in that ``row`` of the index, or the one that is most like the query.

    ``features`` are those of the picture, where they are known; ``attributes`` what the catalogue
    says of it, where it is an item itself; ``trained`` whether the head ranked the matches. Raises
    ``KeyError`` for an unknown item, ``ImageRejected`` when its picture cannot be read, and
    ``EngineError`` for a network that has no feature maps.
    """
    rows = searcher.rows(item)
    if not rows:
        raise KeyError(item)
    features = searcher.describe([query])[0] if features is None else features
    if row not in rows:
        row = _best_row(searcher.index, rows, features, SimilarityOptions(trained=trained))
    columns = ["id", "image", *searcher.attributes]
    cells = {column: searcher.index.store.cells(column, np.array([row]))[0] for column in columns}
    record = pd.Series(cells, dtype=object)
    of_item = searcher.picture(str(record["image"]))
    images = (
        query,
        searcher.embedder.open(of_item, name=item, limits=searcher.limits, gate=CATALOGUE),
    )
    shares, cosine = shares_of(*searcher.embedder.feature_maps(images))
    size = searcher.embedder.selection.backbone.input_size
    heats = [_heat(part, image, size) for part, image in zip(shares, images, strict=True)]
    head = searcher.index.head if trained else None
    words = [
        *_in_common(searcher, record, features, attributes, head),
        *_closeness(searcher, row, features, trained=trained),
    ]
    note = _note(searcher.index.pca is not None, head)
    return Explanation(heats[0], heats[1], cosine, _sentence(words), note)


def _best_row(index: Index, rows: list[int], query: Features, options: SimilarityOptions) -> int:
    """Of some rows of the index the one that is most like a query."""
    return rows[int(index.similarities(query, np.array(rows), options=options).argmax())]


def shares_of(query: np.ndarray, item: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], float]:
    """The shares, float32 ``(h, w)``, that the places of two feature maps ``(h, w, D)`` have in the
    cosine of their means, and the cosine."""
    of_query, of_item = (maps.mean(axis=(0, 1), dtype=np.float64) for maps in (query, item))
    lengths = float(np.linalg.norm(of_query) * np.linalg.norm(of_item))
    scale = 1 / lengths if lengths > 0 else 0.0
    query_shares, item_shares = (
        np.asarray(maps @ mean * scale / (maps.shape[0] * maps.shape[1]), np.float32)
        for maps, mean in ((query, of_item), (item, of_query))
    )
    return (query_shares, item_shares), float(of_query @ of_item) * scale


def _heat(shares: np.ndarray, image: Image.Image, size: tuple[int, int]) -> Heat:
    height, width = size
    spread = Image.fromarray(shares).resize((width, height), Image.Resampling.BICUBIC)
    # The network saw what is within a frame; what is shown is the whole picture.
    box = content_box(image)
    shown = image.copy()
    shown.thumbnail(OVERLAY_SIZE, Image.Resampling.LANCZOS)
    # A small picture's heat would be a few blots.
    factor = max(1, max(OVERLAY_SIZE) // max(shown.size))
    shown = shown.resize((shown.width * factor, shown.height * factor), Image.Resampling.LANCZOS)
    scale = shown.width / image.width, shown.height / image.height
    left, top, right, bottom = (round(edge * scale[i % 2]) for i, edge in enumerate(box))
    inside = spread.crop(place_of((box[2] - box[0], box[3] - box[1]), size))
    inside = inside.resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    # The background has its share of the cosine too, as it is alike on all pictures of a shop; but
    # nobody asks why two backgrounds are alike.
    mask = Image.fromarray(foreground(image.crop(box)))
    seen = np.asarray(mask.resize(inside.size, Image.Resampling.BILINEAR), np.float32)
    values = np.asarray(inside, np.float32)
    there = values[seen > FOREGROUND]
    there = there if there.size else values
    low, high = float(there.min()), float(there.max())
    heat = np.zeros((shown.height, shown.width), np.float32)
    if high - low > 1e-3 * abs(high):  # else no place counts more than another
        heat[top:bottom, left:right] = np.clip((values - low) / (high - low), 0, 1) * seen
        heat /= max(float(heat.max()), 1e-6)
    return Heat(shares, heat, _overlay(shown, heat))


def _overlay(image: Image.Image, heat: np.ndarray) -> Image.Image:
    steps = np.arange(len(_HEAT)) / (len(_HEAT) - 1)
    colours = np.stack([np.interp(heat, steps, channel) for channel in _HEAT.T], axis=-1)
    cover = (COVER * heat**1.3)[..., None]
    grey = np.asarray(image.convert("L").convert("RGB"), np.float32)
    # What does not count fades to grey; what counts keeps its colours under the heat.
    faded = np.asarray(image, np.float32) * heat[..., None] + grey * (1 - heat[..., None])
    mixed = faded * (1 - cover) + colours * cover
    return Image.fromarray(np.clip(np.rint(mixed), 0, 255).astype(np.uint8))


# --- in words ---------------------------------------------------------------------------------


def _in_common(
    searcher: Searcher,
    record: pd.Series,
    features: Features,
    attributes: Mapping[str, str] | None,
    head: Head | None,
) -> list[str]:
    """What the catalogue says of both; of a picture that is no item, what the head sees in it."""
    if attributes is not None:
        return _compared(attributes, record, _informative(searcher), "{0} and {1}")
    if head is None:
        return []
    labels = _labels_by_head(searcher, head, features)
    return _compared(labels, record, list(labels), "yours looks like {0}, this is {1}")


def _informative(searcher: Searcher) -> list[str]:
    """The columns that say most about a garment, the best first."""
    names = name_columns(searcher.attributes)
    first = columns_like(NAMED_FIRST, searcher.attributes)
    columns = [*first, *(c for c in searcher.attributes if c not in (*first, *names))]
    items = searcher.index.sample.items
    return [c for c in columns if 2 <= items[c].nunique() <= MOST_VALUES][:COLUMNS_NAMED]


def _labels_by_head(searcher: Searcher, head: Head, features: Features) -> dict[str, str]:
    """For each column that the head was taught, the label nearest to its view of a picture."""
    seen = searcher.index.projected([features])
    if seen is None:
        return {}
    return {c: head.labels[c][int((normalise(head.proxies[c]) @ seen[0]).argmax())]
            for c in head.columns}  # fmt: skip


def _compared(
    labels: Mapping[str, str], record: pd.Series, columns: Sequence[str], how: str
) -> list[str]:
    """In which columns a picture's labels and the item's are the same and in which they differ,
    each as words."""
    same, different = [], []
    for column in columns:
        if column not in labels or column not in record.index or pd.isna(record[column]):
            continue
        ours, theirs, name = labels[column], str(record[column]), spoken(column)
        if ours != theirs:
            different.append(f"another {name} ({how.format(ours, theirs)})")
        elif name in ("colour", "color"):
            same.append(f"same {ours.lower()}")
        else:
            same.append(f"same {name} ({ours})")
    return [*same, *different]


def _closeness(searcher: Searcher, row: int, features: Features, *, trained: bool) -> list[str]:
    """How close the item is in shape, beside other items, and in colour, in words."""
    index, sample = searcher.index, searcher.index.sample
    rows = np.array([row])
    (item,) = index.store.cells("id", rows)
    count = min(COMPARED_WITH, len(sample))
    drawn = np.random.default_rng(0).choice(len(sample), count, replace=False)
    others = drawn[[other != item for other in sample.store.cells("id", drawn)]]
    words = []
    if len(others):
        options = SimilarityOptions(colour=0.0, trained=trained)
        own = index.similarities(features, rows, options=options)
        closer = float((sample.similarities(features, others, options=options) < own).mean())
        words.append(_word(SHAPES, closer, "another shape"))
    colours = index.similarities(features, rows, options=SimilarityOptions(colour=1.0))
    words.append(_word(COLOURS_IN_WORDS, float(colours[0]), "other colours"))
    return words


def _word(words: Mapping[float, str], amount: float, otherwise: str) -> str:
    return next((word for least, word in words.items() if amount >= least), otherwise)


def _sentence(parts: Sequence[str]) -> str:
    text = ", ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def _note(reduced: bool, head: Head | None) -> str:
    text = (
        "Warm places are those that the network's comparison of the two pictures rests on; each "
        "place counts by what it has in common with the whole of the other picture."
    )
    learned = ["weighted by what was learned"] if head is not None else []
    steps = " and ".join(["reduced"] * reduced + learned)
    view = f" It is the network's own view: what it sees is then {steps}, which has no places."
    return text + view if steps else text


def spoken(column: str) -> str:
    """A column's name within a sentence: `baseColour` -> `colour`, `masterCategory` -> `master
    category`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).replace("_", " ").lower()
    return SPOKEN.get(column, words)
