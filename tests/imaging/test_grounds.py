"""A ground of one colour is a plain one, whatever its colour, and is cut away; cloth is not."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from fitting_room.imaging.decode import open_image
from fitting_room.imaging.descriptors import COLOURS, PLAIN_BACKGROUND, SILHOUETTE, describe
from fitting_room.imaging.grounds import to_lab
from tests.imaging.garments import Colour, dotted, garment, lit, saved, shirt, street, striped

GROUNDS: list[Colour] = [
    "white", (226, 208, 182), (240, 192, 203), (205, 206, 208), (128, 128, 130), (20, 20, 22),
    "black", (110, 150, 200), (60, 110, 80), (180, 40, 45),
]  # fmt: skip
#: Photographs that are taken for pictures on a plain ground, which they are: see GROUNDS.
MOST_PLAIN = 0.1


def is_plain(image: Image.Image) -> bool:
    return bool(describe([image])[0, PLAIN_BACKGROUND])


def alike(first: Image.Image, second: Image.Image, part: slice = COLOURS) -> float:
    rows = describe([first, second])[:, part].astype(float)
    return float(rows[0] @ rows[1] / np.linalg.norm(rows[0]) / np.linalg.norm(rows[1]))


def noisy(image: Image.Image, deviation: float) -> Image.Image:
    values = np.random.default_rng(0).normal(np.asarray(image), deviation)
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


# --- grounds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("size", [(60, 80), (240, 320)])
@pytest.mark.parametrize("colour", ["teal", "orange", "purple"])
def test_its_colour_is_not_the_garments(
    ground: Colour, size: tuple[int, int], colour: Colour
) -> None:
    image, expected = shirt(colour, ground, size), shirt(colour, size=size)
    grain = 2 if size == (60, 80) else 5  # what is left of it in a picture made so small
    for picture in (image, saved(image), noisy(image, grain)):
        assert is_plain(picture)
        assert alike(picture, expected) > 0.9
        assert alike(picture, expected, SILHOUETTE) > 0.94


@pytest.mark.parametrize(
    "ground", [(226, 208, 182), (128, 128, 130), (90, 70, 66), (110, 150, 200)]
)
def test_light_may_fall_off_along_it(ground: tuple[int, int, int]) -> None:
    image = saved(lit(shirt("purple", ground), ground))
    assert is_plain(image)
    assert alike(image, shirt("purple")) > 0.9
    assert alike(image, shirt("purple"), SILHOUETTE) > 0.94


@given(st.tuples(*[st.integers(0, 255)] * 3), st.tuples(*[st.integers(0, 255)] * 3))
@hypothesis_settings(max_examples=80)
def test_a_garment_on_any_ground(
    colour: tuple[int, int, int], ground: tuple[int, int, int]
) -> None:
    assert is_plain(shirt(colour, ground))
    lab = to_lab(np.array([colour, ground], np.uint8).reshape(2, 1, 1, 3)).reshape(2, 3)
    if np.linalg.norm(lab[0] - lab[1]) > 25:
        assert alike(shirt(colour, ground), shirt(colour, unlike(colour))) > 0.85


def unlike(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """A grey that is unlike a colour."""
    grey = 20 if sum(colour) > 380 else 235
    return grey, grey, grey


def test_a_garment_may_leave_the_picture() -> None:
    image = Image.new("RGB", (240, 320), (205, 190, 170))
    ImageDraw.Draw(image).rectangle((80, 60, 160, 320), fill="navy")
    assert is_plain(image)
    assert alike(image, garment("navy")) > 0.95


@pytest.mark.parametrize(
    ("colour", "ground"),
    [
        ((248, 248, 248), "white"),
        ((244, 244, 242), "white"),
        ((28, 28, 30), (20, 20, 22)),
        ((12, 12, 12), "black"),
        ((232, 214, 188), (226, 208, 182)),
    ],
)
def test_a_garment_of_nearly_the_grounds_colour_does_not_vanish(
    colour: Colour, ground: Colour
) -> None:
    """With its buttons, which are all that stands out."""
    image = shirt(colour, ground)
    for y in range(80, 260, 40):
        ImageDraw.Draw(image).ellipse((117, y, 123, y + 6), fill="crimson")
    assert alike(image, Image.new("RGB", (60, 80), colour)) > 0.85
    assert alike(image, Image.new("RGB", (60, 80), "crimson")) < 0.4


# --- what is no ground ------------------------------------------------------------------------


@pytest.mark.parametrize("colour", ["white", "black", "crimson", (226, 208, 182)])
def test_cloth_that_fills_the_picture_is_the_garment(colour: Colour) -> None:
    image = noisy(Image.new("RGB", (240, 320), colour), 3)
    assert alike(image, Image.new("RGB", (60, 80), colour)) > 0.9
    assert describe([image])[0, SILHOUETTE].min() == 255


@pytest.mark.parametrize(("colour", "dots"), [("crimson", "white"), ("navy", "gold")])
def test_a_pattern_up_to_the_border_is_not_cut_out_of_its_cloth(
    colour: Colour, dots: Colour
) -> None:
    image = dotted(colour, dots)
    assert alike(image, Image.new("RGB", (60, 80), colour)) > 0.7
    assert alike(image, Image.new("RGB", (60, 80), colour)) > alike(
        image, Image.new("RGB", (60, 80), dots)
    )


@pytest.mark.parametrize("width", [8, 20, 40])
@pytest.mark.parametrize("upright", [True, False])
def test_stripes_keep_both_their_colours(width: int, upright: bool) -> None:
    image = striped(("navy", "gold"), width, upright=upright)
    for colour in ("navy", "gold"):
        assert alike(image, Image.new("RGB", (60, 80), colour)) > 0.4


@pytest.mark.parametrize("seed", range(5))
def test_clutter_is_no_plain_ground(seed: int) -> None:
    assert not is_plain(street("navy", seed))


@pytest.mark.parametrize("second", [(150, 110, 80), (170, 150, 130), "white"])
def test_a_wall_above_a_floor_is_none(second: Colour) -> None:
    image = Image.new("RGB", (240, 320), (110, 90, 80))
    ImageDraw.Draw(image).rectangle((0, 0, 240, 170), fill=second)
    ImageDraw.Draw(image).rectangle((80, 60, 160, 280), fill="crimson")
    assert not is_plain(image)


def test_light_that_falls_off_too_far_is_none() -> None:
    ground = (200, 200, 205)
    assert not is_plain(lit(shirt("crimson", ground), ground, loss=0.95))


@pytest.mark.real
def test_of_the_photographs_few_have_one(real_data: Path) -> None:
    with zipfile.ZipFile(real_data / "clothing-dataset-small" / "images.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")][::8]
        photographs = [open_image(archive.read(name), side=224) for name in names]
    assert describe(photographs)[:, PLAIN_BACKGROUND].mean() / 255 <= MOST_PLAIN
