"""The training of a head: what it learns, when it stops, and that it can be repeated."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import torch

from fitting_room.catalogue.schema import held_out
from fitting_room.imaging.descriptors import LAYOUT, PLAIN_BACKGROUND
from fitting_room.learning.losses import LOSSES, LossError
from fitting_room.learning.trainer import INPUT_DROPOUT, batch_size, drop_out
from fitting_room.learning.validation import Validator
from fitting_room.util.progress import Progress
from tests.learning.conftest import DIMENSION, ITEMS, QUICK, MadeUpShop


@pytest.mark.parametrize("loss", list(LOSSES))
def test_a_head_brings_items_with_the_same_labels_together(made_up: MadeUpShop, loss: str) -> None:
    head = made_up.fit(loss=loss, holdout=5, epochs=20, patience=20)
    assert head.record["loss"] == loss
    validation = head.record["validation"]
    assert validation["all_after"] > validation["all_before"] + 0.2
    # Items that took no part, as queries, among those that did.
    kept_back = held_out(made_up.table()["id"], 5)

    def precision(embeddings: np.ndarray) -> float:
        scores = embeddings[kept_back] @ embeddings[~kept_back].T
        rows = np.flatnonzero(~kept_back)[np.argsort(-scores, axis=1)[:, :4]]
        labels = made_up.kinds * 10 + made_up.colours
        return float((labels[rows] == labels[kept_back, None]).mean())

    trained = precision(head.project(made_up.vectors, made_up.descriptors))
    assert trained > precision(made_up.vectors) + 0.2


def test_the_record_states_what_was_done(made_up: MadeUpShop) -> None:
    record = made_up.fit(holdout=4).record
    taking_part = ITEMS * 3 // 4
    assert record["items"] == taking_part * 9 // 10
    assert record["validation_items"] == taking_part // 10
    assert record["columns"] == ["articleType", "baseColour"]
    assert record["labels"] == {"articleType": 3, "baseColour": 4}
    assert (record["holdout"], record["seed"], record["loss"]) == (4, 0, "proxies")
    assert (record["dimension"], record["hidden"], record["epochs"]) == (16, 64, 6)
    assert 1 <= record["best_epoch"] <= record["epochs_run"] <= QUICK.epochs
    assert set(record["validation"]) == {
        f"{name}_{when}"
        for name in ("articleType", "baseColour", "all")
        for when in ("before", "after")
    }
    assert record["libraries"]["torch"].startswith(torch.__version__.split("+")[0])
    assert record["photographs"] == record["photographs_skipped"] == 0
    assert len(record["kept_back"]) == record["validation_items"]


def test_progress_is_reported_step_by_step(made_up: MadeUpShop) -> None:
    steps: list[Progress] = []
    made_up.fit(listener=steps.append)
    assert len(steps) > QUICK.epochs
    assert {progress.stage for progress in steps} == {"Learning"}
    assert steps[0].done == 0
    assert steps[-1].done <= steps[-1].total


def test_it_stops_when_nothing_gets_better(
    made_up: MadeUpShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: Iterator[float] = iter([0.5, 0.4, 0.6, 0.6, 0.5, 0.9])
    monkeypatch.setattr(
        Validator,
        "trained",
        lambda self, head: {"articleType": 0.0, "baseColour": 0.0, "all": next(figures)},
    )
    record = made_up.fit(patience=2, epochs=6).record
    assert (record["epochs_run"], record["best_epoch"]) == (5, 3)
    assert record["validation"]["all_after"] == 0.6


def test_nothing_of_what_is_held_out_is_learned(made_up: MadeUpShop) -> None:
    first = made_up.fit(holdout=3, epochs=1)
    kept_back = held_out(pd.Series([str(n) for n in range(ITEMS)]), 3)
    made_up.kinds[kept_back] = 0
    made_up.vectors[kept_back] = made_up.vectors[0]
    made_up.write_table()
    made_up.write_index()
    second = made_up.fit(holdout=3, epochs=1)
    np.testing.assert_array_equal(first.output_weight, second.output_weight)
    np.testing.assert_array_equal(first.mean, second.mean)
    assert first.record == second.record


def test_items_without_a_label_are_learned_from_all_the_same(made_up: MadeUpShop) -> None:
    table = made_up.table()
    table.loc[::3, "baseColour"] = None
    table.loc[1::3, "articleType"] = "NA"
    made_up.write_table(table)
    validation = made_up.fit().record["validation"]
    assert validation["all_after"] > validation["all_before"] + 0.1


@pytest.mark.parametrize("loss", ["proxies", "supcon"])
def test_a_label_that_one_item_has_is_fine(made_up: MadeUpShop, loss: str) -> None:
    table = made_up.table()
    table.loc[0, "articleType"] = "Umbrellas"
    made_up.write_table(table)
    assert np.isfinite(made_up.fit(epochs=1, loss=loss).proxies["articleType"]).all()


def test_unusual_descriptors_can_be_learned_from(made_up: MadeUpShop) -> None:
    made_up.descriptors[:, PLAIN_BACKGROUND] = 0  # no picture has a plain background
    made_up.descriptors[:, LAYOUT] = 7
    made_up.write_index()
    head = made_up.fit()
    assert head.record["validation"]["all_after"] > head.record["validation"]["all_before"]
    # What never varies counts for little when it first does.
    np.testing.assert_array_equal(head.scale[DIMENSION:][LAYOUT], 1)


@pytest.mark.parametrize(
    ("items", "most", "expected"),
    [(9, 512, 9), (100, 512, 32), (1_200, 512, 150), (40_000, 512, 512), (40_000, 64, 64)],
)
def test_small_catalogues_are_learned_in_small_batches(
    items: int, most: int, expected: int
) -> None:
    assert batch_size(items, most) == expected


def test_a_missing_library_is_named(made_up: MadeUpShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    with pytest.raises(LossError, match=r"pip install .fitting-room\[build,train\]"):
        made_up.fit()


def test_dropout_takes_a_fifth_and_keeps_the_mean() -> None:
    inputs = np.full((400, 500), 3, np.float32)
    drop_out(inputs, np.random.default_rng(0))
    assert (inputs == 0).mean() == pytest.approx(INPUT_DROPOUT, abs=0.005)
    assert inputs.mean() == pytest.approx(3, rel=0.01)
    assert len(np.unique(inputs)) == 2
