"""The steps of a walk, and the parts of pictures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitting_room.ui.walk import (
    ITEM,
    MOST_LESS,
    MOST_STEPS,
    PICTURE,
    Box,
    Step,
    Subject,
    Walk,
    of_items,
)

A, B, C = (of_items([item]) for item in "abc")


def test_a_walk_starts_nowhere():
    assert Walk().step == Step()
    assert Walk().trail == []
    assert not Walk().step


def test_steps_are_taken_and_gone_back():
    walk = Walk()
    for step in (A, B, C):
        walk.advance(step)
    assert walk.trail == [A, B, C]
    walk.back(0)
    assert walk.step == A
    walk.back(-1)
    assert walk.step == Step()


def test_a_new_step_forgets_those_that_one_came_back_from():
    walk = Walk()
    for step in (A, B):
        walk.advance(step)
    walk.back(0)
    walk.advance(C)
    assert walk.trail == [A, C]
    walk.go(B)  # by the browser's forward button: no longer known, so it is a new one
    assert walk.trail == [A, C, B]


def test_the_browsers_buttons_find_the_neighbouring_step():
    walk = Walk()
    for step in (A, B, A, C):
        walk.advance(step)
    walk.go(A)  # back
    assert walk.place == 2
    walk.go(B)
    assert walk.place == 1
    walk.go(A)  # back once more, or forward: the one before is looked at first
    assert walk.step == A
    walk.go(Step())
    assert walk.trail == []


def test_the_same_step_twice_is_one():
    walk = Walk()
    walk.advance(A)
    walk.advance(A)
    assert walk.trail == [A]


def test_a_trail_is_bounded():
    walk = Walk()
    for number in range(MOST_STEPS + 5):
        walk.advance(of_items([str(number)]))
    assert len(walk.steps) == MOST_STEPS
    assert walk.step == of_items([str(MOST_STEPS + 4)])


def test_less_like_is_remembered_once_and_bounded():
    step = A.less_like("x").less_like("y").less_like("x")
    assert step.less == ("y", "x")
    for number in range(MOST_LESS + 3):
        step = step.less_like(str(number))
    assert len(step.less) == MOST_LESS
    assert step.less[-1] == str(MOST_LESS + 2)


def test_without_its_last_subject_nothing_is_asked():
    two = Step((Subject(ITEM, "a"), Subject(PICTURE, "p")), less=("x",))
    one = two.without(Subject(ITEM, "a"))
    assert one == Step((Subject(PICTURE, "p"),), less=("x",))
    assert one.without(Subject(PICTURE, "p")) == Step()


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
