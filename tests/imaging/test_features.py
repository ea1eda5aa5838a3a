"""Rows of length 1."""

from __future__ import annotations

import numpy as np

from fitting_room.imaging.features import normalise


def test_rows_get_length_one_and_keep_their_direction() -> None:
    vectors = normalise(np.array([[3.0, 4.0], [0.0, -1e-3], [1e10, 0.0]]))
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [0, -1], [1, 0]], atol=1e-6)
    assert vectors.dtype == np.float32


def test_a_row_of_zeros_stays_zero() -> None:
    vectors = normalise(np.array([[0.0, 0.0], [1.0, 0.0]]))
    np.testing.assert_array_equal(vectors, [[0, 0], [1, 0]])


def test_normalising_does_not_change_its_input() -> None:
    given = np.array([[3.0, 4.0]], np.float32)
    normalise(given)
    np.testing.assert_array_equal(given, [[3, 4]])
