"""What a build cannot use, and indexes of the format before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fitting_room.build import builder, checkpoint
from fitting_room.build.builder import BuildError, build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.imaging.features import normalise
from fitting_room.index.data import CURRENT, current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import DESCRIPTORS, ITEMS, MANIFEST, VECTORS, IndexUnusable
from fitting_room.settings import Settings
from fitting_room.util.progress import Progress
from tests.build.conftest import add_one, assert_right, beside, build, forge, picture, stop_after
from tests.conftest import colour_embedder, picture_bytes
from tests.index.made import manifest_values
from tests.ui.app.heads import headed_index

# --- what cannot be used ----------------------------------------------------------------------


def test_bad_pictures_are_named_and_left_out(shop: Path, folder: Path) -> None:
    picture(shop, 3).write_bytes(b"no picture")
    whole = picture(shop, 7).read_bytes()
    picture(shop, 7).write_bytes(whole[: len(whole) // 2])
    summary, _ = build(shop, folder)
    assert (summary.items, summary.failed) == (8, 2)
    assert [item for item, _ in summary.failures] == ["3", "7"]
    assert all(reason for _, reason in summary.failures)
    index = Index.open(folder)
    assert index.items["id"].tolist() == ["1", "2", "4", "5", "6", "8", "9", "10"]
    assert [failure["id"] for failure in index.manifest.failures] == ["3", "7"]
    assert index.manifest.counts.failed == 2
    np.testing.assert_allclose(np.linalg.norm(index.vectors, axis=1), 1, atol=1e-5)


def test_a_picture_that_goes_bad_is_left_out_of_the_next_build(shop: Path, folder: Path) -> None:
    build(shop, folder)
    good = picture(shop, 3).read_bytes()
    picture(shop, 3).write_bytes(b"no picture any more")
    summary, seen = build(shop, folder)
    assert (summary.items, summary.failed, seen) == (9, 1, 0)
    picture(shop, 3).write_bytes(good)
    summary, seen = build(shop, folder)
    assert (summary.items, summary.failed, seen) == (10, 0, 1)
    assert_right(folder, shop)


def test_a_picture_that_vanishes_during_the_build_is_left_out(shop: Path, folder: Path) -> None:
    catalogue = load_catalogue(shop)
    picture(shop, 5).unlink()
    summary = build_index(catalogue, colour_embedder(), folder, limits=ImageLimits())
    assert (summary.items, [item for item, _ in summary.failures]) == (9, ["5"])


def test_a_picture_beyond_the_limits_is_left_out(shop: Path, folder: Path) -> None:
    picture(shop, 5).write_bytes(picture_bytes("red", size=(300, 300)))
    limits = ImageLimits(max_pixels=60 * 80)
    summary = build_index(load_catalogue(shop), colour_embedder(), folder, limits=limits)
    assert (summary.items, [item for item, _ in summary.failures]) == (9, ["5"])


def test_without_a_single_good_picture_there_is_no_index(shop: Path, folder: Path) -> None:
    build(shop, folder)
    before = (current_version(folder) / MANIFEST).read_bytes()
    for number in range(1, 11):
        picture(shop, number).write_bytes(b"no picture")
    with pytest.raises(BuildError, match="None of the catalogue's pictures"):
        build(shop, folder)
    assert (current_version(folder) / MANIFEST).read_bytes() == before


def test_two_builds_of_one_index_at_once_are_refused(shop: Path, folder: Path) -> None:
    refused: list[str] = []

    def listener(progress: Progress) -> None:
        if progress.done == 5 and not refused:
            with pytest.raises(BuildError, match="another build") as caught:
                build(shop, folder)
            refused.append(str(caught.value))
            # Of another index it is allowed.
            build(shop, folder.with_name("other"))

    summary, _ = build(shop, folder, listener=listener)
    assert refused
    assert summary.items == 10
    assert_right(folder, shop)
    assert_right(folder.with_name("other"), shop)


@pytest.mark.parametrize("name", [VECTORS, MANIFEST, "items.parquet"])
def test_a_damaged_index_is_built_anew(shop: Path, folder: Path, name: str) -> None:
    build(shop, folder)
    path = current_version(folder) / name
    data = bytearray(path.read_bytes())
    data[-10] ^= 255
    path.write_bytes(data)
    summary, seen = build(shop, folder)
    assert (seen, summary.items, summary.reused) == (10, 10, 0)
    assert_right(folder, shop)


def test_a_torn_checkpoint_costs_only_what_it_held(
    shop: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "FLUSH_EVERY", 2)
    with pytest.raises(KeyboardInterrupt):
        build(shop, folder, listener=stop_after(8))
    files = sorted(folder.parent.rglob("*.npz"))
    assert len(files) == 4
    files[1].write_bytes(b"torn by a power cut")
    _, seen = build(shop, folder)
    assert seen == 4
    assert_right(folder, shop)


def test_a_place_with_something_else_is_refused_before_the_work(shop: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "wedding.jpg").write_bytes(b"precious")
    embedder = colour_embedder()
    with pytest.raises(IndexUnusable, match="something else"):
        build(shop, photos, embedder)
    assert embedder.engine.seen == 0  # type: ignore[attr-defined]
    assert [path.name for path in photos.iterdir()] == ["wedding.jpg"]


def test_an_index_behind_a_link_is_replaced_and_the_link_stays(
    shop: Path, folder: Path, tmp_path: Path
) -> None:
    build(shop, tmp_path / "real" / "index")
    folder.parent.mkdir()
    folder.symlink_to(tmp_path / "real" / "index")
    add_one(shop)
    summary, seen = build(shop, folder)
    assert (seen, summary.items) == (1, 11)
    assert folder.is_symlink()
    assert len(Index.open(tmp_path / "real" / "index")) == 11
    assert beside(folder) == set()


def test_embeddings_of_the_index_are_normalised(shop: Path, folder: Path) -> None:
    build(shop, folder, pca=2)
    vectors = np.asarray(Index.open(folder).vectors)
    np.testing.assert_allclose(vectors, normalise(vectors), atol=1e-6)


def test_many_failures_are_counted_and_the_first_named(
    shop: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "MAX_FAILURES_NAMED", 2)
    for item in (2, 3, 5, 7):
        picture(shop, item).write_bytes(b"no picture")
    summary, _ = build(shop, folder)
    assert (summary.items, summary.failed) == (6, 4)
    assert [item for item, _ in summary.failures] == ["2", "3"]
    manifest = Index.open(folder).manifest
    assert manifest.counts.failed == 4
    assert [failure["id"] for failure in manifest.failures] == ["2", "3"]


@pytest.mark.parametrize("digest", ["", "none", "g" * 32, "0" * 30, "00 " * 10 + "00"])
def test_an_index_with_other_things_than_digests_is_not_built_upon(
    shop: Path, folder: Path, digest: str
) -> None:
    build(shop, folder)
    items = Index.open(folder).items
    items.loc[3, "digest"] = digest
    path = current_version(folder) / ITEMS
    items.to_parquet(path, index=False)
    forge(path)
    _, seen = build(shop, folder)
    assert seen == 10
    assert_right(folder, shop)


# --- the version before -----------------------------------------------------------------------


def make_old(folder: Path, *, format_3: bool) -> None:
    """Turn an index into one that saw pictures in another way, perhaps one of format 3: its files
    lie in the folder itself, and the manifest has other words."""
    version = current_version(folder)
    manifest = manifest_values(version / MANIFEST)
    manifest["descriptors"] -= 1
    if format_3:
        manifest["format_version"] = 3
        manifest["appearance"] = manifest.pop("descriptors")
        (version / DESCRIPTORS).rename(version / "appearances.npy")
        manifest["files"]["appearances.npy"] = manifest["files"].pop(DESCRIPTORS)
    (version / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    if format_3:
        for path in version.iterdir():
            path.rename(folder / path.name)
        version.rmdir()
        (folder / CURRENT).unlink()


@pytest.mark.parametrize("format_3", [True, False])
def test_an_index_of_an_older_version_asks_for_a_rebuild_which_sees_everything_anew(
    shop: Path, folder: Path, format_3: bool
) -> None:
    build(shop, folder)
    make_old(folder, format_3=format_3)
    with pytest.raises(IndexUnusable, match=r"older version.*Build it again.*fitting-room build"):
        Index.open(folder)
    summary, seen = build(shop, folder)
    assert (seen, summary.items, summary.reused, summary.head) == (10, 10, 0, "none")
    assert_right(folder, shop)
    # The old files are gone.
    version = current_version(folder)
    assert {path.name for path in folder.iterdir()} == {CURRENT, version.name}


def test_that_a_head_of_an_older_version_is_gone_is_said(
    demo_fitting_room: FittingRoom, settings: Settings, tmp_path: Path
) -> None:
    folder = headed_index(demo_fitting_room.index, tmp_path / "index")
    catalogue = Index.open(folder).manifest.catalogue.location
    make_old(folder, format_3=False)
    new = FittingRoom.build(catalogue, folder, settings=settings)
    assert new.summary is not None
    assert (new.summary.reused, new.summary.head) == (0, "dropped")


def test_a_journal_of_the_old_format_is_cleared_away(shop: Path, folder: Path) -> None:
    journal = folder.with_name(f".{folder.name}.journal")
    journal.mkdir(parents=True)
    (journal / "journal.json").write_text("{}")
    build(shop, folder)
    assert beside(folder) == set()
