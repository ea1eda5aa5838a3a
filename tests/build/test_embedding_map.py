"""The map: neighbours stay neighbours, kinds stand together, and the way about is not lost."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from fitting_room.build import embedding_map
from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import DEFAULT_LIMITS
from fitting_room.imaging.features import normalise
from fitting_room.index.index import Index
from fitting_room.index.manifest import MANIFEST, MAP, IndexUnusable
from fitting_room.util.progress import Progress
from tests.conftest import colour_embedder, picture_bytes
from tests.ui.app.heads import headed_index


def clusters(count: int, each: int, *, dimension: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows around some middles, and the middle of each."""
    generator = np.random.default_rng(5)
    middles = normalise(generator.normal(size=(count, dimension)))
    of = np.repeat(np.arange(count), each)
    return normalise(middles[of] + 0.05 * generator.normal(size=(len(of), dimension))), of


def purity(positions: np.ndarray, kinds: np.ndarray, count: int = 10) -> float:
    """The share of each point's nearest ones that are of its kind."""
    distances = np.square(positions[:, None] - positions[None]).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1)[:, :count]
    return float((kinds[nearest] == kinds[:, None]).mean())


def test_clusters_stand_apart_on_the_map() -> None:
    rows, of = clusters(8, 40)
    positions = embedding_map.lay_out(rows)
    assert positions.shape == (320, 2)
    assert positions.dtype == np.float32
    assert np.abs(positions).max() == pytest.approx(1, abs=1e-3)
    assert purity(positions, of) > 0.99


def test_the_same_rows_come_to_the_same_map() -> None:
    rows, _ = clusters(4, 20)
    assert np.array_equal(embedding_map.lay_out(rows), embedding_map.lay_out(rows))


def test_items_beyond_the_landmarks_stand_with_their_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_map, "LANDMARKS", 240)
    rows, of = clusters(6, 80)
    assert purity(embedding_map.lay_out(rows), of) > 0.97


@pytest.mark.parametrize("count", [1, 2, 3, 12, 29, 30, 31])
def test_a_map_of_few_items_has_a_place_for_each(count: int) -> None:
    rows = normalise(np.random.default_rng(1).normal(size=(count, 3)))
    positions = embedding_map.lay_out(rows)
    assert positions.shape == (count, 2)
    assert np.isfinite(positions).all()


def test_items_that_are_all_the_same_break_nothing() -> None:
    positions = embedding_map.lay_out(normalise(np.ones((60, 5))))
    assert np.isfinite(positions).all()


def test_the_repulsion_on_a_grid_is_the_sum_over_all_pairs() -> None:
    layout = np.random.default_rng(2).normal(scale=12, size=(400, 2)).astype(np.float32)
    apart = layout[:, None] - layout[None]
    likeness = 1 / (1 + np.square(apart).sum(axis=2))
    total = likeness.sum() - len(layout)
    exact = (likeness[..., None] ** 2 * apart).sum(axis=1) / total
    found = embedding_map._Repulsion()(layout)
    error = np.linalg.norm(found - exact, axis=1)
    assert np.median(error) < 0.1 * np.median(np.linalg.norm(exact, axis=1))
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.99


def test_kinds_stand_together_on_the_demo_catalogues_map(demo_fitting_room: FittingRoom) -> None:
    index = demo_fitting_room.index
    assert index.map is not None
    kinds = index.items["articleType"].to_numpy()
    by_chance = np.mean([(kinds == kind).mean() for kind in kinds])
    found = purity(np.asarray(index.map), kinds)
    # The neighbours in all 1,280 dimensions are of one kind in about three of four.
    assert found > 0.7 > 3 * by_chance


def test_progress_is_told_to_the_end() -> None:
    told: list[Progress] = []
    embedding_map.lay_out(clusters(4, 20)[0], told.append)
    assert told[0].done == 0
    assert told[-1].done == told[-1].total


# --- with an index ------------------------------------------------------------------------------


def shades(folder: Path, count: int, *, first: int = 0) -> None:
    """A catalogue of pictures of different shades."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        colour = (number * 37 % 256, number * 91 % 256, number * 151 % 256)
        (images / f"{number}.png").write_bytes(picture_bytes(colour, (12, 16), "PNG"))
    ids = sorted(int(path.stem) for path in images.iterdir())
    (folder / "styles.csv").write_text("id\n" + "\n".join(map(str, ids)) + "\n", encoding="utf-8")


def build(shop: Path, folder: Path) -> Index:
    build_index(load_catalogue(shop), colour_embedder(), folder, limits=DEFAULT_LIMITS)
    return Index.open(folder)


def places(index: Index) -> dict[str, tuple[float, float]]:
    assert index.map is not None
    return {i: (x, y) for i, (x, y) in zip(index.items["id"], index.map.tolist(), strict=True)}


def test_after_a_small_change_everything_stays_where_it_was(tmp_path: Path) -> None:
    shades(tmp_path / "shop", 60)
    before = places(build(tmp_path / "shop", tmp_path / "index"))
    (tmp_path / "shop" / "images" / "7.png").unlink()
    shades(tmp_path / "shop", 3, first=60)
    index = build(tmp_path / "shop", tmp_path / "index")
    after = places(index)
    assert set(after) == set(before) - {"7"} | {"60", "61", "62"}
    assert {i: p for i, p in after.items() if int(i) < 60} == {
        i: p for i, p in before.items() if i != "7"
    }
    assert index.manifest["map"]["changed"] == 4
    # A new item stands among those that it resembles most.
    vectors = np.asarray(index.vectors)
    ids = index.items["id"].tolist()
    for new in ("60", "61", "62"):
        likeness = vectors @ vectors[ids.index(new)]
        nearest = next(ids[row] for row in np.argsort(-likeness) if int(ids[row]) < 60)
        away = {i: np.hypot(*np.subtract(p, after[new])) for i, p in after.items() if int(i) < 60}
        assert nearest in sorted(away, key=lambda i: away[i])[:8]


def test_a_catalogue_that_changed_a_lot_is_laid_out_anew(tmp_path: Path) -> None:
    shades(tmp_path / "shop", 40)
    build(tmp_path / "shop", tmp_path / "index")
    shades(tmp_path / "shop", 20, first=40)
    index = build(tmp_path / "shop", tmp_path / "index")
    assert index.manifest["map"]["laid_out"] == 60
    assert index.manifest["map"]["changed"] == 0


def test_small_changes_add_up(tmp_path: Path) -> None:
    shades(tmp_path / "shop", 40)
    build(tmp_path / "shop", tmp_path / "index")
    changed = []
    for step in range(4):
        shades(tmp_path / "shop", 3, first=40 + 3 * step)
        changed.append(build(tmp_path / "shop", tmp_path / "index").manifest["map"]["changed"])
    assert changed == [3, 6, 0, 3]  # nine of 40 are more than a fifth


def test_a_head_draws_a_map_of_its_own(demo_fitting_room: FittingRoom, tmp_path: Path) -> None:
    index = Index.open(headed_index(demo_fitting_room.index, tmp_path / "index"))
    assert index.map is not None
    assert demo_fitting_room.index.map is not None
    assert not np.array_equal(index.map, demo_fitting_room.index.map)
    kinds = index.items["articleType"].to_numpy()
    assert purity(np.asarray(index.map), kinds) > purity(
        np.asarray(demo_fitting_room.index.map), kinds
    )


def test_an_index_from_before_there_were_maps_has_none(tmp_path: Path) -> None:
    shades(tmp_path / "shop", 12)
    build(tmp_path / "shop", tmp_path / "index")
    forget_map(tmp_path / "index")
    assert Index.open(tmp_path / "index").map is None
    # ... and gets one at its next build, for which nothing is embedded again.
    assert build(tmp_path / "shop", tmp_path / "index").map is not None


def forget_map(folder: Path) -> None:
    (folder / MAP).unlink()
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    del manifest["map"], manifest["files"][MAP]
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize(
    "record",
    [7, {}, {"basis": 1, "laid_out": 12, "changed": 0}, {"basis": "", "laid_out": 0, "changed": 0}],
)
def test_a_record_that_makes_no_sense_is_refused(tmp_path: Path, record: object) -> None:
    shades(tmp_path / "shop", 12)
    build(tmp_path / "shop", tmp_path / "index")
    manifest = json.loads((tmp_path / "index" / MANIFEST).read_text(encoding="utf-8"))
    manifest["map"] = record
    (tmp_path / "index" / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(IndexUnusable):
        Index.open(tmp_path / "index")


def test_a_damaged_map_is_told_from_a_sound_one(tmp_path: Path) -> None:
    shades(tmp_path / "shop", 12)
    build(tmp_path / "shop", tmp_path / "index")
    shutil.copytree(tmp_path / "index", tmp_path / "copy")
    data = bytearray((tmp_path / "copy" / MAP).read_bytes())
    data[-1] ^= 0x40
    (tmp_path / "copy" / MAP).write_bytes(data)
    with pytest.raises(IndexUnusable, match=r"map\.npy"):
        Index.open(tmp_path / "copy")


def test_the_time_grows_no_faster_than_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_map, "LANDMARKS", 200)
    generator = np.random.default_rng(0)

    def seconds(count: int) -> float:
        rows = normalise(generator.normal(size=(count, 32)))
        started = time.process_time()
        embedding_map.lay_out(rows)
        return time.process_time() - started

    seconds(400)
    assert seconds(32_000) < 8 * max(seconds(4_000), 0.05)
