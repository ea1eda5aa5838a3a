"""The way from a picture to the network's input."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fitting_room.imaging.preprocess import place_of, prepare, views_of


@pytest.mark.parametrize("size", [(60, 80), (240, 320), (168, 224), (3000, 4000)])
def test_a_product_photograph_fills_the_input(size: tuple[int, int]) -> None:
    pixels = prepare(Image.new("RGB", size, (200, 30, 40)), (224, 168))
    assert pixels.shape == (224, 168, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == (200, 30, 40)).all()


def test_a_wide_picture_is_laid_on_white_above_and_below() -> None:
    pixels = prepare(Image.new("RGB", (160, 40), "red"), (120, 80))
    # 160 x 40 keeps its proportions as 80 x 20.
    assert (pixels[50:70] == (255, 0, 0)).all()
    assert (pixels[:50] == 255).all()
    assert (pixels[70:] == 255).all()


def test_a_tall_picture_is_laid_on_white_at_both_sides() -> None:
    pixels = prepare(Image.new("RGB", (20, 120), "red"), (120, 80))
    assert (pixels[:, 30:50] == (255, 0, 0)).all()
    assert (pixels[:, :30] == 255).all()
    assert (pixels[:, 50:] == 255).all()


@pytest.mark.parametrize("size", [(300, 300), (400, 100), (100, 400), (300, 400)])
def test_nothing_is_cut_off(size: tuple[int, int]) -> None:
    """Whatever lies at the four edges of a picture is still there."""
    width, height = size
    picture = Image.new("RGB", size, "black")
    edge = 20
    picture.paste((255, 0, 0), (0, 0, width, edge))
    picture.paste((0, 255, 0), (0, height - edge, width, height))
    picture.paste((0, 0, 255), (0, edge, edge, height - edge))
    picture.paste((255, 255, 0), (width - edge, edge, width, height - edge))
    pixels = prepare(picture, (224, 168)).astype(int)
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)):
        assert (np.abs(pixels - colour).sum(axis=2) < 30).any(), colour


def test_a_circle_stays_round() -> None:
    x, y = np.meshgrid(np.arange(400), np.arange(200))
    circle = ((x - 200) ** 2 + (y - 100) ** 2 < 80**2)[:, :, None] * np.array([255, 0, 0])
    pixels = prepare(Image.fromarray(circle.astype(np.uint8)), (224, 168)).astype(int)
    inside = (pixels[:, :, 0] > 128) & (pixels[:, :, 1] < 128)
    assert abs(int(inside.any(axis=0).sum()) - int(inside.any(axis=1).sum())) <= 1


@pytest.mark.parametrize("size", [(8, 4000), (4000, 8)])
def test_a_strip_is_still_a_picture(size: tuple[int, int]) -> None:
    """Such a picture passes all limits; at the input's scale it is less than a pixel thin."""
    pixels = prepare(Image.new("RGB", size, "red"), (224, 168))
    assert pixels.shape == (224, 168, 3)
    assert (pixels != 255).any()


@pytest.mark.parametrize("size", [(60, 80), (300, 300), (400, 100), (8, 4000)])
def test_the_place_of_a_picture_is_where_it_was_put(size: tuple[int, int]) -> None:
    pixels = prepare(Image.new("RGB", size, "red"), (224, 168))
    left, top, right, bottom = place_of(size, (224, 168))
    assert (pixels[top:bottom, left:right] == (255, 0, 0)).all()
    pixels[top:bottom, left:right] = 255
    assert (pixels == 255).all()


def test_the_views_of_a_photograph_are_two_cuts_one_of_them_mirrored() -> None:
    picture = Image.new("RGB", (440, 320), "white")
    picture.paste((255, 0, 0), (0, 0, 220, 320))
    upright, mirrored = views_of(picture)
    assert upright.size == (240, 320)
    assert mirrored.size == (374, 272)
    assert upright.getpixel((0, 0)) == mirrored.getpixel((373, 0)) == (255, 0, 0)
    assert upright.getpixel((239, 0)) == mirrored.getpixel((0, 0)) == (255, 255, 255)
