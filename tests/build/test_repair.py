"""A build on a damaged index repairs it: what comes of it is what a fresh build would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fitting_room.build.builder import build_index
from fitting_room.build.summary import BuildSummary
from fitting_room.catalogue.catalogue import load_catalogue
from fitting_room.imaging.decode import ImageLimits
from fitting_room.index.data import CURRENT, current_version
from fitting_room.index.index import Index
from fitting_room.index.manifest import (
    DESCRIPTORS,
    HEAD_FILE,
    HEAD_VECTORS,
    ITEMS,
    MANIFEST,
    MAP,
    TRAINED,
    VECTORS,
)
from tests.build.conftest import assert_right, build, folder  # noqa: F401
from tests.build.test_head_network import head_for, two_networks


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("name", [VECTORS, DESCRIPTORS, ITEMS, MAP, MANIFEST])
def test_a_build_repairs_what_is_damaged(shop: Path, folder: Path, name: str) -> None:  # noqa: F811
    build(shop, folder)
    damage(current_version(folder) / name)
    summary, seen = build(shop, folder)
    assert summary.damaged == (name,)
    assert (seen == 0) == (name == MAP)  # embeddings whose files are sound are used again
    assert summary.damage_in_words is not None
    assert summary.damage_in_words.startswith(f"The index was damaged ({name}) and was ")
    assert_right(folder, shop)
    again, seen = build(shop, folder)
    assert (again.damaged, again.damage_in_words, seen) == ((), None, 0)


def test_a_build_repairs_an_index_whose_version_cannot_be_told(
    shop: Path,
    folder: Path,  # noqa: F811
) -> None:
    build(shop, folder)
    (folder / CURRENT).write_bytes(b"\xff\x00")
    summary, seen = build(shop, folder)
    assert (summary.damaged, seen) == ((CURRENT,), 10)
    assert_right(folder, shop)


@pytest.mark.parametrize(
    ("name", "reused"), [(TRAINED, 10), (HEAD_VECTORS, 0), (HEAD_FILE, 0), (VECTORS, 0)]
)
def test_of_an_index_with_a_head_what_is_sound_is_reused(
    shop: Path, tmp_path: Path, name: str, reused: int
) -> None:
    def built(place: str) -> tuple[BuildSummary, Any]:
        embedder = two_networks()
        assert embedder.of_head is not None
        head = head_for(embedder.of_head)
        summary = build_index(
            load_catalogue(shop), embedder, tmp_path / place, head=head, limits=ImageLimits()
        )
        return summary, Index.open(tmp_path / place)

    built("index")
    damage(current_version(tmp_path / "index") / name)
    summary, repaired = built("index")
    _, fresh = built("fresh")
    assert (summary.damaged, summary.reused) == ((name,), reused)
    for array in ("vectors", "descriptors", "trained", "head_vectors", "map"):
        np.testing.assert_array_equal(getattr(repaired, array), getattr(fresh, array), array)
