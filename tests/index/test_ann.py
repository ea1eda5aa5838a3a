"""Candidates instead of all items: what a large catalogue is searched with."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fitting_room.index.reduction import PCA

from fitting_room.build import embedding_map, writer
from fitting_room.build.writer import write_head, write_index
from fitting_room.imaging.descriptors import (
    COLOURS,
    DESCRIPTOR_LENGTH,
    PLAIN_BACKGROUND,
    SILHOUETTE,
)
from fitting_room.imaging.features import Features, normalise
from fitting_room.index import ann, near
from fitting_room.index import index as index_module
from fitting_room.index.ann import AnnIndex, AnnSearchParams
from fitting_room.index.index import Index
from fitting_room.index.manifest import NEIGHBOURS, SKETCH, TRAINED_NEIGHBOURS, IndexUnusable
from fitting_room.index.scoring import JACCARD, SimilarityOptions
from fitting_room.index.vectors import FLOAT32, INT8, STORAGES
from fitting_room.util.tables import Table
from tests.index.test_scoring import a_head

ITEMS, DIMENSION, RESULTS = 4_000, 24, 10


def groups_of(seed: int, count: int, width: int, spread: float) -> np.ndarray:
    """Rows around some centres, as those of a catalogue are; each kind has colours of its own."""
    generator = np.random.default_rng(seed)
    kinds = np.random.default_rng(0).integers(40, size=count)
    rows = generator.normal(size=(40, width))[kinds]
    return rows + generator.normal(size=rows.shape) * spread


def catalogue(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    vectors = normalise(groups_of(seed, count, DIMENSION, 0.6))
    looks = np.zeros((count, DESCRIPTOR_LENGTH), np.uint8)
    for part, at in ((COLOURS, 1), (SILHOUETTE, 2)):
        width = part.stop - part.start
        few = np.abs(groups_of(seed + at, count, 12, 0.4))  # as real ones, they have few directions
        rows = few @ np.random.default_rng(at).random((12, width)) ** 4
        looks[:, part] = np.clip(rows * 40, 0, 255)
    looks[:, PLAIN_BACKGROUND] = 255
    items = pd.DataFrame(
        {
            "id": [str(i) for i in range(count)],
            "image": [f"{i}.jpg" for i in range(count)],
            "digest": [f"{i:032x}" for i in range(count)],
            "third": [str(i % 3) for i in range(count)],
            "rare": [str(i % 100) for i in range(count)],
        }
    )
    return vectors, looks, items


def write(
    folder: Path,
    count: int = ITEMS,
    storage: str = FLOAT32,
    network: str = "none",
    **options: object,
) -> Index:
    vectors, looks, items = catalogue(0, ITEMS)
    write_index(
        folder,
        blocks=iter([(vectors[:count], looks[:count])]),
        items=Table(items.iloc[:count]),
        dimension=DIMENSION,
        head=None,
        storage=storage,
        manifest={
            "identity": {"backbone": network, "weights": "none", "weights_sha256": "0" * 64},
            "chosen_because": "a test",
            "catalogue": {"location": "nowhere", "report": {}},
            "counts": {"items": count, "failed": 0},
            "failures": [],
        },
        **{"near": True, "pca": None, **options},  # type: ignore[arg-type]
    )
    return Index.open(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("near") / "index"
    write(folder)
    return folder


def _no_map(index: Index, *_: object) -> embedding_map.Map:
    record = {"basis": "", "laid_out": len(index), "changed": 0}
    return embedding_map.Map(np.zeros((len(index), 2), np.float32), record)


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some thousand items stand for millions, and no map is drawn of them."""
    monkeypatch.setattr(embedding_map, "draw", _no_map)
    monkeypatch.setattr(index_module, "FEW_ITEMS", 500)


@pytest.fixture
def questions() -> list[Features]:
    """Items, a little changed."""
    vectors, looks, _ = catalogue(0, ITEMS)
    rows = np.arange(0, ITEMS, 50)
    noise = np.random.default_rng(1).normal(size=(len(rows), DIMENSION)) * 0.02
    asked = normalise(vectors[rows] + noise)
    return [Features(v[None], look) for v, look in zip(asked, looks[rows], strict=True)]


def recall(index: Index, questions: list[Features], **options: object) -> float:
    found = index.search(questions, RESULTS, **options)  # type: ignore[arg-type]
    exact = index.search(questions, RESULTS, exact=True, **options)  # type: ignore[arg-type]
    return float(
        np.mean([np.isin(e.rows, f.rows).mean() for e, f in zip(exact, found, strict=True)])
    )


def looked_at(index: Index, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the searches that went by candidates."""
    calls: list[int] = []
    candidates = AnnIndex.candidates

    def counted(self: AnnIndex, queries: np.ndarray, *rest: object) -> object:
        calls.append(len(queries))
        return candidates(self, queries, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(AnnIndex, "candidates", counted)
    return calls


@pytest.mark.parametrize("colour", [0.0, 0.12, 0.5, 1.0])
def test_for_every_weight_of_colour_the_best_are_found(
    made: Path, questions: list[Features], monkeypatch: pytest.MonkeyPatch, colour: float
) -> None:
    index = Index.open(made)
    calls = looked_at(index, monkeypatch)
    assert recall(index, questions, options=SimilarityOptions(colour=colour)) >= 0.97
    assert calls == [len(questions)]


def test_likenesses_of_candidates_are_exact(made: Path, questions: list[Features]) -> None:
    index = Index.open(made)
    for found, exact in zip(
        index.search(questions, RESULTS), index.search(questions, RESULTS, exact=True), strict=True
    ):
        both = dict(zip(exact.rows.tolist(), exact.similarities.tolist(), strict=True))
        for row, likeness in zip(found.rows.tolist(), found.similarities.tolist(), strict=True):
            assert row not in both or likeness == both[row]
        assert (np.diff(found.similarities) <= 0).all()


def test_a_filter_loses_nothing(
    made: Path, questions: list[Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index.open(made)
    calls = looked_at(index, monkeypatch)
    third = index.mask({"third": "1"})
    for hits in index.search(questions, RESULTS, {"third": "1"}):
        assert len(hits) == RESULTS
        assert third[hits.rows].all()
    assert recall(index, questions, where={"third": "1"}) >= 0.97
    assert len(calls) == 2
    # Few are left: all of them are compared.
    assert recall(index, questions, where={"rare": "7"}) == 1
    assert len(calls) == 2


def test_what_is_excluded_is_not_answered(made: Path, questions: list[Features]) -> None:
    index = Index.open(made)
    exclude = np.arange(ITEMS) % 2 == 0
    for hits in index.search(questions, RESULTS, exclude=exclude):
        assert (hits.rows % 2 == 1).all()


@pytest.mark.parametrize(
    ("n", "ranking"),
    [(ITEMS // 50, SimilarityOptions()), (RESULTS, SimilarityOptions(metric=JACCARD))],
)
def test_what_candidates_cannot_answer_is_answered_by_all(
    made: Path,
    questions: list[Features],
    monkeypatch: pytest.MonkeyPatch,
    n: int,
    ranking: SimilarityOptions,
) -> None:
    index = Index.open(made)
    calls = looked_at(index, monkeypatch)
    (hits,) = index.search(questions[:1], n, options=ranking)
    assert len(hits) == n
    assert calls == []


def test_too_few_candidates_are_made_good(
    made: Path, questions: list[Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index.open(made)
    monkeypatch.setattr(AnnIndex, "candidates", lambda *_: [np.arange(3)])
    (found,) = index.search(questions[:1], RESULTS)
    (exact,) = index.search(questions[:1], RESULTS, exact=True)
    np.testing.assert_array_equal(found.rows, exact.rows)


@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage_finds_nearly_the_same(
    tmp_path: Path, made: Path, questions: list[Features], storage: str
) -> None:
    index = write(tmp_path / "index", storage=storage)
    assert recall(index, questions) >= 0.97
    exact = Index.open(made).search(questions, RESULTS, exact=True)
    found = index.search(questions, RESULTS, exact=True)
    same = [np.isin(e.rows, f.rows).mean() for e, f in zip(exact, found, strict=True)]
    assert np.mean(same) >= {FLOAT32: 1.0, "float16": 0.99, INT8: 0.95}[storage]
    bytes_of = {FLOAT32: 4, "float16": 2, INT8: 1}[storage]
    size = (tmp_path / "index" / "vectors.npy").stat().st_size
    assert size == pytest.approx(ITEMS * DIMENSION * bytes_of, abs=256)


def test_a_head_has_candidates_of_its_own(
    tmp_path: Path, questions: list[Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "index")
    write_head(tmp_path / "index", a_head(DIMENSION))
    index = Index.open(tmp_path / "index")
    calls = looked_at(index, monkeypatch)
    # What this head makes of pictures has nothing to do with their embeddings, which have a share.
    monkeypatch.setattr(near, "TRAINED", AnnSearchParams(64, 8, 1_200))
    assert recall(index, questions, options=SimilarityOptions(trained=True)) >= 0.95
    assert recall(index, questions, options=SimilarityOptions(trained=False)) >= 0.97
    assert len(calls) == 2
    write_head(tmp_path / "index", None)
    assert not (tmp_path / "index" / TRAINED_NEIGHBOURS).exists()
    assert recall(Index.open(tmp_path / "index"), questions) >= 0.97


def test_a_catalogue_that_grew_learns_nothing_anew(
    tmp_path: Path, questions: list[Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "index", ITEMS - 10)
    monkeypatch.setattr(ann, "_sample", lambda *_: pytest.fail("centres were learned"))
    index = write(tmp_path / "index", ITEMS)
    assert len(index) == ITEMS
    assert recall(index, questions) >= 0.97


def test_what_another_network_taught_is_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "index")
    learned: list[int] = []
    sample = ann._sample

    def counted(*given: object) -> np.ndarray:
        learned.append(1)
        return sample(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(ann, "_sample", counted)
    write(tmp_path / "index")
    assert learned == []
    write(tmp_path / "index", network="another")
    assert learned == [1]


@pytest.mark.parametrize("then", [None, "other"])
def test_nor_what_was_learned_of_embeddings_reduced_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str | None
) -> None:
    generator = np.random.default_rng(0)
    reductions = {
        name: PCA.fit(normalise(generator.normal(size=(100, DIMENSION))), DIMENSION)
        for name in ("first", "other")
    }
    index = write(tmp_path / "index", pca=reductions["first"])
    taken_over = writer._learned(index, index.manifest, reductions["first"])
    assert taken_over is not None
    reduced = None if then is None else reductions[then]
    assert writer._learned(index, index.manifest, reduced) is None


def test_only_large_catalogues_have_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert write(tmp_path / "small", 200, near=None).near is None
    monkeypatch.setattr(writer, "WORTHWHILE_FROM", 200 * DIMENSION)
    assert write(tmp_path / "large", 200, near=None).near is not None


def test_without_the_library_all_items_are_compared_and_that_is_said(
    made: Path,
    tmp_path: Path,
    questions: list[Features],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    exact = Index.open(made).search(questions, RESULTS, exact=True)
    for module in (near, writer):
        monkeypatch.setattr(module, "is_available", lambda: False)
    monkeypatch.setattr(writer, "WORTHWHILE_FROM", 1)
    with caplog.at_level(logging.WARNING):
        index = Index.open(made)
        for one, other in zip(exact, index.search(questions, RESULTS), strict=True):
            np.testing.assert_array_equal(one.rows, other.rows)
        assert "pip install 'fitting-room[scale]'" in caplog.text
        caplog.clear()
        assert write(tmp_path / "index", 200, near=None).near is None
        assert "pip install 'fitting-room[scale]'" in caplog.text


@pytest.mark.parametrize("name", [NEIGHBOURS, SKETCH])
@pytest.mark.parametrize("harm", ["cut", "noise", "other"])
def test_a_file_that_is_no_such_thing_is_told(tmp_path: Path, name: str, harm: str) -> None:
    write(tmp_path / "index", 300)
    path = tmp_path / "index" / name
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif harm == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))
    else:
        write(tmp_path / "other", 200)
        path.write_bytes((tmp_path / "other" / name).read_bytes() + b"\0")
    with pytest.raises(IndexUnusable, match="Build it again"):
        Index.open(tmp_path / "index")


@pytest.mark.parametrize("again", [False, True])
def test_the_file_is_what_faiss_would_write(tmp_path: Path, again: bool) -> None:
    import faiss

    rows = normalise(np.random.default_rng(0).normal(size=(3_000, 8)))

    def blocks() -> Iterator[np.ndarray]:
        yield from np.array_split(rows, 7)

    path = tmp_path / "file"
    AnnIndex.write(path, blocks, len(rows), 8)
    previous = AnnIndex.open(path, len(rows), 8) if again else None
    AnnIndex.write(path, blocks, len(rows), 8, previous=previous)
    assert list(tmp_path.iterdir()) == [path]
    inverted = AnnIndex._learned(blocks, len(rows), 8, previous, 0)
    for block in blocks():
        inverted.add(np.ascontiguousarray(block))
    faiss.write_index(inverted, str(tmp_path / "by faiss"))
    assert path.read_bytes() == (tmp_path / "by faiss").read_bytes()


def test_a_faiss_that_writes_otherwise_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = normalise(np.random.default_rng(0).normal(size=(100, 8)))
    monkeypatch.setattr("faiss.serialize_index", lambda _: np.zeros(500, np.uint8))
    with pytest.raises(ann.AnnIndexError, match=r"faiss .* writes other files"):
        AnnIndex.write(tmp_path / "file", lambda: iter([rows]), 100, 8)
    with pytest.raises(IndexUnusable, match=r"cannot be written. faiss .* pip install"):
        write(tmp_path / "index", 200)


@pytest.mark.parametrize("count", [90, 110])
def test_other_rows_than_were_promised_are_an_error(tmp_path: Path, count: int) -> None:
    rows = normalise(np.random.default_rng(0).normal(size=(100, 8)))
    with pytest.raises(ValueError, match=f"100 rows for {count} items"):
        AnnIndex.write(tmp_path / "file", lambda: iter([rows]), count, 8)


def test_a_structure_of_another_index_is_refused(tmp_path: Path) -> None:
    rows = normalise(np.random.default_rng(0).normal(size=(100, 8)))
    AnnIndex.write(tmp_path / "file", lambda: iter([rows]), 100, 8)
    assert AnnIndex.open(tmp_path / "file", 100, 8)
    for count, dimension in ((99, 8), (100, 9)):
        with pytest.raises(ann.AnnIndexError, match="does not belong"):
            AnnIndex.open(tmp_path / "file", count, dimension)
