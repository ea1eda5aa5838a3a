"""What the benchmark of search counts as found."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import PROJECT

sys.path.append(str(PROJECT / "benchmarks"))  # as the scripts import each other

from ann_data import COSINE, EUCLIDEAN, fashion_mnist, generated, problem


@pytest.mark.parametrize("metric", [COSINE, EUCLIDEAN])
def test_recall_counts_what_is_as_near_as_the_tenth(metric: str) -> None:
    rows = generated(500, 16)
    rows = np.concatenate([rows, rows[:1]])  # the last equals the first
    task = problem("", rows, rows[:1], metric)
    order = ((rows - rows[0]) ** 2).sum(axis=1).argsort(kind="stable")
    assert task.recall(order[None, :10]) == 1
    assert task.recall(order[None, 10:20]) == 0
    assert task.recall(np.array([[0, 500, *order[2:9], order[50]]])) == 0.9
    # The same row twice is found once, and a place without an answer is no hit.
    assert task.recall(np.array([[0] * 5 + [-1] * 5])) == 0.1


def test_fewer_rows_than_are_asked_for_can_all_be_found() -> None:
    rows = generated(3, 16)
    task = problem("", rows, rows[:1], COSINE)
    assert task.recall(np.array([[0, 1, 2, -1, -1, -1, -1, -1, -1, -1]])) == 1


def test_without_the_public_set_one_is_made_up_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ann_data.generated", lambda count, _: generated(count, 4))
    tasks = fashion_mnist(5, tmp_path)
    assert [(task.rows.shape, task.metric) for task in tasks] == [
        ((60_000, 4), EUCLIDEAN),
        ((60_000, 4), COSINE),
    ]
    assert {task.name for task in tasks} == {"made up, like Fashion-MNIST"}
    assert "dataset-fashion-mnist" in capsys.readouterr().err
