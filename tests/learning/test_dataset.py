"""The training set: which items and labels are learned, and which are kept for validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.catalogue.schema import held_out
from fitting_room.index.index import Index
from fitting_room.learning import dataset
from fitting_room.learning.options import TrainingError, TrainingOptions
from tests.learning.conftest import ITEMS, QUICK, MadeUpShop


def test_the_validation_items_are_apart_and_share_no_picture(made_up: MadeUpShop) -> None:
    index = Index.open(made_up.index_folder)
    index.items["digest"] = [f"d{n // 3}" for n in range(ITEMS)]
    training_set = made_up.training_set(index, holdout=7)
    train_rows, validation = set(training_set.train.tolist()), set(training_set.validation.tolist())
    kept_back = set(np.flatnonzero(held_out(index.items["id"], 7)).tolist())
    assert len(validation) == pytest.approx(len(train_rows) / 9, abs=4)
    assert train_rows | validation | kept_back == set(range(ITEMS))
    assert not train_rows & validation
    assert not (train_rows | validation) & kept_back
    assert not {n // 3 for n in train_rows} & {n // 3 for n in validation}


def test_another_seed_validates_on_other_items(made_up: MadeUpShop) -> None:
    first, again, other = (set(made_up.training_set(seed=s).validation) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_items_without_any_label_take_no_part(made_up: MadeUpShop) -> None:
    table = made_up.table()
    table.loc[::3, "baseColour"] = None
    table.loc[1::3, "articleType"] = "NA"
    table.loc[2:20, ["articleType", "baseColour"]] = None
    made_up.write_table(table)
    training_set = made_up.training_set()
    empty = table.replace("NA", None)[["articleType", "baseColour"]].isna().all(axis=1)
    rows = np.concatenate([training_set.train, training_set.validation])
    assert sorted(rows) == np.flatnonzero(~empty).tolist()
    assert (training_set.codes["baseColour"][::3] == -1).all()
    assert training_set.labels["articleType"] == ("Caps", "Shirts", "Shoes")


def test_the_labels_are_the_catalogues_of_today(made_up: MadeUpShop) -> None:
    table = made_up.table().iloc[::-1].drop(index=[5, 6])  # another order, two items gone
    table["articleType"] = table["articleType"].replace("Caps", "Hats")
    made_up.write_table(table)
    training_set = made_up.training_set()
    assert training_set.labels["articleType"] == ("Hats", "Shirts", "Shoes")
    rows = np.concatenate([training_set.train, training_set.validation])
    assert sorted(rows) == [row for row in range(ITEMS) if row not in (5, 6)]
    labels = np.array(training_set.labels["baseColour"])[training_set.codes["baseColour"][rows]]
    assert labels.tolist() == made_up.table()["baseColour"].iloc[rows].tolist()


def test_of_the_default_columns_those_with_several_values_are_learned(made_up: MadeUpShop) -> None:
    table = made_up.table()
    table["gender"] = "Women"  # the same for all
    made_up.write_table(table)
    training_set = made_up.training_set(columns=TrainingOptions().columns)
    assert training_set.columns == ("articleType", "baseColour")


def test_a_column_that_the_catalogue_lacks_is_refused(made_up: MadeUpShop) -> None:
    with pytest.raises(TrainingError, match=r"price.*articleType, baseColour"):
        made_up.training_set(columns=("articleType", "price"))


def test_another_catalogue_is_refused(made_up: MadeUpShop) -> None:
    table = made_up.table()
    table.loc[: ITEMS * 2 // 3, "id"] = [f"x{n}" for n in range(ITEMS * 2 // 3 + 1)]
    for number in range(ITEMS * 2 // 3 + 1):
        (made_up.catalogue / "images" / f"x{number}.jpg").touch()
    made_up.write_table(table)
    with pytest.raises(TrainingError, match=r"only 79 are in .*fitting-room build"):
        made_up.training_set()


def test_one_value_for_all_items_is_refused(made_up: MadeUpShop) -> None:
    table = made_up.table()
    table["articleType"], table["baseColour"] = "Shirts", None
    made_up.write_table(table)
    with pytest.raises(TrainingError, match="nothing to learn"):
        made_up.training_set()


def test_too_few_items_are_refused(made_up: MadeUpShop) -> None:
    table = made_up.table()
    table.loc[9:, ["articleType", "baseColour"]] = None
    made_up.write_table(table)
    with pytest.raises(TrainingError, match="At least 10 items"):
        made_up.training_set()


def test_one_picture_for_all_is_refused(made_up: MadeUpShop) -> None:
    index = Index.open(made_up.index_folder)
    index.items["digest"] = "same"
    with pytest.raises(TrainingError, match="the same picture"):
        made_up.training_set(index)


def test_a_column_of_names_is_refused(made_up: MadeUpShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "MAX_LABELS", 3)
    with pytest.raises(TrainingError, match=r"baseColour.*too many"):
        made_up.training_set()


# --- items with several pictures ----------------------------------------------------------------


def several(made_up: MadeUpShop, pictures: int = 3) -> Index:
    """The index with so many pictures an item: items 0, 3, 6 ..., each with its labels."""
    index = Index.open(made_up.index_folder)
    rows = np.arange(ITEMS)
    index.items["id"] = (rows - rows % pictures).astype(str)
    return index


def test_pictures_of_an_item_have_its_labels_and_stay_together(made_up: MadeUpShop) -> None:
    index = several(made_up)
    training_set = made_up.training_set(index)
    train, validation = set(training_set.train.tolist()), set(training_set.validation.tolist())
    assert train | validation == set(range(ITEMS))
    assert not {row // 3 for row in train} & {row // 3 for row in validation}
    assert len(validation) == pytest.approx(ITEMS * dataset.VALIDATION_FRACTION, abs=3)
    for codes in training_set.codes.values():
        assert (codes.reshape(-1, 3) == codes[::3, None]).all()


def test_items_that_share_a_picture_stay_together_with_all_their_pictures(
    made_up: MadeUpShop,
) -> None:
    index = several(made_up)
    # The last picture of each even item is the first one of the next.
    digests = np.array([f"d{row}" for row in range(ITEMS)], object)
    digests[2::6] = digests[3::6]
    index.items["digest"] = digests
    training_set = made_up.training_set(index)
    train, validation = set(training_set.train.tolist()), set(training_set.validation.tolist())
    assert validation
    assert not {row // 6 for row in train} & {row // 6 for row in validation}


def test_a_catalogue_with_a_row_for_each_picture_is_joined(made_up: MadeUpShop) -> None:
    index, catalogue = several(made_up), load_catalogue(made_up.catalogue)
    items = catalogue.items.assign(id=index.items["id"])
    training_set = dataset.training_set_from(replace(catalogue, items=items), index, QUICK)
    expected = items.drop_duplicates("id")["articleType"].repeat(3).tolist()
    labels = np.array(training_set.labels["articleType"])
    assert labels[training_set.codes["articleType"]].tolist() == expected


def test_too_few_items_are_too_few_however_many_pictures_they_have(made_up: MadeUpShop) -> None:
    with pytest.raises(TrainingError, match="At least 10 items"):
        made_up.training_set(several(made_up, 30))
