"""From query to query, and what the address says of it."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from fitting_room.facade import FittingRoom
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.ui.shared.text import plain, shorten
from tests.conftest import DEMO, SAMPLES
from tests.ui.app.conftest import (
    AS_ON_PAGE,
    act,
    cards,
    data_of,
    filter_of,
    headings,
    ids,
    send,
    session_of,
    upload,
)

RED_DRESS = (SAMPLES / "red-dress.jpg").read_bytes()
ITEM = "10724"


def button(page: AppTest, label: str) -> object:
    return next(b for b in page.button if b.label == label)


def warnings(page: AppTest) -> str:
    return " ".join(warning.value for warning in page.warning)


def ids_like(fitting_room: FittingRoom, item: str, **how: object) -> list[str]:
    (features,) = fitting_room.index.features([fitting_room.row(item)])
    matches = fitting_room.search(features, 12, **AS_ON_PAGE, without=[item], **how)
    return [match.id for match in matches]


# --- queries ----------------------------------------------------------------------------------


def test_more_like_this_makes_an_item_the_query(page: AppTest, demo_fitting_room: FittingRoom):
    upload(page, RED_DRESS)
    item = ids(page)[2]
    act(page, "more", item)
    assert not page.exception
    assert headings(page) == ["Most like this"]
    assert page.query_params == {"item": item}
    assert ids(page) == ids_like(demo_fitting_room, item)
    assert item not in ids(page)


def test_the_trail_leads_back(page: AppTest):
    upload(page, RED_DRESS, name="mine.jpg")
    first = ids(page)
    act(page, "more", first[2])
    second = ids(page)
    act(page, "more", second[0])
    trail = data_of(page, "trail")
    assert [step["here"] for step in trail["steps"]] == [False, False, True]
    assert trail["steps"][0]["title"] == "mine.jpg"
    assert all(step["src"] for step in trail["steps"])  # each is a small picture
    send(page, "trail", "go", trail["back"])
    assert ids(page) == second
    send(page, "trail", "go", 0)
    assert ids(page) == first
    assert all(e.proto.component_name != "fitting_room_trail" for e in page.get("bidi_component"))


def test_a_new_picture_begins_a_new_trail_and_the_old_one_is_a_step_back(page: AppTest) -> None:
    upload(page, RED_DRESS, name="mine.jpg")
    first = ids(page)
    act(page, "more", first[2])
    second = ids(page)
    upload(page, (DEMO / "images" / f"{ITEM}.webp").read_bytes(), name="next.webp")
    trail = data_of(page, "trail")
    assert [step["title"] for step in trail["steps"]] == ["next.webp"]
    send(page, "trail", "go", trail["back"])
    assert ids(page) == second
    assert data_of(page, "trail")["steps"][0]["title"] == "mine.jpg"


def test_less_like_this_changes_the_matches_and_can_be_taken_back(
    page: AppTest, demo_fitting_room: FittingRoom
):
    upload(page, RED_DRESS)
    before = ids(page)
    act(page, "less", before[1])
    assert not page.exception
    assert before[1] not in ids(page)
    query = next(iter(session_of(page).pictures.values())).features
    negatives = demo_fitting_room.index.features([demo_fitting_room.row(before[1])])
    expected = demo_fitting_room.search(
        [query], 12, **AS_ON_PAGE, negatives=negatives, without=[before[1]]
    )
    assert ids(page) == [match.id for match in expected]
    name = demo_fitting_room.item(before[1]).name
    button(page, plain(shorten(name, 32))).click().run()
    assert ids(page) == before


def test_a_card_message_that_makes_no_sense_changes_nothing(page: AppTest):
    upload(page, RED_DRESS)
    before = ids(page)
    for value in (
        {"action": "more", "id": "no such item"},
        {"action": "evil", "id": before[0]},
        {"action": ["more"], "id": {"a": 1}},
        "more",
        None,
    ):
        send(page, "gallery", "act", value)
        assert not page.exception
        assert ids(page) == before


# --- the address ------------------------------------------------------------------------------


def test_a_shared_link_reproduces_the_view(new_page, headed_fitting_room: FittingRoom):
    first = new_page(index=headed_fitting_room.index.folder)
    upload(first, RED_DRESS)
    act(first, "more", ITEM)
    first.slider(key="n").set_value(7).run()
    first.select_slider(key="colour").set_value(70).run()
    first.toggle(key="trained").set_value(False).run()
    first.toggle(key="fold").set_value(False).run()
    filter_of(first, "baseColour").set_value(["Red", "Pink"]).run()
    link = {
        "item": ITEM, "n": "7", "colour": "70", "plain": "1", "spread": "1",
        "filter-baseColour": ["Red", "Pink"],
    }  # fmt: skip
    assert first.query_params == link
    second = new_page(index=headed_fitting_room.index.folder)
    second.query_params.update(link)
    second.run()
    assert not second.exception
    assert not second.warning
    assert ids(second) == ids(first)
    assert len(ids(second)) == 7
    assert second.select_slider(key="colour").value == 70


def test_the_browsers_back_button_goes_back(page: AppTest, demo_fitting_room: FittingRoom):
    upload(page, RED_DRESS)
    first, address = ids(page), dict(page.query_params)
    act(page, "more", ITEM)
    page.slider(key="n").set_value(5).run()
    assert len(ids(page)) == 5
    page.query_params = {"item": ITEM}
    page.run()
    assert ids(page) == ids_like(demo_fitting_room, ITEM)
    page.query_params = address
    page.run()
    assert ids(page) == first
    page.query_params = {}
    page.run()
    assert headings(page) == ["A glance at the catalogue"]


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ({"item": "99999999"}, "There is no item “99999999”"),
        ({"item": "<script>*x*</script>"}, r"\<script\>\*x\*\</script\>"),
        ({"n": "61"}, "n in this link"),
        ({"n": "9" * 5000}, "n in this link"),
        ({"colour": "-1"}, "colour in this link"),
        ({"filter-baseColour": "Blurple"}, "Colour “Blurple” is not in this catalogue"),
        ({"filter-secret": "x"}, "cannot be filtered by “secret”"),
        ({"picture": "0123456789ab"}, "Links cannot carry your picture"),
        ({"item": ITEM, "crop": "5,5,1,1"}, "makes no sense"),
        ({"item": ITEM, "less": "nothing"}, "There is no item “nothing”"),
    ],
)
def test_what_makes_no_sense_in_a_link_is_reported_and_ignored(page: AppTest, link, sentence):
    page.query_params.update(link)
    page.run()
    assert not page.exception
    assert sentence.replace("\\", "") in warnings(page).replace("\\", "")
    assert len(cards(page)) == 12
    page.slider(key="n").set_value(5).run()
    assert len(cards(page)) == 5
    assert set(page.query_params) <= {"item", "n"}


def test_a_link_asks_for_a_bounded_number_of_items(page: AppTest):
    page.query_params["item"] = [str(10001 + number) for number in range(300)]
    page.run()
    assert not page.exception
    assert len(page.query_params["item"]) == 8


# --- the catalogue ----------------------------------------------------------------------------


def browse(page: AppTest, words: str = "") -> AppTest:
    page.button(key="browse").click().run()
    return page.text_input(key="find").set_value(words).run() if words else page


def test_an_item_is_found_by_its_name_and_becomes_the_query(
    page: AppTest, demo_fitting_room: FittingRoom
):
    browse(page, "dress RED")
    names = [card["name"] for card in cards(page)]
    assert names
    assert all("red" in name.lower() and "dress" in name.lower() for name in names)
    items = demo_fitting_room.index.items
    found = (items["articleType"] == "Dresses") & (items["baseColour"] == "Red")
    assert headings(page) == [f"{found.sum()} found"]
    assert page.query_params == {"find": "dress RED"}
    item = ids(page)[0]
    act(page, "more", item)
    assert headings(page) == ["Most like this"]
    assert ids(page) == ids_like(demo_fitting_room, item)


def test_an_item_is_found_by_its_number(page: AppTest):
    browse(page, ITEM)
    assert ids(page) == [ITEM]


def test_a_name_that_nothing_has_leaves_a_way_out(page: AppTest):
    browse(page, "zeppelin (")
    assert cards(page) == []
    assert any("No item has these words" in html.value for html in page.get("html"))
    button(page, "Show the whole catalogue").click().run()
    assert len(cards(page)) == 12


def test_the_catalogue_has_pages(page: AppTest):
    browse(page)
    seen = ids(page)
    page.get("pagination")[0].set_value(2).run()
    assert not page.exception
    assert not set(ids(page)) & set(seen)
    assert page.query_params == {"browse": "1", "page": "2"}
    second = ids(page)
    page.text_input(key="find").set_value("dress").run()
    assert page.query_params == {"find": "dress"}
    page.query_params = {"browse": "1", "page": "2"}
    page.run()
    assert ids(page) == second


# --- filters ----------------------------------------------------------------------------------


def test_filters_count_what_each_value_would_leave(page: AppTest, demo_fitting_room: FittingRoom):
    filter_of(page, "articleType").set_value(["Dresses"]).run()
    items = demo_fitting_room.index.items
    dresses = items[items["articleType"] == "Dresses"]
    for label in filter_of(page, "baseColour").options:
        name, count = label.removesuffix("]").split(" :small[")
        assert (dresses["baseColour"] == name).sum() == int(count.replace(",", ""))
    # The column's own filter is off while its values are counted.
    assert len(filter_of(page, "articleType").options) > 5


def test_a_chip_takes_its_filter_off(page: AppTest):
    filter_of(page, "baseColour").set_value(["Red", "Blue"]).run()
    button(page, "Red").click().run()
    assert page.query_params == {"filter-baseColour": "Blue"}
    assert filter_of(page, "baseColour").value == ["Blue"]
    button(page, "Clear filters").click().run()
    assert page.query_params == {}
    assert not any(b.label == "Blue" for b in page.button)


# --- parts of pictures -------------------------------------------------------------------------


def test_a_part_of_the_picture_is_searched_with(page: AppTest, demo_fitting_room: FittingRoom):
    whole = (DEMO / "images" / f"{ITEM}.webp").read_bytes()
    upload(page, whole)
    before = ids(page)
    button(page, "Crop").click().run()
    send(page, "cropper", "box", "0,0,1000,500")
    assert not page.exception
    assert page.query_params["crop"] == "0,0,1000,500"
    with demo_fitting_room.open_picture(whole) as image:
        upper = image.crop((0, 0, image.width, image.height // 2))
    expected = [match.id for match in demo_fitting_room.search(upper, 12, **AS_ON_PAGE)]
    assert len(set(expected) & set(ids(page))) >= 9  # the working copy is a JPEG of the picture
    button(page, "Whole picture").click().run()
    assert ids(page) == before


@pytest.mark.parametrize("message", ["cancel", "1,2", "0,0,9999,9", {"box": 1}, None])
def test_a_part_that_is_none_changes_nothing(page: AppTest, message):
    upload(page, RED_DRESS)
    before = ids(page)
    button(page, "Crop").click().run()
    send(page, "cropper", "box", message)
    assert not page.exception
    assert ids(page) == before
    assert "crop" not in page.query_params


def test_an_item_is_cropped_too_and_its_link_says_so(page: AppTest, new_page):
    page.query_params.update({"item": ITEM, "crop": "100,0,900,600"})
    page.run()
    assert not page.exception
    other = new_page()
    other.query_params.update(page.query_params)
    other.run()
    assert ids(other) == ids(page)
    other.query_params = {"item": ITEM}
    other.run()
    assert ids(other) != ids(page)


def test_no_known_picture_is_embedded_again(
    page: AppTest, demo_fitting_room: FittingRoom, monkeypatch: pytest.MonkeyPatch
):
    from fitting_room.embedding.embedder import Embedder

    upload(page, RED_DRESS)
    item = ids(page)[0]
    monkeypatch.setattr(Embedder, "describe", lambda *_, **__: pytest.fail("embedded again"))
    act(page, "more", item)
    act(page, "less", ids(page)[0])
    send(page, "trail", "go", 1)
    send(page, "trail", "go", 0)
    assert not page.exception
    assert ids(page)[0] == item


def test_ranking_applies_to_several_as_to_one(page: AppTest, demo_fitting_room: FittingRoom):
    page.query_params["item"] = [ITEM, "10005"]
    page.run()
    assert headings(page) == ["Most like these"]
    both = demo_fitting_room.index.features(
        [demo_fitting_room.row(ITEM), demo_fitting_room.row("10005")]
    )
    page.select_slider(key="colour").set_value(100).run()
    expected = demo_fitting_room.search(
        both, 12, **AS_ON_PAGE, options=SimilarityOptions(colour=1), without=[ITEM, "10005"]
    )
    assert ids(page) == [match.id for match in expected]
