"""A head that meets labels which it was not taught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fitting_room.build.adaptation import LENGTH, MOST_LABELS, adapted
from fitting_room.imaging.features import normalise
from fitting_room.index.head import Head
from tests.index.heads import HIDDEN, random_head

#: What the hidden layer makes of some items.
UNITS = np.random.default_rng(0).normal(size=(12, HIDDEN)).astype(np.float32)


def rows_of(head: Head) -> np.ndarray:
    """What a head's last layer makes of them."""
    return normalise(head.last_layer(UNITS))


def adapted_to(**columns: list[str | None]) -> Head:
    items = pd.DataFrame(columns, dtype="str")
    return adapted(random_head(), items, UNITS.__getitem__)


def test_labels_that_it_knows_change_nothing() -> None:
    assert adapted_to(kind=["Cap", None, "Cap"]).labels == random_head().labels


def test_a_new_label_lies_where_its_items_do() -> None:
    head = adapted_to(kind=["Cap", "Poncho", "Poncho", None])
    assert head.labels["kind"] == (*random_head().labels["kind"], "Poncho")
    expected = normalise(rows_of(random_head())[1:3].sum(axis=0, keepdims=True))[0]
    np.testing.assert_allclose(head.proxies["kind"][-1], expected, rtol=1e-4)
    np.testing.assert_array_equal(head.proxies["kind"][:-1], random_head().proxies["kind"])


def test_items_of_a_new_label_move_together() -> None:
    head = adapted_to(kind=["Poncho", "Poncho", "Kilt"])
    items = pd.DataFrame({"kind": ["Poncho", "Poncho", "Kilt"]}, dtype="str")
    before, after = rows_of(random_head()), head.draw(rows_of(head)[:3], items)
    assert after[0] @ after[1] > before[0] @ before[1]


#: Many items, of which the last lie in a direction that no label has.
MANY, OF_THEM = 2_000, 400


def many_units(seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    units = generator.normal(size=(MANY, HIDDEN)).astype(np.float32)
    units[-OF_THEM:] += generator.normal(size=HIDDEN)
    return units


def in_a_catalogue_with(head: Head, label: str, **options: bool) -> tuple[Head, np.ndarray]:
    """The head at home where the last of many items have a label, and their hidden units."""
    kinds = np.resize(["Dress", "Shirt", "Cap"], MANY).astype(object)
    kinds[-OF_THEM:] = label
    units = many_units(5)
    items = pd.DataFrame({"kind": kinds}, dtype="str")
    return adapted(head, items, units.__getitem__, **options), units


def that_knows_nothing_like_it() -> Head:
    head = random_head()
    return replace(head, proxies={column: 0 * of for column, of in head.proxies.items()})


def test_pictures_of_a_new_label_come_nearer_to_it_and_others_stay() -> None:
    """Of pictures that were not there when the head came to be at home."""
    before = that_knows_nothing_like_it()
    after, units = in_a_catalogue_with(before, "Poncho")
    noise = np.random.default_rng(6).normal(size=units.shape) / 20
    asked = (units + noise).astype(np.float32)
    is_new = np.arange(MANY) >= MANY - OF_THEM
    proxy = after.proxies["kind"][-1]
    was, now = (normalise(head.last_layer(asked)) for head in (before, after))
    assert np.mean(now[is_new] @ proxy) > np.mean(was[is_new] @ proxy) + 0.03
    assert np.mean((was * now).sum(axis=1)[~is_new]) > 0.98


def test_a_label_by_another_name_moves_nothing() -> None:
    head = random_head()
    units = many_units(5)[-OF_THEM:]
    where = normalise(normalise(head.last_layer(units)).mean(axis=0, keepdims=True))
    proxies = {**head.proxies, "kind": np.concatenate([where, head.proxies["kind"][1:]])}
    head = replace(head, proxies=proxies)  # "Dress" lies where the items are
    after, _ = in_a_catalogue_with(head, "Kleid")
    assert after.labels["kind"][-1] == "Kleid"
    np.testing.assert_array_equal(after.output_weight, head.output_weight)
    assert np.linalg.norm(after.proxies["kind"][-1]) == pytest.approx(LENGTH)


def test_where_items_are_there_already_the_last_layer_stays() -> None:
    head = that_knows_nothing_like_it()
    after, _ = in_a_catalogue_with(head, "Poncho", projected_before=True)
    assert after.labels["kind"][-1] == "Poncho"
    np.testing.assert_array_equal(after.output_weight, head.output_weight)


def test_a_large_catalogue_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = in_a_catalogue_with(that_knows_nothing_like_it(), "Poncho")
    monkeypatch.setattr("fitting_room.build.adaptation.MOST_ITEMS", MANY // 2)
    half, _ = in_a_catalogue_with(that_knows_nothing_like_it(), "Poncho")
    assert not np.array_equal(whole.output_weight, half.output_weight)
    np.testing.assert_allclose(whole.output_weight, half.output_weight, atol=0.1)


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
