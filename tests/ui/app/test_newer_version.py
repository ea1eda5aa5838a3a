"""A page that is open sees what was added to its index, and what was removed."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fitting_room.build.builder import build_index
from fitting_room.build.edit import remove_items
from fitting_room.build.writer import write_head
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.data import current_version
from fitting_room.settings import Settings
from fitting_room.ui.shared import resources
from tests.conftest import SAMPLES, colour_embedder
from tests.ui.app.conftest import NewPage, cards, go_to, ids, upload


@pytest.fixture
def folder(demo_fitting_room: FittingRoom, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_fitting_room.index.folder, tmp_path / "index"))


def said(page: AppTest) -> str:
    return " ".join(caption.value for caption in page.caption)


def test_an_open_page_sees_a_newer_version(
    new_page: NewPage, folder: Path, settings: Settings
) -> None:
    page = new_page(index=folder)
    assert "950 items" in said(page)
    room = FittingRoom.open(folder, settings)
    room.add([SAMPLES / "red-dress.jpg"], ids=["4711"], attributes={"gender": "Women"})
    page.run()
    assert not page.exception
    assert "951 items" in said(page)
    about = go_to(page, "about")
    assert not page.exception
    assert r"changed by hand since\: 1 added" in said(about)
    remove_items(folder, ["4711"])
    page.run()
    assert not page.exception
    assert "changed by hand" not in said(page)


def test_the_card_of_an_added_item_shows_its_picture(
    new_page: NewPage, folder: Path, settings: Settings
) -> None:
    room = FittingRoom.open(folder, settings)
    room.add([SAMPLES / "red-dress.jpg"], ids=["4711"], attributes={"articleType": "Only this"})
    page = new_page(index=folder)
    page.session_state["session"].where = {"articleType": ["Only this"]}
    page.run()
    assert ids(page) == ["4711"]
    assert cards(page)[0]["src"]


def test_what_cannot_be_opened_is_left_alone(
    new_page: NewPage, folder: Path, caplog: pytest.LogCaptureFixture, shop: Path
) -> None:
    page = new_page(index=folder)
    build_index(load_catalogue(shop), colour_embedder(), folder, limits=ImageLimits())
    for _ in range(2):
        page.run()
        assert not page.exception
        assert "950 items" in said(page)
    warnings = [r for r in caplog.records if "keeps the version" in r.message]
    assert len(warnings) == 1  # and not at every run
    write_head(folder, None)
    page.run()
    assert "950 items" in said(page)
    shutil.rmtree(folder)
    page.run()
    assert "950 items" in said(page)


def test_an_open_page_sees_what_was_trained(
    new_page: NewPage, folder: Path, headed_fitting_room: FittingRoom
) -> None:
    page = upload(new_page(index=folder), (SAMPLES / "red-dress.jpg").read_bytes())
    before = resources.now_open()
    write_head(folder, headed_fitting_room.index.head)
    for visitor in (page, new_page(index=folder)):
        visitor.run()
        assert not visitor.exception
        assert all(card["src"] for card in cards(visitor))
    after = resources.now_open()
    assert after.index.data.version == current_version(folder) != before.index.data.version
    assert after.index.head is not before.index.head


def test_an_index_of_another_network_and_catalogue_is_followed(
    new_page: NewPage, folder: Path, settings: Settings, shop: Path
) -> None:
    page = upload(new_page(index=folder), (SAMPLES / "red-dress.jpg").read_bytes())
    assert len(ids(page)) == 12
    FittingRoom.build(shop, folder, backbone="efficientnet_lite2", settings=settings)
    page.run()
    assert not page.exception
    assert "10 items" in said(page)
    # The visitor's picture is still the query, as the other network sees it.
    assert set(ids(page)) <= {str(number) for number in range(1, 11)}
    assert len(ids(page)) == len(cards(page)) > 0
    assert all(card["src"] for card in cards(page))


def test_the_memory_of_an_old_version_is_given_back(
    new_page: NewPage, folder: Path, settings: Settings
) -> None:
    page = new_page(index=folder)
    old = weakref.ref(resources.now_open())
    FittingRoom.open(folder, settings).remove([ids(page)[0]])
    page.run()
    page.run()
    gc.collect()
    assert "949 items" in said(page)
    assert old() is None


def test_a_part_of_the_page_that_is_older_has_all_of_it_drawn_anew(
    new_page: NewPage, folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_page(index=folder)
    old = resources.now_open().index.version
    reruns: list[bool] = []
    monkeypatch.setattr(resources.st, "rerun", lambda: reruns.append(True))
    assert len(resources.still(old).index) == 950
    assert reruns == []
    remove_items(folder, ["10724"])
    assert len(resources.still(old).index) == 949
    assert reruns == [True]
