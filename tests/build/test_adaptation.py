"""A head that meets labels which it was not taught."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fitting_room.build.adaptation import LENGTH, MOST_LABELS, adapted
from fitting_room.imaging.features import normalise
from fitting_room.index.head import Head
from tests.index.heads import random_head

ROWS = normalise(np.random.default_rng(0).normal(size=(12, random_head().dimension)))


def adapted_to(**columns: list[str | None]) -> Head:
    items = pd.DataFrame(columns, dtype="str")
    return adapted(random_head(), items, lambda rows: ROWS[: len(items)][rows])


def test_labels_that_it_knows_change_nothing() -> None:
    assert adapted_to(kind=["Cap", None, "Cap"]).labels == random_head().labels


def test_a_new_label_lies_where_its_items_do() -> None:
    head = adapted_to(kind=["Cap", "Poncho", "Poncho", None])
    assert head.labels["kind"] == (*random_head().labels["kind"], "Poncho")
    expected = LENGTH * normalise(ROWS[1:3].sum(axis=0, keepdims=True))[0]
    np.testing.assert_allclose(head.proxies["kind"][-1], expected, rtol=1e-5)
    np.testing.assert_array_equal(head.proxies["kind"][:-1], random_head().proxies["kind"])


def test_items_of_a_new_label_move_together() -> None:
    items = pd.DataFrame({"kind": ["Poncho", "Poncho", "Kilt"]}, dtype="str")
    head = adapted(random_head(), items, lambda rows: ROWS[:3][rows])
    before, after = ROWS[:3], head.draw(ROWS[:3], items)
    assert after[0] @ after[1] > before[0] @ before[1]


def test_a_catalogue_with_a_kind_of_its_own_is_drawn_by_that() -> None:
    head = adapted_to(category=["a", "b", "a"] * 2, price=["1", "2", "3"] * 2)
    assert head.columns == (*random_head().columns, "category")
    assert head.labels["category"] == ("a", "b")
    assert head.weights["category"] == 1.0


@pytest.mark.parametrize("values", [[None, None], ["", None]])
def test_what_says_nothing_is_no_label(values: list[str | None]) -> None:
    assert adapted_to(kind=values).labels == random_head().labels


def test_a_column_of_names_is_no_column_of_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fitting_room.build.adaptation.MOST_LABELS", 2)
    assert MOST_LABELS > 2
    assert adapted_to(category=["a", "b", "c"] * 3).columns == random_head().columns
    monkeypatch.undo()
    assert adapted_to(category=["a", "b", "c"] * 3).columns != random_head().columns
    assert adapted_to(category=["a", "b", "c", "d"]).columns == random_head().columns
    assert adapted_to(type=["simple", "variable"] * 6).columns == random_head().columns
