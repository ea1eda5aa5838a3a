"""Work shared among the processor's cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from threading import Event

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from fitting_room.index import scoring
from fitting_room.index.scoring import ScoreTerm
from fitting_room.util import threads
from fitting_room.util.threads import (
    OPENMP_WAITING,
    cores,
    in_slices,
    limit_blas_threads,
    sleeping_openmp,
)


@pytest.fixture
def _one_blas_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threads, "_blas_limited", Event())
    monkeypatch.setattr(threads, "cores", lambda: 3)
    with threadpool_limits():  # gives BLAS its threads back
        limit_blas_threads()
        yield


def test_there_is_a_core() -> None:
    assert cores() >= 1


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 100])
@pytest.mark.usefixtures("_one_blas_thread")
def test_slices_make_up_the_whole(count: int) -> None:
    seen = np.zeros(count, int)

    def work(part: slice) -> None:
        assert part.stop <= count
        seen[part] += 1

    in_slices(work, count)
    assert (seen == 1).all()


@pytest.mark.usefixtures("_one_blas_thread")
def test_an_error_in_a_thread_is_the_callers() -> None:
    def work(part: slice) -> None:
        if part.stop == 30:
            raise MemoryError

    with pytest.raises(MemoryError):
        in_slices(work, 30)


@pytest.mark.usefixtures("_one_blas_thread")
def test_limited_blas_has_one_thread() -> None:
    assert {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"} == {1}


def test_blas_that_uses_all_cores_is_called_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_blas_limited", Event())
    slices: list[slice] = []
    in_slices(slices.append, 100)
    assert slices == [slice(0, 100)]


@pytest.mark.parametrize("rows", [None, np.arange(0, 1_000, 3)])
@pytest.mark.parametrize("queries", [1, 4])
@pytest.mark.usefixtures("_one_blas_thread")
def test_scores_are_the_same_in_slices(
    monkeypatch: pytest.MonkeyPatch, rows: np.ndarray | None, queries: int
) -> None:
    generator = np.random.default_rng(0)
    values = generator.integers(0, 255, (1_000, 16), np.uint8)
    scale = generator.random(1_000, np.float32)
    vectors = generator.random((queries, 16), np.float32)
    terms = [
        ScoreTerm("shape", values.astype(np.float32), vectors),
        ScoreTerm("colour", values, vectors, scale),
    ]
    count = 1_000 if rows is None else len(rows)
    results = []
    for shared_from in (0, 10**9):
        monkeypatch.setattr(scoring, "SHARED_FROM", shared_from)
        scores = np.zeros((queries, count), np.float32)
        for term in terms:
            term.add_to(scores, slice(0, queries), rows)
        results.append(scores)
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_openmp_is_told_to_sleep_while_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OPENMP_WAITING, raising=False)
    with sleeping_openmp():
        assert os.environ[OPENMP_WAITING] == "passive"
    assert OPENMP_WAITING not in os.environ


def test_how_openmp_waits_is_left_to_whoever_chose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPENMP_WAITING, "active")
    with sleeping_openmp():
        assert os.environ[OPENMP_WAITING] == "active"
    assert os.environ[OPENMP_WAITING] == "active"
