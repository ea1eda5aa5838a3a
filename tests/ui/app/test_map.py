"""The map of the catalogue."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from fitting_room.facade import FittingRoom
from fitting_room.index.index import Index
from tests.build.test_embedding_map import forget_map
from tests.conftest import DEMO_ITEMS, SAMPLES
from tests.ui.app.conftest import OpenPage, data_of, go_to, headings, ids, send, session_of, upload

RED_DRESS = (SAMPLES / "red-dress.jpg").read_bytes()


def _map() -> None:
    from fitting_room.ui.pages import map

    map.page()


def test_the_map_shows_every_item_where_the_index_says(
    open_page: OpenPage, demo_fitting_room: FittingRoom
) -> None:
    page = open_page(_map)
    assert not page.exception
    data = data_of(page, "map")
    assert data["count"] == len(demo_fitting_room.index) == DEMO_ITEMS
    points = np.frombuffer(base64.b64decode(data["points"]), "<u2").reshape(-1, 2)
    places = np.asarray(demo_fitting_room.index.map)
    for axis in (0, 1):
        assert np.corrcoef(points[:, axis], places[:, axis])[0, 1] > 0.9999
    codes = np.frombuffer(base64.b64decode(data["codes"]), np.uint8)
    column = page.selectbox[0].value
    assert (
        np.array(data["labels"])[codes].tolist() == demo_fitting_room.index.items[column].tolist()
    )
    assert data["counts"] == np.bincount(codes).tolist()
    assert data["marks"] == {"query": [], "matches": [], "own": []}


def test_colours_of_garments_are_shown_in_these_colours(
    open_page: OpenPage, demo_fitting_room: FittingRoom
) -> None:
    page = open_page(_map)
    page.selectbox[0].select("baseColour").run()
    data = data_of(page, "map")
    assert len(data["labels"]) == len(data["colours"]) == len(data["counts"])
    if "Red" in data["labels"]:
        assert data["colours"][data["labels"].index("Red")] == "#ff0000"


def test_names_stand_where_values_are_the_commonest(
    open_page: OpenPage, demo_fitting_room: FittingRoom
) -> None:
    page = open_page(_map)
    # Three categories have their colours; names say more: of which type things are.
    assert page.selectbox[0].value == "masterCategory"
    assert "one type" in page.caption[0].value
    names = data_of(page, "map")["names"]
    items = demo_fitting_room.index.items
    assert {name["text"] for name in names} >= {"Heels", "Shirts", "Handbags", "Dresses"}
    for name in names:
        assert items["articleType"].iloc[name["row"]] == name["text"].split(", ")[0]
    page.selectbox[0].select("articleType").run()
    assert data_of(page, "map")["names"] == names


def test_of_many_values_nine_have_colours_and_all_stand_in_the_legend(open_page: OpenPage) -> None:
    page = open_page(_map)
    page.selectbox[0].select("articleType").run()
    data = data_of(page, "map")
    assert data["coloured"] == 9
    assert len(data["labels"]) == len(data["counts"]) == 32
    assert len(set(data["colours"][:9])) == 9
    assert len(set(data["colours"][9:])) == 1
    assert data["counts"] == sorted(data["counts"], reverse=True)


def places(page: AppTest) -> np.ndarray:
    return np.frombuffer(base64.b64decode(data_of(page, "map")["points"]), "<u2").reshape(-1, 2)


def test_a_part_of_the_map_is_listed_below_it(
    page: AppTest, demo_fitting_room: FittingRoom
) -> None:
    go_to(page, "map")
    points = places(page)
    # The middle of either side, wherever the layout has put the items: at least a fifth of them.
    low, high = np.quantile(points, [0.2, 0.8], axis=0).astype(int).tolist()
    left, top, right, bottom = part = [*low, *high]
    inside = ((points >= (left, top)) & (points <= (right, bottom))).all(axis=1)
    page._page_hash = calc_hash("map")
    send(page, "part", "choose", {"part": part, "only": None})
    assert not page.exception
    assert page.subheader[0].value == f"{inside.sum():,} items in this part of the map"
    known = set(demo_fitting_room.index.items["id"][inside].astype(str))
    assert len(ids(page)) == 24
    assert set(ids(page)) <= known
    assert page.query_params == {"part": ",".join(map(str, part))}
    assert data_of(page, "part") == {"part": part, "only": None}
    # One value of the legend alone.
    values = data_of(page, "map")["labels"]
    send(page, "part", "choose", {"part": part, "only": 1})
    kind = demo_fitting_room.index.items["masterCategory"] == values[1]
    assert page.subheader[0].value.startswith(f"{(inside & kind).sum():,} item")
    assert data_of(page, "part")["only"] == 1
    next(button for button in page.button if button.label == "Close").click().run()
    assert not page.subheader
    assert page.query_params == {}


def test_a_link_to_a_part_shows_it(page: AppTest) -> None:
    page.query_params["part"] = "0,0,65535,65535"
    page.query_params["by"] = "gender"
    page.query_params["only"] = "Men"
    page.query_params["page"] = "2"
    go_to(page, "map")
    assert not page.exception
    assert page.selectbox[0].value == "gender"
    men = (session_of(page).map.only, session_of(page).map.page)
    assert men == ("Men", 2)
    assert "in this part of the map" in page.subheader[0].value
    assert "Men” alone" in page.caption[1].value


def test_a_small_part_becomes_the_query(page: AppTest, demo_fitting_room: FittingRoom) -> None:
    go_to(page, "map")
    points = places(page).astype(int)
    x, y = points[3]
    near = np.sort(np.abs(points - (x, y)).max(axis=1))[:2].max() + 1
    part = [int(max(0, v)) for v in (x - near, y - near, x + near, y + near)]
    page._page_hash = calc_hash("map")
    send(page, "part", "choose", {"part": part, "only": None})
    shown = set(ids(page))
    assert str(demo_fitting_room.index.items["id"].iloc[3]) in shown
    assert 2 <= len(shown) <= 8
    next(button for button in page.button if button.label == "Search with these").click().run()
    assert not page.exception
    assert headings(page) == ["Most like these"]
    assert {subject.id for subject in session_of(page).history.query.subjects} == shown


def test_an_empty_part_says_so(page: AppTest) -> None:
    page.query_params["part"] = "0,0,1,1"
    go_to(page, "map")
    assert page.subheader[0].value == "0 items in this part of the map"
    assert not ids(page)


def test_pictures_come_for_the_points_that_are_requested(
    open_page: OpenPage, demo_fitting_room: FittingRoom
) -> None:
    page = open_page(_map)
    send(page, "previews", "request", [3, 7])
    previews = data_of(page, "previews")["previews"]
    assert [preview["row"] for preview in previews] == [3, 7]
    assert all(preview["src"].startswith("data:image/jpeg;base64,") for preview in previews)
    assert (
        previews[0]["name"]
        == demo_fitting_room.item(str(demo_fitting_room.index.items["id"].iloc[3])).name
    )


@pytest.mark.parametrize("value", [None, "x", [-1, 10**9, "a", None, 2.5, True], [[1]], {"a": 1}])
def test_a_request_that_makes_no_sense_changes_nothing(
    open_page: OpenPage, demo_fitting_room: FittingRoom, value: object
) -> None:
    page = open_page(_map)
    send(page, "previews", "request", value)
    assert not page.exception
    assert data_of(page, "previews")["previews"] == []
    send(page, "map", "pick", value)
    assert not page.exception
    assert not session_of(page).moved
    for message in (value, {"part": value}, {"part": [1, 2, 9, 9], "only": value}):
        send(page, "part", "choose", message)
        assert not page.exception
    assert session_of(page).map.part == (1, 2, 9, 9)
    assert session_of(page).map.only is None


def test_the_map_is_there_in_words_too(open_page: OpenPage, demo_fitting_room: FittingRoom) -> None:
    page = open_page(_map)
    (table,) = page.table
    words = table.value
    kinds = demo_fitting_room.index.items[page.selectbox[0].value].value_counts()
    assert dict(zip(words.iloc[:, 0], words["Items"], strict=True)) == {
        kind: f"{count:,}" for kind, count in kinds.items()
    }
    assert set(" ".join(words["Where"]).split()) <= {
        "top", "middle", "bottom", "left", "centre", "right",
    }  # fmt: skip


def test_an_index_without_a_map_says_how_to_get_one_and_draws_it(
    open_page: OpenPage, demo_fitting_room: FittingRoom, tmp_path: Path
) -> None:
    shutil.copytree(demo_fitting_room.index.folder, tmp_path / "old")
    forget_map(tmp_path / "old")
    page = open_page(_map, index=tmp_path / "old")
    assert "before there were maps" in page.info[0].value
    assert not page.get("bidi_component")
    page.button[0].click().run()
    assert not page.exception
    assert data_of(page, "map")["count"] == DEMO_ITEMS
    page.run()  # and it is kept
    assert data_of(page, "map")["count"] == DEMO_ITEMS
    assert Index.open(tmp_path / "old").map is None


def test_a_query_and_its_matches_are_marked(page: AppTest, demo_fitting_room: FittingRoom) -> None:
    upload(page, RED_DRESS)
    item = ids(page)[0]
    go_to(page, "map")
    assert not page.exception
    marks = data_of(page, "map")["marks"]
    assert marks["query"] == []
    assert len(marks["own"]) == 1
    assert len(marks["matches"]) == 24
    assert demo_fitting_room.row(item) == marks["matches"][0]


def test_a_point_becomes_the_query(page: AppTest, demo_fitting_room: FittingRoom) -> None:
    go_to(page, "map")
    send(page, "map", "pick", 7)
    assert not page.exception
    assert headings(page) == ["Most like this"]
    item = str(demo_fitting_room.index.items["id"].iloc[7])
    assert page.query_params == {"item": item}
    go_to(page, "map")
    assert data_of(page, "map")["marks"]["query"] == [7]
