"""Candidates instead of all items: what a large catalogue is searched with."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fitting_room.build import embedding_map, writer
from fitting_room.build.writer import Block, write_head, write_index
from fitting_room.imaging.descriptors import (
    COLOURS,
    DESCRIPTOR_LENGTH,
    PLAIN_BACKGROUND,
    SILHOUETTE,
)
from fitting_room.imaging.features import Features, normalise
from fitting_room.index import ann, inverted_file
from fitting_room.index.ann import (
    ANN_ENCODER,
    ANN_INDEX,
    TRAINED_ANN_INDEX,
    Ann,
    AnnEncoder,
    write_ann,
)
from fitting_room.index.data import current_version
from fitting_room.index.index import Index
from fitting_room.index.inverted_file import AnnIndex, AnnIndexError, AnnSearchParams
from fitting_room.index.manifest import IndexUnusable
from fitting_room.index.scoring import JACCARD, SimilarityOptions
from fitting_room.index.vectors import FLOAT32, INT8, PCA
from tests.index.made import manifest_of
from tests.index.test_scoring import a_head

ITEMS, DIMENSION, RESULTS = 4_000, 24, 10


def clustered(seed: int, count: int, width: int, spread: float) -> np.ndarray:
    """Rows around 40 centres; row ``i`` belongs to the same centre whatever the seed."""
    generator = np.random.default_rng(seed)
    kinds = np.random.default_rng(0).integers(40, size=count)
    rows = generator.normal(size=(40, width))[kinds]
    return rows + generator.normal(size=rows.shape) * spread


@cache
def catalogue() -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Vectors, descriptors and items."""
    vectors = normalise(clustered(0, ITEMS, DIMENSION, 0.6))
    descriptors = np.zeros((ITEMS, DESCRIPTOR_LENGTH), np.uint8)
    for part, seed in ((COLOURS, 1), (SILHOUETTE, 2)):
        width = part.stop - part.start
        few = np.abs(clustered(seed, ITEMS, 12, 0.4))  # real ones vary in few directions, too
        rows = few @ np.random.default_rng(seed).random((12, width)) ** 4
        descriptors[:, part] = np.clip(rows * 40, 0, 255)
    descriptors[:, PLAIN_BACKGROUND] = 255
    numbers = range(ITEMS)
    items = pd.DataFrame(
        {
            "id": [str(i) for i in numbers],
            "image": [f"{i}.jpg" for i in numbers],
            "digest": [f"{i:032x}" for i in numbers],
            "third": [str(i % 3) for i in numbers],
            "rare": [str(i % 100) for i in numbers],
        }
    )
    return vectors, descriptors, items


def write(
    folder: Path,
    count: int = ITEMS,
    storage: str = FLOAT32,
    network: str = "none",
    **options: object,
) -> Index:
    vectors, descriptors, items = catalogue()
    identity = {"backbone": network, "weights": "none", "weights_sha256": "0" * 64}
    manifest = manifest_of(count, DIMENSION, storage, identity=identity)
    blocks = [Block(vectors[:count], descriptors[:count])]
    options = {"ann": True, **options}
    write_index(folder, blocks, items.iloc[:count], manifest, **options)  # type: ignore[arg-type]
    return Index.open(folder)


@pytest.fixture(autouse=True, scope="module")
def _small_is_large() -> Iterator[None]:
    """Some thousand items stand for millions, and no map is drawn of them."""

    def no_map(rows: np.ndarray, *_: object) -> embedding_map.Map:
        record = {"basis": "", "laid_out": len(rows), "changed": 0}
        return embedding_map.Map(np.zeros((len(rows), 2), np.float32), record)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding_map, "draw", no_map)
        patch.setattr(ann, "FEW_ITEMS", 500)
        yield


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return write(tmp_path_factory.mktemp("ann") / "index")


@pytest.fixture(scope="module")
def queries() -> list[Features]:
    """Items, a little changed."""
    vectors, descriptors, _ = catalogue()
    rows = np.arange(0, ITEMS, 50)
    noise = np.random.default_rng(1).normal(size=(len(rows), DIMENSION)) * 0.02
    changed = normalise(vectors[rows] + noise)
    return [Features(v[None], d) for v, d in zip(changed, descriptors[rows], strict=True)]


def recall(index: Index, queries: list[Features], **options: object) -> float:
    """The part of the exact results that are answered."""
    approximate = index.search(queries, RESULTS, **options)  # type: ignore[arg-type]
    exact = index.search(queries, RESULTS, exact=True, **options)  # type: ignore[arg-type]
    pairs = zip(exact, approximate, strict=True)
    return float(np.mean([np.isin(e.rows, a.rows).mean() for e, a in pairs]))


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of queries with each search for candidates."""
    calls: list[int] = []
    candidates = AnnIndex.candidates

    def counted(self: AnnIndex, queries: np.ndarray, *rest: object) -> object:
        calls.append(len(queries))
        return candidates(self, queries, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(AnnIndex, "candidates", counted)
    return calls


@pytest.mark.parametrize("colour", [0.0, 0.12, 0.5, 0.9, 1.0])
def test_the_exact_results_are_found_for_every_weight_of_colour(
    index: Index, queries: list[Features], searches: list[int], colour: float
) -> None:
    assert recall(index, queries, options=SimilarityOptions(colour=colour)) >= 0.97
    assert searches == [len(queries)]


def test_similarities_of_candidates_are_exact(index: Index, queries: list[Features]) -> None:
    approximate = index.search(queries, RESULTS)
    exact = index.search(queries, RESULTS, exact=True)
    for a, e in zip(approximate, exact, strict=True):
        expected = dict(zip(e.rows.tolist(), e.similarities.tolist(), strict=True))
        for row, similarity in zip(a.rows.tolist(), a.similarities.tolist(), strict=True):
            assert similarity == expected.get(row, similarity)
        assert (np.diff(a.similarities) <= 0).all()


def test_a_filter_loses_nothing(index: Index, queries: list[Features], searches: list[int]) -> None:
    third = index.mask({"third": "1"})
    for hits in index.search(queries, RESULTS, {"third": "1"}):
        assert len(hits) == RESULTS
        assert third[hits.rows].all()
    assert recall(index, queries, where={"third": "1"}) >= 0.97
    assert len(searches) == 2
    # So few are left here that all of them are compared.
    assert recall(index, queries, where={"rare": "7"}) == 1
    assert len(searches) == 2


def test_excluded_items_are_not_answered(index: Index, queries: list[Features]) -> None:
    exclude = np.arange(ITEMS) % 2 == 0
    for hits in index.search(queries, RESULTS, exclude=exclude):
        assert len(hits) == RESULTS
        assert (hits.rows % 2 == 1).all()


@pytest.mark.parametrize(
    ("n", "options"),
    [(ITEMS // 50, SimilarityOptions()), (RESULTS, SimilarityOptions(metric=JACCARD))],
)
def test_all_items_are_compared_for_many_results_and_other_metrics(
    index: Index, queries: list[Features], searches: list[int], n: int, options: SimilarityOptions
) -> None:
    (hits,) = index.search(queries[:1], n, options=options)
    assert len(hits) == n
    assert searches == []


def test_all_items_are_compared_where_too_few_candidates_were_found(
    index: Index, queries: list[Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnnIndex, "candidates", lambda *_: [np.arange(3)])
    (hits,) = index.search(queries[:1], RESULTS)
    (exact,) = index.search(queries[:1], RESULTS, exact=True)
    np.testing.assert_array_equal(hits.rows, exact.rows)


@pytest.mark.parametrize(("storage", "same", "size"), [("float16", 0.99, 2), (INT8, 0.95, 1)])
def test_shorter_storages_find_nearly_the_same(
    tmp_path: Path, index: Index, queries: list[Features], storage: str, same: float, size: int
) -> None:
    stored = write(tmp_path / "index", storage=storage)
    assert recall(stored, queries) >= 0.97
    pairs = zip(
        index.search(queries, RESULTS, exact=True),
        stored.search(queries, RESULTS, exact=True),
        strict=True,
    )
    assert np.mean([np.isin(e.rows, s.rows).mean() for e, s in pairs]) >= same
    bytes_on_disk = (current_version(stored.folder) / "vectors.npy").stat().st_size
    assert bytes_on_disk == pytest.approx(ITEMS * DIMENSION * size, abs=256)


def test_a_head_has_candidates_of_its_own(
    tmp_path: Path,
    index: Index,
    queries: list[Features],
    searches: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "index"
    shutil.copytree(index.folder, folder)
    write_head(folder, a_head(DIMENSION))
    headed = Index.open(folder)
    # This head's projections have nothing to do with the embeddings, which have a share.
    monkeypatch.setattr(ann, "TRAINED", AnnSearchParams(64, 8, 1_200))
    # Where so many are wanted of so few, all are compared.
    monkeypatch.setattr("fitting_room.index.index.COPY_AMONG", RESULTS)
    assert recall(headed, queries, options=SimilarityOptions(trained=True)) >= 0.95
    assert recall(headed, queries, options=SimilarityOptions(trained=False)) >= 0.97
    assert len(searches) == 2
    write_head(folder, None)
    without = Index.open(folder)
    assert TRAINED_ANN_INDEX not in without.manifest.files
    assert recall(without, queries) >= 0.97


# --- what an earlier index learned ----------------------------------------------------------------


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each sample that centres are learned from."""
    calls: list[int] = []
    sample = inverted_file._sample

    def counted(*given: object) -> np.ndarray:
        calls.append(1)
        return sample(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(inverted_file, "_sample", counted)
    return calls


def test_a_catalogue_that_grew_needs_no_learning_unless_the_network_changed(
    tmp_path: Path, queries: list[Features], learned: list[int]
) -> None:
    write(tmp_path / "index", ITEMS - 10)
    assert len(learned) == 1
    grown = write(tmp_path / "index", ITEMS)
    assert len(learned) == 1
    assert len(grown) == ITEMS
    assert recall(grown, queries) >= 0.97
    write(tmp_path / "index", 200, network="another")
    assert len(learned) == 2


@pytest.mark.parametrize("then", [None, "other"])
def test_embeddings_reduced_otherwise_need_learning(tmp_path: Path, then: str | None) -> None:
    generator = np.random.default_rng(0)
    reductions = {
        name: PCA.fit(normalise(generator.normal(size=(100, DIMENSION))), DIMENSION)
        for name in ("first", "other")
    }
    index = write(tmp_path / "index", 200, pca=reductions["first"])
    assert writer._learned(index, index.manifest, reductions["first"]) is not None
    reduced = None if then is None else reductions[then]
    assert writer._learned(index, index.manifest, reduced) is None


def test_centres_are_learned_again_for_another_dimension_or_size(
    tmp_path: Path, learned: list[int]
) -> None:
    vectors, descriptors, _ = catalogue()

    def written(count: int, dimension: int, previous: Ann | None) -> Ann | None:
        write_ann(tmp_path, vectors[:count, :dimension], descriptors[:count], previous=previous)
        return Ann.open(tmp_path, count=count, dimension=dimension, head_dimension=None)

    first = written(2_000, 8, None)
    written(2_200, 8, first)
    assert len(learned) == 1
    written(2_000, 9, first)
    assert len(learned) == 2
    written(200, 8, first)
    assert len(learned) == 3


# --- the files --------------------------------------------------------------------------------


def test_only_large_catalogues_have_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert write(tmp_path / "small", 200, ann=None).ann is None
    monkeypatch.setattr(writer, "WORTHWHILE_FROM", 200 * DIMENSION)
    assert write(tmp_path / "large", 200, ann=None).ann is not None


def test_without_faiss_all_items_are_compared_and_a_warning_says_so(
    index: Index,
    tmp_path: Path,
    queries: list[Features],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    exact = index.search(queries, RESULTS, exact=True)
    for module in (ann, writer):
        monkeypatch.setattr(module, "is_available", lambda: False)
    monkeypatch.setattr(writer, "WORTHWHILE_FROM", 1)
    with caplog.at_level(logging.WARNING):
        without = Index.open(index.folder)
        for e, hits in zip(exact, without.search(queries, RESULTS), strict=True):
            np.testing.assert_array_equal(e.rows, hits.rows)
        assert "pip install 'fitting-room[scale]'" in caplog.text
        caplog.clear()
        assert write(tmp_path / "index", 200, ann=None).ann is None
        assert "pip install 'fitting-room[scale]'" in caplog.text


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "index"
    write(folder, 300)
    return folder


@pytest.mark.parametrize("name", [ANN_INDEX, ANN_ENCODER])
@pytest.mark.parametrize("damage", ["cut", "noise", "other"])
def test_a_damaged_file_is_reported(tmp_path: Path, small: Path, name: str, damage: str) -> None:
    folder = tmp_path / "index"
    shutil.copytree(small, folder)
    version = current_version(folder)
    whole = (version / name).read_bytes()
    other = {"cut": whole[:-100], "noise": np.random.default_rng(0).bytes(len(whole))}
    (version / name).write_bytes(other.get(damage, whole + b"\0"))
    if damage != "other":
        with pytest.raises(AnnIndexError, match=f"{name} is damaged"):
            Ann.open(version, count=300, dimension=DIMENSION, head_dimension=None)
    with pytest.raises(IndexUnusable, match="Build it again"):
        Index.open(folder)


def test_files_of_another_index_are_refused(small: Path) -> None:
    width = AnnEncoder.load(current_version(small) / ANN_ENCODER, DIMENSION).width
    for count, dimension in ((299, width), (300, width + 1)):
        with pytest.raises(AnnIndexError, match="does not belong to this index"):
            AnnIndex.open(current_version(small) / ANN_INDEX, count, dimension)
    with pytest.raises(AnnIndexError, match="does not belong to this index"):
        AnnEncoder.load(current_version(small) / ANN_ENCODER, DIMENSION + 1)
