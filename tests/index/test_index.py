"""Embeddings on disk, exact search in them, and what happens to a damaged index."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fitting_room.build.writer import write_index
from fitting_room.imaging.descriptors import DESCRIPTOR_LENGTH
from fitting_room.imaging.features import normalise
from fitting_room.index import manifest
from fitting_room.index.head import Head
from fitting_room.index.index import FilterError, Index
from fitting_room.index.manifest import (
    DESCRIPTORS,
    ITEMS,
    MANIFEST,
    MAP,
    PCA_FILE,
    VECTORS,
    IndexUnusable,
    file_entry,
)
from fitting_room.index.reduction import PCA, ReductionError
from fitting_room.index.scoring import Hits
from fitting_room.util.tables import Table

IDENTITY = {
    "backbone": "resnet50",
    "weights": "IMAGENET1K_V1",
    "weights_sha256": "0" * 64,
    "preprocessing": {"input_size": [224, 168]},
}


def table(count: int, **columns: Iterable[object]) -> pd.DataFrame:
    ids = [f"item-{i}" for i in range(count)]
    items = {"id": ids, "image": [f"{i}.jpg" for i in ids], "signature": "s", "digest": "d"}
    return pd.DataFrame(items | columns, dtype="str")


def description(count: int) -> dict[str, Any]:
    """What a builder hands on for the manifest."""
    return {
        "identity": IDENTITY,
        "chosen_because": "a test",
        "advice": None,
        "catalogue": {
            "location": "/nowhere",
            "fingerprint": "f",
            "report": {"rows": count, "items": count},
        },
        "counts": {"rows": count, "items": count, "repaired": 0, "dropped": 0, "failed": 0},
        "failures": [],
    }


def looks(count: int) -> np.ndarray:
    """Appearances of which nothing is known."""
    return np.zeros((count, DESCRIPTOR_LENGTH), np.uint8)


def with_looks(blocks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for block in blocks:
        yield block, looks(len(block))


def write(
    folder: Path,
    vectors: np.ndarray,
    items: pd.DataFrame | None = None,
    pca: PCA | None = None,
    head: Head | None = None,
) -> Index:
    write_index(
        folder,
        blocks=with_looks(np.array_split(vectors, 3)),
        items=Table(table(len(vectors)) if items is None else items),
        dimension=vectors.shape[1],
        pca=pca,
        head=head,
        manifest=description(len(vectors)),
    )
    return Index.open(folder)


def in_memory(vectors: np.ndarray, items: pd.DataFrame | None = None) -> Index:
    items = table(len(vectors)) if items is None else items
    manifest = {"dimension": vectors.shape[1], "calibration": None, "counts": {"studio": 0}}
    return Index(Path("memory"), manifest, vectors, looks(len(vectors)), items, None)


def random_rows(seed: int, count: int, dimension: int) -> np.ndarray:
    return normalise(np.random.default_rng(seed).normal(size=(count, dimension)))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder of an index of 12 items with 5 numbers each."""
    folder = tmp_path / "index"
    write(folder, random_rows(1, 12, 5), table(12, gender=["Men", "Women"] * 6))
    return folder


# --- on disk ----------------------------------------------------------------------------------


def test_what_is_written_is_what_is_opened(tmp_path: Path) -> None:
    vectors = random_rows(0, 20, 6)
    items = table(20, gender=["Men", None, "Wömen", "Boys"] * 5)
    index = write(tmp_path / "deep" / "index", vectors, items)
    np.testing.assert_array_equal(index.vectors, vectors)
    assert isinstance(index.vectors, np.memmap)
    assert index.items["id"].tolist() == items["id"].tolist()
    assert index.items["gender"].isna().tolist() == items["gender"].isna().tolist()
    assert index.items["gender"].dropna().tolist() == items["gender"].dropna().tolist()
    assert (len(index), index.dimension, index.pca) == (20, 6, None)
    assert index.identity == IDENTITY
    index.verify()


def test_a_written_index_leaves_nothing_beside_it(tmp_path: Path) -> None:
    for _ in range(2):
        write(tmp_path / "index", random_rows(0, 5, 3))
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert sorted(p.name for p in (tmp_path / "index").iterdir()) == sorted(
        [VECTORS, DESCRIPTORS, ITEMS, MANIFEST, MAP]
    )


def test_an_index_that_cannot_be_finished_leaves_the_old_one_and_nothing_else(made: Path) -> None:
    with pytest.raises(ValueError, match="9 rows for 10 items"):
        write(made, random_rows(2, 9, 5), table(10))
    assert [path.name for path in made.parent.iterdir()] == ["index"]
    assert len(Index.open(made)) == 12


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
        found = rows[which[rows] == one]
        assert found.tolist() == allowed[which[allowed] == one][: len(found)].tolist()


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


@hypothesis_settings(deadline=None, max_examples=150)
@given(searches())
def test_search_is_exact(case: tuple[np.ndarray, np.ndarray, int, np.random.Generator]) -> None:
    vectors, queries, n, _ = case
    found = in_memory(vectors).search(queries, n)
    assert len(found) == len(queries)
    for hits, query in zip(found, queries, strict=True):
        check(hits, vectors, query, n)


@hypothesis_settings(deadline=None, max_examples=150)
@given(searches(), st.sampled_from([0.02, 0.1, 0.5, 0.95]))
def test_filtered_search_is_exact(
    case: tuple[np.ndarray, np.ndarray, int, np.random.Generator], share: float
) -> None:
    """A rare value is searched in another way than a frequent one; the answer is the same."""
    vectors, queries, n, generator = case
    passes = generator.random(len(vectors)) < share
    index = in_memory(vectors, table(len(vectors), gender=np.where(passes, "Women", "Men")))
    found = index.search(queries, n, {"gender": "Women"})
    for hits, query in zip(found, queries, strict=True):
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
def goods() -> Index:
    """Every pair of 4 genders and 5 colours, five times."""
    genders, colours = ["Men", "Women", "Boys", "Girls"], ["Red", "Blue", "Grey", "Pink", "Gold"]
    pairs = [(g, c) for _ in range(5) for g in genders for c in colours]
    items = table(100, gender=[g for g, _ in pairs], baseColour=[c for _, c in pairs])
    return in_memory(random_rows(10, 100, 8), items)


def found_in(index: Index, where: dict[str, Any]) -> pd.DataFrame:
    (hits,) = index.search(random_rows(11, 1, 8), 1000, where)
    return index.items.iloc[hits.rows]


def test_any_of_the_values_of_a_column_passes(goods: Index) -> None:
    found = found_in(goods, {"gender": ["Women", "Girls"]})
    assert len(found) == 50
    assert set(found["gender"]) == {"Women", "Girls"}


def test_all_of_the_columns_must_pass(goods: Index) -> None:
    found = found_in(goods, {"gender": ["Women", "Girls"], "baseColour": "Red"})
    assert len(found) == 10
    assert set(found["gender"]) == {"Women", "Girls"}
    assert set(found["baseColour"]) == {"Red"}


def test_an_item_is_found_by_its_id(goods: Index) -> None:
    assert found_in(goods, {"id": "item-42"})["id"].tolist() == ["item-42"]


def test_no_filter_is_everything(goods: Index) -> None:
    assert len(found_in(goods, {})) == 100


@pytest.mark.parametrize("where", [{"gender": []}, {"gender": "Dogs"}, {"gender": "men"}])
def test_a_filter_that_nothing_passes_is_no_error(goods: Index, where: dict[str, Any]) -> None:
    assert len(found_in(goods, where)) == 0
    many = goods.search(random_rows(12, 3, 8), 5, where)
    assert [len(hits) for hits in many] == [0, 0, 0]


def test_a_missing_value_passes_no_filter() -> None:
    index = in_memory(random_rows(1, 4, 8), table(4, gender=["Men", None, "Men", None]))
    assert set(found_in(index, {"gender": "Men"})["id"]) == {"item-0", "item-2"}
    assert len(found_in(index, {"gender": ["nan", "None", ""]})) == 0


@pytest.mark.parametrize("column", ["color", "", "image", "signature", "digest"])
def test_an_unknown_column_is_refused_and_the_known_ones_are_named(
    goods: Index, column: str
) -> None:
    with pytest.raises(FilterError, match=r"id.*gender.*baseColour"):
        goods.search(random_rows(11, 1, 8), 5, {column: "Red"})


# --- reduction --------------------------------------------------------------------------------


def test_a_reduced_index_is_searched_with_full_embeddings(tmp_path: Path) -> None:
    generator = np.random.default_rng(13)
    full = normalise(generator.normal(size=(200, 6)) @ generator.normal(size=(6, 40)) + 0.5)
    pca = PCA.fit(full, 6)
    index = write(tmp_path / "index", pca(full), pca=pca)
    assert (index.dimension, index.vectors.shape) == (6, (200, 6))
    assert index.manifest["pca"] == {"dimension": 6, "fitted_on": 200}
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


# --- damage -----------------------------------------------------------------------------------


def flip(path: Path, at: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / MANIFEST
    manifest = json.loads(path.read_text("utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), "utf-8")


def forge(folder: Path, name: str) -> None:
    """Make the manifest agree with a file that was changed, as somebody hostile would."""
    change_manifest(folder, lambda m: m["files"].update({name: file_entry(folder / name)}))


def put(folder: Path, text: str | bytes) -> None:
    (folder / MANIFEST).write_bytes(text.encode() if isinstance(text, str) else text)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "vectors cut": lambda f: cut(f / VECTORS),
    "vectors gone": lambda f: (f / VECTORS).unlink(),
    "vectors empty": lambda f: (f / VECTORS).write_bytes(b""),
    "items changed": lambda f: flip(f / ITEMS),
    "items cut": lambda f: cut(f / ITEMS),
    "items gone": lambda f: (f / ITEMS).unlink(),
    "manifest gone": lambda f: (f / MANIFEST).unlink(),
    "manifest empty": lambda f: put(f, ""),
    "manifest of bytes": lambda f: put(f, b"\xff\xfe\x00garbage"),
    "manifest a list": lambda f: put(f, "[1, 2]"),
    "manifest a text": lambda f: put(f, '"fitting-room-index"'),
    "manifest of another program": lambda f: put(f, '{"name": "web app", "files": {}}'),
    "manifest too deep": lambda f: put(f, "[" * 200_000),
    "manifest with a huge number": lambda f: put(f, '{"format": ' + "9" * 10_000 + "}"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_refused(made: Path, damage: str) -> None:
    DAMAGES[damage](made)
    with pytest.raises(IndexUnusable, match=r"[Bb]uild"):
        Index.open(made)


@pytest.mark.parametrize("count", [-1, 0, 11, 13, 10**18, 1e300, float("inf"), "12", None, [12]])
def test_a_manifest_with_another_number_of_items_is_refused(made: Path, count: Any) -> None:
    change_manifest(made, lambda m: m["counts"].update(items=count))
    with pytest.raises(IndexUnusable):
        Index.open(made)


@pytest.mark.parametrize("dimension", [-5, 0, 4, 6, 10**18, float("nan"), "5", None, [5]])
def test_a_manifest_with_another_dimension_is_refused(made: Path, dimension: Any) -> None:
    change_manifest(made, lambda m: m.update(dimension=dimension))
    with pytest.raises(IndexUnusable):
        Index.open(made)


@pytest.mark.parametrize("size", [-1, 10**18, float("inf"), "12", None])
def test_a_manifest_with_another_file_size_is_refused(made: Path, size: Any) -> None:
    change_manifest(made, lambda m: m["files"][VECTORS].update(bytes=size))
    with pytest.raises(IndexUnusable):
        Index.open(made)


@pytest.mark.parametrize("version", [0, 1, 99, "1.1", None])
def test_an_index_of_another_format_version_is_refused(made: Path, version: Any) -> None:
    change_manifest(made, lambda m: m.update(format_version=version))
    with pytest.raises(IndexUnusable, match="format"):
        Index.open(made)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "..", "sub/vectors.npy", "", "other"])
def test_a_manifest_that_names_other_files_is_refused(made: Path, name: str) -> None:
    (made.parent.parent / "x").write_bytes(b"secret")
    change_manifest(
        made, lambda m: m["files"].update({name: {"bytes": 6, "sha256": m["files"][ITEMS]}})
    )
    with pytest.raises(IndexUnusable):
        Index.open(made)


@pytest.mark.parametrize("name", [VECTORS, ITEMS])
def test_a_manifest_that_names_too_few_files_is_refused(made: Path, name: str) -> None:
    change_manifest(made, lambda m: m["files"].pop(name))
    with pytest.raises(IndexUnusable):
        Index.open(made)


def test_every_part_of_a_manifest_may_be_missing(made: Path) -> None:
    """Then the index is refused, or it works all the same; nothing else happens."""
    whole = json.loads((made / MANIFEST).read_text("utf-8"))
    for key in whole:
        put(made, json.dumps({k: v for k, v in whole.items() if k != key}))
        try:
            assert len(Index.open(made)) == 12
        except IndexUnusable:
            continue


def test_a_changed_byte_in_the_vectors_is_found_by_verify(made: Path) -> None:
    flip(made / VECTORS, 0.9)
    index = Index.open(made)
    with pytest.raises(IndexUnusable, match=VECTORS):
        index.verify()


class _Evil:
    """Unpickled, it writes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.write_text, (self.marker, "the file ran code")


def test_vectors_that_would_be_unpickled_are_refused_and_are_not(made: Path) -> None:
    marker = made.parent / "marker"
    np.save(made / VECTORS, np.array([[_Evil(marker)] * 5] * 12), allow_pickle=True)
    forge(made, VECTORS)
    with pytest.raises(IndexUnusable):
        Index.open(made)
    assert not marker.exists()


def test_a_reduction_that_would_be_unpickled_is_refused_and_is_not(tmp_path: Path) -> None:
    full = random_rows(0, 20, 8)
    pca = PCA.fit(full, 3)
    write(tmp_path / "index", pca(full), pca=pca)
    marker = tmp_path / "marker"
    evil = np.array([_Evil(marker)])
    with (tmp_path / "index" / PCA_FILE).open("wb") as file:
        np.savez(file, mean=evil, components=evil, fitted_on=evil)
    forge(tmp_path / "index", PCA_FILE)
    with pytest.raises(IndexUnusable):
        Index.open(tmp_path / "index")
    assert not marker.exists()


def _save_archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, vectors=np.zeros((12, 5), np.float32))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: np.save(path, np.zeros((12, 5), np.float64)),
        lambda path: np.save(path, np.zeros((12, 6), np.float32)),
        lambda path: np.save(path, np.zeros((5, 12), np.float32)),
        lambda path: np.save(path, np.zeros(60, np.float32)),
        lambda path: np.save(path, np.array(5.0, np.float32)),
        lambda path: path.write_bytes(b"not an array at all, and long enough to be one"),
        lambda path: path.write_bytes(path.read_bytes().replace(b"(12, 5)", b"(99, 5)")),
        _save_archive,
    ],
    ids=["float64", "wide", "turned", "flat", "scalar", "garbage", "more than there is", "archive"],
)  # fmt: skip
def test_vectors_of_another_form_are_refused(made: Path, make: Callable[[Path], object]) -> None:
    make(made / VECTORS)
    forge(made, VECTORS)
    with pytest.raises(IndexUnusable):
        Index.open(made)


@pytest.mark.parametrize(
    "items",
    [table(11), table(0), table(12).drop(columns="id"), table(12).drop(columns="image")],
    ids=["fewer", "none", "no ids", "no pictures"],
)
def test_items_that_do_not_fit_are_refused(made: Path, items: pd.DataFrame) -> None:
    items.to_parquet(made / ITEMS)
    forge(made, ITEMS)
    with pytest.raises(IndexUnusable):
        Index.open(made)


def test_items_whose_pages_are_damaged_are_refused_when_they_are_read(made: Path) -> None:
    data = (made / ITEMS).read_bytes()
    (made / ITEMS).write_bytes(data[:4] + bytes(200) + data[204:])
    forge(made, ITEMS)
    with pytest.raises(IndexUnusable, match=r"[Bb]uild"):
        Index.open(made)
    index = Index.open(made, items=False)
    with pytest.raises(IndexUnusable, match=r"[Bb]uild"):
        index.keys(["id", "image"])


def test_items_that_are_no_table_are_refused(made: Path) -> None:
    whole = (made / ITEMS).read_bytes()
    for content in (
        b"",
        b"PAR1",
        b"garbage" * 100,
        whole[: len(whole) // 2],
        whole[:-8] + b"\0" * 8,
    ):
        (made / ITEMS).write_bytes(content)
        forge(made, ITEMS)
        with pytest.raises(IndexUnusable):
            Index.open(made)


def test_a_place_without_an_index_says_how_to_build_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    for name in ("nowhere", "empty", "file"):
        with pytest.raises(IndexUnusable, match="fitting-room build CATALOGUE --index"):
            Index.open(tmp_path / name)


# --- putting an index in place of another -----------------------------------------------------


def build_number(number: int, dimension: int = 16) -> tuple[np.ndarray, pd.DataFrame]:
    """Vectors and items that both tell which build they are of."""
    vectors = np.tile(np.eye(dimension, dtype=np.float32)[number % dimension], (8, 1))
    return vectors, table(8, build=[str(number % dimension)] * 8)


def test_an_open_index_outlives_its_replacement(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    old = write(folder, *build_number(1))
    new = write(folder, *build_number(2))
    for index, number in ((old, 1), (new, 2), (Index.open(folder), 2)):
        (hits,) = index.search(np.eye(16, dtype=np.float32)[number], 3)
        assert hits.similarities.tolist() == [1, 1, 1]
        assert set(index.items["build"]) == {str(number)}


def test_a_table_that_is_read_late_is_of_the_index_that_was_opened(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    write(folder, *build_number(1))
    index = Index.open(folder, items=False)
    assert (len(index), index.columns[-1]) == (8, "build")
    (keys,) = set(index.keys(["build"]).tolist())
    write(folder, *build_number(2))
    assert index.keys(["build"]).tolist() == [keys] * 8
    assert [list(block["build"]) for block in index.blocks(["build"])] == [["1"] * 8]
    assert set(index.items["build"]) == {"1"}
    assert index.keys(["build"]).tolist() == [keys] * 8
    assert Index.open(folder).keys(["build"])[0] != keys


def test_a_reader_never_sees_parts_of_two_builds(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    write(folder, *build_number(0))
    begun, end = threading.Event(), threading.Event()

    def replace_again_and_again() -> None:
        number = 0
        while not end.is_set() and number < 2_000:
            number += 1
            write_index(
                folder,
                blocks=with_looks([build_number(number)[0]]),
                items=Table(build_number(number)[1]),
                dimension=16,
                pca=None,
                head=None,
                manifest=description(8),
            )
            begun.set()

    writer = threading.Thread(target=replace_again_and_again)
    writer.start()
    seen: set[str] = set()
    try:
        assert begun.wait(20)
        for _ in range(80):
            try:
                index = Index.open(folder)
            except IndexUnusable:
                continue  # replaced five times in a row while it was opened: says so, is no mix
            (number,) = set(index.items["build"])
            np.testing.assert_array_equal(index.vectors, build_number(int(number))[0])
            seen.add(number)
    finally:
        end.set()
        writer.join()
    assert len(seen) > 3
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


@pytest.mark.skipif(sys.platform == "win32", reason="two names cannot be exchanged at once there")
def test_there_is_no_moment_without_an_index(tmp_path: Path) -> None:
    """A build that is killed at any moment leaves a whole one, so there must always be one."""
    folder = tmp_path / "index"
    write(folder, *build_number(0))
    end = threading.Event()

    def replace_fifty_times() -> None:
        try:
            for number in range(50):
                write(folder, *build_number(number))
        finally:
            end.set()

    writer = threading.Thread(target=replace_fifty_times)
    writer.start()
    missing = 0
    while not end.is_set():
        missing += not folder.exists()
    writer.join()
    assert missing == 0
    assert len(Index.open(folder)) == 8


def test_a_folder_with_something_else_is_not_touched(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "wedding.jpg").write_bytes(b"precious")
    with pytest.raises(IndexUnusable, match="something else"):
        write(photos, random_rows(0, 5, 3))
    assert (photos / "wedding.jpg").read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_web_app_with_a_manifest_of_its_own_is_not_touched(tmp_path: Path) -> None:
    """``manifest.json`` is the name of a file of every web app and browser extension."""
    app = tmp_path / "app"
    app.mkdir()
    (app / MANIFEST).write_text('{"name": "My shop", "icons": []}')
    (app / "index.js").write_text("precious")
    with pytest.raises(IndexUnusable, match="something else"):
        write(app, random_rows(0, 5, 3))
    assert (app / "index.js").read_text() == "precious"


def test_what_was_put_beside_an_index_into_its_folder_is_not_lost(made: Path) -> None:
    (made / "notes.txt").write_text("precious")
    try:
        write(made, random_rows(2, 9, 5))
    except IndexUnusable:
        assert len(Index.open(made)) == 12  # refusing is right, too
    assert (made / "notes.txt").read_text() == "precious"


def test_a_file_is_not_replaced_by_an_index(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(IndexUnusable):
        write(tmp_path / "notes.txt", random_rows(0, 5, 3))
    assert (tmp_path / "notes.txt").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_becomes_an_index(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    assert len(write(tmp_path / "index", random_rows(0, 5, 3))) == 5


def test_a_damaged_index_is_replaced(made: Path) -> None:
    for damage in ("manifest of bytes", "vectors gone", "items cut"):
        DAMAGES[damage](made)
        assert len(write(made, random_rows(0, 5, 3))) == 5
    assert [path.name for path in made.parent.iterdir()] == ["index"]


# --- where two names cannot be exchanged in one step -------------------------------------------


def test_an_index_is_replaced_by_two_renames_where_it_must_be(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "_exchange", lambda *_: False)
    assert len(write(made, random_rows(2, 9, 5))) == 9
    assert [path.name for path in made.parent.iterdir()] == [made.name]


def test_a_kill_between_the_two_renames_leaves_the_old_index_in_use(made: Path) -> None:
    made.rename(manifest.previous_place(made))
    assert len(Index.open(made)) == 12
    manifest.restore(made)
    assert len(Index.open(made)) == 12
    assert [path.name for path in made.parent.iterdir()] == [made.name]


def test_what_a_file_manager_leaves_in_an_index_is_no_obstacle(made: Path) -> None:
    (made / ".DS_Store").write_bytes(b"\0")
    (made / "Thumbs.db").write_bytes(b"\0")
    assert len(write(made, random_rows(2, 9, 5))) == 9
