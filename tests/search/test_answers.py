"""What is said of a picture that nothing is close to, with and without matches at hand."""

from __future__ import annotations

import pytest

from fitting_room.facade import FittingRoom
from fitting_room.search import answers
from tests.conftest import SAMPLES, picture_bytes

PICTURES = {path.stem: path.read_bytes() for path in sorted(SAMPLES.glob("*.jpg"))} | {
    colour: picture_bytes(colour, (120, 160)) for colour in ("white", "teal", "black")
}


@pytest.mark.parametrize("name", PICTURES)
def test_matches_at_hand_save_work_and_change_nothing(
    demo_fitting_room: FittingRoom, name: str
) -> None:
    (query,) = demo_fitting_room.describe([PICTURES[name]])
    rows = [match.row for match in demo_fitting_room.search(query, 12)]
    known = answers.is_out_of_catalogue(demo_fitting_room, query, rows)
    assert known == answers.is_out_of_catalogue(demo_fitting_room, query)


def test_an_answer_says_how_alike_each_match_is(demo_fitting_room: FittingRoom) -> None:
    queries = demo_fitting_room.describe([PICTURES["red-dress"]])
    matches = demo_fitting_room.search(queries, 5)
    answer = answers.answer(demo_fitting_room, queries, matches)
    rows = [match.row for match in matches]
    assert answer.likeness == demo_fitting_room.likeness(queries, rows)
    assert answer.message is None


def test_without_matches_there_is_still_an_answer(demo_fitting_room: FittingRoom) -> None:
    queries = demo_fitting_room.describe([PICTURES["red-dress"]])
    answer = answers.answer(demo_fitting_room, queries, [])
    assert answer.matches == answer.likeness == []
