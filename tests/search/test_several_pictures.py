"""Items with several pictures, as a search answers them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from fitting_room.cli import searching
from fitting_room.facade import FittingRoom
from fitting_room.index.description import describe_index
from fitting_room.index.filters import Named
from fitting_room.index.scoring import SimilarityOptions
from fitting_room.search import duplicates
from fitting_room.search.explanation import _best_row
from fitting_room.search.export import matches_csv
from fitting_room.search.searcher import MOST_PICTURES
from tests.conftest import fitting_room_of, picture_bytes, shade, write_items


@pytest.fixture(scope="module")
def fitting_room(tmp_path_factory: pytest.TempPathFactory) -> FittingRoom:
    """Twelve pictures of six items: 1, 3 and 5 are red, 7, 9 and 11 blue."""
    return fitting_room_of(write_items(tmp_path_factory.mktemp("several") / "shop"), 2)


def red() -> bytes:
    """The picture of the second row of item 3."""
    return picture_bytes(shade(4), kind="PNG")


def test_an_item_is_answered_once_by_its_best_picture(fitting_room: FittingRoom) -> None:
    matches = fitting_room.search(red(), 12)
    assert len(matches) == 6
    best = matches[0]
    assert (best.id, best.image, best.pictures) == ("3", "images/4.png", ("images/3.png",))
    assert fitting_room.index.items["image"].iloc[best.row] == best.image
    assert best.path.endswith("4.png")
    assert best.same_picture
    assert not any(match.same_picture for match in matches[3:])
    assert {match.id for match in matches[:3]} == {"1", "3", "5"}


def test_items_left_out_are_left_out_with_all_their_pictures(fitting_room: FittingRoom) -> None:
    assert fitting_room.rows("3") == [1, 7]
    assert fitting_room.row("3") == 1
    assert fitting_room.rows("4") == []
    found = [match.id for match in fitting_room.search(red(), 12, without=["3", "nothing"])]
    assert sorted(found, key=int) == ["1", "5", "7", "9", "11"]


def test_an_item_is_itself_by_its_first_picture(fitting_room: FittingRoom) -> None:
    item = fitting_room.item("3")
    assert item is not None
    assert (item.image, item.pictures) == ("images/3.png", ("images/4.png",))


def test_filters_words_and_values_count_items(fitting_room: FittingRoom) -> None:
    matches = fitting_room.search(red(), 12, {"articleType": "Tshirts"})
    assert [match.id for match in matches] == ["3", "1"]
    named = fitting_room.index.store.scan(Named(("item", "3")), 12)
    assert named.tolist() == [1, 7]
    hits = fitting_room.ranked(fitting_room.understand("3"))
    assert hits.rows.tolist() == [1]
    assert fitting_room.items_once["id"].tolist() == ["1", "3", "5", "7", "9", "11"]
    assert set(fitting_room.values("baseColour")) == {"Red", "Blue"}


def test_look_alikes_are_other_items(tmp_path: Path) -> None:
    """Of four equal pictures two are of one item: folded, or as a group, there are two items."""
    shop = write_items(tmp_path / "shop")
    for number in (2, 3, 4):
        (shop / "images" / f"{number}.png").write_bytes((shop / "images" / "1.png").read_bytes())
    several = fitting_room_of(shop, 2)
    (first, *others) = several.search(picture_bytes(shade(1), kind="PNG"), 6, fold=True)
    assert (first.id, first.others[:1]) == ("1", ("3",))
    assert "1" not in first.others
    assert len({first.id, *first.others, *(match.id for match in others)}) == 6 - sum(
        len(match.others) for match in others
    )
    for group in duplicates.find(several.index):
        ids = several.index.items["id"].iloc[list(group.rows)].tolist()
        assert len(set(ids)) == len(ids)
    assert len({"1", "3"} & set(ids)) in (0, 2)


def test_equal_pictures_of_one_item_are_no_look_alikes(tmp_path: Path) -> None:
    shop = write_items(tmp_path / "shop")
    for number in range(1, 13):
        colour = tuple(np.random.default_rng((number + 1) // 2).integers(0, 255, 3).tolist())
        (shop / "images" / f"{number}.png").write_bytes(picture_bytes(colour, kind="PNG"))
    assert duplicates.find(fitting_room_of(shop, 2).index) == []


def test_a_csv_has_a_line_an_item(fitting_room: FittingRoom) -> None:
    matches = fitting_room.search(red(), 12)
    text = matches_csv(matches, fitting_room.index.filter_columns)
    assert [row["id"] for row in csv.DictReader(io.StringIO(text))] == [m.id for m in matches]


def test_the_best_picture_is_explained(fitting_room: FittingRoom) -> None:
    (features,) = fitting_room.describe([red()])
    assert _best_row(fitting_room.index, [1, 7], features, SimilarityOptions()) == 7


def test_many_pictures_are_named_up_to_a_bound(tmp_path: Path) -> None:
    shop = write_items(tmp_path / "shop")
    lines = (shop / "styles.csv").read_text("utf-8").splitlines()
    for number in range(13, 41):
        (shop / "images" / f"{number}.png").write_bytes(
            picture_bytes((5 * number, 9, 9), kind="PNG")
        )
        lines.append(f"{number},Jeans,Blue,Women,Item {number}")
    (shop / "styles.csv").write_text("\n".join(lines), "utf-8")
    several = fitting_room_of(shop, 40)
    (match,) = several.search(red(), 3)
    assert len(set(match.pictures)) == MOST_PICTURES
    assert match.image not in match.pictures


def test_the_description_counts_both(fitting_room: FittingRoom) -> None:
    assert describe_index(fitting_room.index).items.startswith("6 items with 12 pictures of ")


def test_json_names_the_other_pictures_where_there_are_some(
    fitting_room: FittingRoom, capsys: pytest.CaptureFixture[str]
) -> None:
    (match,) = fitting_room.search(red(), 1)
    paths = [fitting_room.path(name) for name in match.pictures]
    searching.print_matches(Path("q.png"), [match], {match.id: paths}, as_json=True)
    searching.print_matches(Path("q.png"), [match], {}, as_json=True)
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["matches"][0]["pictures"] == paths
    assert paths[0].endswith("3.png")
    assert list(second["matches"][0]) == ["id", "path", "similarity", "same_picture"]
