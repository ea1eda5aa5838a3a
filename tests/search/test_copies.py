"""Of what is folded into a match, the very same picture is told from what looks alike."""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from fitting_room.facade import FittingRoom, Match
from fitting_room.search import duplicates
from fitting_room.search.export import matches_csv
from fitting_room.settings import Settings
from tests.conftest import DEMO, SAMPLES

ITEM, OTHERS = "10724", ["10005", "10484", "10100", "10300", "10900"]


@pytest.fixture(scope="module")
def fitting_room(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> FittingRoom:
    """Some garments of the demo catalogue, the first also as the same file, in half the size and
    saved anew, and cut by 2 % of a side, which is a look-alike."""
    folder = tmp_path_factory.mktemp("copies") / "shop"
    (folder / "images").mkdir(parents=True)
    for name in (ITEM, *OTHERS):
        shutil.copy(DEMO / "images" / f"{name}.webp", folder / "images")
    shutil.copy(DEMO / "images" / f"{ITEM}.webp", folder / "images" / "file.webp")
    with Image.open(DEMO / "images" / f"{ITEM}.webp") as opened:
        picture = opened.convert("RGB")
    width, height = picture.size
    halved = picture.resize((width // 2, height // 2), Image.Resampling.LANCZOS)
    halved.save(folder / "images" / "half.jpg", quality=85)
    cut = (round(width * 0.02), round(height * 0.02), round(width * 0.98), round(height * 0.98))
    picture.crop(cut).save(folder / "images" / "cut.png")
    rows = [f"{name},Garment {name}" for name in (ITEM, *OTHERS, "file", "half", "cut")]
    table = "\n".join(["id,productDisplayName", *rows])
    (folder / "styles.csv").write_text(table + "\n", encoding="utf-8")
    return FittingRoom.build(folder, folder.with_name("index"), settings=settings)


def test_a_match_names_copies_beside_look_alikes(fitting_room: FittingRoom) -> None:
    first, *rest = fitting_room.search(DEMO / "images" / f"{ITEM}.webp", 6, fold=True)
    assert {first.id, *first.others} == {ITEM, "file", "half", "cut"}
    assert set(first.others) - set(first.copies) == {"cut"}
    assert first.others_in_words == "2 of the same picture, 1 look-alike"
    assert all(match.others == match.copies == () for match in rest)
    assert {match.others_in_words for match in rest} == {""}


def test_without_folding_there_are_none(fitting_room: FittingRoom) -> None:
    found = fitting_room.search(DEMO / "images" / f"{ITEM}.webp", 9)
    assert all(match.copies == () for match in found)


def test_a_csv_names_them(fitting_room: FittingRoom) -> None:
    matches = fitting_room.search(DEMO / "images" / f"{ITEM}.webp", 3, fold=True)
    first, *rest = csv.DictReader(io.StringIO(matches_csv(matches, [])))
    assert set(first["alike"].split()) == set(matches[0].others)
    assert set(first["copies"].split()) == set(matches[0].copies)
    assert {row["copies"] for row in rest} == {""}


def test_a_group_to_review_says_which_share_a_picture(fitting_room: FittingRoom) -> None:
    index = fitting_room.index
    (group,) = duplicates.find(index)
    assert group.likeness == duplicates.LOOK_ALIKES
    first = index.items["id"].iloc[group.first]
    assert first != "cut"
    assert set(index.items["id"].iloc[list(group.copies)]) == {ITEM, "file", "half"}


@pytest.mark.parametrize(
    ("others", "copies", "words"),
    [
        ((), (), ""),
        (("1",), (), "1 look-alike"),
        (("1", "2"), (), "2 look-alikes"),
        (("1",), ("1",), "1 of the same picture"),
        (("1", "2", "3", "4", "5"), ("1", "2"), "2 of the same picture, 3 look-alikes"),
    ],
)
def test_in_words(
    demo_fitting_room: FittingRoom, others: tuple[str, ...], copies: tuple[str, ...], words: str
) -> None:
    (match,) = demo_fitting_room.search(SAMPLES / "red-dress.jpg", 1)
    folded: Match = replace(match, others=others, copies=copies)
    assert folded.others_in_words == words
