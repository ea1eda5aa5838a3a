"""Near-duplicates of a catalogue: all of them, and nothing else."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fitting_room.facade import FittingRoom
from fitting_room.imaging.descriptors import COLOURS, SILHOUETTE
from fitting_room.index.index import SAME_COLOURS, SAME_SHAPE, Index
from fitting_room.index.marks import KEEP, Marks
from fitting_room.index.scoring import unit_bytes
from fitting_room.search import duplicates
from fitting_room.settings import Settings
from tests.conftest import DEMO


def copied_shop(folder: Path, count: int = 60) -> Path:
    """Some of the demo catalogue's items, and copies: of the first, to the byte; of the second,
    saved anew."""
    (folder / "images").mkdir(parents=True)
    table = pd.read_csv(DEMO / "styles.csv", dtype="str").head(count)
    for item in table["id"]:
        shutil.copy(DEMO / "images" / f"{item}.webp", folder / "images")
    first, second = table["id"].iloc[0], table["id"].iloc[1]
    shutil.copy(folder / "images" / f"{first}.webp", folder / "images" / "900001.webp")
    with Image.open(folder / "images" / f"{second}.webp") as image:
        image.save(folder / "images" / "900002.jpg", quality=88)
    copies = table.head(2).copy()
    copies["id"] = ["900001", "900002"]
    copies["productDisplayName"] = ["=cmd()", "@copy"]
    pd.concat([table, copies]).to_csv(folder / "styles.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def index(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("copies")
    shop = copied_shop(folder / "shop")
    return FittingRoom.build(shop, folder / "index", settings=settings).index


def ids(index: Index, group: duplicates.Group) -> set[str]:
    return set(index.items["id"].iloc[list(group.rows)])


def test_copies_are_told_from_identical_files(index: Index) -> None:
    groups = duplicates.find(index)
    likenesses = [group.likeness for group in groups]
    assert likenesses == sorted(likenesses, key=duplicates.LIKENESSES.index)
    first, second = index.items["id"].iloc[:2]
    by_ids = {frozenset(ids(index, group)): group for group in groups}
    assert by_ids[frozenset({first, "900001"})].identical
    assert by_ids[frozenset({second, "900002"})].likeness == duplicates.COPIES


def all_pairs(index: Index) -> set[tuple[int, int]]:
    """The plain way: every pair in full."""
    vectors = np.asarray(index.vectors, np.float64)
    alike = vectors @ vectors.T >= SAME_SHAPE
    for part in (COLOURS, SILHOUETTE):
        rows = unit_bytes(index.descriptors[:, part])
        alike &= rows @ rows.T >= SAME_COLOURS
    return {(a, b) for a, b in zip(*np.nonzero(np.triu(alike, 1)), strict=True)}


@pytest.mark.parametrize("block", [7, 16, 2_048])
def test_no_pair_is_missed_and_none_is_made_up(
    index: Index, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(duplicates, "BLOCK", block)
    # Low enough that pairs of one kind are among them.
    monkeypatch.setattr(duplicates, "SAME_SHAPE", 0.6)
    monkeypatch.setattr(duplicates, "SAME_COLOURS", 0.5)
    monkeypatch.setattr("tests.search.test_duplicates.SAME_SHAPE", 0.6)
    monkeypatch.setattr("tests.search.test_duplicates.SAME_COLOURS", 0.5)
    duplicates_of = duplicates._pairs(index, lambda _: None)
    pairs = {(a, b) for a, others in duplicates_of.items() for b in others if a < b}
    expected = all_pairs(index)
    assert len(expected) > 20
    assert pairs == expected


def test_an_item_is_in_one_group_and_all_are_like_its_first(index: Index) -> None:
    groups = duplicates.find(index)
    rows = [row for group in groups for row in group.rows]
    assert len(rows) == len(set(rows))
    for group in groups:
        vectors = np.asarray(index.vectors[list(group.rows)])
        assert group.first in group.rows
        assert (vectors @ np.asarray(index.vectors[group.first]) >= SAME_SHAPE - 1e-5).all()


def test_a_catalogue_without_duplicates_has_no_groups(demo_fitting_room: FittingRoom) -> None:
    assert duplicates.find(demo_fitting_room.index) == []


def second_id(index: Index) -> str:
    return str(index.items["id"].iloc[1])


def test_groups_as_csv(index: Index) -> None:
    groups, marks = duplicates.find(index), Marks().with_mark(["900002", second_id(index)], KEEP)
    rows = list(csv.DictReader(io.StringIO(duplicates.as_csv(index, groups, marks))))
    assert len(rows) == sum(map(len, groups))
    assert {row["group"] for row in rows} == {str(n) for n in range(1, len(groups) + 1)}
    named = {row["id"]: row for row in rows}
    # A name that a spreadsheet would take for a formula is plain text.
    assert named["900001"]["productDisplayName"] == "'=cmd()"
    assert named["900002"]["productDisplayName"] == "'@copy"
    assert named["900001"]["identical"] == "yes"
    assert named["900002"]["identical"] == "no"
    assert (named["900002"]["likeness"], named["900002"]["mark"]) == ("copies", "keep")
    assert (named["900001"]["likeness"], named["900001"]["mark"]) == ("identical", "")


def test_a_catalogue_of_one_item(index: Index, tmp_path: Path, settings: Settings) -> None:
    shop = copied_shop(tmp_path / "shop", 2)
    table = pd.read_csv(shop / "styles.csv", dtype="str").head(1)
    table.to_csv(shop / "styles.csv", index=False)
    fitting_room = FittingRoom.build(shop, tmp_path / "index", settings=settings)
    assert duplicates.find(fitting_room.index) == []
