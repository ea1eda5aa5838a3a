"""Pictures to ask about and the answers expected, from files that anybody may have written."""

from __future__ import annotations

from pathlib import Path

import pytest

from fitting_room.catalogue.catalogue import CatalogueError
from fitting_room.catalogue.label_mapping import read_mapping
from fitting_room.catalogue.photograph_colours import PhotographColours
from fitting_room.evaluation import queries
from fitting_room.evaluation.queries import QueriesError, load_queries
from tests.conftest import mapping_file, picture_bytes, street, write_table


def test_a_mapping_that_does_not_fit_is_refused(tmp_path: Path, labelled_shop: Path) -> None:
    mapping = read_mapping(mapping_file(tmp_path, {"hat": ["Caps"]}))
    with pytest.raises(QueriesError, match="dress"):
        load_queries(street(tmp_path / "street", hat=[1], dress=[2]), mapping)
    with pytest.raises(QueriesError, match="folders named by their class"):
        load_queries(labelled_shop, mapping)


def test_colours_that_do_not_fit_are_refused(tmp_path: Path, labelled_shop: Path) -> None:
    mapping = read_mapping(mapping_file(tmp_path, {"hat": ["Caps"]}))
    folder = street(tmp_path / "street", hat=[1, 2])
    colours = PhotographColours(Path("c.json"), "baseColour", {"hat/2.png": frozenset({"Red"})})
    assert load_queries(folder, mapping, colours).words == [frozenset(), {"Red"}]
    others = PhotographColours(Path("c.json"), "baseColour", {"hat/3.png": frozenset({"Red"})})
    with pytest.raises(QueriesError, match=r"c\.json: says nothing of any picture.*'hat/3\.png'"):
        load_queries(folder, mapping, others)
    with pytest.raises(QueriesError, match="go with a mapping"):
        load_queries(labelled_shop, colours=colours)


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
    labelled_shop: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "secret.png").write_bytes(picture_bytes("red", kind="PNG"))
    (labelled_shop / "out").symlink_to(tmp_path)
    with pytest.raises(QueriesError, match=r"row 1 below.*leads out"):
        load_queries(write_table(labelled_shop, f"picture,gender\n{name},Women\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture,gender\n", "no pictures"),
        ("picture\nimages/7.png\n", "no expected labels"),
        ("picture,id\nimages/7.png,a\n", "reserved"),
        ("picture,gender\nimages/7.png\n", "row 1 below the header: too few"),
        ("picture,gender\nimages/7.png,a\nimages/7.png,a,b\n", "row 2 below the header: too many"),
        ("picture,name\nimages/7.png,a,b\n", "row 1 below the header: unquoted"),
        ('picture,name\nimages/7.png,"a\n', "row 1 below the header: a quote"),
        ("picture,gender\nstyles.csv,a\n", "no picture's name"),
        (b"picture,gender\n\xff\xfe,a\n", "row 1 below"),
        ("picture,gender," + "x" * 200_000 + "\n", "no pictures"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(
    labelled_shop: Path, text: str | bytes, message: str
) -> None:
    with pytest.raises(QueriesError, match=message) as refused:
        load_queries(write_table(labelled_shop, text))
    assert "queries.csv" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("picture,gender,gender\nimages/7.png,a,b\n", "`gender` occurs twice"),
        ("gender,image file\nWomen,pictures/none.png\n", "none of its rows finds a picture"),
    ],
)
def test_another_table_is_read_as_a_catalogue(labelled_shop: Path, text: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message) as refused:
        load_queries(write_table(labelled_shop, text))
    assert "queries.csv" in str(refused.value)


def test_large_tables_are_refused(labelled_shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_table(labelled_shop, "picture,gender\n" + "images/7.png,Women\n" * 20)
    monkeypatch.setattr(queries, "MAX_TABLE_ROWS", 19)
    with pytest.raises(QueriesError, match="more than 19 rows"):
        load_queries(table)
    monkeypatch.setattr(queries, "MAX_TABLE_BYTES", 100)
    with pytest.raises(QueriesError, match="larger than"):
        load_queries(table)


def test_no_queries_at_all(tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere", tmp_path / "nowhere.csv"):
        with pytest.raises(CatalogueError):
            load_queries(place)
