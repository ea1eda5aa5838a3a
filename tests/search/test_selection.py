"""A variety instead of one shirt in ten variants, and good matches alone."""

from __future__ import annotations

import numpy as np
import pytest

from fitting_room.facade import FittingRoom
from tests.conftest import SAMPLES, picture_bytes, shade

DRESS = SAMPLES / "red-dress.jpg"


def test_without_diversity_nothing_changes(demo_fitting_room: FittingRoom) -> None:
    plain = demo_fitting_room.search(DRESS, 8)
    assert demo_fitting_room.search(DRESS, 8, diversity=0.0) == plain


def test_the_first_stays_and_the_others_differ_more(demo_fitting_room: FittingRoom) -> None:
    index = demo_fitting_room.index

    def alike(diversity: float) -> float:
        """How alike the matches are to each other."""
        found = demo_fitting_room.search(DRESS, 8, diversity=diversity)
        assert found[0].id == demo_fitting_room.search(DRESS, 1)[0].id
        rows = np.array([match.row for match in found])
        return float(np.mean([index.similarities(f, rows).mean() for f in index.features(rows)]))

    values = [alike(diversity) for diversity in (0.0, 0.3, 0.6)]
    assert values[0] > values[1] > values[2]


def test_each_item_is_chosen_once(fitting_room: FittingRoom) -> None:
    found = fitting_room.search(picture_bytes(shade(1), kind="PNG"), 12, diversity=1.0)
    assert len({match.id for match in found}) == 12


def test_with_folding_the_others_stay_with_theirs(demo_fitting_room: FittingRoom) -> None:
    folded = {m.id: m.others for m in demo_fitting_room.search(DRESS, 40, fold=True)}
    for match in demo_fitting_room.search(DRESS, 10, fold=True, diversity=0.2):
        assert match.others == folded[match.id]


def test_good_ones_are_alike_in_words(demo_fitting_room: FittingRoom) -> None:
    features = demo_fitting_room.describe([DRESS])
    everything = demo_fitting_room.search(features, 60)
    rows = [match.row for match in everything]
    amounts = [one.amount for one in demo_fitting_room.likeness(features, rows)]
    good = demo_fitting_room.search(features, 60, only_good=True)
    assert [m.id for m in good] == [
        m.id for m, amount in zip(everything, amounts, strict=True) if amount >= 0.45
    ]
    assert 0 < len(good) < 60


@pytest.mark.parametrize("diversity", [-0.1, 1.1, float("nan")])
def test_what_is_no_share_is_refused(fitting_room: FittingRoom, diversity: float) -> None:
    with pytest.raises(ValueError, match="diversity"):
        fitting_room.search(picture_bytes(), 3, diversity=diversity)
