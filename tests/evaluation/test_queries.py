"""Pictures to ask about and the answers expected, from files that anybody may have written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fitting_room.catalogue.catalogue import CatalogueError
from fitting_room.evaluation import queries
from fitting_room.evaluation.queries import QueriesError, load_queries, read_mapping
from tests.conftest import mapping_file, picture_bytes, street, write_table


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
    with pytest.raises(QueriesError, match=r"mapping\.json.*t-shirt"):
        read_mapping(path)


def test_a_mapping_that_does_not_fit_is_refused(tmp_path: Path, goods: Path) -> None:
    with pytest.raises(QueriesError, match="nowhere"):
        read_mapping(tmp_path / "nowhere.json")
    mapping = read_mapping(mapping_file(tmp_path, {"hat": ["Caps"]}))
    with pytest.raises(QueriesError, match="dress"):
        load_queries(street(tmp_path / "street", hat=[1], dress=[2]), mapping)
    with pytest.raises(QueriesError, match="folders named by their class"):
        load_queries(goods, mapping)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_file_is_a_mapping_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mapping.json"
    path.write_bytes(content)
    try:
        mapping = read_mapping(path)
    except QueriesError as error:
        assert str(path) in str(error)
    else:
        assert all(mapping.values.values())


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "images/../../secret.png",
        "/etc/passwd.png",
        "C:/secret.png",
        "..\\\\secret.png",
        "out/secret.png",
        "images//7.png",
        "nul\0.png",
    ],
)
def test_a_picture_outside_the_folder_of_the_table_is_refused(
    goods: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "secret.png").write_bytes(picture_bytes("red", kind="PNG"))
    (goods / "out").symlink_to(tmp_path)
    with pytest.raises(QueriesError, match=r"line 2.*leads out"):
        load_queries(write_table(goods, f"picture,gender\n{name},Women\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no pictures"),
        ("picture,gender\n", "no pictures"),
        ("gender,picture\nWomen,images/7.png\n", "first line"),
        ("picture\nimages/7.png\n", "no expected labels"),
        ("picture,gender,gender\nimages/7.png,a,b\n", "different"),
        ("picture,\nimages/7.png,a\n", "different"),
        ("picture," + ",".join(f"c{i}" for i in range(300)) + "\n", "up to 200"),
        ("picture,id\nimages/7.png,a\n", "reserved"),
        ("picture,gender\nimages/7.png\n", "line 2: 1 cells where 2"),
        ("picture,gender\nimages/7.png,a,b\n", "line 2: 3 cells"),
        ("picture,gender\nstyles.csv,a\n", "no picture's name"),
        (b"picture,gender\n\xff\xfe,a\n", "UTF-8"),
        ("picture,gender\nimages/7.png," + "x" * 200_000 + "\n", "field larger"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(goods: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(QueriesError, match=said) as refused:
        load_queries(write_table(goods, text))
    assert "queries.csv" in str(refused.value)


def test_large_tables_are_refused(goods: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_table(goods, "picture,gender\n" + "images/7.png,Women\n" * 20)
    monkeypatch.setattr(queries, "MAX_TABLE_ROWS", 19)
    with pytest.raises(QueriesError, match="more than 19 rows"):
        load_queries(table)
    monkeypatch.setattr(queries, "MAX_TABLE_BYTES", 100)
    with pytest.raises(QueriesError, match="larger than"):
        load_queries(table)


def test_no_queries_at_all(tmp_path: Path, goods: Path) -> None:
    for place in (tmp_path / "nowhere", tmp_path / "nowhere.csv", goods / "styles.csv"):
        with pytest.raises(CatalogueError):
            load_queries(place)
