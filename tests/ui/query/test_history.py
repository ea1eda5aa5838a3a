"""Queries, their history, and parts of pictures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitting_room.ui.query.history import (
    ITEM,
    MAX_NEGATIVES,
    MAX_QUERIES,
    PICTURE,
    Box,
    History,
    Query,
    Subject,
    query_of_items,
)

A, B, C = (query_of_items([item]) for item in "abc")


def test_a_history_starts_empty():
    assert History().query == Query()
    assert History().trail == []
    assert not History().query


def test_a_history_goes_on_and_back():
    history = History()
    for query in (A, B, C):
        history.advance(query)
    assert history.trail == [A, B, C]
    history.back(0)
    assert history.query == A
    history.back(-1)
    assert history.query == Query()


def test_a_new_query_forgets_those_that_one_came_back_from():
    history = History()
    for query in (A, B):
        history.advance(query)
    history.back(0)
    history.advance(C)
    assert history.trail == [A, C]
    history.go(B)  # by the browser's forward button: no longer known, so it is a new one
    assert history.trail == [A, C, B]


def test_the_browsers_buttons_find_the_query_beside():
    history = History()
    for query in (A, B, A, C):
        history.advance(query)
    history.go(A)  # back
    assert history.position == 2
    history.go(B)
    assert history.position == 1
    history.go(A)  # back once more, or forward: the one before comes first
    assert history.query == A
    history.go(Query())
    assert history.trail == []


def test_the_same_query_twice_is_one():
    history = History()
    history.advance(A)
    history.advance(A)
    assert history.trail == [A]


def test_a_history_is_bounded():
    history = History()
    for number in range(MAX_QUERIES + 5):
        history.advance(query_of_items([str(number)]))
    assert len(history.queries) == MAX_QUERIES
    assert history.query == query_of_items([str(MAX_QUERIES + 4)])


def test_with_negative_is_remembered_once_and_bounded():
    query = A.with_negative("x").with_negative("y").with_negative("x")
    assert query.negatives == ("y", "x")
    for number in range(MAX_NEGATIVES + 3):
        query = query.with_negative(str(number))
    assert len(query.negatives) == MAX_NEGATIVES
    assert query.negatives[-1] == str(MAX_NEGATIVES + 2)


def test_without_its_last_subject_a_query_is_empty():
    two = Query((Subject(ITEM, "a"), Subject(PICTURE, "p")), negatives=("x",))
    one = two.without(Subject(ITEM, "a"))
    assert one == Query((Subject(PICTURE, "p"),), negatives=("x",))
    assert one.without(Subject(PICTURE, "p")) == Query()


@given(st.text(max_size=30))
def test_a_box_is_read_or_refused(text: str):
    try:
        box = Box.parse(text)
    except ValueError:
        return
    assert Box.parse(str(box)) == box


@pytest.mark.parametrize(
    "text",
    ["", "1,2,3", "0,0,1000,1001", "500,0,400,1000", "0,0,10,1000", "-1,0,900,900", "a,b,c,d"],
)
def test_what_is_no_part_of_a_picture_is_refused(text: str):
    with pytest.raises(ValueError, match="no part"):
        Box.parse(text)


@given(
    st.integers(0, 900), st.integers(0, 900), st.integers(50, 1000), st.integers(50, 1000),
    st.integers(1, 3000), st.integers(1, 3000),
)  # fmt: skip
def test_a_box_in_pixels_lies_within_the_picture(left, top, width, height, across, down):
    box = Box(left, top, min(1000, left + width), min(1000, top + height))
    x0, y0, x1, y1 = box.pixels(across, down)
    assert 0 <= x0 < x1 <= across
    assert 0 <= y0 < y1 <= down
