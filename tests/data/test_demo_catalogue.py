"""The bundled demo catalogue: its table says what is drawn, and the search finds what it says."""

from __future__ import annotations

import pandas as pd
import pytest
from PIL import Image

from fitting_room.facade import FittingRoom
from fitting_room.index.scoring import SimilarityOptions
from tests.conftest import DEMO, DEMO_ITEMS, SAMPLES

COLUMNS = [
    "id", "gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "year",
    "usage", "productDisplayName", "pattern", "cut",
]  # fmt: skip
#: The type that each sample shows.
SHOWN = {
    "black-boot": "Casual Shoes",
    "blue-tshirt": "Tshirts",
    "brown-handbag": "Handbags",
    "green-sweater": "Sweaters",
    "red-dress": "Dresses",
    "street-dress": "Dresses",
    "street-jacket": "Jackets",
    "white-sneaker": "Sports Shoes",
}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(DEMO / "styles.csv", dtype="str", keep_default_na=False)


def test_the_table_has_the_real_sets_columns_and_no_empty_cell(table: pd.DataFrame) -> None:
    assert list(table.columns) == COLUMNS
    assert (table != "").all(axis=None)
    assert table["id"].is_unique
    assert table["productDisplayName"].is_unique


def test_there_is_enough_of_everything(table: pd.DataFrame) -> None:
    assert len(table) == DEMO_ITEMS
    assert table["articleType"].nunique() >= 20
    assert {"Shorts", "Skirts", "Hat"} <= set(table["articleType"])
    assert table["pattern"].nunique() >= 8
    assert table["baseColour"].nunique() >= 14
    assert table["articleType"].value_counts().min() >= 10
    assert table["baseColour"].value_counts().min() >= 30
    assert set(table["gender"]) == {"Men", "Women", "Unisex", "Boys", "Girls"}


def test_a_name_says_what_the_row_says(table: pd.DataFrame) -> None:
    for row in table.to_dict("records"):
        assert f" {row['gender']} {row['baseColour']} " in row["productDisplayName"]


def test_every_design_comes_in_several_colours(table: pd.DataFrame) -> None:
    colours = table.groupby(["articleType", "cut", "pattern"])["baseColour"].nunique()
    assert colours.min() >= 3


def test_every_row_has_a_picture_of_the_same_size_and_nothing_else_lies_there(
    table: pd.DataFrame,
) -> None:
    paths = sorted((DEMO / "images").iterdir())
    assert [path.name for path in paths] == sorted(f"{item}.webp" for item in table["id"])
    for path in paths:
        with Image.open(path) as picture:
            picture.load()
            assert (picture.format, picture.mode, picture.size) == ("WEBP", "RGB", (300, 400))


def test_the_data_is_small_enough_to_install(table: pd.DataFrame) -> None:
    files = [path for path in DEMO.parent.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 6_000_000
    assert all(path.stat().st_size < 60_000 for path in SAMPLES.iterdir())


def test_the_same_design_is_found_in_another_colour(demo_fitting_room: FittingRoom) -> None:
    """With the item's own colour filtered away. Chance would find the type in 3 of 100. The head
    puts nearness of colour before sameness of design, so it is asked with and without."""
    items = demo_fitting_room.index.items
    colours = set(items["baseColour"])
    sample = items.sample(100, random_state=0)
    for trained, least_of_type, least_of_design in ((False, 90, 93), (True, 90, 60)):
        options = SimilarityOptions(trained=trained)
        of_type, of_design = [], []
        for row, item in sample.iterrows():
            where = {"baseColour": sorted(colours - {item["baseColour"]})}
            query = demo_fitting_room.index.features([row])
            matches = demo_fitting_room.search(query, 4, where, options=options)
            found = [match.attributes for match in matches]
            of_type.append(found[0]["articleType"] == item["articleType"])
            design = ("articleType", "cut", "pattern")
            of_design.append(any(all(f[c] == item[c] for c in design) for f in found))
        assert sum(of_type) >= least_of_type, (trained, sum(of_type))
        assert sum(of_design) >= least_of_design, (trained, sum(of_design))


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_a_sample_finds_its_own_type_first(demo_fitting_room: FittingRoom, name: str) -> None:
    (match,) = demo_fitting_room.search(SAMPLES / f"{name}.jpg", 1)
    assert match.attributes["articleType"] == SHOWN[name]


def test_every_sample_is_known() -> None:
    assert sorted(path.stem for path in SAMPLES.iterdir()) == sorted(SHOWN)
