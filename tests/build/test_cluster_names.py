"""Names of clusters: the commonest values where items stand close together, and nothing else."""

from __future__ import annotations

import numpy as np

from fitting_room.build.cluster_names import REACHES, ClusterName, name_clusters

SHIRTS, SHOES, ODD = 0, 1, 2


def blob(place: tuple[float, float], count: int, seed: int, spread: float = 0.04) -> np.ndarray:
    points = np.random.default_rng(seed).normal(scale=spread, size=(count, 2))
    return (points + place).astype(np.float32)


def shown(names: list[ClusterName], level: int = 0) -> list[ClusterName]:
    return [name for name in names if name.first <= level <= name.last]


def two_blobs_and_noise() -> tuple[np.ndarray, np.ndarray]:
    noise = np.random.default_rng(1).uniform(-1, 1, (60, 2)).astype(np.float32)
    positions = np.concatenate(
        [blob((-0.5, -0.5), 300, 2), blob((0.5, 0.4), 200, 3), noise, [(-1, -1), (1, 1)]]
    )
    return positions, np.repeat([SHIRTS, SHOES, ODD], [300, 200, 62])


def test_two_dense_blobs_are_named_by_their_values_and_sparse_noise_is_not() -> None:
    positions, codes = two_blobs_and_noise()
    names = name_clusters(positions, codes)
    first, second = shown(names)
    assert (first.codes, second.codes) == ((SHIRTS,), (SHOES,))
    assert 270 < first.count <= 300
    assert 180 < second.count <= 200
    assert np.allclose(first.place, (-0.5, -0.5), atol=0.05)
    assert np.allclose(second.place, (0.5, 0.4), atol=0.05)
    assert all(ODD not in name.codes for name in names)


def test_a_name_has_an_item_of_its_value_near_its_place_and_a_box_around_its_items() -> None:
    positions, codes = two_blobs_and_noise()
    for name in name_clusters(positions, codes):
        assert codes[name.item] == name.codes[0]
        assert np.linalg.norm(positions[name.item] - name.place) < 0.05
        left, top, right, bottom = name.box
        assert left < name.place[0] < right
        assert top < name.place[1] < bottom
        assert max(right - left, bottom - top) < 0.5


def test_where_two_values_are_mixed_both_are_named_and_where_many_are_none_is() -> None:
    generator = np.random.default_rng(4)
    positions = np.concatenate([blob((-0.5, 0), 400, 5), blob((0.5, 0), 400, 6)])
    codes = np.concatenate([generator.integers(0, 2, 400), generator.integers(2, 12, 400)])
    names = name_clusters(positions, codes)
    both = [name for name in shown(names) if sorted(name.codes) == [0, 1]]
    assert both
    assert all(name.place[0] < 0 for name in shown(names))


def test_closer_up_finer_clusters_take_the_place_of_a_coarse_one() -> None:
    # Four clumps so close together that they are one from afar.
    places = [(-0.52, -0.5), (-0.42, -0.5), (-0.52, -0.4), (-0.42, -0.4)]
    positions = np.concatenate(
        [*(blob(place, 200, 7 + i, 0.008) for i, place in enumerate(places)), [(1, 1)]]
    )
    codes = np.append(np.full(800, SHIRTS), ODD)
    names = name_clusters(positions, codes)
    assert len(shown(names, 0)) == 1
    assert len(shown(names, len(REACHES) - 1)) == 4
    assert shown(names, 0)[0].count == 800
    assert shown(names, 0)[0].last < len(REACHES) - 1


def test_the_same_items_have_the_same_names() -> None:
    positions, codes = two_blobs_and_noise()
    assert name_clusters(positions, codes) == name_clusters(positions.copy(), codes.copy())


def test_items_without_a_value_or_on_one_spot_are_no_trouble() -> None:
    assert name_clusters(np.zeros((0, 2), np.float32), np.zeros(0, np.int16)) == []
    assert name_clusters(np.zeros((20, 2), np.float32), np.full(20, -1, np.int16)) == []
    names = name_clusters(np.zeros((20, 2), np.float32), np.zeros(20, np.int16))
    for level in range(len(REACHES)):
        (name,) = shown(names, level)
        assert (name.codes, name.count) == ((0,), 20)


def test_values_too_rare_have_no_name() -> None:
    positions = np.concatenate([blob((0, 0), 3, 11), [(-1, -1), (1, 1)]])
    assert name_clusters(positions, np.array([0, 0, 0, 1, 1])) == []
