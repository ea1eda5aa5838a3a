"""The terms that a database finds names by."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.databases.terms import LONGEST_NAME, MOST_WORDS, terms_of_name, terms_of_words
from fitting_room.index.names import Names

WORDS = st.sampled_from(
    ["red", "Dress", "dresses", "T-shirts", "shirt", "women's", "Größe", "blåa", "4711", "t"]
)


@settings(max_examples=60)
@given(name=st.lists(WORDS, max_size=6), words=st.lists(WORDS, min_size=1, max_size=2))
def test_words_find_the_names_that_they_find_on_this_machine(
    name: list[str], words: list[str]
) -> None:
    text = " ".join(name)
    here = Names(pd.DataFrame({"name": [text]}), ["name"]).rows_of(words)
    wanted = terms_of_words(words)
    if len(wanted) <= 2:  # of more words a database looks at each pair
        assert ({*wanted} <= {*terms_of_name(text)}) == (len(here) > 0)


def test_words_of_two_columns_do_not_stand_beside_each_other() -> None:
    assert "red dress" in terms_of_name("A red dress")
    assert "red dress" not in terms_of_name("red", "dress")


@pytest.mark.parametrize("text", ["word " * 10_000, "x" * 100_000, "—" * 500, ""])
def test_no_name_has_endless_terms(text: str) -> None:
    terms = terms_of_name(text)
    assert len(terms) <= 2 * MOST_WORDS
    assert sum(map(len, terms)) <= 3 * LONGEST_NAME
