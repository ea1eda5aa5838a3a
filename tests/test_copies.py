"""A picture of a catalogue item, as it comes back from the world, finds its item first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from fitting_room.evaluation import CHANGES
from fitting_room.images import open_image
from fitting_room.room import FittingRoom
from tests.conftest import DEMO

SAMPLE = 100


@pytest.fixture(scope="module")
def sample(demo_room: FittingRoom) -> dict[str, Image.Image]:
    """Ten items of each type, id -> picture, the same in every run."""
    by_type = demo_room.index.items.groupby("articleType")
    assert by_type.ngroups == 10
    items = by_type.sample(SAMPLE // by_type.ngroups, random_state=0)
    return {
        i: open_image(DEMO / image) for i, image in zip(items["id"], items["image"], strict=True)
    }


def first_matches(room: FittingRoom, pictures: list[Image.Image]) -> list[str]:
    hits = room.index.search(room.describe(pictures), 1)
    return room.index.items["id"].iloc[np.concatenate([h.rows for h in hits])].tolist()


def test_the_picture_itself_is_found_first(
    demo_room: FittingRoom, sample: dict[str, Image.Image]
) -> None:
    assert len(sample) == SAMPLE
    assert first_matches(demo_room, list(sample.values())) == list(sample)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_finds_its_original_first(
    demo_room: FittingRoom,
    sample: dict[str, Image.Image],
    change: Callable[[Image.Image], Image.Image],
) -> None:
    found = first_matches(demo_room, [change(image) for image in sample.values()])
    missed = [item for item, first in zip(sample, found, strict=True) if item != first]
    print(f"{change.__name__}: {SAMPLE - len(missed)} of {SAMPLE} find their original first")
    assert len(missed) <= SAMPLE - 95, f"{change.__name__}: not found first: {missed}"
