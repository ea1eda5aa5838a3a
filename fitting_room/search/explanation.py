"""Why a result is a result: which places of two pictures make them alike, and a plain sentence.

The embedding of a picture is the mean of the network's last feature maps over its places, so the
cosine of two embeddings is a sum over pairs of places, one of either picture (Stylianou, Souvenir
and Pless 2019, "Visualizing Deep Similarity Networks"). What all pairs with one place add up to is
that place's share of the likeness: nothing is fitted or estimated, and the shares of all places
of a picture come to the cosine itself.

This is the network's own view. A PCA or a head comes after the mean, where places are gone; an
explanation says so where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from fitting_room.catalogue.schema import NAME_COLUMNS
from fitting_room.facade import FittingRoom
from fitting_room.imaging.features import Features
from fitting_room.imaging.preprocess import place_of
from fitting_room.index.scoring import SimilarityOptions

#: Height and width that an overlay fits into.
OVERLAY_SIZE = (480, 480)
#: Items drawn at random that a likeness is compared with.
COMPARED_WITH = 2_000
#: Columns that a sentence names at most, those that say most about a garment first; and the most
#: values that a column may have to say anything.
NAMED_FIRST = ("articleType", "class", "baseColour", "gender", "usage", "season", "masterCategory")
COLUMNS_NAMED, MOST_VALUES = 5, 200
#: What a column is called in a sentence, where its own name is not how people speak.
SPOKEN = {"articleType": "type", "class": "kind", "baseColour": "colour"}
#: Colours of little and of much heat, and how far the picture is covered at most: violet to yellow
#: as in matplotlib's "plasma", which is also told apart without seeing red or green.
_HEAT = np.array(
    [[13, 8, 135], [126, 3, 168], [204, 71, 120], [248, 149, 64], [240, 249, 33]], np.float32
)
COVER = 0.62


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """Each place's share of a likeness. ``shares`` is float32 ``(h, w)`` over the places of the
    network's input, and comes to the cosine in sum; ``picture`` float32 ``(H, W)`` between 0 and 1
    the same over the picture alone, without the white it was laid on; ``overlay`` the picture with
    its heat laid over it."""

    shares: np.ndarray
    picture: np.ndarray
    overlay: Image.Image


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Why an item is like a picture. ``cosine`` is that of the network's two embeddings;
    ``sentence`` says what they share, ``note`` what the heat does and does not show."""

    query: Heat
    item: Heat
    cosine: float
    sentence: str
    note: str


def explain(
    searcher: FittingRoom,
    query: Image.Image,
    item: str,
    *,
    features: Features | None = None,
    attributes: Mapping[str, str] | None = None,
    trained: bool = True,
) -> Explanation:
    """Explain the likeness of an upright RGB picture and the item of that id.

    ``features`` are what :meth:`FittingRoom.describe` told of the picture, if it did already;
    ``attributes`` what the catalogue says of it where it is an item itself; ``trained`` whether
    results were ranked with what was learned. Raises ``KeyError`` for an unknown item,
    ``ImageRejected`` when its picture cannot be read, and ``EngineError`` for a network that has no
    feature maps.
    """
    row = _row(searcher, item)
    of_item = searcher.open_picture(
        searcher.picture(str(searcher.index.items["image"].iloc[row])), item
    )
    features = searcher.describe([query])[0] if features is None else features
    shares, cosine = shares_of(*searcher.embedder.feature_maps([query, of_item]))
    size = searcher.embedder.selection.backbone.input_size
    heats = [_heat(part, image, size) for part, image in zip(shares, (query, of_item), strict=True)]
    sentences = [
        _in_common(searcher, row, features, attributes, trained=trained),
        _closeness(searcher, row, features, trained=trained),
    ]
    return Explanation(
        heats[0],
        heats[1],
        cosine,
        " ".join(filter(None, sentences)),
        _note(searcher, trained=trained),
    )


def shares_of(query: np.ndarray, item: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], float]:
    """The shares, float32 ``(h, w)``, that the places of two feature maps ``(h, w, D)`` have in the
    cosine of their means, and the cosine."""
    means = [
        each.reshape(-1, each.shape[2]).mean(axis=0, dtype=np.float64) for each in (query, item)
    ]
    lengths = float(np.linalg.norm(means[0]) * np.linalg.norm(means[1]))
    scale = 1 / lengths if lengths > 0 else 0.0
    shares = tuple(
        np.asarray(own @ other * scale / (own.shape[0] * own.shape[1]), np.float32)
        for own, other in ((query, means[1]), (item, means[0]))
    )
    return (shares[0], shares[1]), float(means[0] @ means[1]) * scale


def _heat(shares: np.ndarray, image: Image.Image, size: tuple[int, int]) -> Heat:
    height, width = size
    spread = Image.fromarray(shares).resize((width, height), Image.Resampling.BICUBIC)
    shown = image.copy()
    shown.thumbnail(OVERLAY_SIZE, Image.Resampling.LANCZOS)
    if max(shown.size) * 2 < max(OVERLAY_SIZE):  # a small picture's heat would be a few blots
        factor = max(OVERLAY_SIZE) // max(shown.size)
        shown = shown.resize(
            (shown.width * factor, shown.height * factor), Image.Resampling.LANCZOS
        )
    inside = spread.crop(place_of(image, size)).resize(shown.size, Image.Resampling.BILINEAR)
    values = np.asarray(inside, np.float32)
    low, high = float(values.min()), float(values.max())
    # An even picture has no place that counts more than another.
    heat = (values - low) / (high - low) if high - low > 1e-3 * abs(high) else np.zeros_like(values)
    return Heat(shares, heat, _laid_over(shown, heat))


def _laid_over(image: Image.Image, heat: np.ndarray) -> Image.Image:
    place = heat * (len(_HEAT) - 1)
    below = np.minimum(place.astype(int), len(_HEAT) - 2)
    between = (place - below)[..., None]
    colours = _HEAT[below] * (1 - between) + _HEAT[below + 1] * between
    cover = (COVER * heat**1.3)[..., None]
    grey = np.asarray(image.convert("L").convert("RGB"), np.float32)
    # What does not count fades to grey; what counts keeps its colours under the heat.
    faded = np.asarray(image, np.float32) * heat[..., None] + grey * (1 - heat[..., None])
    mixed = faded * (1 - cover) + colours * cover
    return Image.fromarray(np.clip(np.rint(mixed), 0, 255).astype(np.uint8))


# --- in words ---------------------------------------------------------------------------------


def _row(searcher: FittingRoom, item: str) -> int:
    rows = np.flatnonzero((searcher.index.items["id"] == item).to_numpy(bool))
    if len(rows) == 0:
        raise KeyError(item)
    return int(rows[0])


def _in_common(
    searcher: FittingRoom,
    row: int,
    features: Features,
    attributes: Mapping[str, str] | None,
    *,
    trained: bool,
) -> str:
    """What the catalogue says of both; of a picture that is no item, what a head sees in it."""
    record = searcher.index.items.iloc[row]
    if attributes is not None:
        told = {c: (attributes[c], str(record[c])) for c in _telling(searcher) if c in attributes}
        told = {c: pair for c, pair in told.items() if not pd.isna(record[c])}
        return _same_and_different(told, "differs in", "{0} and {1}")
    if not trained or searcher.index.head is None:
        return ""
    read = _read_by_head(searcher, features)
    told = {
        c: (label, str(record[c]))
        for c, label in read.items()
        if c in record.index and not pd.isna(record[c])
    }
    said = _same_and_different(told, "differs in", "your picture looks like {0}, the item is {1}")
    return f"By what was learned from this catalogue: {said[:1].lower()}{said[1:]}" if said else ""


def _telling(searcher: FittingRoom) -> list[str]:
    items = searcher.index.items
    columns = sorted(
        (c for c in searcher.attributes if c not in NAME_COLUMNS),
        key=lambda c: NAMED_FIRST.index(c) if c in NAMED_FIRST else len(NAMED_FIRST),
    )
    return [c for c in columns if 2 <= items[c].nunique() <= MOST_VALUES][:COLUMNS_NAMED]


def _read_by_head(searcher: FittingRoom, features: Features) -> dict[str, str]:
    """For each column that the head was taught, the label nearest to what it makes of a picture."""
    head = searcher.index.head
    assert head is not None  # noqa: S101  (the caller looked)
    embeddings = (
        features.embeddings
        if searcher.index.pca is None
        else searcher.index.pca(features.embeddings)
    )
    looks = np.repeat(features.descriptors[None], len(embeddings), axis=0)
    seen = head.project(embeddings, looks).mean(axis=0)
    return {c: head.labels[c][int(np.argmax(head.proxies[c] @ seen))] for c in head.columns}


def _same_and_different(told: Mapping[str, tuple[str, str]], differs: str, how: str) -> str:
    same = [f"{spoken(c)} ({one})" for c, (one, other) in told.items() if one == other]
    different = [
        f"{spoken(c)} ({how.format(one, other)})"
        for c, (one, other) in told.items()
        if one != other
    ]
    said = []
    if same:
        said.append(f"same {_listed(same)}")
    if different:
        said.append(f"{differs} {_listed(different)}")
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _closeness(searcher: FittingRoom, row: int, features: Features, *, trained: bool) -> str:
    """How the two parts of the likeness compare with those of other items."""
    index = searcher.index
    drawn = np.random.default_rng(0).choice(
        len(index), min(COMPARED_WITH, len(index)), replace=False
    )
    rows = np.concatenate([[row], drawn[drawn != row]])
    if len(rows) < 2:
        return ""
    shares = []
    for colour in (0.0, 1.0):
        found = index.likeness(
            features, rows, options=SimilarityOptions(colour=colour, trained=trained)
        )
        shares.append(float((found[1:] < found[0]).mean()))
    shape, colours = (_percent(share) for share in shares)
    return f"Its shape is closer than that of {shape} of the catalogue, its colours than {colours}."


def _percent(share: float) -> str:
    return f"{int(share * 100)} %"  # 99.9 % of them is not all of them


def _note(searcher: FittingRoom, *, trained: bool) -> str:
    what = (
        "Warm places are those that the network's comparison of the two pictures rests on; each "
        "place counts by what it has in common with the whole of the other picture."
    )
    after = []
    if searcher.index.pca is not None:
        after.append("reduced")
    if trained and searcher.index.head is not None:
        after.append("weighed by what was learned from this catalogue")
    if not after:
        return what
    return (
        f"{what} It is the network's own view: what it sees is then "
        f"{' and '.join(after)}, which has no places."
    )


def spoken(column: str) -> str:
    """A column's name within a sentence: `baseColour` -> `colour`, `masterCategory` -> `master
    category`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).replace("_", " ").lower()
    return SPOKEN.get(column, words)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
