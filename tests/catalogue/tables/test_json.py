"""JSON as shops and data sets write it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.tables import TableError, json_rows
from tests.catalogue.tables.conftest import cells, header_of, read


def test_a_line_is_a_row_and_numbers_stay_the_text_they_were() -> None:
    lines = (
        '{"file_name": "1.jpg", "price": 19.90, "year": 2011, "new": true}\n\n'
        '{"file_name": "2.jpg", "size": "007", "price": 1163.0, "year": null}\n'
    )
    assert cells(read(lines, "metadata.jsonl")) == [
        {"file_name": "1.jpg", "price": "19.90", "year": "2011", "new": "true", "size": None},
        {"file_name": "2.jpg", "price": "1163.0", "year": None, "new": None, "size": "007"},
    ]
    assert header_of(lines, "metadata.jsonl") == ["file_name", "price", "year", "new"]


def test_a_line_that_is_no_object_is_named() -> None:
    table = read('{"id": "1"}\n{"id": \n[2]\n{"id": "3"}\n', "a.jsonl")
    assert table.unusable == {"no JSON object": [1, 2]}
    assert [row["id"] for row in cells(table)] == ["1", '{"id":', "[2]", "3"]


@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_of_objects_is_a_table(indent: int | None) -> None:
    rows = [{"item": "a", "description": ["a dress", "red"]}, {"item": "b", "size": {"w": 1}}]
    assert cells(read(json.dumps(rows, indent=indent), "list.json")) == [
        {"item": "a", "description": "a dress, red", "size.w": None},
        {"item": "b", "description": None, "size.w": "1"},
    ]


def test_an_object_that_holds_one_list_of_objects_is_a_table() -> None:
    rows = {"products": [{"id": 1, "variants": [{"sku": "a"}, {"sku": "b"}]}], "page": 1}
    for indent in (None, 2):
        assert cells(read(json.dumps(rows, indent=indent), "products.json")) == [
            {"id": "1", "variants.sku": "a, b"}
        ]


def test_values_in_several_languages_are_read_in_english() -> None:
    row = {
        "item_id": "B00",
        "item_name": [
            {"language_tag": "de_DE", "value": "Schuh"},
            {"language_tag": "en_IN", "value": "Shoe"},
            {"language_tag": "en_US", "value": "Shoe"},
        ],
        "product_type": [{"value": "SHOES"}],
        "color": [{"language_tag": "de_DE", "value": "rot"}],
        "weight": {"value": 1.50, "unit": "kg"},
    }
    assert cells(read(json.dumps(row) + "\n" + json.dumps(row), "listings_0.json"))[0] == {
        "item_id": "B00", "item_name": "Shoe", "product_type": "SHOES", "color": "rot",
        "weight": "1.5",
    }  # fmt: skip


def test_coco_gives_a_row_for_each_picture_with_its_categories() -> None:
    data = {
        "images": [{"id": 7, "file_name": "7.jpg"}, {"id": 8, "file_name": "8.jpg"}],
        "annotations": [
            {"image_id": 7, "category_id": 1, "attribute_ids": [5, 6]},
            {"image_id": 7, "category_id": 2},
            {"image_id": 7, "category_id": 1},
        ],
        "categories": [{"id": 1, "name": "dress"}, {"id": 2, "name": "shoe"}],
        "attributes": [{"id": 5, "name": "long"}, {"id": 6, "name": "plain"}],
    }
    for indent in (None, 1):
        assert cells(read(json.dumps(data, indent=indent), "instances.json")) == [
            {"id": "7", "file_name": "7.jpg", "categories": "dress, shoe",
             "attributes": "long, plain"},
            {"id": "8", "file_name": "8.jpg", "categories": None, "attributes": None},
        ]  # fmt: skip


def test_of_many_keys_the_first_that_hold_anything_are_kept() -> None:
    rows = [{f"k{row}_{i}": "" if i % 2 else i for i in range(100)} for row in range(30)]
    table = read("\n".join(map(json.dumps, rows)), "a.jsonl")
    assert len(table.cells.columns) == 200
    assert table.cells.columns[1] == "k0_2"
    assert table.notes == ("2,800 columns left out: empty, or more than 200",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no list of objects"),
        ("[1, 2]", "no list of objects"),
        ('{"a": 1,\n "b": {"c": 2}}', "no list of objects"),
        ("{}", "no list of objects"),
        ('[{"a": 1},\n {"b": ', "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ('{"a": ' * 100_000, "cannot be read"),
        ("hello", "cannot be read"),
    ],
)
def test_json_that_is_no_table_is_refused(text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read(text, "a.json")


def test_a_document_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "MAX_DOCUMENT", 1000)
    with pytest.raises(TableError, match="JSON lines"):
        read(json.dumps([{"id": row} for row in range(100)]), "a.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "language_tag", "id", " a", "é"]), inner)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(["id", "images", "file_name", "value", " id ", "", "\ud800"])


@settings(max_examples=200)
@given(rows=st.lists(st.dictionaries(KEYS, JSON, max_size=4) | JSON, max_size=5), data=st.data())
def test_any_json_gives_a_table_or_is_refused(rows: list[object], data: st.DataObject) -> None:
    lines = "\n".join(map(json.dumps, rows))
    for text in (lines, json.dumps(rows), json.dumps({"images": rows}, indent=1)):
        content = bytearray(text.encode())
        if content and data.draw(st.booleans()):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        for use in (read, header_of):
            try:
                use(bytes(content), "a.json")
            except TableError as error:
                str(error).encode()
