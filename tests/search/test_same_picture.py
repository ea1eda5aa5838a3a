"""A match that is the query's own picture is known as such, and no other is."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from fitting_room.facade import FittingRoom
from fitting_room.imaging.features import Features

ITEMS = ["10724", "10005", "10484", "10100", "10300", "10900"]


def own_picture(fitting_room: FittingRoom, item: str) -> Image.Image:
    match = fitting_room.item(item)
    assert match is not None
    return Image.open(BytesIO(fitting_room.picture(match.image))).convert("RGB")


def same(fitting_room: FittingRoom, picture: Image.Image) -> list[str]:
    return [m.id for m in fitting_room.search(picture, 12) if m.same_picture]


@pytest.mark.parametrize("item", ITEMS)
def test_the_file_and_the_picture_saved_again_are_the_same(
    demo_fitting_room: FittingRoom, item: str
) -> None:
    picture = own_picture(demo_fitting_room, item)
    assert same(demo_fitting_room, picture) == [item]
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    assert same(demo_fitting_room, Image.open(buffer)) == [item]


def test_a_part_or_a_mirrored_picture_is_another(demo_fitting_room: FittingRoom) -> None:
    picture = own_picture(demo_fitting_room, "10724")
    width, height = picture.size
    part = picture.crop((width // 5, height // 5, width, height))
    assert same(demo_fitting_room, part) == []
    shoe = own_picture(demo_fitting_room, "10005")
    assert same(demo_fitting_room, ImageOps.mirror(shoe)) == []


def test_several_pictures_as_one_query_are_no_match(demo_fitting_room: FittingRoom) -> None:
    features = demo_fitting_room.describe(
        [own_picture(demo_fitting_room, item) for item in ITEMS[:2]]
    )
    assert not any(m.same_picture for m in demo_fitting_room.search(features, 5))


def test_of_an_embedding_alone_nothing_is_known(demo_fitting_room: FittingRoom) -> None:
    index = demo_fitting_room.index
    (stored,) = index.features(np.array([3]))
    assert index.same_pictures(stored, np.array([3, 4])).tolist() == [True, False]
    bare = Features(stored.embeddings, np.zeros_like(stored.descriptors))
    assert not index.same_pictures(bare, np.array([3, 4])).any()


def test_what_is_there_is_never_out_of_the_catalogue(demo_fitting_room: FittingRoom) -> None:
    """However seldom so similar ones are of a kind."""
    from dataclasses import replace

    (match,) = demo_fitting_room.search(own_picture(demo_fitting_room, "10724"), 1)
    low = replace(match, expected_precision=0.1)
    assert not demo_fitting_room.is_out_of_catalogue([low])
    assert demo_fitting_room.is_out_of_catalogue([replace(low, same_picture=False)])
