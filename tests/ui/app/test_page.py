"""What a visitor meets, short of what only a browser shows."""

from __future__ import annotations

import re

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.data import current_version
from tests.conftest import DEMO, SAMPLES, colour_embedder, picture_bytes
from tests.ui.app.conftest import AS_ON_PAGE, cards, filter_of, headings, ids, session_of, upload


def test_the_first_visit_shows_the_catalogue(page: AppTest):
    assert not page.exception
    assert headings(page) == ["A glance at the catalogue"]
    assert len(cards(page)) == 12
    assert all(re.fullmatch(r"/mock/media/\w+\.jpg", card["src"]) for card in cards(page))


def test_a_picture_of_the_catalogue_finds_itself_first(page: AppTest):
    upload(page, (DEMO / "images" / "10724.webp").read_bytes())
    assert headings(page) == ["Most like your picture"]
    assert ids(page)[0] == "10724"
    assert cards(page)[0]["similarity"]["text"] == "The same picture"


def test_the_page_and_python_give_the_same_matches(page: AppTest, demo_fitting_room: FittingRoom):
    data = (SAMPLES / "red-dress.jpg").read_bytes()
    upload(page, data)
    assert ids(page) == [match.id for match in demo_fitting_room.search(data, **AS_ON_PAGE)]


def test_a_card_shows_name_and_attributes(page: AppTest, demo_fitting_room: FittingRoom):
    data = (SAMPLES / "red-dress.jpg").read_bytes()
    upload(page, data)
    best = demo_fitting_room.search(data, 1)[0]
    card = cards(page)[0]
    assert card["name"] == best.name
    assert f"{best.attributes['articleType']} · {best.attributes['baseColour']}" in card["text"]


def test_the_slider_sets_the_count(page: AppTest):
    upload(page, (SAMPLES / "red-dress.jpg").read_bytes())
    before = ids(page)
    for n in (1, 60, 5):
        page.slider(key="n").set_value(n).run()
        assert not page.exception
        assert len(cards(page)) == n
        assert ids(page)[:12] == before[:n]


def test_the_slider_goes_from_1_to_60_and_starts_at_12(page: AppTest):
    slider = page.slider(key="n")
    assert (slider.min, slider.max, slider.value) == (1, 60, 12)


def test_without_samples_none_are_offered(new_page, demo_fitting_room: FittingRoom, tmp_path):
    page = new_page(samples=tmp_path)
    assert not page.exception
    assert not any("Try one of these" in caption.value for caption in page.caption)
    assert not any(b.label.startswith("Try") for b in page.button)


def test_a_sample_is_searched_with_one_click(page: AppTest):
    button = next(b for b in page.button if b.label == "Try: Blue tshirt")
    button.click().run()
    assert headings(page) == ["Most like your picture"]
    assert "T-shirt" in cards(page)[0]["name"]


def test_filters_narrow_the_search(page: AppTest, demo_fitting_room: FittingRoom):
    data = (SAMPLES / "red-dress.jpg").read_bytes()
    upload(page, data)
    filter_of(page, "articleType").set_value(["Handbags"]).run()
    filter_of(page, "baseColour").set_value(["Blue", "Green"]).run()
    where = {"articleType": ["Handbags"], "baseColour": ["Blue", "Green"]}
    assert ids(page) == [
        match.id for match in demo_fitting_room.search(data, 12, where, **AS_ON_PAGE)
    ]


def test_a_filter_offers_only_what_leaves_something(page: AppTest):
    filter_of(page, "articleType").set_value(["Handbags"]).run()
    assert [label.split(" ")[0] for label in filter_of(page, "subCategory").options] == ["Bags"]


def test_an_empty_result_offers_a_way_out(page: AppTest):
    page.query_params.update({"filter-articleType": "Handbags", "filter-subCategory": "Dress"})
    page.run()
    assert cards(page) == []
    assert any("passes these filters" in html.value for html in page.get("html"))
    next(b for b in page.button if b.key == "clear-filters-nothing").click().run()
    assert len(cards(page)) == 12
    assert page.query_params == {}


def test_only_columns_with_a_choice_are_filters(page: AppTest):
    assert not page.multiselect  # nothing that is not seen is drawn
    page.button(key="filter").click().run()
    offered = {str(element.key) for kind in ("multiselect", "pills") for element in page.get(kind)}
    # Every id and every name is different.
    columns = (
        "gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "year",
        "usage", "pattern", "cut",
    )  # fmt: skip
    assert offered == {f"filter-{column}" for column in columns}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"this is no picture", "not a picture in a format that can be read"),
        (picture_bytes(size=(400, 400))[:700], "damaged or incomplete"),
        (b"%PDF-1.7 a look book", "This is a PDF document"),
        (picture_bytes("white", kind="PNG"), "The picture is blank"),
        (b"", "empty"),
        (picture_bytes(size=(3, 3)), "too small"),
    ],
)
def test_a_refusal_is_a_sentence(page: AppTest, data: bytes, sentence: str):
    upload(page, data, name="holiday.jpg")
    assert not page.exception
    assert len(page.error) == 1
    # as Markdown, so that no name can be more than text
    assert page.error[0].value.startswith(r"holiday\.jpg: ")
    assert sentence in page.error[0].value
    assert headings(page) == ["A glance at the catalogue"]


def test_what_there_is_to_say_of_a_picture_stands_below_it(page: AppTest):
    whole = (SAMPLES / "red-dress.jpg").read_bytes()
    upload(page, whole[:-2], name="dress.jpg")
    assert not page.exception
    assert not page.error
    assert len(cards(page)) == 12
    assert any("The file ends too early" in caption.value for caption in page.caption)
    upload(page, whole, name="dress.jpg")
    assert not any("The file ends too early" in caption.value for caption in page.caption)


def test_too_many_pixels_are_refused_in_a_sentence(new_page, demo_fitting_room: FittingRoom):
    page = new_page(max_megapixels="0.01")
    upload(page, picture_bytes(size=(400, 400)))
    assert "The picture is too large" in page.error[0].value


def test_a_refusal_goes_with_the_next_good_picture(page: AppTest):
    upload(page, b"this is no picture")
    upload(page, (SAMPLES / "red-dress.jpg").read_bytes())
    assert not page.error
    assert headings(page) == ["Most like your picture"]


def test_clear_goes_back_to_the_start(page: AppTest):
    upload(page, (SAMPLES / "red-dress.jpg").read_bytes())
    next(b for b in page.button if b.label == "Clear").click().run()
    assert headings(page) == ["A glance at the catalogue"]


def test_the_upload_is_let_go_once_it_is_embedded(page: AppTest):
    upload(page, (SAMPLES / "red-dress.jpg").read_bytes())
    assert session_of(page).uploads == []
    (kept,) = session_of(page).pictures.values()
    features = kept.features.embeddings.nbytes + kept.features.descriptors.nbytes
    assert features + len(kept.jpeg) < 400_000


def test_a_webcam_picture_is_searched(page: AppTest):
    snapshot = (DEMO / "images" / "10484.webp").read_bytes()
    upload(page, snapshot, "Camera picture.jpg")
    assert not page.exception
    assert ids(page)[0] == "10484"


@pytest.mark.parametrize("colour", ["black", (14, 15, 14)])
def test_a_blank_webcam_picture_is_reported(page: AppTest, colour):
    upload(page, picture_bytes(colour, (640, 480)), "Camera picture.jpg")
    assert "The camera showed nothing yet" in page.error[0].value
    assert headings(page) == ["A glance at the catalogue"]


def test_hostile_names_stay_text(new_page, shop, tmp_path):
    table = shop / "styles.csv"
    evil = '<img src=x onerror=alert(1)> **bold** "quoted"'
    text = table.read_text().replace("Red shirt", '"' + evil.replace('"', '""') + '"')
    table.write_text(text)
    page = new_page(catalogue=shop, index=tmp_path / "index")
    upload(page, (shop / "images" / "1.jpg").read_bytes(), name="<script>alert(1)</script>.jpg")
    assert not page.exception
    everything = "".join(html.value for html in page.get("html"))
    assert "<img src=x" not in everything
    assert "<script>" not in everything
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.jpg" in everything
    # A card's name is handed over as a value and put into the page as text.
    assert evil in [card["name"] for card in cards(page)]


def test_the_first_start_builds_the_index(new_page, shop, tmp_path):
    index = tmp_path / "index"
    page = new_page(catalogue=shop, index=index)
    assert not page.exception
    assert (current_version(index) / "manifest.json").is_file()
    assert len(cards(page)) == 10


def test_an_index_alone_is_searched_and_never_built(new_page, demo_fitting_room: FittingRoom):
    page = new_page(index=demo_fitting_room.index.folder)
    assert len(cards(page)) == 12


def test_a_missing_index_is_reported_with_the_remedy(new_page, tmp_path):
    page = new_page(index=tmp_path / "nothing")
    assert not page.exception
    assert "fitting-room build" in page.error[0].value
    assert [b.label for b in page.button] == ["Try again"]


def test_an_index_whose_network_is_missing_is_reported_and_not_replaced(new_page, shop, tmp_path):
    index = tmp_path / "index"
    build_index(load_catalogue(shop), colour_embedder(), index, limits=ImageLimits())
    before = (current_version(index) / "manifest.json").read_bytes()
    page = new_page(catalogue=shop, index=index)
    assert "There is no backbone 'colour'" in page.error[0].value
    assert (current_version(index) / "manifest.json").read_bytes() == before


def test_a_wrong_setting_is_reported(new_page):
    page = new_page(max_megapixels="many")
    assert "FITTING_ROOM_MAX_MEGAPIXELS" in page.error[0].value


def test_a_lost_picture_leaves_its_card_in_place(new_page, shop, tmp_path):
    new_page(catalogue=shop, index=tmp_path / "index")
    query = (shop / "images" / "1.jpg").read_bytes()
    (shop / "images" / "1.jpg").unlink()
    st.cache_resource.clear()  # another server, later
    page = new_page(index=tmp_path / "index")
    upload(page, query)
    assert not page.exception
    assert ids(page)[0] == "1"
    assert cards(page)[0]["src"] is None
    assert cards(page)[1]["src"] is not None


def test_visitors_share_the_index_and_not_their_pictures(new_page, demo_fitting_room: FittingRoom):
    first = new_page()
    upload(first, (SAMPLES / "red-dress.jpg").read_bytes())
    second = new_page()
    assert headings(second) == ["A glance at the catalogue"]
    assert headings(first) == ["Most like your picture"]
