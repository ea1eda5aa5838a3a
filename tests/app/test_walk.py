"""Walking from card to card, and what the address says of it."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from fitting_room.room import FittingRoom
from tests.app.conftest import act, headings, ids, upload
from tests.conftest import SAMPLES

RED_DRESS = (SAMPLES / "red-dress.jpg").read_bytes()


def test_more_like_this_makes_an_item_the_query(page: AppTest, demo_room: FittingRoom):
    upload(page, RED_DRESS)
    item = ids(page)[2]
    act(page, "more", item)
    assert not page.exception
    assert headings(page) == ["Most like this"]
    assert page.query_params == {"item": item}
    row = demo_room.row(item)
    (features,) = demo_room.index.features([row])
    expected = demo_room.search(features, 12, fold=True, without=[item])
    assert ids(page) == [match.id for match in expected]
    assert item not in ids(page)
