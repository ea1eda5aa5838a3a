"""The progress of a build in words."""

from __future__ import annotations

import pytest

from fitting_room.ui.shared.resources import _in_words
from fitting_room.util.progress import Progress


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress("Fetching", 1_000_000, 4_000_000, "B", 1), "Fetching: 1 of 4 MB"),
        (Progress("Preparing", 0, 1, "network", 0), "Preparing …"),
        (Progress("Embedding", 0, 1_200, "item", 0), "Embedding: 0 of 1,200"),
        (
            Progress("Embedding", 600, 1_200, "item", 60),
            "Embedding: 600 of 1,200, 10 a second, 1:00 left",
        ),
    ],
)
def test_progress_is_described(progress: Progress, words: str):
    assert _in_words(progress) == words
