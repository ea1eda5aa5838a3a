"""The dialogs of a card, and the matches as files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from fitting_room.embedding.engine import EngineError
from fitting_room.facade import FittingRoom
from fitting_room.ui.query.history import query_of_items
from fitting_room.ui.query.session import QueryPicture
from fitting_room.ui.query.subjects import ResolvedQuery
from fitting_room.ui.results import explain_dialog, share_dialog
from tests.conftest import SAMPLES, picture_bytes
from tests.ui.app.conftest import NewPage, act, ids, upload

ITEM = "10724"


def test_an_explanation_shows_where_the_similarity_lies(
    page: AppTest, demo_fitting_room: FittingRoom
) -> None:
    upload(page, (SAMPLES / "red-dress.jpg").read_bytes())
    act(page, "why", ids(page)[0])
    assert not page.exception
    figures = next(h.value for h in page.get("html") if 'class="fr-why"' in h.value)
    assert figures.count("<img") == 2
    assert "What looks most alike is in the" in figures
    assert "Your picture: " in figures
    html = " ".join(h.value for h in page.get("html"))
    assert "Yellow: what looks most alike" in html
    sentence = html.split('class="fr-why-sentence">')[1].split("<")[0]
    assert "shape" in sentence
    assert "colours" in sentence
    assert "%" not in sentence
    assert not any("network" in caption.value for caption in page.caption[:-1])


def test_an_explanation_of_two_items_compares_their_columns(
    page: AppTest, demo_fitting_room: FittingRoom
) -> None:
    act(page, "more", ITEM)
    other = ids(page)[0]
    act(page, "why", other)
    sentence = next(h.value for h in page.get("html") if 'class="fr-why-sentence"' in h.value)
    one, two = (demo_fitting_room.item(item).attributes for item in (ITEM, other))
    same = {
        "articleType": f"ame type ({one['articleType']})",
        "baseColour": f"ame {one['baseColour'].lower()}",
    }
    for column, word in (("articleType", "type"), ("baseColour", "colour")):
        if one[column] == two[column]:
            assert same[column] in sentence
        else:
            assert f"nother {word} ({one[column]} and {two[column]})" in sentence


def test_a_card_is_saved_or_shared(page: AppTest, demo_fitting_room: FittingRoom) -> None:
    act(page, "more", ITEM)
    other = ids(page)[0]
    act(page, "take", other)
    assert not page.exception
    codes = [code.value for code in page.code]
    assert demo_fitting_room.item(other).name in codes
    assert any(code.endswith(f"?item={other}") for code in codes)
    labels = [button.proto.label for button in page.get("download_button")]
    assert labels == ["Matches as csv", "Contact sheet", "Save the picture"]


def test_an_explanation_that_is_not_possible_says_why(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise EngineError("This network has no feature maps.")

    monkeypatch.setattr(explain_dialog, "explain", fail)
    upload(page, (SAMPLES / "red-dress.jpg").read_bytes())
    act(page, "why", ids(page)[0])
    assert any("has no feature maps" in info.value.replace("\\", "") for info in page.info)


def test_a_lost_picture_is_not_saved(new_page: NewPage, with_copies: Path) -> None:
    page = new_page(catalogue=with_copies, index=with_copies / "index")
    (with_copies / "images" / "70.jpg").unlink()
    act(page, "take", "70")
    assert not page.exception
    assert not page.get("download_button")
    assert any("cannot be read" in info.value for info in page.info)


def test_matches_are_saved_as_files(
    demo_fitting_room: FittingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {}
    monkeypatch.setattr(st, "download_button", lambda label, data, **_: files.update({label: data}))
    monkeypatch.setattr(
        share_dialog.resources, "thumbnails", lambda images: [picture_bytes("blue") for _ in images]
    )
    features = demo_fitting_room.describe([picture_bytes("red")])
    picture = QueryPicture("mine.jpg", b"no picture", features[0])
    resolved = ResolvedQuery(query_of_items(["1"]), (picture,))
    matches = demo_fitting_room.search(features[0], 5)
    share_dialog.offer(demo_fitting_room, resolved, matches, ["Alike"] * 5, "0")
    assert matches[4].id in files["Matches as csv"]().decode("utf-8-sig")
    with Image.open(BytesIO(files["Contact sheet"]())) as sheet:
        assert sheet.width > 1_000
