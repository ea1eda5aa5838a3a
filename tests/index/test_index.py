"""Search in an index: exact, filtered, reduced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fitting_room.imaging.features import normalise
from fitting_room.index.index import FilterError, Index
from fitting_room.index.manifest import IndexUnusable
from fitting_room.index.scoring import Hits
from fitting_room.index.vectors import PCA, ReductionError
from tests.index.made import IDENTITY, in_memory, random_rows, table, write


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder of an index of 12 items with 5 numbers each."""
    folder = tmp_path / "index"
    write(folder, random_rows(1, 12, 5), table(12, gender=["Men", "Women"] * 6))
    return folder


def test_an_index_of_the_same_network_is_required(made: Path) -> None:
    index = Index.open(made)
    index.require(dict(IDENTITY))
    others: list[dict[str, Any]] = [
        {"backbone": "efficientnet_lite0"},
        {"weights": "IMAGENET1K_V2", "weights_sha256": "1" * 64},
        {"weights_sha256": "1" * 64},
        {"preprocessing": {"input_size": [224, 224]}},
    ]
    for other in others:
        with pytest.raises(IndexUnusable, match=r"fitting-room build CATALOGUE --index .*index"):
            index.require(IDENTITY | other)


# --- search -----------------------------------------------------------------------------------


def check(
    hits: Hits, vectors: np.ndarray, query: np.ndarray, n: int, allowed: np.ndarray | None = None
) -> None:
    """Compare hits with a brute force in float64. Equal rows get exactly equal scores there."""
    allowed = np.arange(len(vectors)) if allowed is None else allowed
    different, which = np.unique(vectors, axis=0, return_inverse=True)
    scores = (different.astype(np.float64) @ query.astype(np.float64))[which]
    expected = allowed[np.argsort(-scores[allowed], kind="stable")][:n]
    rows = hits.rows
    assert len(rows) == len(set(rows.tolist())) == len(expected)
    assert set(rows.tolist()) <= set(allowed.tolist())
    np.testing.assert_allclose(hits.similarities, scores[rows], atol=1e-5)
    # Place by place as similar as the true one, to the precision that a rank is given in.
    assert (scores[rows] >= scores[expected] - 3e-6).all()
    # Of equal rows the earlier one first, and never a later one without it.
    for one in np.unique(which[rows]):
        results = rows[which[rows] == one]
        assert results.tolist() == allowed[which[allowed] == one][: len(results)].tolist()


@st.composite
def searches(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int, np.random.Generator]:
    """Unit rows, many of them twice or more, or drawn from so few numbers that scores tie."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, dimension = draw(st.integers(1, 80)), draw(st.integers(1, 40))
    kinds = draw(st.integers(1, count))
    if draw(st.booleans()):
        pool = generator.normal(size=(kinds, dimension))
    else:
        pool = generator.integers(-2, 3, size=(kinds, dimension)).astype(float)
    vectors = normalise(pool[generator.integers(0, kinds, count)])
    queries = normalise(generator.normal(size=(draw(st.integers(1, 4)), dimension)))
    if draw(st.booleans()):
        queries[0] = vectors[0]  # the picture itself is in the catalogue
    return vectors, queries, draw(st.integers(1, 100)), generator


@hypothesis_settings(max_examples=150)
@given(searches())
def test_search_is_exact(case: tuple[np.ndarray, np.ndarray, int, np.random.Generator]) -> None:
    vectors, queries, n, _ = case
    results = in_memory(vectors).search(queries, n)
    assert len(results) == len(queries)
    for hits, query in zip(results, queries, strict=True):
        check(hits, vectors, query, n)


@hypothesis_settings(max_examples=150)
@given(searches(), st.sampled_from([0.02, 0.1, 0.5, 0.95]))
def test_filtered_search_is_exact(
    case: tuple[np.ndarray, np.ndarray, int, np.random.Generator], passing_fraction: float
) -> None:
    """A rare value is searched in another way than a frequent one; the answer is the same."""
    vectors, queries, n, generator = case
    passes = generator.random(len(vectors)) < passing_fraction
    index = in_memory(vectors, table(len(vectors), gender=np.where(passes, "Women", "Men")))
    results = index.search(queries, n, {"gender": "Women"})
    for hits, query in zip(results, queries, strict=True):
        check(hits, vectors, query, n, np.flatnonzero(passes))


def test_of_equal_items_the_earlier_comes_first_at_any_place_in_memory() -> None:
    """Sums of equal rows may differ in their last bits with the row's place in memory."""
    generator = np.random.default_rng(0)
    for seed in range(300):
        count, dimension = int(generator.integers(3, 60)), int(generator.integers(2, 200))
        pool = random_rows(seed, max(1, count // 3), dimension)
        vectors = pool[generator.integers(0, len(pool), count)]
        queries = random_rows(seed + 1000, 1 + seed % 3, dimension)
        for hits, query in zip(in_memory(vectors).search(queries, count), queries, strict=True):
            check(hits, vectors, query, count)


def test_the_best_match_comes_first_and_the_item_itself_is_1() -> None:
    vectors = random_rows(3, 500, 32)
    for row in (0, 250, 499):
        (hits,) = in_memory(vectors).search(vectors[row], 10)
        assert hits.rows[0] == row
        assert hits.similarities[0] == pytest.approx(1, abs=1e-6)
        assert (np.diff(hits.similarities) <= 2e-6).all()


def test_similarities_stay_between_minus_1_and_1() -> None:
    vectors = np.repeat(random_rows(4, 1, 300), 50, axis=0)
    (hits,) = in_memory(vectors).search(vectors[0], 50)
    (opposite,) = in_memory(vectors).search(-vectors[0], 50)
    assert hits.similarities.max() <= 1
    assert opposite.similarities.min() >= -1


def test_more_matches_than_items_are_all_items() -> None:
    (hits,) = in_memory(random_rows(5, 7, 3)).search(random_rows(6, 1, 3), 1000)
    assert sorted(hits.rows.tolist()) == list(range(7))


@pytest.mark.parametrize("n", [0, -1])
def test_fewer_matches_than_one_cannot_be_asked_for(n: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        in_memory(random_rows(5, 7, 3)).search(random_rows(6, 1, 3), n)


def test_a_query_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="3 dimensions"):
        in_memory(random_rows(5, 7, 3)).search(random_rows(6, 1, 4), 1)


def test_a_query_need_not_have_length_1() -> None:
    index, query = in_memory(random_rows(5, 30, 8)), random_rows(6, 1, 8)
    (one,), (other,) = index.search(query, 5), index.search(1000 * query, 5)
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_allclose(one.similarities, other.similarities, atol=1e-6)


def test_no_queries_have_no_answers() -> None:
    assert in_memory(random_rows(5, 7, 3)).search(np.empty((0, 3), np.float32), 4) == []


def test_many_queries_are_answered_as_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they do not fit into memory together."""
    from fitting_room.index import index as module

    vectors, queries = random_rows(7, 200, 16), random_rows(8, 25, 16)
    monkeypatch.setattr(module, "SCORES_AT_ONCE", 3 * len(vectors))
    for hits, query in zip(in_memory(vectors).search(queries, 9), queries, strict=True):
        check(hits, vectors, query, 9)


def test_a_search_changes_nothing_for_the_next(made: Path) -> None:
    index, query = Index.open(made), random_rows(9, 1, 5)
    (first,) = index.search(query, 12)
    index.search(query, 12, {"gender": "Men"})
    (again,) = index.search(query, 12)
    np.testing.assert_array_equal(first.rows, again.rows)
    np.testing.assert_array_equal(first.similarities, again.similarities)


# --- filters ----------------------------------------------------------------------------------


@pytest.fixture
def pairs_index() -> Index:
    """Every pair of 4 genders and 5 colours, five times."""
    genders, colours = ["Men", "Women", "Boys", "Girls"], ["Red", "Blue", "Grey", "Pink", "Gold"]
    pairs = [(g, c) for _ in range(5) for g in genders for c in colours]
    items = table(100, gender=[g for g, _ in pairs], baseColour=[c for _, c in pairs])
    return in_memory(random_rows(10, 100, 8), items)


def passing(index: Index, where: dict[str, Any]) -> pd.DataFrame:
    (hits,) = index.search(random_rows(11, 1, 8), 1000, where)
    return index.items.iloc[hits.rows]


def test_any_of_the_values_of_a_column_passes(pairs_index: Index) -> None:
    results = passing(pairs_index, {"gender": ["Women", "Girls"]})
    assert len(results) == 50
    assert set(results["gender"]) == {"Women", "Girls"}


def test_all_of_the_columns_must_pass(pairs_index: Index) -> None:
    results = passing(pairs_index, {"gender": ["Women", "Girls"], "baseColour": "Red"})
    assert len(results) == 10
    assert set(results["gender"]) == {"Women", "Girls"}
    assert set(results["baseColour"]) == {"Red"}


def test_an_item_is_found_by_its_id(pairs_index: Index) -> None:
    assert passing(pairs_index, {"id": "item-42"})["id"].tolist() == ["item-42"]


def test_no_filter_is_everything(pairs_index: Index) -> None:
    assert len(passing(pairs_index, {})) == 100


@pytest.mark.parametrize("where", [{"gender": []}, {"gender": "Dogs"}, {"gender": "men"}])
def test_a_filter_that_nothing_passes_is_no_error(
    pairs_index: Index, where: dict[str, Any]
) -> None:
    assert len(passing(pairs_index, where)) == 0
    many = pairs_index.search(random_rows(12, 3, 8), 5, where)
    assert [len(hits) for hits in many] == [0, 0, 0]


def test_a_missing_value_passes_no_filter() -> None:
    index = in_memory(random_rows(1, 4, 8), table(4, gender=["Men", None, "Men", None]))
    assert set(passing(index, {"gender": "Men"})["id"]) == {"item-0", "item-2"}
    assert len(passing(index, {"gender": ["nan", "None", ""]})) == 0


@pytest.mark.parametrize("column", ["color", "", "image", "signature", "digest"])
def test_an_unknown_column_is_refused_and_the_known_ones_are_named(
    pairs_index: Index, column: str
) -> None:
    with pytest.raises(FilterError, match=r"id.*gender.*baseColour"):
        pairs_index.search(random_rows(11, 1, 8), 5, {column: "Red"})


# --- reduction --------------------------------------------------------------------------------


def test_a_reduced_index_is_searched_with_full_embeddings(tmp_path: Path) -> None:
    generator = np.random.default_rng(13)
    full = normalise(generator.normal(size=(200, 6)) @ generator.normal(size=(6, 40)) + 0.5)
    pca = PCA.fit(full, 6)
    index = write(tmp_path / "index", pca(full), pca=pca)
    assert (index.dimension, index.vectors.shape) == (6, (200, 6))
    assert index.manifest.pca == {"dimension": 6, "fitted_on": 200}
    assert index.pca is not None
    np.testing.assert_array_equal(index.pca.mean, pca.mean)
    np.testing.assert_array_equal(index.pca.components, pca.components)
    for row in (0, 100, 199):
        (hits,) = index.search(full[row], 20)
        check(hits, index.vectors, pca(full[row : row + 1])[0], 20)
        assert hits.rows[0] == row
        assert hits.similarities[0] == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match="40 dimensions"):
        index.search(index.vectors[0], 5)


def test_a_reduction_keeps_the_neighbours_that_matter(tmp_path: Path) -> None:
    """Embeddings of 10 kinds in 6 directions of 40: six numbers are enough."""
    generator = np.random.default_rng(14)
    centres = generator.normal(size=(10, 6))
    kinds = np.repeat(np.arange(10), 20)
    spread = centres[kinds] + 0.05 * generator.normal(size=(200, 6))
    full = normalise(spread @ generator.normal(size=(6, 40)))
    pca = PCA.fit(full, 6)
    index = write(tmp_path / "index", pca(full), pca=pca)
    for row in range(0, 200, 7):
        (hits,) = index.search(full[row], 10)
        assert (kinds[hits.rows] == kinds[row]).all()


@pytest.mark.parametrize("dimension", [0, 6, 11])
def test_a_reduction_to_more_than_there_is_is_refused(dimension: int) -> None:
    with pytest.raises(ReductionError, match=f"--pca {dimension}"):
        PCA.fit(random_rows(0, 5, 10), dimension)
