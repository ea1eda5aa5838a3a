"""Where a picture shows several garments, the visitor chooses which one is meant."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from fitting_room.facade import FittingRoom
from tests.conftest import SAMPLES
from tests.ui.app.conftest import ids, session_of, upload


@pytest.fixture(scope="module")
def outfit() -> bytes:
    picture = Image.new("RGB", (700, 600), "white")
    for left, name in ((10, "red-dress.jpg"), (390, "brown-handbag.jpg")):
        picture.paste(Image.open(SAMPLES / name).convert("RGB").resize((300, 400)), (left, 100))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def chips(page: AppTest) -> list[Any]:
    return [element for element in page.get("pills") if element.key == "parts"]


def choose(page: AppTest, name: str) -> None:
    (chip,) = chips(page)
    chip.set_value(name).run()
    assert not page.exception


def kinds(page: AppTest, fitting_room: FittingRoom) -> list[str]:
    found = [fitting_room.item(item) for item in ids(page)[:4]]
    return [match.attributes["articleType"] for match in found if match is not None]


def test_a_garment_is_chosen_and_the_whole_picture_again(
    page: AppTest, demo_fitting_room: FittingRoom, outfit: bytes
) -> None:
    upload(page, outfit, "outfit.png", "image/png")
    whole = ids(page)
    (chip,) = chips(page)
    assert chip.value == chip.options[0] == "Whole picture"
    assert sorted(chip.options[1:]) == ["Dresses", "Handbags"]
    assert page.query_params.get("crop") is None
    choose(page, "Handbags")
    assert kinds(page, demo_fitting_room).count("Handbags") >= 3
    assert page.query_params["crop"]
    choose(page, "Dresses")
    assert kinds(page, demo_fitting_room).count("Dresses") >= 3
    choose(page, "Whole picture")
    assert ids(page) == whole
    assert "crop" not in page.query_params


def test_one_garment_is_offered_as_it_is(page: AppTest) -> None:
    upload(page, (SAMPLES / "red-dress.jpg").read_bytes())
    assert not chips(page)


def test_another_part_overrules_them(page: AppTest, outfit: bytes) -> None:
    upload(page, outfit, "outfit.png", "image/png")
    page.query_params["crop"] = "100,100,400,900"
    page.run()
    assert not page.exception
    (chip,) = chips(page)
    assert chip.value is None
    assert session_of(page).history.query.crop is not None


def test_a_link_to_a_part_shows_which_it_is(page: AppTest, outfit: bytes) -> None:
    upload(page, outfit, "outfit.png", "image/png")
    choose(page, "Handbags")
    crop = page.query_params["crop"]
    choose(page, "Whole picture")
    page.query_params["crop"] = crop
    page.run()
    (chip,) = chips(page)
    assert chip.value == "Handbags"


def test_several_pictures_have_no_parts(page: AppTest, outfit: bytes) -> None:
    files = [("outfit.png", outfit, "image/png")]
    files.append(("dress.jpg", (SAMPLES / "red-dress.jpg").read_bytes(), "image/jpeg"))
    page.file_uploader[0].set_value(files).run()
    assert not page.exception
    assert not chips(page)
