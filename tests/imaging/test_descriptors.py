"""What a garment looks like without a network: its colours, silhouette and background."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from fitting_room.imaging import descriptors
from fitting_room.imaging.descriptors import (
    COLOURS,
    DESCRIPTOR_LENGTH,
    LAYOUT,
    PLAIN_BACKGROUND,
    SILHOUETTE,
    SILHOUETTE_GRID,
)
from tests.imaging.garments import Colour, garment, street


def describe(image: Image.Image) -> np.ndarray:
    """The description of one picture."""
    (row,) = descriptors.describe([image])
    return np.asarray(row)


def similarity(part: slice, first: Image.Image, second: Image.Image) -> float:
    rows = [describe(image)[part].astype(float) for image in (first, second)]
    return float(rows[0] @ rows[1] / (np.linalg.norm(rows[0]) * np.linalg.norm(rows[1])))


def colours(first: Image.Image, second: Image.Image) -> float:
    return similarity(COLOURS, first, second)


@given(
    st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32 - 1), st.sampled_from([1, 7, 99])
)
@hypothesis_settings(max_examples=60)
def test_any_picture_has_a_description(width: int, height: int, seed: int, patch: int) -> None:
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (-(-height // patch), -(-width // patch), 3), np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST)
    row = describe(image)
    assert (row.dtype, row.shape) == (np.uint8, (DESCRIPTOR_LENGTH,))
    # A row of length 1 in units of 1/255, up to the rounding of some hundred numbers.
    assert np.linalg.norm(row[COLOURS] / 255.0) == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(row, describe(image))


def test_the_parts_of_a_description_do_not_overlap() -> None:
    assert COLOURS.start == 0
    assert (COLOURS.stop, SILHOUETTE.stop, LAYOUT.stop) == (
        SILHOUETTE.start,
        LAYOUT.start,
        PLAIN_BACKGROUND,
    )
    assert PLAIN_BACKGROUND + 1 == DESCRIPTOR_LENGTH


def test_the_same_colour_is_alike_whatever_the_cut() -> None:
    wide, tall = garment("red", box=(5, 30, 55, 50)), garment("red", box=(22, 5, 38, 75))
    assert colours(wide, tall) > 0.99
    assert similarity(SILHOUETTE, wide, tall) < 0.7


@pytest.mark.parametrize("other", ["green", "blue", "yellow", "black", "grey", "saddlebrown"])
def test_other_colours_are_not(other: str) -> None:
    assert colours(garment("red"), garment(other)) < 0.3


def test_a_little_less_light_is_nearly_the_same_colour() -> None:
    assert colours(garment((170, 30, 40)), garment((155, 26, 36))) > 0.85


def test_a_shade_is_nearer_than_another_hue() -> None:
    navy, blue, red = garment((20, 20, 80)), garment((40, 40, 150)), garment((150, 30, 40))
    assert colours(navy, blue) > colours(navy, red)


@pytest.mark.parametrize("background", ["white", (250, 250, 250), (236, 236, 236)])
def test_a_plain_background_does_not_count(background: Colour) -> None:
    small, large = (
        garment("teal", background, (25, 35, 35, 45)),
        garment("teal", background, (4, 4, 56, 76)),
    )
    assert colours(small, large) > 0.98


def test_a_white_shirt_on_white_keeps_its_own_white() -> None:
    image = garment("black", box=(10, 10, 50, 70))
    ImageDraw.Draw(image).rectangle((16, 16, 44, 64), fill="white")  # closed in by its seams
    inside_is_white = Image.new("RGB", (60, 80), (250, 250, 250))
    assert colours(image, inside_is_white) > colours(garment("black"), inside_is_white) + 0.3


@pytest.mark.parametrize(
    "background", ["white", (245, 245, 240), (225, 226, 230), "black", "darkgreen", (240, 200, 160)]
)
def test_a_border_of_one_colour_is_a_plain_background(background: Colour) -> None:
    assert describe(garment("orange", background))[PLAIN_BACKGROUND] == 255


def test_clutter_is_not() -> None:
    assert describe(street("navy"))[PLAIN_BACKGROUND] == 0


@pytest.mark.parametrize("colour", ["crimson", "royalblue", "seagreen", "gold"])
def test_in_a_photograph_the_middle_counts_and_not_the_surroundings(colour: str) -> None:
    same = np.mean([colours(street(colour, seed), garment(colour)) for seed in range(5)])
    clutter = np.mean([colours(street(colour, seed), street("white", seed)) for seed in range(5)])
    assert same > 0.5
    assert same > clutter


def test_a_silhouette_is_where_the_garment_is() -> None:
    row = describe(garment("red", box=(4, 8, 31, 71)))[SILHOUETTE].reshape(SILHOUETTE_GRID)
    assert row[3:17, 2:7].min() == 255
    assert row[:, 9:].max() == row[:2].max() == row[19:].max() == 0


def test_a_mirrored_picture_has_the_same_colours() -> None:
    image = garment("orange", box=(5, 20, 25, 60))
    assert colours(image, ImageOps.mirror(image)) > 0.999


def test_a_large_picture_is_described_as_the_same_picture_small() -> None:
    small = garment("purple")
    large = small.resize((600, 800), Image.Resampling.NEAREST)
    assert colours(small, large) > 0.99
    assert similarity(SILHOUETTE, small, large) > 0.98


@pytest.mark.parametrize("colour", ["white", "black", "red"])
def test_a_picture_of_one_colour_is_taken_whole(colour: str) -> None:
    image = Image.new("RGB", (60, 80), colour)
    assert colours(image, image) == pytest.approx(1)
    assert describe(image)[SILHOUETTE].min() > 0 or colour != "white"


def test_pictures_are_described_together_as_they_are_one_by_one() -> None:
    pictures = [
        garment("red"),
        street("green"),
        garment("white", size=(120, 160)),
        street("navy", 3).crop((0, 0, 200, 150)),
        Image.new("RGB", (60, 80), "white"),
        garment("black", "grey"),
        Image.new("RGB", (300, 4), "blue"),
    ]
    rows = descriptors.describe(pictures)
    for row, picture in zip(rows, pictures, strict=True):
        np.testing.assert_array_equal(row, describe(picture))
    assert descriptors.describe([]).shape == (0, DESCRIPTOR_LENGTH)
