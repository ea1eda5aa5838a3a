from __future__ import annotations

import pandas as pd
import pytest

from fitting_room.catalogue.matching import (
    ADDITIONS,
    INSIDE,
    NAMED,
    NUMBERED,
    Choice,
    ColumnError,
    choose_columns,
    column_named,
)
from fitting_room.catalogue.picture_names import PictureNames
from fitting_room.catalogue.reading_options import ReadingOptions

N = range(1163, 1169)


def choose(
    columns: dict[str, list[str | None]], pictures: list[str], **options: str
) -> Choice | None:
    cells = pd.DataFrame(columns, dtype="str")
    return choose_columns(cells, PictureNames(pictures), ReadingOptions(**options))


def chosen(choice: Choice | None) -> tuple[str, str, str | None]:
    assert choice is not None
    return choice.pictures, choice.way, choice.ids


PICTURES = [f"images/{n}.jpg" for n in N]
IDS = [str(n) for n in N]


@pytest.mark.parametrize(
    "column",
    ["id", "ID", "article_id", "Variant SKU", "Handle", "asin", "code", "Artikelnummer", "x"],
)
def test_a_column_of_ids_is_found_whatever_it_is_called(column: str) -> None:
    columns = {"name": [f"Shirt {n}" for n in N], column: IDS, "colour": ["red"] * 6}
    assert chosen(choose(columns, PICTURES)) == (column, NAMED, column)


@pytest.mark.parametrize(
    "column",
    ["file_name", "image", "filename", "filepath", "Images", "image_link", "Image Src", "x"],
)
@pytest.mark.parametrize("form", ["{}.jpg", "pictures/{}.png", "https://cdn.example/a/{}.jpg?v=1"])
def test_a_column_of_pictures_is_found_whatever_it_is_called(column: str, form: str) -> None:
    columns = {"sku": [f"A-{n}" for n in N], column: [form.format(n) for n in N]}
    assert chosen(choose(columns, PICTURES)) == (column, NAMED, "sku")


def test_what_names_files_counts_before_an_id_that_is_also_the_name_of_a_file() -> None:
    files = [f"{n}.jpg" for n in [*range(2, 7), 1]]
    columns = {"id": [str(n) for n in range(1, 7)], "image": files}
    choice = choose(columns, [f"{n}.jpg" for n in range(1, 7)])
    assert chosen(choice) == ("image", NAMED, "id")


def test_lost_zeros_and_gained_decimals_are_seen_through() -> None:
    pictures = [f"0{n}.jpg" for n in N]
    assert chosen(choose({"id": [f"{n}.0" for n in N]}, pictures)) == ("id", NUMBERED, "id")


def test_ids_that_pictures_names_begin_with_are_found() -> None:
    pictures = [f"{n}_{k}.jpg" for n in N for k in (1, 2)]
    assert chosen(choose({"id": IDS}, pictures)) == ("id", ADDITIONS, "id")


def test_ids_that_are_folders_are_found() -> None:
    pictures = [f"images/{n}/{k}.jpg" for n in N for k in ("front", "back")]
    assert chosen(choose({"id": IDS}, pictures)) == ("id", INSIDE, "id")


@pytest.mark.parametrize("column", ["size", "price", "year", "stock"])
def test_numbers_that_happen_to_be_names_of_pictures_are_not_taken_for_them(column: str) -> None:
    columns = {
        column: [str(36 + n % 3) for n in range(60)],
        "text": [f"shirt {n}" for n in range(60)],
    }
    assert choose(columns, [f"{n}.jpg" for n in range(36, 39)]) is None


def test_a_class_that_is_a_folder_is_no_id() -> None:
    columns = {"kind": ["dress", "shirt"] * 20, "text": [f"a {n}" for n in range(40)]}
    pictures = [f"{kind}/{n}.jpg" for kind in ("dress", "shirt") for n in range(20)]
    assert choose(columns, pictures) is None


def test_several_columns_of_pictures_are_all_used() -> None:
    columns = {"id": IDS, "front": [f"{n}.jpg" for n in N], "back": [f"{n}_b.jpg" for n in N]}
    choice = choose(columns, [*PICTURES, *(f"images/{n}_b.jpg" for n in N)])
    assert choice is not None
    assert {choice.pictures, *choice.others} == {"front", "back"}


def test_a_few_pictures_of_a_large_table_are_found() -> None:
    columns = {"article_id": [f"{n:07}" for n in range(50_000)]}
    choice = choose(columns, ["010/0012345.jpg"])
    assert chosen(choice) == ("article_id", NAMED, "article_id")


def test_the_user_has_the_last_word() -> None:
    columns = {"id": IDS, "photo": list(reversed(IDS)), "sku": [f"A{n}" for n in N]}
    choice = choose(columns, PICTURES, image_column="PHOTO", id_column="sku")
    assert chosen(choice) == ("photo", NAMED, "sku")


def test_a_column_that_is_not_there_is_refused_and_the_others_named() -> None:
    with pytest.raises(ColumnError, match="id, name"):
        choose({"id": IDS, "name": IDS}, PICTURES, image_column="photo")


def test_a_column_is_meant_whatever_the_case_unless_two_are() -> None:
    assert column_named(["Image Src", "x"], "image_src") == "Image Src"
    assert column_named(["A", "a"], "a") == "a"
    with pytest.raises(ColumnError):
        column_named(["Aa", "aA"], "aa")
