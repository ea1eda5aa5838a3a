"""What is set on the map, and its address."""

from __future__ import annotations

import pytest

from fitting_room.ui.map.view import MapView, box_of

COLUMNS = {"kind": ("Shirts", "Shoes"), "season": ("Summer", "Winter")}


def test_an_address_brings_a_view_back() -> None:
    view = MapView(column="season")
    view.choose((10, 20, 3000, 65535), "Winter")
    view.page = 3
    address = view.params("kind")
    assert address == {
        "by": ["season"], "part": ["10,20,3000,65535"], "only": ["Winter"], "page": ["3"],
    }  # fmt: skip
    other = MapView(column="kind")
    other.read(address, COLUMNS)
    assert (other.column, other.part, other.only, other.page) == (
        "season", (10, 20, 3000, 65535), "Winter", 3,
    )  # fmt: skip


def test_the_usual_view_needs_no_words() -> None:
    assert MapView(column="kind").params("kind") == {}


@pytest.mark.parametrize(
    "address",
    [
        {"by": ["price"], "part": ["1,2,3"], "only": ["Shirts"], "page": ["x"]},
        {"part": ["9,9,1,1"], "page": ["-1"]},
        {"part": ["0,0,70000,5"], "only": [""], "page": ["99999"]},
        {"part": ["0,0,5,٣"], "page": ["٣"]},
        {"part": []},
    ],
)
def test_an_address_that_makes_no_sense_is_ignored(address: dict[str, list[str]]) -> None:
    view = MapView(column="kind")
    view.read(address, COLUMNS)
    assert (view.column, view.part, view.only, view.page) == ("kind", None, None, 1)


def test_a_value_of_another_column_is_not_shown_by_itself() -> None:
    view = MapView(column="kind")
    view.read({"part": ["0,0,5,5"], "only": ["Winter"]}, COLUMNS)
    assert view.part == (0, 0, 5, 5)
    assert view.only is None


def test_what_a_visitor_just_did_counts_more_than_the_address() -> None:
    view = MapView(column="kind")
    view.choose((0, 0, 9, 9))
    view.read({"part": ["1,1,2,2"]}, COLUMNS)
    assert view.part == (0, 0, 9, 9)
    view.acted, view.address = False, {"part": ["0,0,9,9"]}
    view.read({}, COLUMNS)  # the browser's back button
    assert view.part is None


def test_another_column_has_no_value_that_is_shown_by_itself() -> None:
    view = MapView(column="kind")
    view.choose((0, 0, 9, 9), "Shoes")
    view.colour_by("season")
    assert (view.part, view.only) == ((0, 0, 9, 9), None)


@pytest.mark.parametrize(
    "edges",
    [None, "0,0,1,1", [0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 1.5], [True, 0, 2, 2], [0, 0, 1, 65536]],
)
def test_a_box_has_four_edges_on_the_map(edges: object) -> None:
    assert box_of(edges) is None
