"""The precisions that an epoch is judged by."""

from __future__ import annotations

import numpy as np
import pytest

from fitting_room.index.index import Index
from fitting_room.learning.validation import Validator
from tests.learning.conftest import MadeUpShop


def test_precisions_count_results_with_the_labels_of_the_query(
    made_up: MadeUpShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = made_up.table()
    table.loc[::2, "baseColour"] = None
    made_up.write_table(table)
    index = Index.open(made_up.index_folder)
    training_set = made_up.training_set(index)
    validator = Validator(index, training_set, 0)
    rows: list[np.ndarray] = []
    precisions = Validator._precisions

    def watched(self: Validator, hits: np.ndarray) -> dict[str, float]:
        rows.append(hits)
        return precisions(self, hits)

    monkeypatch.setattr(Validator, "_precisions", watched)
    figures = validator.untrained()
    (hits,) = rows
    assert hits.shape == (len(training_set.validation), 4)
    assert set(hits.ravel()) <= set(training_set.train)
    kinds, colours = (training_set.codes[c] for c in ("articleType", "baseColour"))
    same_kind = kinds[hits] == kinds[validator.queries, None]
    same_colour = colours[hits] == colours[validator.queries, None]
    labelled = colours[validator.queries] >= 0
    assert figures["articleType"] == pytest.approx(same_kind.mean(), abs=1e-4)
    assert figures["baseColour"] == pytest.approx(same_colour[labelled].mean(), abs=1e-4)
    # A query without a colour is content with every colour.
    assert figures["all"] == pytest.approx(
        (same_kind & (same_colour | ~labelled[:, None])).mean(), abs=1e-4
    )


def test_an_item_of_several_pictures_is_found_once(
    made_up: MadeUpShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index.open(made_up.index_folder)
    numbers = np.arange(len(index)) // 3
    index.items["id"] = [str(3 * number) for number in numbers]
    training_set = made_up.training_set(index)
    validator = Validator(index, training_set, 0)
    head = made_up.fit(epochs=1)
    found: list[np.ndarray] = []
    monkeypatch.setattr(Validator, "_precisions", lambda _, hits: found.append(hits) or {})
    validator.untrained()
    validator.trained(head)
    for hits in found:
        assert hits.shape == (len(training_set.validation), 4)
        assert set(hits.ravel()) <= set(training_set.train)
        assert all(len(set(row)) == 4 for row in numbers[hits])
