"""Catalogue and network -> index: built, built again, reduced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fitting_room.build import builder
from fitting_room.index.data import current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import MANIFEST
from fitting_room.index.vectors import ReductionError
from fitting_room.util.progress import Progress
from tests.build.conftest import add, add_one, assert_right, beside, build, picture, remove
from tests.conftest import colour_embedder, picture_bytes

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


def test_an_index_within_its_catalogue_is_no_part_of_it(shop: Path) -> None:
    inside = shop / "index"
    build(shop, inside)
    summary, seen = build(shop, inside)
    assert (seen, summary.items, summary.reused) == (0, 10, 10)
    assert_right(inside, shop)


@pytest.mark.parametrize("column", ["digest", "signature", "image"])
def test_a_column_called_like_one_of_the_program_s_own_is_an_attribute(
    shop: Path, folder: Path, column: str
) -> None:
    lines = (shop / "styles.csv").read_text("utf-8").splitlines()
    lines = [f"{lines[0]},{column}", *(f"{line},word {n}" for n, line in enumerate(lines[1:]))]
    (shop / "styles.csv").write_text("\n".join(lines) + "\n", "utf-8")
    for _ in range(2):
        summary, _ = build(shop, folder)
        assert summary.items == 10
    assert set(Index.open(folder).items[f"{column}_"]) == {f"word {n}" for n in range(10)}


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
        (add_one, 11, 1),
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
    add_one(shop)
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
