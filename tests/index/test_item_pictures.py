"""Items with several pictures: each is found once, by its best picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fitting_room.build.writer import write_index
from fitting_room.imaging.features import Features
from fitting_room.index import ann
from fitting_room.index.data import current_version
from fitting_room.index.index import Index
from fitting_room.index.item_pictures import ItemPictures
from fitting_room.index.manifest import MANIFEST, IndexUnusable
from fitting_room.index.scoring import JACCARD, Hits, SimilarityOptions
from tests.index.made import (
    in_memory,
    manifest_of,
    manifest_values,
    random_rows,
    table,
    with_descriptors,
)
from tests.index.test_scoring import a_head, make, random_descriptors

ROWS, DIMENSION = 120, 8
#: The items of the rows, which do not stand beside each other: 30 items of 1 to 7 pictures.
ITEM_OF_ROW = np.sort(np.random.default_rng(0).integers(30, size=ROWS))[
    np.random.default_rng(1).permutation(ROWS)
]


def items(**columns: Any) -> pd.DataFrame:
    made = table(ROWS, gender=["Men" if item % 2 else "Women" for item in ITEM_OF_ROW])
    made["id"] = [f"item-{item}" for item in ITEM_OF_ROW]
    made["digest"] = [f"{row:032x}" for row in range(ROWS)]
    return made.assign(**columns)


def expected(index: Index, query: Features, allowed: np.ndarray, **options: Any) -> list[str]:
    """All items that have a picture among ``allowed``, by the similarity of their best one."""
    how = SimilarityOptions(**options)
    rows = np.flatnonzero(allowed)
    similarities = index.similarities(query, rows, options=how)
    order = rows[np.argsort(-similarities, kind="stable")]
    return list(dict.fromkeys(index.items["id"].iloc[order]))


def ids(index: Index, hits: Hits) -> list[str]:
    return index.items["id"].iloc[hits.rows].tolist()


@pytest.fixture(scope="module")
def index() -> Index:
    rows, descriptors = random_rows(1, ROWS, DIMENSION), random_descriptors(2, ROWS)
    return in_memory(rows, items(), descriptors)


@pytest.fixture(scope="module")
def queries() -> list[Features]:
    rows, descriptors = random_rows(3, 9, DIMENSION), random_descriptors(4, 9)
    return [Features(row[None], of_row) for row, of_row in zip(rows, descriptors, strict=True)]


def test_items_are_numbered_in_the_order_of_their_first_rows(index: Index) -> None:
    numbers, count = index.items_of_rows, len(np.unique(ITEM_OF_ROW))
    assert numbers is not None
    assert numbers.dtype == np.int32
    assert numbers.shape == (ROWS,)
    assert index.item_count == count == len(index.first_rows)
    assert (numbers[index.first_rows] == np.arange(count)).all()
    assert (np.diff(index.first_rows) > 0).all()
    rows = index.rows_of_item(5).tolist()
    assert rows == np.flatnonzero(ITEM_OF_ROW[5] == ITEM_OF_ROW).tolist()


def test_where_every_item_has_one_picture_there_is_nothing_to_group() -> None:
    index = in_memory(random_rows(0, 20, 4))
    assert index.items_of_rows is None
    assert index.item_count == 20
    assert index.first_rows.tolist() == list(range(20))
    assert index.rows_of_item(7).tolist() == [7]
    assert index.once(np.array([3, 1])).tolist() == [3, 1]
    assert index.item_numbers(np.array([3, 1])).tolist() == [3, 1]


@pytest.mark.parametrize("n", [1, 3, 29, 200])
@pytest.mark.parametrize("options", [{}, {"colour": 1.0}, {"metric": JACCARD}])
def test_each_item_is_found_once_by_its_best_picture(
    index: Index, queries: list[Features], n: int, options: dict[str, Any]
) -> None:
    found = index.search(queries, n, options=SimilarityOptions(**options))
    for query, hits in zip(queries, found, strict=True):
        right = expected(index, query, np.ones(ROWS, bool), **options)[:n]
        assert ids(index, hits) == right
        assert (np.diff(hits.similarities) <= 0).all()


def test_a_filter_and_what_is_left_out_leave_as_many_items(
    index: Index, queries: list[Features]
) -> None:
    exclude = np.zeros(ROWS, bool)
    exclude[::3] = True
    mask = index.mask({"gender": "Men"})
    for query in queries:
        (hits,) = index.search([query], 8, {"gender": "Men"})
        assert ids(index, hits) == expected(index, query, mask)[:8]
        (hits,) = index.search([query], 8, {"gender": "Men"}, exclude=exclude)
        assert ids(index, hits) == expected(index, query, mask & ~exclude)[:8]


def test_embeddings_alone_are_queries_too(index: Index, queries: list[Features]) -> None:
    vectors = np.concatenate([query.embeddings for query in queries])
    for hits, query in zip(index.search(vectors, 5), queries, strict=True):
        bare = Features(query.embeddings, np.zeros_like(query.descriptors))
        assert ids(index, hits) == expected(index, bare, np.ones(ROWS, bool))[:5]
    assert len(index.search(vectors[0], 5)[0]) == 5
    assert index.search([], 5) == []


def test_several_queries_as_one(index: Index, queries: list[Features]) -> None:
    (hits,) = index.search(queries[:3], 12, positives=2)
    assert len(hits) == len(set(ids(index, hits))) == 12
    (all_of_them,) = index.search(queries[:3], 1_000, positives=2)
    assert ids(index, all_of_them)[:12] == ids(index, hits)
    assert len(all_of_them) == index.item_count


def test_an_item_of_very_many_pictures_hides_no_other(queries: list[Features]) -> None:
    """All pictures of it are nearer than those of the others."""
    near = np.repeat(queries[0].embeddings, 500, axis=0)
    rows = np.concatenate([near, random_rows(5, 40, DIMENSION)])
    made = table(540)
    made["id"] = ["many"] * 500 + [f"other-{number}" for number in range(40)]
    index = in_memory(rows, made)
    (hits,) = index.search([queries[0]], 10)
    assert ids(index, hits)[0] == "many"
    assert len(set(ids(index, hits))) == 10


def test_a_head_puts_the_very_picture_first(tmp_path: Path, queries: list[Features]) -> None:
    """Whichever of an item's pictures it is."""
    rows, descriptors = random_rows(1, ROWS, DIMENSION), random_descriptors(2, ROWS)
    index = make(tmp_path / "index", rows, descriptors, items(), head=a_head(DIMENSION))
    assert index.head is not None
    for row in range(0, ROWS, 7):
        (query,) = index.features(np.array([row]))
        for n in (1, 6):
            (hits,) = index.search([query], n)
            assert hits.rows[0] == row
            assert len(set(ids(index, hits))) == n
    for query in queries:
        (few,), (many,) = index.search([query], 4), index.search([query], 20)
        assert few.rows.tolist() == many.rows[:4].tolist()


def test_another_picture_of_the_item_is_no_rival_of_the_very_picture() -> None:
    rows = np.repeat(random_rows(1, 1, DIMENSION), 2, axis=0)
    descriptors = np.repeat(random_descriptors(2, 1), 2, axis=0)
    (query,) = in_memory(rows[:1], None, descriptors[:1]).features(np.array([0]))
    turned = query.embeddings + 0.5 * random_rows(7, 1, DIMENSION)
    query = Features(turned / np.linalg.norm(turned), query.descriptors)
    same, other = table(2), table(2)
    same["id"] = "one"
    assert len(in_memory(rows, same, descriptors).copies_among(query, np.arange(2))) == 1
    assert len(in_memory(rows, other, descriptors).copies_among(query, np.arange(2))) == 0


def test_candidates_of_a_large_catalogue_are_grouped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ann, "FEW_ITEMS", 100)
    count = 3_000
    rows = random_rows(0, count, 16)
    made = table(count)
    made["id"] = [f"item-{row % 1_000}" for row in range(count)]
    manifest = manifest_of(count, 16, items=1_000)
    write_index(tmp_path / "index", with_descriptors([rows]), made, manifest, ann=True)
    index = Index.open(tmp_path / "index")
    assert index.ann is not None
    found = index.search(random_rows(1, 20, 16), 5)
    exact = index.search(random_rows(1, 20, 16), 5, exact=True)
    assert all(len(set(ids(index, hits))) == 5 for hits in found)
    shares = [np.isin(e.rows, f.rows).mean() for e, f in zip(exact, found, strict=True)]
    assert np.mean(shares) > 0.9


# --- counts of a manifest ----------------------------------------------------------------------


@pytest.fixture
def written(tmp_path: Path) -> Path:
    different = len(np.unique(ITEM_OF_ROW))
    blocks = with_descriptors([random_rows(1, ROWS, DIMENSION)])
    write_index(tmp_path / "index", blocks, items(), manifest_of(ROWS, DIMENSION, items=different))
    return tmp_path / "index"


def test_what_is_written_is_opened(written: Path) -> None:
    index = Index.open(written)
    assert len(index) == ROWS
    assert index.manifest.counts.items == index.item_count
    assert index.manifest.counts.embedded == ROWS


@pytest.mark.parametrize(
    "counts",
    [
        {"items": ROWS},
        {"items": 29},
        {"items": 1},
        {"pictures": ROWS - 1},
        {"pictures": None},
        {"items": ROWS, "pictures": None},
        {"items": ROWS + 1},
        {"pictures": "120"},
        {"pictures": -1},
    ],
)
def test_counts_that_do_not_fit_the_items_are_damage(written: Path, counts: dict[str, Any]) -> None:
    path = current_version(written) / MANIFEST
    values = manifest_values(path)
    values["counts"] |= counts
    path.write_text(json.dumps(values), "utf-8")
    with pytest.raises(IndexUnusable, match="damaged"):
        Index.open(written)


def test_ids_that_are_missing_are_one_item() -> None:
    pictures = ItemPictures.of(pd.Series(["a", None, "b", None]))
    assert pictures is not None
    assert pictures.items.tolist() == [0, 1, 2, 1]
