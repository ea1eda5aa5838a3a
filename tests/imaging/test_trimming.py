"""Frames, bars and a phone's bars are taken off, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from fitting_room.imaging.decode import open_image
from fitting_room.imaging.trimming import content_box, trimmed
from tests.conftest import DEMO, REAL_DATA, SAMPLES
from tests.imaging.garments import (
    dotted,
    framed,
    garment,
    lit,
    saved,
    screenshot,
    shirt,
    street,
    striped,
)

COLOURS = ["black", "white", "crimson", "royalblue", (128, 128, 128)]
CASES = REAL_DATA.parent / "cases" / "pictures"


def is_whole(image: Image.Image) -> bool:
    return content_box(image) == (0, 0, *image.size)


def is_inside(image: Image.Image, box: tuple[int, int, int, int], slack: int = 3) -> bool:
    """Whether what is left of a picture is what lies within ``box``, or up to ``slack`` less."""
    found = content_box(image)
    less = [found[0] - box[0], found[1] - box[1], box[2] - found[2], box[3] - found[3]]
    return all(0 <= side <= slack for side in less)


# --- what is taken off ------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 2, 3, 4, 12, 40])
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("ground", ["beige", (235, 170, 190), (20, 20, 22), "white"])
def test_a_frame_of_any_width_and_colour(width: int, colour: str, ground: str) -> None:
    image = framed(shirt("teal", ground), width, colour)
    if np.abs(np.subtract(image.getpixel((0, 0)), image.getpixel((50, 50)))).max() < 40:
        return  # it goes on as the ground
    for picture in (image, saved(image)):
        assert is_inside(picture, (width, width, 240 + width, 320 + width), slack=4)


@pytest.mark.parametrize("size", [(60, 80), (480, 640), (90, 70)])
def test_a_frame_around_a_picture_of_any_size(size: tuple[int, int]) -> None:
    image = saved(framed(shirt("navy", "beige", size), 4, "black"))
    assert is_inside(image, (4, 4, size[0] + 4, size[1] + 4))


def test_a_frame_around_a_photograph() -> None:
    assert is_inside(saved(framed(street("navy"), 6, "white")), (6, 6, 246, 326))


def test_a_frame_that_was_made_smaller_with_its_picture() -> None:
    image = framed(shirt("navy", "beige", (2400, 3200)), 13, "black").resize((240, 320))
    assert is_inside(image, (1, 1, 239, 319))


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_bars_beside_and_above(colour: str, share: float) -> None:
    inside, wide, high = shirt("teal", (230, 180, 140)), int(240 * share), int(320 * share)
    for image, box in (
        (framed(inside, (wide, 0, wide, 0), colour), (wide, 0, wide + 240, 320)),
        (framed(inside, (0, high, 0, high), colour), (0, high, 240, high + 320)),
    ):
        assert is_inside(saved(image), box)


@pytest.mark.parametrize(("bars", "ink"), [("black", "white"), ("white", "black")])
@pytest.mark.parametrize("ground", ["beige", (200, 60, 90), (60, 60, 64)])
def test_a_phones_bars_with_what_stands_in_them(bars: str, ink: str, ground: str) -> None:
    image = saved(screenshot(shirt("teal", ground), bars, ink))
    assert is_inside(image, (0, 16, 240, 336))


def test_a_photograph_in_the_middle_of_a_phones_screen() -> None:
    image = screenshot(framed(shirt("teal"), (0, 90, 0, 80), "black"))
    assert is_inside(saved(image), (0, 106, 240, 426))


def test_bars_of_two_colours() -> None:
    image = framed(framed(shirt("teal", "beige"), (0, 20, 0, 0), "navy"), (0, 0, 0, 24), "black")
    assert is_inside(image, (0, 20, 240, 340))


def test_an_instant_picture_with_its_wide_margin_below() -> None:
    image = framed(shirt("teal", "beige"), (14, 14, 14, 60), (250, 250, 248))
    assert is_inside(saved(image), (14, 14, 254, 334))


def test_a_films_bars_on_all_sides() -> None:
    image = framed(shirt("teal", (230, 180, 140)), (80, 30, 80, 30), (8, 8, 8))
    assert is_inside(saved(image), (80, 30, 320, 350))


def test_a_frame_within_a_frame() -> None:
    image = framed(framed(shirt("teal"), 2, "black"), 10, (250, 250, 250))
    assert is_inside(saved(image), (12, 12, 252, 332), slack=4)


@pytest.mark.parametrize(
    ("name", "box"),
    [("03-thin-frame.jpg", (4, 4, 484, 644)), ("06-pillarbox.jpg", (555, 0, 1365, 1080))],
)
def test_the_pictures_that_were_sent_in(
    real_data: None, name: str, box: tuple[int, int, int, int]
) -> None:
    assert is_inside(open_image(CASES / name, side=2000), box, slack=5)


# --- what is not ------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", ["white", "beige", (20, 20, 22), "black", "pink"])
def test_a_margin_that_goes_on_as_the_ground(colour: str) -> None:
    assert is_whole(shirt("teal", colour))
    assert is_whole(saved(shirt("teal", colour)))
    assert is_whole(shirt("teal", colour, (60, 80)))


def test_light_that_falls_off() -> None:
    assert is_whole(saved(lit(shirt("teal", (226, 208, 182)), (226, 208, 182))))


@pytest.mark.parametrize(
    "box", [(5, 30, 54, 60), (20, 10, 40, 70), (3, 3, 56, 50), (0, 30, 40, 60)]
)
def test_a_wallet_is_no_picture_in_a_frame(box: tuple[int, int, int, int]) -> None:
    assert is_whole(garment("brown", box=box))


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("width", [3, 8, 20, 33, 80])
def test_stripes_and_blocks_of_colour(width: int, upright: bool) -> None:
    """As long as it has both colours, cloth is cloth: a few stripes less are no harm."""
    image = striped(("navy", "white"), width, upright=upright)
    left = np.asarray(trimmed(image))
    assert left.shape[0] * left.shape[1] > 0.6 * image.width * image.height
    assert {tuple(c) for c in left.reshape(-1, 3)} == {(0, 0, 128), (255, 255, 255)}


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (60, 80), "white"),
        Image.new("RGB", (240, 320), "crimson"),
        dotted("crimson", "white"),
        striped(("crimson", "navy"), 160),
        street("navy"),
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (300, 2), "blue"),
    ],
    ids=["white", "crimson", "dotted", "blocks", "street", "a pixel", "a strip"],
)
def test_what_fills_the_picture(image: Image.Image) -> None:
    assert is_whole(image)


def test_cloth_of_one_colour_in_a_frame_is_not_cut_to_nothing() -> None:
    assert is_whole(framed(Image.new("RGB", (100, 100), "crimson"), 10, "white"))


def test_a_garment_high_up_is_not_taken_for_an_icon() -> None:
    """It hangs on a wall above a dark floor."""
    image = Image.new("RGB", (240, 320), (230, 225, 215))
    ImageDraw.Draw(image).rectangle((80, 10, 160, 150), fill="crimson")
    ImageDraw.Draw(image).rectangle((0, 200, 240, 320), fill=(60, 40, 30))
    left, top, right, bottom = content_box(image)
    assert (left, top, right) == (0, 0, 240)
    assert bottom > 150


def test_of_the_catalogues_pictures_none() -> None:
    pictures = [*sorted((DEMO / "images").glob("*.jpg"))[::12], *SAMPLES.glob("*.jpg")]
    assert all(is_whole(open_image(path)) for path in pictures)


# --- any picture ------------------------------------------------------------------------------


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1), st.integers(1, 40))
@hypothesis_settings(max_examples=80)
def test_something_is_left_of_any_picture(width: int, height: int, seed: int, patch: int) -> None:
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 3, (-(-height // patch), -(-width // patch), 3), np.uint8) * 127
    image = Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST)
    left, top, right, bottom = content_box(image)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert trimmed(image).size == (right - left, bottom - top)


@given(
    st.integers(1, 30),
    st.tuples(*[st.integers(0, 255)] * 3),
    st.tuples(*[st.integers(0, 255)] * 3),
    st.sampled_from([(60, 80), (96, 128), (240, 320), (200, 150)]),
)
@hypothesis_settings(max_examples=80)
def test_any_frame_of_a_colour_unlike_the_ground_goes(
    width: int, frame: tuple[int, int, int], ground: tuple[int, int, int], size: tuple[int, int]
) -> None:
    colour = tuple(255 - value for value in ground)
    if (
        min(np.abs(np.subtract(frame, ground)).max(), np.abs(np.subtract(colour, ground)).max())
        < 60
    ):
        return
    image = framed(shirt(colour, ground, size), width, frame)
    assert is_inside(image, (width, width, size[0] + width, size[1] + width))


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_line_on_a_ground_is_no_frame(width: int) -> None:
    for size in ((60, 80), (80, 60)):
        image = Image.new("RGB", size, "white")
        place = size[0] // 2, 2
        image.paste((20, 30, 40), (*place, place[0] + width, size[1] - 2))
        assert trimmed(image) is image
        turned = image.transpose(Image.Transpose.ROTATE_90)
        assert trimmed(turned) is turned
