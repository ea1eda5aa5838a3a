"""What comes first with a head: the query's very picture."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from fitting_room.facade import FittingRoom
from fitting_room.index.index import COPY_AMONG
from fitting_room.index.scoring import Hits
from tests.conftest import DEMO


def saved_again(image: Image.Image) -> Image.Image:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(BytesIO(buffer.getvalue())).convert("RGB")


CHANGES = {
    "nothing": lambda image: image,
    "saved again": saved_again,
    "cropped": lambda image: image.crop((9, 12, image.width - 9, image.height - 12)),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_of_an_item_comes_first(demo_fitting_room: FittingRoom, change: str) -> None:
    items = demo_fitting_room.index.items.sample(25, random_state=1)
    found = 0
    for item, name in zip(items["id"], items["image"], strict=True):
        image = Image.open(DEMO / name).convert("RGB")
        (match, *_) = demo_fitting_room.search(CHANGES[change](image), 2)
        found += match.id == item
    assert found >= 24


def test_fewer_results_are_the_first_of_more(demo_fitting_room: FittingRoom) -> None:
    index = demo_fitting_room.index
    for query in index.features(np.arange(0, len(index), 97)):
        (many,), (few,) = index.search([query], COPY_AMONG + 20), index.search([query], 3)
        np.testing.assert_array_equal(few.rows, many.rows[:3])
        np.testing.assert_array_equal(few.similarities, many.similarities[:3])
        assert (np.diff(many.similarities) <= 0).all()


def test_all_that_are_exactly_the_picture_come_first(demo_fitting_room: FittingRoom) -> None:
    index = demo_fitting_room.index
    (query,) = index.features(np.array([5]))
    np.testing.assert_array_equal(index.copies_among(query, np.array([3, 5, 9, 5])), [1, 3])
    unlike = replace(query, descriptors=255 - query.descriptors)
    assert index.copies_among(unlike, np.array([3, 9])).size == 0


def test_a_single_item_may_be_it(demo_fitting_room: FittingRoom) -> None:
    (query,) = demo_fitting_room.index.features(np.array([5]))
    assert demo_fitting_room.index.copies_among(query, np.array([5])).tolist() == [0]


def test_hits_with_others_first_keep_the_rest_in_order() -> None:
    hits = Hits(np.array([4, 7, 1, 9]), np.array([0.9, 0.8, 0.7, 0.6], np.float32))
    moved = hits.with_first(np.array([2]))
    assert moved.rows.tolist() == [1, 4, 7, 9]
    np.testing.assert_allclose(moved.similarities, [0.9, 0.9, 0.8, 0.6])
    assert hits.with_first(np.array([], np.int64)).rows.tolist() == hits.rows.tolist()
