"""The page about the index."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from fitting_room.facade import FittingRoom
from fitting_room.index.manifest import MARKS
from fitting_room.index.marks import DIFFERENT, KEEP, read_marks
from fitting_room.search import duplicates
from tests.conftest import DEMO_ITEMS
from tests.ui.app.conftest import NewPage, OpenPage, act, cards, galleries, go_to, headings


def _about() -> None:
    from fitting_room.ui.pages import about

    about.page()


def test_about_describes_the_index(open_page: OpenPage, demo_fitting_room: FittingRoom) -> None:
    page = open_page(_about)
    assert not page.exception
    text = " ".join(e.value for kind in ("html", "markdown", "caption") for e in page.get(kind))
    assert str(DEMO_ITEMS) in text
    assert "EfficientNet" in text
    assert "1280 numbers each" in text
    assert "Trained elsewhere" in text
    assert headings(page) == ["About this catalogue", "For the owner"]
    rows = page.table[-1].value
    assert str(DEMO_ITEMS) in rows["Number"].tolist()
    press(page, "Find look-alikes")
    assert not page.exception
    assert any("There are none" in m.value for m in page.markdown)


def test_about_says_what_was_learned(open_page: OpenPage, headed_fitting_room: FittingRoom) -> None:
    page = open_page(_about, index=headed_fitting_room.index.folder)
    assert not page.exception
    assert any("type" in m.value and "Trained" in m.value for m in page.markdown)


def test_what_is_the_owners_stands_on_about_and_not_at_the_foot(
    new_page: NewPage, shop: Path, tmp_path: Path
) -> None:
    page = new_page(catalogue=shop, index=tmp_path / "index", backbone="auto")
    assert [c.value for c in page.caption][-1] == "10 items in this catalogue."
    everything = " ".join(e.value for kind in ("caption", "markdown") for e in page.get(kind))
    assert "EfficientNet" not in everything
    assert "ResNet50" not in everything
    go_to(page, "about")
    told = " ".join(m.value for m in page.markdown)
    assert "EfficientNet\\-Lite0" in told
    assert "the weights of ResNet50 are not on this machine" in told
    assert "--backbone resnet50" in told


def press(page: AppTest, label: str, number: int = 0) -> AppTest:
    page = [b for b in page.button if b.label == label][number].click().run()
    assert not page.exception
    return page


@pytest.fixture
def reviewing(new_page: NewPage, with_copies: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Opens the look-alikes of a catalogue with identical files and copies, for another visit."""
    first = with_copies / "images" / "10005.webp"
    (with_copies / "images" / "20005.webp").write_bytes(first.read_bytes())
    with (with_copies / "styles.csv").open("a", encoding="utf-8") as table:
        table.write("20005,Garment 20005\n")

    def start(**variables: str) -> AppTest:
        monkeypatch.setenv("FITTING_ROOM_OWNER", "0")
        page = new_page(catalogue=with_copies, index=with_copies.parent / "index", **variables)
        return press(go_to(page, "about"), "Find look-alikes")

    return start


def labels(page: AppTest) -> list[str]:
    return [data["label"] for data in galleries(page)]


def test_identical_files_come_before_copies(reviewing: Any) -> None:
    assert labels(reviewing()) == [
        "Group 1: 2 items, the very same file",
        "Group 2: 4 items, the same picture in another size or compression",
    ]


def test_the_owner_marks_groups_which_others_see_and_builds_keep(
    reviewing: Any, with_copies: Path, new_page: NewPage
) -> None:
    folder = with_copies.parent / "index"
    page = reviewing(owner="1")
    press(page, "Keep")
    press(page, "Not the same")  # of the second: the first has its mark
    known = read_marks(folder)
    assert known.of(["10005", "20005"]) == KEEP
    assert known.of(["10724", "70", "80", "90"]) == DIFFERENT
    (with_copies / "images" / "90.jpg").unlink()
    FittingRoom.build(with_copies, folder, backbone="efficientnet_lite0")
    other = reviewing()
    badges = [m.value for m in other.markdown if "-badge[" in m.value]
    assert len(badges) == 2
    assert "Kept" in badges[0]
    assert "Not the same" in badges[1]
    assert not any(b.label in ("Keep", "Not the same", "Undo") for b in other.button)
    assert any("fitting-room serve --owner" in c.value for c in other.caption)
    index = FittingRoom.open(folder).index
    groups = duplicates.find(index)
    rows = list(csv.DictReader(io.StringIO(duplicates.as_csv(index, groups, read_marks(folder)))))
    assert [(r["likeness"], r["mark"]) for r in rows] == [
        *[("identical", KEEP)] * 2,
        *[("copies", DIFFERENT)] * 3,
    ]
    other.toggle(key="only-unmarked").set_value(True).run()
    assert any("Every group has a mark" in m.value for m in other.markdown)
    page = reviewing(owner="1")
    press(page, "Undo")
    assert read_marks(folder).of(["10005", "20005"]) is None


def test_marks_need_the_owners_setting_and_a_server_for_this_machine(
    reviewing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit import config

    assert not any(b.label == "Keep" for b in reviewing().button)
    page = reviewing(owner="1")
    assert any(b.label == "Keep" for b in page.button)
    before = config.get_option("server.address")
    try:
        config.set_option("server.address", "0.0.0.0")
        press(page, "Keep")  # a button that was drawn before
        assert not any(b.label in ("Keep", "Undo") for b in page.button)
        assert not any("-badge[" in m.value for m in page.markdown)
    finally:
        config.set_option("server.address", before)


def test_damaged_marks_are_told(reviewing: Any, with_copies: Path) -> None:
    reviewing()
    (with_copies.parent / "index" / MARKS).write_bytes(b'{"marks": "<script>"}')
    page = reviewing(owner="1")
    assert "is not what was written" in page.error[0].value
    press(page, "Keep")
    assert "is not what was written" in page.error[0].value
    assert (with_copies.parent / "index" / MARKS).read_bytes() == b'{"marks": "<script>"}'


def test_about_lists_failures_and_look_alikes(new_page: NewPage, with_copies: Path) -> None:
    (with_copies / "images" / "90.jpg").write_bytes(b"no picture")
    page = new_page(catalogue=with_copies, index=with_copies / "index")
    go_to(page, "about")
    tables = [table.value.to_string() for table in page.table]
    assert any("not a picture in a format" in table and "90" in table for table in tables)
    press(page, "Find look-alikes")
    assert any(m.value.startswith("1 groups of 3 items") for m in page.markdown)
    assert {card["id"] for card in cards(page)} == {"10724", "70", "80"}
    act(page, "take", "70")
    assert any("Garment 70" in code.value for code in page.code)
    act(page, "more", "70")
    assert not page.exception
    assert headings(page) == ["Most like this"]
