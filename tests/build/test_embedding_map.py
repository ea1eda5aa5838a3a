"""The map: similar items stand together, and stay where they were when the catalogue changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fitting_room.build import embedding_map, tsne
from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import DEFAULT_LIMITS
from fitting_room.imaging.features import normalise
from fitting_room.index.data import current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import MANIFEST, MAP, IndexUnusable
from fitting_room.util.progress import Progress, ignore
from tests.conftest import colour_embedder, picture_bytes
from tests.index.made import manifest_values
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


def test_items_beyond_the_landmarks_stand_with_similar_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points: list[int] = []

    def counted(rows: np.ndarray, on_step: Callable[[], None]) -> np.ndarray:
        points.append(len(rows))
        return tsne.tsne(rows, on_step)

    monkeypatch.setattr(embedding_map, "LANDMARKS", 240)
    monkeypatch.setattr(embedding_map, "tsne", counted)
    rows, of = clusters(6, 80)
    assert purity(embedding_map.lay_out(rows), of) > 0.97
    assert points == [240]


@pytest.mark.parametrize("count", [1, 2, 3, 12, 29, 30, 31])
def test_a_map_of_few_items_has_a_place_for_each(count: int) -> None:
    rows = normalise(np.random.default_rng(1).normal(size=(count, 3)))
    positions = embedding_map.lay_out(rows)
    assert positions.shape == (count, 2)
    assert np.isfinite(positions).all()


def test_items_that_are_all_the_same_break_nothing() -> None:
    positions = embedding_map.lay_out(normalise(np.ones((60, 5))))
    assert np.isfinite(positions).all()


def test_kinds_stand_together_on_the_demo_catalogues_map(demo_fitting_room: FittingRoom) -> None:
    index = demo_fitting_room.index
    assert index.map is not None
    kinds = index.items["articleType"].to_numpy()
    by_chance = np.mean([(kinds == kind).mean() for kind in kinds])
    found_purity = purity(np.asarray(index.map), kinds)
    # Of 32 kinds, in 20 colours that count too.
    assert found_purity > 0.5 > 3 * by_chance


def test_progress_is_reported_to_the_end() -> None:
    reports: list[Progress] = []
    embedding_map.lay_out(clusters(4, 20)[0], reports.append)
    assert reports[0].done == 0
    assert reports[-1].done == reports[-1].total


# --- a catalogue that changes ---------------------------------------------------------------------


class Catalogue:
    """Items whose map is drawn anew whenever some came or went."""

    def __init__(self, count: int) -> None:
        self.rows, _ = clusters(8, 10)
        self.before: Any = None
        self.draw(range(count))

    def draw(self, items: Iterable[int], basis: str = "basis") -> embedding_map.Map:
        numbers = np.array(items)
        digests = pd.Series([f"{i:032x}" for i in numbers])
        drawn = embedding_map.draw(self.rows[numbers], digests, basis, self.before, ignore)
        frame = pd.DataFrame({"digest": digests})
        self.before = SimpleNamespace(
            map=drawn.positions, manifest=SimpleNamespace(map=drawn.record), items=frame
        )
        return drawn


def test_after_a_small_change_everything_stays_where_it_was() -> None:
    catalogue = Catalogue(60)
    before = catalogue.before.map
    items = [i for i in reversed(range(63)) if i != 7]
    drawn = catalogue.draw(items)
    assert drawn.record == {"basis": "basis", "laid_out": 60, "changed": 4}
    kept = [place for place, i in enumerate(items) if i < 60]
    np.testing.assert_array_equal(drawn.positions[kept], before[[items[place] for place in kept]])
    # A new item, first in the list, stands among those most similar to it.
    for place in range(3):
        similarity = catalogue.rows[items[3:]] @ catalogue.rows[items[place]]
        away = np.hypot(*(drawn.positions[3:] - drawn.positions[place]).T)
        assert np.argmax(similarity) in np.argsort(away)[:8]


@pytest.mark.parametrize(("count", "basis"), [(80, "basis"), (60, "another")])
def test_a_catalogue_that_changed_a_lot_is_laid_out_anew(count: int, basis: str) -> None:
    catalogue = Catalogue(60)
    before = catalogue.before.map
    drawn = catalogue.draw(range(count), basis)
    assert drawn.record == {"basis": basis, "laid_out": count, "changed": 0}
    assert np.array_equal(drawn.positions[:60], before) == (count == 60)


def test_small_changes_add_up() -> None:
    catalogue = Catalogue(40)
    changed = [catalogue.draw(range(43 + 3 * step)).record["changed"] for step in range(4)]
    assert changed == [3, 6, 0, 3]  # nine of 40 are more than a fifth


def test_two_items_with_the_same_picture_are_no_change() -> None:
    catalogue = Catalogue(40)
    twice = [*range(40), 5]
    assert catalogue.draw(twice).record["changed"] == 0
    assert catalogue.draw(twice).record["changed"] == 0


def test_the_basis_is_the_network_and_what_was_learned() -> None:
    identity, files = {"backbone": "a"}, {"vectors.npy": "1", "pca.npz": "2"}
    basis = embedding_map.basis_of(identity, files)
    assert embedding_map.basis_of(identity, files | {"vectors.npy": "3"}) == basis
    changes = [files | {"pca.npz": "3"}, files | {"head.safetensors": "4"}]
    bases = {embedding_map.basis_of(identity, changed) for changed in changes}
    assert len({basis, *bases, embedding_map.basis_of({"backbone": "b"}, files)}) == 4


# --- with an index ------------------------------------------------------------------------------


def shades(folder: Path, count: int) -> None:
    """A catalogue of pictures of different shades."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        colour = (number * 37 % 256, number * 91 % 256, number * 151 % 256)
        (images / f"{number}.png").write_bytes(picture_bytes(colour, (12, 16), "PNG"))
    ids = sorted(int(path.stem) for path in images.iterdir())
    (folder / "styles.csv").write_text("id\n" + "\n".join(map(str, ids)) + "\n", encoding="utf-8")


def build(shop: Path, folder: Path) -> Index:
    build_index(load_catalogue(shop), colour_embedder(), folder, limits=DEFAULT_LIMITS)
    return Index.open(folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue, ``shop``, and its ``index``."""
    folder = tmp_path_factory.mktemp("map")
    shades(folder / "shop", 12)
    build(folder / "shop", folder / "index")
    return folder


@pytest.fixture
def copy(tmp_path: Path, built: Path) -> Path:
    """The same, to be changed."""
    return shutil.copytree(built, tmp_path / "copy")


def test_a_build_keeps_the_map_of_the_one_before(copy: Path) -> None:
    before = Index.open(copy / "index")
    assert before.map is not None
    positions = np.array(before.map)
    shades(copy / "shop", 13)
    index = build(copy / "shop", copy / "index")
    assert index.map is not None
    assert index.manifest.map["changed"] == 1
    rows = [index.items["id"].tolist().index(i) for i in before.items["id"]]
    np.testing.assert_array_equal(np.asarray(index.map)[rows], positions)


def test_a_head_draws_a_map_of_its_own(demo_fitting_room: FittingRoom, tmp_path: Path) -> None:
    index = Index.open(headed_index(demo_fitting_room.index, tmp_path / "index"))
    assert index.map is not None
    assert demo_fitting_room.index.map is not None
    assert not np.array_equal(index.map, demo_fitting_room.index.map)
    kinds = index.items["articleType"].to_numpy()
    assert purity(np.asarray(index.map), kinds) > purity(
        np.asarray(demo_fitting_room.index.map), kinds
    )


def test_an_index_from_before_there_were_maps_has_none(copy: Path) -> None:
    forget_map(copy / "index")
    assert Index.open(copy / "index").map is None
    # ... and gets one at its next build, for which nothing is embedded again.
    assert build(copy / "shop", copy / "index").map is not None


def forget_map(folder: Path) -> None:
    folder = current_version(folder)
    (folder / MAP).unlink()
    manifest = manifest_values(folder / MANIFEST)
    del manifest["map"], manifest["files"][MAP]
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize(
    "record",
    [7, {}, {"basis": 1, "laid_out": 12, "changed": 0}, {"basis": "", "laid_out": 0, "changed": 0}],
)
def test_a_record_that_makes_no_sense_is_refused(copy: Path, record: object) -> None:
    manifest = manifest_values(current_version(copy / "index") / MANIFEST)
    manifest["map"] = record
    (current_version(copy / "index") / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(IndexUnusable):
        Index.open(copy / "index")


def test_a_damaged_map_is_told_from_a_sound_one(copy: Path) -> None:
    data = bytearray((current_version(copy / "index") / MAP).read_bytes())
    data[-1] ^= 0x40
    (current_version(copy / "index") / MAP).write_bytes(data)
    with pytest.raises(IndexUnusable, match=r"map\.npy"):
        Index.open(copy / "index")
