"""The progress of a build in words."""

from __future__ import annotations

import pytest

from fitting_room.ui.shared.resources import _in_words
from fitting_room.util.progress import Progress


@pytest.mark.parametrize(
    ("progress", "left", "words"),
    [
        (None, None, "Opening the catalogue …"),
        (
            Progress("Fetching", 1_000_000, 4_000_000, "B", 1),
            2.0,
            "Getting ready: 1 of 4 MB of what compares pictures are here",
        ),
        (Progress("Preparing", 0, 1, "network", 0), None, "Getting ready …"),
        (Progress("Embedding", 0, 1_200, "picture", 0), None, "Getting ready: 0 of 1,200"),
        (
            Progress("Embedding", 312, 950, "picture", 60),
            21.0,
            "Getting ready: 312 of 950, about 20 s left",
        ),
        (
            Progress("Embedding", 312, 950, "picture", 60),
            200.0,
            "Getting ready: 312 of 950, about 3 min left",
        ),
        (
            Progress("Embedding", 312, 950, "picture", 60),
            9_000.0,
            "Getting ready: 312 of 950, about 2 h left",
        ),
        (Progress("Drawing", 10, 500, "step", 1), 3.0, "Almost ready …"),
    ],
)
def test_progress_is_described(progress: Progress | None, left: float | None, words: str):
    assert _in_words(progress, left) == words
