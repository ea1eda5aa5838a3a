"""How alike items are, in words of one scale that are true."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from fitting_room.facade import FittingRoom
from fitting_room.index.calibration import LIKENESS, LOOKS_THE_SAME, NOT_ALIKE, SAME_PICTURE
from fitting_room.index.index import Index
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search import likeness
from fitting_room.search.likeness import scale_of

SCALE = [*LIKENESS.values(), NOT_ALIKE]


@pytest.fixture(params=["measured", "not measured", "no head"])
def index(request: pytest.FixtureRequest, demo_fitting_room: FittingRoom) -> Index:
    index = copy.copy(demo_fitting_room.index)
    if request.param != "measured":
        index.calibration = None
    if request.param == "no head":
        index.head = None
    return index


def right_by_word(index: Index, options: SimilarityOptions) -> dict[str, list[bool]]:
    """By word, which of the matches of some items are of the same type."""
    kinds = index.items["articleType"].to_numpy()
    scale, right = scale_of(index), {word: [] for word in SCALE}
    rows = np.arange(0, len(index), 19)
    for row, query in zip(rows.tolist(), index.features(rows), strict=True):
        found = index.search([query], 9, options=options)[0].rows
        found = found[found != row]
        words = likeness.likeness(index, [query], found, lambda: scale)
        for match, word in zip(found.tolist(), words, strict=True):
            if word.text in right:
                right[word.text].append(kinds[match] == kinds[row])
    return right


def test_the_words_are_true_however_matches_are_ranked(demo_fitting_room: FittingRoom) -> None:
    for colour in (None, 1.0):
        right = right_by_word(demo_fitting_room.index, SimilarityOptions(colour=colour))
        assert np.mean(right["Very alike"] + right["Alike"]) > 0.8
        assert np.mean(right["A little alike"]) < 0.4
        assert np.mean(right["Not alike"]) < 0.1


def test_one_scale_whatever_was_measured(index: Index) -> None:
    rows = np.arange(0, len(index), 7)
    (query,) = index.features(np.array([0]))
    scale = scale_of(index)
    assert (np.diff(scale) > 0).all()
    words = likeness.likeness(index, [query], rows, lambda: scale)
    assert {word.text for word in words} <= {*SCALE, SAME_PICTURE, LOOKS_THE_SAME}
    assert words[0].text == SAME_PICTURE
    assert all(0 <= word.amount <= 1 for word in words)
    by_amount = sorted(words[1:], key=lambda word: -word.amount)
    places = [SCALE.index(word.text) for word in by_amount if word.text in SCALE]
    assert places == sorted(places)
    assert sum(word.text == NOT_ALIKE for word in words) > len(words) / 2
    measured = index.calibration is not None
    assert any(word.measured for word in words) == measured


def test_of_several_pictures_an_item_is_alike_to_all(demo_fitting_room: FittingRoom) -> None:
    index = demo_fitting_room.index
    kinds = index.items["articleType"].to_numpy()
    dress, shoe = (int(np.flatnonzero(kinds == kind)[0]) for kind in ("Dresses", "Heels"))
    queries = index.features(np.array([dress, shoe]))
    alone = demo_fitting_room.likeness(queries[:1], [dress])[0]
    both = demo_fitting_room.likeness(queries, [dress])[0]
    assert alone.amount == 1
    assert both.amount < 0.7
    assert demo_fitting_room.likeness(queries, []) == []


def test_where_nothing_is_close_nothing_is_more_than_a_little_alike(
    demo_fitting_room: FittingRoom,
) -> None:
    queries = demo_fitting_room.index.features(np.array([0]))
    rows = demo_fitting_room.index.search(queries, 20)[0].rows[1:]
    usual = demo_fitting_room.likeness(queries, rows)
    far = demo_fitting_room.likeness(queries, rows, nothing_close=True)
    assert {"Alike", "Very alike"} & {word.text for word in usual}
    assert {word.text for word in far} <= {"A little alike", NOT_ALIKE, LOOKS_THE_SAME}


def test_without_a_head_no_picture_is_said_to_show_no_garment(
    demo_fitting_room: FittingRoom,
) -> None:
    index = copy.copy(demo_fitting_room.index)
    index.head = None
    (query,) = index.features(np.array([0]))
    assert likeness.least_like_kind(index) is None
    assert likeness.like_a_kind(index, query) is None
    assert not demo_fitting_room.sees_no_garment(query)
