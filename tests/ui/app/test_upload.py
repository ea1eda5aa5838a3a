"""The sources of a query, and several pictures at once."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from fitting_room.facade import FittingRoom
from fitting_room.imaging.gate import Gate, Lane
from tests.conftest import DEMO, SAMPLES, picture_bytes
from tests.ui.app.conftest import galleries, headings, ids, send, session_of, upload

ITEMS = ["10724", "10484", "10005"]


def upload_all(page: AppTest, *pictures: bytes) -> AppTest:
    files = [(f"{number}.jpg", data, "image/jpeg") for number, data in enumerate(pictures)]
    return page.file_uploader[0].set_value(files).run()


def bytes_of(item: str) -> bytes:
    return (DEMO / "images" / f"{item}.webp").read_bytes()


def test_an_upload_has_the_features_of_its_file(
    page: AppTest, demo_fitting_room: FittingRoom
) -> None:
    """The page opens it larger, to show it, than an index does."""
    large = BytesIO()
    Image.open(SAMPLES / "red-dress.jpg").resize((1500, 2000)).save(large, "JPEG")
    upload(page, large.getvalue())
    (picture,) = session_of(page).pictures.values()
    (expected,) = demo_fitting_room.describe([large.getvalue()])
    assert np.array_equal(picture.features.descriptors, expected.descriptors)
    np.testing.assert_allclose(picture.features.embeddings, expected.embeddings, atol=1e-3)


def paste(page: AppTest, data: bytes) -> AppTest:
    return send(page, "paste", "picture", {"data": base64.b64encode(data).decode()})


def test_a_pasted_picture_is_searched(page: AppTest):
    paste(page, bytes_of("10724"))
    assert not page.exception
    assert ids(page)[0] == "10724"


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({"problem": "none"}, "no picture in the clipboard"),
        ({"problem": "large"}, "too large"),
        ({"data": "not base64!"}, "no picture"),
        ({"data": 5}, "no picture"),
        ({"data": "A" * 6_000_000}, "no picture"),
        ({"data": base64.b64encode(b"hello").decode()}, "not a picture in a format"),
    ],
)
def test_a_clipboard_without_a_usable_picture_is_reported(page: AppTest, message, sentence: str):
    send(page, "paste", "picture", message)
    assert not page.exception
    assert sentence in page.error[0].value
    assert headings(page) == ["A glance at the catalogue"]


@pytest.mark.parametrize("message", [None, "text", ["data"], 3])
def test_a_strange_message_of_the_clipboard_changes_nothing(page: AppTest, message):
    send(page, "paste", "picture", message)
    assert not page.exception
    assert headings(page) == ["A glance at the catalogue"]


def test_several_pictures_are_searched_one_by_one(page: AppTest):
    upload_all(page, *map(bytes_of, ITEMS))
    assert not page.exception
    assert headings(page) == ["Most like each of your pictures"]
    assert [data["cards"][0]["id"] for data in galleries(page)] == ITEMS


def test_several_pictures_are_combined_into_one_query(
    page: AppTest, demo_fitting_room: FittingRoom
):
    upload_all(page, *map(bytes_of, ITEMS[:2]))
    page.segmented_control(key="together").set_value("Like these").run()
    assert headings(page) == ["Most like these"]
    queries = [kept.features for kept in session_of(page).pictures.values()]
    assert ids(page) == [match.id for match in demo_fitting_room.search(queries, 12, fold=True)]
    page.segmented_control(key="together").set_value("Each for itself").run()
    assert len(galleries(page)) == 2


def test_one_of_several_is_left_out(page: AppTest):
    upload_all(page, *map(bytes_of, ITEMS[:2]))
    page.button(key="leave-0").click().run()
    assert headings(page) == ["Most like your picture"]
    assert ids(page)[0] == ITEMS[1]


def test_of_several_the_unusable_are_reported_and_the_others_searched(page: AppTest):
    upload_all(page, bytes_of(ITEMS[0]), b"no picture", bytes_of(ITEMS[1]))
    assert len(page.error) == 1
    assert page.error[0].value.startswith(r"1\.jpg: ")
    assert [data["cards"][0]["id"] for data in galleries(page)] == ITEMS[:2]


def test_more_pictures_than_are_searched_with_are_reported(page: AppTest):
    colours = [(value * 20, 100, 200 - value * 15) for value in range(10)]
    upload_all(page, *(picture_bytes(colour) for colour in colours))
    assert not page.exception
    assert "Only the first 8 pictures" in page.error[0].value
    assert len(galleries(page)) == 8


def test_a_session_keeps_a_bounded_number_of_pictures(page: AppTest):
    for start in range(3):
        colours = [(value * 30, start * 80, 90) for value in range(8)]
        upload_all(page, *(picture_bytes(colour) for colour in colours))
    assert len(session_of(page).pictures) == 16
    page.button(key="back").click().run()
    page.button(key="back").click().run()
    assert not page.exception
    assert headings(page) == ["A glance at the catalogue"]
    assert "not kept any more" in page.info[0].value


def test_an_upload_is_decoded_once(page: AppTest, monkeypatch: pytest.MonkeyPatch):
    """For checking, showing and embedding it; a crop is cut from the working copy."""
    data = picture_bytes((10, 120, 60), (400, 300), "PNG")
    decoded = []
    original = Image.open

    def count(file: BytesIO, *args: object, **options: object) -> Image.Image:
        decoded.append(file.getvalue() == data)
        return original(file, *args, **options)

    monkeypatch.setattr(Image, "open", count)
    upload(page, data, "picture.png", "image/png")
    assert sum(decoded) == 1
    next(button for button in page.button if button.label == "Crop").click().run()
    send(page, "cropper", "box", "0,0,1000,500")
    assert not page.exception
    assert page.query_params["crop"] == "0,0,1000,500"
    assert sum(decoded) == 1


def test_a_large_picture_is_kept_small(page: AppTest):
    upload(page, picture_bytes((10, 120, 60), (2400, 1800), quality=100))
    (kept,) = session_of(page).pictures.values()
    assert len(kept.jpeg) < 400_000
    with Image.open(BytesIO(kept.jpeg)) as image:
        assert max(image.size) <= 1024


def test_every_sample_can_be_tried(page: AppTest):
    labels = [b.label for b in page.button if b.label.startswith("Try: ")]
    assert len(labels) == len(list(SAMPLES.glob("*.jpg")))


def test_an_upload_that_waits_too_long_is_told_so(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Gate(Lane(0, waiting=0, patience=0), Lane(0, waiting=0, patience=0))
    monkeypatch.setattr("fitting_room.search.searcher.VISITORS", full)
    upload(page, (SAMPLES / "red-dress.jpg").read_bytes())
    assert not page.exception
    assert "Try again in a moment" in page.error[0].value
