"""Words with a network that reads them, by one that stands in for it: to it a number is the picture
of that row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fitting_room.facade import FittingRoom
from fitting_room.search.searcher import Searcher

ROW, OTHER = 7, 400


class Reading(FittingRoom):
    """A network in whose space texts lie where pictures do."""

    asked: list[str]

    @property
    def reads_words(self) -> bool:
        return True

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        self.asked = list(texts)
        rows = {"unicorn": ROW, "giraffes": OTHER}
        return np.stack(
            [np.asarray(self.index.vectors[rows.get(text, 0)], np.float32) for text in texts]
        )


@pytest.fixture
def reading(demo_fitting_room: FittingRoom) -> Searcher:
    index = demo_fitting_room.index
    return Reading(index, lambda: demo_fitting_room.embedder, demo_fitting_room.limits)


def test_words_that_no_column_has_are_read_by_the_network(reading: Reading) -> None:
    found = reading.search(text="unicorn", n=3)
    assert found[0].row == ROW
    assert found[0].similarity >= found[1].similarity > found[2].similarity > 0
    assert all(match.expected_precision is None for match in found)
    words = reading.understand("unicorn")
    assert words
    assert words.message is None
    assert words.as_dict() == {"understood": [], "not_understood": []}


def test_beside_a_picture_they_are_added_and_taken_away(reading: Reading) -> None:
    (query,) = reading.index.features(np.array([OTHER]))

    def similarity(text: str | None, weight: float, row: int) -> float:
        found = reading.search(query, len(reading.index), text=text, text_weight=weight)
        return next(match.similarity for match in found if match.row == row)

    alone = similarity(None, 0.4, ROW)
    assert similarity("unicorn", 0.4, ROW) > alone > similarity("no unicorn", 0.4, ROW)
    assert reading.asked == ["unicorn"]
    similarity("like this, but unicorn without giraffes", 0.4, ROW)
    assert reading.asked == ["like this but unicorn", "giraffes"]


def test_values_of_the_catalogue_count_as_well(reading: Reading) -> None:
    found = reading.search(text="unicorn dress", n=10, text_weight=1)
    assert {match.attributes["articleType"] for match in found} == {"Dresses"}


def test_words_that_say_nothing_are_not_asked_of_it(reading: Reading) -> None:
    reading.asked = []
    assert reading.search(text="like this") == []
    assert reading.asked == []
