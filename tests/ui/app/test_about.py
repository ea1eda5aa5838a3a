"""The page about the index."""

from __future__ import annotations

from pathlib import Path

from fitting_room.facade import FittingRoom
from tests.conftest import DEMO_ITEMS
from tests.ui.app.conftest import NewPage, OpenPage, act, cards, go_to, headings


def _about() -> None:
    from fitting_room.ui.pages import about

    about.page()


def test_about_describes_the_index(open_page: OpenPage, demo_fitting_room: FittingRoom) -> None:
    page = open_page(_about)
    assert not page.exception
    text = " ".join([h.value for h in page.get("html")] + [m.value for m in page.markdown])
    assert str(DEMO_ITEMS) in text
    assert "EfficientNet" in text
    assert "1,280" in text
    assert "Trained elsewhere" in text
    rows = page.table[-1].value
    assert str(DEMO_ITEMS) in rows["Number"].tolist()
    page.button[0].click().run()
    assert not page.exception
    assert any("There are none" in m.value for m in page.markdown)


def test_about_says_what_was_learned(open_page: OpenPage, headed_fitting_room: FittingRoom) -> None:
    page = open_page(_about, index=headed_fitting_room.index.folder)
    assert not page.exception
    assert any("articleType" in m.value and "Trained" in m.value for m in page.markdown)


def test_about_lists_failures_and_look_alikes(new_page: NewPage, with_copies: Path) -> None:
    (with_copies / "images" / "90.jpg").write_bytes(b"no picture")
    page = new_page(catalogue=with_copies, index=with_copies / "index")
    go_to(page, "about")
    tables = [table.value.to_string() for table in page.table]
    assert any("not a picture in a format" in table and "90" in table for table in tables)
    next(b for b in page.button if b.label == "Find look-alikes").click().run()
    assert not page.exception
    assert any(m.value.startswith("1 groups of 3 items") for m in page.markdown)
    assert {card["id"] for card in cards(page)} == {"10724", "70", "80"}
    act(page, "take", "70")
    assert any("Garment 70" in code.value for code in page.code)
    act(page, "more", "70")
    assert not page.exception
    assert headings(page) == ["Most like this"]
