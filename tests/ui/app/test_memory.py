"""What the browser keeps of a visit, given back to a server that does not know it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from fitting_room.ui.query.memory import _params, _picture
from tests.conftest import SAMPLES, picture_bytes
from tests.ui.app.conftest import NewPage, act, data_of, headings, ids, send, session_of, upload

RED_DRESS = (SAMPLES / "red-dress.jpg").read_bytes()


def kept_by_the_browser(page: AppTest) -> dict[str, Any]:
    """What the component of that page would have put aside."""
    data = data_of(page, "memory")
    pictures = [
        {
            "id": name,
            "name": picture.name,
            "src": "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode(),
        }
        for name, picture in session_of(page).pictures.items()
    ]
    return {"trail": data["trail"], "position": data["position"], "pictures": pictures}


def another(new_page: NewPage, address: dict[str, list[str]]) -> AppTest:
    """A new session of the same visitor, at that address."""
    page = new_page()
    for name, values in address.items():
        page.query_params[name] = values
    return page.run()


def address_of(page: AppTest) -> dict[str, list[str]]:
    values = page.query_params.items()
    return {name: [value] if isinstance(value, str) else value for name, value in values}


def test_picture_and_trail_come_back(page: AppTest, new_page: NewPage) -> None:
    upload(page, RED_DRESS, name="mine.jpg")
    act(page, "more", ids(page)[3])
    send(page, "trail", "go", 0)
    first, kept, address = ids(page), kept_by_the_browser(page), address_of(page)
    assert "picture" in address
    again = another(new_page, address)
    assert "Links cannot carry your picture" in again.warning[0].value
    assert headings(again) == ["A glance at the catalogue"]
    send(again, "memory", "back", kept)
    assert not again.exception
    assert headings(again) == ["Most like your picture"]
    assert not again.warning
    assert ids(again)[:3] == first[:3]  # a working copy, so the last ones may differ
    assert data_of(again, "memory")["trail"] == kept["trail"]
    assert address_of(again) == address
    # It gives them back once: what the visitor does here is not undone.
    act(again, "more", ids(again)[0])
    here = ids(again)
    send(again, "memory", "back", kept)
    assert ids(again) == here


def test_the_address_says_where_the_visitor_is(page: AppTest, new_page: NewPage) -> None:
    upload(page, RED_DRESS)
    item = ids(page)[3]
    act(page, "more", item)
    kept = kept_by_the_browser(page)
    again = another(new_page, {"item": [item]})
    send(again, "memory", "back", kept)
    assert headings(again) == ["Most like this"]
    send(again, "trail", "go", 0)
    assert headings(again) == ["Most like your picture"]


def test_what_is_done_before_it_comes_back_stays(page: AppTest, new_page: NewPage) -> None:
    upload(page, RED_DRESS)
    kept = kept_by_the_browser(page)
    again = another(new_page, {})
    upload(again, picture_bytes("green"))
    here = ids(again)
    send(again, "memory", "back", kept)
    assert ids(again) == here
    assert len(session_of(again).history.trail) == 2


@pytest.mark.parametrize(
    "message",
    [
        None,
        "text",
        [],
        {},
        {"trail": "x", "pictures": 3, "position": "y"},
        {"trail": [None, 3, {"item": "10724"}, {"item": [5]}], "position": 10**9},
        {"trail": [{"item": ["nothing"]}], "pictures": [{"id": "../..", "name": 1, "src": ""}]},
        {"trail": [{"picture": ["a" * 12]}], "position": True,
         "pictures": [{"id": "a" * 12, "name": "n", "src": "data:image/jpeg;base64,bm8="}]},
    ],
)  # fmt: skip
def test_a_strange_message_harms_nothing(page: AppTest, message: object) -> None:
    send(page, "memory", "back", message)
    assert not page.exception
    assert headings(page)[0]
    page.run()
    assert not page.exception


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@hypothesis_settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(JSON)
def test_whatever_a_browser_sends_is_read_or_passed_over(value: object) -> None:
    assert all(isinstance(v, str) for values in _params(value).values() for v in values)
    assert _picture(value) is None
