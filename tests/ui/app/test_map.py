"""The map of the catalogue."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

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
