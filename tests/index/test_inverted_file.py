"""Codes in groups: which of them a search visits, and files that are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fitting_room.index.inverted_file import AnnIndex, AnnIndexError, AnnSearchParams

ITEMS, WIDTH, KINDS, RESULTS = 6_000, 16, 40, 10
PARAMS = AnnSearchParams(probes=32, per_result=3, least=100)
#: The kind of each item.
KIND = np.random.default_rng(0).integers(KINDS, size=ITEMS)


def codes(seed: int, kinds: np.ndarray) -> np.ndarray:
    """Unit rows around the centres of their kinds, the first half of which lies apart."""
    generator = np.random.default_rng(seed)
    rows = np.random.default_rng(1).normal(size=(KINDS, WIDTH))[kinds]
    rows[:, 0] = np.where(kinds < KINDS // 2, 5, -5)
    rows += generator.normal(size=rows.shape) * 0.4
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def written(path: Path, count: int = ITEMS) -> AnnIndex:
    AnnIndex.write(path, codes(2, KIND)[:count].__getitem__, count, WIDTH)
    return AnnIndex.open(path, count, WIDTH)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> AnnIndex:
    return written(tmp_path_factory.mktemp("inverted") / "file")


def recall(index: AnnIndex, queries: np.ndarray, mask: np.ndarray) -> float:
    """The part of each query's ten best among the allowed that is found."""
    scores = queries @ codes(2, KIND).T
    scores[:, ~mask] = -np.inf
    best = np.argsort(-scores, axis=1)[:, :RESULTS]
    found = index.candidates(queries, RESULTS, PARAMS, mask)
    assert all(mask[rows].all() for rows in found)
    return float(np.mean([np.isin(b, rows).mean() for b, rows in zip(best, found, strict=True)]))


@pytest.mark.parametrize("left", [20, 10, 1])
def test_a_filter_of_other_kinds_than_the_querys_loses_nothing(index: AnnIndex, left: int) -> None:
    """What a filter of women's clothes leaves for a picture of a man's."""
    queries = codes(3, np.arange(KINDS)[-20:])
    assert recall(index, queries, left > KIND) >= 0.97


def test_a_filter_at_random_loses_nothing(index: AnnIndex) -> None:
    mask = np.random.default_rng(4).random(ITEMS) < 0.1
    assert recall(index, codes(3, np.arange(KINDS)), mask) >= 0.97


def test_where_nothing_is_allowed_nothing_is_found(index: AnnIndex) -> None:
    (rows,) = index.candidates(codes(3, KIND[:1]), RESULTS, PARAMS, np.zeros(ITEMS, bool))
    assert len(rows) == 0


def test_few_allowed_items_are_all_found(index: AnnIndex) -> None:
    mask = np.zeros(ITEMS, bool)
    mask[[3, 4_000]] = True
    (rows,) = index.candidates(codes(3, KIND[:1]), RESULTS, PARAMS, mask)
    assert rows.tolist() == [3, 4_000]


def test_no_byte_of_the_file_can_break_the_program(tmp_path: Path) -> None:
    count = 300
    written(tmp_path / "whole", count)
    whole, queries = (tmp_path / "whole").read_bytes(), codes(3, KIND[:20])
    mask = np.arange(count) % 2 == 0
    generator = np.random.default_rng(0)
    opened = 0
    for place in generator.integers(len(whole), size=150):
        data = bytearray(whole)
        data[place] ^= 1 << generator.integers(8)
        (tmp_path / "file").write_bytes(data)
        try:
            damaged = AnnIndex.open(tmp_path / "file", count, WIDTH)
            found = damaged.candidates(queries, RESULTS, PARAMS)
            found += damaged.candidates(queries, RESULTS, PARAMS, mask)
        except AnnIndexError:
            continue
        opened += 1
        for rows in found:
            assert ((rows >= 0) & (rows < count)).all()
    assert opened > 0


def test_another_structure_of_faiss_is_refused(tmp_path: Path) -> None:
    import faiss

    faiss.write_index(faiss.IndexFlatIP(8), str(tmp_path / "flat"))
    written(tmp_path / "whole", 300)
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "without groups").write_bytes(whole[: whole.rindex(b"ilar")] + b"il00")
    for name in ("flat", "without groups"):
        with pytest.raises(AnnIndexError, match=f"{name} is damaged"):
            AnnIndex.open(tmp_path / name, 300, WIDTH)


def test_a_full_disk_is_an_error_of_the_system() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no full disk to write to")
    with pytest.raises(OSError, match="No space left"):
        AnnIndex.write(Path("/dev/full"), codes(2, KIND).__getitem__, 300, WIDTH)
