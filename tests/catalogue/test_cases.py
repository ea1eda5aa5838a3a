"""Catalogues as people have them, each with what a user expects of it.

Small copies lie in ``../shared/cases/catalogues``; where such a folder is not there, a test is
skipped. What other catalogues of these kinds look like is tested beside the module that reads them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from fitting_room.catalogue.catalogue import Catalogue, CatalogueError, load_catalogue
from tests.catalogue.conftest import check_invariants
from tests.conftest import PROJECT

CASES = PROJECT.parent / "shared" / "cases" / "catalogues"


def case(name: str) -> Path:
    found = sorted(CASES.glob(f"{name}-*"))
    if not found:
        pytest.skip(f"the cases are not at {CASES}")
    return found[0]


def load(name: str, inside: str = ".") -> Catalogue:
    catalogue = load_catalogue(case(name) / inside)
    check_invariants(catalogue)
    return catalogue


def linked(name: str, to: Path) -> Path:
    """A copy of a case with the links that its LINKS.txt names."""
    shutil.copytree(case(name), to)
    for line in (to / "LINKS.txt").read_text().splitlines():
        link, _, target = line.partition(" -> ")
        (to / link).parent.mkdir(parents=True, exist_ok=True)
        (to / link).symlink_to(target)
    return to


def items_of(catalogue: Catalogue) -> pd.DataFrame:
    return catalogue.items.drop_duplicates("id").set_index("id")


def pictures_of(catalogue: Catalogue) -> dict[str, list[str]]:
    return catalogue.items.groupby("id", sort=False)["image"].agg(list).to_dict()


NUMBERS = ["1163", "1164", "1165", "1166", "1167", "1168"]
ARTICLES = [f"010877501{n}" for n in range(5, 10)] + ["0108775020"]


@pytest.mark.parametrize(
    ("name", "inside", "ids", "column", "first"),
    [
        ("01", ".", NUMBERS, "colour", "red"),
        ("02", ".", ARTICLES, "prod_name", "Strap top"),
        ("03", ".", ["1", "2", "3", "4", "5", "6"], "text", "a drawing of a dress 0"),
        ("04", ".", [f"{n:04}" for n in range(6)], "text", "a red shirt 0"),
        ("06", ".", NUMBERS, "name", "Shirt 1163"),
        ("09", ".", [f"B{n:02}" for n in range(6)], "item_name", "Shoe 0"),
        ("10", ".", [f"{n:09}" for n in range(6)], "caption", "shirt 0"),
        ("14", ".", [f"{n}.jpg" for n in NUMBERS], "name", "Shirt 1163"),
        ("15", ".", [str(n) for n in range(212734, 212740)], "caption", "shirt 0"),
        ("17", ".", ARTICLES, "prod_name", "Strap top"),
        ("21", ".", [a.lstrip("0") for a in ARTICLES], "name", "Strap top 0"),
        ("23", ".", [f"AB-{n}" for n in NUMBERS], "Name", "Shirt 1163"),
        ("24", ".", [f"0{n}" for n in NUMBERS], "name", "Shirt 1163"),
        ("30", ".", NUMBERS, "size (S; M; L; XL)", "S; M"),
        ("32", ".", NUMBERS, "colour", "red"),
        ("33", ".", NUMBERS, "name", 'A 5" heel, shiny 1163'),
        ("35", ".", NUMBERS, "name", "Shirt 1163"),
        ("41", "00000.tar", [f"{n:09}" for n in range(6)], "caption", "shirt 0"),
        ("43", "train.parquet", NUMBERS, "productDisplayName", None),
        ("44", "data", NUMBERS, "productDisplayName", None),
        ("44", ".", NUMBERS, "productDisplayName", None),
        ("46", "archive.zip", NUMBERS, "name", "Shirt 1163"),
        ("51", ".", [f"dress/{n}" for n in NUMBERS[:3]] + [f"shirt/{n}" for n in NUMBERS[3:]],
         "class", "dress"),
        ("55", "shop.zip", NUMBERS, "name", "Shirt 1163"),
        ("57", "shop.zip", [f"dress/{n}" for n in NUMBERS], "class", "dress"),
        ("62", ".", NUMBERS, "colour", "红色"),
    ],
)  # fmt: skip
def test_a_catalogue_is_read_as_its_user_means_it(
    name: str, inside: str, ids: list[str], column: str, first: str | None
) -> None:
    catalogue = load(name, inside)
    items = items_of(catalogue)
    assert sorted(items.index) == sorted(ids)
    assert items[column].notna().all()
    if first is not None:
        assert items[column].iloc[0] == first
    assert catalogue.report.unlisted == 0


def test_shopifys_rows_of_one_handle_are_one_item_with_all_its_pictures() -> None:
    catalogue = load("07")
    assert pictures_of(catalogue) == {
        f"shirt-{n}": [f"images/{n}.jpg", f"images/{n}-back.jpg"] for n in NUMBERS
    }
    items = items_of(catalogue)
    assert items["Title"].tolist() == [f"Shirt {n}" for n in NUMBERS]
    assert set(items["Type"]) == {"Shirts"}
    assert catalogue.report.merged and not catalogue.report.dropped


def test_a_table_that_is_given_itself_is_read_with_the_pictures_beside_it() -> None:
    catalogue = load("40", "products_export.csv")
    assert pictures_of(catalogue) == {f"shirt-{n}": [f"images/{n}.jpg"] for n in NUMBERS}


def test_woocommerces_lists_of_pictures_are_the_items_pictures() -> None:
    catalogue = load("19")
    assert list(pictures_of(catalogue).values()) == [
        [f"images/{n}.jpg", f"images/{n}-2.jpg"] for n in NUMBERS
    ]
    assert items_of(catalogue)["Name"].tolist() == [f"Shirt {n}" for n in NUMBERS]


def test_folders_of_deepfashion_give_items_classes_and_groups() -> None:
    catalogue = load("12")
    items = items_of(catalogue)
    assert set(zip(items["class"], items["group"], strict=True)) == {
        ("Dresses", "WOMEN"), ("Denim", "MEN"),
    }  # fmt: skip
    assert {len(of) for of in pictures_of(catalogue).values()} == {2}
    assert items.loc["img/WOMEN/Dresses/id_00000002", "color"] == "Red"


def test_categories_of_coco_are_attributes() -> None:
    catalogue = load("11")
    assert len(items_of(catalogue)) == 6
    assert len(catalogue.attributes) >= 1, catalogue.report.in_words()


def test_pictures_of_one_name_in_several_folders_are_different_pictures() -> None:
    assert pictures_of(load("25")) == {
        n: [f"images/back/{n}.jpg", f"images/front/{n}.jpg"] for n in NUMBERS
    }


def test_numbered_pictures_of_a_product_are_its_pictures() -> None:
    assert pictures_of(load("26")) == {
        n: [f"images/{n}_{k}.jpg" for k in (1, 2, 3)] for n in NUMBERS
    }


def test_of_one_picture_in_three_formats_one_is_kept_and_the_others_named() -> None:
    catalogue = load("28")
    assert pictures_of(catalogue) == {n: [f"images/{n}.jpg"] for n in NUMBERS}
    assert sum(catalogue.report.passed_over.values()) == 6


def test_a_long_description_costs_nothing() -> None:
    items = items_of(load("29"))
    assert items["Title"].tolist() == [f"Shirt {n}" for n in NUMBERS]
    assert items["Body (HTML)"].iloc[1].count("<li>") > 20
    assert set(items["Vendor"]) == {"Acme"}


def test_a_column_that_is_named_twice_is_refused_by_name() -> None:
    with pytest.raises(CatalogueError, match="`name` occurs twice"):
        load("37")


def test_a_wide_table_is_read() -> None:
    catalogue = load("38")
    assert len(items_of(catalogue)) == 6
    assert "columns" in catalogue.report.in_words()


def test_a_list_of_addresses_names_the_command_that_downloads_them() -> None:
    with pytest.raises(CatalogueError, match=r"fitting-room fetch \S*urls\.csv --to"):
        load("39", "urls.csv")


def test_a_broken_spreadsheet_is_called_a_spreadsheet() -> None:
    with pytest.raises(CatalogueError, match="spreadsheet"):
        load("45", "products.xlsx")


def test_pictures_behind_links_that_lead_out_are_named(tmp_path: Path) -> None:
    shop = linked("47", tmp_path / "case") / "shop"
    with pytest.raises(CatalogueError, match="links that lead out"):
        load_catalogue(shop)


def test_a_snapshot_of_a_hub_is_read_through_its_links(tmp_path: Path) -> None:
    folder = linked("49", tmp_path / "case") / "datasets--me--shop" / "snapshots" / "42f548f3"
    assert sorted(items_of(load_catalogue(folder)).index) == NUMBERS


def test_pictures_that_are_links_out_are_counted_beside_the_others(tmp_path: Path) -> None:
    catalogue = load_catalogue(linked("50", tmp_path / "case") / "shop")
    assert len(catalogue) == 3
    assert sum(catalogue.report.passed_over.values()) == 3
    assert "dress/1164.jpg" in catalogue.report.in_words()


def test_names_with_colons_are_names() -> None:
    assert len(items_of(load("53"))) == 6


def test_accents_find_each_other_however_they_are_composed() -> None:
    catalogue = load("58")
    assert len(items_of(catalogue)) == 6 and not catalogue.report.dropped


def test_names_in_an_old_encoding_of_a_zip_are_read() -> None:
    assert set(items_of(load("60", "shop.zip"))["class"]) == {"连衣裙", "衬衫", "鞋"}


def test_a_share_of_the_pictures_is_no_class() -> None:
    catalogue = load("64")
    assert "class" not in catalogue.attributes
    assert catalogue.attributes == ["prod_name", "product_type_name"]


@pytest.mark.parametrize("columns", [["id", "image"]])
def test_without_any_table_a_share_is_no_class_either(columns: list[str], tmp_path: Path) -> None:
    shutil.copytree(case("64"), tmp_path / "shop")
    (tmp_path / "shop" / "articles.csv").unlink()
    assert load_catalogue(tmp_path / "shop").attributes == []
