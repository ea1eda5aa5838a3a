"""A picture of a catalogue item, as it comes back from the world, finds its item first; and how
often others do is measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fitting_room.evaluation.copy_detection import CHANGES, detect_copies, evenly
from fitting_room.evaluation.results import EvaluationError
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import open_image
from tests.conftest import DEMO, fitting_room_of

SAMPLE = 100


@pytest.fixture(scope="module")
def sample(demo_fitting_room: FittingRoom) -> dict[str, Image.Image]:
    """Items of all kinds, id -> picture, the same in every run."""
    items = demo_fitting_room.index.items.sample(SAMPLE, random_state=0)
    return {
        i: open_image(DEMO / image) for i, image in zip(items["id"], items["image"], strict=True)
    }


def first_matches(fitting_room: FittingRoom, pictures: list[Image.Image]) -> list[str]:
    hits = fitting_room.index.search(fitting_room.describe(pictures), 1)
    return fitting_room.index.items["id"].iloc[np.concatenate([h.rows for h in hits])].tolist()


def test_the_picture_itself_is_found_first(
    demo_fitting_room: FittingRoom, sample: dict[str, Image.Image]
) -> None:
    assert len(sample) == SAMPLE
    assert first_matches(demo_fitting_room, list(sample.values())) == list(sample)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_finds_its_original_first(
    demo_fitting_room: FittingRoom,
    sample: dict[str, Image.Image],
    change: Callable[[Image.Image], Image.Image],
) -> None:
    matches = first_matches(demo_fitting_room, [change(image) for image in sample.values()])
    missed = [item for item, first in zip(sample, matches, strict=True) if item != first]
    print(f"{change.__name__}: {SAMPLE - len(missed)} of {SAMPLE} find their original first")
    assert len(missed) <= SAMPLE - 95, f"{change.__name__}: not found first: {missed}"


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_copy_is_another_picture_of_the_same_thing(name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (10, 8, 3), np.uint8)
    image = Image.fromarray(pixels).resize((64, 80), Image.Resampling.BICUBIC)
    copy = CHANGES[name](image)
    assert copy.mode == "RGB"
    assert copy.size == ((58, 74) if name == "cropped" else image.size)
    assert copy.tobytes() != image.tobytes()


def test_copies_find_their_items(fitting_room: FittingRoom) -> None:
    detection = detect_copies(fitting_room, 12, k=4)
    assert (detection.items, detection.skipped, list(detection.changes)) == (12, 0, list(CHANGES))
    # One colour throughout: a flipped and a cropped copy are the picture itself to the stand-in.
    for name in ("flipped", "cropped"):
        assert detection.changes[name].first.value == 1
    # Brighter, a shade is nearer to other shades of its colour, and then they come first.
    bright = detection.changes["brightened"]
    assert bright.first.value < 1
    assert bright.first.value <= bright.among.value
    assert json.loads(json.dumps(detection.as_dict()))["changes"]["flipped"]["first"]["value"] == 1


def test_copies_of_some_items_among_others(labelled_shop: Path) -> None:
    fitting_room = fitting_room_of(labelled_shop)
    detection = detect_copies(fitting_room, 3, k=2, where={"baseColour": "Blue"})
    assert (detection.items, detection.k) == (3, 2)
    assert detect_copies(fitting_room, 3, k=2, where={"baseColour": "Blue"}) == detection
    assert detect_copies(fitting_room, 100, holdout=3).items == 8
    (labelled_shop / "images" / "1.png").unlink()
    assert detect_copies(fitting_room, 12).skipped == 1
    for path in (labelled_shop / "images").iterdir():
        path.unlink()
    with pytest.raises(EvaluationError, match="could be read"):
        detect_copies(fitting_room, 12)


def test_items_with_the_same_picture_stand_for_each_other(labelled_shop: Path) -> None:
    for number in (2, 3):
        data = (labelled_shop / "images" / "1.png").read_bytes()
        (labelled_shop / "images" / f"{number}.png").write_bytes(data)
    assert detect_copies(fitting_room_of(labelled_shop), 12).changes["flipped"].first.value == 1


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 5))
def test_a_sample_is_spread_evenly(size: int, count: int, seed: int) -> None:
    rows = np.arange(size) * 3
    chosen = evenly(rows, count, seed)
    assert len(chosen) == len(set(chosen.tolist())) == min(size, count)
    assert set(chosen.tolist()) <= set(rows.tolist())
    if 1 < len(chosen) < size:
        gaps = np.diff(chosen) // 3
        assert gaps.max() - gaps.min() <= 1
