"""A mapping of classes to labels, from files that anybody may have written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitting_room.catalogue.label_mapping import LabelMappingError, read_mapping
from tests.conftest import mapping_file


def test_a_mapping_gives_the_values_that_answer_each_class(tmp_path: Path) -> None:
    path = mapping_file(tmp_path, {"hat": ["Caps", "Hat"], "dress": ["Dresses"]})
    mapping = read_mapping(path, "kind")
    assert (mapping.location, mapping.column) == (path, "kind")
    assert mapping.values == {"hat": {"Caps", "Hat"}, "dress": {"Dresses"}}


def test_a_mapping_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelMappingError, match="nowhere"):
        read_mapping(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"\xff\xfe",
        b'{"hat": []}',
        b'{"hat": [1]}',
        b'{"hat": {"Caps": 1}}',
        b"3",
        b'{"hat": "Caps"}',
        b"[" * 100_000,
        b'{"hat": ["' + b"x" * 2**20 + b'"]}',
    ],
    ids=lambda content: content[:12].decode("latin-1"),
)
def test_a_mapping_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mapping.json"
    path.write_bytes(content)
    with pytest.raises(LabelMappingError, match=r"mapping\.json.*t-shirt"):
        read_mapping(path)


@given(content=st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_file_is_a_mapping_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mapping.json"
    path.write_bytes(content)
    try:
        mapping = read_mapping(path)
    except LabelMappingError as error:
        assert str(path) in str(error)
    else:
        assert all(mapping.values.values())
