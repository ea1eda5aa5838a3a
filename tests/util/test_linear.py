"""Directions and nearest rows, against scikit-learn, which has them too."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from fitting_room.util.linear import nearest_rows, principal_directions


def rows_of(count: int, dimension: int) -> np.ndarray:
    """Rows that vary most along the first numbers, around a place that is not 0."""
    rows = np.random.default_rng(0).normal(size=(count, dimension))
    return (rows * np.linspace(3, 0.5, dimension) + 5).astype(np.float32)


@pytest.mark.parametrize(("count", "of"), [(1, 40), (12, 40), (40, 40)])
def test_directions_are_those_of_greatest_variance(count: int, of: int) -> None:
    rows = rows_of(500, of)
    directions = principal_directions(rows, count)
    expected = PCA(count, svd_solver="covariance_eigh").fit(rows).components_
    assert directions.dtype == np.float32
    assert directions.shape == (count, of)
    assert np.abs((directions * expected).sum(axis=1)).min() > 0.999
    np.testing.assert_allclose(directions @ directions.T, np.eye(count), atol=1e-5)


def test_directions_point_the_same_way_however_the_rows_are_ordered() -> None:
    rows = rows_of(300, 20)
    np.testing.assert_allclose(
        principal_directions(rows, 5), principal_directions(rows[::-1], 5), atol=1e-3
    )


def test_fewer_rows_than_directions_are_no_error() -> None:
    rows = rows_of(3, 8)
    directions = principal_directions(rows, 8)
    np.testing.assert_allclose(directions @ directions.T, np.eye(8), atol=1e-5)


@pytest.mark.parametrize("count", [1, 4])
def test_the_nearest_of_others_come_with_their_distances(count: int) -> None:
    rows, others = rows_of(700, 16), rows_of(900, 16)[700:]
    distances, places = nearest_rows(rows, others, count)
    expected = NearestNeighbors(n_neighbors=count, metric="sqeuclidean").fit(others)
    exact, nearest = expected.kneighbors(rows)
    np.testing.assert_array_equal(places, nearest)
    np.testing.assert_allclose(distances, exact, rtol=1e-4)


def test_a_row_is_not_its_own_neighbour_but_its_twin_is() -> None:
    rows = rows_of(600, 16)
    rows[599] = rows[0]
    distances, places = nearest_rows(rows, None, 3)
    assert (places != np.arange(600)[:, None]).all()
    assert places[0, 0] == 599
    assert places[599, 0] == 0
    assert distances[0, 0] == 0
    assert (np.diff(distances, axis=1) >= -1e-4).all()
