"""The controls of the ranking, and what a card says of how good a match is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

from fitting_room.build.writer import write_head
from fitting_room.embedding.embedder import Embedder
from fitting_room.facade import FittingRoom
from fitting_room.index.calibration import describe_share
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.ui.shared import resources
from fitting_room.ui.shared.text import percent
from tests.conftest import SAMPLES
from tests.ui.app.conftest import AS_ON_PAGE, cards, filter_of, headings, ids, session_of, upload

NewPage = Callable[..., AppTest]
RED_DRESS = (SAMPLES / "red-dress.jpg").read_bytes()


def values(fitting_room: FittingRoom, page: AppTest, column: str) -> list[str]:
    """A column's value for each card."""
    return list(fitting_room.index.items.set_index("id")[column][ids(page)])


def ids_of_search(fitting_room: FittingRoom, ranking: SimilarityOptions) -> list[str]:
    return [match.id for match in fitting_room.search(RED_DRESS, options=ranking, **AS_ON_PAGE)]


def no_embedding_from_now_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for method in ("embed", "describe", "stream"):
        monkeypatch.setattr(
            Embedder, method, lambda *_, **__: pytest.fail("a control embedded again")
        )


# --- the controls -----------------------------------------------------------------------------


def test_a_glance_has_nothing_to_rank(page: AppTest):
    assert [slider.key for slider in page.slider] == ["n"]
    assert not page.select_slider
    assert not page.toggle


def test_no_control_embeds_again(
    new_page: NewPage, headed_fitting_room: FittingRoom, monkeypatch: pytest.MonkeyPatch
):
    page = new_page(index=headed_fitting_room.index.folder)
    upload(page, RED_DRESS)
    pictures = session_of(page).pictures
    no_embedding_from_now_on(monkeypatch)
    page.slider(key="n").set_value(20).run()
    page.select_slider(key="colour").set_value(70).run()
    page.toggle(key="trained").set_value(False).run()
    page.toggle(key="fold").set_value(False).run()
    filter_of(page, "articleType").set_value(["Dresses"]).run()
    assert not page.exception
    assert len(cards(page)) == 20
    assert session_of(page).pictures is pictures


def test_a_gallery_looks_up_what_visitors_share_once_and_not_once_a_card(
    new_page: NewPage, monkeypatch: pytest.MonkeyPatch
):
    page = new_page()
    upload(page, RED_DRESS)
    look_up = Mock(side_effect=resources.prepared)
    monkeypatch.setattr(resources, "prepared", look_up)
    page.slider(key="n").set_value(40).run()
    assert len(cards(page)) == 40
    assert 0 < look_up.call_count <= 4


def test_at_one_end_the_cut_counts_and_at_the_other_the_colour(
    page: AppTest, demo_fitting_room: FittingRoom
):
    upload(page, RED_DRESS)
    page.select_slider(key="colour").set_value(0).run()
    assert ids(page) == ids_of_search(demo_fitting_room, SimilarityOptions(colour=0))
    assert values(demo_fitting_room, page, "articleType")[:3] == ["Dresses"] * 3
    assert set(values(demo_fitting_room, page, "baseColour")) > {"Red"}
    page.select_slider(key="colour").set_value(100).run()
    assert ids(page) == ids_of_search(demo_fitting_room, SimilarityOptions(colour=1))
    assert set(values(demo_fitting_room, page, "baseColour")) == {"Red"}
    assert len(set(values(demo_fitting_room, page, "articleType"))) > 3


def test_the_slider_starts_where_the_index_does_and_says_so(
    page: AppTest, demo_fitting_room: FittingRoom
):
    upload(page, RED_DRESS)
    slider = page.select_slider(key="colour")
    weight = demo_fitting_room.index.colour_weight(SimilarityOptions(), plain_background=True)
    assert slider.value == pytest.approx(100 * weight**0.5, abs=5)
    assert ids(page) == ids_of_search(demo_fitting_room, SimilarityOptions())
    assert (slider.options[0], slider.options[-1]) == ("shape", "colour")


def test_controls_keep_their_positions_for_the_next_picture(
    page: AppTest, demo_fitting_room: FittingRoom
):
    upload(page, RED_DRESS)
    page.select_slider(key="colour").set_value(100).run()
    page.toggle(key="fold").set_value(False).run()
    next(b for b in page.button if b.label == "Clear").click().run()
    assert headings(page) == ["A glance at the catalogue"]
    upload(page, RED_DRESS)
    assert page.select_slider(key="colour").value == 100
    assert page.toggle(key="fold").value is False
    assert ids(page) == ids_of_search(demo_fitting_room, SimilarityOptions(colour=1))


def test_the_packaged_head_has_a_switch_that_says_so(page: AppTest):
    upload(page, RED_DRESS)
    assert page.toggle(key="trained").label == "Knows fashion"


def test_without_a_head_there_is_no_switch_for_it(
    new_page: NewPage, demo_fitting_room: FittingRoom, tmp_path: Path
):
    shutil.copytree(demo_fitting_room.index.folder, tmp_path / "index")
    write_head(tmp_path / "index", None)
    page = new_page(index=tmp_path / "index")
    upload(page, RED_DRESS)
    assert [toggle.key for toggle in page.toggle] == ["only_good", "fold"]


def test_a_head_is_used_until_it_is_switched_off(
    new_page: NewPage, headed_fitting_room: FittingRoom
):
    page = new_page(index=headed_fitting_room.index.folder)
    upload(page, RED_DRESS)
    assert page.toggle(key="trained").value is True
    assert ids(page) == ids_of_search(headed_fitting_room, SimilarityOptions())
    assert values(headed_fitting_room, page, "articleType") == ["Dresses"] * 12
    page.toggle(key="trained").set_value(False).run()
    assert ids(page) == ids_of_search(headed_fitting_room, SimilarityOptions(trained=False))
    assert set(values(headed_fitting_room, page, "articleType")) > {"Dresses"}
    page.toggle(key="trained").set_value(True).run()
    assert ids(page) == ids_of_search(headed_fitting_room, SimilarityOptions())


def test_the_usual_colour_goes_along_with_the_switch_and_a_chosen_one_stays(
    new_page: NewPage, headed_fitting_room: FittingRoom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fitting_room.index.scoring.COLOUR_WEIGHT", 0.5)
    monkeypatch.setattr("fitting_room.index.scoring.COLOUR_WEIGHT_TRAINED", 0.1)
    page = new_page(index=headed_fitting_room.index.folder)
    upload(page, RED_DRESS)
    assert page.select_slider(key="colour").value == 30
    page.toggle(key="trained").set_value(False).run()
    assert page.select_slider(key="colour").value == 70
    assert ids(page) == ids_of_search(headed_fitting_room, SimilarityOptions(trained=False))
    page.select_slider(key="colour").set_value(100).run()
    page.toggle(key="trained").set_value(True).run()
    assert page.select_slider(key="colour").value == 100
    assert ids(page) == ids_of_search(headed_fitting_room, SimilarityOptions(colour=1))


def test_the_usual_colour_is_that_of_the_picture(
    page: AppTest, demo_fitting_room: FittingRoom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fitting_room.index.scoring.COLOUR_WEIGHT_PHOTOGRAPH", 0.0)
    upload(page, RED_DRESS)
    assert page.select_slider(key="colour").value == 30
    buffer = BytesIO()
    noise().save(buffer, "PNG")  # no plain background
    upload(page, buffer.getvalue(), "noise.png", "image/png")
    assert page.select_slider(key="colour").value == 0
    upload(page, RED_DRESS)
    assert page.select_slider(key="colour").value == 30
    assert ids(page) == ids_of_search(demo_fitting_room, SimilarityOptions())


# --- near-duplicates --------------------------------------------------------------------------


def test_look_alikes_share_a_card_until_they_are_spread_out(
    new_page: NewPage, with_copies: Path, tmp_path: Path
):
    page = new_page(catalogue=with_copies, index=tmp_path / "index")
    upload(page, (with_copies / "images" / "10724.webp").read_bytes())
    assert len(cards(page)) == 6
    assert ids(page)[0] == "10724"
    others = {"text": "+3 copies", "title": "3 of the same picture"}
    assert cards(page)[0]["others"] == others
    assert not any(card["others"] for card in cards(page)[1:])
    page.toggle(key="fold").set_value(False).run()
    assert len(cards(page)) == 9
    assert ids(page)[0] == "10724"
    assert set(ids(page)[1:4]) == {"70", "80", "90"}
    assert not any(card["others"] for card in cards(page))


# --- cards -----------------------------------------------------------------------------------


def test_a_card_says_in_words_how_often_such_a_match_was_right(
    page: AppTest, demo_fitting_room: FittingRoom
):
    upload(page, RED_DRESS)
    matches = demo_fitting_room.search(RED_DRESS, **AS_ON_PAGE)
    for card, match in zip(cards(page), matches, strict=True):
        assert match.expected_precision is not None
        similarity = card["similarity"]
        if "another kind" in similarity["title"]:
            assert similarity["text"] in ("A little alike", "Not alike")
            continue
        assert similarity["text"] == describe_share(match.expected_precision)
        precision = percent(match.expected_precision)
        assert f"{precision} were of the same kind" in similarity["title"]
        assert similarity["amount"] == pytest.approx(match.expected_precision, abs=1e-3)
    assert len({card["similarity"]["text"] for card in cards(page)}) > 1


def test_a_colour_in_common_makes_no_two_kinds_alike(page: AppTest, demo_fitting_room: FittingRoom):
    upload(page, RED_DRESS)
    page.select_slider(key="colour").set_value(100).run()
    page.slider[0].set_value(60).run()
    words: dict[bool, set[str]] = {True: set(), False: set()}
    for card in cards(page):
        attributes = demo_fitting_room.item(card["id"]).attributes
        assert not re.search(r"\d", card["similarity"]["text"])
        words[attributes["articleType"] == "Dresses"].add(card["similarity"]["text"])
    assert any(word.endswith(", same colours") for word in words[False])
    assert "Very alike" not in {word.split(",")[0] for word in words[False]}
    assert "Very alike" in words[True]


def test_a_catalogue_without_kinds_has_the_same_scale(
    new_page: NewPage, with_copies: Path, tmp_path: Path
):
    page = new_page(catalogue=with_copies, index=tmp_path / "index")
    upload(page, (with_copies / "images" / "10724.webp").read_bytes())
    same, *others = [card["similarity"] for card in cards(page)]
    assert same["text"] == "The same picture"
    scale = {"Looks the same", "Very alike", "Alike", "A little alike", "Not alike"}
    for similarity in others:
        assert similarity["text"] in scale
        assert 0 <= similarity["amount"] <= 1
        assert "of the same kind" not in similarity["title"]
    assert not says_out_of_catalogue(page)


def says_out_of_catalogue(page: AppTest) -> bool:
    return says(page, "This is the nearest we have") or says(page, "No garment seen")


def says(page: AppTest, words: str) -> bool:
    return any(words in caption.value for caption in page.caption)


def noise() -> Image.Image:
    generator = np.random.default_rng(0)
    return Image.fromarray(generator.integers(0, 255, (400, 300, 3), dtype=np.uint8))


def landscape() -> Image.Image:
    picture = Image.new("RGB", (300, 400), "#8cc0f0")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((200, 40, 250, 90), fill="#fff2a0")
    draw.ellipse((-100, 240, 220, 520), fill="#5a9a4a")
    draw.ellipse((120, 280, 420, 560), fill="#3f7f3a")
    return picture


def circle() -> Image.Image:
    picture = Image.new("RGB", (300, 400), "white")
    ImageDraw.Draw(picture).ellipse((60, 100, 240, 280), fill="#3060c0")
    return picture


def page_of_text() -> Image.Image:
    picture = Image.new("RGB", (600, 800), "white")
    line = "The quick brown fox jumps over the lazy dog and goes on in the next line."
    for top in range(40, 760, 18):
        ImageDraw.Draw(picture).text((40, top), line, fill="black")
    return picture


@pytest.mark.parametrize("draw", [landscape, circle, page_of_text])
def test_a_picture_unlike_the_whole_catalogue_is_reported(
    new_page: NewPage, headed_fitting_room: FittingRoom, draw: Callable[[], Image.Image]
):
    page = new_page(index=headed_fitting_room.index.folder)
    buffer = BytesIO()
    draw().save(buffer, "PNG")
    upload(page, buffer.getvalue(), "picture.png", "image/png")
    assert says_out_of_catalogue(page)
    assert len(cards(page)) == 12
    # However it is ranked and narrowed.
    page.toggle(key="trained").set_value(False).run()
    assert says_out_of_catalogue(page)
    page.select_slider(key="colour").set_value(100).run()
    assert says_out_of_catalogue(page)


def tiles() -> Image.Image:
    places = (np.indices((480, 360)) // 60).sum(axis=0) % 2
    return Image.fromarray(np.array([[240, 240, 230], [30, 60, 140]], np.uint8)[places])


@pytest.mark.parametrize("draw", [tiles, page_of_text])
def test_a_picture_without_a_garment_is_told_from_one_that_is_not_sold_here(
    page: AppTest, draw: Callable[[], Image.Image], monkeypatch: pytest.MonkeyPatch
):
    buffer = BytesIO()
    draw().save(buffer, "PNG")
    upload(page, buffer.getvalue(), "picture.png", "image/png")
    assert says(page, "No garment seen in this picture")
    assert not says(page, "This is the nearest we have")
    assert {card["similarity"]["text"] for card in cards(page)} <= {"A little alike", "Not alike"}
    # Of a garment to which nothing is close the other is said.
    monkeypatch.setattr("fitting_room.search.answers.nothing_close", lambda *_: True)
    upload(page, RED_DRESS)
    assert says(page, "This is the nearest we have")
    assert not says(page, "No garment seen")


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.jpg")), ids=lambda path: path.stem)
def test_a_garment_is_not_out_of_catalogue(page: AppTest, sample: Path):
    upload(page, sample.read_bytes())
    assert not says_out_of_catalogue(page)
    page.select_slider(key="colour").set_value(100).run()
    assert not says_out_of_catalogue(page)
    filter_of(page, "articleType").set_value(["Trousers"]).run()
    assert not says_out_of_catalogue(page)
