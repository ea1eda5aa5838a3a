"""How similarity is weighed: shape against colour, with the head and without, by which metric."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fitting_room.build.place import build_lock
from fitting_room.build.writer import Block, write_head, write_index
from fitting_room.imaging.descriptors import (
    COLOURS,
    DESCRIPTOR_LENGTH,
    PLAIN_BACKGROUND,
    SILHOUETTE,
)
from fitting_room.imaging.features import Features, normalise
from fitting_room.index.data import current_version
from fitting_room.index.head import DESCRIPTOR_INPUTS, Head
from fitting_room.index.index import Index
from fitting_room.index.manifest import HEAD_FILE, TRAINED, IndexUnusable
from fitting_room.index.scoring import (
    COLOUR_WEIGHT,
    COLOUR_WEIGHT_PHOTOGRAPH,
    COLOUR_WEIGHT_TRAINED,
    EMBEDDING,
    EMBEDDING_SHARE,
    JACCARD,
    SILHOUETTE_SHARE,
    JaccardTerm,
    ScoreTerm,
    SimilarityOptions,
    combine_queries,
    nearest,
)
from fitting_room.index.vectors import FLOAT32, PCA, STORAGES, Rows, stored
from tests.index.made import manifest_of, random_rows, table

PLAIN = SimilarityOptions(colour=0.0, trained=False)


def random_descriptors(seed: int, count: int, *, plain_background: bool = True) -> np.ndarray:
    descriptors = np.random.default_rng(seed).integers(
        1, 200, (count, DESCRIPTOR_LENGTH), dtype=np.uint8
    )
    descriptors[:, PLAIN_BACKGROUND] = 255 if plain_background else 0
    return descriptors


def unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def make(
    folder: Path,
    vectors: np.ndarray,
    descriptors: np.ndarray,
    items: pd.DataFrame | None = None,
    head: Head | None = None,
    pca: PCA | None = None,
) -> Index:
    items = table(len(vectors)) if items is None else items
    manifest = manifest_of(*vectors.shape, items=items["id"].nunique())
    write_index(folder, [Block(vectors, descriptors)], items, manifest, pca=pca, head=head)
    return Index.open(folder)


def a_head(dimension: int, seed: int = 0, **record: Any) -> Head:
    """A head of random numbers that knows two genders."""
    generator = np.random.default_rng(seed)

    def numbers(*shape: int) -> np.ndarray:
        return generator.normal(size=shape).astype(np.float32)

    inputs, hidden, output = dimension + DESCRIPTOR_INPUTS, 8, 4
    return Head(
        columns=("gender",),
        labels={"gender": ("Men", "Women")},
        proxies={"gender": normalise(numbers(2, output))},
        weights={"gender": 1.0},
        record={"loss": "none", **record},
        mean=numbers(inputs) * 0,
        scale=np.ones(inputs, np.float32),
        hidden_weight=numbers(hidden, inputs),
        hidden_bias=numbers(hidden),
        norm_weight=np.ones(hidden, np.float32),
        norm_bias=numbers(hidden) * 0,
        output_weight=numbers(output, hidden),
        output_bias=numbers(output),
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """60 items from a studio, 6 numbers each."""
    folder = tmp_path_factory.mktemp("options") / "index"
    items = table(60, gender=["Men", "Women", None] * 20)
    return make(folder, random_rows(1, 60, 6), random_descriptors(2, 60), items)


def query_of(seed: int, views: int = 1, *, plain_background: bool = True) -> Features:
    return Features(
        random_rows(seed, views, 6),
        random_descriptors(seed + 1, 1, plain_background=plain_background)[0],
    )


def shape_of(index: Index, query: Features) -> np.ndarray:
    return np.asarray(index.vectors @ unit(query.embeddings.mean(axis=0)))


def cosines(index: Index, query: Features, columns: slice) -> np.ndarray:
    return np.asarray(unit(index.descriptors[:, columns]) @ unit(query.descriptors[columns]))


def check(
    index: Index, query: Features, options: SimilarityOptions, expected: np.ndarray, n: int
) -> None:
    (hits,) = index.search([query], n, options=options)
    best = np.argsort(-expected, kind="stable")[:n]
    np.testing.assert_allclose(hits.similarities, expected[best], atol=2e-6)
    np.testing.assert_allclose(expected[hits.rows], expected[best], atol=2e-6)


@given(st.integers(0, 10_000), st.floats(0, 1), st.integers(1, 70))
@hypothesis_settings(max_examples=60)
def test_similarity_is_shape_and_colour_by_weight(
    index: Index, seed: int, weight: float, n: int
) -> None:
    query = query_of(seed)
    outline = SILHOUETTE_SHARE * cosines(index, query, SILHOUETTE)
    shape = (1 - SILHOUETTE_SHARE) * shape_of(index, query) + outline
    expected = (1 - weight) * shape + weight * cosines(index, query, COLOURS)
    check(index, query, SimilarityOptions(colour=weight, trained=False), expected, n)


@given(st.integers(0, 10_000), st.integers(1, 5))
@hypothesis_settings(max_examples=30)
def test_of_a_photograph_the_outline_does_not_count_and_its_views_are_averaged(
    index: Index, seed: int, views: int
) -> None:
    query = query_of(seed, views, plain_background=False)
    check(index, query, PLAIN, shape_of(index, query), 10)


@given(st.integers(0, 10_000), st.integers(1, 4), st.booleans())
@hypothesis_settings(max_examples=40)
def test_jaccard_is_the_sum_of_the_lesser_over_the_sum_of_the_greater(
    index: Index, seed: int, views: int, plain_background: bool
) -> None:
    query = query_of(seed, views, plain_background=plain_background)

    def parts(values: np.ndarray) -> np.ndarray:  # negative numbers are coordinates of their own
        return np.concatenate([np.maximum(values, 0), np.maximum(-values, 0)], axis=-1)

    rows = parts(np.asarray(index.vectors, np.float64))
    each = [
        np.minimum(rows, view).sum(axis=1) / np.maximum(rows, view).sum(axis=1)
        for view in parts(query.embeddings.astype(np.float64))
    ]
    expected = np.mean(each, axis=0)
    if plain_background:
        expected = (1 - SILHOUETTE_SHARE) * expected
        expected += SILHOUETTE_SHARE * cosines(index, query, SILHOUETTE)
    check(index, query, SimilarityOptions(colour=0.0, metric=JACCARD), expected, 10)


def test_many_queries_are_answered_as_one_by_one(index: Index) -> None:
    queries = [query_of(seed, 1 + seed % 3, plain_background=seed % 2 == 0) for seed in range(20)]
    for options in (
        SimilarityOptions(),
        SimilarityOptions(colour=0.7),
        SimilarityOptions(metric=JACCARD),
    ):
        all_hits = index.search(queries, 7, options=options)
        for query, hits in zip(queries, all_hits, strict=True):
            (alone,) = index.search([query], 7, options=options)
            assert hits.rows.tolist() == alone.rows.tolist()
            assert hits.similarities.tolist() == alone.similarities.tolist()


@pytest.mark.parametrize(
    "options",
    [SimilarityOptions(), SimilarityOptions(colour=1.0), SimilarityOptions(metric=JACCARD)],
)
def test_filters_and_exclusions_leave_the_same_order(
    index: Index, options: SimilarityOptions
) -> None:
    query = query_of(5)
    (every,) = index.search([query], 60, options=options)
    women = index.mask({"gender": "Women"})
    for exclude in (np.arange(60) % 2 == 0, np.arange(60) > 2, np.zeros(60, bool)):
        left = [row for row in every.rows if women[row] and not exclude[row]]
        (hits,) = index.search([query], 60, {"gender": "Women"}, options=options, exclude=exclude)
        assert hits.rows.tolist() == left
    (none,) = index.search([query], 5, exclude=np.ones(60, bool))
    assert len(none) == 0


def test_an_item_is_most_like_itself(index: Index) -> None:
    for options in (
        SimilarityOptions(),
        SimilarityOptions(colour=0.5),
        SimilarityOptions(metric=JACCARD),
    ):
        for row, hits in enumerate(index.search(index.features(np.arange(60)), 1, options=options)):
            assert hits.rows.tolist() == [row]
            assert hits.similarities[0] == pytest.approx(1, abs=1e-6)


def test_a_picture_without_known_colours_is_asked_by_shape_alone(index: Index) -> None:
    vector = random_rows(9, 1, 6)
    (hits,) = index.search(vector, 5, options=SimilarityOptions(colour=0.9))
    expected = np.sort(index.vectors @ vector[0])[::-1][:5]
    np.testing.assert_allclose(hits.similarities, expected, atol=1e-6)


@pytest.mark.parametrize("values", [{"colour": -0.1}, {"colour": 1.1}, {"metric": "euclid"}])
def test_options_that_make_no_sense_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"colour|metric"):
        SimilarityOptions(**values)


def test_the_usual_weight_of_colour(index: Index, tmp_path: Path) -> None:
    assert index.mostly_plain_background
    assert index.colour_weight(SimilarityOptions()) == COLOUR_WEIGHT
    assert (
        index.colour_weight(SimilarityOptions(), plain_background=False) == COLOUR_WEIGHT_PHOTOGRAPH
    )
    assert index.colour_weight(SimilarityOptions(colour=0.0)) == 0
    street = make(
        tmp_path / "street", index.vectors, random_descriptors(3, 60, plain_background=False)
    )
    assert not street.mostly_plain_background
    assert street.colour_weight(SimilarityOptions(), plain_background=False) == COLOUR_WEIGHT
    with_head = make(tmp_path / "head", index.vectors, index.descriptors, head=a_head(6))
    assert with_head.colour_weight(SimilarityOptions()) == COLOUR_WEIGHT_TRAINED
    assert with_head.colour_weight(SimilarityOptions(trained=False)) == COLOUR_WEIGHT


def test_an_index_reduced_by_pca_is_ranked_in_its_own_dimensions(tmp_path: Path) -> None:
    full = random_rows(4, 50, 20)
    pca = PCA.fit(full, 5)
    made = make(tmp_path / "index", pca(full), random_descriptors(1, 50), pca=pca)
    for options in (SimilarityOptions(), SimilarityOptions(metric=JACCARD)):
        fresh = [Features(full[row][None], made.descriptors[row]) for row in range(50)]
        for row, hits in enumerate(made.search(fresh, 1, options=options)):
            assert hits.rows.tolist() == [row]
        stored = made.search(made.features(np.arange(50)), 1, options=options)
        assert [hits.rows[0] for hits in stored] == list(range(50))


# --- the head in an index ---------------------------------------------------------------------


def test_a_head_ranks_by_what_it_makes_of_the_pictures(index: Index, tmp_path: Path) -> None:
    made = make(tmp_path / "index", index.vectors, index.descriptors, index.items, a_head(6))
    head = made.head
    assert head is not None
    query = query_of(3, 2)
    descriptors = np.repeat(query.descriptors[None], 2, axis=0)
    wanted = unit(head.project(query.embeddings, descriptors).mean(axis=0))
    items = head.project_items(index.vectors, index.descriptors, index.items)
    expected = (1 - EMBEDDING_SHARE) * (items @ wanted) + EMBEDDING_SHARE * shape_of(index, query)
    check(made, query, SimilarityOptions(colour=0.0), expected, 10)
    (plain,) = made.search([query], 10, options=PLAIN)
    (without,) = index.search([query], 10, options=PLAIN)
    assert plain.rows.tolist() == without.rows.tolist()


def test_a_head_is_put_into_an_index_and_taken_away(index: Index, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    before = make(folder, index.vectors, index.descriptors, index.items)
    write_head(folder, a_head(6, holdout=10))
    made = Index.open(folder)
    made.verify()
    assert made.manifest.head == {"loss": "none", "holdout": 10}
    assert made.head is not None
    assert made.trained is not None
    assert made.trained.shape == (60, 4)
    np.testing.assert_array_equal(made.vectors, before.vectors)
    assert made.manifest.created == before.manifest.created
    assert made.manifest.build != before.manifest.build
    write_head(folder, a_head(6, seed=5))
    assert not np.allclose(np.asarray(Index.open(folder).trained), made.trained)
    write_head(folder, None)
    gone = Index.open(folder)
    assert (gone.head, gone.trained, gone.manifest.head) == (None, None, None)
    assert not (current_version(folder) / HEAD_FILE).exists()
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == [
        "index"
    ]


def test_a_head_for_other_embeddings_is_refused(index: Index, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    made = make(folder, index.vectors, index.descriptors)
    with pytest.raises(IndexUnusable, match="does not have"):
        write_head(folder, a_head(7))
    assert Index.open(folder).manifest == made.manifest


def test_a_head_is_not_written_during_a_build(index: Index, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    make(folder, index.vectors, index.descriptors)
    with build_lock(folder), pytest.raises(IndexUnusable, match="another build"):
        write_head(folder, a_head(6))


@pytest.mark.parametrize("name", [HEAD_FILE, TRAINED])
def test_a_damaged_head_is_refused(index: Index, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "index"
    make(folder, index.vectors, index.descriptors, head=a_head(6))
    data = bytearray((current_version(folder) / name).read_bytes())
    (current_version(folder) / name).write_bytes(data[:-8])
    with pytest.raises(IndexUnusable, match="damaged"):
        Index.open(folder)
    data[-3] ^= 255
    (current_version(folder) / name).write_bytes(data)
    with pytest.raises(IndexUnusable, match="damaged"):
        Index.open(folder).verify()


# --- near-duplicates --------------------------------------------------------------------------


def test_items_that_look_all_but_the_same_are_one_group(index: Index, tmp_path: Path) -> None:
    vectors = normalise(np.repeat(random_rows(1, 5, 6), 3, axis=0) + 0.002 * random_rows(2, 15, 6))
    descriptors = np.repeat(random_descriptors(3, 5), 3, axis=0)
    descriptors[14, COLOURS] = random_descriptors(8, 1)[0, COLOURS] * (
        np.arange(COLOURS.stop) % 2
    )  # recoloured
    made = make(tmp_path / "index", vectors, descriptors)
    query = replace(made.features(np.array([0]))[0])
    (hits,) = made.search([query], 15, options=PLAIN)
    groups = [sorted(hits.rows[group].tolist()) for group in made.near_duplicates(hits)]
    assert groups[0] == [0, 1, 2]
    assert sorted(map(tuple, groups)) == [
        (0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11), (12, 13), (14,),
    ]  # fmt: skip


# --- several queries as one ---------------------------------------------------------------------


def _unit(*rows: tuple[float, ...]) -> np.ndarray:
    return normalise(np.array(rows, np.float32))


def test_several_queries_are_their_mean_and_keep_their_weights():
    rows = _unit((1, 0, 0), (0, 1, 0), (0, 0, 1))
    queries = np.float32([[0.6], [0.2]]) * _unit((1, 0, 0), (0, 1, 0))
    (combined,) = combine_queries([ScoreTerm(EMBEDDING, rows, queries)], 2)
    assert combined.queries.shape == (1, 3)
    assert np.linalg.norm(combined.queries) == pytest.approx(0.4)
    # The one with more weight counts more, the third direction not at all.
    first, second, third = combined.queries[0]
    assert first > second > third == 0


def test_what_is_not_wanted_is_taken_away():
    rows = _unit((1, 0), (0, 1))
    like, negatives = (1.0, 1.0), (0.0, 1.0)
    (alone,) = combine_queries([ScoreTerm(EMBEDDING, rows, _unit(like))], 1)
    (combined,) = combine_queries([ScoreTerm(EMBEDDING, rows, _unit(like, negatives))], 1)
    assert combined.queries[0, 1] < alone.queries[0, 1]
    assert combined.queries[0, 0] > alone.queries[0, 0]
    assert np.linalg.norm(combined.queries) == pytest.approx(1)


def test_one_wanted_query_alone_is_itself():
    rows = _unit((1, 0), (0, 1))
    queries = 0.7 * _unit((3, 4))
    (combined,) = combine_queries([ScoreTerm(EMBEDDING, rows, queries)], 1)
    assert combined.queries == pytest.approx(queries)


def test_nothing_wanted_or_another_metric_is_refused():
    term = ScoreTerm(EMBEDDING, _unit((1, 0)), _unit((1, 0)))
    jaccard = JaccardTerm(_unit((1, 0)), [_unit((1, 0))], np.ones(1))
    for terms, positives in (([term], 0), ([term], 2), ([jaccard], 1)):
        with pytest.raises(ValueError, match="wanted"):
            combine_queries(terms, positives)


class Counted(np.ndarray):
    """Rows that count how many of them are taken out."""

    taken = 0

    def __getitem__(self, rows: Any) -> Any:
        result = super().__getitem__(rows)
        Counted.taken += len(result) if result.ndim == 2 else 1
        return np.asarray(result)


def whole(terms: list[ScoreTerm | JaccardTerm], items: int, query: int) -> np.ndarray:
    return sum((term.exact(np.arange(items), query) for term in terms), np.zeros(items))


@given(
    seed=st.integers(0, 2**32 - 1),
    items=st.integers(1, 400),
    n=st.integers(1, 12),
    weights=st.tuples(st.floats(0, 1), st.floats(0, 0.4), st.floats(0, 1)),
    masked=st.floats(0, 0.9),
    storage=st.sampled_from(STORAGES),
    repeated=st.booleans(),
)
@hypothesis_settings(max_examples=150)
def test_the_nearest_lose_nothing_by_what_is_left_out(
    seed: int,
    items: int,
    n: int,
    weights: tuple[float, float, float],
    masked: float,
    storage: str,
    repeated: bool,
) -> None:
    generator = np.random.default_rng(seed)
    learned, bare = (normalise(generator.normal(size=(items, d))) for d in (6, 40))
    if repeated:  # equal items, whose order must be kept
        learned[items // 2 :], bare[items // 2 :] = learned[0], bare[0]
    values, scales = stored(bare, storage)
    rows: Any = bare if storage == FLOAT32 else Rows(values, scales)
    descriptors = generator.integers(0, 255, (items, 12)).astype(np.uint8)
    scale = 1 / np.linalg.norm(descriptors.astype(np.float32), axis=1).clip(1e-9)
    queries = [
        normalise(generator.normal(size=(2, d))) * w
        for d, w in zip((6, 40, 12), weights, strict=True)
    ]
    terms: list[ScoreTerm | JaccardTerm] = [
        ScoreTerm("learned", learned, queries[0]),
        ScoreTerm("embedding", rows, queries[1]),
        ScoreTerm("colour", descriptors, queries[2], scale.astype(np.float32)),
    ]
    allowed = generator.random(items) >= masked
    some = min(n, int(allowed.sum()))
    if some == 0:
        return
    scores = np.where(allowed, 0, -np.inf).astype(np.float32)[None]
    near = nearest(terms, 1, some, None, scores)
    exact = np.where(allowed, whole(terms, items, 1), -np.inf)
    best = np.argsort(-exact, kind="stable")[:some]
    assert set(best.tolist()) <= set(near.tolist())
    assert (np.diff(near) > 0).all()
    # The same among some rows that were chosen before.
    chosen = np.flatnonzero(allowed)
    near = nearest(terms, 1, some, chosen, np.zeros((1, len(chosen)), np.float32))
    assert set(best.tolist()) <= set(chosen[near].tolist())


def test_most_of_what_weighs_little_is_not_read() -> None:
    generator = np.random.default_rng(0)
    learned = normalise(generator.normal(size=(5_000, 8)))
    bare = normalise(generator.normal(size=(5_000, 64))).view(Counted)
    terms: list[ScoreTerm | JaccardTerm] = [
        ScoreTerm("embedding", bare, normalise(np.asarray(bare[:1]) + 0.01) * 0.1),
        ScoreTerm("learned", learned, learned[:1] * 0.9),
    ]
    Counted.taken = 0
    near = nearest(terms, 0, 10, None, np.zeros((1, 5_000), np.float32))
    assert Counted.taken < 1_000
    exact = whole(terms, 5_000, 0)
    assert set(np.argsort(-exact)[:10].tolist()) <= set(near.tolist())
