"""The sources of a query, and several pictures at once."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from fitting_room.facade import FittingRoom
from fitting_room.imaging.gate import Gate, Lane
from fitting_room.ui.query.session import Upload
from tests.conftest import DEMO, SAMPLES, picture_bytes
from tests.ui.app.conftest import (
    AS_ON_PAGE,
    data_of,
    galleries,
    go_to,
    headings,
    ids,
    send,
    session_of,
    upload,
)

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


def test_a_picture_of_the_page_s_own_has_a_name_for_people(page: AppTest) -> None:
    upload(page, bytes_of("10724"), "Pasted picture.png", "image/png")
    assert not page.exception
    assert ids(page)[0] == "10724"
    assert [kept.name for kept in session_of(page).pictures.values()] == ["Pasted picture"]


def test_the_same_file_twice_is_one_picture(page: AppTest) -> None:
    upload_all(page, bytes_of("10724"), bytes_of("10724"))
    assert headings(page) == ["Most like your picture"]


def test_a_refused_file_leaves_what_was_there(page: AppTest) -> None:
    upload(page, bytes_of("10724"))
    before = ids(page)
    upload(page, b"no picture", "next.jpg")
    assert headings(page) == ["Most like your picture"]
    assert ids(page) == before
    (refusal,) = page.error
    assert refusal.value.startswith(r"next\.jpg: ")
    upload(page, bytes_of("10484"))
    assert not page.error


def test_pictures_that_come_in_while_others_are_looked_at_are_not_lost(page: AppTest) -> None:
    """A run that is cut off before it embeds leaves them in the session for the next one."""
    session_of(page).uploads = [Upload("first.webp", bytes_of("10724"))]
    upload(page, bytes_of("10484"), "second.webp")
    assert [data["cards"][0]["id"] for data in galleries(page)] == ["10724", "10484"]
    assert session_of(page).uploads == []


def test_a_picture_dropped_on_another_page_is_searched_with(page: AppTest) -> None:
    go_to(page, "about")
    assert headings(page)[0] == "About this catalogue"
    upload(page, bytes_of("10724"))
    assert headings(page) == ["Most like your picture"]
    assert ids(page)[0] == "10724"


def test_the_place_for_pictures_says_what_becomes_of_them(page: AppTest) -> None:
    place = data_of(page, "upload")
    assert place["first"] is True
    assert place["limits"]["bytes"] == 32 * 2**20
    assert {".jpg", ".heic"} <= set(place["limits"]["endings"])
    upload(page, bytes_of("10724"))
    after = data_of(page, "upload")
    assert after["first"] is False
    assert after["taken"] > place["taken"]  # so that the browser knows that it has arrived


def test_several_pictures_are_searched_one_by_one(page: AppTest):
    upload_all(page, *map(bytes_of, ITEMS))
    assert not page.exception
    assert headings(page) == ["Most like each of your pictures"]
    assert [data["cards"][0]["id"] for data in galleries(page)] == ITEMS


def test_several_pictures_are_combined_into_one_query(
    page: AppTest, demo_fitting_room: FittingRoom
):
    upload_all(page, *map(bytes_of, ITEMS[:2]))
    page.segmented_control(key="together").set_value("Search together").run()
    assert headings(page) == ["Most like these"]
    queries = [kept.features for kept in session_of(page).pictures.values()]
    assert ids(page) == [match.id for match in demo_fitting_room.search(queries, 12, **AS_ON_PAGE)]
    page.segmented_control(key="together").set_value("Search each").run()
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
    send(page, "trail", "go", 0)
    assert not page.exception
    assert headings(page) == ["A glance at the catalogue"]
    assert "not kept any more" in page.info[0].value


@pytest.mark.parametrize("message", [None, "text", -1, 99, True, [1], {"a": 2}])
def test_a_strange_message_of_the_trail_changes_nothing(page: AppTest, message: object) -> None:
    upload(page, bytes_of("10724"))
    upload(page, bytes_of("10484"))
    before = ids(page)
    send(page, "trail", "go", message)
    assert not page.exception
    assert ids(page) == before


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
