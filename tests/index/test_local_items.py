"""The items of a table, asked as a database is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fitting_room.index import local_items
from fitting_room.index.filters import EVERYTHING, Named, OneOf
from fitting_room.index.local_items import LocalItems
from tests.index.made import in_memory


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": ["a", "b", "a", "c"],
            "image": ["1.jpg", "2.jpg", "3.jpg", "4.jpg"],
            "colour": ["Red", None, "Red", "Blue"],
            "productDisplayName": ["Red dress", "Schuhe Größe 4", "Red dress", "Blue T-shirts"],
        },
        dtype="str",
    )


@pytest.fixture
def store(table: pd.DataFrame) -> LocalItems:
    return LocalItems(table)


def test_pictures_of_items(store: LocalItems) -> None:
    assert store.rows_of(["c", "a", "nothing"]).tolist() == [0, 2, 3]
    assert store.rows_of([]).tolist() == []
    assert store.firsts(np.array([2, 3, 0])).tolist() == [0, 3, 0]


def test_cells_are_what_the_table_says(store: LocalItems) -> None:
    assert store.cells("image", np.array([3, 0])) == ["4.jpg", "1.jpg"]
    assert pd.isna(store.cells("colour", np.array([1]))[0])
    assert store.cells("no column", np.array([1, 2])) == [None, None]


def test_values_are_counted_by_pictures_and_in_the_order_of_the_catalogue(
    store: LocalItems,
) -> None:
    assert list(store.values("colour").items()) == [("Red", 2), ("Blue", 1)]
    assert store.counts(["colour"], EVERYTHING).by_column == {"colour": {"Red": 1, "Blue": 1}}


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        (("red", "dresses"), [0, 2]),
        (("dress", "red"), []),
        (("größe",), [1]),
        (("GRÖSSE", "4"), [1]),
        (("t", "shirt"), [3]),
        (("c",), [3]),
    ],
)
def test_names_are_found_by_words_beside_each_other(
    store: LocalItems, words: tuple[str, ...], rows: list[int]
) -> None:
    assert store.scan(Named(words), 10).tolist() == rows
    assert store.count(Named((*words[:-1], words[-1][:3]), begun=True)) >= len(rows)


def test_few_masks_are_kept_and_nobody_changes_them(
    store: LocalItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_items, "MASKS_KEPT", 2)
    for colour in ("Red", "Blue", "Green"):
        mask = store.mask(OneOf("colour", (colour,)))
        with pytest.raises(ValueError, match="read-only"):
            mask[0] = True
    assert len(store._masks) == 2


def test_a_block_has_the_rows_that_there_are() -> None:
    vectors = np.eye(4, dtype=np.float32)
    index = in_memory(vectors)
    block = index.store.block(np.array([9, 3, 1, 1, -1]))
    assert block.rows.tolist() == block.firsts.tolist() == [1, 3]
    assert np.array_equal(block.vectors, vectors[[1, 3]])
    assert block.table["id"].tolist() == ["item-1", "item-3"]
    assert block.trained is None


def test_a_table_alone_has_no_pictures(store: LocalItems) -> None:
    with pytest.raises(ValueError, match="no pictures"):
        store.block(np.array([0]))
