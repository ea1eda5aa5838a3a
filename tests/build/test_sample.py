"""A small index of some items of another."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fitting_room.build.sample import sampled_rows, write_sample
from fitting_room.facade import FittingRoom


def test_a_sample_is_always_the_same_and_has_all_pictures_of_its_items(
    several_fitting_room: FittingRoom,
) -> None:
    index = several_fitting_room.index
    rows = sampled_rows(index, 4)
    assert rows.tolist() == sampled_rows(index, 4).tolist() == sorted(rows.tolist())
    assert len(set(index.items["id"].iloc[rows])) == 4
    assert len(rows) == 12
    assert sampled_rows(index, 1_000).tolist() == list(range(len(index)))


def test_it_keeps_what_was_learned_of_all(
    several_fitting_room: FittingRoom, tmp_path: Path
) -> None:
    index = several_fitting_room.index
    rows = sampled_rows(index, 4)
    sample = write_sample(index, tmp_path / "sample", 4)
    assert (sample.item_count, len(sample)) == (4, 12)
    assert sample.identity == index.identity
    assert sample.calibration == index.calibration
    assert (sample.head is None) == (index.head is None)
    assert np.array_equal(sample.vectors[:], index.vectors[rows])
    assert np.array_equal(sample.descriptors[:], index.descriptors[rows])
    assert sample.items["id"].tolist() == index.items["id"].iloc[rows].tolist()
    # The very pictures are found in either.
    query = index.features(rows[:1])
    (hits,) = sample.search(query, 1)
    assert sample.items["id"].iat[int(hits.rows[0])] == index.items["id"].iat[int(rows[0])]
