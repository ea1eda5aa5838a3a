"""A catalogue -> an index: nothing is embedded twice, nothing that is done gets lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fitting_room.build import builder, checkpoint
from fitting_room.build.builder import BuildError, BuildSummary, build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.embedding.embedder import Embedder
from fitting_room.facade import FittingRoom
from fitting_room.imaging.decode import ImageLimits
from fitting_room.imaging.features import normalise
from fitting_room.index.data import CURRENT, current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import DESCRIPTORS, ITEMS, MANIFEST, VECTORS, IndexUnusable
from fitting_room.index.vectors import ReductionError
from fitting_room.settings import Settings
from fitting_room.util.files import sha256_of
from fitting_room.util.progress import Listener, Progress, ignore
from tests.conftest import COLOURS, PROJECT, colour_embedder, picture_bytes
from tests.ui.app.heads import headed_index


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "indexes" / "shop"


def build(
    shop: Path,
    folder: Path,
    embedder: Embedder | None = None,
    *,
    pca: int | None = None,
    listener: Listener = ignore,
) -> tuple[BuildSummary, int]:
    """Build, and count the pictures that the network saw."""
    embedder = embedder or colour_embedder()
    before = embedder.engine.seen  # type: ignore[attr-defined]
    summary = build_index(
        load_catalogue(shop), embedder, folder, pca=pca, limits=ImageLimits(), listener=listener
    )
    return summary, embedder.engine.seen - before  # type: ignore[attr-defined]


def picture(shop: Path, item: int | str) -> Path:
    return shop / "images" / f"{item}.jpg"


def add(shop: Path, item: int | str, colour: tuple[int, int, int] | str) -> None:
    with (shop / "styles.csv").open("a", encoding="utf-8") as file:
        file.write(f"{item},Women,Tshirts,Odd,New shirt\n")
    picture(shop, item).write_bytes(picture_bytes(colour))


def remove(shop: Path, item: int) -> None:
    lines = (shop / "styles.csv").read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(f"{item},")]
    (shop / "styles.csv").write_text("".join(kept), "utf-8")
    picture(shop, item).unlink()


def assert_right(folder: Path, shop: Path) -> None:
    """The index is whole, has the catalogue's items in its order, and each one's own embedding."""
    index, catalogue = Index.open(folder), load_catalogue(shop)
    index.verify()
    assert index.items["id"].tolist() == catalogue.items["id"].tolist()
    from fitting_room.imaging.decode import open_image

    pictures = [open_image(shop / name) for name in catalogue.items["image"]]
    expected = colour_embedder().embed(pictures)
    if index.pca is not None:
        expected = index.pca(expected)
    np.testing.assert_allclose(index.vectors, expected, atol=1e-5)


def forge(path: Path) -> None:
    """Make the manifest agree with a file of an index that was changed."""
    manifest = path.with_name(MANIFEST)
    values = json.loads(manifest.read_text("utf-8"))
    values["files"][path.name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    manifest.write_text(json.dumps(values), "utf-8")


def beside(folder: Path) -> set[str]:
    """What lies beside an index, but for the lock."""
    return {p.name for p in folder.parent.iterdir()} - {folder.name, f".{folder.name}.lock"}


# --- building again ---------------------------------------------------------------------------


def test_a_first_build_embeds_every_picture(shop: Path, folder: Path) -> None:
    summary, seen = build(shop, folder)
    assert (seen, summary.items, summary.reused, summary.failed) == (10, 10, 0, 0)
    assert (summary.backbone, summary.dimension) == ("colour", 4)
    assert summary.images_per_second > 0
    assert_right(folder, shop)
    assert beside(folder) == set()


def test_a_second_build_embeds_nothing(shop: Path, folder: Path) -> None:
    build(shop, folder)
    summary, seen = build(shop, folder)
    assert (seen, summary.items, summary.reused, summary.images_per_second) == (0, 10, 10, 0)
    assert_right(folder, shop)


def _add_one(shop: Path) -> None:
    add(shop, 11, "cyan")


def _change_one(shop: Path) -> None:
    picture(shop, 4).write_bytes(picture_bytes("magenta", size=(61, 80)))


def _remove_one(shop: Path) -> None:
    remove(shop, 3)


def _rename_one(shop: Path) -> None:
    picture(shop, 5).rename(picture(shop, "five"))
    text = (shop / "styles.csv").read_text("utf-8")
    (shop / "styles.csv").write_text(text.replace("\n5,", "\nfive,"), "utf-8")


def _touch_one(shop: Path) -> None:
    os.utime(picture(shop, 6), (1, 1))


def _exchange_two(shop: Path) -> None:
    first, second = picture(shop, 1).read_bytes(), picture(shop, 2).read_bytes()
    picture(shop, 1).write_bytes(second)
    picture(shop, 2).write_bytes(first)
    for number in (1, 2):
        os.utime(picture(shop, number), (number, number))


def _change_words(shop: Path) -> None:
    text = (shop / "styles.csv").read_text("utf-8")
    (shop / "styles.csv").write_text(text.replace("Red", "Scarlet"), "utf-8")


def _turn_around(shop: Path) -> None:
    header, *lines = (shop / "styles.csv").read_text("utf-8").splitlines()
    (shop / "styles.csv").write_text("\n".join([header, *reversed(lines)]) + "\n", "utf-8")


def _another_ending(shop: Path) -> None:
    picture(shop, 7).rename(picture(shop, 7).with_suffix(".jpeg"))


@pytest.mark.parametrize(
    ("change", "items", "embedded"),
    [
        (_add_one, 11, 1),
        (_change_one, 10, 1),
        (_remove_one, 9, 0),
        (_rename_one, 10, 0),
        (_touch_one, 10, 0),
        (_exchange_two, 10, 0),
        (_change_words, 10, 0),
        (_turn_around, 10, 0),
        (_another_ending, 10, 0),
    ],
)
def test_after_a_change_only_what_is_new_is_embedded(
    shop: Path, folder: Path, change: Callable[[Path], None], items: int, embedded: int
) -> None:
    build(shop, folder)
    change(shop)
    summary, seen = build(shop, folder)
    assert (summary.items, seen, summary.reused) == (items, embedded, items - embedded)
    assert_right(folder, shop)


def test_a_change_of_words_reaches_the_index(shop: Path, folder: Path) -> None:
    build(shop, folder)
    _change_words(shop)
    build(shop, folder)
    assert Index.open(folder).items["productDisplayName"].iloc[0] == "Scarlet shirt"


def test_what_has_gone_is_not_found_any_more(shop: Path, folder: Path) -> None:
    build(shop, folder)
    _remove_one(shop)
    build(shop, folder)
    index = Index.open(folder)
    (hits,) = index.search(index.vectors[0], 100)
    assert "3" not in index.items["id"].iloc[hits.rows].tolist()


def test_a_catalogue_that_moved_is_not_embedded_again(shop: Path, folder: Path) -> None:
    build(shop, folder)
    moved = shutil.move(shop, shop.with_name("elsewhere"))
    summary, seen = build(moved, folder)
    assert (seen, summary.reused) == (0, 10)
    assert Index.open(folder).manifest.catalogue.location == str(moved)


def test_one_picture_under_several_ids_is_several_items(shop: Path, folder: Path) -> None:
    for item in ("copy-1", "copy-2", "copy-3"):
        add(shop, item, "red")  # the bytes of item 1
    summary, _ = build(shop, folder)
    assert summary.items == 13
    index = Index.open(folder)
    (hits,) = index.search(index.vectors[0], 5)
    assert index.items["id"].iloc[hits.rows[:4]].tolist() == ["1", "copy-1", "copy-2", "copy-3"]
    np.testing.assert_allclose(hits.similarities[:4], 1, atol=1e-6)
    assert build(shop, folder)[1] == 0
    # With the first of them gone, the others have an embedding all the same.
    remove(shop, 1)
    assert build(shop, folder)[1] == 0
    assert_right(folder, shop)


def test_another_network_embeds_everything_anew(shop: Path, folder: Path) -> None:
    build(shop, folder)
    for other in (colour_embedder("other"), colour_embedder("other", sha256="1" * 64)):
        summary, seen = build(shop, folder, other)
        assert (seen, summary.reused) == (10, 0)
        Index.open(folder).require(other.selection.identity)


def test_progress_is_told_from_nothing_to_all(shop: Path, folder: Path) -> None:
    reports: list[Progress] = []
    build(shop, folder, listener=reports.append)
    for stage in dict.fromkeys(p.stage for p in reports):
        steps = [p for p in reports if p.stage == stage]
        assert steps[0].done == 0
        assert steps[-1].done == steps[-1].total == 10
        assert [p.done for p in steps] == sorted(p.done for p in steps)


# --- stopped on the way -----------------------------------------------------------------------


def stop_after(count: int, error: type[BaseException] = KeyboardInterrupt) -> Listener:
    def listener(progress: Progress) -> None:
        if progress.unit == "picture" and progress.done == count:
            raise error

    return listener


@pytest.mark.parametrize("count", range(11))
def test_an_interrupted_build_goes_on_where_it_was(
    shop: Path, folder: Path, count: int, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(shop, folder, listener=stop_after(count))
    with pytest.raises(IndexUnusable):
        Index.open(folder)
    summary, seen = build(shop, folder)
    assert (seen, summary.items, summary.reused) == (10 - count, 10, count)
    assert_right(folder, shop)
    assert beside(folder) == set()
    build(shop, tmp_path / "uninterrupted")
    resumed, expected = Index.open(folder), Index.open(tmp_path / "uninterrupted")
    np.testing.assert_array_equal(resumed.vectors, expected.vectors)
    assert resumed.items.equals(expected.items)


def test_a_build_may_be_interrupted_again_and_again(shop: Path, folder: Path) -> None:
    total = 0
    for count in (2, 5, 9):
        embedder = colour_embedder()
        with pytest.raises(KeyboardInterrupt):
            build(shop, folder, embedder, listener=stop_after(count))
    summary, total = build(shop, folder)
    assert (total, summary.reused) == (1, 9)
    assert_right(folder, shop)


def test_an_interrupted_build_leaves_the_old_index_as_it_was(shop: Path, folder: Path) -> None:
    build(shop, folder)
    before = (current_version(folder) / MANIFEST).read_bytes()
    for number in range(1, 11):
        picture(shop, number).write_bytes(picture_bytes("gold", size=(50 + number, 80)))
    with pytest.raises(KeyboardInterrupt):
        build(shop, folder, listener=stop_after(4))
    assert (current_version(folder) / MANIFEST).read_bytes() == before
    Index.open(folder).verify()


def test_what_changed_after_an_interruption_is_seen(shop: Path, folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(shop, folder, listener=stop_after(6))
    picture(shop, 1).write_bytes(picture_bytes("gold"))
    remove(shop, 2)
    summary, seen = build(shop, folder)
    assert (seen, summary.items) == (5, 9)
    assert_right(folder, shop)


def test_an_interrupted_build_of_another_network_is_not_gone_on_with(
    shop: Path, folder: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(shop, folder, colour_embedder("other"), listener=stop_after(6))
    summary, seen = build(shop, folder)
    assert (seen, summary.reused) == (10, 0)
    assert_right(folder, shop)


KILLED = """
import os, signal, sys
from pathlib import Path
from fitting_room.build import checkpoint
from fitting_room.build.builder import build_index
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.imaging.decode import ImageLimits
from tests.conftest import colour_embedder

shop, folder, unit, done = sys.argv[1:]
checkpoint.FLUSH_EVERY = 2

def listener(progress):
    if progress.unit == unit and progress.done == int(done):
        os.kill(os.getpid(), signal.SIGKILL)

build_index(load_catalogue(shop), colour_embedder(), Path(folder), limits=ImageLimits(),
            listener=listener)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(("unit", "done", "kept"), [("picture", 7, 6), ("item", 10, 10)])
def test_a_killed_build_goes_on_where_it_was(
    shop: Path, folder: Path, unit: str, done: int, kept: int
) -> None:
    """While pictures are embedded, and while the new index is being written."""
    build(shop, folder)
    old = Index.open(folder).vectors[:].copy()
    for number, colour in enumerate(COLOURS, 1):  # all pictures change
        picture(shop, number).write_bytes(picture_bytes(colour, size=(90, 80)))
    arguments = [sys.executable, "-c", KILLED, str(shop), str(folder), unit, str(done)]
    killed = subprocess.run(arguments, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    # The old index is whole and answers.
    meanwhile = Index.open(folder)
    meanwhile.verify()
    np.testing.assert_array_equal(meanwhile.vectors, old)
    assert meanwhile.search(old[3], 1)[0].rows.tolist() == [3]
    # The next build embeds the rest and tidies up.
    summary, seen = build(shop, folder)
    assert (seen, summary.items, summary.reused) == (10 - kept, 10, kept)
    assert_right(folder, shop)
    assert beside(folder) == set()


def test_a_full_disk_loses_neither_the_old_index_nor_what_is_embedded(
    shop: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(shop, folder)
    _add_one(shop)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "open_memmap", full)
        with pytest.raises(OSError, match="No space left"):
            build(shop, folder)
    assert len(Index.open(folder)) == 10
    assert build(shop, folder)[1] == 0
    assert_right(folder, shop)
    assert beside(folder) == set()


# --- reduction --------------------------------------------------------------------------------


def test_a_reduced_build_uses_the_embeddings_of_an_unreduced_one(shop: Path, folder: Path) -> None:
    build(shop, folder)
    summary, seen = build(shop, folder, pca=2)
    assert (seen, summary.reused, summary.dimension) == (0, 10, 2)
    index = Index.open(folder)
    assert index.pca is not None
    assert index.vectors.shape == (10, 2)
    assert_right(folder, shop)


def test_a_reduced_index_grows_without_being_learned_anew(shop: Path, folder: Path) -> None:
    build(shop, folder, pca=2)
    _add_one(shop)
    before = Index.open(folder).pca
    summary, seen = build(shop, folder, pca=2)
    after = Index.open(folder).pca
    assert (seen, summary.reused) == (1, 10)
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(before.components, after.components)
    assert after.fitted_on == 10
    assert_right(folder, shop)


def test_a_reduction_is_learned_anew_when_the_catalogue_has_outgrown_it(
    shop: Path, folder: Path
) -> None:
    build(shop, folder, pca=2)
    for number in range(11, 10 * builder.PCA_OUTGROWN + 1):
        add(shop, number, (10 * number, 255 - 10 * number, 50))
    summary, _ = build(shop, folder, pca=2)
    index = Index.open(folder)
    assert index.pca is not None
    assert index.pca.fitted_on == summary.items == 20
    assert_right(folder, shop)


def test_a_reduction_that_fails_leaves_the_old_index(shop: Path, folder: Path) -> None:
    build(shop, folder)
    before = (current_version(folder) / MANIFEST).read_bytes()
    with pytest.raises(ReductionError, match="--pca 5"):
        build(shop, folder, pca=5)  # the embeddings have 4 numbers
    assert (current_version(folder) / MANIFEST).read_bytes() == before


def test_a_reduction_to_more_numbers_than_pictures_is_refused(shop: Path, folder: Path) -> None:
    for number in range(4, 11):
        remove(shop, number)
    with pytest.raises(ReductionError, match="--pca 4"):
        build(shop, folder, pca=4)
    # What was embedded for it is not lost.
    assert build(shop, folder)[1] == 0


def test_another_reduction_than_before_is_made(shop: Path, folder: Path) -> None:
    build(shop, folder, pca=2)
    for pca, dimension in ((3, 3), (None, 4)):
        summary, _ = build(shop, folder, pca=pca)
        assert summary.dimension == Index.open(folder).dimension == dimension
        assert_right(folder, shop)


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
    _add_one(shop)
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


# --- the format before ------------------------------------------------------------------------


def make_old(folder: Path) -> None:
    """Turn an index into one of format 3: its files lie in the folder itself, with other names for
    what finds candidates, and the manifest has other words."""
    version = current_version(folder)
    manifest = json.loads((version / MANIFEST).read_text("utf-8"))
    manifest["format_version"] = 3
    manifest["counts"]["studio"] = manifest["counts"].pop("plain_background")
    manifest["appearance"] = manifest.pop("descriptors")
    (version / DESCRIPTORS).rename(version / "appearances.npy")
    manifest["files"]["appearances.npy"] = manifest["files"].pop(DESCRIPTORS)
    (version / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    for path in version.iterdir():
        path.rename(folder / path.name)
    version.rmdir()
    (folder / CURRENT).unlink()


def test_an_index_of_the_old_format_asks_for_a_rebuild(shop: Path, folder: Path) -> None:
    build(shop, folder)
    make_old(folder)
    with pytest.raises(IndexUnusable, match=r"old format 3; build it again.*fitting-room build"):
        Index.open(folder)


@pytest.mark.parametrize("pca", [None, 2])
def test_a_build_takes_over_the_embeddings_of_the_old_format(
    shop: Path, folder: Path, pca: int | None
) -> None:
    build(shop, folder, pca=pca)
    old = Index.open(folder)
    make_old(folder)
    _add_one(shop)
    summary, seen = build(shop, folder, pca=pca)
    assert (seen, summary.items, summary.reused) == (1, 11, 10)
    assert_right(folder, shop)
    new = Index.open(folder)
    np.testing.assert_array_equal(new.vectors[:10], old.vectors)
    np.testing.assert_array_equal(new.descriptors[:10], old.descriptors)
    assert new.manifest.counts.plain_background == old.manifest.counts.plain_background
    # The old files are gone.
    version = current_version(folder)
    assert {path.name for path in folder.iterdir()} == {CURRENT, version.name}


def test_a_head_and_a_calibration_of_the_old_format_are_kept(
    demo_fitting_room: FittingRoom, settings: Settings, tmp_path: Path
) -> None:
    folder = headed_index(demo_fitting_room.index, tmp_path / "index")
    old = Index.open(folder)
    make_old(folder)
    catalogue = old.manifest.catalogue.location
    new = FittingRoom.build(catalogue, folder, settings=settings)
    assert new.summary is not None
    assert (new.summary.reused, new.summary.head) == (len(old), "kept")
    assert new.index.calibration == old.calibration is not None
    assert new.index.map is not None
    np.testing.assert_array_equal(new.index.map, old.map)


@pytest.mark.parametrize("name", [VECTORS, "appearances.npy", ITEMS, MANIFEST])
def test_a_damaged_index_of_the_old_format_is_built_anew(
    shop: Path, folder: Path, name: str
) -> None:
    build(shop, folder)
    make_old(folder)
    data = bytearray((folder / name).read_bytes())
    data[-10] ^= 255
    (folder / name).write_bytes(data)
    _, seen = build(shop, folder)
    assert seen == 10
    assert_right(folder, shop)


def test_a_journal_of_the_old_format_is_cleared_away(shop: Path, folder: Path) -> None:
    journal = folder.with_name(f".{folder.name}.journal")
    journal.mkdir(parents=True)
    (journal / "journal.json").write_text("{}")
    build(shop, folder)
    assert beside(folder) == set()


# --- one picture only -------------------------------------------------------------------------


def test_a_catalogue_of_one_picture_over_and_over_is_built(shop: Path, folder: Path) -> None:
    """Nothing can be calibrated, since copies are no results, and the map is a single place."""
    kinds = ["Tshirts", "Shirts"]
    lines = ["id,articleType"]
    for number in range(1, 41):
        lines.append(f"{number},{kinds[number % 2]}")
        picture(shop, number).write_bytes(picture_bytes("red"))
    (shop / "styles.csv").write_text("\n".join(lines) + "\n", "utf-8")
    build(shop, folder)
    index = Index.open(folder)
    assert len(index) == 40
    assert index.calibration is None
    assert index.map is not None
    assert np.isfinite(index.map).all()
    (hits,) = index.search(index.features(np.array([0])), 5)
    assert hits.rows.tolist() == [0, 1, 2, 3, 4]
