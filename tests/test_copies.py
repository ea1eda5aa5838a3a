"""A picture of a catalogue item, as it comes back from the world, finds its item first."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from fitting_room.images import open_image
from fitting_room.room import FittingRoom
from tests.conftest import DEMO

SAMPLE = 100


def reencoded(image: Image.Image) -> Image.Image:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=60)
    return open_image(buffer.getvalue())


def brightened(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1.15)


def cropped(image: Image.Image) -> Image.Image:
    """4 % less on each side."""
    width, height = image.size
    x, y = round(0.04 * width), round(0.04 * height)
    return image.crop((x, y, width - x, height - y))


def flipped(image: Image.Image) -> Image.Image:
    return ImageOps.mirror(image)


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
    hits = room.index.search(room.embed(pictures), 1)
    return room.index.items["id"].iloc[np.concatenate([h.rows for h in hits])].tolist()


def test_the_picture_itself_is_found_first(
    demo_room: FittingRoom, sample: dict[str, Image.Image]
) -> None:
    assert len(sample) == SAMPLE
    assert first_matches(demo_room, list(sample.values())) == list(sample)


@pytest.mark.parametrize("change", [reencoded, brightened, cropped, flipped])
def test_a_changed_copy_finds_its_original_first(
    demo_room: FittingRoom,
    sample: dict[str, Image.Image],
    change: Callable[[Image.Image], Image.Image],
) -> None:
    found = first_matches(demo_room, [change(image) for image in sample.values()])
    missed = [item for item, first in zip(sample, found, strict=True) if item != first]
    print(f"{change.__name__}: {SAMPLE - len(missed)} of {SAMPLE} find their original first")
    assert len(missed) <= SAMPLE - 95, f"{change.__name__}: not found first: {missed}"
