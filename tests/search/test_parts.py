"""Garments in one picture are found apart from each other, and one garment is left whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fitting_room.facade import FittingRoom
from fitting_room.search.parts import LEAST_SIDE, MOST_PARTS, Part, parts_of
from tests.conftest import DEMO, SAMPLES

HANDBAG, DRESS, SHIRT = (
    Image.open(SAMPLES / name).convert("RGB").resize((300, 400))
    for name in ("brown-handbag.jpg", "red-dress.jpg", "blue-tshirt.jpg")
)


KINDS = st.sampled_from(("flat", "noise"))


def on_canvas(*placed: tuple[Image.Image, tuple[int, int]]) -> Image.Image:
    canvas = Image.new("RGB", (700, 900), "white")
    for picture, place in placed:
        canvas.paste(picture, place)
    return canvas


def centre(part: Part) -> tuple[float, float]:
    left, top, right, bottom = part.box
    return (left + right) / 2, (top + bottom) / 2


def test_garments_side_by_side_are_two_parts(demo_fitting_room: FittingRoom) -> None:
    picture = on_canvas((DRESS, (10, 100)), (HANDBAG, (390, 100)))
    dress, bag = demo_fitting_room.parts(picture)
    assert (dress.kind, bag.kind) == ("Dresses", "Handbags")
    assert dress.box[2] < 0.55
    assert bag.box[0] > 0.5
    found = demo_fitting_room.search(bag.cut_from(picture), 4)
    assert [match.attributes["articleType"] for match in found].count("Handbags") >= 3


def test_parts_are_told_from_the_top_left_on(demo_fitting_room: FittingRoom) -> None:
    picture = on_canvas((SHIRT, (200, 20)), (HANDBAG, (200, 470)))
    parts = demo_fitting_room.parts(picture)
    assert [part.kind for part in parts] == ["Tshirts", "Handbags"]
    assert centre(parts[0])[1] < 0.5 < centre(parts[1])[1]


def test_three_garments_are_three_parts(demo_fitting_room: FittingRoom) -> None:
    picture = on_canvas((SHIRT, (20, 20)), (HANDBAG, (380, 20)), (DRESS, (200, 470)))
    parts = demo_fitting_room.parts(picture)
    assert [part.kind for part in parts][1:] == ["Handbags", "Dresses"]
    assert [round(share, 1) for part in parts for share in centre(part)] == [
        *(0.2, 0.2), *(0.8, 0.2), *(0.5, 0.7),
    ]  # fmt: skip


def test_without_plain_background_garments_are_found_too(demo_fitting_room: FittingRoom) -> None:
    """Two photographs with a noisy ground between and around the garments."""
    noise = np.random.default_rng(0).integers(0, 90, (900, 700, 3), np.uint8)
    picture = Image.fromarray(noise)
    picture.paste(SHIRT, (200, 40))
    picture.paste(HANDBAG.resize((240, 320)), (230, 540))
    parts = demo_fitting_room.parts(picture)
    assert [part.kind for part in parts] == ["Tshirts", "Handbags"]


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.jpg")))
def test_a_sample_is_one_garment(demo_fitting_room: FittingRoom, name: str) -> None:
    assert demo_fitting_room.parts(SAMPLES / name) == []


def test_the_same_garment_twice_is_not_offered(demo_fitting_room: FittingRoom) -> None:
    assert demo_fitting_room.parts(on_canvas((SHIRT, (20, 200)), (SHIRT, (380, 200)))) == []


def test_a_frame_around_the_picture_counts_in_the_boxes(demo_fitting_room: FittingRoom) -> None:
    inner = on_canvas((DRESS, (10, 100)), (HANDBAG, (390, 100)))
    framed = Image.new("RGB", (800, 1000), "black")
    framed.paste(inner, (50, 50))
    dress, bag = sorted(demo_fitting_room.parts(framed), key=lambda part: part.box[0])
    assert 50 / 800 <= dress.box[0] < 0.5 < bag.box[2] <= 750 / 800


def test_an_index_without_kinds_has_no_parts(fitting_room: FittingRoom) -> None:
    assert fitting_room.index.head is None
    assert parts_of(fitting_room, on_canvas((DRESS, (10, 100)), (HANDBAG, (390, 100)))) == []


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(st.integers(8, 300), st.integers(8, 300), st.integers(0, 2**16), KINDS)
def test_boxes_lie_within_any_picture(
    demo_fitting_room: FittingRoom, width: int, height: int, seed: int, kind: str
) -> None:
    random = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), random.integers(0, 256), np.uint8)
    if kind == "noise":
        pixels = random.integers(0, 256, (height, width, 3), np.uint8)
    picture = Image.fromarray(pixels)
    parts = demo_fitting_room.parts(picture)
    assert len(parts) != 1
    assert len(parts) <= MOST_PARTS
    for part in parts:
        left, top, right, bottom = part.box
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        assert min(right - left, bottom - top) > LEAST_SIDE / 2
        assert min(part.cut_from(picture).size) >= 1


def test_an_item_of_the_catalogue_is_one_garment(demo_fitting_room: FittingRoom) -> None:
    names = sorted((DEMO / "images").glob("*.webp"))[::60]
    several = [path.stem for path in names if demo_fitting_room.parts(path)]
    assert len(several) <= len(names) // 10
