"""The map and the page about the index, and what a card tells and gives away."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from fitting_room.facade import FittingRoom
from fitting_room.index.index import Index
from fitting_room.settings import Settings
from tests.build.test_embedding_map import forget_map
from tests.conftest import SAMPLES
from tests.ui.app.conftest import act, ids, send, upload

ITEM = "10724"


def _map() -> None:
    from fitting_room.ui.pages import map

    map.page()


def _about() -> None:
    from fitting_room.ui.pages import about

    about.page()


@pytest.fixture
def open_part(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Callable[..., AppTest]:
    """Opens one of the page's parts by itself."""

    def start(part: Callable[[], None], **environment: str | Path) -> AppTest:
        monkeypatch.setenv("FITTING_ROOM_CACHE", str(settings.cache))
        monkeypatch.setenv("FITTING_ROOM_BACKBONE", "efficientnet_lite0")
        for name, value in environment.items():
            monkeypatch.setenv(f"FITTING_ROOM_{name.upper()}", str(value))
        return AppTest.from_function(part, default_timeout=90).run()

    return start


def data_of(page: AppTest, component: str) -> dict[str, Any]:
    (found,) = (
        json.loads(element.proto.json)
        for element in page.get("bidi_component")
        if element.proto.component_name == f"fitting_room_{component}"
    )
    return found


def test_the_map_shows_every_item_where_the_index_says(
    open_part: Callable[..., AppTest], demo_fitting_room: FittingRoom
) -> None:
    page = open_part(_map)
    assert not page.exception
    data = data_of(page, "atlas")
    assert data["count"] == len(demo_fitting_room.index) == 1_200
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
    open_part: Callable[..., AppTest], demo_fitting_room: FittingRoom
) -> None:
    page = open_part(_map)
    page.selectbox[0].select("baseColour").run()
    data = data_of(page, "atlas")
    assert len(data["labels"]) == len(data["colours"]) == len(data["counts"])
    if "Red" in data["labels"]:
        assert data["colours"][data["labels"].index("Red")] == "#ff0000"


def test_pictures_come_for_the_points_that_are_asked_for(
    open_part: Callable[..., AppTest], demo_fitting_room: FittingRoom
) -> None:
    page = open_part(_map)
    send(page, "faces", "look", [3, 7])
    faces = data_of(page, "faces")["faces"]
    assert [face["row"] for face in faces] == [3, 7]
    assert all(face["src"].startswith("data:image/jpeg;base64,") for face in faces)
    assert (
        faces[0]["name"]
        == demo_fitting_room.item(str(demo_fitting_room.index.items["id"].iloc[3])).name
    )


@pytest.mark.parametrize("value", [None, "x", [-1, 10**9, "a", None, 2.5, True], [[1]], {"a": 1}])
def test_what_a_browser_asks_for_is_not_believed(
    open_part: Callable[..., AppTest], demo_fitting_room: FittingRoom, value: object
) -> None:
    page = open_part(_map)
    send(page, "faces", "look", value)
    assert not page.exception
    assert data_of(page, "faces")["faces"] == []
    send(page, "atlas", "pick", value)
    assert not page.exception
    assert "picked" not in page.session_state


def test_the_map_is_told_in_words_too(
    open_part: Callable[..., AppTest], demo_fitting_room: FittingRoom
) -> None:
    page = open_part(_map)
    (table,) = page.table
    told = table.value
    kinds = demo_fitting_room.index.items[page.selectbox[0].value].value_counts()
    assert dict(zip(told.iloc[:, 0], told["Items"], strict=True)) == {
        kind: f"{count:,}" for kind, count in kinds.items()
    }
    assert set(" ".join(told["Where"]).split()) <= {
        "top", "middle", "bottom", "left", "centre", "right",
    }  # fmt: skip


def test_an_index_without_a_map_says_how_to_get_one_and_draws_it(
    open_part: Callable[..., AppTest], demo_fitting_room: FittingRoom, tmp_path: Path
) -> None:
    shutil.copytree(demo_fitting_room.index.folder, tmp_path / "old")
    forget_map(tmp_path / "old")
    page = open_part(_map, index=tmp_path / "old")
    assert "before there were maps" in page.info[0].value
    assert not page.get("bidi_component")
    page.button[0].click().run()
    assert not page.exception
    assert data_of(page, "atlas")["count"] == 1_200
    page.run()  # and it is kept
    assert data_of(page, "atlas")["count"] == 1_200
    assert Index.open(tmp_path / "old").map is None


def test_about_tells_what_is_in_the_index(
    open_part: Callable[..., AppTest], demo_fitting_room: FittingRoom
) -> None:
    page = open_part(_about)
    assert not page.exception
    text = " ".join([h.value for h in page.get("html")] + [m.value for m in page.markdown])
    assert "1,200" in text
    assert "EfficientNet" in text
    assert "1,280" in text
    assert "Nothing yet" in text
    rows = page.table[-1].value
    assert "1,200" in rows["Number"].tolist()
    page.button[0].click().run()
    assert not page.exception
    assert any("There are none" in m.value for m in page.markdown)


def test_why_tells_where_and_what(page: AppTest, demo_fitting_room: FittingRoom) -> None:
    upload(page, (SAMPLES / "red-dress.jpg").read_bytes())
    act(page, "why", ids(page)[0])
    assert not page.exception
    figures = next(h.value for h in page.get("html") if 'class="fr-why"' in h.value)
    assert figures.count("<img") == 2
    assert "What counts most is in the" in figures
    assert any("closer than that of" in h.value for h in page.get("html"))


def test_why_between_two_items_compares_their_columns(
    page: AppTest, demo_fitting_room: FittingRoom
) -> None:
    act(page, "more", ITEM)
    other = ids(page)[0]
    act(page, "why", other)
    said = next(h.value for h in page.get("html") if 'class="fr-why-sentence"' in h.value)
    one, two = (demo_fitting_room.item(item).attributes for item in (ITEM, other))
    for column, word in (("articleType", "type"), ("baseColour", "colour")):
        if one[column] == two[column]:
            assert f"{word} ({one[column]})" in said
        else:
            assert f"{word} ({one[column]} and {two[column]})" in said


def test_a_card_can_be_taken_away(page: AppTest, demo_fitting_room: FittingRoom) -> None:
    act(page, "more", ITEM)
    other = ids(page)[0]
    act(page, "take", other)
    assert not page.exception
    codes = [code.value for code in page.code]
    assert demo_fitting_room.item(other).name in codes
    assert any(code.endswith(f"?item={other}") for code in codes)
    labels = [button.proto.label for button in page.get("download_button")]
    assert labels == ["Matches as csv", "Contact sheet", "Save the picture"]
