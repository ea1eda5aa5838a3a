"""Words beside a picture, as one query."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fitting_room.embedding.words import WordsNotUnderstood
from fitting_room.facade import FittingRoom
from fitting_room.search.words import combine

#: Unit vectors that are no opposites: of numbers above 0.
UNITS = arrays(np.float32, 5, elements=st.floats(0.125, 1, width=32)).map(
    lambda vector: vector / np.linalg.norm(vector)
)
WEIGHTS = st.floats(0, 0.9)


@given(UNITS, st.lists(UNITS, max_size=3), st.lists(UNITS, max_size=3), WEIGHTS)
def test_a_query_of_words_and_a_picture_has_length_1(picture, wanted, unwanted, weight) -> None:
    query = combine(picture, wanted, unwanted, weight)
    assert query.dtype == np.float32
    assert query.shape == (5,)
    assert np.linalg.norm(query) == pytest.approx(1, abs=1e-5)


@given(UNITS, UNITS, st.floats(0, 4))
def test_it_lies_between_the_picture_and_what_is_wanted(picture, wanted, weight) -> None:
    query = combine(picture, [wanted], (), weight)
    # Of unit vectors, a sum with the weights 1 and w is nearer to each than they are to each other.
    assert query @ wanted >= picture @ wanted - 1e-5
    assert query @ picture >= picture @ wanted - 1e-5
    more = combine(picture, [wanted], (), weight + 1)
    assert more @ wanted >= query @ wanted - 1e-5


@given(UNITS, UNITS, WEIGHTS)
def test_it_is_no_nearer_to_what_is_not_wanted(picture, unwanted, weight) -> None:
    assert combine(picture, (), [unwanted], weight) @ unwanted <= picture @ unwanted + 1e-5


@given(UNITS, UNITS, WEIGHTS)
def test_words_twice_are_words_once_and_no_weight_is_the_picture(picture, words, weight) -> None:
    once = combine(picture, [words], (), weight)
    np.testing.assert_allclose(combine(picture, [words, words], (), weight), once, atol=1e-6)
    np.testing.assert_allclose(combine(picture, [words], [words], 0), picture, atol=1e-6)
    np.testing.assert_allclose(combine(None, [words]), words, atol=1e-6)


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf")])
def test_a_weight_that_cannot_be_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        combine(np.ones(2), [np.ones(2)], (), weight)


def test_what_comes_to_nothing_is_refused() -> None:
    red = np.array([0.6, 0.8])
    with pytest.raises(ValueError, match="nothing is left"):
        combine(None, [red], [red])
    with pytest.raises(ValueError, match="one of them"):
        combine(None)
    with pytest.raises(ValueError, match="one length"):
        combine(red, [np.ones(3)])


def test_an_index_whose_network_has_no_words_says_so(fitting_room: FittingRoom) -> None:
    assert not fitting_room.reads_words
    with pytest.raises(WordsNotUnderstood, match="open_clip"):
        fitting_room.embed_texts(["red"])
