"""Figures that can be checked by hand and by plain counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fitting_room.evaluation.metrics import (
    average_precision_at_k,
    bootstrap_figures,
    hit_at_k,
    precision_at_k,
)


def test_the_figures_of_a_worked_example() -> None:
    right = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1], [1, 1, 0, 0]], bool)
    relevant = np.array([10, 10, 3, 2])
    assert precision_at_k(right).tolist() == [0.5, 0, 0.75, 0.5]
    assert hit_at_k(right).tolist() == [True, False, True, True]
    expected = [(1 + 2 / 3) / 4, 0, (1 / 2 + 2 / 3 + 3 / 4) / 3, 1]
    assert average_precision_at_k(right, relevant) == pytest.approx(expected)


@st.composite
def results(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Right and wrong results, and how many right ones there are, at least those found."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 8)))
    right = draw(hnp.arrays(bool, shape))
    missed = draw(hnp.arrays(np.int64, shape[0], elements=st.integers(0, 9)))
    return right, right.sum(axis=1) + missed


@given(results())
def test_the_figures_are_those_of_plain_counting(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    right, relevant = drawn
    count = right.shape[1]
    precision = precision_at_k(right)
    average = average_precision_at_k(right, relevant)
    for query, row in enumerate(right.tolist()):
        assert precision[query] == pytest.approx(sum(row) / count)
        assert hit_at_k(right)[query] == any(row)
        total = sum(sum(row[: rank + 1]) / (rank + 1) for rank in range(count) if row[rank])
        best = min(count, int(relevant[query]))
        assert average[query] == pytest.approx(total / best if best else 0)
    assert ((average >= 0) & (average <= 1 + 1e-12)).all()


@given(results(), st.data())
def test_a_right_result_further_up_is_never_worse(
    drawn: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    right, relevant = drawn
    rank = data.draw(st.integers(0, right.shape[1] - 1))
    moved = right.copy()
    moved[:, : rank + 1] = np.sort(right[:, : rank + 1], axis=1)[:, ::-1]
    assert (precision_at_k(moved) == precision_at_k(right)).all()
    gained = average_precision_at_k(moved, relevant) - average_precision_at_k(right, relevant)
    assert (gained >= -1e-12).all()


def test_an_interval_holds_the_mean_and_narrows_with_more_queries() -> None:
    values = np.random.default_rng(0).random((2, 1000))
    few, many = bootstrap_figures(values[:, :50]), bootstrap_figures(values)
    for narrow, wide in zip(many, few, strict=True):
        assert narrow.low < narrow.value < narrow.high
        assert narrow.high - narrow.low < wide.high - wide.low
    # As wide as theory says: 1.96 standard errors to each side.
    error = 1.96 * values.std(axis=1) / np.sqrt(1000)
    assert [f.high - f.value for f in many] == pytest.approx(error.tolist(), rel=0.15)
    assert bootstrap_figures(values) == many
    assert bootstrap_figures(values, seed=1) != many


def test_a_single_query_says_nothing_about_others() -> None:
    (figure,) = bootstrap_figures(np.array([[0.25]]))
    assert (figure.value, figure.low, figure.high) == (0.25, 0, 1)
