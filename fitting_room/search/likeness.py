"""How alike an item is to pictures, on one scale, in words for a shopper.

The words do not follow the ranking. However a visitor weighs colour, a jacket does not become alike
to a dress because both are red: items are always judged by the usual similarity, and by how often
items so similar were of the same kind where that was measured on the catalogue. Elsewhere the items
themselves are the measure: what is alike there is more similar than nearly all pairs of items. What
the head takes for another kind of thing is a little alike at most, and not alike where it has
another shape, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fitting_room.catalogue.kind_column import KIND_COLUMNS
from fitting_room.catalogue.schema import columns_like
from fitting_room.imaging.descriptors import COLOURS
from fitting_room.imaging.features import Features, normalise
from fitting_room.index import scoring
from fitting_room.index.calibration import LOOKS_THE_SAME, SAME_PICTURE, describe_share
from fitting_room.index.index import DEFAULT_OPTIONS, Index
from fitting_room.index.scoring import SimilarityOptions

#: Items that the pairs of :func:`scale_of` are made of: queries, and what each is compared with.
QUERIES, COMPARED = 64, 512
#: Where nothing was measured: the share of pairs of items that are less similar than what has these
#: amounts of likeness.
PAIRS = {0.0: 0.5, 0.2: 0.93, 0.45: 0.98, 0.7: 0.997, 1.0: 1.0}
#: The most that another kind of thing is alike, and one of another shape, whose expected precision
#: by the network's view of the shape alone is below OTHER_SHAPE.
MOST_OF_OTHER_KIND, MOST_OF_OTHER_SHAPE, OTHER_SHAPE = 0.44, 0.19, 0.2
#: Two pictures have their colours in common from this cosine of them on.
IN_COMMON = 0.9
#: What the head believes of the kinds of two pictures: sharp as it was taught, and the least cosine
#: of the beliefs for the same kind.
BELIEF, SAME_KIND = 0.05, 0.5
#: A picture shows no garment to the head where it is less like every kind that it was taught than
#: this cosine, and than all but this share of the catalogue's own items.
LIKE_NO_KIND, LEAST_LIKE_KIND = 0.44, 0.01
#: How similar the shapes are by themselves, as the network sees them.
SHAPE = SimilarityOptions(colour=0.0, trained=False)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike an item is: ``text`` is the word of the scale, ``amount``, 0 to 1, where on it the
    item stands. ``measured`` says that the amount is how often items so similar were of the same
    kind; ``same_colours`` that the colours are the same, whatever else is."""

    text: str
    amount: float
    measured: bool = False
    same_colours: bool = False


def likeness(
    index: Index,
    queries: Sequence[Features],
    rows: Sequence[int],
    scale: Callable[[], np.ndarray],
    *,
    nothing_close: bool = False,
) -> list[Likeness]:
    """How alike some rows are to all of some pictures. ``scale`` gives that of :func:`scale_of`,
    used where nothing was measured; ``nothing_close`` says that the pictures show something else
    than the catalogue has: then nothing is more than a little alike."""
    if not len(rows) or not len(queries):
        return []
    chosen = np.asarray(rows, np.int64)
    each = [_amounts(index, query, chosen, scale) for query in queries]
    amounts = np.mean([amounts for amounts, _ in each], axis=0)
    measured = np.all([is_measured for _, is_measured in each], axis=0)
    if nothing_close:
        measured &= amounts <= MOST_OF_OTHER_KIND
        amounts = np.minimum(amounts, MOST_OF_OTHER_KIND)
    same_colours = np.all([_same_colours(index, query, chosen) for query in queries], axis=0)
    columns = (amounts.tolist(), measured.tolist(), same_colours.tolist())
    result = [
        Likeness(describe_share(amount), amount, is_measured, same)
        for amount, is_measured, same in zip(*columns, strict=True)
    ]
    if len(queries) > 1:
        return result
    same, very = index.look_the_same(queries[0], chosen), index.same_pictures(queries[0], chosen)
    for place in np.flatnonzero(same | very).tolist():
        text = SAME_PICTURE if very[place] else LOOKS_THE_SAME
        result[place] = Likeness(text, 1.0, same_colours=True)
    return result


def scale_of(index: Index) -> np.ndarray:
    """The similarity from which on two items have each of the amounts in :data:`PAIRS`, float64
    ``(len(PAIRS),)``, rising: quantiles of the similarities of pairs drawn at random."""
    index = index.sample
    generator = np.random.default_rng(0)
    first, second = (
        generator.choice(len(index), min(count, len(index)), replace=False)
        for count in (QUERIES, COMPARED)
    )
    similarities = [
        index.similarities(query, others)
        for row, query in zip(first, index.features(first), strict=True)
        if len(others := second[index.item_numbers(second) != index.item_numbers(np.array([row]))])
    ]
    pairs = np.concatenate(similarities) if similarities else np.zeros(1)
    quantiles = np.quantile(pairs, list(PAIRS.values()))
    quantiles[-1] = max(1.0, quantiles[-1])
    return np.asarray(np.maximum.accumulate(quantiles + np.arange(len(quantiles)) * 1e-9))


def least_like_kind(index: Index) -> float | None:
    """The cosine with the nearest kind below which the head sees no garment in a picture; ``None``
    without a head that was taught kinds."""
    index = index.sample
    kinds = _kinds(index)
    if kinds is None or index.trained is None:
        return None
    rows = np.random.default_rng(0).choice(len(index), min(COMPARED, len(index)), replace=False)
    nearest = (np.asarray(index.trained[rows], np.float32) @ kinds.T).max(axis=1)
    return min(LIKE_NO_KIND, float(np.quantile(nearest, LEAST_LIKE_KIND)))


def like_a_kind(index: Index, query: Features) -> float | None:
    """How like the nearest kind a picture is to the head, a cosine; ``None`` where that is not
    known."""
    kinds, seen = _kinds(index), index.projected([query])
    return None if kinds is None or seen is None else float((kinds @ seen[0]).max())


def _amounts(
    index: Index, query: Features, rows: np.ndarray, scale: Callable[[], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """How alike rows are to one picture, and which of these amounts were measured."""
    amounts, shape = (_expected(index, query, rows, how) for how in (DEFAULT_OPTIONS, SHAPE))
    measured = np.full(len(rows), amounts is not None)
    if amounts is None:
        amounts = np.interp(index.similarities(query, rows), scale(), list(PAIRS))
    kinds = _kinds_agree(index, query, rows)
    most = np.ones(len(rows))
    if kinds is not None:
        most[kinds < SAME_KIND] = MOST_OF_OTHER_KIND
        if shape is not None:
            most[(kinds < SAME_KIND) & (shape < OTHER_SHAPE)] = MOST_OF_OTHER_SHAPE
    elif shape is not None:  # a colour in common is no kind in common
        most = shape
    return np.minimum(amounts, most), measured & (amounts <= most)


def _expected(
    index: Index, query: Features, rows: np.ndarray, options: SimilarityOptions
) -> np.ndarray | None:
    """How often items so similar were of the query's kind, ``(len(rows),)``, where measured."""
    similarities = index.similarities(query, rows, options=options)
    return index.expected_precisions(similarities, options, plain_background=query.plain_background)


def _kinds_agree(index: Index, query: Features, rows: np.ndarray) -> np.ndarray | None:
    """How far the head takes some rows for the kind of thing that it takes the query for, 0 to 1;
    ``None`` without a head that was taught kinds."""
    kinds, trained = _kinds(index), index.trained
    seen = index.projected([query])
    if kinds is None or trained is None or seen is None:
        return None
    beliefs = beliefs_of(np.concatenate([seen, np.asarray(trained[rows], np.float32)]) @ kinds.T)
    return np.asarray(beliefs[1:] @ beliefs[0])


def kinds_of(index: Index) -> tuple[tuple[str, ...], np.ndarray] | None:
    """The kinds of things that the index's head was taught, and what it takes for the middle of
    each, unit rows float32 ``(K, E)``; ``None`` without a head that was taught any."""
    columns = [] if index.head is None else columns_like(KIND_COLUMNS, index.head.columns)
    if index.head is None or not columns:
        return None
    return index.head.labels[columns[0]], normalise(index.head.proxies[columns[0]])


def beliefs_of(cosines: np.ndarray) -> np.ndarray:
    """What the head believes of which kinds some pictures are, unit rows float32 ``(N, K)``, by
    their cosines with the kinds."""
    return normalise(np.exp((cosines - cosines.max(axis=1, keepdims=True)) / BELIEF))


def _kinds(index: Index) -> np.ndarray | None:
    known = kinds_of(index)
    return None if known is None else known[1]


def _same_colours(index: Index, query: Features, rows: np.ndarray) -> np.ndarray:
    unit = scoring.unit_bytes(query.descriptors[None, COLOURS])[0]
    of_items = scoring.unit_bytes(index.descriptors[rows][:, COLOURS])
    return np.asarray(of_items @ unit >= IN_COMMON)
